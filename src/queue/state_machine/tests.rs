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
struct Saved(Book);

impl Saved {
    fn put(&mut self, number: u8, due: i64) {
        self.put_as(number, Reason::Delta, false, due);
    }

    fn put_as(&mut self, number: u8, reason: Reason, removed: bool, due: i64) {
        self.0.put(&work_log(number), Wish { reason, removed, overwrite: false, due: at(due), now: at(0) });
        self.0.ended(true);
    }

    fn lease(&mut self, now: i64) -> Option<Lease> {
        self.0.lease(at(now), LEASE)
    }

    fn settle(&mut self, lease: &Lease, outcome: &Outcome) -> bool {
        let held = self.0.settle(&lease.work_log, lease.number, outcome, false).is_some();
        self.0.ended(true);
        held
    }
}

fn later(second: i64) -> Outcome {
    Outcome::Later { at: at(second), code: Code::KimaiUnavailable, why: "down".into(), counts: true }
}

#[test]
fn ten_deltas_make_one_entry_due_at_the_earliest() {
    let mut book = Saved::default();
    for second in [5, 3, 9, 3] {
        book.put(1, second);
    }
    assert_eq!(book.lease(2), None);
    assert_eq!(book.lease(3).unwrap().work_log, work_log(1));
    assert_eq!(book.lease(99), None, "one work log never runs twice at once");
}

#[test]
fn a_change_during_a_run_makes_one_more_run() {
    let mut book = Saved::default();
    book.put(1, 0);
    let lease = book.lease(0).unwrap();
    book.put(1, 2);
    book.put(1, 1);
    assert_eq!(book.lease(9), None);
    assert!(book.settle(&lease, &Outcome::done()));
    assert_eq!(book.lease(0), None);
    let again = book.lease(1).unwrap();
    assert!(book.settle(&again, &Outcome::done()));
    assert_eq!(book.0.counts(at(0)), Counts::default());
}

#[test]
fn a_parked_entry_is_kept_and_shown_until_it_changes() {
    let mut book = Saved::default();
    book.put(1, 0);
    let lease = book.lease(0).unwrap();
    book.settle(&lease, &Outcome::Parked { code: Code::NoAccount, why: "no account".into() });
    assert_eq!(book.lease(i64::from(u32::MAX)), None);
    let parked = book.0.entry(&work_log(1), at(0)).unwrap();
    assert_eq!((parked.state, parked.last_error.as_deref()), (State::Parked, Some("no account")));
    assert_eq!(book.0.wake_parked(Reason::Import, at(1)), 1);
    book.0.ended(true);
    assert_eq!(book.lease(1).unwrap().reason, Reason::Import);
}

#[test]
fn failed_runs_are_counted_until_the_work_log_changes() {
    let mut book = Saved::default();
    book.put(1, 0);
    for attempts in 0..3 {
        let lease = book.lease(0).unwrap();
        assert_eq!(lease.attempts, attempts);
        book.settle(&lease, &later(0));
    }
    assert_eq!(book.0.counts(at(0)), Counts { queued: 1, ..Counts::default() });
    book.put(1, 0);
    assert_eq!(book.lease(0).unwrap().attempts, 0);
}

#[test]
fn a_run_that_outlasts_its_lease_has_lost_it() {
    let mut book = Saved::default();
    book.put(1, 0);
    let slow = book.lease(0).unwrap();
    assert_eq!(book.0.next_event(), Some(at(100)), "a waiting worker looks again then");
    assert_eq!(book.0.expire(at(99)), []);
    assert_eq!(book.0.expire(at(100)), [work_log(1)]);
    assert!(!book.settle(&slow, &Outcome::done()), "even before it is given out again");
    let second = book.lease(100).unwrap();
    assert!(second.number > slow.number);
    assert!(!book.settle(&slow, &Outcome::Parked { code: Code::NoAccount, why: "late".into() }));
    assert_eq!(book.0.counts(at(0)), Counts { running: 1, ..Counts::default() });
    assert!(book.settle(&second, &Outcome::done()));
    assert!(!book.settle(&second, &Outcome::done()), "once only");
}

#[test]
fn a_lease_that_is_over_but_not_given_out_again_still_settles() {
    let mut book = Saved::default();
    book.put(1, 0);
    let lease = book.lease(0).unwrap();
    book.put(2, 500);
    assert!(book.settle(&lease, &Outcome::done()));
    assert_eq!(book.0.expire(at(1_000)), []);
}

#[test]
fn that_the_class_is_gone_is_kept_until_a_run_saw_it_gone() {
    for (shows_class, kept) in [(true, true), (false, false)] {
        let mut book = Saved::default();
        book.put_as(1, Reason::Delta, true, 0);
        let lease = book.lease(0).unwrap();
        book.put_as(1, Reason::Sweep, false, 1);
        assert!(book.0.settle(&lease.work_log, lease.number, &Outcome::done(), shows_class).is_some());
        book.0.ended(true);
        assert_eq!(book.0.entries.get(&work_log(1)).unwrap().row().removed, kept);
    }
}

