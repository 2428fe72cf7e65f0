//! The workers: lease, reconcile, then complete, retry or park. Many work logs at a time, never two runs for one.

mod reached;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp, Unit};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::field::Empty;
use tracing::{Instrument, debug, error, info, info_span, warn};

use super::breaker::{Breakers, Down, Neighbour, PROBE_EVERY};
use super::effect::{Effect, Reconciled};
use super::heartbeat::Heartbeat;
use super::in_flight::InFlight;
use super::reconciler::Reconciler;
use super::retry::{self, Failure, Next, Outage};
use crate::clock::Clock;
use crate::contact;
use crate::domain::status::Part;
use crate::failpoint::crash;
use crate::failpoint::mutants::{Mutant, mutated};
use crate::queue::{Lease, Outcome, Reason};
use crate::store::{Queue, QueueFault};
use crate::telemetry::call_id::{self, Calls};
use crate::telemetry::metrics::Metrics;
use reached::{Reached, reached};

/// The pause before an unusable queue is tried again.
const PAUSE_WITHOUT_QUEUE: Duration = Duration::from_secs(1);

/// How old a change may be for its work log to be still under construction: mu-cl-resources writes one in three
/// updates.
const HALF_WRITTEN: SignedDuration = SignedDuration::from_secs(10);

/// Runs under way at a time, those included that only wait for their link: while a triplestore takes none, each
/// hundred of them waits for the statement of the hundred before, and all have to end within their lease.
const MOST_IN_FLIGHT: usize = 500;

/// The number of runs by effect since the start.
pub type Tally = BTreeMap<Effect, u64>;

/// Runs what the queue leases.
///
/// # Guarantees
/// A run that was started is finished before [`Workers::run`] returns; nothing is started after the
/// cancellation.
pub struct Workers {
    queue: Arc<dyn Queue>,
    reconciler: Reconciler,
    clock: Clock,
    /// See [`Workers::barrier`].
    runs: InFlight,
    /// Reads a monotonic clock.
    breakers: Mutex<Breakers>,
    /// Notifies waiting workers that Kimai or the triplestore is back.
    back: Notify,
    tally: Mutex<Tally>,
    calls: Calls,
    /// None on simulated time, which must not stop for every heartbeat.
    heartbeat: Option<Heartbeat>,
}

impl Workers {
    /// Workers that reconcile with `settler` what `queue` holds.
    pub fn new(queue: Arc<dyn Queue>, reconciler: Reconciler, clock: Clock) -> Self {
        Self {
            queue,
            reconciler,
            clock,
            runs: InFlight::default(),
            breakers: Mutex::default(),
            back: Notify::new(),
            tally: Mutex::default(),
            calls: Calls::default(),
            heartbeat: None,
        }
    }

    /// The same, with a heartbeat.
    #[must_use]
    pub fn beating(mut self) -> Self {
        self.heartbeat = Some(Heartbeat::default());
        self
    }

    /// The heartbeat, if there is one.
    #[cfg(test)]
    pub(crate) fn heartbeat(&self) -> Option<&Heartbeat> {
        self.heartbeat.as_ref()
    }

    /// The worker with the oldest heartbeat, and its age.
    pub fn silent(&self) -> Option<(usize, Duration)> {
        self.heartbeat.as_ref()?.silent()
    }

    /// The calls that caused the waiting work.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Where runs are counted.
    pub fn metrics(&self) -> &Metrics {
        self.reconciler.metrics()
    }

