//! The queue's rows in the database.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, params};

use crate::domain::{Code, WorkLogUri};
use crate::queue::entry_state::Row;
use crate::queue::state_machine::StateMachine;
use crate::queue::{Attempt, Ended, Outcome, Reason};

/// How many past runs are kept per work log.
const RUNS_KEPT: i64 = 20;
/// How many past runs are kept in all: some 20 MB. The oldest are removed first.
const RUNS_KEPT_IN_ALL: i64 = 200_000;

/// All entries, with `due` applied to their times, or the error for a row that cannot be read.
pub(super) fn load(
    connection: &Connection,
    due: impl Fn(Timestamp) -> Timestamp,
) -> rusqlite::Result<Result<StateMachine, String>> {
    let mut statement = connection.prepare(
        "SELECT work_log, due, reason, attempts, last_error, removed, since, code, overwrite FROM entry",
    )?;
    let mut rows = statement.query([])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        match read(row)? {
            Ok((work_log, row)) => entries.push((work_log, Row { due: row.due.map(&due), ..row })),
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(Ok(StateMachine::of(entries)))
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Result<(WorkLogUri, Row), String>> {
    let (iri, word) = (row.get_ref(0)?.as_str()?, row.get_ref(2)?.as_str()?);
    let Some(work_log) = WorkLogUri::kept(iri) else {
        return Ok(Err(format!("an entry is not an IRI: {iri:?}")));
    };
    let Some(reason) = Reason::from_word(word) else {
        return Ok(Err(format!("the entry {iri} has the unknown reason {word:?}")));
    };
    let due: Option<i64> = row.get(1)?;
    let kept = Row {
        due: due.map(instant),
        reason,
        attempts: row.get(3)?,
        why: row.get(4)?,
        removed: row.get(5)?,
        since: instant(row.get(6)?),
        code: code(row, 7)?,
        overwrite: row.get(8)?,
    };
    Ok(Ok((work_log, kept)))
}

/// Updates the rows of the entries that changed.
pub(super) fn save(connection: &Connection, changes: &[(WorkLogUri, Option<Row>)]) -> rusqlite::Result<()> {
    for (work_log, row) in changes {
        match row {
            None => {
                let mut delete = connection.prepare_cached("DELETE FROM entry WHERE work_log = ?1")?;
                delete.execute([work_log.as_str()])?;
            }
            Some(Row { due, reason, attempts, why, code, removed, overwrite, since }) => {
                let mut upsert = connection.prepare_cached(
                    "INSERT INTO entry (work_log, state, due, reason, attempts, last_error, removed, since, code,
                         overwrite)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                     ON CONFLICT (work_log) DO UPDATE SET state = excluded.state, due = excluded.due,
                         reason = excluded.reason, attempts = excluded.attempts, last_error = excluded.last_error,
                         removed = excluded.removed, since = excluded.since, code = excluded.code,
                         overwrite = excluded.overwrite",
                )?;
                upsert.execute(params![
                    work_log.as_str(),
                    if due.is_some() { "waiting" } else { "parked" },
                    due.map(millisecond),
                    reason.word(),
                    attempts,
                    why,
                    removed,
                    since.as_millisecond(),
                    code.map(Code::word),
                    overwrite,
                ])?;
            }
        }
    }
    Ok(())
}

/// Whether a delta removed the class of `work_log`. Read with the other records about it, in one transaction.
pub(in crate::store::sqlite) fn is_removed(
    connection: &Connection,
    work_log: &WorkLogUri,
) -> rusqlite::Result<bool> {
    let removed = connection
        .prepare_cached("SELECT removed FROM entry WHERE work_log = ?1")?
        .query_row([work_log.as_str()], |row| row.get(0))
        .optional()?;
    Ok(removed.unwrap_or(false))
}

/// Adds a run to the work log's history, and removes what is too old.
pub(super) fn add_attempt(
    connection: &Connection,
    work_log: &WorkLogUri,
    at: Timestamp,
    outcome: &Outcome,
) -> rusqlite::Result<()> {
    let (result, message, code) = match outcome {
        Outcome::Done { what } => (Ended::Done, what, None),
        Outcome::Later { why, code, .. } => (Ended::Later, why, Some(code.word())),
        Outcome::Parked { why, code } => (Ended::Parked, why, Some(code.word())),
    };
    connection
        .prepare_cached(
            "INSERT INTO attempt (work_log, at, result, message, code) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![work_log.as_str(), at.as_millisecond(), result.word(), message, code])?;
    connection
        .prepare_cached(
            "DELETE FROM attempt WHERE work_log = ?1 AND id <= (SELECT id FROM attempt WHERE work_log = ?1
                 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![work_log.as_str(), RUNS_KEPT])?;
    connection
        .prepare_cached("DELETE FROM attempt WHERE id <= ?1")?
        .execute([connection.last_insert_rowid() - RUNS_KEPT_IN_ALL])?;
    Ok(())
}

/// The latest runs, the last one first.
pub(super) fn attempts(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<Vec<Attempt>> {
    connection
        .prepare_cached("SELECT at, result, message, code FROM attempt WHERE work_log = ?1 ORDER BY id DESC")?
        .query_map([work_log.as_str()], |row| {
            Ok(Attempt {
                at: instant(row.get(0)?),
                result: ended(row)?,
                message: row.get(2)?,
                code: code(row, 3)?,
            })
        })?
        .collect()
}

/// Nothing else is possible: the table has a constraint.
fn ended(row: &SqlRow<'_>) -> rusqlite::Result<Ended> {
    let word = row.get_ref(1)?.as_str()?;
    Ended::from_word(word).ok_or_else(|| rusqlite::Error::InvalidColumnType(1, word.to_owned(), Type::Text))
}

/// An unknown code of a newer version counts as none: it is only informative.
fn code(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<Option<Code>> {
    let word: Option<String> = row.get(column)?;
    Ok(word.as_deref().and_then(Code::from_word))
}

/// In milliseconds, rounded up: nothing is due before its time.
fn millisecond(instant: Timestamp) -> i64 {
    let floor = instant.as_millisecond();
    let rest = instant.subsec_nanosecond() % 1_000_000;
    if rest > 0 { floor.saturating_add(1) } else { floor }
}

/// What leaves the calendar is long past or will never be.
fn instant(millisecond: i64) -> Timestamp {
    let bound = if millisecond < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(millisecond).unwrap_or(bound)
}
