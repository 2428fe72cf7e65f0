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
use crate::domain::Code;
use crate::http;
use crate::queue::{Entry, Filter, State};
use crate::runs::{self as book, Kind, Run};

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
    let parked = engine
        .queue
        .page(Filter { not: Some(Code::TimesheetExported), ..State::Parked.into() }, None, ENTRIES)
        .await?;
    let kept = engine.queue.page(Filter::EXPORTED, None, ENTRIES).await?;
    let waiting = engine.queue.page(State::Scheduled.into(), None, ENTRIES).await?;
    // What only waits for the end of a burst of changes is no news.
    let waiting: Vec<Entry> = waiting.into_iter().filter(|entry| entry.last_error.is_some()).collect();
    let beats = engine.queue.pulse(pulse::first(moment.now)).await?;
    let mut runs = state.runs.list(None);
    let alert = sweep_alert(&runs);
    runs.truncate(RUNS);
    let report = engine.doctor.latest();
    let trouble = checks::trouble(report.as_ref());
    let mut parts = Parts::new(title(&health, &load, trouble, alert.as_ref()));
    parts.add("state", headline(&health, &load, trouble, alert.as_ref()));
    parts.add("health", health.render());
    parts.add("checks", checks::render(report.as_ref(), &moment));
    parts.add("queue", load.render(&moment));
    parts.add("pulse", pulse::render(&beats, &moment));
    parts.add("attention", attention(&load, [&parked, &kept, &waiting], &moment));
    parts.add("runs", runs::card(&runs, &moment));
    Ok(parts)
}

/// Why the newest sweep that ended needs somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SweepAlert {
    /// Its number.
    run: u64,
    words: String,
}

/// What the newest sweep that has compared both sides left undone. One that somebody cancelled tells nothing. `runs`: the newest first.
pub(super) fn sweep_alert(runs: &[Run]) -> Option<SweepAlert> {
    let told = |run: &&Run| run.has_result() && run.state != book::State::Cancelled;
    let last = runs.iter().filter(|run| run.task.kind() == Kind::Sweep).find(told)?;
    let words = if last.state == book::State::Failed {
        "The last sweep failed".to_owned()
    } else if last.held > 0 && needs_somebody(last) {
        format!("The last sweep held {} back", words::count(last.held as u64, "deletion", "deletions"))
    } else {
        return None;
    };
    Some(SweepAlert { run: last.id, words })
}

/// Whether one of the deletions held back waits for somebody's word, or should not have come up: what is exported,
/// was changed a moment ago or is left alone by the settings may stay like that for ever.
fn needs_somebody(sweep: &Run) -> bool {
    let no_work_logs = sweep.counts.get("work-logs").is_none_or(|count| *count == 0);
    sweep.confirm.is_some() || no_work_logs || sweep.stand.faults_in_all > 0
}

fn title(health: &Health, load: &Load, trouble: usize, alert: Option<&SweepAlert>) -> String {
    match (health.trouble(), alert) {
        (Some(down), _) => down.to_owned(),
        (None, _) if load.counts.parked == 0 && trouble > 0 => checks::words(trouble),
        (None, Some(alert)) if load.counts.parked == 0 => alert.words.clone(),
        (None, _) => load.words(),
    }
}

/// The part `state`.
pub(super) fn headline(health: &Health, load: &Load, trouble: usize, alert: Option<&SweepAlert>) -> Markup {
    let counts = load.counts;
    let busy = counts.waiting() + counts.running;
    let verb = |count: usize, one: &'static str, more: &'static str| if count == 1 { one } else { more };
    let mut also = alert;
    let (sign, words, note) = if let Some(trouble) = health.trouble() {
        let note = match busy {
            0 => "Nothing waits for it now.".to_owned(),
            1 => "1 work log waits and goes on by itself once it works again.".to_owned(),
            busy => format!("{} wait and go on by themselves once it works again.", words::work_logs(busy)),
        };
        (Sign::Bad, trouble.to_owned(), note)
    } else if counts.parked > 0 {
        let note = if alert.is_some() { "" } else { "Everything else is synced or on its way." }.to_owned();
        let verb = verb(counts.parked, "needs", "need");
        (Sign::Warning, format!("{} {verb} somebody’s attention", words::work_logs(counts.parked)), note)
    } else if trouble > 0 {
        (Sign::Warning, checks::words(trouble), "See below what to do about it.".to_owned())
    } else if let Some(alert) = also.take() {
        (Sign::Warning, alert.words.clone(), String::new())
    } else if busy > 0 {
        let words = format!("{} {} being synced", words::work_logs(busy), verb(busy, "is", "are"));
        (Sign::Running, words, "Nothing needs attention.".to_owned())
    } else {
        let note = "Every change that arrived is in Kimai.".to_owned();
        (Sign::Good, "Everything is synced".to_owned(), note)
    };
    html! {
        div id="state" class={ "state " (sign.class()) } {
            h1 { (sign.icon()) span { (words) } }
            p {
                (note)
                @if let Some(alert) = alert {
                    @if let Some(also) = also { " " (also.words) ":" }
                    " " a href={ "/run/" (alert.run) } { "See what it found" }
                }
            }
        }
    }
}

fn attention(load: &Load, [parked, kept, waiting]: [&[Entry]; 3], moment: &Moment) -> Markup {
    let shown = parked.len() + kept.len();
    html! {
        section id="attention" class="card" aria-labelledby="attention-title" {
            div class="card-head" {
                h2 id="attention-title" { "Not synced yet" }
                @if shown > 0 { (entries::retry_all(load.counts.parked, "/")) }
            }
            @if shown == 0 && waiting.is_empty() {
                p class="empty" { "Nothing is parked, and nothing has to be tried again." }
            }
            @if !parked.is_empty() {
                h3 id="parked-title" { "Parked: somebody has to change something" }
                (entries::table(parked, "/", moment, "parked-title"))
            }
            @if !kept.is_empty() {
                h3 id="exported-title" { (words::EXPORTED.0) ": kept as they are" }
                (entries::table(kept, "/", moment, "exported-title"))
                p { a href=(entries::EXPORTED) { "All that are exported in Kimai" } }
            }
            @if load.counts.parked > shown {
                p { a href="/entries?state=parked" { "All " (words::number(load.counts.parked as u64)) " parked work logs" } }
            }
            @if !waiting.is_empty() {
                h3 id="waiting-title" { "Tried again by itself" }
                (entries::table(waiting, "/", moment, "waiting-title"))
                @if load.counts.scheduled > waiting.len() {
                    p { a href="/entries?state=waiting" { "All that are scheduled" } }
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
