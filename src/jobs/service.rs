//! The interface to jobs: request one, read it, follow it, cancel it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;
use uuid::Uuid;

use super::fault::JobsFault;
use super::job::{AskedBy, Job, Kind, State, Task};
use super::records::{self, record};
use super::schedule::{Now, Request, Schedule};
use super::work::{Trouble, Work};
use crate::clock::Clock;
use crate::domain::finding::{Finding, Unconfirmed};
use crate::progress::Stand;
use crate::reconcile::sweep::Period;
use crate::store::StorageFault;
use crate::store::jobs::{FindingFilter, JobRecords};
use crate::telemetry::call_id;
use crate::text::minute;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Completed.
    Done,
    /// Failed.
    Failed(Arc<Trouble>),
    /// Cancelled.
    Cancelled,
}

impl End {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Done => State::Done,
            Self::Failed(_) => State::Failed,
            Self::Cancelled => State::Cancelled,
        }
    }
}

/// A request for a run.
#[derive(Debug, Clone)]
pub struct Order {
    pub(super) task: Task,
    pub(super) asked_by: AskedBy,
    pub(super) confirmed: Option<(Uuid, Arc<Unconfirmed>)>,
    /// Retries until it succeeds.
    pub(super) patient: bool,
}

impl Order {
    /// A task without anything confirmed. What the service asks for once is tried until it succeeds: after a
    /// start both neighbours may still be starting too.
    pub fn new(task: Task, asked_by: AskedBy) -> Self {
        let patient = matches!(asked_by, AskedBy::Start | AskedBy::Recovery);
        Self { task, asked_by, confirmed: None, patient }
    }
}

/// A requested run.
#[derive(Debug)]
pub struct Asked {
    /// Its current state.
    pub run: Job,
    /// Whether it existed already, waiting.
    pub joined: bool,
    /// To wait for its end.
    pub ticket: Ticket,
}

/// Waits for the end of a run.
#[derive(Debug)]
pub struct Ticket(watch::Receiver<Now>);

impl Ticket {
    /// How it ended; nothing if the process ends before.
    pub async fn end(mut self) -> Option<End> {
        let now = self.0.wait_for(|now| now.end.is_some()).await.ok()?;
        now.end.clone()
    }
}

/// Notifies of each change of a run.
#[derive(Debug)]
pub struct Follow {
    runs: Jobs,
    id: u64,
    now: watch::Receiver<Now>,
    stand: watch::Receiver<Stand>,
}

impl Follow {
    /// Waits for the next change; says whether there may be more. Several changes may be told as one.
    pub async fn changed(&mut self) -> bool {
        tokio::select! {
            biased;
            changed = self.now.changed() => changed.is_ok(),
            changed = self.stand.changed() => changed.is_ok(),
        }
    }

    /// The run as it is now.
    pub fn run(&self) -> Option<Job> {
        self.runs.get(self.id)
    }
}

/// The runs. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    schedule: Mutex<Schedule>,
    pub(super) store: Arc<dyn JobRecords>,
    pub(super) clock: Clock,
    pub(super) work: Arc<dyn Work>,
    tasks: TaskTracker,
    runtime: Handle,
    pub(super) stop: CancellationToken,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runs").finish_non_exhaustive()
    }
}

