//! The entries of the queue, with their reasons and a button to retry each.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::web::{self, Query};
use maud::{Markup, html};

use super::fault::Fault;
use super::fragments::Fragments;
use super::icons::Icon;
use super::layout::Layout;
use super::time::Moment;
use super::work_log::address;
use super::{Answer, labels};
use crate::domain::{Code, WorkLogUri};
use crate::http;
use crate::http::Services;
use crate::queue::{Counts, Entry, Filter, State};

/// The page size.
pub(super) const PAGE: usize = 50;

/// Which entries to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryQuery {
    /// Their state.
    state: State,
    /// Whether to show only those whose timesheet is exported.
    exported: bool,
    /// The entry before the first one.
    after: Option<WorkLogUri>,
}

impl EntryQuery {
    /// Parses `state` and `after` from an address.
    pub(super) fn read(pairs: &BTreeMap<String, String>) -> Result<Self, Fault> {
        let state = match pairs.get("state") {
            None => State::Parked,
            Some(word) => State::from_word(word)
                .ok_or_else(|| Fault::bad("This list does not exist; choose one on the overview"))?,
        };
        let exported = match pairs.get("code").map(String::as_str) {
            None => false,
            Some(word) if word == Code::TimesheetExported.word() => true,
            Some(_) => {
                return Err(Fault::bad("This list does not exist; choose one on the overview"));
            }
        };
        let after = pairs
            .get("after")
            .map(|iri| WorkLogUri::parse(iri).map_err(|fault| Fault::bad(fault.to_string())));
        Ok(Self { state, exported, after: after.transpose()? })
    }

    fn filter(&self) -> Filter {
        let code = self.exported.then_some(Code::TimesheetExported);
        Filter { code, ..self.state.into() }
    }

    fn query(&self) -> String {
        let mut pairs = vec![("state", self.state.word())];
        pairs.extend(self.exported.then_some(("code", Code::TimesheetExported.word())));
        pairs.extend(self.after.as_ref().map(|after| ("after", after.as_str())));
        labels::query(&pairs)
    }
}

/// `GET /entries`.
pub(super) async fn get(
    request: HttpRequest,
    query: Query<BTreeMap<String, String>>,
    state: web::Data<http::State>,
) -> Answer {
    let query = EntryQuery::read(&query)?;
    let fragments = load(&state, &query).await?;
    let moment = Moment::of(&state.services.clock);
    let page_layout = Layout::new(&request, "/entries?state=parked", &fragments.title, &moment)
        .live(&fragments, &format!("page=entries&{}", query.query()));
    Ok(super::html(&page_layout, &fragments.get("entries")))
}

/// The page in parts.
pub(super) async fn load(state: &http::State, query: &EntryQuery) -> Result<Fragments, Fault> {
    let list = List::load(&state.services, query).await?;
    let mut fragments = Fragments::new(list.title());
    fragments.add("entries", list.render(&Moment::of(&state.services.clock)));
    Ok(fragments)
}

/// A page of entries.
#[derive(Debug)]
pub(super) struct List {
    /// Which entries are shown.
    pub(super) query: EntryQuery,
    /// How many there are in total.
    pub(super) counts: Counts,
    /// How many of them are parked because their timesheet is exported.
    pub(super) kept: usize,
    /// Those of this page.
    pub(super) entries: Vec<Entry>,
    /// Whether there are more after them.
    pub(super) more: bool,
}

impl List {
    async fn load(services: &Services, query: &EntryQuery) -> Result<Self, Fault> {
        let mut entries = services.queue.page(query.filter(), query.after.as_ref(), PAGE + 1).await?;
        let more = entries.len() > PAGE;
        entries.truncate(PAGE);
        let parked = services.queue.parked_by_code().await?;
        let kept = parked.get(&Some(Code::TimesheetExported)).copied().unwrap_or_default();
        Ok(Self { query: query.clone(), counts: services.queue.counts().await?, kept, entries, more })
    }

    /// How many are in this state.
    fn total(&self, state: State) -> usize {
        match state {
            State::Parked if self.query.exported => self.kept,
            State::Parked => self.counts.parked,
            State::Running => self.counts.running,
            State::Queued => self.counts.queued,
            State::Scheduled => self.counts.scheduled,
        }
    }

    fn title(&self) -> String {
        let (name, _) = self.words();
        format!("{name}: {}", labels::number(self.total(self.query.state) as u64))
    }

    /// The name of the list and its explanation.
    fn words(&self) -> (&'static str, &'static str) {
        if self.query.exported { labels::EXPORTED } else { labels::entry_states(self.query.state) }
    }

    /// The part `entries`.
    pub(super) fn render(&self, moment: &Moment) -> Markup {
        let state = self.query.state;
        let (_, meaning) = self.words();
        let here = format!("/entries?{}", self.query.query());
        html! {
            section id="entries" class="card wide" aria-labelledby="entries-title" {
                h1 id="entries-title" { (self.title()) }
                (tabs(&self.query))
                p class="lead" { (meaning) }
                @if self.query.exported && self.kept > 0 { (overwrite_all(self.kept, &here)) }
                @if !self.query.exported && state == State::Parked && self.counts.parked > 0 { (retry_all(self.counts.parked, &here)) }
                @if self.entries.is_empty() {
                    p class="empty" {
                        @if self.query.after.is_some() { "There are no more." } @else { "There are none." }
                    }
                } @else {
                    (table(&self.entries, &here, moment, "entries-title"))
                }
                (self.around())
            }
        }
    }

