//! Follows changes of what work logs refer to: a task was moved, a person has another account. The affected work logs
//! are found and queued.
//!
//! # Guarantees
//! - What [`References::note`] has accepted is on disk, and is followed as soon as the triplestore answers, also after
//!   the process was killed.
//! - A reference that is noted again while it is followed is followed once more. What could not be saved is retried as
//!   long as the process lives.
//! - Work logs are queued as background, page by page: however many there are, memory holds one page.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::retry::Failure;
use crate::clock::Clock;
use crate::queue::Reason;
use crate::store::references::{ChangedReference, ChangedReferences};
use crate::store::{Queue, QueueFault};
use crate::work_logs::{SourceFault, WorkLogs};

/// The most that may wait; each is an IRI on disk.
pub const MOST_WAITING: usize = 1_000_000;
/// The most that are kept in memory while nothing can be saved.
const MOST_MISSED: usize = 10_000;
/// References looked at together, and work logs queued in one transaction.
const BATCH: usize = 100;
const QUEUED_AT_ONCE: usize = 500;
/// The first pause after a failure, doubled with each, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// Finds the work logs that refer to what has changed.
pub struct References {
    changed: Arc<dyn ChangedReferences>,
    source: Arc<dyn WorkLogs>,
    queue: Arc<dyn Queue>,
    clock: Clock,
    /// Notified when there is something to follow.
    noted: Notify,
    /// Two at once would find the same.
    turn: Mutex<()>,
    /// References that could not be saved, up to a limit: whoever noted them may not do so again.
    missed: StdMutex<BTreeSet<String>>,
}

impl References {
    /// Stores references in `changed`, queries `source`, and queues in `queue`.
    pub fn new(
        changed: Arc<dyn ChangedReferences>,
        source: Arc<dyn WorkLogs>,
        queue: Arc<dyn Queue>,
        clock: Clock,
    ) -> Self {
        Self {
            changed,
            source,
            queue,
            clock,
            noted: Notify::new(),
            turn: Mutex::default(),
            missed: StdMutex::default(),
        }
    }

    /// Soon queues the work logs that refer to one of `iris`. Accepts all or none.
    pub async fn note<'a>(&self, iris: impl Iterator<Item = &'a str> + Send) -> Result<(), QueueFault> {
        let iris: Vec<String> = iris.map(str::to_owned).collect();
        if iris.is_empty() {
            return Ok(());
        }
        let saved = self.changed.note(iris.clone(), MOST_WAITING).await;
        if let Err(QueueFault::Storage(_)) = &saved {
            let mut missed = self.missed();
            let room = MOST_MISSED.saturating_sub(missed.len());
            missed.extend(iris.into_iter().take(room));
        }
        self.noted.notify_one();
        saved
    }

    /// Never left in an inconsistent state.
    fn missed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many references wait.
    pub async fn waiting(&self) -> Result<usize, QueueFault> {
        self.changed.count().await
    }

    /// Queues the work logs that refer to what has been noted, and returns their number. After a failure, the rest
    /// waits for the next call.
    pub async fn follow(&self) -> Result<usize, Failure> {
        let _turn = self.turn.lock().await;
        let missed: Vec<String> = self.missed().iter().cloned().collect();
        if !missed.is_empty() {
            self.changed.note(missed.clone(), MOST_WAITING).await?;
            let missed: BTreeSet<String> = missed.into_iter().collect();
            self.missed().retain(|iri| !missed.contains(iri));
        }
        let mut queued = 0;
        loop {
            let batch = self.changed.next(BATCH).await?;
            if batch.is_empty() {
                return Ok(queued);
            }
            let (ids, iris): (Vec<i64>, Vec<String>) =
                batch.into_iter().map(|ChangedReference { id, iri }| (id, iri)).unzip();
            match self.queue_referring(&iris).await {
                Ok(count) => {
                    queued += count;
                    self.changed.remove(ids).await?;
                }
                Err(failure) if is_refused(&failure) => {
                    // One of them is the cause, and does not affect the others.
                    for (id, iri) in ids.into_iter().zip(iris) {
                        match self.queue_referring(std::slice::from_ref(&iri)).await {
                            Ok(count) => queued += count,
                            Err(failure) if is_refused(&failure) => {
                                warn!("The work logs that refer to <{iri}> cannot be looked for: {failure}");
                            }
                            Err(failure) => return Err(failure),
                        }
                        self.changed.remove(vec![id]).await?;
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Queues the work logs that refer to one of `iris`, page by page. Returns their number.
    async fn queue_referring(&self, iris: &[String]) -> Result<usize, Failure> {
        let (mut queued, mut after) = (0, None);
        loop {
            let page = self.source.referring(iris, after.as_ref()).await?;
            let Some(last) = page.last().cloned() else { return Ok(queued) };
            for work_logs in page.chunks(QUEUED_AT_ONCE) {
                self.queue.put(work_logs, Reason::Reference, self.clock.now()).await?;
            }
            queued += page.len();
            after = Some(last);
        }
    }

    /// Follows references until `stop`, including those left by the previous process.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut pause = PAUSES.0;
        loop {
            let followed = tokio::select! {
                () = stop.cancelled() => return,
                followed = self.follow() => followed,
            };
            match followed {
                Ok(queued) => {
                    pause = PAUSES.0;
                    if queued > 0 {
                        info!("Queued {queued} work logs whose task or person has changed");
                    }
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.noted.notified() => {}
                    }
                }
                Err(failure) => {
                    warn!(
                        "The work logs of changed tasks and persons cannot be found now: {failure}. Trying again in {} s.",
                        pause.as_secs()
                    );
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.clock.sleep_until(self.clock.after(pause)) => {}
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }
}

/// Whether the triplestore will never accept the statement.
fn is_refused(failure: &Failure) -> bool {
    matches!(failure, Failure::Triplestore(SourceFault::Refused { .. }))
}

#[cfg(test)]
mod tests;