impl Jobs {
    /// The runs that `store` holds, and those to come: done by `work` on `tasks` and the calling
    /// runtime, until `stop`. Sweeps that were cut off begin again, or with `resume` unset count as failed.
    /// Blocks for a moment.
    pub fn open(
        store: Arc<dyn JobRecords>,
        resume: bool,
        clock: Clock,
        work: Arc<dyn Work>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, StorageFault> {
        let (schedule, changed) = Schedule::of(records::load(&*store)?, resume, clock.now(), &stop);
        store.save_now(changed.iter().map(record).collect())?;
        let following: Vec<u64> =
            schedule.live().filter(|run| run.is_following()).map(|run| run.id).collect();
        let queued = |id| Ok::<_, StorageFault>((id, store.queued(id)?));
        let following = following.into_iter().map(queued).collect::<Result<Vec<_>, _>>()?;
        let inner = Inner {
            schedule: Mutex::new(schedule),
            store,
            clock,
            work,
            tasks,
            runtime: Handle::current(),
            stop,
        };
        let runs = Self { inner: Arc::new(inner) };
        for (id, queued) in following {
            let told = runs.schedule().live_of(id).map(|live| (live.progress.clone(), live.stop.clone()));
            let Some((progress, stop)) = told else { continue };
            let own = runs.clone();
            let follow = async move { own.follow_up(id, queued, &progress, &stop).await };
            runs.inner.tasks.spawn_on(follow, &runs.inner.runtime);
        }
        for run in changed.into_iter().filter(|run| run.state == State::Waiting) {
            info!(
                "Run {} ({}) was interrupted by a stop of the service and is restarted",
                run.id,
                run.task.words()
            );
            // Like the one at start, it may come before its neighbours; a scheduled one is followed by the next.
            let patient = run.asked_by != AskedBy::Cron;
            let order = Order { patient, ..Order::new(run.task, run.asked_by) };
            let own = runs.clone();
            runs.inner.tasks.spawn_on(async move { own.drive(run.id, order).await }, &runs.inner.runtime);
        }
        Ok(runs)
    }

    /// The schedule is never left in an inconsistent state, so a panic elsewhere does not matter.
    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.inner.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests a run. When this returns, the run is stored; it continues if the caller goes away.
    pub async fn ask(&self, order: Order) -> Result<Asked, JobsFault> {
        let Inner { clock, stop, tasks, runtime, .. } = self.inner.as_ref();
        if stop.is_cancelled() {
            return Err(JobsFault::Stopping);
        }
        let key = order.confirmed.as_ref().map(|(key, _)| *key);
        let request = Request { task: order.task, key, asked_by: order.asked_by };
        let (id, joined, ticket, removed) = {
            let mut schedule = self.schedule();
            let asked = schedule.ask(request, clock.now(), stop);
            let (id, joined) = asked.ok_or(JobsFault::Full(super::MOST_WAITING))?;
            let live = schedule.live_of(id).ok_or(JobsFault::Unknown(id))?;
            let ticket = Ticket(live.now.subscribe());
            (id, joined, ticket, schedule.prune())
        };
        if !joined {
            let (saved, answer) = oneshot::channel();
            let own = self.clone();
            let begun = async move {
                let kept = own.keep(id, &removed).await;
                if let Err(fault) = &kept {
                    own.end(id, End::Failed(Arc::new(fault.clone().into())), |_| {}).await;
                }
                let goes_on = kept.is_ok();
                let _ = saved.send(kept);
                if goes_on {
                    own.drive(id, order).await;
                }
            };
            tasks.spawn_on(call_id::within(call_id::current(), begun), runtime);
            answer.await.map_err(|_| JobsFault::Stopping)??;
        }
        let run = self.get(id).ok_or(JobsFault::Unknown(id))?;
        Ok(Asked { run, joined, ticket })
    }

    /// Requests a sweep of `period` that may delete what the run that issued `key` held back.
    pub async fn ask_confirmed(&self, period: Period, key: &str) -> Result<Asked, JobsFault> {
        let unknown = || JobsFault::UnknownKey(key.chars().take(60).collect());
        let parsed: Uuid = key.trim().parse().map_err(|_| unknown())?;
        let (id, of, expires) = {
            let schedule = self.schedule();
            let run = schedule.with_key(&parsed).ok_or_else(unknown)?;
            let expires = run.confirm.as_ref().map(|confirm| confirm.expires).ok_or_else(unknown)?;
            (run.id, run.task.period(), expires)
        };
        let clock = &self.inner.clock;
        if expires <= clock.now() {
            return Err(JobsFault::Expired(minute(expires, clock.zone())));
        }
        if of != Some(period) {
            let confirmed = of.map(|period| period.to_string()).unwrap_or_default();
            return Err(JobsFault::OtherPeriod { confirmed, asked: period.to_string() });
        }
        let confirmed = Arc::new(self.inner.store.unconfirmed(id).await?);
        let order = Order::new(Task::Sweep(period), AskedBy::Request);
        self.ask(Order { confirmed: Some((parsed, confirmed)), ..order }).await
    }

    /// A run as it is now.
    pub fn get(&self, id: u64) -> Option<Job> {
        self.schedule().get(id).map(super::schedule::Entry::snapshot)
    }

    /// The runs that are kept, the newest first.
    pub fn list(&self, kind: Option<Kind>) -> Vec<Job> {
        self.schedule().list(kind)
    }

    /// When a sweep that covered its own day had last compared and acted, as far as runs are kept.
    pub fn last_swept(&self) -> Option<Timestamp> {
        let zone = self.inner.clock.zone();
        let went_well = |run: &Job| run.state == State::Done || run.is_following();
        let swept = self.list(Some(Kind::Sweep)).into_iter().filter(went_well);
        let ended = swept.filter_map(|run| {
            let (period, ended) = (run.task.period()?, run.compared.or(run.ended)?);
            period.contains(ended.to_zoned(zone.clone()).date()).then_some(ended)
        });
        ended.max()
    }

    /// Whether a run that `fits` is waiting or under way. One that only follows what it queued is neither.
    pub fn is_under_way(&self, fits: impl Fn(&Job) -> bool) -> bool {
        self.schedule().live().any(|run| !run.is_following() && fits(run))
    }

    /// A run, and the way to follow it if it has not ended.
    pub fn follow(&self, id: u64) -> Option<(Job, Option<Follow>)> {
        let schedule = self.schedule();
        let entry = schedule.get(id)?;
        let follow = entry.live.as_ref().map(|live| Follow {
            runs: self.clone(),
            id,
            now: live.now.subscribe(),
            stand: live.progress.watch(),
        });
        Some((entry.snapshot(), follow))
    }

    /// At most `most` findings of run `id` behind number `after`, each with its number.
    pub async fn findings(
        &self,
        id: u64,
        filter: FindingFilter,
        after: u64,
        most: usize,
    ) -> Result<Vec<(u64, Finding)>, JobsFault> {
        let removed = self.schedule().get(id).map(|entry| entry.run.findings_removed);
        match removed {
            None => Err(JobsFault::Unknown(id)),
            Some(true) => Err(JobsFault::FindingsGone(id)),
            Some(false) => Ok(self.inner.store.findings(id, filter, after, most).await?),
        }
    }

    /// Cancels a run: a waiting one immediately, a running one at its next step.
    pub async fn cancel(&self, id: u64) -> Result<Job, JobsFault> {
        let waited = {
            let mut schedule = self.schedule();
            let entry = schedule.get(id).ok_or(JobsFault::Unknown(id))?;
            let state = entry.run.state;
            let ticket = entry.live.as_ref().map(|live| Ticket(live.now.subscribe()));
            if !schedule.cancel(id) {
                return Err(JobsFault::Ended { id, state });
            }
            ticket.filter(|_| state == State::Waiting)
        };
        if let Some(ticket) = waited {
            ticket.end().await;
        }
        self.get(id).ok_or(JobsFault::Unknown(id))
    }
}
