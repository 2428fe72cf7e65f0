//! The findings of a sweep or plan: both sides side by side, the reason, and the action.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};

use super::display_names::DisplayNames;
use super::fault::Fault;
use super::icons::Icon;
use super::labels;
use super::time::Moment;
use super::work_log::address;
use crate::domain::diff::ObservedEntry;
use crate::domain::finding::{Finding, Hold, Kind};
use crate::domain::hours;
use crate::jobs::{self, FindingFilter, Job, Jobs};

/// The page size.
pub(super) const PAGE: usize = 50;

/// Which differences to show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FindingQuery {
    filter: FindingFilter,
    after: u64,
}

impl FindingQuery {
    /// Parses `kind`, `held` and `after` from an address.
    pub(super) fn read(pairs: &BTreeMap<String, String>) -> Result<Self, Fault> {
        let given = |name: &str| pairs.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let unknown = || Fault::bad("This list does not exist; choose one on the page of the run");
        let kind = given("kind").map(|word| Kind::from_word(word).ok_or_else(unknown)).transpose()?;
        let after = given("after").map(|text| text.parse().map_err(|_| unknown())).transpose()?;
        let filter = FindingFilter { kind, held: given("held") == Some("true") };
        Ok(Self { filter, after: after.unwrap_or_default() })
    }

    /// The same as a query string.
    pub(super) fn query(&self) -> String {
        let after = self.after.to_string();
        let mut pairs = Vec::new();
        pairs.extend(self.filter.kind.map(|kind| ("kind", kind.word())));
        pairs.extend(self.filter.held.then_some(("held", "true")));
        pairs.extend((self.after > 0).then_some(("after", after.as_str())));
        labels::query(&pairs)
    }
}

/// A page of differences.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) query: FindingQuery,
    /// The findings with their numbers.
    pub(super) found: Vec<(u64, Finding)>,
    pub(super) more: bool,
    /// The names of their projects, activities and users.
    pub(super) names: DisplayNames,
}

impl Findings {
    /// The findings of `run`; none before it has compared everything.
    pub(super) async fn load(runs: &Jobs, run: &Job, query: FindingQuery) -> Result<Self, Fault> {
        if run.findings == 0 || run.findings_removed {
            return Ok(Self { query, ..Self::default() });
        }
        let mut found = runs.findings(run.id, query.filter, query.after, PAGE + 1).await?;
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        Ok(Self { query, found, more, names: DisplayNames::default() })
    }

    /// The part `findings`.
    pub(super) fn render(&self, run: &Job, moment: &Moment) -> Markup {
        let compares = matches!(run.task.kind(), jobs::Kind::Sweep | jobs::Kind::Plan);
        html! {
            section id="findings" class="card wide" hidden[!compares || !run.has_result()] aria-labelledby="findings-title" {
                h2 id="findings-title" { (labels::count(run.findings as u64, "difference", "differences")) }
                @if run.findings_removed {
                    p class="empty" { "They are no longer stored. Compare again to see them." }
                } @else if run.findings == 0 {
                    @if run.state == jobs::State::Done || run.is_following() { p class="empty" { "Both sides are in sync for this period." } }
                    @else { p class="empty" { "It ended before everything was compared." } }
                } @else {
                    (self.filters(run))
                    @if self.found.is_empty() { p class="empty" { "There are none." } }
                    @else { (table(self, run, moment)) }
                    (self.around(run))
                }
            }
        }
    }