#[test]
fn a_lease_is_given_back_also_while_a_later_transaction_has_its_entry() {
    let mut book = Saved::default();
    book.put(1, 0);
    let lease = book.lease(0).unwrap();
    assert!(book.0.settle(&lease.work_log, lease.number, &Outcome::done(), false).is_some());
    book.0.ended(false);
    // Before whoever settled is told, a delta names the same work log.
    book.0.put(
        &lease.work_log,
        Wish { reason: Reason::Delta, removed: false, overwrite: false, due: at(7), now: at(1) },
    );
    book.0.give_back(&lease.work_log, lease.number, at(5));
    assert_eq!(book.lease(9), None, "nothing that is not on disk is given out");
    book.0.ended(true);
    assert_eq!(book.lease(5).unwrap().work_log, lease.work_log);
}

/// The evidence of a removal serves one run that succeeds, and is not lost by one that fails.
#[test]
fn a_removal_stays_noted_until_a_run_has_settled_it() {
    let mut book = Saved::default();
    let noted = |book: &Saved| book.0.entries.get(&work_log(1)).map(|entry| entry.row().removed);
    book.put_as(1, Reason::Delta, true, 0);
    book.put(1, 0);
    let failed = book.lease(0).unwrap();
    book.settle(&failed, &later(0));
    assert_eq!(noted(&book), Some(true), "for the next run");
    let second = book.lease(0).unwrap();
    book.put(1, 0);
    book.settle(&second, &Outcome::done());
    assert_eq!(noted(&book), Some(false), "stale for the runs after");
    let third = book.lease(0).unwrap();
    book.put_as(1, Reason::Delta, true, 0);
    assert_eq!(noted(&book), Some(true), "on disk at once");
    book.settle(&third, &Outcome::done());
    assert_eq!(noted(&book), Some(true), "it came during the run");
}

#[test]
fn a_transaction_that_failed_leaves_everything_as_it_was() {
    let mut book = Saved::default();
    book.put(1, 5);
    book.put(2, 0);
    book.put(3, 0);
    let (second, third) = (book.lease(0).unwrap(), book.lease(0).unwrap());
    book.settle(&third, &Outcome::Parked { code: Code::NoAccount, why: "no account".into() });
    let entries = |book: &Saved| book.0.page(Filter::default(), None, 9, at(0));
    let before = entries(&book);

    let wish = Wish { reason: Reason::Sweep, removed: true, overwrite: false, due: at(1), now: at(9) };
    for number in [1, 2, 4] {
        book.0.put(&work_log(number), wish);
    }
    assert!(book.0.settle(&second.work_log, second.number, &Outcome::done(), false).is_some());
    book.0.wake_parked(Reason::Import, at(0));
    assert_eq!(book.lease(99), None, "nothing that is not on disk is given out");
    assert_eq!(book.0.changes().len(), 4);
    book.0.ended(false);
    assert_eq!(entries(&book), before);
    assert_eq!(book.0.counts(at(0)), Counts { scheduled: 1, running: 1, parked: 1, ..Counts::default() });
    assert!(book.settle(&second, &Outcome::done()), "the lease still holds");
    assert_eq!(book.lease(4), None);
    assert_eq!(book.lease(5).unwrap().work_log, work_log(1));
}

#[test]
fn what_changes_nothing_is_not_written() {
    let mut book = Saved::default();
    book.put(1, 3);
    book.0.put(
        &work_log(1),
        Wish { reason: Reason::Delta, removed: false, overwrite: false, due: at(7), now: at(1) },
    );
    assert_eq!(book.0.changes(), []);
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let mut book = Saved::default();
    for number in 0..9 {
        book.put(number, i64::from(number));
    }
    let first = book.0.page(State::Queued.into(), None, 3, at(4));
    let second = book.0.page(State::Queued.into(), Some(&first[2].work_log), 3, at(4));
    let names: Vec<_> = first.iter().chain(&second).map(|entry| entry.work_log.clone()).collect();
    assert_eq!(names, [0, 1, 2, 3, 4].map(work_log));
    assert_eq!(book.0.page(State::Scheduled.into(), None, 9, at(4)).len(), 4);
    assert_eq!(book.0.page(State::Parked.into(), None, 9, at(4)), []);
}

fn numbered(number: usize) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/work-logs/{number}")).unwrap()
}

#[test]
fn somebody_who_changes_a_work_log_does_not_wait_for_a_sweep_of_10_000() {
    let mut book = Saved::default();
    let wish = |reason| Wish { reason, removed: false, overwrite: false, due: at(0), now: at(0) };
    for number in 0..10_000 {
        book.0.put(&numbered(number), wish(Reason::Sweep));
    }
    book.0.ended(true);
    assert_eq!(book.lease(0).unwrap().reason, Reason::Sweep);
    // One nobody knew of, and one that the sweep had queued behind all others.
    for changed in [20_000, 9_999] {
        book.0.put(&numbered(changed), wish(Reason::Delta));
        book.0.ended(true);
        assert_eq!(book.lease(0).unwrap().work_log, numbered(changed));
    }
}

