//! The laws of the queue, checked step by step against a model that is too simple to be wrong: in memory,
//! and on file with crashes in between.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use super::*;

/// How long a lease lasts here, in seconds.
const LEASE: i64 = 20;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn work_log(number: u8) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/work-logs/{number}")).unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    /// Work logs, whether they lost their class, and when they are due.
    Put(Vec<(u8, bool)>, i64),
    Lease,
    /// Ends the nth lease that is out, in time or not.
    Settle(usize, Outcome),
    Wait(i64),
    Wake,
    /// The next write finds the disk full.
    Full,
    /// kill -9, and started again.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        Just(Outcome::Done),
        (0..50i64).prop_map(|second| Outcome::Later { at: at(second), why: "later".into(), counts: true }),
        Just(Outcome::Parked { why: "parked".into() }),
    ];
    let named = prop::collection::vec((0..6u8, any::<bool>()), 1..3);
    prop_oneof![
        8 => (named, 0..50i64).prop_map(|(named, due)| Step::Put(named, due)),
        8 => Just(Step::Lease),
        6 => (0..4usize, outcome).prop_map(|(nth, outcome)| Step::Settle(nth, outcome)),
        4 => (0..12i64).prop_map(Step::Wait),
        2 => Just(Step::Wake),
        1 => Just(Step::Full),
        1 => Just(Step::Crash),
    ]
}

/// What the model knows of a work log in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Modelled {
    /// When it is to be run next; during a run, when it is to be run again.
    due: Option<i64>,
    running: Option<Run>,
    removed: bool,
    removed_again: bool,
    attempts: u32,
    failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    number: u64,
    until: i64,
    /// What it was due for.
    due: i64,
}

#[derive(Debug, Default)]
struct Model {
    entries: BTreeMap<WorkLogUri, Modelled>,
    now: i64,
    full: bool,
}

impl Model {
    /// Leases end, seen by whoever looks for work.
    fn expire(&mut self) {
        let now = self.now;
        for entry in self.entries.values_mut() {
            if let Some(run) = entry.running.filter(|run| run.until <= now) {
                Self::rerun(entry, run.until);
            }
        }
    }

    fn rerun(entry: &mut Modelled, at: i64) {
        entry.due = Some(entry.due.map_or(at, |due| due.min(at)));
        entry.running = None;
        entry.removed |= std::mem::take(&mut entry.removed_again);
    }

    fn put(&mut self, named: &[(u8, bool)], due: i64) {
        for (number, removed) in named {
            let entry = self.entries.entry(work_log(*number)).or_default();
            entry.due = Some(entry.due.map_or(due, |earlier| earlier.min(due)));
            entry.attempts = 0;
            let removed_now =
                if entry.running.is_some() { &mut entry.removed_again } else { &mut entry.removed };
            *removed_now |= removed;
        }
    }

    fn settle(&mut self, work_log: &WorkLogUri, outcome: &Outcome) {
        let entry = self.entries.get_mut(work_log).unwrap();
        let changed = entry.due.is_some();
        entry.running = None;
        entry.failed = *outcome != Outcome::Done;
        entry.removed = std::mem::take(&mut entry.removed_again) || (entry.removed && entry.failed);
        match outcome {
            _ if changed => {}
            Outcome::Done => drop(self.entries.remove(work_log)),
            Outcome::Later { at, .. } => {
                entry.attempts += 1;
                entry.due = Some(at.as_second());
            }
            Outcome::Parked { .. } => {}
        }
    }

    fn crash(&mut self) {
        for entry in self.entries.values_mut() {
            if let Some(run) = entry.running {
                Self::rerun(entry, run.due);
            }
        }
    }
}

/// A queue under test, and what has to be done to restart it.
struct Subject {
    queue: Durable,
    storage: Storage,
    clock: Clock,
    home: Option<TempDir>,
}

impl Subject {
    fn open(home: Option<TempDir>, clock: Clock) -> Self {
        let storage = match &home {
            Some(home) => Storage::open_single(home.path()),
            None => Storage::in_memory(),
        };
        let storage = storage.unwrap();
        let queue = Durable::open(storage.clone(), clock.clone()).unwrap();
        let queue = queue.with_lease(Duration::from_secs(LEASE.unsigned_abs()));
        Self { queue, storage, clock, home }
    }

    /// Takes the files as they lie there, without a word to the process that has them open.
    fn crash(self) -> Self {
        let Some(home) = &self.home else { return self };
        Self::open(Some(snapshot(home.path())), self.clock.clone())
    }

    /// Makes writes fail, or not.
    fn full(&self, full: bool) {
        let statement = if full {
            "CREATE TEMP TRIGGER full BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no space'); END;
             CREATE TEMP TRIGGER full2 BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'no space'); END"
        } else {
            "DROP TRIGGER IF EXISTS full; DROP TRIGGER IF EXISTS full2"
        };
        self.storage.write_now(move |file| file.execute_batch(statement)).unwrap();
    }
}

/// A folder in memory if there is one: the laws do not depend on how long a disk takes.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

