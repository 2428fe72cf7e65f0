//! Group commit: all waiting writes go into one transaction.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};

use rusqlite::Connection;
use tracing::{error, info};

use super::connection::{damage, is_damage};
use super::watch::{Change, Watch};
use super::{KIND, TransactionHook, rescue};
use crate::store::StorageFault;

/// Prepared statements that are kept: more than there are. SQLite takes longer to parse most of them than to run them.
const STATEMENTS: usize = 128;

/// The maximum size of the journal before a checkpoint.
const JOURNAL_BYTES: u64 = 4 * 1024 * 1024;
/// The most jobs in one transaction, so that the first does not wait too long.
const MOST_JOBS: usize = 1_000;

/// The approximate disk space of a row, in the file and in its journal.
const BYTES_A_ROW: u64 = 1_024;
/// The minimum space to test for, in bytes: a few pages are free even on a full disk.
const LEAST_ROOM: u64 = 64 * 1_024;
/// The maximum space to test for, in bytes.
const MOST_ROOM: u64 = 64 * 1_024 * 1_024;

/// A part of a transaction, and its caller.
pub(super) trait Job: Send {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// Notifies the caller of the `outcome` of the whole transaction.
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

/// The shared state of the writer.
pub(super) struct Health {
    file: Arc<str>,
    hook: OnceLock<Arc<dyn TransactionHook>>,
    trouble: Mutex<Option<Trouble>>,
    commits: AtomicU64,
    /// Whether a check of every page was requested.
    check: AtomicBool,
}

/// Why writes fail, and how large the failed write was.
struct Trouble {
    fault: StorageFault,
    /// The rows that the largest failed write had changed until it failed.
    rows: u64,
}

impl Health {
    pub(super) fn new(file: Arc<str>) -> Self {
        Self {
            file,
            hook: OnceLock::new(),
            trouble: Mutex::default(),
            commits: AtomicU64::new(0),
            check: AtomicBool::new(false),
        }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn attach(&self, hook: Arc<dyn TransactionHook>) -> bool {
        self.hook.set(hook).is_ok()
    }

    pub(super) fn fault(&self, why: String) -> StorageFault {
        StorageFault { file: Arc::clone(&self.file), why }
    }

    pub(super) fn trouble(&self) -> Option<StorageFault> {
        self.lock().as_ref().map(|trouble| trouble.fault.clone())
    }

    /// The bytes that must be free before writes are considered possible again; none if they do not fail.
    pub(super) fn room_needed(&self) -> Option<u64> {
        let rows = self.lock().as_ref()?.rows;
        Some(rows.saturating_mul(BYTES_A_ROW).clamp(LEAST_ROOM, MOST_ROOM))
    }

    /// This much could be written, so the failure is over.
    pub(super) fn recovered(&self) {
        if self.lock().take().is_some() {
            info!("The queue file {} can be written again", self.file);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests a check of every page before the next transaction.
    pub(super) fn ask_for_check(&self) {
        self.check.store(true, Ordering::Relaxed);
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// A write failed after it had changed `rows` rows. A later successful write does not end this state, since a small
    /// write may fit where a large one does not. [`super::Storage::probe`] ends it.
    fn failed(&self, fault: &StorageFault, rows: u64) {
        let mut trouble = self.lock();
        if trouble.is_none() {
            error!("Nothing can be saved: {fault}. Deltas are answered with 503 until this is fixed.");
        }
        let rows = trouble.as_ref().map_or(rows, |before| before.rows.max(rows));
        *trouble = Some(Trouble { fault: fault.clone(), rows });
    }
}

/// Why a transaction was not committed.
enum Refusal {
    /// Nothing was written: the file is unusable, with the reason.
    File(String),
    Statement(rusqlite::Error),
}

/// Owns the connection and runs the transactions.
pub(super) struct Writer {
    connection: Connection,
    health: Arc<Health>,
    /// None in memory.
    watch: Option<Watch>,
    /// Why the file is permanently unusable.
    damaged: Option<String>,
    /// Where the state in memory was saved.
    rescued: Option<PathBuf>,
}

impl Writer {
    pub(super) fn new(connection: Connection, health: Arc<Health>, file: Option<PathBuf>) -> Self {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Self { connection, health, watch: file.map(Watch::of), damaged: None, rescued: None }
    }

    /// Runs all of `batch` in one transaction, and returns each caller's result.
    pub(super) fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let before = self.connection.total_changes();
        let tried = self.check().map_err(Refusal::File).and_then(|()| self.transact(&mut batch));
        if let Some(hook) = self.health.hook.get() {
            hook.ended(tried.is_ok());
        }
        let outcome = tried.map_err(|refusal| {
            let words = match refusal {
                Refusal::File(words) => words,
                Refusal::Statement(error) if is_damage(&error) => self.is_damaged(error.to_string()),
                Refusal::Statement(error) => KIND.words(&error),
            };
            self.health.fault(words)
        });
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

    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), Refusal> {
        let outcome = self.run(batch).map_err(Refusal::Statement);
        let Some(watch) = &mut self.watch else { return outcome };
        if !watch.note_commit() {
            // Something else has changed it meanwhile.
            return outcome.and_then(|()| self.check().map_err(Refusal::File));
        }
        if watch.journal_length() > JOURNAL_BYTES {
            // The commit is on disk, whether or not this works.
            let _ = self.empty_journal();
        }
        outcome
    }

    fn run(&mut self, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        // Rolled back when dropped.
        let transaction = self.connection.transaction()?;
        for job in batch {
            job.run(&transaction)?;
        }
        if let Some(hook) = self.health.hook.get() {
            hook.write(&transaction)?;
        }
        transaction.commit()
    }

    /// Whether the file is unchanged since the last transaction.
    fn check(&mut self) -> Result<(), String> {
        let Some(watch) = &self.watch else { return Ok(()) };
        let asked = self.health.check.swap(false, Ordering::Relaxed);
        if let Some(damaged) = self.damaged.clone() {
            return Err(self.is_damaged(damaged));
        }
        match watch.change() {
            Change::Gone => {
                let gone = "it or its journal was moved or removed while in use";
                return Err(match self.rescue() {
                    Ok(saved) => format!("{gone}; {saved}"),
                    Err(why) => format!("{gone}; restart the service; {why}"),
                });
            }
            Change::None if !asked => {
                if self.rescued.take().is_some() {
                    rescue::discard(watch.file());
                }
                return Ok(());
            }
            Change::None => {}
            // Before the pages are read from disk: some are still cached.
            Change::Touched => drop(self.rescue()),
        }
        match damage(&self.connection) {
            Ok(None) => {
                // The content of the journal is complete now, but may not be at the next start.
                self.empty_journal().map_err(|error| KIND.words(&error))?;
                if let Some(watch) = &self.watch {
                    self.rescued.take().into_iter().for_each(|_| rescue::discard(watch.file()));
                }
                Ok(())
            }
            Ok(Some(damage)) => Err(self.is_damaged(damage)),
            Err(error) if is_damage(&error) => Err(self.is_damaged(error.to_string())),
            Err(error) => Err(KIND.words(&error)),
        }
    }

    /// Writes the content of the journal to the file.
    fn empty_journal(&mut self) -> rusqlite::Result<()> {
        let emptied = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Some(watch) = &mut self.watch {
            watch.note();
        }
        emptied
    }

    /// The file is permanently damaged; as text, with the fix.
    fn is_damaged(&mut self, damage: String) -> String {
        let words = match self.rescue() {
            Ok(saved) => format!("it is damaged ({}); {saved}", first_line(&damage)),
            Err(why) => format!("{}; {why}", KIND.damaged(first_line(&damage))),
        };
        self.damaged = Some(damage);
        words
    }

    /// Saves the state in memory beside the file, unless that is done; returns where, or why that is not possible.
    fn rescue(&mut self) -> Result<String, String> {
        let Some(watch) = &self.watch else { return Err("nothing is kept in a file".to_owned()) };
        let rescued = if let Some(rescued) = self.rescued.take() {
            rescued
        } else {
            let memory = self.health.hook.get().map(|hook| hook.as_ref() as &dyn TransactionHook);
            rescue::write(&KIND, watch.file(), &self.connection, memory)
                .map_err(|why| format!("the queue could not be saved beside it either ({why})"))?
        };
        let place = rescued.display().to_string();
        self.rescued = Some(rescued);
        Ok(format!("the queue is saved in {place}: restart the service to continue with it"))
    }
}

/// The first line that is not a heading in SQLite's multi-line report on a damaged file.
fn first_line(damage: &str) -> &str {
    damage.lines().find(|line| !line.starts_with("***")).unwrap_or(damage)
}

/// Commits jobs until all senders are gone. While one commit waits for the disk, jobs for the next one accumulate: the
/// slower the disk, the more jobs share a commit, without any artificial delay.
pub(super) fn drive(mut writer: Writer, jobs: &mpsc::Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(MOST_JOBS - 1));
        writer.commit(batch);
    }
}
