//! The reconciler's records about each work log: its timesheet, what was last sent there, and what was about to be
//! created.
//!
//! # Guarantees
//! - It answers before the triplestore does, so that a timesheet whose ID could not be written back is found again
//!   instead of being created twice.
//! - An intent is on disk before [`Ledger::open_intent`] returns, and stays until it is closed or its
//!   timesheet is recorded.
//! - No timesheet belongs to two work logs: the second claim fails.
//!
//! # Caveats
//! It may be empty at any start (a container without a volume); decisions are right without it.

mod claims;
mod counted;
mod loss;
mod updates;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde::Serialize;

use crate::domain::intent::Intent;
use crate::domain::plan::Memory;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::watermark::{IdOrder, Watermark, learns_from_list, learns_from_newest};
use crate::domain::{Code, EntryId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::store::StorageFault;
use crate::store::sqlite::{Storage, is_removed};
pub use claims::Remembered;
pub use counted::{Counted, Held};

/// Why the ledger failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// It cannot be saved or read.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The timesheet belongs to another work log.
    #[error("timesheet {id} belongs to <{other}> already")]
    Claimed {
        /// The timesheet.
        id: EntryId,
        /// The work log it belongs to.
        other: WorkLogUri,
    },
    /// A timesheet was recorded for it since the run read the ledger.
    #[error("timesheet {0} was found for it meanwhile")]
    Found(EntryId),
    /// Saving an intent took longer than this.
    #[error("the disk took more than {} s to save what was about to be created; nothing was sent", .0.as_secs())]
    Slow(Duration),
    /// The outcome of an earlier intent is not known yet.
    #[error("the creation begun at {0} has not been looked into yet")]
    IntentOpen(Timestamp),
}

impl LedgerFault {
    /// The stable code of it.
    pub fn code(&self) -> Code {
        match self {
            Self::Storage(_) | Self::Slow(_) => Code::StorageUnavailable,
            Self::Claimed { .. } => Code::TimesheetClaimed,
            Self::Found(_) => Code::TurnedAway,
            Self::IntentOpen(_) => Code::AnswerLost,
        }
    }
}

/// The records of all work logs, shared by the runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    storage: Storage,
    /// What ids show of the order in which timesheets are made.
    order: IdOrder,
    /// The highest position seen; 0 before the first. Saved together with other changes.
    high_water: Arc<AtomicU64>,
    /// What Kimai has lost, and the links that are invalid since.
    lost: Arc<Mutex<loss::Lost>>,
}

impl Ledger {
    /// The ledger in `storage`. Blocks briefly.
    pub fn open(storage: Storage) -> Result<Self, StorageFault> {
        let read = |connection: &Connection| {
            connection.query_row("SELECT id FROM high_water", [], |row| row.get::<_, i64>(0))
        };
        let high_water = Arc::new(AtomicU64::new(storage.write_now(read)?.cast_unsigned()));
        let lost = Arc::new(Mutex::new(storage.write_now(loss::read)?));
        Ok(Self { storage, order: IdOrder::default(), high_water, lost })
    }

    /// The same for a tracker whose ids show this of their order.
    #[must_use]
    pub fn ordered(self, order: IdOrder) -> Self {
        Self { order, ..self }
    }

    /// What is remembered of `work_log`, with whether a delta told that it lost its class: that stands
    /// with its entry in the queue and leaves with that.
    pub async fn recall(&self, work_log: &WorkLogUri) -> Result<Memory, LedgerFault> {
        let work_log = work_log.clone();
        let recall = move |connection: &Connection| {
            let removed = is_removed(connection, &work_log)?;
            let known = connection
                .prepare_cached("SELECT id, linked, pushed, held, shift FROM timesheet WHERE work_log = ?1")?
                .query_row([work_log.as_str()], |row| {
                    // A record that cannot be read is dropped, and the timesheet is pushed again.
                    let pushed: Option<String> = row.get(2)?;
                    let pushed = pushed.and_then(|json| serde_json::from_str(&json).ok());
                    let held: Option<String> = row.get(3)?;
                    let held = held.and_then(|json| serde_json::from_str(&json).ok());
                    let (linked, unwritten) = (Some(id_of(row, 0)?), !row.get::<_, bool>(1)?);
                    let shift = row.get(4)?;
                    Ok(Memory { linked, unwritten, pushed, held, shift, ..Memory::default() })
                })
                .optional()?;
            let unanswered = updates::unanswered(connection, &work_log)?;
            Ok(Memory { removed, unanswered, ..known.unwrap_or_default() })
        };
        Ok(self.storage.write(recall).await?)
    }

