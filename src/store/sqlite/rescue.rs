//! Rescues a file that is damaged or removed while in use: the state in memory, and whatever can still be read, is
//! written to a new file beside it, which the next start loads.
//!
//! # Guarantees
//! - Every entry of the queue is in the new file, since those are in memory. Of the rest, each readable row is.
//! - A damaged file is moved aside, not deleted; an intact one is used, and the rescued entries are added to it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tracing::{error, warn};

use super::TransactionHook;
use super::connection::{Kind, beside};
use crate::store::StorageFault;

/// The suffixes of the new file and of the damaged one.
const RESCUED: &str = ".rescued";
const DAMAGED: &str = ".damaged";

/// The tables to rescue, most important first. The history of runs is left out: it is long, and only displayed.
const TABLES: [&str; 13] = [
    "intent",
    "update_intent",
    "high_water",
    "timesheet",
    "loss",
    "void_link",
    "changed_reference",
    "seen",
    "recheck",
    "swept",
    "run",
    "finding",
    "pulse",
];

/// The path of the new file.
pub(super) fn place(file: &Path) -> PathBuf {
    beside(file, RESCUED)
}

/// Writes the new file beside `file`: the state in `memory`, and what can be read through `connection`.
pub(super) fn write(
    kind: &Kind,
    file: &Path,
    connection: &Connection,
    memory: Option<&dyn TransactionHook>,
) -> Result<PathBuf, String> {
    let (fresh, rescued) = (beside(file, ".rescued-new"), place(file));
    // Left over from an interrupted rescue.
    for old in [&fresh, &beside(&fresh, "-wal"), &beside(&fresh, "-journal")] {
        let _ = fs::remove_file(old);
    }
    let words = |error: rusqlite::Error| kind.words(&error);
    kind.fill(&fresh)?;
    let copy = Connection::open(&fresh).map_err(words)?;
    let transaction = copy.unchecked_transaction().map_err(words)?;
    if let Some(memory) = memory {
        memory.save(&transaction).map_err(words)?;
    }
    for table in TABLES {
        if let Err(error) = copy_rows(connection, &transaction, table) {
            error!("{}: some rows of {table} can no longer be read: {error}", file.display());
        }
    }
    transaction.commit().map_err(words)?;
    copy.close().map_err(|(_, error)| kind.words(&error))?;
    fs::rename(&fresh, &rescued)
        .and_then(|()| sync_folder(file))
        .map_err(|error| format!("{} cannot be created: {error}", rescued.display()))?;
    Ok(rescued)
}

/// Copies each readable row of `table`.
fn copy_rows(from: &Connection, to: &Connection, table: &str) -> rusqlite::Result<()> {
    let mut read = from.prepare(&format!("SELECT * FROM {table}"))?;
    let columns = read.column_count();
    let places = vec!["?"; columns].join(", ");
    let mut write = to.prepare(&format!("INSERT OR REPLACE INTO {table} VALUES ({places})"))?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<Value> = (0..columns).map(|column| row.get(column)).collect::<Result<_, _>>()?;
        write.execute(params_from_iter(values))?;
    }
    Ok(())
}

/// Removes what was written beside `file`, which exists again and is intact.
pub(super) fn discard(file: &Path) {
    let _ = fs::remove_file(place(file));
}

/// Called before `file` is opened: loads what was written beside it when it was damaged or removed while in use.
pub(super) fn take_up(file: &Path) -> Result<(), StorageFault> {
    let rescued = place(file);
    if !rescued.exists() {
        return Ok(());
    }
    let fault = |why: String| StorageFault { file: rescued.display().to_string().into(), why };
    if Kind::is_damaged(&rescued) {
        return Err(fault(format!("it is damaged; move it away together with {}", file.display())));
    }
    if Kind::is_damaged(file) {
        let aside = move_aside(file).map_err(|error| fault(error.to_string()))?;
        fs::rename(&rescued, file)
            .and_then(|()| sync_folder(file))
            .map_err(|error| fault(error.to_string()))?;
        warn!(
            "The queue file was damaged or removed while in use. Continuing with what was saved beside it; {}",
            aside.map_or("there was no other.".to_owned(), |aside| format!(
                "the damaged one is now {}.",
                aside.display()
            ))
        );
        return Ok(());
    }
    // The file or an older one was restored, or its journal is lost. Nothing was written to it since.
    let merge = || {
        let connection = Connection::open(file)?;
        connection.execute("ATTACH ?1 AS rescued", [rescued.display().to_string()])?;
        let tables = std::iter::once("entry").chain(TABLES);
        let copy =
            tables.map(|table| format!("INSERT OR REPLACE INTO {table} SELECT * FROM rescued.{table};"));
        connection.execute_batch(&format!("BEGIN; {} COMMIT", copy.collect::<String>()))
    };
    match merge() {
        Ok(()) => {
            discard(file);
            warn!("What was waiting when the queue file was damaged or removed is in the queue again");
        }
        // It has another version, or is in use: opening it reports that.
        Err(error) => warn!("What was saved in {} cannot be loaded: {error}", rescued.display()),
    }
    Ok(())
}

/// Moves the file and its journal aside; returns the new path, if the file existed.
fn move_aside(file: &Path) -> std::io::Result<Option<PathBuf>> {
    let free =
        (0..1_000).map(|number| beside(file, &format!("{DAMAGED}-{number}"))).find(|name| !name.exists());
    let aside = free.unwrap_or_else(|| beside(file, DAMAGED));
    for ending in ["-wal", "-shm"] {
        if beside(file, ending).exists() {
            fs::rename(beside(file, ending), beside(&aside, ending))?;
        }
    }
    if !file.exists() {
        return Ok(None);
    }
    fs::rename(file, &aside)?;
    Ok(Some(aside))
}

fn sync_folder(file: &Path) -> std::io::Result<()> {
    File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[test]
fn no_table_is_forgotten() {
    let connection = Connection::open_in_memory().unwrap();
    super::KIND.make_tables(&connection).unwrap();
    let mut select = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let all = select.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    let forgotten: Vec<String> = all.filter(|name| !TABLES.contains(&name.as_str())).collect();
    assert_eq!(forgotten, ["entry", "attempt"], "the first is in memory, the second is only shown");
}
