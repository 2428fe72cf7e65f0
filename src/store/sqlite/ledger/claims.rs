//! Which timesheet belongs to which work log, and what was last sent there.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{execute, json, updates, value_of, work_log_of};
use crate::domain::diff::ObservedEntry;
use crate::domain::plan::Memory;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, WorkLogUri};
use crate::store::ledger::{Held, Remembered};
use crate::store::sqlite::queue::is_removed;

/// All that is remembered of `work_log`.
pub(super) fn recall(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<Memory> {
    let removed = is_removed(connection, work_log)?;
    let known = connection
        .prepare_cached("SELECT id, linked, pushed, held, shift FROM timesheet WHERE work_log = ?1")?
        .query_row([work_log.as_str()], |row| {
            let (linked, unwritten) = (Some(row.get(0)?), !row.get::<_, bool>(1)?);
            let (pushed, held, shift) = (value_of(row, 2)?, value_of(row, 3)?, row.get(4)?);
            Ok(Memory { linked, unwritten, pushed, held, shift, ..Memory::default() })
        })
        .optional()?;
    let unanswered = updates::unanswered(connection, work_log)?;
    Ok(Memory { removed, unanswered, ..known.unwrap_or_default() })
}

/// `id` holds `wanted`. Whether the triplestore knows of it stays as it is; of another one than before it does.
pub(super) fn pushed(
    connection: &Connection,
    work_log: &WorkLogUri,
    id: EntryId,
    wanted: &DesiredEntry,
    held: &Held,
) -> rusqlite::Result<()> {
    let (pushed, rounded, found) = (json(wanted), held.rounded(wanted), json(&held.found));
    connection
        .prepare_cached(
            "INSERT INTO timesheet (work_log, id, pushed, held, rounded, shift, linked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)
             ON CONFLICT (work_log) DO UPDATE SET id = excluded.id, pushed = excluded.pushed,
                 held = excluded.held, rounded = excluded.rounded, shift = excluded.shift,
                 linked = CASE WHEN id = excluded.id THEN linked ELSE 1 END",
        )?
        .execute(params![work_log.as_str(), id, pushed, found, rounded, held.shift])
        .map(drop)
}

/// `id` is new, and the triplestore does not know of it.
pub(super) fn made(
    connection: &Connection,
    work_log: &WorkLogUri,
    id: EntryId,
    pushed: Option<&DesiredEntry>,
    held: &Held,
) -> rusqlite::Result<()> {
    let rounded = pushed.and_then(|pushed| held.rounded(pushed));
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO timesheet (work_log, id, pushed, held, rounded, shift, linked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
        )?
        .execute(params![work_log.as_str(), id, pushed.map(json), json(&held.found), rounded, held.shift])
        .map(drop)
}

/// The same of one that was there already. The caller has looked whether both are free.
pub(super) fn adopt(
    connection: &Connection,
    work_log: &WorkLogUri,
    id: EntryId,
    wanted: &DesiredEntry,
    held: &ObservedEntry,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO timesheet (work_log, id, pushed, held, linked) VALUES (?1, ?2, ?3, ?4, 0)",
        )?
        .execute(params![work_log.as_str(), id, json(wanted), json(held)])
        .map(drop)
}

pub(super) fn linked(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    execute(connection, "UPDATE timesheet SET linked = 1 WHERE work_log = ?1 AND linked = 0", work_log)
}

pub(super) fn forget(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    execute(connection, "DELETE FROM timesheet WHERE work_log = ?1", work_log)
}

pub(super) fn forget_held(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    execute(connection, "UPDATE timesheet SET held = NULL WHERE work_log = ?1", work_log)
}

pub(super) fn put_back(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    execute(connection, "UPDATE timesheet SET pushed = NULL, shift = NULL WHERE work_log = ?1", work_log)
}

pub(super) fn timesheet(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<Option<EntryId>> {
    connection
        .prepare_cached("SELECT id FROM timesheet WHERE work_log = ?1")?
        .query_row([work_log.as_str()], |row| row.get(0))
        .optional()
}

pub(super) fn owner(connection: &Connection, id: EntryId) -> rusqlite::Result<Option<WorkLogUri>> {
    connection
        .prepare_cached("SELECT work_log FROM timesheet WHERE id = ?1")?
        .query_row([id], |row| work_log_of(row, 0))
        .optional()
        .map(Option::flatten)
}

pub(super) fn owners(
    connection: &Connection,
    ids: Vec<EntryId>,
) -> rusqlite::Result<BTreeMap<EntryId, WorkLogUri>> {
    let of = |id| Ok(owner(connection, id)?.map(|owner| (id, owner)));
    ids.into_iter().filter_map(|id| of(id).transpose()).collect()
}

pub(super) fn unlinked(connection: &Connection) -> rusqlite::Result<Vec<(WorkLogUri, EntryId)>> {
    connection
        .prepare_cached("SELECT work_log, id FROM timesheet WHERE linked = 0 ORDER BY work_log")?
        .query_map([], |row| Ok((work_log_of(row, 0)?, row.get(1)?)))?
        .filter_map(|row| row.map(|(work_log, id)| Some((work_log?, id))).transpose())
        .collect()
}

pub(super) fn remembered(
    connection: &Connection,
    work_logs: Vec<WorkLogUri>,
) -> rusqlite::Result<BTreeMap<WorkLogUri, Remembered>> {
    let mut select =
        connection.prepare_cached("SELECT id, pushed, held, shift FROM timesheet WHERE work_log = ?1")?;
    let mut all = BTreeMap::new();
    for work_log in work_logs {
        let row = |row: &rusqlite::Row<'_>| {
            let (pushed, held) = (value_of(row, 1)?, value_of(row, 2)?);
            Ok(Remembered { id: row.get(0)?, pushed, held, shift: row.get(3)? })
        };
        if let Some(remembered) = select.query_row([work_log.as_str()], row).optional()? {
            all.insert(work_log, remembered);
        }
    }
    Ok(all)
}

pub(super) fn give_up(connection: &Connection, work_log: &WorkLogUri, id: EntryId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM timesheet WHERE work_log = ?1 AND id = ?2")?
        .execute(params![work_log.as_str(), id])
        .map(drop)
}

pub(super) fn keep(connection: &Connection, work_log: &WorkLogUri, id: EntryId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM timesheet WHERE id = ?2 AND work_log <> ?1")?
        .execute(params![work_log.as_str(), id])?;
    connection
        .prepare_cached(
            "INSERT INTO timesheet (work_log, id, linked) VALUES (?1, ?2, 1)
             ON CONFLICT (work_log) DO UPDATE SET id = excluded.id, pushed = NULL, held = NULL,
                 rounded = NULL, shift = CASE WHEN id = excluded.id THEN shift END
             WHERE linked = 1",
        )?
        .execute(params![work_log.as_str(), id])
        .map(drop)
}