    /// Kimai took `wanted` under `id` for `work_log` and answered `held`; the triplestore tells of the id or
    /// is about to.
    pub async fn pushed(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: Held,
    ) -> Result<(), LedgerFault> {
        let (work_log, pushed, held) = (work_log.clone(), json(&wanted), held);
        self.claim(work_log, id, move |connection, work_log| {
            let (rounded, shift, held) = (held.rounded(&wanted), held.shift, json(&held.found));
            connection
                .prepare_cached(
                    "INSERT INTO timesheet (work_log, id, pushed, held, rounded, shift, linked)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)
                     ON CONFLICT (work_log) DO UPDATE SET id = excluded.id, pushed = excluded.pushed,
                         held = excluded.held, rounded = excluded.rounded, shift = excluded.shift,
                         linked = CASE WHEN id = excluded.id THEN linked ELSE 1 END",
                )?
                .execute(params![work_log.as_str(), id, pushed, held, rounded, shift])?;
            updates::close(connection, work_log)
        })
        .await
    }

    /// Kimai has created `id` with `wanted` for `work_log` and answered `held`: closes the intent and records that the
    /// triplestore does not know the ID yet, in one transaction.
    pub async fn created(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: Held,
    ) -> Result<(), LedgerFault> {
        self.has_made(work_log, id, Some(wanted), held).await
    }

    /// The same of what was found when the answer was lost. Where it holds something else than `wanted`, Kimai has
    /// rounded it, or it was made for another work log that says nearly the same: then it is to be pushed.
    pub async fn found(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: Held,
    ) -> Result<(), LedgerFault> {
        let sure = held.found.holds(&wanted) || mutated(Mutant::NearlyTheSameIsTheSame);
        self.has_made(work_log, id, sure.then_some(wanted), held).await
    }

