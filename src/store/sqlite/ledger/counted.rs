//! The hours that Kimai counts, and the day it books them on, as far as its answers show. Read by the sweep, the doctor
//! and the metrics.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{value_of, work_log_of};
use crate::domain::diff::ObservedEntry;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, WorkLogUri};
use crate::store::ledger::{Counted, SAMPLE};

pub(super) fn counted(connection: &Connection) -> rusqlite::Result<Counted> {
    let rounded = "SELECT count(*), coalesce(sum(rounded), 0) FROM timesheet WHERE rounded <> 0";
    let (rounded, seconds) =
        connection.prepare_cached(rounded)?.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
    let off_day: i64 = connection
        .prepare_cached("SELECT count(*) FROM timesheet WHERE shift <> 0")?
        .query_row([], |row| row.get(0))?;
    Ok(Counted { rounded: rounded.cast_unsigned(), seconds, off_day: off_day.cast_unsigned() })
}

pub(super) fn off_days(connection: &Connection) -> rusqlite::Result<BTreeMap<WorkLogUri, (EntryId, i32)>> {
    connection
        .prepare_cached("SELECT work_log, id, shift FROM timesheet WHERE shift <> 0")?
        .query_map([], |row| Ok((work_log_of(row, 0)?, (row.get(1)?, row.get(2)?))))?
        .filter_map(|row| row.map(|(work_log, of)| Some((work_log?, of))).transpose())
        .collect()
}

pub(super) fn unknown_days(connection: &Connection) -> rusqlite::Result<u64> {
    let count = "SELECT count(*) FROM timesheet WHERE shift IS NULL";
    connection.query_row(count, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// What cannot be read is left out.
pub(super) fn rounded_sample(
    connection: &Connection,
) -> rusqlite::Result<Vec<(DesiredEntry, ObservedEntry)>> {
    connection
        .prepare_cached(
            "SELECT pushed, held FROM timesheet WHERE rounded <> 0 AND pushed IS NOT NULL
             ORDER BY id DESC LIMIT ?1",
        )?
        .query_map([SAMPLE.cast_signed()], |row| {
            Ok(value_of::<DesiredEntry>(row, 0)?.zip(value_of::<ObservedEntry>(row, 1)?))
        })?
        .filter_map(Result::transpose)
        .collect()
}
