//! Timesheets that Kimai has lost, and the links that are invalid since. Cached in memory, since every run reads it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{execute, work_log_of};
use crate::domain::loss::Loss;
use crate::domain::{EntryId, WorkLogUri};

/// The cached part.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) loss: Option<Loss>,
    pub(super) void: BTreeMap<WorkLogUri, BTreeSet<EntryId>>,
}

impl Lost {
    /// The loss is resolved, with these links to be replaced.
    pub(super) fn rebuild(&mut self, void: Vec<(WorkLogUri, EntryId)>) {
        self.loss = None;
        for (work_log, id) in void {
            self.void.entry(work_log).or_default().insert(id);
        }
    }
}

/// The stored part.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Lost> {
    let mut lost = Lost { loss: loss(connection)?, ..Lost::default() };
    let mut links = connection.prepare("SELECT work_log, id FROM void_link")?;
    for link in links.query_map([], |row| Ok((work_log_of(row, 0)?, row.get(1)?)))? {
        if let (Some(work_log), id) = link? {
            lost.void.entry(work_log).or_default().insert(id);
        }
    }
    Ok(lost)
}

fn loss(connection: &Connection) -> rusqlite::Result<Option<Loss>> {
    connection
        .prepare_cached("SELECT since, reissued, known FROM loss")?
        .query_row([], |row| {
            let since = Timestamp::from_millisecond(row.get(0)?).unwrap_or_default();
            Ok(Loss { since, reissued: row.get(1)?, known: row.get(2)? })
        })
        .optional()
}

/// `work_log` got an id again, as `now` tells. Gives the whole loss, and whether it is the first sign of it.
pub(super) fn note(
    connection: &Connection,
    work_log: &WorkLogUri,
    now: Loss,
) -> rusqlite::Result<(Loss, bool)> {
    let (before, id) = (loss(connection)?, now.reissued);
    let whole = before.map_or(now, |before| Loss {
        reissued: before.reissued.min(id),
        known: before.known.max(now.known),
        ..before
    });
    connection.execute(
        "INSERT OR REPLACE INTO loss (one, since, reissued, known) VALUES (1, ?1, ?2, ?3)",
        params![whole.since.as_millisecond(), whole.reissued, whole.known],
    )?;
    // What stands from the lowest id that was given out before on was made since.
    let made_since = before.map_or(EntryId::number(i64::MAX.unsigned_abs()), |before| before.reissued);
    connection.execute(
        "DELETE FROM timesheet WHERE work_log <> ?1
             AND (id = ?2 OR (id > ?2 AND id < ?3 AND linked = 1))",
        params![work_log.as_str(), id, made_since],
    )?;
    connection.execute("UPDATE timesheet SET pushed = NULL WHERE pushed IS NOT NULL", [])?;
    connection.execute("UPDATE intent SET high_water = NULL WHERE high_water >= ?1", [id])?;
    if before.is_none() {
        connection.execute("UPDATE high_water SET id = ?1", [id])?;
    }
    Ok((whole, before.is_none()))
}

pub(super) fn rebuild(connection: &Connection, void: &[(WorkLogUri, EntryId)]) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO void_link (work_log, id) VALUES (?1, ?2)")?;
    for (work_log, id) in void {
        insert.execute(params![work_log.as_str(), id])?;
    }
    connection.execute("DELETE FROM loss", []).map(drop)
}

pub(super) fn has_new_link(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    execute(connection, "DELETE FROM void_link WHERE work_log = ?1", work_log)
}