fn snapshot(from: &Path) -> TempDir {
    let to = folder();
    for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
        let name: PathBuf = to.path().join(file.file_name().unwrap());
        std::fs::copy(&file, name).unwrap();
    }
    to
}

/// What a queue shows of a work log, to be compared.
type Shown = (WorkLogUri, State, Option<i64>, u32, bool);

async fn shown(queue: &Durable) -> Vec<Shown> {
    let entries = queue.page(None, None, usize::MAX).await.unwrap();
    let show = |entry: Entry| {
        let due = entry.due.filter(|_| entry.state != State::Running);
        (
            entry.work_log,
            entry.state,
            due.map(Timestamp::as_second),
            entry.attempts,
            entry.last_error.is_some(),
        )
    };
    entries.into_iter().map(show).collect()
}

fn expected(model: &Model) -> Vec<Shown> {
    let show = |(work_log, entry): (&WorkLogUri, &Modelled)| {
        let state = match (entry.running, entry.due) {
            (Some(_), _) => State::Running,
            (None, Some(due)) if due <= model.now => State::Due,
            (None, Some(_)) => State::Waiting,
            (None, None) => State::Parked,
        };
        let due = entry.due.filter(|_| state != State::Running);
        (work_log.clone(), state, due, entry.attempts, entry.failed)
    };
    model.entries.iter().map(show).collect()
}

/// What the file says of removals, as the ledger reads it.
fn noted(storage: &Storage) -> Vec<String> {
    let read = |file: &Connection| {
        file.prepare_cached("SELECT work_log FROM entry WHERE removed ORDER BY work_log")?
            .query_map([], |row| row.get(0))?
            .collect()
    };
    storage.write_now(read).unwrap()
}

/// One lease, if any is due; nothing is waited for.
async fn lease_now(queue: &Durable) -> Option<Lease> {
    tokio::select! {
        biased;
        lease = queue.lease() => Some(lease.unwrap()),
        () = std::future::ready(()) => None,
    }
}

async fn follow(steps: Vec<Step>, home: Option<TempDir>) -> Result<(), TestCaseError> {
    let clock = Clock::starting_at(at(0), TimeZone::UTC);
    let mut subject = Subject::open(home, clock);
    let (mut model, mut open) = (Model::default(), Vec::<Lease>::new());
    for step in steps {
        match step {
            Step::Put(named, due) => {
                // Of one that is named twice, either removal counts.
                let mut found = BTreeMap::new();
                named
                    .iter()
                    .for_each(|(number, removed)| *found.entry(work_log(*number)).or_default() |= removed);
                let taken = subject.queue.put_named(&found, at(due)).await;
                if taken.is_ok() {
                    model.put(&named, due);
                }
                prop_assert!(taken.is_ok() || model.full);
            }
            Step::Lease if !model.full => {
                model.expire();
                let due =
                    |entry: &Modelled| entry.due.filter(|due| *due <= model.now && entry.running.is_none());
                let earliest = model.entries.values().filter_map(due).min();
                let lease = lease_now(&subject.queue).await;
                prop_assert_eq!(lease.is_some(), earliest.is_some());
                if let (Some(lease), Some(earliest)) = (lease, earliest) {
                    let entry = model.entries.get_mut(&lease.work_log).unwrap();
                    prop_assert_eq!((entry.due, entry.running), (Some(earliest), None), "leased twice");
                    prop_assert_eq!(lease.attempts, entry.attempts);
                    prop_assert!(open.iter().all(|earlier| earlier.number < lease.number));
                    let run = Run { number: lease.number, until: model.now + LEASE, due: earliest };
                    (entry.due, entry.running) = (None, Some(run));
                    open.push(lease);
                }
            }
            Step::Settle(nth, outcome) if nth < open.len() => {
                let lease = open.remove(nth);
                let (work_log, number) = (lease.work_log.clone(), lease.number);
                let running = model.entries.get(&work_log).and_then(|entry| entry.running);
                let holds = running.is_some_and(|run| run.number == number);
                match subject.queue.settle(lease, outcome.clone()).await {
                    Ok(()) => {
                        prop_assert!(holds, "an old lease settled something");
                        model.settle(&work_log, &outcome);
                    }
                    Err(QueueFault::Overrun(_)) => prop_assert!(!holds),
                    Err(fault) => {
                        prop_assert!(model.full, "{}", fault);
                        if holds {
                            let again = model.now + 5;
                            Model::rerun(model.entries.get_mut(&work_log).unwrap(), again);
                        }
                    }
                }
            }
            Step::Wait(seconds) => {
                model.now += seconds;
                tokio::time::advance(Duration::from_secs(seconds.unsigned_abs())).await;
            }
            Step::Wake => {
                let parked = |entry: &&mut Modelled| entry.due.is_none() && entry.running.is_none();
                let asleep = model.entries.values_mut().filter(parked);
                match subject.queue.wake_parked(Reason::Import).await {
                    Ok(woken) => {
                        let now = model.now;
                        let awake = asleep.map(|entry| (entry.due, entry.attempts) = (Some(now), 0)).count();
                        prop_assert_eq!(woken, awake);
                    }
                    Err(_) => prop_assert!(model.full),
                }
            }
            Step::Full => {
                model.full = !model.full;
                subject.full(model.full);
                if !model.full {
                    subject.storage.probe().await.unwrap();
                }
            }
            Step::Crash if subject.home.is_some() => {
                subject = subject.crash();
                // What was put off in memory alone is due as the file says.
                let saved = shown(&subject.queue).await;
                model.crash();
                for (work_log, _, due, ..) in &saved {
                    let entry = model.entries.get_mut(work_log).unwrap();
                    prop_assert_eq!(due.is_some(), entry.due.is_some(), "parked or not");
                    prop_assert!(*due <= entry.due);
                    entry.due = *due;
                }
                model.full = false;
                open.clear();
            }
            Step::Settle(..) | Step::Lease | Step::Crash => {}
        }
        prop_assert_eq!(shown(&subject.queue).await, expected(&model));
        let removed = model.entries.iter().filter(|(_, entry)| entry.removed || entry.removed_again);
        let removed: Vec<_> = removed.map(|(work_log, _)| work_log.to_string()).collect();
        prop_assert_eq!(noted(&subject.storage), removed);
        let counts = subject.queue.counts().await.unwrap();
        let running = model.entries.values().filter(|entry| entry.running.is_some()).count();
        prop_assert_eq!(counts.running, running);
    }
    Ok(())
}

