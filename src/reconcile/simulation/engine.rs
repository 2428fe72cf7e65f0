//! The service under test, built again after each crash, and an observer of its queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::faults::TIME_LIMIT;
use super::fixtures;
use super::history::{What, Who};
use super::state::instant;
use super::world::World;
use crate::clock::Clock;
use crate::delta::Intake;
use crate::domain::{Code, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::queue::{Attempt, Counts, Entry, Filter, Lease, Outcome, Reason};
use crate::reconcile::recheck::Rechecks;
use crate::reconcile::reconciler::Reconciler;
use crate::reconcile::sweep::{Parts, Sweeper};
use crate::reconcile::worker::Workers;
use crate::settings::Limits;
use crate::store::sqlite::memory::Memory;
use crate::store::sqlite::{SqliteLedger, SqliteQueue};
use crate::store::{Ledger, Look, Queue, QueueFault, Slot};
use crate::trackers::Tracker;
use crate::work_logs::WorkLogs;

/// Longer than all calls of a run can take.
const LEASE: Duration = Duration::from_mins(20);
const DEBOUNCE: Duration = Duration::from_millis(10);
/// As by default.
const RECHECKS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

/// One life of the service.
pub(super) struct Engine {
    pub(super) queue: Arc<Watched>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) sweeper: Arc<Sweeper>,
    pub(super) workers: Arc<Workers>,
    pub(super) intake: Intake,
    pub(super) tasks: TaskTracker,
    pub(super) clock: Clock,
    stop: CancellationToken,
}

impl Engine {
    /// Starts it. It reads from `disk` what it left there.
    pub(super) fn start(world: &Arc<World>, disk: &Memory, max_deletions: usize) -> Self {
        let wall = {
            let state = world.state();
            state.now + state.skew
        };
        let clock = Clock::starting_at(instant(wall), fixtures::zone());
        let storage = disk.open();
        let ledger = SqliteLedger::open(storage.clone()).expect("the ledger can be read");
        let ledger: Arc<dyn Ledger> = Arc::new(ledger.ordered(world.capabilities().order));
        let inner = SqliteQueue::open(storage, clock.clone()).expect("the queue can be read");
        // They would find the link that was not read back.
        let rechecks: &[Duration] = if mutated(Mutant::NoReadBack) { &[] } else { &RECHECKS };
        let inner = inner.with_lease(LEASE).with_rechecks(rechecks);
        let queue = Arc::new(Watched { world: Arc::clone(world), inner });
        let as_queue: Arc<dyn Queue> = queue.clone();
        let (work_logs, kimai): (Arc<dyn WorkLogs>, Arc<dyn Tracker>) = (world.clone(), world.clone());
        let reconciler =
            Reconciler::new(work_logs.clone(), kimai.clone(), ledger.clone(), clock.clone(), TIME_LIMIT);
        let pool = Arc::new(Workers::new(as_queue.clone(), reconciler, clock.clone()));
        let parts = Parts {
            work_logs,
            kimai,
            queue: as_queue.clone(),
            ledger: Arc::clone(&ledger),
            workers: Arc::clone(&pool),
            clock: clock.clone(),
        };
        let rechecks = Rechecks::new(as_queue.clone(), world.clone(), clock.clone());
        let limits = Limits {
            max_deletions,
            max_tombstones: 1_000,
            delete_orphans: true,
            grace: Duration::ZERO,
            overwrite_exported: false,
        };
        let sweeper = Arc::new(Sweeper::new(parts, limits));
        let intake = Intake::new(as_queue, clock.clone(), DEBOUNCE);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(rechecks.run(stop.clone()));
        let (stopped, running) = (stop.clone(), Arc::clone(&pool));
        tasks.spawn(async move {
            running.prepare().await;
            running.run(stopped).await;
        });
        Self { queue, ledger, sweeper, workers: pool, intake, tasks, clock, stop }
    }

    /// Stops it in good order.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The queue, which tells the history of each run and lets time pass where a disk would.
pub(super) struct Watched {
    world: Arc<World>,
    inner: SqliteQueue,
}

impl Watched {
    /// What is parked since its timesheet is exported.
    pub(super) fn parked_exported(&self) -> Vec<WorkLogUri> {
        let page = self.inner.page(Filter::EXPORTED, None, usize::MAX).now_or_never();
        let entries = page.and_then(Result::ok).unwrap_or_default();
        entries.into_iter().map(|entry| entry.work_log).collect()
    }

