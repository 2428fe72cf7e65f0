//! What the page tells of sweeps: on the overview, and in the table of what they found.

use super::*;
use crate::status;

#[tokio::test(start_paused = true)]
async fn a_sweep_tells_what_it_queued_and_what_it_deleted() {
    let moment = moment();
    let tell = |task, state| {
        let run = Job { findings: 3, ..a_run(task, state) };
        let orphan = Finding { action: Action::Delete, ..finding(Kind::Orphan, None) };
        let found = vec![
            (1, finding(Kind::Missing, None)),
            (2, orphan),
            (3, finding(Kind::Orphan, Some(Hold::Refused))),
        ];
        findings::Findings { found, ..findings::Findings::default() }.render(&run, &moment).into_string()
    };
    for (task, state, title, words) in [
        (
            Task::Plan(period()),
            crate::jobs::State::Done,
            "Planned action",
            [">Create a timesheet<", ">Delete the timesheet<"],
        ),
        (
            Task::Sweep(period()),
            crate::jobs::State::Done,
            "Action",
            [">Queued: create a timesheet<", ">Deleted<"],
        ),
        (
            Task::Sweep(period()),
            crate::jobs::State::Failed,
            "Intended action",
            [">Create a timesheet<", ">Delete the timesheet<"],
        ),
    ] {
        let html = tell(task, state);
        assert!(html.contains(&format!("columnheader\">{title}<")), "{title:?} is not in {html}");
        assert_eq!(html.matches(&format!("data-label=\"{title}\"")).count(), 3, "{html}");
        for words in words {
            assert!(html.contains(words), "{words:?} is not in {html}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_follows_what_it_queued_tells_how_much_of_it_has_come_through_and_what_it_found() {
    let moment = moment();
    let queued = Some(crate::jobs::Queued { total: 3_000, synced: 353, parked: 2 });
    let stand =
        Stand { phase: "syncing what was queued".into(), done: 355, total: Some(3_000), ..Stand::default() };
    let sweep = Job {
        queued,
        compared: Some(now()),
        held: 22,
        findings: 1,
        stand,
        ..a_run(Task::Sweep(period()), crate::jobs::State::Running)
    };
    let html = run::render(&sweep, &moment).into_string();
    let words = "353 of 3\u{202f}000 synced, 2 parked, 2\u{202f}645 waiting";
    assert!(
        html.contains(words) && html.contains("value=\"355\"") && html.contains("Cancel this run"),
        "{html}"
    );
    assert!(runs::card(std::slice::from_ref(&sweep), &moment).into_string().contains(words));
    let found = vec![(1, finding(Kind::Missing, None))];
    let found = findings::Findings { found, ..findings::Findings::default() };
    let html = found.render(&sweep, &moment).into_string();
    assert!(html.contains(">Queued: create a timesheet<") && !html.contains(" hidden"), "{html}");
    // What it held back needs somebody now, not only when the last of three thousand has come through.
    assert!(status::undone(&[sweep]).is_some());
}

#[test]
fn the_headline_tells_of_the_last_sweep_that_ended() {
    use crate::jobs::State as Stage;
    let sweep = |id, state, held| Job { id, held, ..a_run(Task::Sweep(period()), state) };
    let tell = |runs: &[Job], load: Load| {
        let status = Status { undone: status::undone(runs), ..standing(load) };
        overview::headline(&status, 0).into_string()
    };
    let idle = Load::default();
    let held = [sweep(9, Stage::Running, 0), sweep(8, Stage::Cancelled, 0), sweep(7, Stage::Done, 22)];
    let html = tell(&held, idle);
    assert!(html.contains("The last sweep held 22 deletions back") && html.contains("/run/7"), "{html}");
    assert!(html.contains("state warning") && !html.contains("Everything is synced"), "{html}");
    let html = tell(&[sweep(8, Stage::Failed, 0), sweep(7, Stage::Done, 0)], idle);
    assert!(html.contains("<span>The last sweep failed</span>") && html.contains("/run/8"), "{html}");
    let fixed =
        [Job { task: Task::Plan(period()), held: 3, ..sweep(9, Stage::Done, 3) }, sweep(8, Stage::Done, 0)];
    let html = tell(&[&fixed[..], &held[2..]].concat(), idle);
    assert!(html.contains("Everything is synced") && !html.contains("/run/"), "{html}");
    // What is exported stays, and needs nobody.
    let exported = Job { counts: [("work-logs".to_owned(), 5)].into(), ..sweep(7, Stage::Done, 22) };
    assert!(tell(&[exported], idle).contains("Everything is synced"));

    let load = |parked| Load { parked, ..Load::default() };
    let html = tell(&held, load(1));
    assert!(html.contains("1 work log needs") && html.contains("The last sweep held 22"), "{html}");
    assert!(!html.contains("Everything else"), "{html}");
    for (waiting, words) in [
        (0, "No work logs are waiting"),
        (1, "1 work log is waiting; syncing resumes automatically"),
        (2, "2 work logs are waiting"),
    ] {
        let status = Status { kimai: down(), ..standing(Load { queued: waiting, ..Load::default() }) };
        let html = overview::headline(&status, 0).into_string();
        assert!(html.contains(words), "{words:?} is not in {html}");
    }
}