fn every_history(cases: u32, home: fn() -> Option<TempDir>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let config = Config { cases, source_file: Some(file!()), ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 0..200), |steps| runtime.block_on(follow(steps, home())))
        .unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn every_history_in_memory_follows_the_model() {
    every_history(500, || None);
}

#[test]
fn every_history_on_file_follows_the_model_through_crashes() {
    every_history(2_000, || Some(folder()));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_is_woken_by_an_earlier_entry() {
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC);
    let queue = Durable::open(Storage::in_memory().unwrap(), clock.clone()).unwrap();
    queue.put(&[work_log(1)], Reason::Delta, clock.after(Duration::from_hours(1))).await.unwrap();
    let add = async {
        tokio::task::yield_now().await;
        queue.put(&[work_log(2)], Reason::Delta, clock.after(Duration::from_secs(2))).await
    };
    let (lease, added) = tokio::join!(queue.lease(), add);
    added.unwrap();
    assert_eq!(lease.unwrap().work_log, work_log(2));
    assert_eq!(clock.now().as_second(), 2, "not before it is due, and not an hour later");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_gets_what_another_one_has_kept_too_long() {
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC);
    let queue = Durable::open(Storage::in_memory().unwrap(), clock.clone()).unwrap();
    queue.put(&[work_log(1)], Reason::Delta, clock.now()).await.unwrap();
    let slow = queue.lease().await.unwrap();
    let second = queue.lease().await.unwrap();
    assert_eq!((second.work_log.clone(), clock.now()), (work_log(1), slow.until));
    assert_eq!(
        queue.settle(slow, Outcome::Done).await,
        Err(QueueFault::Overrun(second.until - super::LEASE))
    );
    queue.settle(second, Outcome::Done).await.unwrap();
}

#[tokio::test]
async fn the_last_twenty_runs_are_remembered_and_outlive_the_entry() {
    let folder = folder();
    let open = || {
        let clock = Clock::starting_at(at(0), TimeZone::UTC);
        Durable::open(Storage::open(folder.path()).unwrap(), clock).unwrap()
    };
    let queue = open();
    for number in [1, 2] {
        queue.put(&[work_log(number)], Reason::Delta, at(0)).await.unwrap();
    }
    for run in 0..25 {
        let lease = queue.lease().await.unwrap();
        let outcome = match (lease.work_log == work_log(2), run) {
            (true, _) => Outcome::Parked { why: "no account".into() },
            (false, 24) => Outcome::Done,
            (false, _) => Outcome::Later { at: at(0), why: format!("run {run}"), counts: true },
        };
        queue.settle(lease, outcome).await.unwrap();
    }
    drop(queue);
    let queue = open();
    assert_eq!(queue.entry(&work_log(1)).await.unwrap(), None);
    let history = queue.history(&work_log(1)).await.unwrap();
    assert_eq!(history.len(), 20);
    assert_eq!((history[0].result.as_str(), &history[0].message), ("done", &None));
    assert_eq!((history[1].result.as_str(), history[1].message.as_deref()), ("later", Some("run 23")));
    let parked = queue.history(&work_log(2)).await.unwrap();
    assert_eq!((parked.len(), parked[0].result.as_str()), (1, "parked"));
    assert_eq!(queue.parked().await.unwrap(), [(work_log(2), "no account".to_owned())]);
}

#[tokio::test]
async fn a_storage_has_one_queue() {
    let storage = Storage::in_memory().unwrap();
    let clock = Clock::starting_at(at(0), TimeZone::UTC);
    let first = Durable::open(storage.clone(), clock.clone()).unwrap();
    let fault = Durable::open(storage, clock).unwrap_err().to_string();
    assert!(fault.contains("uses it already"), "{fault}");
    drop(first);
}
