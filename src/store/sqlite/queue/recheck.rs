//! Work logs that are rechecked some time after the run of their delta, which may have arrived before its data was
//! visible. They are stored in the file only: there may be as many as work logs, and nobody waits for one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::domain::{Sighting, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::queue::Reason;
use crate::queue::state_machine::Completed;
use crate::store::Look;

/// The pause between a run and its first recheck, and between each two rechecks; empty to disable them.
#[derive(Debug, Default)]
pub(super) struct Pauses(Vec<i64>);

impl Pauses {
    pub(super) fn new(pauses: &[Duration]) -> Self {
        Self(pauses.iter().map(|pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)).collect())
    }

    /// The pause after this many rechecks.
    fn after(&self, looks: u32) -> Option<i64> {
        self.0.get(usize::try_from(looks).ok()?).copied()
    }
}

/// Wakes the waiting task when a recheck is due earlier than it knows.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    at: Mutex<Option<Timestamp>>,
    earlier: Notify,
}

impl Alarm {
    /// The next recheck that is due earlier than was [`Alarm::set`].
    pub(super) fn earlier(&self) -> Notified<'_> {
        self.earlier.notified()
    }

    /// The waiting task wakes up at `at` itself, or wants to know of any recheck.
    pub(super) fn set(&self, at: Option<Timestamp>) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// A recheck has become due at `due`.
    pub(super) fn is_due(&self, due: Option<Timestamp>) {
        let known = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if due.is_some_and(|due| known.is_none_or(|known| due < known)) {
            self.earlier.notify_waiters();
        }
    }
}

/// Records that a run has ended and what it has `seen`. Returns when the work log is rechecked.
///
/// A run caused by a recheck gets no new series of rechecks: it continues the current one.
pub(super) fn note(
    connection: &Connection,
    work_log: &WorkLogUri,
    Completed { reason, removed, ended, .. }: Completed,
    seen: Option<Sighting>,
    pauses: &Pauses,
    now: Timestamp,
) -> rusqlite::Result<Option<Timestamp>> {
    let (Some(seen), Some(first), true) = (seen, pauses.after(0), ended) else { return Ok(None) };
    if mutated(Mutant::NothingShowsLate) {
        return Ok(None);
    }
    // The removal of its class has been handled.
    let (knew, removed) = (removed, removed && seen != Sighting::ABSENT);
    let now = now.as_millisecond();
    if reason == Reason::Recheck {
        let known = connection
            .prepare_cached("SELECT looks FROM recheck WHERE work_log = ?1")?
            .query_row([work_log.as_str()], |row| row.get(0))
            .optional()?;
        let Some(pause) = known.and_then(|looks| pauses.after(looks)) else { return Ok(None) };
        let due = now.saturating_add(pause);
        connection
            .prepare_cached("UPDATE recheck SET due = ?2, seen = ?3, removed = ?4 WHERE work_log = ?1")?
            .execute(params![work_log.as_str(), due, seen.bits(), removed])?;
        return Ok(Timestamp::from_millisecond(due).ok());
    }
    if !reason.may_show_late() {
        return Ok(None);
    }
    let due = now.saturating_add(first);
    // Of several deltas of one removal, one says that the class is gone. A run that saw the class gone without knowing
    // that could not act on it, so the next recheck still has to see the change.
    let unacted = !knew && !seen.is_of_work_log();
    connection
        .prepare_cached(
            "INSERT INTO recheck (work_log, due, looks, seen, removed) VALUES (?1, ?2, 0, ?3, ?4)
             ON CONFLICT (work_log) DO UPDATE SET due = excluded.due, looks = 0,
                 seen = iif(removed AND ?5, seen, excluded.seen),
                 removed = max(excluded.removed, removed AND (?5 OR excluded.seen <> ?6))",
        )?
        .execute(params![work_log.as_str(), due, seen.bits(), removed, unacted, Sighting::ABSENT.bits()])?;
    Ok(Timestamp::from_millisecond(due).ok())
}

