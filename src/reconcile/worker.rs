//! The workers: lease, settle, then done, later or parked. `n` work logs at a time, never two runs for one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, error, info_span, warn};

use super::retry::{self, Failure, Next};
use super::settle::{Effect, Settler};
use crate::clock::Clock;
use crate::kimai::{Fault, KimaiFault};
use crate::queue::{Lease, Outcome, Queue, Reason};

/// How many runs had which effect since the start.
pub type Tally = BTreeMap<Effect, u64>;

/// Runs what the queue leases.
///
/// # Guarantees
/// A run that was started is finished before [`Workers::run`] returns; nothing is started after the
/// cancellation.
pub struct Workers {
    queue: Arc<dyn Queue>,
    settler: Settler,
    clock: Clock,
    /// Held for reading during a run; see [`Workers::barrier`].
    runs: RwLock<()>,
    tally: Mutex<Tally>,
}

impl Workers {
    /// Workers that settle with `settler` what `queue` holds.
    pub fn new(queue: Arc<dyn Queue>, settler: Settler, clock: Clock) -> Self {
        Self { queue, settler, clock, runs: RwLock::default(), tally: Mutex::default() }
    }

    /// Works `concurrency` entries at a time until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, concurrency: usize, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        for _ in 0..concurrency {
            let (workers, stop) = (Arc::clone(&self), stop.clone());
            tracker.spawn(async move { workers.work(&stop).await });
        }
        tracker.close();
        tracker.wait().await;
    }

    async fn work(&self, stop: &CancellationToken) {
        loop {
            let lease = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                lease = self.queue.lease() => lease,
            };
            match lease {
                Ok(lease) => self.run_one(lease).await,
                Err(fault) => {
                    error!("No work can be taken from the queue: {fault}");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.clock.sleep_until(self.clock.after(std::time::Duration::from_secs(1))) => {}
                    }
                }
            }
        }
    }

    async fn run_one(&self, lease: Lease) {
        let run = self.runs.read().await;
        let span = info_span!("work_log", uri = %lease.work_log, reason = %lease.reason);
        let result = self.settler.settle(&lease.work_log).instrument(span).await;
        drop(run);
        let outcome = match result {
            Ok(effect) => {
                debug!(work_log = %lease.work_log, ?effect, "Settled <{}>", lease.work_log);
                *self.tally.lock().unwrap_or_else(PoisonError::into_inner).entry(effect).or_default() += 1;
                Outcome::Done
            }
            Err(failure) => self.after(&lease, &failure),
        };
        let work_log = lease.work_log.clone();
        if let Err(fault) = self.queue.settle(lease, outcome).await {
            error!(%work_log, "The end of the run for <{work_log}> could not be saved: {fault}");
        }
    }

    fn after(&self, lease: &Lease, failure: &Failure) -> Outcome {
        let (work_log, why) = (&lease.work_log, failure.to_string());
        match retry::after(failure, lease.attempts, rand::random()) {
            Next::Park => {
                warn!(%work_log, "Cannot sync <{work_log}>: {why}. It is kept aside until something changes.");
                Outcome::Parked { why }
            }
            Next::After(pause) => {
                if matches!(failure, Failure::Kimai(KimaiFault { fault: Fault::Unauthorised, .. })) {
                    error!(%work_log, "Nothing can be synced: {why}. Put a working token into API_TOKEN.");
                } else {
                    warn!(%work_log, "Cannot sync <{work_log}> now: {why}. Trying again in {:.1} s.", pause.as_secs_f64());
                }
                Outcome::Later { at: self.clock.after(pause), why }
            }
        }
    }

    /// Waits until every run that is under way now has ended. Whatever Kimai listed before the call has
    /// its link in the triplestore or the ledger after it.
    pub async fn barrier(&self) {
        drop(self.runs.write().await);
    }

    /// How many runs had which effect.
    pub fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tries what is parked again, since something it was missing may be there now.
    pub async fn wake_parked(&self) -> usize {
        self.queue.wake_parked(Reason::Import).await.unwrap_or_else(|fault| {
            error!("What is parked cannot be tried again: {fault}");
            0
        })
    }
}
