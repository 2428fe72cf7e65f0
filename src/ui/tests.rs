//! The parts as pure functions of values: hostile texts, empty states, very long names.

mod amounts;
mod sweeps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::time::Moment;
use super::{checks, entries, findings, health, overview, pulse, queue, run, runs, work_log};
use crate::clock::Clock;
use crate::doctor::{Check, Report};
use crate::domain::Code;
use crate::domain::WorkLogUri;
use crate::domain::diff::ObservedEntry;
use crate::domain::finding::{Action, Finding, Hold, Kind};
use crate::domain::ids::{ActivityId, EntryId, ProjectId, UserId};
use crate::domain::status::{Facts, Failed, Heard, Lapse, Load, Neighbour, Part, Status};
use crate::domain::timesheet::DesiredEntry;
use crate::explain::{self, Explanation, Found, Told, Verdict};
use crate::jobs::{AskedBy, Confirm, Job, Jobs, Task};
use crate::progress::Stand;
use crate::queue::{Entry, Reason, State};
use crate::reconcile::sweep::Period;
use crate::settings::Settings;
use crate::store::Slot;
use crate::store::sqlite::Storage;
use crate::triplestore::embedded::Embedded;

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-22T02:15:22Z")
}

fn moment() -> Moment {
    Moment::of(&Clock::starting_at(now(), TimeZone::get("Europe/Brussels").unwrap()))
}

/// Asserts that a text of somebody's stays a text, and that the page keeps to its strict policy.
fn is_tame(html: &str) {
    for bad in ["<script", "<img src=x", " style=", "<style", "javascript:", " onclick"] {
        assert!(!html.contains(bad), "{bad:?} in {html}");
    }
}

fn entry(iri: &str, state: State, why: Option<&str>) -> Entry {
    Entry {
        work_log: WorkLogUri::parse(iri).unwrap(),
        state,
        due: (state != State::Parked).then(|| at("2026-11-22T02:20:00Z")),
        reason: Reason::Delta,
        attempts: 2,
        last_error: why.map(str::to_owned),
        code: None,
        since: at("2026-11-22T00:15:00Z"),
        leased_until: None,
    }
}

fn period() -> Period {
    Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() }
}

/// A service of which both neighbours have just answered.
fn facts() -> Facts {
    Facts::at_rest(now(), Heard { at: at("2026-11-22T02:00:22Z"), part: Part::Sweep })
}

fn standing(load: Load) -> Status {
    Status::of(Facts { load, ..facts() })
}

/// A neighbour that does not answer any more.
fn down() -> Neighbour {
    let mut contact = facts().kimai;
    let heard = Heard { at: now(), part: Part::WorkLog };
    let why = HOSTILE.to_owned();
    contact.fail(Failed { heard, lapse: Lapse::Silent, code: Code::KimaiUnavailable, why });
    Status::of(Facts { kimai: contact, ..facts() }).kimai
}

fn a_run(task: Task, state: crate::jobs::State) -> Job {
    Job {
        id: 7,
        task,
        asked_by: AskedBy::Cron,
        state,
        waits_for: None,
        stand: Stand::default(),
        counts: BTreeMap::new(),
        queued: None,
        compared: None,
        held: 0,
        confirm: None,
        findings: 0,
        findings_removed: false,
        rounded: Vec::new(),
        asked: now(),
        started: None,
        ended: None,
        message: None,
        resumed: false,
    }
}