/// Up to `most` that are due, and when the next one is if none are. What `is_to_run` anyway is put off.
///
/// Half of them are those that are due longest, half those that have just become so: a few of a change that somebody
/// made now do not wait for a hundred thousand of another one.
pub(super) fn due(
    connection: &Connection,
    is_to_run: impl Fn(&WorkLogUri) -> bool,
    most: usize,
    pauses: &Pauses,
    now: Timestamp,
) -> rusqlite::Result<(Vec<Look>, Option<Timestamp>)> {
    let now = now.as_millisecond();
    let mut found = BTreeMap::new();
    for (order, half) in [("ASC", most.div_ceil(2)), ("DESC", most / 2)] {
        let half = i64::try_from(half).unwrap_or(i64::MAX);
        let statement = format!(
            "SELECT work_log, seen, due, looks FROM recheck WHERE due <= ?1 ORDER BY due {order} LIMIT ?2"
        );
        let mut statement = connection.prepare_cached(&statement)?;
        for row in statement.query_map([now, half], look)? {
            let Some((look, looks)) = row? else { continue };
            found.insert(look.work_log.clone(), (look, looks));
        }
    }
    let mut looks = Vec::new();
    for (look, made) in found.into_values() {
        if is_to_run(&look.work_log) {
            let due = now.saturating_add(pauses.after(made).unwrap_or_default().max(1));
            connection
                .prepare_cached("UPDATE recheck SET due = ?2 WHERE work_log = ?1")?
                .execute(params![look.work_log.as_str(), due])?;
        } else {
            looks.push(look);
        }
    }
    let next: Option<i64> = connection.query_row("SELECT min(due) FROM recheck", [], |row| row.get(0))?;
    Ok((looks, next.and_then(|next| Timestamp::from_millisecond(next).ok())))
}

/// A recheck was made: the next one is due after the next pause, if there is one. Returns whether a delta removed the
/// work log's class; nothing if the recheck was replaced meanwhile.
pub(super) fn end(
    connection: &Connection,
    Look { work_log, due, .. }: &Look,
    pauses: &Pauses,
    now: Timestamp,
) -> rusqlite::Result<Option<bool>> {
    let found = connection
        .prepare_cached("SELECT looks, removed FROM recheck WHERE work_log = ?1 AND due = ?2")?
        .query_row(params![work_log.as_str(), due], |row| Ok((row.get::<_, u32>(0)?, row.get(1)?)))
        .optional()?;
    let Some((looks, removed)) = found else { return Ok(None) };
    match pauses.after(looks + 1) {
        Some(pause) => connection
            .prepare_cached("UPDATE recheck SET looks = looks + 1, due = ?2 WHERE work_log = ?1")?
            .execute(params![work_log.as_str(), now.as_millisecond().saturating_add(pause)])?,
        None => connection
            .prepare_cached("DELETE FROM recheck WHERE work_log = ?1")?
            .execute([work_log.as_str()])?,
    };
    Ok(Some(removed))
}

/// Whether a recheck is still to come.
pub(super) fn has(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM recheck WHERE work_log = ?1)")?
        .query_row([work_log.as_str()], |row| row.get(0))
}

/// The service starts at `now`: all rechecks start over.
pub(super) fn start(connection: &Connection, pauses: &Pauses, now: Timestamp) -> rusqlite::Result<()> {
    let now = now.as_millisecond();
    match pauses.after(0) {
        Some(pause) => {
            connection.execute("UPDATE recheck SET looks = 0, due = ?1", [now.saturating_add(pause)])
        }
        None => connection.execute("DELETE FROM recheck", []),
    }
    .map(drop)
}

/// A row with its number of rechecks; nothing if its text is no IRI.
fn look(row: &Row<'_>) -> rusqlite::Result<Option<(Look, u32)>> {
    let work_log = WorkLogUri::kept(row.get_ref(0)?.as_str()?);
    let (seen, due, looks) = (Sighting::from_bits(row.get(1)?), row.get(2)?, row.get(3)?);
    Ok(work_log.map(|work_log| (Look { work_log, seen, due }, looks)))
}
