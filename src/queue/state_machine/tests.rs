//! What the book does with one work log, case by case. Whole histories are in `history_tests.rs`.

use super::*;
use crate::domain::Code;
use crate::queue::State;

const LEASE: Duration = Duration::from_secs(100);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn work_log(number: u8) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/work-logs/{number}")).unwrap()
}

/// A book whose every transaction reaches the disk.
#[derive(Default)]
struct Saved(StateMachine);

impl Saved {
    fn put(&mut self, number: u8, due: i64) {
        self.put_as(number, Reason::Delta, false, due);
    }

    fn put_as(&mut self, number: u8, reason: Reason, removed: bool, due: i64) {
        self.0
            .put(&work_log(number), Request { reason, removed, overwrite: false, due: at(due), now: at(0) });
        self.0.ended(true);
    }

    fn lease(&mut self, now: i64) -> Option<Lease> {
        self.0.lease(at(now), LEASE)
    }

    fn complete(&mut self, lease: &Lease, outcome: &Outcome) -> bool {
        let held = self.0.complete(&lease.work_log, lease.number, outcome, false).is_some();
        self.0.ended(true);
        held
    }
}

fn later(second: i64) -> Outcome {
    Outcome::Later { at: at(second), code: Code::KimaiUnavailable, why: "down".into(), counts: true }
}

#[test]
fn ten_deltas_make_one_entry_due_at_the_earliest() {
    let mut machine = Saved::default();
    for second in [5, 3, 9, 3] {
        machine.put(1, second);
    }
    assert_eq!(machine.lease(2), None);
    assert_eq!(machine.lease(3).unwrap().work_log, work_log(1));
    assert_eq!(machine.lease(99), None, "one work log never runs twice at once");
}

#[test]
fn a_change_during_a_run_makes_one_more_run() {
    let mut machine = Saved::default();
    machine.put(1, 0);
    let lease = machine.lease(0).unwrap();
    machine.put(1, 2);
    machine.put(1, 1);
    assert_eq!(machine.lease(9), None);
    assert!(machine.complete(&lease, &Outcome::done()));
    assert_eq!(machine.lease(0), None);
    let again = machine.lease(1).unwrap();
    assert!(machine.complete(&again, &Outcome::done()));
    assert_eq!(machine.0.counts(at(0)), Counts::default());
}

#[test]
fn a_parked_entry_is_kept_and_shown_until_it_changes() {
    let mut machine = Saved::default();
    machine.put(1, 0);
    let lease = machine.lease(0).unwrap();
    machine.complete(&lease, &Outcome::Parked { code: Code::NoAccount, why: "no account".into() });
    assert_eq!(machine.lease(i64::from(u32::MAX)), None);
    let parked = machine.0.entry(&work_log(1), at(0)).unwrap();
    assert_eq!((parked.state, parked.last_error.as_deref()), (State::Parked, Some("no account")));
    assert_eq!(machine.0.wake_parked(Reason::Import, at(1)), 1);
    machine.0.ended(true);
    assert_eq!(machine.lease(1).unwrap().reason, Reason::Import);
}

#[test]
fn failed_runs_are_counted_until_the_work_log_changes() {
    let mut machine = Saved::default();
    machine.put(1, 0);
    for attempts in 0..3 {
        let lease = machine.lease(0).unwrap();
        assert_eq!(lease.attempts, attempts);
        machine.complete(&lease, &later(0));
    }
    assert_eq!(machine.0.counts(at(0)), Counts { queued: 1, ..Counts::default() });
    machine.put(1, 0);
    assert_eq!(machine.lease(0).unwrap().attempts, 0);
}

