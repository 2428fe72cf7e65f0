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

use rusqlite::{Connection, params_from_iter};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::retry::Failure;
use crate::clock::Clock;
use crate::queue::Reason;
use crate::store::sqlite::Storage;
use crate::store::{Queue, QueueFault};
use crate::work_logs::{SourceFault, WorkLogs};

/// The most that may wait; each is an IRI on disk.
pub const MOST_WAITING: usize = 1_000_000;
/// The most that are kept in memory while nothing can be saved.
const MOST_MISSED: usize = 10_000;
/// References looked at together, and work logs queued in one transaction.
const BATCH: i64 = 100;
const QUEUED_AT_ONCE: usize = 500;
/// The first pause after a failure, doubled with each, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// Finds the work logs that refer to what has changed.
pub struct References {
    storage: Storage,
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
    /// Stores references in `storage`, queries `source`, and queues in `queue`.
    pub fn new(storage: Storage, source: Arc<dyn WorkLogs>, queue: Arc<dyn Queue>, clock: Clock) -> Self {
        Self {
            storage,
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
        self.note_within(MOST_WAITING, iris).await
    }

    async fn note_within<'a>(
        &self,
        most: usize,
        iris: impl Iterator<Item = &'a str> + Send,
    ) -> Result<(), QueueFault> {
        let iris: Vec<String> = iris.map(str::to_owned).collect();
        if iris.is_empty() {
            return Ok(());
        }
        let saved = self.save(most, iris.clone()).await;
        if let Err(QueueFault::Storage(_)) = &saved {
            let mut missed = self.missed();
            let room = MOST_MISSED.saturating_sub(missed.len());
            missed.extend(iris.into_iter().take(room));
        }
        self.noted.notify_one();
        saved
    }

    async fn save(&self, most: usize, iris: Vec<String>) -> Result<(), QueueFault> {
        let save = move |connection: &Connection| {
            let waiting = count(connection)?;
            if waiting + iris.len() > most {
                return Ok(Err(QueueFault::Full(waiting)));
            }
            let mut insert =
                connection.prepare_cached("INSERT OR REPLACE INTO changed_reference (iri) VALUES (?1)")?;
            iris.iter().try_for_each(|iri| insert.execute([iri]).map(drop)).map(Ok)
        };
        self.storage.write(save).await?
    }

    /// Never left in an inconsistent state.
    fn missed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many references wait.
    pub async fn waiting(&self) -> Result<usize, QueueFault> {
        Ok(self.storage.write(count).await?)
    }

    /// Queues the work logs that refer to what has been noted, and returns their number. After a failure, the rest
    /// waits for the next call.
    pub async fn follow(&self) -> Result<usize, Failure> {
        let _turn = self.turn.lock().await;
        let missed: Vec<String> = self.missed().iter().cloned().collect();
        if !missed.is_empty() {
            self.save(MOST_WAITING, missed.clone()).await?;
            let missed: BTreeSet<String> = missed.into_iter().collect();
            self.missed().retain(|iri| !missed.contains(iri));
        }
        let mut queued = 0;
        loop {
            let batch = self.next().await?;
            if batch.is_empty() {
                return Ok(queued);
            }
            let (ids, iris): (Vec<i64>, Vec<String>) = batch.into_iter().unzip();
            match self.queue_referring(&iris).await {
                Ok(count) => {
                    queued += count;
                    self.done(ids).await?;
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
                        self.done(vec![id]).await?;
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

    async fn next(&self) -> Result<Vec<(i64, String)>, Failure> {
        let read = |connection: &Connection| {
            connection
                .prepare_cached("SELECT id, iri FROM changed_reference ORDER BY id LIMIT ?1")?
                .query_map([BATCH], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        };
        Ok(self.storage.write(read).await.map_err(QueueFault::from)?)
    }

    /// These IDs are done; a reference that was noted again has a new ID.
    async fn done(&self, ids: Vec<i64>) -> Result<(), Failure> {
        let delete = move |connection: &Connection| {
            let places = vec!["?"; ids.len()].join(", ");
            let statement = format!("DELETE FROM changed_reference WHERE id IN ({places})");
            connection.prepare_cached(&statement)?.execute(params_from_iter(ids)).map(drop)
        };
        Ok(self.storage.write(delete).await.map_err(QueueFault::from)?)
    }
}

/// Whether the triplestore will never accept the statement.
fn is_refused(failure: &Failure) -> bool {
    matches!(failure, Failure::Triplestore(SourceFault::Refused { .. }))
}

fn count(connection: &Connection) -> rusqlite::Result<usize> {
    let count: i64 = connection.query_row("SELECT count(*) FROM changed_reference", [], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

#[cfg(test)]
mod tests;
