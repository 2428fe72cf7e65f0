//! Whole histories of the queue, checked step by step against a model that is too simple to be wrong: in
//! memory, and on file with full disks and crashes in between.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

use super::tests::{at, folder, work_log};
use super::*;
use crate::domain::Code;
use crate::effort;
use model_tests::{Model, Modelled, Run};

mod model_tests;

/// How long a lease lasts here, in seconds.
const LEASE: i64 = 20;

#[derive(Debug, Clone)]
enum Step {
    /// Work logs, whether they lost their class, and when they are due.
    Put(Vec<(u8, bool)>, i64),
    /// Work logs that a sweep queues, and when they are due.
    Sweep(Vec<u8>, i64),
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
        Just(Outcome::done()),
        (0..50i64).prop_map(|second| Outcome::Later {
            at: at(second),
            code: Code::KimaiUnavailable,
            why: "later".into(),
            counts: true
        }),
        Just(Outcome::Parked { code: Code::NoAccount, why: "parked".into() }),
    ];
    let named = prop::collection::vec((0..6u8, any::<bool>()), 1..3);
    prop_oneof![
        8 => (named, 0..50i64).prop_map(|(named, due)| Step::Put(named, due)),
        4 => (prop::collection::vec(0..6u8, 1..6), 0..50i64).prop_map(|(found, due)| Step::Sweep(found, due)),
        10 => Just(Step::Lease),
        6 => (0..4usize, outcome).prop_map(|(nth, outcome)| Step::Settle(nth, outcome)),
        4 => (0..12i64).prop_map(Step::Wait),
        2 => Just(Step::Wake),
        1 => Just(Step::Full),
        1 => Just(Step::Crash),
    ]
}

/// A queue under test, and what has to be done to restart it.
struct Subject {
    queue: SqliteQueue,
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
        let queue = SqliteQueue::open(storage.clone(), clock.clone()).unwrap();
        let queue = queue.with_lease(Duration::from_secs(LEASE.unsigned_abs()));
        Self { queue, storage, clock, home }
    }

    /// Goes on with the files as they lie there, without a word to who has them open.
    fn crash(&mut self) {
        if let Some(home) = &self.home {
            *self = Self::open(Some(snapshot(home.path())), self.clock.clone());
        }
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

fn snapshot(from: &Path) -> TempDir {
    let to = folder();
    for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
        let name: PathBuf = to.path().join(file.file_name().unwrap());
        std::fs::copy(&file, name).unwrap();
    }
    to
}

/// What a queue shows of a work log, to be compared.
type Shown = (WorkLogUri, State, Option<i64>, u32, bool, bool);

async fn shown(queue: &SqliteQueue) -> Vec<Shown> {
    let entries = queue.page(Filter::default(), None, usize::MAX).await.unwrap();
    let show = |entry: Entry| {
        let due = entry.due.filter(|_| entry.state != State::Running);
        (
            entry.work_log,
            entry.state,
            due.map(Timestamp::as_second),
            entry.attempts,
            entry.last_error.is_some(),
            entry.reason.is_fresh(),
        )
    };
    entries.into_iter().map(show).collect()
}