#[test]
fn a_stream_of_changes_does_not_keep_a_sweep_from_its_end() {
    let mut book = Saved::default();
    for number in 0..20 {
        book.put_as(number, Reason::Import, false, 0);
    }
    for number in 100..200 {
        book.put(number, 0);
    }
    let leases: Vec<bool> = (0..100).map(|_| book.lease(0).unwrap().reason.is_fresh()).collect();
    for window in leases.windows(8) {
        assert_eq!(window.iter().filter(|fresh| !**fresh).count(), 1, "{leases:?}");
    }
}

#[test]
fn changes_while_nothing_else_waits_are_not_counted_against_the_next() {
    let mut book = Saved::default();
    for number in 0..20 {
        book.put(number, 0);
        book.lease(0).unwrap();
    }
    book.put_as(100, Reason::Daily, false, 0);
    book.put(101, 0);
    assert_eq!(book.lease(0).unwrap().work_log, work_log(101));
}

#[test]
fn what_is_fresh_stays_so_until_it_has_run() {
    let mut book = Saved::default();
    let fresh = |book: &Saved, number| book.0.entry(&work_log(number), at(0)).unwrap().reason.is_fresh();
    book.put_as(1, Reason::Sweep, false, 5);
    assert!(!fresh(&book, 1));
    book.put_as(1, Reason::Request, false, 9);
    book.put_as(1, Reason::Sweep, false, 7);
    assert!(fresh(&book, 1));
    let lease = book.lease(5).expect("at the earliest any of them asked");
    book.settle(&lease, &later(6));
    assert!(fresh(&book, 1), "so is the retry of its run");
    book.put_as(2, Reason::Sweep, false, 0);
    let lease = book.lease(0).unwrap();
    book.settle(&lease, &later(6));
    assert!(!fresh(&book, 2), "and that of the background is of the background");
    assert_eq!(book.lease(6).unwrap().work_log, work_log(1));
}

#[test]
fn leave_to_overwrite_is_for_one_try_and_for_whom_it_was_asked() {
    let exported = || Outcome::Parked { code: Code::TimesheetExported, why: "exported".into() };
    let mut book = Saved::default();
    for number in [1, 2, 3] {
        book.put(number, 0);
    }
    for _ in 0..3 {
        let lease = book.lease(0).unwrap();
        assert!(!lease.overwrite);
        let other = Outcome::Parked { code: Code::NoAccount, why: "no account".into() };
        book.settle(&lease, &if lease.work_log == work_log(3) { other } else { exported() });
    }
    // One of them, by name: what fails for a while keeps its leave, what fails for good has used it up.
    let wish = Wish { reason: Reason::Request, removed: false, overwrite: true, due: at(1), now: at(1) };
    book.0.put(&work_log(1), wish);
    book.0.ended(true);
    let lease = book.lease(1).unwrap();
    assert_eq!((&lease.work_log, lease.overwrite), (&work_log(1), true));
    book.settle(&lease, &later(2));
    let lease = book.lease(2).unwrap();
    assert!(lease.overwrite);
    book.settle(&lease, &exported());
    assert_eq!(book.0.wake_parked(Reason::Daily, at(3)), 3);
    book.0.ended(true);
    while let Some(lease) = book.lease(3) {
        assert!(!lease.overwrite, "{lease:?}");
        let other = Outcome::Parked { code: Code::NoAccount, why: "no account".into() };
        book.settle(&lease, &if lease.work_log == work_log(3) { other } else { exported() });
    }
    // All of them, and no others.
    assert_eq!(book.0.overwrite_exported(at(4)), 2);
    book.0.ended(true);
    for number in [1, 2] {
        let lease = book.lease(4).unwrap();
        assert_eq!((&lease.work_log, lease.overwrite), (&work_log(number), true));
        book.settle(&lease, &Outcome::done());
    }
    assert_eq!(book.lease(4), None);
}

#[test]
fn leave_to_overwrite_that_is_asked_for_during_a_run_is_the_next_runs() {
    let mut book = Saved::default();
    book.put(1, 0);
    let lease = book.lease(0).unwrap();
    let wish = Wish { reason: Reason::Request, removed: false, overwrite: true, due: at(0), now: at(0) };
    book.0.put(&work_log(1), wish);
    book.0.ended(true);
    let row = book.0.entry(&work_log(1), at(0)).map(|entry| entry.state);
    assert_eq!(row, Some(State::Running));
    book.settle(&lease, &Outcome::Parked { code: Code::TimesheetExported, why: "exported".into() });
    assert!(book.lease(0).unwrap().overwrite);
}