    fn filters(&self, run: &Job) -> Markup {
        let link = |query: FindingQuery, name: &str, count: u64| {
            let current = query.filter == self.query.filter;
            html! {
                li {
                    a href={ "/run/" (run.id) "?" (query.query()) "#findings" } aria-current=[current.then_some("true")] {
                        (name) " " span class="number" { (labels::number(count)) }
                    }
                }
            }
        };
        let of = |kind: Kind| run.counts.get(kind.word()).copied().unwrap_or_default();
        html! {
            nav class="tabs" aria-label="Show only" {
                ul {
                    (link(FindingQuery::default(), "All", run.findings as u64))
                    @for kind in Kind::ALL.into_iter().filter(|kind| of(*kind) > 0) {
                        (link(FindingQuery { filter: FindingFilter { kind: Some(kind), held: false }, after: 0 }, labels::kind(kind), of(kind)))
                    }
                    @if run.held > 0 {
                        (link(FindingQuery { filter: FindingFilter { kind: None, held: true }, after: 0 }, "Held back", run.held as u64))
                    }
                }
            }
        }
    }

    fn around(&self, run: &Job) -> Markup {
        let next = self
            .found
            .last()
            .filter(|_| self.more)
            .map(|(last, _)| FindingQuery { after: *last, ..self.query });
        html! {
            @if next.is_some() || self.query.after > 0 {
                nav class="pages" aria-label="More differences" {
                    @if self.query.after > 0 {
                        a class="button" href={ "/run/" (run.id) "?" (FindingQuery { after: 0, ..self.query }.query()) "#findings" } { "First page" }
                    }
                    @if let Some(next) = next {
                        a class="button" href={ "/run/" (run.id) "?" (next.query()) "#findings" } { "Next " (PAGE) }
                    }
                }
            }
        }
    }
}

/// How an action is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// A plan: nothing is done.
    Planned,
    /// A sweep that finished comparing: it deleted, and queued the rest.
    Started,
    /// A sweep that ended early.
    Meant,
}

impl Told {
    fn of(run: &Job) -> Self {
        match (run.task.kind(), run.state) {
            (jobs::Kind::Plan, _) => Self::Planned,
            (_, jobs::State::Done) => Self::Started,
            _ if run.is_following() => Self::Started,
            _ => Self::Meant,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Planned => "Planned action",
            Self::Started => "Action",
            Self::Meant => "Intended action",
        }
    }
}

fn table(findings: &Findings, run: &Job, moment: &Moment) -> Markup {
    let told = Told::of(run);
    html! {
        table class="stack broad" role="table" aria-labelledby="findings-title" {
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "Difference" }
                    th scope="col" role="columnheader" { "Work log" }
                    th scope="col" role="columnheader" { "Kimai" }
                    th scope="col" role="columnheader" { "Reason" }
                    th scope="col" role="columnheader" { (told.title()) }
                }
            }
            tbody role="rowgroup" {
                @for (number, finding) in &findings.found { (row(*number, finding, told, &findings.names, moment)) }
            }
        }
    }
}

fn row(number: u64, finding: &Finding, told: Told, names: &DisplayNames, moment: &Moment) -> Markup {
    let wanted = finding.wanted.map(ObservedEntry::from);
    let incomplete = finding.kind == Kind::Incomplete;
    html! {
        tr role="row" data-key=(number) {
            td role="cell" data-label="Difference" {
                strong { (labels::kind(finding.kind)) }
                @if let Some(work_log) = &finding.work_log {
                    a class="id note" href=(address(work_log)) title=(work_log) {
                        (labels::short(work_log.as_str()))
                    }
                }
                @if !finding.timesheets.is_empty() {
                    span class="note" {
                        "Timesheet " @for (at, id) in finding.timesheets.iter().enumerate() { @if at > 0 { ", " } (id) }
                    }
                }
            }
            td role="cell" data-label="Work log" {
                @if incomplete { span class="quiet-text" { "Incomplete" } }
                @else { (side(wanted.as_ref(), finding.found.as_ref(), names, moment)) }
            }
            td role="cell" data-label="Kimai" {
                @if incomplete { span class="quiet-text" { "Not compared" } }
                @else { (side(finding.found.as_ref(), wanted.as_ref(), names, moment)) }
            }
            td role="cell" data-label="Reason" class="reason" { (why(finding, wanted.as_ref())) }
            td role="cell" data-label=(told.title()) { (outcome(finding, told)) }
        }
    }
}

