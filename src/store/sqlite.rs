//! All that is kept in one SQLite file, so that one transaction can cover several parts of it.
//!
//! # Guarantees
//! - A write that was acknowledged is on disk, through `kill -9` and power loss at any moment.
//! - Everything requested during a commit is written by the next one: a burst costs few waits for the disk. If that
//!   commit fails, all of its callers get the error, and the state in memory (the [`TransactionHook`]) is rolled back.
//! - A file that is damaged, foreign, read-only or in use is an error that names it and how to fix it; it is never
//!   treated as an empty one. If the disk is full or fails later, writes fail until it works again.
//! - A file that is damaged, truncated or removed while in use is noticed at the next write or check, and nothing is
//!   acknowledged from then on. The state in memory is written to a new file beside it for the next start.
//!
//! # Assumptions
//! The disk honours fsync.
//!
//! # Caveats
//! The file may be gone at the next start (a container without a volume): then the sweep at start finds pending work.
//! One process at a time may use a directory.

pub(crate) mod connection;
mod group_commit;
mod ids;
mod jobs;
mod ledger;
#[cfg(test)]
pub(crate) mod memory;
mod queue;
mod references;
mod rescue;
#[cfg(test)]
mod testing;
pub(crate) mod triples;
mod watch;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::StorageFault;
use connection::Kind;
use group_commit::{Health, Job, Work, Writer};
pub use jobs::SqliteJobs;
pub use ledger::SqliteLedger;
pub use queue::SqliteQueue;
pub use references::SqliteReferences;

/// The file within the data directory.
pub const FILE: &str = "queue.sqlite3";

/// How often every page of the file is verified.
const VERIFIED_EVERY: Duration = Duration::from_mins(10);

/// The name shown if there is no file.
const IN_MEMORY: &str = "(in memory)";

pub(crate) const KIND: Kind = Kind {
    application_id: 0x6b71_7565, // "kque"
    schema: include_str!("sqlite/schema.sql"),
    steps: &[
        include_str!("sqlite/version-2.sql"),
        include_str!("sqlite/version-3.sql"),
        include_str!("sqlite/version-4.sql"),
        include_str!("sqlite/version-5.sql"),
        include_str!("sqlite/version-6.sql"),
        include_str!("sqlite/version-7.sql"),
        include_str!("sqlite/version-8.sql"),
        include_str!("sqlite/version-9.sql"),
        include_str!("sqlite/version-10.sql"),
        include_str!("sqlite/version-11.sql"),
        include_str!("sqlite/version-12.sql"),
    ],
    remedy: "move it away together with its -wal file, and the sweep at start finds what was waiting",
};

/// State in memory that mirrors rows of the file: it is changed and rolled back with them.
pub trait TransactionHook: Send + Sync {
    /// Writes the changes of this transaction.
    fn write(&self, connection: &Connection) -> rusqlite::Result<()>;

    /// The transaction was committed (`true`) or failed.
    fn ended(&self, committed: bool);

    /// Writes the whole state into a new file, between two transactions.
    fn save(&self, connection: &Connection) -> rusqlite::Result<()>;
}

/// The file, or an in-memory database. Cheap to clone; it is closed when the last clone is dropped.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

struct Inner {
    drive: Drive,
    health: Arc<Health>,
}

/// What runs the transactions.
enum Drive {
    /// The callers, one at a time.
    Caller(Box<Mutex<Writer>>),
    /// A dedicated thread, which commits for many callers at once.
    Thread { jobs: Option<mpsc::Sender<Box<dyn Job>>>, thread: Option<std::thread::JoinHandle<()>> },
}