fn expected(model: &Model) -> Vec<Shown> {
    let show = |(work_log, entry): (&WorkLogUri, &Modelled)| {
        let state = match (entry.running, entry.due) {
            (Some(_), _) => State::Running,
            (None, Some(due)) if due <= model.now => State::Queued,
            (None, Some(_)) => State::Scheduled,
            (None, None) => State::Parked,
        };
        let due = entry.due.filter(|_| state != State::Running);
        (work_log.clone(), state, due, entry.attempts, entry.failed, entry.fresh)
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
async fn lease_now(queue: &SqliteQueue) -> Option<Lease> {
    tokio::select! {
        biased;
        lease = queue.lease() => Some(lease.unwrap()),
        () = std::future::ready(()) => None,
    }
}

/// A queue and the model of it, side by side.
struct History {
    subject: Subject,
    model: Model,
    /// Leases that are out, held or lost.
    open: Vec<Lease>,
}

impl History {
    async fn put(&mut self, named: &[(u8, bool)], due: i64) -> Result<(), TestCaseError> {
        let mut found = BTreeMap::new();
        for (number, removed) in named {
            *found.entry(work_log(*number)).or_default() |= *removed;
        }
        let taken = self.subject.queue.put_named(&found, at(due)).await;
        if taken.is_ok() {
            self.model.put(named, true, due);
        }
        prop_assert!(taken.is_ok() || self.model.full);
        Ok(())
    }

    async fn sweep(&mut self, found: &[u8], due: i64) -> Result<(), TestCaseError> {
        let work_logs: Vec<_> = found.iter().map(|number| work_log(*number)).collect();
        let taken = self.subject.queue.put(&work_logs, Reason::Sweep, at(due)).await;
        if taken.is_ok() {
            let named: Vec<_> = found.iter().map(|number| (*number, false)).collect();
            self.model.put(&named, false, due);
        }
        prop_assert!(taken.is_ok() || self.model.full);
        Ok(())
    }

    async fn lease(&mut self) -> Result<(), TestCaseError> {
        let model = &mut self.model;
        model.expire();
        let next = model.next_lease();
        let lease = lease_now(&self.subject.queue).await;
        prop_assert_eq!(lease.as_ref().map(|lease| lease.reason.is_fresh()), next);
        if let (Some(lease), Some(fresh)) = (lease, next) {
            let entry = model.entries.get_mut(&lease.work_log).unwrap();
            let due = entry.due.filter(|due| *due <= model.now && entry.running.is_none());
            let due = due.ok_or_else(|| TestCaseError::fail("leased twice, or before it was due"))?;
            prop_assert_eq!(entry.fresh, fresh);
            prop_assert_eq!(lease.attempts, entry.attempts);
            prop_assert!(self.open.iter().all(|earlier| earlier.number < lease.number));
            let run = Run { number: lease.number, until: model.now + LEASE, due };
            (entry.due, entry.running) = (None, Some(run));
            self.open.push(lease);
        }
        Ok(())
    }

    async fn complete(&mut self, nth: usize, outcome: Outcome) -> Result<(), TestCaseError> {
        let lease = self.open.remove(nth);
        let (work_log, number) = (lease.work_log.clone(), lease.number);
        let running = self.model.entries.get(&work_log).and_then(|entry| entry.running);
        let holds = running.is_some_and(|run| run.number == number);
        match self.subject.queue.complete(lease, outcome.clone()).await {
            Ok(()) => {
                prop_assert!(holds, "an old lease settled something");
                self.model.complete(&work_log, &outcome);
            }
            Err(QueueFault::Overrun(_)) => prop_assert!(!holds),
            Err(fault) => {
                prop_assert!(self.model.full, "{}", fault);
                let again = self.model.now + 5;
                if let Some(entry) = self.model.entries.get_mut(&work_log).filter(|_| holds) {
                    Model::rerun(entry, again);
                }
            }
        }
        Ok(())
    }

    async fn wake(&mut self) -> Result<(), TestCaseError> {
        let parked = |entry: &&mut Modelled| entry.due.is_none() && entry.running.is_none();
        let asleep = self.model.entries.values_mut().filter(parked);
        match self.subject.queue.wake_parked(Reason::Import).await {
            Ok(woken) => {
                let now = self.model.now;
                let awake = asleep.map(|entry| {
                    (entry.due, entry.attempts, entry.fresh) = (Some(now), 0, false);
                });
                let awake = awake.count();
                prop_assert_eq!(woken, awake);
            }
            Err(_) => prop_assert!(self.model.full),
        }
        Ok(())
    }

    /// What was put off in memory alone is due as the file says: not later, and nothing else differs.
    async fn crash(&mut self) -> Result<(), TestCaseError> {
        self.subject.crash();
        self.model.crash();
        for (work_log, _, due, ..) in shown(&self.subject.queue).await {
            let entry = self.model.entries.get_mut(&work_log);
            let entry = entry.ok_or_else(|| TestCaseError::fail("an entry that was not there"))?;
            prop_assert_eq!(due.is_some(), entry.due.is_some(), "parked or not");
            prop_assert!(due <= entry.due);
            entry.due = due;
        }
        self.model.full = false;
        self.open.clear();
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Put(named, due) => self.put(&named, due).await,
            Step::Sweep(found, due) => self.sweep(&found, due).await,
            Step::Lease if !self.model.full => self.lease().await,
            Step::Settle(nth, outcome) if nth < self.open.len() => self.complete(nth, outcome).await,
            Step::Wait(seconds) => {
                self.model.now += seconds;
                tokio::time::advance(Duration::from_secs(seconds.unsigned_abs())).await;
                Ok(())
            }
            Step::Wake => self.wake().await,
            Step::Full => {
                self.model.full = !self.model.full;
                self.subject.full(self.model.full);
                if !self.model.full {
                    self.subject.storage.probe().await.unwrap();
                }
                Ok(())
            }
            Step::Crash if self.subject.home.is_some() => self.crash().await,
            Step::Settle(..) | Step::Lease | Step::Crash => Ok(()),
        }
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        let Self { subject, model, .. } = self;
        prop_assert_eq!(shown(&subject.queue).await, expected(model));
        let removed = model.entries.iter().filter(|(_, entry)| entry.removed || entry.removed_again);
        let removed: Vec<_> = removed.map(|(work_log, _)| work_log.to_string()).collect();
        prop_assert_eq!(noted(&subject.storage), removed);
        let counts = subject.queue.counts().await.unwrap();
        let running = model.entries.values().filter(|entry| entry.running.is_some()).count();
        prop_assert_eq!(counts.running, running);
        Ok(())
    }
}

async fn follow(steps: Vec<Step>, home: Option<TempDir>) -> Result<(), TestCaseError> {
    let subject = Subject::open(home, Clock::starting_at(at(0), TimeZone::UTC));
    let mut history = History { subject, model: Model::default(), open: Vec::new() };
    for step in steps {
        history.step(step).await?;
        history.compare().await?;
    }
    Ok(())
}

/// Plays so many, and many times as many with `KIMAI_SYNC_QUEUE_HISTORIES=10`.
fn every_history(cases: u32, home: fn() -> Option<TempDir>) {
    let times = effort::number("KIMAI_SYNC_QUEUE_HISTORIES").unwrap_or(1);
    let cases = cases * u32::try_from(times).expect("no more than there are numbers");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let config = Config { cases, source_file: Some(file!()), ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 0..200), |steps| runtime.block_on(follow(steps, home())))
        .unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn every_history_in_memory_follows_the_model() {
    every_history(100, || None);
}

#[test]
fn every_history_on_file_follows_the_model_through_crashes() {
    every_history(200, || Some(folder()));
}
