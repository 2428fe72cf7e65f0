//! The overview.

use actix_web::HttpRequest;
use actix_web::web;
use maud::{Markup, html};

use super::fault::Fault;
use super::fragments::Fragments;
use super::icons::Icon;
use super::layout::Layout;
use super::time::Moment;
use super::{Answer, checks, entries, forms, health, labels, pulse, queue, runs};
use crate::domain::Code;
use crate::domain::status::{Headline, Load, Status, Undone};
use crate::http;
use crate::queue::{Entry, Filter, State};

/// The number of entries shown of each list; the rest is on the page of the queue.
const ENTRIES: usize = 5;
/// The number of runs shown.
const RUNS: usize = 8;

/// `GET /`.
pub(super) async fn get(request: HttpRequest, state: web::Data<http::State>) -> Answer {
    let fragments = load(&state).await?;
    let moment = Moment::of(&state.services.clock);
    let page_layout = Layout::new(&request, "/", &fragments.title, &moment).live(&fragments, "page=home");
    Ok(super::html(&page_layout, &layout(&fragments, &moment)))
}

/// The overview in parts.
pub(super) async fn load(state: &http::State) -> Result<Fragments, Fault> {
    let services = &state.services;
    let moment = Moment::of(&services.clock);
    let status = state.status().await?;
    let parked = services
        .queue
        .page(Filter { not: Some(Code::TimesheetExported), ..State::Parked.into() }, None, ENTRIES)
        .await?;
    let kept = services.queue.page(Filter::EXPORTED, None, ENTRIES).await?;
    let waiting = services.queue.page(State::Scheduled.into(), None, ENTRIES).await?;
    // Entries that only wait for the end of a burst of changes are not shown.
    let waiting: Vec<Entry> = waiting.into_iter().filter(|entry| entry.last_error.is_some()).collect();
    // If the file cannot be read, only this part is missing, with a message.
    let beats = services.queue.throughput(pulse::first(moment.now)).await.ok();
    let mut runs = state.runs.list(None);
    runs.truncate(RUNS);
    let report = services.doctor.report(&status).await;
    let trouble = checks::trouble(report.as_ref());
    let mut fragments = Fragments::new(title(&status, trouble));
    fragments.add("state", headline(&status, trouble));
    fragments.add("health", health::render(&status, &moment));
    fragments.add("checks", checks::render(report.as_ref(), &moment));
    fragments.add("queue", queue::render(&status.load, &moment));
    fragments.add("pulse", pulse::render(beats.as_deref(), &moment));
    fragments.add("attention", attention(&status.load, [&parked, &kept, &waiting], &moment));
    fragments.add("runs", runs::card(&runs, &moment));
    Ok(fragments)
}

/// The most important message, in short, for the title.
pub(super) fn title(status: &Status, checks: usize) -> String {
    match status.headline(checks) {
        Headline::Parked(count) => format!("{} parked", labels::number(count as u64)),
        Headline::Busy(count) => format!("{} being synced", labels::number(count as u64)),
        Headline::Synced => "All synced".to_owned(),
        other => told(other),
    }
}

/// The most important message.
fn told(headline: Headline) -> String {
    let verb = |count: usize, one: &'static str, more: &'static str| if count == 1 { one } else { more };
    match headline {
        Headline::CannotSave => "The queue cannot be saved".to_owned(),
        Headline::BothDown => "Kimai and the triplestore are down".to_owned(),
        Headline::TriplestoreDown => "The triplestore is down".to_owned(),
        Headline::KimaiDown => "Kimai is down".to_owned(),
        Headline::KimaiRefuses => "Kimai refuses access".to_owned(),
        Headline::KimaiLostData => "Kimai has lost timesheets".to_owned(),
        Headline::Parked(count) => {
            format!("{} {} attention", labels::work_logs(count), verb(count, "needs", "need"))
        }
        Headline::Checks(count) => checks::words(count),
        Headline::Undone(undone) => left(undone),
        Headline::KimaiPaused => "Kimai has asked for a pause".to_owned(),
        Headline::Starting => {
            "Starting: Kimai and the triplestore have not both been contacted yet".to_owned()
        }
        Headline::Busy(count) => {
            format!("{} {} being synced", labels::work_logs(count), verb(count, "is", "are"))
        }
        Headline::Synced => "Everything is synced".to_owned(),
    }
}

