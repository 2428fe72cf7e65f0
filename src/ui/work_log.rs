//! The details of one work log, and the search for it.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::{self, Query};
use maud::{Markup, html};

use super::fault::Fault;
use super::findings::when;
use super::fragments::Fragments;
use super::icons::Icon;
use super::layout::Layout;
use super::time::Moment;
use super::{Answer, labels, see};
use crate::domain::{Code, WorkLogUri};
use crate::explain::{self, Done, Explanation, Found, Held, Holds, Subject, Told, Verdict, Waiting};
use crate::http::State;
use crate::queue::{self, Ended};

/// How often to read both sides again while it is being synced.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
/// The same while nothing is being done.
const AT_REST: Duration = Duration::from_secs(10);

/// `GET /find?q=…`: redirects to the work log, if there is exactly one.
pub(super) async fn find(
    request: HttpRequest,
    query: Query<BTreeMap<String, String>>,
    state: web::Data<State>,
) -> Answer {
    let text = query.get("q").map_or("", |text| text.trim());
    let found = explain::find(&state.services.witnesses, text).await;
    if let Found::WorkLogs(found) = &found
        && let [only] = found.as_slice()
    {
        return Ok(see(&address(only)));
    }
    let moment = Moment::of(&state.services.clock);
    let mut page_layout = Layout::new(&request, "", "Search", &moment);
    text.clone_into(&mut page_layout.search);
    Ok(super::html(&page_layout, &outcome(text, &found)))
}

/// The address of a work log's page.
pub(super) fn address(work_log: &WorkLogUri) -> String {
    format!("/work-log?{}", labels::query(&[("id", work_log.as_str())]))
}

/// The result of a search that did not find exactly one work log.
pub(super) fn outcome(text: &str, found: &Found) -> Markup {
    html! {
        section class="card wide" {
            @match found {
                Found::WorkLogs(several) => {
                    h1 { (labels::work_logs(several.len())) " found" }
                    p class="lead" { "All of these are linked to the same timesheet." }
                    ul { @for one in several { li { a class="id" href=(address(one)) { (one) } } } }
                }
                Found::Loose(loose) => {
                    h1 { "Timesheet " (loose.id) " has no work log" }
                    p class="lead" { "In Kimai: " (loose.holds) "." }
                    p { (loose.next) "." }
                }
                Found::Nobody => {
                    h1 { "Nothing found for “" (text) "”" }
                    p {
                        "No work log has this ID, and none is linked to a timesheet with this ID. The ID of a \
                         work log is in its address in Timekeeper, the ID of a timesheet is in Kimai."
                    }
                }
                Found::Unreadable(why) => {
                    h1 { "Invalid search" }
                    p { (labels::sentence(why)) }
                }
                Found::Unasked(why) => {
                    h1 { "Search not available" }
                    p { "Not everything could be searched: " (why) ". Try again in a moment." }
                }
            }
        }
    }
}

/// `GET /work-log?id=…`.
pub(super) async fn get(
    request: HttpRequest,
    query: Query<BTreeMap<String, String>>,
    state: web::Data<State>,
) -> Answer {
    let work_log = named(&query)?;
    let fragments = load(&state, &work_log).await;
    let moment = Moment::of(&state.services.clock);
    let query = labels::query(&[("page", "work-log"), ("id", work_log.as_str())]);
    let page_layout = Layout::new(&request, "", &fragments.title, &moment).live(&fragments, &query);
    Ok(super::html(&page_layout, &layout(&fragments)))
}

/// The work log that an address names.
pub(super) fn named(pairs: &BTreeMap<String, String>) -> Result<WorkLogUri, Fault> {
    let id = pairs.get("id").map_or("", String::as_str);
    WorkLogUri::parse(id).map_err(|fault| Fault::bad(fault.to_string()))
}