/// The reason. If both sides are shown beside it, only the names of what differs: their times are shown there in our
/// zone.
fn why(finding: &Finding, wanted: Option<&ObservedEntry>) -> String {
    let (Kind::Changed, Some(wanted), Some(found)) = (finding.kind, wanted, &finding.found) else {
        return labels::sentence(&finding.reason);
    };
    let differs = [
        (wanted.begin == found.begin && wanted.end == found.end, "time"),
        (wanted.pause == found.pause, "break"),
        (!uncounted(found), "number of hours"),
        (wanted.project == found.project, "project"),
        (wanted.activity == found.activity, "activity"),
        (wanted.user == found.user, "user"),
    ];
    let names: Vec<&str> = differs.iter().filter(|(same, _)| !same).map(|(_, name)| *name).collect();
    format!("The timesheet has a different {}.", names.join(" and a different "))
}

/// Whether Kimai counts a different time than that between begin and end, although there is no break.
fn uncounted(found: &ObservedEntry) -> bool {
    let between = found.end.map_or(0, |end| end.as_second() - found.begin.as_second());
    found.pause == 0 && i64::from(found.duration) != between
}

fn outcome(finding: &Finding, told: Told) -> Markup {
    let action = labels::action(finding.kind, finding.action);
    html! {
        @match finding.held {
            None if told == Told::Started => (labels::started(finding.kind, finding.action)),
            None => (action),
            Some(hold) => {
                @let needs_word = matches!(hold, Hold::Unconfirmed | Hold::KimaiLostData);
                (Icon::Warning.with(if needs_word { "Held back: needs confirmation" } else { "Held back" }))
                span class="note" { (action) ": " (labels::hold(hold)) "." }
            }
        }
    }
}

/// One side of a difference; values that differ from the other side are marked.
fn side(
    this: Option<&ObservedEntry>,
    other: Option<&ObservedEntry>,
    names: &DisplayNames,
    moment: &Moment,
) -> Markup {
    let Some(this) = this else { return html! { span class="quiet-text" { "Nothing" } } };
    let differs =
        |same: fn(&ObservedEntry, &ObservedEntry) -> bool| other.is_some_and(|other| !same(this, other));
    let when = when(this.begin, this.end, moment);
    let length = i64::from(this.duration);
    html! {
        ul class="plain side" {
            (line("", &when, differs(|one, other| one.begin == other.begin && one.end == other.end)))
            @if this.pause != 0 { (line("Break", &hours::clock(this.pause.into()), true)) }
            @if this.pause != 0 || uncounted(this) { (line("Counts", &hours::clock(length), true)) }
            (line("Project", &names.project(this.project), differs(|one, other| one.project == other.project)))
            (line("Activity", &names.activity(this.activity), differs(|one, other| one.activity == other.activity)))
            (line("User", &names.user(this.user), differs(|one, other| one.user == other.user)))
        }
    }
}

fn line(name: &str, value: &str, differs: bool) -> Markup {
    html! {
        li class=[differs.then_some("differs")] {
            @if differs { span aria-hidden="true" { "≠ " } }
            @if !name.is_empty() { (name) " " }
            (value)
            @if differs { span class="unseen" { " (differs)" } }
        }
    }
}

/// `2024-09-02, 00:00 – 08:00, 8 h`.
pub(super) fn when(begin: Timestamp, end: Option<Timestamp>, moment: &Moment) -> String {
    let start = moment.minute(begin);
    let Some(end) = end else { return format!("{start}, still running") };
    let length = end.duration_since(begin);
    let (hours, minutes) = (length.as_hours(), length.as_mins() % 60);
    let length =
        if minutes == 0 { format!("{hours}\u{a0}h") } else { format!("{hours}\u{a0}h {minutes}\u{a0}min") };
    let end = if moment.day(begin) == moment.day(end) { moment.clock(end) } else { moment.minute(end) };
    format!("{start} – {end}, {length}")
}