#[test]
fn a_run_that_outlasts_its_lease_has_lost_it() {
    let mut machine = Saved::default();
    machine.put(1, 0);
    let slow = machine.lease(0).unwrap();
    assert_eq!(machine.0.next_event(), Some(at(100)), "a waiting worker looks again then");
    assert_eq!(machine.0.expire(at(99)), []);
    assert_eq!(machine.0.expire(at(100)), [work_log(1)]);
    assert!(!machine.complete(&slow, &Outcome::done()), "even before it is given out again");
    let second = machine.lease(100).unwrap();
    assert!(second.number > slow.number);
    assert!(!machine.complete(&slow, &Outcome::Parked { code: Code::NoAccount, why: "late".into() }));
    assert_eq!(machine.0.counts(at(0)), Counts { running: 1, ..Counts::default() });
    assert!(machine.complete(&second, &Outcome::done()));
    assert!(!machine.complete(&second, &Outcome::done()), "once only");
}

#[test]
fn a_lease_that_is_over_but_not_given_out_again_still_settles() {
    let mut machine = Saved::default();
    machine.put(1, 0);
    let lease = machine.lease(0).unwrap();
    machine.put(2, 500);
    assert!(machine.complete(&lease, &Outcome::done()));
    assert_eq!(machine.0.expire(at(1_000)), []);
}

#[test]
fn that_the_class_is_gone_is_kept_until_a_run_saw_it_gone() {
    for (shows_class, kept) in [(true, true), (false, false)] {
        let mut machine = Saved::default();
        machine.put_as(1, Reason::Delta, true, 0);
        let lease = machine.lease(0).unwrap();
        machine.put_as(1, Reason::Sweep, false, 1);
        assert!(machine.0.complete(&lease.work_log, lease.number, &Outcome::done(), shows_class).is_some());
        machine.0.ended(true);
        assert_eq!(machine.0.entries.get(&work_log(1)).unwrap().row().removed, kept);
    }
}

#[test]
fn a_lease_is_given_back_also_while_a_later_transaction_has_its_entry() {
    let mut machine = Saved::default();
    machine.put(1, 0);
    let lease = machine.lease(0).unwrap();
    assert!(machine.0.complete(&lease.work_log, lease.number, &Outcome::done(), false).is_some());
    machine.0.ended(false);
    // Before whoever settled is told, a delta names the same work log.
    machine.0.put(
        &lease.work_log,
        Request { reason: Reason::Delta, removed: false, overwrite: false, due: at(7), now: at(1) },
    );
    machine.0.give_back(&lease.work_log, lease.number, at(5));
    assert_eq!(machine.lease(9), None, "nothing that is not on disk is given out");
    machine.0.ended(true);
    assert_eq!(machine.lease(5).unwrap().work_log, lease.work_log);
}

/// The evidence of a removal serves one run that succeeds, and is not lost by one that fails.
#[test]
fn a_removal_stays_noted_until_a_run_has_settled_it() {
    let mut machine = Saved::default();
    let noted = |machine: &Saved| machine.0.entries.get(&work_log(1)).map(|entry| entry.row().removed);
    machine.put_as(1, Reason::Delta, true, 0);
    machine.put(1, 0);
    let failed = machine.lease(0).unwrap();
    machine.complete(&failed, &later(0));
    assert_eq!(noted(&machine), Some(true), "for the next run");
    let second = machine.lease(0).unwrap();
    machine.put(1, 0);
    machine.complete(&second, &Outcome::done());
    assert_eq!(noted(&machine), Some(false), "stale for the runs after");
    let third = machine.lease(0).unwrap();
    machine.put_as(1, Reason::Delta, true, 0);
    assert_eq!(noted(&machine), Some(true), "on disk at once");
    machine.complete(&third, &Outcome::done());
    assert_eq!(noted(&machine), Some(true), "it came during the run");
}