/// The page in parts. Reads from both sides.
pub(super) async fn load(state: &State, work_log: &WorkLogUri) -> Fragments {
    let explanation = Explanation::of(&state.services.witnesses, work_log).await;
    fragments(&explanation, &Moment::of(&state.services.clock))
}

/// An explanation in parts.
pub(super) fn fragments(explanation: &Explanation, moment: &Moment) -> Fragments {
    let mut fragments = Fragments::new(title(explanation));
    fragments.add("story", head(explanation));
    fragments.add("sides", sides(explanation, moment));
    fragments.add("history", history(&explanation.history, moment));
    fragments.add("sharing", sharing(&explanation.sharing));
    let state = explanation.entry.as_ref().map(|entry| entry.state);
    let soon = matches!(state, Some(queue::State::Queued | queue::State::Running | queue::State::Scheduled));
    fragments.pause = if soon { ON_ITS_WAY } else { AT_REST };
    fragments
}

/// The layout of the parts.
pub(super) fn layout(fragments: &Fragments) -> Markup {
    html! { @for fragment in ["story", "sides", "history", "sharing"] { (fragments.get(fragment)) } }
}

fn title(explanation: &Explanation) -> String {
    let (_, words) = verdict(explanation.verdict);
    format!("{words}: {}", labels::short(explanation.work_log.as_str()))
}

fn verdict(verdict: Verdict) -> (Icon, &'static str) {
    match verdict {
        Verdict::InSync => (Icon::Good, "In sync"),
        Verdict::Waits => (Icon::Waiting, "Waiting"),
        Verdict::NotInKimai => (Icon::Warning, "Not in Kimai"),
        Verdict::Differs => (Icon::Warning, "Differs in Kimai"),
        Verdict::Deleted => (Icon::Neutral, "Deleted"),
        Verdict::LeftOver => (Icon::Warning, "Deleted, still in Kimai"),
        Verdict::NotSeen => (Icon::Bad, "Not visible"),
        Verdict::Unknown => (Icon::Neutral, "Unknown"),
        Verdict::NotAWorkLog => (Icon::Neutral, "Not a work log"),
        Verdict::Unclear => (Icon::Bad, "Not known"),
    }
}

fn head(explanation: &Explanation) -> Markup {
    let (icon, words) = verdict(explanation.verdict);
    let iri = explanation.work_log.as_str();
    html! {
        section id="story" class={ "card wide run-head " (icon.class()) } aria-labelledby="story-title" {
            h1 id="story-title" { "Work log " (labels::short(iri)) }
            p class="run-state" { (icon.with(words)) }
            p class="verdict" { (labels::sentence(&explanation.says)) }
            @if !explanation.help.is_empty() {
                div class="help" {
                    h2 { "How to fix it" }
                    ul { @for help in &explanation.help { li { (labels::sentence(help)) } } }
                }
            }
            @if let Some(code) = explanation.code { p { "Code: " (code_of(code)) } }
            form action="/do/retry" method="post" {
                input type="hidden" name="id" value=(iri);
                input type="hidden" name="back" value=(address(&explanation.work_log));
                button type="submit" id="retry" class="primary" { "Retry now" }
            }
            @if explanation.is_kept_exported() { (super::entries::overwrite(&explanation.work_log, &address(&explanation.work_log))) }
            p class="iri" { (iri) }
        }
    }
}

fn sides(explanation: &Explanation, moment: &Moment) -> Markup {
    html! {
        div id="sides" class="sides" {
            (triplestore(&explanation.triplestore))
            (kimai(&explanation.timesheets, moment))
            (here(explanation, moment))
        }
    }
}

fn sharing(others: &[WorkLogUri]) -> Markup {
    html! {
        section id="sharing" class="card wide" hidden[others.is_empty()] aria-labelledby="sharing-title" {
            h2 id="sharing-title" { "Other work logs with the same timesheet" }
            ul { @for other in others { li { a class="id" href=(address(other)) { (other) } } } }
        }
    }
}

