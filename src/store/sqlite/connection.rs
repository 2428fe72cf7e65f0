//! A connection to our SQLite file: created atomically, checked when opened, used by one process at a time.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

/// How long to wait for a predecessor that is still stopping.
const PATIENCE: Duration = Duration::from_secs(3);
/// The maximum size of the write-ahead file after a burst, in bytes.
const MOST_WAL_BYTES: i64 = 16 * 1024 * 1024;

/// The kind of a file: its tables, and how to fix it if it is damaged.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Marks the file as ours, so that it is not confused with other SQLite files.
    pub(crate) application_id: i32,
    /// The SQL that creates the tables of version 1.
    pub(crate) schema: &'static str,
    /// The SQL that upgrades a file from version 1 to version 2, from version 2 to version 3, and so on.
    pub(crate) steps: &'static [&'static str],
    /// How to fix a damaged file.
    pub(crate) remedy: &'static str,
}

impl Kind {
    /// Opens `file`, or creates it and its directory. An error says what is wrong and how to fix it; the file is then
    /// unchanged.
    pub(crate) fn open(&self, file: &Path) -> Result<Connection, String> {
        let directory = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory).map_err(|error| format!("the directory: {error}"))?;
        match fs::metadata(file) {
            Ok(found) if found.is_dir() => {
                return Err("it is a directory; choose another data directory".to_owned());
            }
            Ok(found) if found.len() == 0 => return Err(format!("it is empty; {}", self.remedy)),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => self.create(file, directory)?,
            Err(error) => return Err(error.to_string()),
        }
        let words = |error: rusqlite::Error| self.words(&error);
        let connection = Connection::open(file).map_err(words)?;
        if connection.is_readonly("main").map_err(words)? {
            return Err(READ_ONLY.to_owned());
        }
        connection.busy_timeout(PATIENCE).map_err(words)?;
        // No other process may write while memory mirrors the file.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(words)?;
        self.check(&connection)?;
        tune(&connection).map_err(words)?;
        // Takes the lock and shows whether it can be written, without changing it.
        connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(words)?;
        self.upgrade(&connection).map_err(words)?;
        Ok(connection)
    }

    /// The same tables in memory.
    pub(crate) fn in_memory(&self) -> Result<Connection, String> {
        let connection = Connection::open_in_memory().map_err(|error| self.words(&error))?;
        self.make_tables(&connection)?;
        Ok(connection)
    }

    /// Creates the file under another name first: if the process is killed, there is no file instead of an empty one.
    fn create(&self, file: &Path, directory: &Path) -> Result<(), String> {
        let journal = beside(file, "-wal");
        if journal.exists() && !file.exists() {
            // SQLite would treat it as the journal of the new file.
            return Err(format!(
                "it is missing, but {} still exists; restore it, or move that file away too",
                journal.display()
            ));
        }
        let fresh = beside(file, &format!(".new-{}", uuid::Uuid::new_v4().simple()));
        let made = self.fill(&fresh).and_then(|()| {
            // Unlike a rename, a link never replaces a file that another process has created meanwhile.
            let linked = match fs::hard_link(&fresh, file) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                Err(_) => fs::rename(&fresh, file),
                Ok(()) => Ok(()),
            };
            linked
                .and_then(|()| File::open(directory)?.sync_all())
                .map_err(|error| format!("it cannot be created: {error}"))
        });
        // After a rename it does not exist.
        let _ = fs::remove_file(&fresh);
        made
    }

    /// Creates an empty file of this kind.
    pub(super) fn fill(&self, fresh: &Path) -> Result<(), String> {
        let connection = Connection::open(fresh).map_err(|error| self.words(&error))?;
        self.make_tables(&connection)?;
        connection.close().map_err(|(_, error)| self.words(&error))
    }

    /// The version of a fully upgraded file.
    pub(super) fn version(&self) -> i32 {
        i32::try_from(self.steps.len() + 1).unwrap_or(i32::MAX)
    }

    pub(super) fn make_tables(&self, connection: &Connection) -> Result<(), String> {
        let (application_id, version) = (self.application_id, self.version());
        let tables: String = [self.schema].iter().chain(self.steps).copied().collect();
        connection
            .execute_batch(&format!(
                "BEGIN; {tables} PRAGMA application_id = {application_id}; PRAGMA user_version = {version}; COMMIT"
            ))
            .map_err(|error| self.words(&error))
    }

    fn check(&self, connection: &Connection) -> Result<(), String> {
        let number = |pragma: &str| {
            connection
                .pragma_query_value(None, pragma, |row| row.get::<_, i32>(0))
                .map_err(|error| self.words(&error))
        };
        let (application_id, version) = (number("application_id")?, number("user_version")?);
        if application_id != self.application_id {
            return Err("it is a database of another program; choose another data directory".to_owned());
        }
        if version > self.version() || version < 1 {
            return Err(format!(
                "it has version {version}, but this program supports version {}; use a newer program",
                self.version()
            ));
        }
        match damage(connection).map_err(|error| self.words(&error))? {
            None => Ok(()),
            Some(damage) => Err(self.damaged(&damage)),
        }
    }

    /// Whether `file` is unusable: missing, empty, or certainly damaged. A file in use by another process is not.
    pub(super) fn is_damaged(file: &Path) -> bool {
        match fs::metadata(file) {
            Err(error) => return error.kind() == ErrorKind::NotFound,
            Ok(found) if found.len() == 0 => return true,
            Ok(_) => {}
        }
        match Connection::open(file).and_then(|connection| damage(&connection)) {
            Ok(damage) => damage.is_some(),
            Err(error) => is_damage(&error),
        }
    }

    /// Upgrades the file to the current version, each step in one transaction: after a kill, the next start continues
    /// from there.
    fn upgrade(&self, connection: &Connection) -> rusqlite::Result<()> {
        let found: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for (version, step) in (2..).zip(self.steps).filter(|(version, _)| *version > found) {
            // Rolled back when dropped.
            let transaction = connection.unchecked_transaction()?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// The error for a damaged file.
    pub(crate) fn damaged(&self, what: &str) -> String {
        let what: String = what.chars().take(300).collect();
        format!("it is damaged ({what}); {}", self.remedy)
    }

    /// An error of SQLite as text, with the fix.
    pub(crate) fn words(&self, error: &rusqlite::Error) -> String {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another process is using it; stop that process first".to_owned()
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => self.damaged(&error.to_string()),
            Some(ErrorCode::DiskFull) => "the disk is full; free some space".to_owned(),
            Some(ErrorCode::ReadOnly) => READ_ONLY.to_owned(),
            Some(ErrorCode::CannotOpen) => {
                "it cannot be opened; check that this process's user can read and write it and its directory"
                    .to_owned()
            }
            Some(ErrorCode::SystemIoFailure) => format!("the disk failed ({error})"),
            _ => error.to_string(),
        }
    }
}

/// What is wrong with the pages on disk, not in the cache.
pub(super) fn damage(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection.execute_batch("PRAGMA shrink_memory")?;
    let verdict: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// Whether the file is permanently unusable.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

const READ_ONLY: &str = "it is read-only; make it and its directory writable for this process's user, or choose another data directory";

fn tune(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Every commit is on disk when it returns, not only in the memory of the machine.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", MOST_WAL_BYTES)?;
    // The writer checkpoints itself; only a checkpoint writes to the main file.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // The root file system of the image is read-only: no temporary files elsewhere.
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// The path of `file` with the suffix `ending`.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
