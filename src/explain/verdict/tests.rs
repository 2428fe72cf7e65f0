use super::super::{Done, Names};
use super::*;
use crate::domain::WorkLogUri;
use crate::domain::diff::ObservedEntry;
use crate::domain::ids::{ActivityId, EntryId, ProjectId, UserId};
use crate::domain::timesheet::DesiredEntry;
use crate::queue::{Ended, Reason};
use crate::settings::Relations;

const NOW: &str = "2024-09-02T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn wanted() -> DesiredEntry {
    DesiredEntry {
        begin: at("2024-09-01T22:00:00Z"),
        end: at("2024-09-02T06:00:00Z"),
        project: ProjectId::number(1),
        activity: ActivityId::number(2),
        user: UserId::number(3),
        note: None,
    }
}

fn held(differences: &[&str]) -> Held {
    let holds = Holds { found: ObservedEntry::from(wanted()), exported: false, names: Names::default() };
    Held {
        id: EntryId::number(12),
        linked: true,
        kimai: Answer::Known(Some(holds)),
        rounding: None,
        code: None,
        differences: differences.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn gone() -> Held {
    Held { kimai: Answer::Known(None), ..held(&[]) }
}

fn unasked() -> Held {
    let error = "Kimai could not look something up: it answered 502".to_owned();
    Held { kimai: Answer::Unknown { error }, ..held(&[]) }
}

fn told(kind: Subject, obstacles: &[Obstacle]) -> Told {
    let complete = kind == Subject::WorkLog && obstacles.is_empty();
    Told {
        kind,
        wanted: complete.then(wanted),
        complaints: obstacles.iter().map(ToString::to_string).collect(),
        obstacles: obstacles.to_vec(),
        ..Told::default()
    }
}

fn entry(state: State, error: Option<&str>) -> Waiting {
    Waiting {
        state,
        due: (state != State::Parked).then(|| at("2024-09-02T12:03:00Z")),
        reason: Reason::Delta,
        attempts: 1,
        last_error: error.map(str::to_owned),
        code: error.map(|_| Code::ProjectHidden),
        since: at(NOW),
    }
}

fn explanation(told: Told, timesheets: Vec<Held>, entry: impl Into<Option<Waiting>>) -> Explanation {
    Explanation {
        work_log: WorkLogUri::parse("http://x/work-logs/1").unwrap(),
        verdict: Verdict::Unclear,
        says: String::new(),
        code: None,
        help: Vec::new(),
        triplestore: Answer::Known(told),
        timesheets,
        entry: entry.into(),
        memory: Answer::Known(Memory::default()),
        history: Answer::Known(Vec::new()),
        sharing: Vec::new(),
    }
}

fn judge_with(explanation: &Explanation, outages: &[Down]) -> Judged {
    let zone = TimeZone::get("Europe/Brussels").unwrap();
    judge(&Evidence { explanation, outages, now: at(NOW), zone: &zone, relations: Relations::Follow })
}

fn jane() -> Obstacle {
    Obstacle::NoAccount("'Jane Doe'".to_owned())
}

/// What is judged, the verdict, the whole sentence, and a part of the first help, empty for none.
type Case = (Explanation, Verdict, &'static str, &'static str);

fn whole() -> Told {
    told(Subject::WorkLog, &[])
}

fn without(obstacle: Obstacle) -> Told {
    told(Subject::WorkLog, &[obstacle])
}

fn judged_as_told(table: impl IntoIterator<Item = Case>) {
    for (explanation, verdict, says, help) in table {
        let judged = judge_with(&explanation, &[]);
        assert_eq!((judged.verdict, judged.says.as_str()), (verdict, says), "{explanation:?}");
        let first = judged.help.first().map_or("", String::as_str);
        assert!(first.contains(help) && first.is_empty() == help.is_empty(), "{says}: {:?}", judged.help);
    }
}

#[test]
fn who_is_in_order_or_lacks_something_is_told() {
    let refused = "Kimai could not create the timesheet: project 'Site' is hidden";
    judged_as_told([
        (
            explanation(whole(), vec![held(&[])], None),
            Verdict::InSync,
            "In sync: timesheet 12 matches the work log",
            "",
        ),
        (
            explanation(whole(), vec![held(&[])], entry(State::Scheduled, None)),
            Verdict::InSync,
            "In sync: timesheet 12 matches the work log",
            "",
        ),
        (
            explanation(
                without(jane()),
                vec![],
                entry(State::Parked, Some("the user 'Jane Doe' has no Kimai account linked")),
            ),
            Verdict::NotInKimai,
            "Not in Kimai: the user 'Jane Doe' has no Kimai account linked",
            "Link 'Jane Doe' to their Kimai account",
        ),
        (
            explanation(without(jane()), vec![held(&[])], None),
            Verdict::Differs,
            "Not up to date in Kimai (timesheet 12): the user 'Jane Doe' has no Kimai account linked",
            "Link 'Jane Doe'",
        ),
        (
            explanation(
                without(Obstacle::Lacks("duration")),
                vec![],
                entry(State::Scheduled, Some("the work log has no duration")),
            ),
            Verdict::Waits,
            "Waiting: the work log has no duration; next attempt 14:03",
            "fill in its duration",
        ),
        (
            explanation(whole(), vec![], entry(State::Parked, Some(refused))),
            Verdict::NotInKimai,
            "Not in Kimai: Kimai could not create the timesheet: project 'Site' is hidden",
            "Make it visible in Kimai",
        ),
    ]);
}

#[test]
fn who_waits_or_differs_is_told() {
    judged_as_told([
        (
            explanation(whole(), vec![], entry(State::Queued, None)),
            Verdict::Waits,
            "Waiting: it is next when a worker is free",
            "",
        ),
        (
            explanation(whole(), vec![], entry(State::Running, None)),
            Verdict::Waits,
            "Waiting: it is being synced now",
            "",
        ),
        (
            explanation(whole(), vec![], None),
            Verdict::NotInKimai,
            "Not in Kimai: it is complete, but the service has not been notified of it",
            "queue retry",
        ),
        (
            explanation(whole(), vec![gone()], None),
            Verdict::NotInKimai,
            "Not in Kimai: timesheet 12 no longer exists",
            "create a new timesheet",
        ),
        (
            explanation(whole(), vec![held(&["end: 7 in Kimai, 8 in the work log"])], None),
            Verdict::Differs,
            "Timesheet 12 differs from the work log: end: 7 in Kimai, 8 in the work log",
            "queue retry",
        ),
        (
            explanation(whole(), vec![Held { linked: false, ..held(&[]) }], None),
            Verdict::Differs,
            "In Kimai as timesheet 12, but the link is not in the triplestore yet",
            "queue retry",
        ),
        (
            explanation(whole(), vec![unasked()], None),
            Verdict::Unclear,
            "Not known at the moment: timesheet 12: Kimai could not look something up: it answered 502",
            "when Kimai answers",
        ),
    ]);
}

#[test]
fn who_is_gone_or_unknown_is_told() {
    judged_as_told([
        (
            explanation(told(Subject::LeftOver, &[]), vec![gone()], None),
            Verdict::Deleted,
            "Deleted: only its link is left in the triplestore, and its timesheet no longer exists in Kimai",
            "",
        ),
        (
            explanation(told(Subject::LeftOver, &[]), vec![held(&[])], None),
            Verdict::LeftOver,
            "Deleted: only its link is left in the triplestore, but timesheet 12 is still in Kimai",
            "Sweep its day",
        ),
        (
            explanation(told(Subject::LeftOver, &[]), vec![held(&[])], entry(State::Queued, None)),
            Verdict::Waits,
            "Waiting: it is next when a worker is free (it was deleted; its timesheet will be deleted too)",
            "",
        ),
        (
            explanation(told(Subject::Absent, &[]), vec![], None),
            Verdict::Unknown,
            "Unknown: it is not in the triplestore, in Kimai, or in the records of the service",
            "Check the IRI",
        ),
        (
            explanation(told(Subject::Other, &[]), vec![], None),
            Verdict::NotAWorkLog,
            "Not a work log: this IRI is something else in the triplestore",
            "",
        ),
    ]);
}

#[test]
fn an_outage_says_since_when_and_that_nothing_is_lost() {
    let down = Down {
        neighbour: Neighbour::Kimai,
        code: Code::KimaiUnavailable,
        why: "it answered 502".to_owned(),
        since: at("2024-09-02T11:40:00Z"),
    };
    let waiting =
        explanation(told(Subject::WorkLog, &[]), vec![], entry(State::Scheduled, Some("it answered 502")));
    let judged = judge_with(&waiting, std::slice::from_ref(&down));
    assert_eq!(judged.verdict, Verdict::Waits);
    assert_eq!(judged.says, "Waiting: Kimai has been down since 13:40 (it answered 502); next attempt 14:03");
    assert!(judged.help[0].contains("Nothing is lost"), "{:?}", judged.help);
    // Who is in order does not wait for anybody.
    let well = explanation(told(Subject::WorkLog, &[]), vec![held(&[])], None);
    assert_eq!(judge_with(&well, &[down]).verdict, Verdict::InSync);
}

#[test]
fn a_triplestore_that_does_not_answer_proves_nothing() {
    let mut silent = explanation(Told::default(), vec![held(&[])], None);
    silent.triplestore = Answer::Unknown { error: "the triplestore did not answer: refused".to_owned() };
    let judged = judge_with(&silent, &[]);
    assert_eq!(judged.verdict, Verdict::Unclear);
    assert_eq!(judged.says, "Not known at the moment: the triplestore did not answer: refused");
}

#[test]
fn what_the_triplestore_hides_is_not_called_unknown_while_we_remember_it() {
    let mut hidden = explanation(told(Subject::Absent, &[]), vec![Held { linked: false, ..held(&[]) }], None);
    hidden.memory = Answer::Known(Memory { timesheet: Some(EntryId::number(12)), ..Memory::default() });
    let judged = judge_with(&hidden, &[]);
    assert_eq!(judged.verdict, Verdict::NotSeen);
    assert_eq!(judged.says, "Not visible in the triplestore; timesheet 12 is still in Kimai");
    assert_eq!(judged.help, [HIDDEN], "nothing leads to a sweep, which would delete it");
    // It is in the queue, but nothing is deleted for that.
    hidden.entry = Some(entry(State::Queued, None));
    let judged = judge_with(&hidden, &[]);
    assert_eq!((judged.verdict, judged.help[0].as_str()), (Verdict::Waits, HIDDEN));
    assert_eq!(judged.says, "Waiting: it is next when a worker is free");
    hidden.entry = None;
    let held = std::mem::replace(&mut hidden.timesheets, vec![Held { linked: false, ..unasked() }]);
    let judged = judge_with(&hidden, &[]);
    assert_eq!(judged.verdict, Verdict::Unclear);
    assert!(
        judged.says.starts_with(
            "Not visible in the triplestore; it is not known at the moment whether timesheet 12"
        ),
        "{}",
        judged.says
    );
    // A delta told of the deletion: that is proof.
    hidden.timesheets = held;
    hidden.memory =
        Answer::Known(Memory { timesheet: Some(EntryId::number(12)), removed: true, ..Memory::default() });
    let judged = judge_with(&hidden, &[]);
    assert_eq!(judged.verdict, Verdict::LeftOver);
    assert!(judged.help[0].contains("Sweep its day"), "{:?}", judged.help);
    assert!(judged.help.contains(&HIDDEN.to_owned()), "{:?}", judged.help);
    hidden.memory = Answer::Known(Memory { timesheet: Some(EntryId::number(12)), ..Memory::default() });
    hidden.timesheets = vec![gone()];
    assert_eq!(judge_with(&hidden, &[]).verdict, Verdict::Deleted);
    // Nothing is remembered but that we had to do with it.
    let mut past = explanation(told(Subject::Absent, &[]), vec![], None);
    past.history = Answer::Known(vec![Done { at: at(NOW), result: Ended::Done, message: None, code: None }]);
    assert_eq!(judge_with(&past, &[]).verdict, Verdict::Deleted);
}

#[test]
fn a_lost_answer_and_a_shared_timesheet_are_told() {
    let mut unsure = explanation(
        told(Subject::WorkLog, &[]),
        vec![],
        entry(State::Scheduled, Some("the answer was lost")),
    );
    unsure.memory =
        Answer::Known(Memory { creating_since: Some(at("2024-09-02T11:59:00Z")), ..Memory::default() });
    let judged = judge_with(&unsure, &[]);
    assert!(
        judged.says.contains("sent at 13:59") && judged.says.ends_with("next attempt 14:03"),
        "{}",
        judged.says
    );
    let mut shared = explanation(told(Subject::WorkLog, &[]), vec![held(&[])], None);
    shared.sharing = vec![WorkLogUri::parse("http://x/work-logs/2").unwrap()];
    let judged = judge_with(&shared, &[]);
    assert_eq!(judged.verdict, Verdict::InSync);
    assert!(judged.help[0].contains("Another work log"), "{:?}", judged.help);
}