    /// Works until `stop` is cancelled: as many entries at a time as keep Kimai busy.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        let mut number = 0;
        while !stop.is_cancelled() {
            number += 1;
            let (workers, stopped, (leased, has_leased)) =
                (Arc::clone(&self), stop.clone(), oneshot::channel());
            // One waits for work at a time; when it has found some, the next one waits.
            tracker.spawn(async move { workers.work(number, &stopped, leased).await });
            if has_leased.await.is_err() && !stop.is_cancelled() {
                self.clock.sleep_until(self.clock.after(PAUSE_WITHOUT_QUEUE)).await;
            }
        }
        // What waits for its turn has sent nothing yet: the next process does it.
        self.reconciler.admission().limiter().send_away();
        tracker.close();
        tracker.wait().await;
    }

    /// One run, from the wait for it to its end. `leased` is notified when there is one.
    async fn work(&self, number: usize, stop: &CancellationToken, leased: oneshot::Sender<()>) {
        let next = async {
            tokio::select! {
                biased;
                () = stop.cancelled() => None,
                lease = self.next() => Some(lease),
            }
        };
        match self.beating_as(number, None, next).await {
            None => {}
            Some(Err(fault)) => error!("No work can be taken from the queue: {fault}"),
            Some(Ok(lease)) => {
                let left = between(self.clock.now(), lease.until);
                // Boxed: one that waits for work need not be as large as one that runs.
                let run = Box::pin(self.run_one(lease, leased));
                self.beating_as(number, Some(left), run).await;
            }
        }
    }

    /// `work`, with the heartbeat of worker `number`, which has to end within `limit` if there is one.
    async fn beating_as<T>(
        &self,
        number: usize,
        limit: Option<Duration>,
        work: impl Future<Output = T>,
    ) -> T {
        match &self.heartbeat {
            Some(heartbeat) => heartbeat.keep(number, limit, work).await,
            None => work.await,
        }
    }

    /// The next lease, once the breakers admit a run.
    async fn next(&self) -> Result<Lease, QueueFault> {
        loop {
            self.runs.fewer_than(MOST_IN_FLIGHT).await;
            self.reconciler.admission().room().await;
            let back = self.back.notified();
            let steady = self.clock.steady();
            let admitted = self.breakers().admit(steady);
            let Err(until) = admitted else { return self.queue.lease().await };
            tokio::select! {
                () = back => {}
                () = tokio::time::sleep(between(steady, until)) => {}
            }
        }
    }

    async fn run_one(&self, mut lease: Lease, leased: oneshot::Sender<()>) {
        crash::point("leased");
        let (run, since) = (self.runs.begin(), Instant::now());
        let permit = self.reconciler.admission().begin();
        let heard = permit.heard();
        // Only now may the next one look whether there is room.
        let _ = leased.send(());
        let call = self.calls.take(&lease.work_log);
        let span = info_span!("work_log", uri = %lease.work_log, reason = %lease.reason, mu_call_id = Empty);
        if let Some(call) = &call {
            span.record("mu_call_id", call.id());
        }
        let settled = self.reconciler.reconcile(&lease.work_log, permit, &mut lease.seen, lease.overwrite);
        let settled = contact::within(Part::WorkLog, Box::pin(call_id::within(call, settled)));
        let settled = settled.instrument(span.clone());
        // A run that panics affects only its work log, and no worker.
        let result = AssertUnwindSafe(settled).catch_unwind().await.unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            Err(Failure::Broken(words.to_owned()))
        });
        drop(run);
        let took = since.elapsed();
        let kimai = heard.kimai();
        span.in_scope(|| {
            self.tell_breakers(&lease, Reached { triplestore: lease.seen.is_some(), kimai }, &result);
        });
        let word = result.as_ref().map_or("retry", |reconciled| reconciled.effect.word());
        let outcome = match result {
            Ok(reconciled) => {
                let (effect, what) = (reconciled.effect, reconciled.in_words());
                debug!(work_log = %lease.work_log, ?effect, "Settled <{}>: {what}", lease.work_log);
                *self.tally.lock().unwrap_or_else(PoisonError::into_inner).entry(effect).or_default() += 1;
                Outcome::Done { what }
            }
            Err(failure) if mutated(Mutant::FaultsAreDropped) => Outcome::Done { what: failure.to_string() },
            Err(failure) => span.in_scope(|| self.after(&lease, &failure)),
        };
        let parked = matches!(outcome, Outcome::Parked { .. });
        self.metrics().reconciled(if parked { "parked" } else { word }, took);
        let work_log = lease.work_log.clone();
        if let Err(fault) = self.queue.complete(lease, outcome).await {
            error!(%work_log, "The end of the run for <{work_log}> could not be saved: {fault}");
        }
        crash::point("acked");
    }

    /// What a run says about the state of Kimai and the triplestore.
    fn tell_breakers(&self, lease: &Lease, answered: Reached, result: &Result<Reconciled, Failure>) {
        let now = self.clock.steady();
        let mut breakers = self.breakers();
        for neighbour in reached(answered, result) {
            if breakers.reached(neighbour) {
                info!("{neighbour} is back; going on");
                self.back.notify_waiters();
            }
        }
        let failure = result.as_ref().err();
        let outage = failure.map_or(Outage::No, Failure::outage);
        match (outage, failure, failure.and_then(Failure::neighbour)) {
            (Outage::No, ..) => breakers.ended(now),
            (Outage::Pause(pause), ..) => breakers.pause(pause, now),
            (outage, Some(failure), Some(neighbour)) => {
                let why = failure.to_string();
                let (cause, told) = (failure.cause(&lease.work_log), (failure.code(), why.as_str()));
                if breakers.failed(neighbour, cause, told, outage == Outage::Surely, now) {
                    if neighbour == Neighbour::Kimai {
                        self.reconciler.admission().limiter().send_away();
                    }
                    error!(
                        "{neighbour} seems to be down: {why}. Everything waits; one try every {} s.",
                        PROBE_EVERY.as_secs()
                    );
                }
            }
            _ => {}
        }
    }

    fn after(&self, lease: &Lease, failure: &Failure) -> Outcome {
        let (work_log, why) = (&lease.work_log, failure.to_string());
        match retry::after(failure, lease.attempts, retry::chance()) {
            Next::Park => {
                warn!(%work_log, "Cannot sync <{work_log}>: {why}. It is parked until something changes.");
                Outcome::Parked { code: failure.code(), why }
            }
            Next::After(pause) => {
                let seconds = pause.as_secs_f64();
                if matches!(failure, Failure::KimaiLostData(_)) {
                    debug!(%work_log, "<{work_log}> waits until the links are rebuilt.");
                } else if self.may_be_half_written(lease, failure) {
                    debug!(%work_log, "<{work_log}> is not complete yet: {why}. Trying again in {seconds:.1} s.");
                } else {
                    warn!(%work_log, "Cannot sync <{work_log}> now: {why}. Trying again in {seconds:.1} s.");
                }
                // During an outage attempts do not count, so that what waits has the same retry delay after it. Nor do
                // runs that only waited.
                let waited = *failure == Failure::TurnedAway;
                let counts = failure.outage() == Outage::No || (!waited && self.breakers().down().is_empty());
                Outcome::Later { at: self.clock.after(pause), code: failure.code(), why, counts }
            }
        }
    }

    /// Whether the work log lacks something that whoever writes it may be about to add: that is no news yet.
    fn may_be_half_written(&self, lease: &Lease, failure: &Failure) -> bool {
        let age = self.clock.now().duration_since(lease.asked);
        matches!(failure, Failure::Blocked(_)) && age < HALF_WRITTEN
    }

    fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The systems that are down, and why.
    pub fn down(&self) -> Vec<(Neighbour, String)> {
        self.breakers().down().into_iter().map(|(neighbour, why)| (neighbour, why.to_owned())).collect()
    }

    /// The same, each with its start time.
    pub fn outages(&self) -> Vec<Down> {
        let (now, steady) = (self.clock.now(), self.clock.steady());
        let mut outages = self.breakers().outages();
        for down in &mut outages {
            let since = now.checked_sub(between(down.since, steady)).unwrap_or(now);
            // Both clocks were asked one after the other: to the second it is the same each time.
            down.since = since.round(Unit::Second).unwrap_or(since);
        }
        outages
    }

    /// Requests once what every creation has to know, so that the first need not.
    pub async fn prepare(&self) {
        if let Err(fault) = self.reconciler.high_water().await {
            debug!("The highest timesheet id is asked for again at the first creation: {fault}");
        }
    }

    /// A barrier: waits until every run that is in flight now has ended. After it, whatever Kimai listed before the
    /// call has its link in the triplestore or the ledger. Runs that begin meanwhile are not delayed.
    pub async fn barrier(&self) {
        self.runs.barrier().await;
    }

    /// The number of runs by effect.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Retries what is parked, since the cause may be fixed now.
    pub async fn wake_parked(&self, reason: Reason) -> usize {
        self.queue.wake_parked(reason).await.unwrap_or_else(|fault| {
            error!("What is parked cannot be tried again: {fault}");
            0
        })
    }
}

/// The time from `first` to `last`, none if that is before.
fn between(first: Timestamp, last: Timestamp) -> Duration {
    Duration::try_from(last.duration_since(first)).unwrap_or_default()
}
