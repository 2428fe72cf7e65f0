//! One run: its progress, its findings, and the possible actions.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::web::{self, Path, Query};
use maud::{Markup, html};

use super::display_names::DisplayNames;
use super::fault::Fault;
use super::findings::{self, Findings};
use super::fragments::Fragments;
use super::icons::Icon;
use super::layout::Layout;
use super::time::Moment;
use super::{Answer, labels, runs};
use crate::domain::finding::Kind as Difference;
use crate::http;
use crate::jobs::{self as book, Job, JobsFault, Kind, State};
use crate::reconcile::sweep::Period;

/// `GET /run/{id}`.
pub(super) async fn get(
    request: HttpRequest,
    id: Path<String>,
    query: Query<BTreeMap<String, String>>,
    state: web::Data<http::State>,
) -> Answer {
    let id = number(&id)?;
    let query = findings::FindingQuery::read(&query)?;
    let fragments = load(&state, id, query, &mut None).await?;
    let moment = Moment::of(&state.services.clock);
    let page_layout = Layout::new(&request, "/run", &fragments.title, &moment)
        .live(&fragments, &format!("page=run&id={id}&{}", query.query()));
    let content = html! {
        nav class="crumbs" aria-label="Where you are" { a href="/run" { "Runs" } " / " (id) }
        (fragments.get("run"))
        (fragments.get("faults"))
        (fragments.get("findings"))
    };
    Ok(super::html(&page_layout, &content))
}

/// The ID of a run in an address.
pub(super) fn number(text: &str) -> Result<u64, Fault> {
    book::number(text).ok_or_else(|| Fault::unknown("This run does not exist, or is no longer stored"))
}

/// The page in parts. Names are requested from Kimai once and cached in `names`.
pub(super) async fn load(
    state: &http::State,
    id: u64,
    query: findings::FindingQuery,
    names: &mut Option<DisplayNames>,
) -> Result<Fragments, Fault> {
    let run = state.runs.get(id).ok_or(JobsFault::Unknown(id))?;
    let moment = Moment::of(&state.services.clock);
    let mut fragments =
        Fragments::new(format!("{}: {}", labels::run_state(run.state), labels::task(run.task)));
    fragments.add("run", render(&run, &moment));
    fragments.add("faults", faults(&run));
    let mut found = Findings::load(&state.runs, &run, query).await?;
    if !found.found.is_empty() {
        if names.is_none() {
            *names = Some(DisplayNames::ask(state.services.kimai.as_ref(), &found.found).await);
        }
        found.names = names.clone().unwrap_or_default();
    }
    fragments.add("findings", found.render(&run, &moment));
    fragments.settled = run.state.is_ended() && run.confirm.is_none();
    Ok(fragments)
}

/// The part `run`.
pub(super) fn render(run: &Job, moment: &Moment) -> Markup {
    let icon = Icon::of(run.state);
    html! {
        section id="run" class={ "card wide run-head " (icon.class()) } aria-labelledby="run-title" {
            h1 id="run-title" { (labels::task(run.task)) }
            p class="run-state" { (icon.with(labels::run_state(run.state))) }
            @if let Some(other) = run.waits_for.filter(|_| run.state == State::Waiting) {
                p { "It starts when " a href={ "/run/" (other) } { "run " (other) } " has ended." }
            }
            @if !run.state.is_ended() { (progress(run)) }
            @if let Some(message) = &run.message { p class="message" { (labels::sentence(message)) } }
            dl class="facts" {
                div { dt { "Requested" } dd { (moment.time(run.asked)) " " (labels::asked_by(run.asked_by)) } }
                @if let Some(started) = run.started { div { dt { "Started" } dd { (moment.time(started)) } } }
                @if let Some(ended) = run.ended { div { dt { "Ended" } dd { (moment.time(ended)) } } }
                @if run.started.is_some() { div { dt { "Duration" } dd { (runs::took(run, moment)) } } }
            }
            (counts(run))
            (rounded(run))
            (next_steps(run, moment))
        }
    }
}