/// The message for a sweep that is incomplete.
fn left(undone: Undone) -> String {
    let held = |held| format!("The last sweep held {} back", labels::count(held, "deletion", "deletions"));
    undone.held.map_or_else(|| "The last sweep failed".to_owned(), |count| held(count as u64))
}

/// The part `state`.
pub(super) fn headline(status: &Status, checks: usize) -> Markup {
    let (headline, busy) = (status.headline(checks), status.load.busy());
    let also = status.undone.filter(|undone| headline != Headline::Undone(*undone));
    let note = match headline {
        Headline::Parked(_) if also.is_none() => "Everything else is synced or on its way.".to_owned(),
        Headline::Parked(_) | Headline::Undone(_) => String::new(),
        Headline::Checks(_) => "See below how to fix it.".to_owned(),
        Headline::Busy(_) => "Nothing needs attention.".to_owned(),
        Headline::Starting => "Meanwhile every change that arrives is queued.".to_owned(),
        Headline::Synced => "Every change that arrived is in Kimai.".to_owned(),
        _ => match busy {
            0 => "No work logs are waiting.".to_owned(),
            1 => "1 work log is waiting; syncing resumes automatically once this is resolved.".to_owned(),
            busy => format!(
                "{} are waiting; syncing resumes automatically once this is resolved.",
                labels::work_logs(busy)
            ),
        },
    };
    let icon = match headline {
        Headline::Synced => Icon::Good,
        Headline::Busy(_) => Icon::Running,
        Headline::Starting => Icon::Neutral,
        Headline::Parked(_) | Headline::Checks(_) | Headline::Undone(_) | Headline::KimaiPaused => {
            Icon::Warning
        }
        _ => Icon::Bad,
    };
    html! {
        div id="state" class={ "state " (icon.class()) } {
            h1 { (icon.icon()) span { (told(headline)) } }
            p {
                (note)
                @if let Some(undone) = status.undone {
                    @if let Some(also) = also { " " (left(also)) ":" }
                    " " a href={ "/run/" (undone.run) } { "See what it found" }
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
                @if shown > 0 { (entries::retry_all(load.parked, "/")) }
            }
            @if shown == 0 && waiting.is_empty() {
                p class="empty" { "Nothing is parked or waiting for a retry." }
            }
            @if !parked.is_empty() {
                h3 id="parked-title" { "Parked: needs attention" }
                (entries::table(parked, "/", moment, "parked-title"))
            }
            @if !kept.is_empty() {
                h3 id="exported-title" { (labels::EXPORTED.0) ": not changed" }
                (entries::table(kept, "/", moment, "exported-title"))
                p { a href=(entries::EXPORTED) { "All exported in Kimai" } }
            }
            @if load.parked > shown {
                p { a href="/entries?state=parked" { "All " (labels::number(load.parked as u64)) " parked work logs" } }
            }
            @if !waiting.is_empty() {
                h3 id="waiting-title" { "Retried automatically" }
                (entries::table(waiting, "/", moment, "waiting-title"))
                @if load.scheduled > waiting.len() {
                    p { a href="/entries?state=waiting" { "All scheduled work logs" } }
                }
            }
        }
    }
}

fn layout(fragments: &Fragments, moment: &Moment) -> Markup {
    html! {
        (fragments.get("state"))
        div class="columns" {
            div class="main-column" {
                (fragments.get("queue"))
                (fragments.get("pulse"))
                (fragments.get("attention"))
                div class="beside" { (forms::import()) (forms::lock(moment)) }
            }
            div class="side-column" {
                (fragments.get("health"))
                (fragments.get("checks"))
                (forms::sweep(moment))
                (fragments.get("runs"))
            }
        }
    }
}
