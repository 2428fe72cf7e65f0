//! Sweeps, plans, imports and locks: the last ones.

use actix_web::{HttpRequest, web};
use maud::{Markup, html};

use super::fragments::Fragments;
use super::icons::Icon;
use super::layout::Layout;
use super::time::Moment;
use super::{Answer, forms, labels};
use crate::http;
use crate::jobs::{Job, Kind, MOST_RUNS, State};

/// `GET /run`.
pub(super) async fn get(request: HttpRequest, state: web::Data<http::State>) -> Answer {
    let (fragments, moment) = (load(&state), Moment::of(&state.services.clock));
    let page_layout = Layout::new(&request, "/run", &fragments.title, &moment).live(&fragments, "page=runs");
    let content = html! {
        h1 { "Runs" }
        p class="lead" { "Each comparison, import and lock is a run. The last " (MOST_RUNS) " are kept." }
        div class="columns" {
            div class="main-column" { (fragments.get("runs")) }
            div class="side-column" { (forms::sweep(&moment)) (forms::import()) (forms::lock(&moment)) }
        }
    };
    Ok(super::html(&page_layout, &content))
}

/// The page in parts.
pub(super) fn load(state: &http::State) -> Fragments {
    let runs = state.runs.list(None);
    let moment = Moment::of(&state.services.clock);
    let under_way = runs.iter().filter(|run| !run.state.is_ended()).count();
    let mut fragments = Fragments::new(match under_way {
        0 => "Runs".to_owned(),
        some => labels::count(some as u64, "run in progress", "runs in progress"),
    });
    fragments.add("runs", all(&runs, &moment));
    fragments
}

/// The part `runs` of the overview.
pub(super) fn card(runs: &[Job], moment: &Moment) -> Markup {
    html! {
        section id="runs" class="card" aria-labelledby="runs-title" {
            div class="card-head" {
                h2 id="runs-title" { "Last runs" }
                a href="/run" { "All runs" }
            }
            @if runs.is_empty() {
                p class="empty" { "None yet. Sweeps run on a schedule and on request." }
            } @else {
                ul class="plain run-list" {
                    @for run in runs {
                        li data-key=(run.id) {
                            a href={ "/run/" (run.id) } { (Icon::of(run.state).icon()) span { (labels::task(run.task)) } }
                            span class="note" { (labels::run_state(run.state)) " · " (moment.relative(run.started.unwrap_or(run.asked))) (outcome(run)) }
                            (share(run))
                        }
                    }
                }
            }
        }
    }
}

/// The result, in a few numbers.
fn outcome(run: &Job) -> Markup {
    let compares = matches!(run.task.kind(), Kind::Sweep | Kind::Plan);
    html! {
        @if compares && (run.state == State::Done || run.is_following()) {
            " · " (labels::count(run.findings as u64, "difference", "differences"))
            @if run.held > 0 { ", " strong { (labels::number(run.held as u64)) " held back" } }
        }
        @if let Some(queued) = run.queued.filter(|queued| queued.total > 0) { " · " (queued.in_words()) }
        @if run.stand.faults_in_all > 0 { " · " (labels::count(run.stand.faults_in_all, "error", "errors")) }
    }
}

/// The share of the compared work logs that differed, as a bar.
fn share(run: &Job) -> Markup {
    let compared = run.counts.get("work-logs").copied().unwrap_or_default();
    if run.state != State::Done || compared == 0 {
        return html! {};
    }
    let differing = u64::try_from(run.findings).unwrap_or(u64::MAX);
    let whole = compared.max(differing);
    // In hundredths, and visible if not zero.
    let fragment = (differing.saturating_mul(100) / whole).max(u64::from(differing > 0) * 2);
    html! {
        svg class="share" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect class="same" width="100" height="4" {}
            rect class="differs-bar" width=(fragment) height="4" {}
        }
    }
}

fn all(runs: &[Job], moment: &Moment) -> Markup {
    html! {
        section id="runs" class="card" aria-labelledby="runs-title" {
            h2 id="runs-title" { "The last runs" }
            @if runs.is_empty() {
                p class="empty" { "None yet. Sweeps run on a schedule and on request." }
            } @else {
                table class="stack" role="table" aria-labelledby="runs-title" {
                    thead role="rowgroup" {
                        tr role="row" {
                            @for name in ["Run", "State", "Started", "Duration", "Result"] {
                                th scope="col" role="columnheader" { (name) }
                            }
                        }
                    }
                    tbody role="rowgroup" {
                        @for run in runs {
                            tr role="row" data-key=(run.id) {
                                td role="cell" data-label="Run" {
                                    a href={ "/run/" (run.id) } { (labels::task(run.task)) }
                                    span class="note" { "ID " (run.id) ", requested " (labels::asked_by(run.asked_by)) }
                                }
                                td role="cell" data-label="State" { (Icon::of(run.state).with(labels::run_state(run.state))) }
                                td role="cell" data-label="Started" { (moment.time(run.started.unwrap_or(run.asked))) }
                                td role="cell" data-label="Duration" { (took(run, moment)) }
                                td role="cell" data-label="Result" class="reason" {
                                    @if let Some(message) = &run.message { (labels::sentence(message)) }
                                    (share(run))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How long it took, or has taken so far, then in whole seconds, so that the page does not change more often.
pub(super) fn took(run: &Job, moment: &Moment) -> String {
    let seconds = run.seconds(moment.now);
    labels::seconds(if run.ended.is_some() { seconds } else { seconds.floor() })
}
