//! What work logs refer to has changed: a task was moved, a person has got another account. The work logs
//! concerned are found and queued.
//!
//! # Guarantees
//! - What [`References::note`] has returned for is on disk, and is followed also after a death of the process,
//!   as soon as the triplestore answers.
//! - What is noted while it is looked at is looked at once more.
//! - Work logs are queued as background, page by page: however many there are, a page is held.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params_from_iter};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::retry::Failure;
use crate::clock::Clock;
use crate::domain::WorkLogUri;
use crate::queue::{Queue, QueueFault, Reason};
use crate::source::Source;
use crate::storage::Storage;

/// The most that may wait; each is an IRI on disk.
pub const MOST_WAITING: usize = 100_000;
/// References looked at together, and work logs queued in one transaction.
const BATCH: i64 = 100;
const QUEUED_AT_ONCE: usize = 500;
/// The first pause after a failure, doubled with each, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// Finds the work logs that refer to what has changed.
pub struct References {
    storage: Storage,
    source: Arc<dyn Source>,
    queue: Arc<dyn Queue>,
    clock: Clock,
    /// Tells that there is something to follow.
    noted: Notify,
    /// Two at once would look for the same.
    turn: Mutex<()>,
}

impl References {
    /// Keeps what is to be followed in `storage`, asks `source`, and queues in `queue`.
    pub fn new(storage: Storage, source: Arc<dyn Source>, queue: Arc<dyn Queue>, clock: Clock) -> Self {
        Self { storage, source, queue, clock, noted: Notify::new(), turn: Mutex::default() }
    }

    /// Has the work logs queued that refer to one of `iris`, soon. All or none are taken.
    pub async fn note<'a>(&self, iris: impl Iterator<Item = &'a str> + Send) -> Result<(), QueueFault> {
        let iris: Vec<String> = iris.map(str::to_owned).collect();
        if iris.is_empty() {
            return Ok(());
        }
        let note = move |connection: &Connection| {
            let waiting = count(connection)?;
            if waiting + iris.len() > MOST_WAITING {
                return Ok(Err(QueueFault::Full(waiting)));
            }
            let mut insert =
                connection.prepare_cached("INSERT OR REPLACE INTO changed_reference (iri) VALUES (?1)")?;
            iris.iter().try_for_each(|iri| insert.execute([iri]).map(drop)).map(Ok)
        };
        self.storage.write(note).await??;
        self.noted.notify_one();
        Ok(())
    }

    /// How many wait to be looked at.
    pub async fn waiting(&self) -> Result<usize, QueueFault> {
        Ok(self.storage.write(count).await?)
    }

    /// Queues the work logs that refer to what has been noted; gives their number. After a failure what is left
    /// of it waits for the next call.
    pub async fn follow(&self) -> Result<usize, Failure> {
        let _turn = self.turn.lock().await;
        let mut queued = 0;
        loop {
            let batch = self.next().await?;
            if batch.is_empty() {
                return Ok(queued);
            }
            let iris: Vec<String> = batch.iter().map(|(_, iri)| iri.clone()).collect();
            let mut after: Option<WorkLogUri> = None;
            loop {
                let page = self.source.referring(&iris, after.as_ref()).await?;
                let Some(last) = page.last().cloned() else { break };
                for work_logs in page.chunks(QUEUED_AT_ONCE) {
                    self.queue.put(work_logs, Reason::Reference, self.clock.now()).await?;
                }
                queued += page.len();
                after = Some(last);
            }
            self.done(batch.into_iter().map(|(id, _)| id).collect()).await?;
        }
    }

    /// Follows what is noted until `stop`, and what was left of the last life.
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

    /// Under these ids nothing is to be followed any more; what was noted again has got another.
    async fn done(&self, ids: Vec<i64>) -> Result<(), Failure> {
        let delete = move |connection: &Connection| {
            let places = vec!["?"; ids.len()].join(", ");
            let statement = format!("DELETE FROM changed_reference WHERE id IN ({places})");
            connection.prepare_cached(&statement)?.execute(params_from_iter(ids)).map(drop)
        };
        Ok(self.storage.write(delete).await.map_err(QueueFault::from)?)
    }
}

fn count(connection: &Connection) -> rusqlite::Result<usize> {
    let count: i64 = connection.query_row("SELECT count(*) FROM changed_reference", [], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

#[cfg(test)]
mod tests;
