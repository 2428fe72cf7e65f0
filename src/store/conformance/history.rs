//! Whole histories of a queue, checked step by step against a model that is too simple to be wrong, with writes that
//! fail and kills in between.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Home, Open, Options, at, work_log};
use crate::domain::{Code, WorkLogUri};
use crate::effort;
use crate::queue::{Entry, Filter, Lease, Outcome, Reason, State};
use crate::store::{Queue, QueueFault};
use model::{Model, Modelled, Run};

mod model;

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
struct Subject<H> {
    home: H,
    open: Open,
    options: Options,
}

impl<H: Home> Subject<H> {
    fn open(home: H, options: Options) -> Self {
        Self { open: home.open(&options), home, options }
    }

    /// Goes on with what is kept as it is, without a word to who has it open.
    fn crash(&mut self) {
        *self = Self::open(self.home.killed(), self.options.clone());
    }
}

/// What a queue shows of a work log, to be compared.
type Shown = (WorkLogUri, State, Option<i64>, u32, bool, bool);

async fn shown(queue: &dyn Queue) -> Vec<Shown> {
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

/// One lease, if any is due; nothing is waited for.
async fn lease_now(queue: &dyn Queue) -> Option<Lease> {
    tokio::select! {
        biased;
        lease = queue.lease() => Some(lease.unwrap()),
        () = std::future::ready(()) => None,
    }
}

/// A queue and the model of it, side by side.
struct History<H> {
    subject: Subject<H>,
    model: Model,
    /// Leases that are out, held or lost.
    open: Vec<Lease>,
}

impl<H: Home> History<H> {
    fn queue(&self) -> &dyn Queue {
        &*self.subject.open.queue
    }

    async fn put(&mut self, named: &[(u8, bool)], due: i64) -> Result<(), TestCaseError> {
        let mut found = BTreeMap::new();
        for (number, removed) in named {
            *found.entry(work_log(*number)).or_default() |= *removed;
        }
        let taken = self.queue().put_named(&found, at(due)).await;
        if taken.is_ok() {
            self.model.put(named, true, due);
        }
        prop_assert!(taken.is_ok() || self.model.full);
        Ok(())
    }

    async fn sweep(&mut self, found: &[u8], due: i64) -> Result<(), TestCaseError> {
        let work_logs: Vec<_> = found.iter().map(|number| work_log(*number)).collect();
        let taken = self.queue().put(&work_logs, Reason::Sweep, at(due)).await;
        if taken.is_ok() {
            let named: Vec<_> = found.iter().map(|number| (*number, false)).collect();
            self.model.put(&named, false, due);
        }
        prop_assert!(taken.is_ok() || self.model.full);
        Ok(())
    }

    async fn lease(&mut self) -> Result<(), TestCaseError> {
        self.model.expire();
        let next = self.model.next_lease();
        let lease = lease_now(self.queue()).await;
        let model = &mut self.model;
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
        match self.queue().complete(lease, outcome.clone()).await {
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
        match self.queue().wake_parked(Reason::Import).await {
            Ok(woken) => {
                let now = self.model.now;
                let asleep = self.model.entries.values_mut().filter(parked);
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
        for (work_log, _, due, ..) in shown(self.queue()).await {
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
                (self.subject.open.fail)(self.model.full);
                Ok(())
            }
            Step::Crash => self.crash().await,
            Step::Settle(..) | Step::Lease => Ok(()),
        }
    }

    /// Also asks the ledger of one work log after the other whether its class was removed.
    async fn compare(&self, step: usize) -> Result<(), TestCaseError> {
        let Self { subject, model, .. } = self;
        prop_assert_eq!(shown(self.queue()).await, expected(model));
        let subject = (work_log(u8::try_from(step % 6).unwrap_or_default()), &subject.open.ledger);
        let removed = model.entries.get(&subject.0).is_some_and(|entry| entry.removed || entry.removed_again);
        prop_assert_eq!(subject.1.recall(&subject.0).await.unwrap().removed, removed);
        let counts = self.queue().counts().await.unwrap();
        let running = model.entries.values().filter(|entry| entry.running.is_some()).count();
        prop_assert_eq!(counts.running, running);
        Ok(())
    }
}

async fn follow(home: impl Home, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let options = Options { lease: Duration::from_secs(LEASE.unsigned_abs()), ..Options::at(0) };
    let subject = Subject::open(home, options);
    let mut history = History { subject, model: Model::default(), open: Vec::new() };
    for (number, step) in steps.into_iter().enumerate() {
        history.step(step).await?;
        history.compare(number).await?;
    }
    Ok(())
}

/// Plays so many, and many times as many with `KIMAI_SYNC_QUEUE_HISTORIES=10`.
pub(crate) fn every_history_follows_the_model_through_kills<H: Home>() {
    let times = effort::number("KIMAI_SYNC_QUEUE_HISTORIES").unwrap_or(1);
    let cases = 150 * u32::try_from(times).expect("no more than there are numbers");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let config = Config { cases, source_file: Some(file!()), ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 0..200), |steps| runtime.block_on(follow(H::fresh(), steps)))
        .unwrap_or_else(|fault| panic!("{fault}"));
}