fn pair(name: &str, value: &Markup) -> Markup {
    html! { dt { (name) } dd { (value) } }
}

/// The values, or that there are none.
fn values(values: &[String]) -> Markup {
    match values {
        [] => html! { span class="quiet-text" { "missing" } },
        some => html! { (some.join(", ")) },
    }
}

fn triplestore(told: &explain::Answer<Told>) -> Markup {
    html! {
        section class="card" aria-labelledby="triplestore-title" {
            h2 id="triplestore-title" { "In the triplestore" }
            @match told {
                explain::Answer::Unknown { error } => p { (Icon::Bad.with("Not available")) " " (labels::sentence(error)) },
                explain::Answer::Known(told) => {
                    @match told.kind {
                        Subject::WorkLog => (told_pairs(told)),
                        Subject::LeftOver => p { "Deleted; only its link is left: timesheet " (values(&told.identifiers)) "." },
                        Subject::Absent => p { "Not found." },
                        Subject::Other => p { "This IRI is something else." },
                    }
                    @if !told.complaints.is_empty() {
                        ul class="fault-list" { @for one in &told.complaints { li { (labels::sentence(one)) } } }
                    }
                }
            }
        }
    }
}

fn told_pairs(told: &Told) -> Markup {
    let durations: Vec<String> = told.durations.iter().map(|text| labels::duration(text)).collect();
    let persons: Vec<String> =
        told.persons.iter().map(|one| one.name.clone().unwrap_or_else(|| one.iri.clone())).collect();
    let tasks: Vec<String> =
        told.tasks.iter().map(|one| one.name.clone().unwrap_or_else(|| one.iri.clone())).collect();
    html! {
        dl class="pairs" {
            (pair("Day", &values(&told.days)))
            (pair("Duration", &values(&durations)))
            (pair("Person", &values(&persons)))
            (pair("Task", &values(&tasks)))
            (pair("Timesheet", &if told.identifiers.is_empty() { html! { span class="quiet-text" { "not linked" } } } else { values(&told.identifiers) }))
        }
    }
}

fn kimai(timesheets: &[Held], moment: &Moment) -> Markup {
    html! {
        section class="card" aria-labelledby="kimai-title" {
            h2 id="kimai-title" { "In Kimai" }
            @if timesheets.is_empty() { p { "No timesheet is known for it." } }
            @for held in timesheets {
                h3 { "Timesheet " (held.id) @if !held.linked { " (not linked in the triplestore)" } }
                @match &held.kimai {
                    explain::Answer::Unknown { error } => p { (Icon::Bad.with("Not available")) " " (labels::sentence(error)) },
                    explain::Answer::Known(None) => p { "It no longer exists in Kimai." },
                    explain::Answer::Known(Some(holds)) => (holds_pairs(holds, moment)),
                }
                @if !held.differences.is_empty() {
                    ul class="fault-list" { @for one in &held.differences { li { (labels::sentence(one)) } } }
                }
            }
        }
    }
}

fn holds_pairs(holds: &Holds, moment: &Moment) -> Markup {
    let (found, names) = (&holds.found, &holds.names);
    let called = |name: &Option<String>, id: Option<String>| match (name, id) {
        (Some(name), _) => html! { (name) },
        (None, Some(id)) => html! { "ID " (id) },
        (None, None) => html! { span class="quiet-text" { "none" } },
    };
    html! {
        dl class="pairs" {
            (pair("Time", &html! { (when(found.begin, found.end, moment)) }))
            @if let Some(customer) = &names.customer { (pair("Customer", &html! { (customer) })) }
            (pair("Project", &called(&names.project, found.project.map(|id| id.to_string()))))
            (pair("Activity", &called(&names.activity, found.activity.map(|id| id.to_string()))))
            (pair("User", &called(&names.user, found.user.map(|id| id.to_string()))))
            (pair("Exported", &html! { @if holds.exported { "yes, it may be on an invoice" } @else { "no" } }))
        }
    }
}