fn progress(run: &Job) -> Markup {
    let stand = &run.stand;
    let phase = if stand.phase.is_empty() { "Not started yet" } else { stand.phase.as_ref() };
    html! {
        div class="progress" {
            label for="bar" { (labels::sentence(phase)) }
            @match stand.total {
                Some(total) if run.is_following() => {
                    progress id="bar" max=(total.max(1)) value=(stand.done) {}
                    span class="note" { (run.queued.unwrap_or_default().in_words()) }
                }
                Some(total) => {
                    progress id="bar" max=(total.max(1)) value=(stand.done) {}
                    span class="note" { (labels::number(stand.done)) " of " (labels::number(total)) }
                }
                None => {
                    progress id="bar" {}
                    @if stand.done > 0 { span class="note" { (labels::number(stand.done)) " so far" } }
                }
            }
        }
        form class="inline" action="/do/cancel" method="post" {
            input type="hidden" name="run" value=(run.id);
            button type="submit" id="cancel" { "Cancel this run" }
        }
    }
}

/// Its counts, except those of differences, which are above their table.
fn counts(run: &Job) -> Markup {
    let told = run.counts.iter().filter(|(name, _)| Difference::from_word(name).is_none());
    let told: Vec<_> = told.collect();
    html! {
        @if !told.is_empty() {
            ul class="plain numbers" aria-label="Counts" {
                @for (name, count) in told {
                    li { strong { (labels::number(*count)) } " " (name.replace('-', " ")) }
                }
                @if run.held > 0 { li class="held" { strong { (labels::number(run.held as u64)) } " deletions held back" } }
            }
        }
    }
}

/// What Kimai rounded, by month.
fn rounded(run: &Job) -> Markup {
    html! {
        @if !run.rounded.is_empty() {
            ul class="plain" aria-label="Rounded by Kimai" {
                @for month in &run.rounded { li { (month) "." } }
            }
        }
    }
}

/// The actions for its findings.
fn next_steps(run: &Job, moment: &Moment) -> Markup {
    let Some(period) = run.task.period().filter(|_| run.has_result()) else { return html! {} };
    let plan = run.task.kind() == Kind::Plan;
    let incomplete = run.counts.get(Difference::Incomplete.word()).copied().unwrap_or_default();
    let right = (run.findings as u64).saturating_sub(run.held as u64).saturating_sub(incomplete);
    let key = run.confirm.as_ref().filter(|confirm| confirm.expires > moment.now);
    let expired = run.confirm.is_some() && key.is_none();
    html! {
        div class="steps" {
            @if plan && run.state == State::Done && right > 0 {
                div {
                    form action="/do/sweep" method="post" {
                        (period_fields(period))
                        button type="submit" class="primary" id="apply" {
                            "Correct " (labels::count(right, "difference", "differences"))
                        }
                    }
                    p class="note" {
                        "Compares both sides again and does what the table shows."
                        @if run.held > 0 { " Deletions that are held back are not made." }
                        @if incomplete > 0 { " What cannot be synced stays as it is; “Reason” says what is missing." }
                    }
                }
            }
            @if plan && run.state == State::Done && run.findings > 0 && right == 0 && key.is_none() {
                p class="note" { "A sweep can correct none of these; see “Reason” below." }
            }
            @if let Some(key) = key {
                div {
                    form action="/do/sweep" method="post" {
                        (period_fields(period))
                        input type="hidden" name="confirm" value=(key.key);
                        button type="submit" class="danger" id="confirm" {
                            @if plan { "Correct, and delete what is held back" } @else { "Delete what is held back" }
                        }
                    }
                    p class="note" {
                        "Deletes from Kimai exactly the timesheets that are marked “needs confirmation” below, \
                         if they are still the same. Possible until "
                        (moment.time(key.expires)) "."
                    }
                }
            }
            @if expired { p class="note" { "The time to confirm the deletions has expired. Compare again to confirm them." } }
            div {
                form action="/do/plan" method="post" {
                    (period_fields(period))
                    button type="submit" id="again" { "Compare again" }
                }
            }
        }
    }
}

fn period_fields(period: Period) -> Markup {
    html! {
        input type="hidden" name="start" value=(period.first);
        input type="hidden" name="end" value=(period.last);
    }
}

/// The part `faults`.
pub(super) fn faults(run: &Job) -> Markup {
    let stand = &run.stand;
    html! {
        section id="faults" class="card wide" hidden[stand.faults_in_all == 0] aria-labelledby="faults-title" {
            h2 id="faults-title" { (labels::count(stand.faults_in_all, "error", "errors")) }
            ul class="fault-list" { @for fault in &stand.faults { li { (labels::sentence(fault)) } } }
            @if stand.faults_in_all > stand.faults.len() as u64 {
                p class="note" { "Only the first " (stand.faults.len()) " are stored." }
            }
        }
    }
}