impl Storage {
    /// Opens or creates the file in `directory`, with a dedicated thread that commits for many callers at once.
    pub fn open(directory: &Path) -> Result<Self, StorageFault> {
        let (writer, health) = Self::writer(directory)?;
        let (jobs, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("queue-file".to_owned())
            .spawn(move || group_commit::drive(writer, &queue))
            .map_err(|error| health.fault(format!("its thread cannot be started: {error}")))?;
        let drive = Drive::Thread { jobs: Some(jobs), thread: Some(thread) };
        Ok(Self { inner: Arc::new(Inner { drive, health }) })
    }

    /// The same without a thread: each write is its own commit, and blocks its caller. For tests on paused time, which
    /// a thread would let advance.
    pub fn open_single(directory: &Path) -> Result<Self, StorageFault> {
        let (writer, health) = Self::writer(directory)?;
        Ok(Self { inner: Arc::new(Inner { drive: Drive::Caller(Box::new(Mutex::new(writer))), health }) })
    }

    /// A storage that lives as long as its clones.
    pub fn in_memory() -> Result<Self, StorageFault> {
        let health = Arc::new(Health::new(IN_MEMORY.into()));
        let connection = KIND.in_memory().map_err(|why| health.fault(why))?;
        let writer = Writer::new(connection, Arc::clone(&health), None);
        Ok(Self { inner: Arc::new(Inner { drive: Drive::Caller(Box::new(Mutex::new(writer))), health }) })
    }

    fn writer(directory: &Path) -> Result<(Writer, Arc<Health>), StorageFault> {
        let file = directory.join(FILE);
        let health = Arc::new(Health::new(file.display().to_string().into()));
        rescue::take_up(&file)?;
        let connection = KIND.open(&file).map_err(|why| health.fault(why))?;
        Ok((Writer::new(connection, Arc::clone(&health), Some(file)), health))
    }

    /// Keeps `mirror` in sync with the file from now on. There can be only one.
    pub fn attach(&self, hook: Arc<dyn TransactionHook>) -> Result<(), StorageFault> {
        let attached = self.inner.health.attach(hook);
        if attached { Ok(()) } else { Err(self.inner.health.fault("a queue uses it already".to_owned())) }
    }

    /// Runs `work` in the next transaction; when this returns, that is on disk. `work` goes on if the
    /// caller goes away. It should look first and change then: an error of SQLite fails the whole
    /// transaction, with all who share it.
    async fn write<T, F>(&self, work: F) -> Result<T, StorageFault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        #[cfg(test)]
        crate::reconcile::simulation::rng::hesitate().await;
        let (reply, answer) = oneshot::channel();
        self.submit(Work::boxed(work, move |result| drop(reply.send(result))));
        #[cfg(test)]
        crate::reconcile::simulation::rng::hesitate().await;
        // Only a writer that failed sends no reply.
        answer.await.unwrap_or_else(|_| Err(self.broken()))
    }

    /// The same, blocking the caller: for the start.
    fn write_now<T, F>(&self, work: F) -> Result<T, StorageFault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = mpsc::channel();
        self.submit(Work::boxed(work, move |result| drop(reply.send(result))));
        answer.recv().unwrap_or_else(|_| Err(self.broken()))
    }

    fn submit(&self, job: Box<dyn Job>) {
        match &self.inner.drive {
            // After a panic, the transaction was rolled back.
            Drive::Caller(writer) => writer.lock().unwrap_or_else(PoisonError::into_inner).commit(vec![job]),
            Drive::Thread { jobs, .. } => {
                if let Some(jobs) = jobs {
                    // A job that cannot be sent is dropped, and its reply with it.
                    let _ = jobs.send(job);
                }
            }
        }
    }

    /// Checks that the file is unchanged since the last commit, and can be written. Takes a few system calls, unless
    /// something else has changed it.
    pub async fn look(&self) -> Result<(), StorageFault> {
        self.write(|_| Ok(())).await?;
        self.probe().await
    }

    /// The same, reading every page of the file, since a disk may lose data. Other callers wait meanwhile, about a
    /// second for some hundred megabytes.
    pub async fn verify(&self) -> Result<(), StorageFault> {
        self.inner.health.ask_for_check();
        self.look().await
    }

    /// Verifies the file periodically, until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        let watch = async {
            loop {
                tokio::time::sleep(VERIFIED_EVERY).await;
                // The error is already logged.
                let _ = self.verify().await;
            }
        };
        let _ = stop.run_until_cancelled(watch).await;
    }

    /// Checks that it can be written. After a failure, this requires as much free space as the failed write needed,
    /// which is allocated and freed again.
    pub async fn probe(&self) -> Result<(), StorageFault> {
        let Some(room) = self.inner.health.room_needed() else { return Ok(()) };
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        self.write(move |connection| {
            connection.execute_batch("DROP TABLE IF EXISTS room; CREATE TABLE room (bytes BLOB)")?;
            connection.execute("INSERT INTO room VALUES (zeroblob(?1))", [room]).map(drop)
        })
        .await?;
        self.write(|connection| connection.execute_batch("DROP TABLE IF EXISTS room")).await?;
        self.inner.health.recovered();
        Ok(())
    }

    /// Why writes fail; none once [`Storage::probe`] has found enough space again.
    pub fn trouble(&self) -> Option<StorageFault> {
        self.inner.health.trouble()
    }

    /// The name of the file, for people.
    pub fn place(&self) -> String {
        self.inner.health.file().to_owned()
    }

    /// Whether it is lost when the process ends.
    pub fn is_in_memory(&self) -> bool {
        self.inner.health.file() == IN_MEMORY
    }

    /// How many transactions have changed the file since it was opened.
    pub fn commits(&self) -> u64 {
        self.inner.health.commits()
    }

    /// A row that cannot be read.
    pub(crate) fn damaged(&self, what: &str) -> StorageFault {
        self.inner.health.fault(KIND.damaged(what))
    }

    fn broken(&self) -> StorageFault {
        self.inner.health.fault("its writer failed; restart the service".to_owned())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Drive::Thread { jobs, thread } = &mut self.drive {
            drop(jobs.take());
            // It finishes all requests and closes the file.
            let _ = thread.take().map(std::thread::JoinHandle::join);
        }
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("commits", &self.commits()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod conformance_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;
