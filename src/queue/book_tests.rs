//! The laws of the queue, checked step by step against a model that is too simple to be wrong.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn work_log(number: u8) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/work-logs/{number}")).unwrap()
}

#[test]
fn ten_deltas_make_one_entry_due_at_the_earliest() {
    let mut book = Book::default();
    for second in [5, 3, 9, 3] {
        book.put(&work_log(1), Reason::Delta, at(second));
    }
    assert_eq!(book.lease(at(2)), None);
    assert_eq!(book.lease(at(3)).unwrap().work_log, work_log(1));
    assert_eq!(book.lease(at(99)), None, "one work log never runs twice at once");
}

#[test]
fn a_change_during_a_run_makes_one_more_run() {
    let mut book = Book::default();
    book.put(&work_log(1), Reason::Delta, at(0));
    let lease = book.lease(at(0)).unwrap();
    book.put(&work_log(1), Reason::Delta, at(2));
    book.put(&work_log(1), Reason::Delta, at(1));
    assert_eq!(book.lease(at(9)), None);
    book.settle(&lease, Outcome::Done);
    assert_eq!(book.lease(at(0)), None);
    let again = book.lease(at(1)).unwrap();
    book.settle(&again, Outcome::Done);
    assert_eq!(book.counts(), Counts::default());
}

#[test]
fn a_parked_entry_is_kept_and_shown_until_it_changes() {
    let mut book = Book::default();
    book.put(&work_log(1), Reason::Delta, at(0));
    let lease = book.lease(at(0)).unwrap();
    book.settle(&lease, Outcome::Parked { why: "no account".into() });
    assert_eq!(book.lease(at(i64::from(u32::MAX))), None);
    assert_eq!(book.parked(), [(work_log(1), "no account".to_owned())]);
    assert_eq!(book.wake_parked(Reason::Import, at(1)), 1);
    assert_eq!(book.lease(at(1)).unwrap().reason, Reason::Import);
}

#[test]
fn failed_runs_are_counted_until_the_work_log_changes() {
    let mut book = Book::default();
    book.put(&work_log(1), Reason::Delta, at(0));
    for attempts in 0..3 {
        let lease = book.lease(at(0)).unwrap();
        assert_eq!(lease.attempts, attempts);
        book.settle(&lease, Outcome::Later { at: at(0), why: "down".into(), counts: true });
    }
    assert_eq!(book.counts(), Counts { waiting: 1, retrying: 1, ..Counts::default() });
    book.put(&work_log(1), Reason::Delta, at(0));
    assert_eq!(book.lease(at(0)).unwrap().attempts, 0);
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, i64),
    Lease,
    /// Ends the nth open lease.
    Settle(usize, Outcome),
    Wait(i64),
    Wake,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        Just(Outcome::Done),
        (0..50i64).prop_map(|second| Outcome::Later { at: at(second), why: "later".into(), counts: true }),
        Just(Outcome::Parked { why: "parked".into() }),
    ];
    prop_oneof![
        4 => (0..6u8, 0..50i64).prop_map(|(number, due)| Step::Put(number, due)),
        4 => Just(Step::Lease),
        3 => (0..4usize, outcome).prop_map(|(nth, outcome)| Step::Settle(nth, outcome)),
        2 => (0..10i64).prop_map(Step::Wait),
        1 => Just(Step::Wake),
    ]
}

/// What the model knows of a work log: when it is due, and whether it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Modelled {
    due: Option<i64>,
    running: bool,
    parked: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_history_follows_the_model(steps in prop::collection::vec(step(), 0..200)) {
        let (mut book, mut model, mut open, mut now) =
            (Book::default(), BTreeMap::<WorkLogUri, Modelled>::new(), Vec::<Lease>::new(), 0);
        for step in steps {
            match step {
                Step::Put(number, due) => {
                    book.put(&work_log(number), Reason::Delta, at(due));
                    let entry = model.entry(work_log(number)).or_default();
                    entry.due = Some(entry.due.map_or(due, |earlier| earlier.min(due)));
                    entry.parked = false;
                }
                Step::Lease => {
                    let due = |entry: &Modelled| entry.due.is_some_and(|due| due <= now) && !entry.running;
                    let earliest = model.values().filter(|entry| due(entry)).filter_map(|entry| entry.due).min();
                    let lease = book.lease(at(now));
                    prop_assert_eq!(lease.is_some(), earliest.is_some());
                    if let Some(lease) = lease {
                        let entry = model.get_mut(&lease.work_log).unwrap();
                        prop_assert!(!entry.running, "leased twice");
                        prop_assert_eq!(entry.due, earliest);
                        *entry = Modelled { running: true, ..Modelled::default() };
                        open.push(lease);
                    }
                }
                Step::Settle(nth, outcome) if nth < open.len() => {
                    let lease = open.remove(nth);
                    let entry = model.get_mut(&lease.work_log).unwrap();
                    entry.running = false;
                    if entry.due.is_none() {
                        match &outcome {
                            Outcome::Done => {}
                            Outcome::Later { at, .. } => entry.due = Some(at.as_second()),
                            Outcome::Parked { .. } => entry.parked = true,
                        }
                    }
                    book.settle(&lease, outcome);
                }
                Step::Settle(..) => {}
                Step::Wait(seconds) => now += seconds,
                Step::Wake => {
                    let parked = model.values().filter(|entry| entry.parked).count();
                    prop_assert_eq!(book.wake_parked(Reason::Import, at(now)), parked);
                    for entry in model.values_mut().filter(|entry| entry.parked) {
                        *entry = Modelled { due: Some(now), ..Modelled::default() };
                    }
                }
            }
            let counts = book.counts();
            prop_assert_eq!(book.is_quiet(), counts.waiting == 0 && counts.running == 0);
            prop_assert_eq!(counts.running, model.values().filter(|entry| entry.running).count());
            prop_assert_eq!(counts.parked, model.values().filter(|entry| entry.parked).count());
            prop_assert_eq!(counts.waiting, model.values().filter(|entry| entry.due.is_some() && !entry.running).count());
        }
    }
}