    async fn has_made(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        pushed: Option<DesiredEntry>,
        held: Held,
    ) -> Result<(), LedgerFault> {
        let rounded = pushed.and_then(|pushed| held.rounded(&pushed));
        let (work_log, pushed, shift) = (work_log.clone(), pushed.as_ref().map(json), held.shift);
        let held = json(&held.found);
        if let Some(position) = self.order.position(id) {
            self.raise(position);
        }
        let high_water = Arc::clone(&self.high_water);
        self.claim(work_log, id, move |connection, work_log| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO timesheet (work_log, id, pushed, held, rounded, shift, linked)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
                )?
                .execute(params![work_log.as_str(), id, pushed, held, rounded, shift])?;
            close_intent(connection, work_log)?;
            save_high_water(connection, &high_water)
        })
        .await
    }

    /// Runs `work` unless `id` belongs to another work log.
    async fn claim(
        &self,
        work_log: WorkLogUri,
        id: EntryId,
        work: impl FnOnce(&Connection, &WorkLogUri) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), LedgerFault> {
        let other = self.storage.write(move |connection| {
            let other = owner(connection, id)?.filter(|owner| *owner != work_log);
            if other.is_none() {
                work(connection, &work_log)?;
            }
            Ok(other)
        });
        other.await?.map_or(Ok(()), |other| Err(LedgerFault::Claimed { id, other }))
    }

    /// The triplestore knows the timesheet of `work_log`.
    pub async fn linked(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.execute("UPDATE timesheet SET linked = 1 WHERE work_log = ?1 AND linked = 0", work_log).await
    }

    /// Runs `statement` on `work_log`.
    async fn execute(&self, statement: &'static str, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        let work_log = work_log.clone();
        let run = move |connection: &Connection| {
            connection.prepare_cached(statement)?.execute([work_log.as_str()]).map(drop)
        };
        Ok(self.storage.write(run).await?)
    }

    /// Requests that these are pushed again, whatever Kimai is believed to hold.
    pub async fn doubt<'a>(
        &self,
        work_logs: impl IntoIterator<Item = &'a WorkLogUri>,
    ) -> Result<(), LedgerFault> {
        let work_logs: Vec<WorkLogUri> = work_logs.into_iter().cloned().collect();
        let doubt = move |connection: &Connection| {
            let mut doubt = connection.prepare_cached(
                "UPDATE timesheet SET pushed = NULL WHERE work_log = ?1 AND pushed IS NOT NULL",
            )?;
            work_logs.iter().try_for_each(|work_log| doubt.execute([work_log.as_str()]).map(drop))
        };
        Ok(self.storage.write(doubt).await?)
    }

    /// Says what is about to be created for `work_log`. When this returns, it is on disk and the request
    /// may go out. Fails while an earlier intent is open, which may have led to a timesheet, and when the
    /// work log has got one since it was looked at.
    pub async fn open_intent(
        &self,
        work_log: &WorkLogUri,
        wanted: DesiredEntry,
        high_water: Option<Watermark>,
        started_at: Timestamp,
    ) -> Result<(), LedgerFault> {
        if let Some(mark) = high_water {
            self.raise(mark);
        }
        let (work_log, highest) = (work_log.clone(), Arc::clone(&self.high_water));
        let open = move |connection: &Connection| {
            if let Some((_, earlier)) = intents(connection, Some(&work_log))?.pop() {
                return Ok(Err(LedgerFault::IntentOpen(earlier.started_at)));
            }
            if let Some(id) = timesheet_of(connection, &work_log)?.filter(|_| !mutated(Mutant::NoMemory)) {
                return Ok(Err(LedgerFault::Found(id)));
            }
            connection
                .prepare_cached(
                    "INSERT INTO intent (work_log, wanted, high_water, started_at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    work_log.as_str(),
                    json(&wanted),
                    high_water.map(|mark| mark.0.cast_signed()),
                    started_at.as_millisecond(),
                ])?;
            save_high_water(connection, &highest).map(Ok)
        };
        self.storage.write(open).await?
    }

    /// The open intent of `work_log`.
    pub async fn intent(&self, work_log: &WorkLogUri) -> Result<Option<Intent>, LedgerFault> {
        let work_log = work_log.clone();
        let mut found = self.storage.write(move |connection| intents(connection, Some(&work_log))).await?;
        Ok(found.pop().map(|(_, intent)| intent))
    }

    /// All open intents, in the order of their work logs.
    pub async fn intents(&self) -> Result<Vec<(WorkLogUri, Intent)>, LedgerFault> {
        Ok(self.storage.write(|connection| intents(connection, None)).await?)
    }

    /// The intent of `work_log` has led to no timesheet.
    pub async fn close_intent(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        let work_log = work_log.clone();
        Ok(self.storage.write(move |connection| close_intent(connection, &work_log)).await?)
    }

    /// A list contains the timesheet `id`. Saved with the next intent or creation, unless the ID is implausible.
    pub fn saw(&self, id: EntryId) {
        if let Some(position) = self.order.position(id)
            && learns_from_list(self.high_water(), position)
        {
            self.raise(position);
        }
    }

    /// The tracker reports the position of its newest timesheet. Saved like one from a list.
    pub fn saw_newest(&self, newest: Watermark) {
        if learns_from_newest(self.high_water(), newest) {
            self.raise(newest);
        }
    }

    fn raise(&self, position: Watermark) {
        self.high_water.fetch_max(position.0, Ordering::Relaxed);
    }

    /// The highest position seen so far.
    pub fn high_water(&self) -> Option<Watermark> {
        Some(self.high_water.load(Ordering::Relaxed)).filter(|mark| *mark > 0).map(Watermark)
    }
}

fn timesheet_of(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<Option<EntryId>> {
    connection
        .prepare_cached("SELECT id FROM timesheet WHERE work_log = ?1")?
        .query_row([work_log.as_str()], |row| id_of(row, 0))
        .optional()
}

fn owner(connection: &Connection, id: EntryId) -> rusqlite::Result<Option<WorkLogUri>> {
    connection
        .prepare_cached("SELECT work_log FROM timesheet WHERE id = ?1")?
        .query_row([id], |row| work_log_of(row, 0))
        .optional()
        .map(Option::flatten)
}

/// The open intents, of `work_log` or all. One that cannot be read is an error, since its timesheet must not be created
/// twice.
fn intents(
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
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, why.into())
}

fn close_intent(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    let mut close = connection.prepare_cached("DELETE FROM intent WHERE work_log = ?1")?;
    close.execute([work_log.as_str()]).map(drop)
}

fn save_high_water(connection: &Connection, highest: &AtomicU64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE high_water SET id = ?1 WHERE id < ?1")?
        .execute([highest.load(Ordering::Relaxed).cast_signed()])
        .map(drop)
}

fn id_of(row: &Row<'_>, column: usize) -> rusqlite::Result<EntryId> {
    row.get(column)
}

/// `None` if it never was an IRI.
fn work_log_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<WorkLogUri>> {
    Ok(WorkLogUri::kept(row.get_ref(column)?.as_str()?))
}

/// Numbers and instants only, so serialization cannot fail.
fn json(held: &impl Serialize) -> String {
    serde_json::to_string(held).unwrap_or_default()
}

#[cfg(test)]
mod tests;