/// Its queue entry, and the records of the service.
fn here(explanation: &Explanation, moment: &Moment) -> Markup {
    html! {
        section class="card" aria-labelledby="here-title" {
            h2 id="here-title" { "In this service" }
            @match &explanation.entry {
                None => p { "It is not in the queue: there is nothing to do." },
                Some(entry) => (waiting(entry, moment)),
            }
            @match &explanation.memory {
                explain::Answer::Unknown { error } => p { (Icon::Bad.with("The records cannot be read")) " " (labels::sentence(error)) },
                explain::Answer::Known(memory) => dl class="pairs" {
                    @if let Some(id) = memory.timesheet {
                        (pair("Recorded", &html! { "timesheet " (id) @if memory.link_unwritten { ", the link still has to be written to the triplestore" } }))
                    }
                    @if let Some(pushed) = memory.pushed {
                        (pair("Last sent", &html! { (when(pushed.begin, Some(pushed.end), moment)) }))
                    }
                    @if let Some(since) = memory.creating_since {
                        (pair("Creation sent", &html! { (moment.time(since)) "; Kimai’s answer was lost, and the service looks up whether it was stored" }))
                    }
                    @if memory.removed { (pair("Notified", &html! { "that it was deleted" })) }
                },
            }
        }
    }
}

fn waiting(entry: &Waiting, moment: &Moment) -> Markup {
    let state = labels::entry_state(entry.state);
    let reason = labels::reason(entry.reason);
    html! {
        dl class="pairs" {
            (pair("State", &html! { (state) }))
            @if let Some(due) = entry.due { (pair("Next attempt", &html! { (moment.time(due)) })) }
            (pair("Trigger", &html! { (reason) }))
            (pair("Since", &html! { (moment.time(entry.since)) }))
            @if entry.attempts > 0 { (pair("Failed", &html! { (labels::count(entry.attempts, "time", "times")) })) }
            @if let Some(why) = &entry.last_error { (pair("Last error", &html! { (labels::sentence(why)) })) }
            @if let Some(code) = entry.code { (pair("Code", &code_of(code))) }
        }
    }
}

fn history(history: &explain::Answer<Vec<Done>>, moment: &Moment) -> Markup {
    html! {
        section id="history" class="card wide" aria-labelledby="history-title" {
            h2 id="history-title" { "History, latest first" }
            @match history {
                explain::Answer::Unknown { error } => p { (Icon::Bad.with("It cannot be read")) " " (labels::sentence(error)) },
                explain::Answer::Known(done) if done.is_empty() => p class="empty" { "No history is stored." },
                explain::Answer::Known(done) => table class="stack" role="table" aria-labelledby="history-title" {
                    thead role="rowgroup" {
                        tr role="row" {
                            th scope="col" role="columnheader" class="narrow" { "When" }
                            th scope="col" role="columnheader" class="narrow" { "Result" }
                            th scope="col" role="columnheader" { "Details" }
                        }
                    }
                    tbody role="rowgroup" {
                        @for one in done {
                            tr role="row" {
                                td role="cell" data-label="When" { (moment.time(one.at)) }
                                td role="cell" data-label="Result" class="narrow" { (outcome_of(one.result)) }
                                td role="cell" data-label="Details" {
                                    (labels::sentence(one.message.as_deref().unwrap_or_default()))
                                    @if let Some(code) = one.code { span class="note" { (code_of(code)) } }
                                }
                            }
                        }
                    }
                },
            }
        }
    }
}

/// A code from `docs/errors.md`, with its meaning as a tooltip.
pub(super) fn code_of(code: Code) -> Markup {
    html! { code title=(code.means()) { (code.word()) } }
}

fn outcome_of(result: Ended) -> Markup {
    match result {
        Ended::Done => Icon::Good.with("Done"),
        Ended::Later => Icon::Waiting.with("Scheduled"),
        Ended::Parked => Icon::Warning.with("Parked"),
    }
}