#[tokio::test(start_paused = true)]
async fn texts_of_others_stay_texts_wherever_they_stand() {
    let moment = moment();
    let long = format!("http://x/work-logs/{}'&", "ü".repeat(1900));
    let entries = [entry(&long, State::Parked, Some(HOSTILE)), entry("http://x/1", State::Scheduled, None)];
    let html = entries::table(&entries, HOSTILE, &moment, "title").into_string();
    is_tame(&html);
    assert!(html.contains("&lt;script&gt;alert(1)"), "{html}");
    assert!(html.contains("2 attempts failed") && html.contains("in 4 min"), "{html}");
    let shown = html.split("class=\"id\"").nth(1).unwrap().split('>').nth(1).unwrap();
    assert!(shown.chars().count() < 50, "a long name is cut: {shown}");

    let mut broken = a_run(Task::Sweep(period()), crate::jobs::State::Failed);
    broken.message = Some(HOSTILE.to_owned());
    broken.stand = Stand { faults: vec![HOSTILE.to_owned()], faults_in_all: 3000, ..Stand::default() };
    broken.counts.insert(HOSTILE.to_owned(), 3);
    is_tame(&run::render(&broken, &moment).into_string());
    let faults = run::faults(&broken).into_string();
    is_tame(&faults);
    assert!(faults.contains("3\u{202f}000 errors") && faults.contains("Only the first 1"));
    is_tame(&runs::card(&[broken], &moment).into_string());

    let mut status = standing(Load::default());
    status.kimai = down();
    (status.storage, status.lost) = (Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
    let html = health::render(&status, &moment).into_string();
    is_tame(&html);
    assert!(html.contains("It last answered 15 min ago, to a sweep."), "{html}");
    let check = Check {
        id: "kimai".to_owned(),
        name: HOSTILE.to_owned(),
        verdict: crate::doctor::Health::Trouble,
        says: HOSTILE.to_owned(),
        help: Some(HOSTILE.to_owned()),
    };
    let report = Report {
        at: now(),
        checks: vec![check.clone(), Check { verdict: crate::doctor::Health::Well, ..check }],
        standalone: false,
    };
    let html = checks::render(Some(&report), &moment).into_string();
    is_tame(&html);
    assert!(!html.contains("every hour"), "the settings may forbid it: {html}");
    assert!(html.contains("(trouble)") && html.contains("1 check passed"), "{html}");
    for found in [Found::Nobody, Found::Unreadable(HOSTILE.into()), Found::Unasked(HOSTILE.into())] {
        is_tame(&work_log::outcome(HOSTILE, &found).into_string());
    }
}

fn hostile_story() -> Explanation {
    let text = || HOSTILE.to_owned();
    let told = Told {
        kind: explain::Subject::WorkLog,
        days: vec![text()],
        durations: vec![text(), "PT7H30M".to_owned()],
        tasks: vec![explain::Task { iri: text(), name: Some(text()), ..explain::Task::default() }],
        persons: vec![explain::Person { iri: text(), name: None, ..explain::Person::default() }],
        identifiers: vec![text()],
        wanted: None,
        complaints: vec![text()],
        obstacles: Vec::new(),
    };
    let found = ObservedEntry {
        begin: now(),
        end: None,
        duration: 0,
        pause: 0,
        project: None,
        activity: None,
        user: Some(UserId::number(3)),
        note: None,
    };
    let names = explain::Names { customer: Some(text()), project: Some(text()), ..explain::Names::default() };
    let holds = explain::Holds { found, exported: true, names };
    Explanation {
        work_log: WorkLogUri::parse("http://x/work-logs/1").unwrap(),
        verdict: Verdict::NotInKimai,
        says: text(),
        code: Some(Code::NoAccount),
        help: vec![text()],
        triplestore: explain::Answer::Known(told),
        timesheets: vec![explain::Held {
            code: None,
            id: EntryId::number(4),
            linked: false,
            kimai: explain::Answer::Known(Some(holds)),
            rounding: None,
            differences: vec![text()],
        }],
        entry: None,
        memory: explain::Answer::Unknown { error: text() },
        history: explain::Answer::Known(vec![explain::Done {
            at: now(),
            result: crate::queue::Ended::Done,
            message: Some(text()),
            code: None,
        }]),
        sharing: vec![WorkLogUri::parse("http://x/work-logs/2").unwrap()],
    }
}

#[tokio::test(start_paused = true)]
async fn a_story_is_told_whatever_stands_in_it() {
    let moment = moment();
    let html = work_log::layout(&work_log::fragments(&hostile_story(), &moment)).into_string();
    is_tame(&html);
    for words in
        ["Not in Kimai", "How to fix it", "still running", "may be on an invoice", "7\u{a0}h 30\u{a0}min"]
    {
        assert!(html.contains(words), "{words:?} is not in {html}");
    }
    let nothing = Explanation {
        help: Vec::new(),
        triplestore: explain::Answer::Unknown { error: "it is down".to_owned() },
        timesheets: Vec::new(),
        history: explain::Answer::Known(Vec::new()),
        sharing: Vec::new(),
        ..hostile_story()
    };
    let html = work_log::layout(&work_log::fragments(&nothing, &moment)).into_string();
    assert!(!html.contains("How to fix it") && html.contains("It is down."), "{html}");
    assert!(html.contains("No timesheet is known") && html.contains("No history is stored"), "{html}");
}

fn finding(kind: Kind, held: Option<Hold>) -> Finding {
    let (project, activity, user) = (ProjectId::number(1), ActivityId::number(2), UserId::number(3));
    let (begin, end) = (at("2024-09-02T22:00:00Z"), at("2024-09-03T06:00:00Z"));
    let wanted = DesiredEntry { begin, end, project, activity, user, note: None };
    let found = ObservedEntry { user: Some(UserId::number(9)), ..wanted.into() };
    Finding {
        kind,
        work_log: Some(WorkLogUri::parse("http://x/work-logs/1").unwrap()),
        timesheets: vec![EntryId::number(4), EntryId::number(5)],
        wanted: Some(wanted),
        found: Some(found),
        reason: HOSTILE.to_owned(),
        action: Action::Settle,
        held,
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_shows_both_sides_marks_what_differs_and_offers_what_can_be_done() {
    let moment = moment();
    let mut plan = a_run(Task::Plan(period()), crate::jobs::State::Done);
    (plan.findings, plan.held) = (1200, 300);
    plan.counts =
        [("changed".to_owned(), 900), ("orphan".to_owned(), 300), ("work-logs".to_owned(), 5000)].into();
    let found = vec![(1, finding(Kind::Changed, None)), (2, finding(Kind::Orphan, Some(Hold::Unconfirmed)))];
    let html =
        findings::Findings { found, ..findings::Findings::default() }.render(&plan, &moment).into_string();
    is_tame(&html);
    for words in [
        "1\u{202f}200 differences",
        "2024-09-03 00:00 – 08:00, 8\u{a0}h",
        "≠ </span>User 9<span class=\"unseen\"> (differs)</span>",
        "The timesheet has a different user.",
        "Held back: needs confirmation",
        "/run/7?kind=orphan#findings",
        "Timesheet 4, 5",
    ] {
        assert!(html.contains(words), "{words:?} is not in {html}");
    }
    let head = |plan: &Job| run::render(plan, &moment).into_string();
    assert!(head(&plan).contains("Correct 900 differences") && !head(&plan).contains("name=\"confirm\""));
    plan.counts.insert("incomplete".to_owned(), 899);
    assert!(head(&plan).contains("Correct 1 difference"), "{}", head(&plan));
    plan.counts.insert("incomplete".to_owned(), 900);
    let html = head(&plan);
    assert!(html.contains("A sweep can correct none of these") && !html.contains("id=\"apply\""), "{html}");
    plan.counts.remove("incomplete");
    plan.confirm = Some(Confirm { key: uuid::Uuid::nil(), expires: at("2026-11-22T03:00:00Z") });
    assert!(head(&plan).contains("name=\"confirm\"") && head(&plan).contains("2026-11-22 04:00:00"));
    plan.confirm = Some(Confirm { key: uuid::Uuid::nil(), expires: now() });
    assert!(!head(&plan).contains("name=\"confirm\"") && head(&plan).contains("has expired"));
    plan.state = crate::jobs::State::Running;
    plan.stand = Stand { phase: "comparing".into(), done: 3, total: Some(9), ..Stand::default() };
    let running = head(&plan);
    assert!(running.contains("Cancel this run") && running.contains("3 of 9"), "{running}");
    assert!(!running.contains("Put 900"), "{running}");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_the_page_says_so() {
    let moment = moment();
    let status = standing(Load::default());
    assert_eq!(overview::title(&status, 0), "All synced");
    assert!(queue::render(&status.load, &moment).into_string().contains("The queue is empty"));
    assert!(runs::card(&[], &moment).into_string().contains("None yet"));
    assert!(
        pulse::render(Some(&[]), &moment).into_string().contains("Nothing was synced in the last 24 hours")
    );
    assert!(checks::render(None, &moment).into_string().contains("Not run yet"));
    assert_eq!(checks::trouble(None), 0);
    let nothing = a_run(Task::Plan(period()), crate::jobs::State::Done);
    let html = findings::Findings::default().render(&nothing, &moment).into_string();
    assert!(html.contains("Both sides are in sync"), "{html}");
    let busy = standing(Load { queued: 3, running: 1, ..Load::default() });
    assert_eq!(overview::title(&busy, 0), "4 being synced");
}