#[test]
fn a_transaction_that_failed_leaves_everything_as_it_was() {
    let mut machine = Saved::default();
    machine.put(1, 5);
    machine.put(2, 0);
    machine.put(3, 0);
    let (second, third) = (machine.lease(0).unwrap(), machine.lease(0).unwrap());
    machine.complete(&third, &Outcome::Parked { code: Code::NoAccount, why: "no account".into() });
    let entries = |machine: &Saved| machine.0.page(Filter::default(), None, 9, at(0));
    let before = entries(&machine);

    let request = Request { reason: Reason::Sweep, removed: true, overwrite: false, due: at(1), now: at(9) };
    for number in [1, 2, 4] {
        machine.0.put(&work_log(number), request);
    }
    assert!(machine.0.complete(&second.work_log, second.number, &Outcome::done(), false).is_some());
    machine.0.wake_parked(Reason::Import, at(0));
    assert_eq!(machine.lease(99), None, "nothing that is not on disk is given out");
    assert_eq!(machine.0.changes().len(), 4);
    machine.0.ended(false);
    assert_eq!(entries(&machine), before);
    assert_eq!(machine.0.counts(at(0)), Counts { scheduled: 1, running: 1, parked: 1, ..Counts::default() });
    assert!(machine.complete(&second, &Outcome::done()), "the lease still holds");
    assert_eq!(machine.lease(4), None);
    assert_eq!(machine.lease(5).unwrap().work_log, work_log(1));
}

#[test]
fn what_changes_nothing_is_not_written() {
    let mut machine = Saved::default();
    machine.put(1, 3);
    machine.0.put(
        &work_log(1),
        Request { reason: Reason::Delta, removed: false, overwrite: false, due: at(7), now: at(1) },
    );
    assert_eq!(machine.0.changes(), []);
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let mut machine = Saved::default();
    for number in 0..9 {
        machine.put(number, i64::from(number));
    }
    let first = machine.0.page(State::Queued.into(), None, 3, at(4));
    let second = machine.0.page(State::Queued.into(), Some(&first[2].work_log), 3, at(4));
    let names: Vec<_> = first.iter().chain(&second).map(|entry| entry.work_log.clone()).collect();
    assert_eq!(names, [0, 1, 2, 3, 4].map(work_log));
    assert_eq!(machine.0.page(State::Scheduled.into(), None, 9, at(4)).len(), 4);
    assert_eq!(machine.0.page(State::Parked.into(), None, 9, at(4)), []);
}

fn numbered(number: usize) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/work-logs/{number}")).unwrap()
}

#[test]
fn somebody_who_changes_a_work_log_does_not_wait_for_a_sweep_of_10_000() {
    let mut machine = Saved::default();
    let request = |reason| Request { reason, removed: false, overwrite: false, due: at(0), now: at(0) };
    for number in 0..10_000 {
        machine.0.put(&numbered(number), request(Reason::Sweep));
    }
    machine.0.ended(true);
    assert_eq!(machine.lease(0).unwrap().reason, Reason::Sweep);
    // One nobody knew of, and one that the sweep had queued behind all others.
    for changed in [20_000, 9_999] {
        machine.0.put(&numbered(changed), request(Reason::Delta));
        machine.0.ended(true);
        assert_eq!(machine.lease(0).unwrap().work_log, numbered(changed));
    }
}

#[test]
fn a_stream_of_changes_does_not_keep_a_sweep_from_its_end() {
    let mut machine = Saved::default();
    for number in 0..20 {
        machine.put_as(number, Reason::Import, false, 0);
    }
    for number in 100..200 {
        machine.put(number, 0);
    }
    let leases: Vec<bool> = (0..100).map(|_| machine.lease(0).unwrap().reason.is_fresh()).collect();
    for window in leases.windows(8) {
        assert_eq!(window.iter().filter(|fresh| !**fresh).count(), 1, "{leases:?}");
    }
}

#[test]
fn changes_while_nothing_else_waits_are_not_counted_against_the_next() {
    let mut machine = Saved::default();
    for number in 0..20 {
        machine.put(number, 0);
        machine.lease(0).unwrap();
    }
    machine.put_as(100, Reason::Daily, false, 0);
    machine.put(101, 0);
    assert_eq!(machine.lease(0).unwrap().work_log, work_log(101));
}

