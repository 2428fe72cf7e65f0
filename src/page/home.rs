//! The overview.

use actix_web::HttpRequest;
use actix_web::web;
use maud::{Markup, html};

use super::fault::Fault;
use super::frame::Frame;
use super::health::Health;
use super::icon::Sign;
use super::moment::Moment;
use super::parts::Parts;
use super::queue::Load;
use super::{Answer, checks, entries, pulse, runs, start, words};
use crate::http;
use crate::queue::{Entry, State};
use crate::runs::Run;

/// Entries of each list shown here; the rest stands on the page of the queue.
const ENTRIES: usize = 5;
/// Runs shown here.
const RUNS: usize = 8;

/// `GET /`.
pub(super) async fn get(request: HttpRequest, state: web::Data<http::State>) -> Answer {
    let parts = gather(&state).await?;
    let moment = Moment::of(&state.engine.clock);
    let frame = Frame::new(&request, "/", &parts.title, &moment).live(&parts, "page=home");
    Ok(super::html(&frame, &layout(&parts, &moment)))
}

/// The overview in parts.
pub(super) async fn gather(state: &http::State) -> Result<Parts, Fault> {
    let engine = &state.engine;
    let moment = Moment::of(&engine.clock);
    let (health, load) = (Health::gather(engine), Load::gather(engine).await?);
    let parked = engine.queue.page(Some(State::Parked), None, ENTRIES).await?;
    let waiting = engine.queue.page(Some(State::Waiting), None, ENTRIES).await?;
    // What only waits for the end of a burst of changes is no news.
    let waiting: Vec<Entry> = waiting.into_iter().filter(|entry| entry.last_error.is_some()).collect();
    let beats = engine.queue.pulse(pulse::first(moment.now)).await?;
    let runs: Vec<Run> = state.runs.list(None).into_iter().take(RUNS).collect();
    let report = engine.doctor.latest();
    let trouble = checks::trouble(report.as_ref());
    let mut parts = Parts::new(title(&health, &load, trouble));
    parts.add("state", headline(&health, &load, trouble));
    parts.add("health", health.render());
    parts.add("checks", checks::render(report.as_ref(), &moment));
    parts.add("queue", load.render(&moment));
    parts.add("pulse", pulse::render(&beats, &moment));
    parts.add("attention", attention(&load, &parked, &waiting, &moment));
    parts.add("runs", runs::card(&runs, &moment));
    Ok(parts)
}

fn title(health: &Health, load: &Load, trouble: usize) -> String {
    match health.trouble() {
        Some(down) => down.to_owned(),
        None if load.counts.parked == 0 && trouble > 0 => checks::words(trouble),
        None => load.words(),
    }
}

fn headline(health: &Health, load: &Load, trouble: usize) -> Markup {
    let counts = load.counts;
    let busy = counts.waiting + counts.running;
    let (sign, words, note) = if let Some(trouble) = health.trouble() {
        let note = format!("{} wait and go on by themselves once it works again.", words::work_logs(busy));
        (Sign::Bad, trouble.to_owned(), note)
    } else if counts.parked > 0 {
        let verb = if counts.parked == 1 { "needs" } else { "need" };
        let note = "Everything else is synced or on its way.".to_owned();
        (Sign::Warning, format!("{} {verb} somebody’s attention", words::work_logs(counts.parked)), note)
    } else if trouble > 0 {
        (Sign::Warning, checks::words(trouble), "See below what to do about it.".to_owned())
    } else if busy > 0 {
        let verb = if busy == 1 { "is" } else { "are" };
        (
            Sign::Running,
            format!("{} {verb} being synced", words::work_logs(busy)),
            "Nothing needs attention.".to_owned(),
        )
    } else {
        let note = "Every change that arrived is in Kimai.".to_owned();
        (Sign::Good, "Everything is synced".to_owned(), note)
    };
    html! {
        div id="state" class={ "state " (sign.class()) } {
            h1 { (sign.icon()) span { (words) } }
            p { (note) }
        }
    }
}

fn attention(load: &Load, parked: &[Entry], waiting: &[Entry], moment: &Moment) -> Markup {
    html! {
        section id="attention" class="card" aria-labelledby="attention-title" {
            div class="card-head" {
                h2 id="attention-title" { "Not synced yet" }
                @if !parked.is_empty() { (entries::retry_all(load.counts.parked, "/")) }
            }
            @if parked.is_empty() && waiting.is_empty() {
                p class="empty" { "Nothing is parked, and nothing has to be tried again." }
            }
            @if !parked.is_empty() {
                h3 id="parked-title" { "Parked: somebody has to change something" }
                (entries::table(parked, "/", moment, "parked-title"))
                @if load.counts.parked > parked.len() {
                    p { a href="/entries?state=parked" { "All " (words::number(load.counts.parked as u64)) " parked work logs" } }
                }
            }
            @if !waiting.is_empty() {
                h3 id="waiting-title" { "Tried again by itself" }
                (entries::table(waiting, "/", moment, "waiting-title"))
                @if load.counts.retrying > waiting.len() {
                    p { a href="/entries?state=waiting" { "All that are tried again" } }
                }
            }
        }
    }
}

fn layout(parts: &Parts, moment: &Moment) -> Markup {
    html! {
        (parts.get("state"))
        div class="columns" {
            div class="main-column" {
                (parts.get("queue"))
                (parts.get("pulse"))
                (parts.get("attention"))
                div class="beside" { (start::import()) (start::lock(moment)) }
            }
            div class="side-column" {
                (parts.get("health"))
                (parts.get("checks"))
                (start::sweep(moment))
                (parts.get("runs"))
            }
        }
    }
}
