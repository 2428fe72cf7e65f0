//! What was about to be created, and the highest position seen by then.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::{claims, execute, json, work_log_of};
use crate::domain::WorkLogUri;
use crate::domain::intent::Intent;
use crate::domain::watermark::Watermark;
use crate::failpoint::mutants::{Mutant, mutated};
use crate::store::ledger::LedgerFault;

/// Opens an intent, unless one is open or the work log has a timesheet.
pub(super) fn open(
    connection: &Connection,
    work_log: &WorkLogUri,
    intent: &Intent,
    highest: &AtomicU64,
) -> rusqlite::Result<Result<(), LedgerFault>> {
    if let Some((_, earlier)) = read(connection, Some(work_log))?.pop() {
        return Ok(Err(LedgerFault::IntentOpen(earlier.started_at)));
    }
    if let Some(id) = claims::timesheet(connection, work_log)?.filter(|_| !mutated(Mutant::NoMemory)) {
        return Ok(Err(LedgerFault::Found(id)));
    }
    connection
        .prepare_cached(
            "INSERT INTO intent (work_log, wanted, high_water, started_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            work_log.as_str(),
            json(&intent.wanted),
            intent.high_water.map(|mark| mark.0.cast_signed()),
            intent.started_at.as_millisecond(),
        ])?;
    save_high_water(connection, highest).map(Ok)
}

/// The open intents, of `work_log` or all. One that cannot be read is an error, since its timesheet must not be created
/// twice.
pub(super) fn read(
    connection: &Connection,
    work_log: Option<&WorkLogUri>,
) -> rusqlite::Result<Vec<(WorkLogUri, Intent)>> {
    // Not one statement for both: SQLite would plan it again for each work log.
    let select = match work_log {
        Some(_) => "SELECT work_log, wanted, high_water, started_at FROM intent WHERE work_log = ?1",
        None => "SELECT work_log, wanted, high_water, started_at FROM intent ORDER BY work_log",
    };
    let read = |row: &Row<'_>| {
        let wanted = serde_json::from_str(row.get_ref(1)?.as_str()?).map_err(|error| unreadable(1, error))?;
        let high_water = row.get::<_, Option<i64>>(2)?.map(|mark| Watermark(mark.cast_unsigned()));
        let started_at = Timestamp::from_millisecond(row.get(3)?).map_err(|error| unreadable(3, error))?;
        let work_log = work_log_of(row, 0)?.ok_or_else(|| unreadable(0, "not an IRI"))?;
        Ok((work_log, Intent { wanted, high_water, started_at }))
    };
    let mut select = connection.prepare_cached(select)?;
    select.query_map(params_from_iter(work_log.map(WorkLogUri::as_str)), read)?.collect()
}

fn unreadable(
    column: usize,
    why: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, why.into())
}

/// The number of open intents, and when the oldest of them began.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<(usize, Option<Timestamp>)> {
    let count = "SELECT count(*), min(started_at) FROM intent";
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?));
    let (count, oldest) = connection.query_row(count, [], read)?;
    let oldest = oldest.and_then(|began| Timestamp::from_millisecond(began).ok());
    Ok((usize::try_from(count).unwrap_or_default(), oldest))
}

pub(super) fn close(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    execute(connection, "DELETE FROM intent WHERE work_log = ?1", work_log)
}

/// The highest position saved; 0 before the first.
pub(super) fn high_water(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT id FROM high_water", [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

pub(super) fn save_high_water(connection: &Connection, highest: &AtomicU64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE high_water SET id = ?1 WHERE id < ?1")?
        .execute([highest.load(Ordering::Relaxed).cast_signed()])
        .map(drop)
}