#[test]
fn what_is_fresh_stays_so_until_it_has_run() {
    let mut machine = Saved::default();
    let fresh =
        |machine: &Saved, number| machine.0.entry(&work_log(number), at(0)).unwrap().reason.is_fresh();
    machine.put_as(1, Reason::Sweep, false, 5);
    assert!(!fresh(&machine, 1));
    machine.put_as(1, Reason::Request, false, 9);
    machine.put_as(1, Reason::Sweep, false, 7);
    assert!(fresh(&machine, 1));
    let lease = machine.lease(5).expect("at the earliest any of them asked");
    machine.complete(&lease, &later(6));
    assert!(fresh(&machine, 1), "so is the retry of its run");
    machine.put_as(2, Reason::Sweep, false, 0);
    let lease = machine.lease(0).unwrap();
    machine.complete(&lease, &later(6));
    assert!(!fresh(&machine, 2), "and that of the background is of the background");
    assert_eq!(machine.lease(6).unwrap().work_log, work_log(1));
}

#[test]
fn leave_to_overwrite_is_for_one_try_and_for_whom_it_was_asked() {
    let exported = || Outcome::Parked { code: Code::TimesheetExported, why: "exported".into() };
    let mut machine = Saved::default();
    for number in [1, 2, 3] {
        machine.put(number, 0);
    }
    for _ in 0..3 {
        let lease = machine.lease(0).unwrap();
        assert!(!lease.overwrite);
        let other = Outcome::Parked { code: Code::NoAccount, why: "no account".into() };
        machine.complete(&lease, &if lease.work_log == work_log(3) { other } else { exported() });
    }
    // One of them, by name: what fails for a while keeps its leave, what fails for good has used it up.
    let request =
        Request { reason: Reason::Request, removed: false, overwrite: true, due: at(1), now: at(1) };
    machine.0.put(&work_log(1), request);
    machine.0.ended(true);
    let lease = machine.lease(1).unwrap();
    assert_eq!((&lease.work_log, lease.overwrite), (&work_log(1), true));
    machine.complete(&lease, &later(2));
    let lease = machine.lease(2).unwrap();
    assert!(lease.overwrite);
    machine.complete(&lease, &exported());
    assert_eq!(machine.0.wake_parked(Reason::Daily, at(3)), 3);
    machine.0.ended(true);
    while let Some(lease) = machine.lease(3) {
        assert!(!lease.overwrite, "{lease:?}");
        let other = Outcome::Parked { code: Code::NoAccount, why: "no account".into() };
        machine.complete(&lease, &if lease.work_log == work_log(3) { other } else { exported() });
    }
    // All of them, and no others.
    assert_eq!(machine.0.overwrite_exported(at(4)), 2);
    machine.0.ended(true);
    for number in [1, 2] {
        let lease = machine.lease(4).unwrap();
        assert_eq!((&lease.work_log, lease.overwrite), (&work_log(number), true));
        machine.complete(&lease, &Outcome::done());
    }
    assert_eq!(machine.lease(4), None);
}

#[test]
fn leave_to_overwrite_that_is_asked_for_during_a_run_is_the_next_runs() {
    let mut machine = Saved::default();
    machine.put(1, 0);
    let lease = machine.lease(0).unwrap();
    let request =
        Request { reason: Reason::Request, removed: false, overwrite: true, due: at(0), now: at(0) };
    machine.0.put(&work_log(1), request);
    machine.0.ended(true);
    let row = machine.0.entry(&work_log(1), at(0)).map(|entry| entry.state);
    assert_eq!(row, Some(State::Running));
    machine.complete(&lease, &Outcome::Parked { code: Code::TimesheetExported, why: "exported".into() });
    assert!(machine.lease(0).unwrap().overwrite);
}