    fn around(&self) -> Markup {
        let first = EntryQuery { after: None, ..self.query.clone() };
        let next = self.entries.last().filter(|_| self.more);
        let next = next.map(|last| EntryQuery { after: Some(last.work_log.clone()), ..self.query.clone() });
        html! {
            @if next.is_some() || self.query.after.is_some() {
                nav class="pages" aria-label="More of this list" {
                    @if self.query.after.is_some() { a class="button" href={ "/entries?" (first.query()) } { "First page" } }
                    @if let Some(next) = next { a class="button" href={ "/entries?" (next.query()) } { "Next " (PAGE) } }
                }
            }
        }
    }
}

fn tabs(current: &EntryQuery) -> Markup {
    html! {
        nav class="tabs" aria-label="Lists of the queue" {
            ul {
                @for state in [State::Parked, State::Scheduled, State::Queued, State::Running] {
                    li {
                        a href={ "/entries?state=" (state.word()) }
                            aria-current=[(state == current.state && !current.exported).then_some("page")] {
                            (labels::entry_states(state).0)
                        }
                    }
                    @if state == State::Parked {
                        li {
                            a href=(EXPORTED) aria-current=[current.exported.then_some("page")] { (labels::EXPORTED.0) }
                        }
                    }
                }
            }
        }
    }
}

/// The button that retries all parked work logs.
pub(super) fn retry_all(parked: usize, back: &str) -> Markup {
    html! {
        form class="inline" action="/do/retry-parked" method="post" {
            input type="hidden" name="back" value=(back);
            button type="submit" id="retry-all" { "Retry all " (labels::number(parked as u64)) }
        }
    }
}

/// The address of the list of those whose timesheet is exported.
pub(super) const EXPORTED: &str = "/entries?state=parked&code=timesheet-exported";

/// The form that overwrites every exported timesheet whose work log is parked. It requires a confirmation.
fn overwrite_all(kept: usize, back: &str) -> Markup {
    html! {
        form class="inline" action="/do/overwrite-exported" method="post" {
            input type="hidden" name="back" value=(back);
            label { input type="checkbox" name="sure" value="yes" required; " None of them is on an invoice" }
            button type="submit" id="overwrite-all" class="danger" { "Overwrite all " (labels::number(kept as u64)) }
        }
    }
}

/// The button that overwrites the exported timesheet of one work log.
pub(super) fn overwrite(work_log: &WorkLogUri, back: &str) -> Markup {
    html! {
        form action="/do/overwrite" method="post" {
            input type="hidden" name="id" value=(work_log);
            input type="hidden" name="back" value=(back);
            button type="submit" class="danger" aria-label={ "Overwrite the timesheet of " (labels::short(work_log.as_str())) } {
                "Overwrite this one"
            }
        }
    }
}

/// Entries as a table, which becomes a list of cards on narrow screens. The roles keep it a table for screen readers.
pub(super) fn table(entries: &[Entry], back: &str, moment: &Moment, title: &str) -> Markup {
    html! {
        table class="stack" role="table" aria-labelledby=(title) {
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "Work log" }
                    th scope="col" role="columnheader" { "State" }
                    th scope="col" role="columnheader" { "Reason" }
                    th scope="col" role="columnheader" { "Queued" }
                    th scope="col" role="columnheader" class="narrow" { "Action" }
                }
            }
            tbody role="rowgroup" {
                @for entry in entries { (row(entry, back, moment)) }
            }
        }
    }
}

fn row(entry: &Entry, back: &str, moment: &Moment) -> Markup {
    let (iri, short) = (entry.work_log.as_str(), labels::short(entry.work_log.as_str()));
    let icon = match entry.state {
        State::Queued => Icon::Waiting,
        State::Scheduled if entry.attempts == 0 => Icon::Waiting,
        State::Scheduled | State::Parked => Icon::Warning,
        State::Running => Icon::Running,
    };
    html! {
        tr role="row" data-key=(iri) {
            td role="cell" data-label="Work log" {
                a class="id" href=(address(&entry.work_log)) title=(iri) { (short) }
            }
            td role="cell" data-label="State" {
                (icon.with(labels::entry_state(entry.state)))
                @if let Some(due) = entry.due.filter(|_| entry.state == State::Scheduled) {
                    span class="note" { "Next attempt " @if due > moment.now { (moment.relative(due)) } @else { "now" } }
                }
                @if entry.attempts > 0 {
                    span class="note" { (labels::count(entry.attempts, "attempt failed", "attempts failed")) }
                }
            }
            td role="cell" data-label="Reason" class="reason" {
                @match &entry.last_error {
                    Some(why) => {
                        (labels::sentence(why))
                        @if let Some(code) = entry.code { span class="note" { (super::work_log::code_of(code)) } }
                    }
                    None => span class="quiet-text" { "First attempt (" (labels::reason(entry.reason)) ")." },
                }
            }
            td role="cell" data-label="Queued" {
                (moment.relative(entry.since))
                span class="note" { (labels::reason(entry.reason)) }
            }
            td role="cell" data-label="Action" {
                @if entry.state != State::Running {
                    form action="/do/retry" method="post" {
                        input type="hidden" name="id" value=(iri);
                        input type="hidden" name="back" value=(back);
                        button type="submit" aria-label={ "Retry " (short) } { "Retry" }
                    }
                    @if entry.code == Some(Code::TimesheetExported) { (overwrite(&entry.work_log, back)) }
                }
            }
        }
    }
}