    fn began(&self, Lease { work_log, overwrite, .. }: &Lease) {
        let mut state = self.world.state();
        let other =
            state.callers.values().any(|caller| matches!(&caller.who, Who::Run(_, of) if of == work_log));
        state.runs += 1;
        let who = Who::Run(state.runs, work_log.clone());
        state.enter(who.clone(), What::Leased);
        if other {
            state.note(who.clone(), What::Broken("two runs for one work log at once".to_owned()));
        }
        if *overwrite {
            let asked = state.asked.get_mut(work_log).filter(|times| **times > 0);
            let granted = asked.map(|times| *times -= 1);
            if granted.is_none() {
                state.note(who, What::Broken("it may overwrite, and nobody asked for that".to_owned()));
            }
            state.leave.insert(work_log.clone());
            let caller = tokio::task::try_id().and_then(|id| state.callers.get_mut(&id));
            caller.expect("it has just entered").leave = true;
        }
    }

    fn ended(&self, work_log: &WorkLogUri, outcome: &Outcome) {
        let mut state = self.world.state();
        let who = state.caller().who;
        state.changing.remove(work_log);
        if matches!(outcome, Outcome::Later { .. }) && state.leave.remove(work_log) {
            state.ask(work_log.clone());
        }
        state.note(
            who,
            match outcome {
                Outcome::Done { .. } => What::Settled("done", None),
                Outcome::Later { why, .. } => What::Settled("later", Some(why.clone())),
                Outcome::Parked { why, .. } => What::Settled("parked", Some(why.clone())),
            },
        );
        if let Some(id) = tokio::task::try_id() {
            state.callers.remove(&id);
        }
    }
}

#[async_trait]
impl Queue for Watched {
    async fn put(&self, work_logs: &[WorkLogUri], reason: Reason, due: Timestamp) -> Result<(), QueueFault> {
        self.inner.put(work_logs, reason, due).await
    }

    async fn put_named(&self, named: &BTreeMap<WorkLogUri, bool>, due: Timestamp) -> Result<(), QueueFault> {
        self.inner.put_named(named, due).await
    }

    async fn lease(&self) -> Result<Lease, QueueFault> {
        let lease = self.inner.lease().await?;
        self.began(&lease);
        Ok(lease)
    }

    async fn complete(&self, lease: Lease, outcome: Outcome) -> Result<(), QueueFault> {
        self.ended(&lease.work_log, &outcome);
        let ended = (!matches!(outcome, Outcome::Later { .. })).then(|| lease.work_log.clone());
        let settled = self.inner.complete(lease, outcome).await;
        // Until it is on disk that the run is done, the next process has leave too.
        if let Some(work_log) = ended {
            self.world.state().leave.remove(&work_log);
        }
        settled
    }

    async fn looks(&self, most: usize) -> Result<Vec<Look>, QueueFault> {
        self.inner.looks(most).await
    }

    async fn end_looks(&self, looks: Vec<(Look, bool)>) -> Result<usize, QueueFault> {
        self.inner.end_looks(looks).await
    }

    async fn has_look(&self, work_log: &WorkLogUri) -> Result<bool, QueueFault> {
        self.inner.has_look(work_log).await
    }

    async fn start_looks(&self) -> Result<(), QueueFault> {
        self.inner.start_looks().await
    }

    async fn wake_parked(&self, reason: Reason) -> Result<usize, QueueFault> {
        self.inner.wake_parked(reason).await
    }

    async fn overwrite(&self, work_log: &WorkLogUri) -> Result<(), QueueFault> {
        self.inner.overwrite(work_log).await
    }

    async fn overwrite_exported(&self) -> Result<usize, QueueFault> {
        self.inner.overwrite_exported().await
    }

    async fn parked_by_code(&self) -> Result<BTreeMap<Option<Code>, usize>, QueueFault> {
        self.inner.parked_by_code().await
    }

    async fn counts(&self) -> Result<Counts, QueueFault> {
        self.inner.counts().await
    }

    async fn quiet(&self) -> Result<(), QueueFault> {
        self.inner.quiet().await
    }

    async fn parked(&self) -> Result<Vec<(WorkLogUri, String)>, QueueFault> {
        self.inner.parked().await
    }

    async fn oldest_due(&self) -> Result<Option<Timestamp>, QueueFault> {
        self.inner.oldest_due().await
    }

    async fn last_delta(&self) -> Result<Option<Timestamp>, QueueFault> {
        self.inner.last_delta().await
    }

    async fn page(
        &self,
        filter: Filter,
        after: Option<&WorkLogUri>,
        most: usize,
    ) -> Result<Vec<Entry>, QueueFault> {
        self.inner.page(filter, after, most).await
    }

    async fn entry(&self, work_log: &WorkLogUri) -> Result<Option<Entry>, QueueFault> {
        self.inner.entry(work_log).await
    }

    async fn history(&self, work_log: &WorkLogUri) -> Result<Vec<Attempt>, QueueFault> {
        self.inner.history(work_log).await
    }

    async fn throughput(&self, since: Timestamp) -> Result<Vec<Slot>, QueueFault> {
        self.inner.throughput(since).await
    }
}
