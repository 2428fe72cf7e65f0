//! Group commit: everything that waits goes into one transaction.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};

use rusqlite::Connection;
use tracing::{error, info};

use super::{KIND, Mirror, StorageFault};

/// The most that shares one transaction, so that the first need not wait for ever.
const MOST_JOBS: usize = 1_000;

/// What a row of ours takes of the disk, roughly, in the file and in its journal.
const BYTES_A_ROW: u64 = 1_024;
/// The room that is tried for at least, in bytes: a few pages are free on any full disk.
const LEAST_ROOM: u64 = 64 * 1_024;
/// The most that is tried for, in bytes.
const MOST_ROOM: u64 = 64 * 1_024 * 1_024;

/// A part of a transaction, and who waits for it.
pub(super) trait Job: Send {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// Tells whoever waits. `outcome` is that of the whole transaction.
    fn finish(self: Box<Self>, outcome: Result<(), StorageFault>);
}

pub(super) struct Work<F, T, R> {
    run: Option<F>,
    result: Option<T>,
    reply: R,
}

impl<F, T, R> Work<F, T, R>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    R: FnOnce(Result<T, StorageFault>) + Send + 'static,
{
    pub(super) fn boxed(work: F, reply: R) -> Box<dyn Job> {
        Box::new(Self { run: Some(work), result: None, reply })
    }
}

impl<F, T, R> Job for Work<F, T, R>
where
    T: Send,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    R: FnOnce(Result<T, StorageFault>) + Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if let Some(work) = self.run.take() {
            self.result = Some(work(connection)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), StorageFault>) {
        match (outcome, self.result) {
            (Err(fault), _) => (self.reply)(Err(fault)),
            (Ok(()), Some(result)) => (self.reply)(Ok(result)),
            // Every job of a transaction that succeeded has run.
            (Ok(()), None) => {}
        }
    }
}

/// What others may know of the writer.
pub(super) struct Health {
    file: Arc<str>,
    mirror: OnceLock<Arc<dyn Mirror>>,
    trouble: Mutex<Option<Trouble>>,
    commits: AtomicU64,
}

/// What made a write fail, and how large it was.
struct Trouble {
    fault: StorageFault,
    /// The rows that the largest refused write had changed, as far as it came.
    rows: u64,
}

impl Health {
    pub(super) fn new(file: Arc<str>) -> Self {
        Self { file, mirror: OnceLock::new(), trouble: Mutex::default(), commits: AtomicU64::new(0) }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn attach(&self, mirror: Arc<dyn Mirror>) -> bool {
        self.mirror.set(mirror).is_ok()
    }

    pub(super) fn fault(&self, why: String) -> StorageFault {
        StorageFault { file: Arc::clone(&self.file), why }
    }

    pub(super) fn trouble(&self) -> Option<StorageFault> {
        self.lock().as_ref().map(|trouble| trouble.fault.clone())
    }

    /// The bytes that must be free before the trouble counts as over; nothing while there is none.
    pub(super) fn room_needed(&self) -> Option<u64> {
        let rows = self.lock().as_ref()?.rows;
        Some(rows.saturating_mul(BYTES_A_ROW).clamp(LEAST_ROOM, MOST_ROOM))
    }

    /// So much could be written: what made writes fail is over.
    pub(super) fn recovered(&self) {
        if self.lock().take().is_some() {
            info!("The queue's file {} can be written again", self.file);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// A write failed after it had changed `rows` rows. A later write that succeeds does not end the trouble: a
    /// small one fits where a large one does not. [`super::Storage::probe`] ends it.
    fn failed(&self, fault: &StorageFault, rows: u64) {
        let mut trouble = self.lock();
        if trouble.is_none() {
            error!("Nothing can be saved: {fault}. Deltas are answered with 503 until it can.");
        }
        let rows = trouble.as_ref().map_or(rows, |before| before.rows.max(rows));
        *trouble = Some(Trouble { fault: fault.clone(), rows });
    }
}

/// Which file was opened, whatever its name says later.
struct Identity {
    file: PathBuf,
    device_and_inode: Option<(u64, u64)>,
}

impl Identity {
    fn of(file: PathBuf) -> Self {
        let device_and_inode = look_up(&file);
        Self { file, device_and_inode }
    }
}

fn look_up(file: &PathBuf) -> Option<(u64, u64)> {
    std::fs::metadata(file).ok().map(|found| (found.dev(), found.ino()))
}

/// Owns the connection and runs the transactions.
pub(super) struct Writer {
    connection: Connection,
    health: Arc<Health>,
    identity: Option<Identity>,
}

impl Writer {
    pub(super) fn new(connection: Connection, health: Arc<Health>, file: Option<PathBuf>) -> Self {
        Self { connection, health, identity: file.map(Identity::of) }
    }

    /// Runs all of `batch` in one transaction, and tells each how that went.
    pub(super) fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let before = self.connection.total_changes();
        let outcome = self.transact(&mut batch).map_err(|why| self.health.fault(why));
        if let Some(mirror) = self.health.mirror.get() {
            mirror.ended(outcome.is_ok());
        }
        let rows = self.connection.total_changes().saturating_sub(before);
        match &outcome {
            Ok(()) if rows > 0 => drop(self.health.commits.fetch_add(1, Ordering::Relaxed)),
            Ok(()) => {}
            Err(fault) => self.health.failed(fault, rows),
        }
        for job in batch {
            job.finish(outcome.clone());
        }
    }

    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), String> {
        if let Some(Identity { file, device_and_inode }) = &self.identity
            && look_up(file) != *device_and_inode
        {
            // What is written now would be lost with the file that has no name any more.
            return Err("it was moved or removed while in use; start the service again".to_owned());
        }
        let words = |error: rusqlite::Error| KIND.words(&error);
        // Rolled back when dropped.
        let transaction = self.connection.transaction().map_err(words)?;
        for job in batch {
            job.run(&transaction).map_err(words)?;
        }
        if let Some(mirror) = self.health.mirror.get() {
            mirror.write(&transaction).map_err(words)?;
        }
        transaction.commit().map_err(words)
    }
}

/// Commits what comes in until nobody can ask any more. While one commit waits for the disk, the next
/// transaction fills up by itself: the slower the disk, the more share it, and nobody waits for company.
pub(super) fn drive(mut writer: Writer, jobs: &mpsc::Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(MOST_JOBS - 1));
        writer.commit(batch);
    }
}
