//! Timesheets that Kimai has lost, and the links that are invalid since. Cached in memory, since every run reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{Ledger, LedgerFault, id_of, work_log_of};
use crate::domain::loss::Loss;
use crate::domain::{EntryId, Watermark, WorkLogUri};

/// The cached part.
#[derive(Debug, Default)]
pub(super) struct Lost {
    loss: Option<Loss>,
    void: BTreeMap<WorkLogUri, BTreeSet<EntryId>>,
}

/// The stored part.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Lost> {
    let mut lost = Lost { loss: loss(connection)?, ..Lost::default() };
    let mut links = connection.prepare("SELECT work_log, id FROM void_link")?;
    for link in links.query_map([], |row| Ok((work_log_of(row, 0)?, id_of(row, 1)?)))? {
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
            Ok(Loss { since, reissued: id_of(row, 1)?, known: id_of(row, 2)? })
        })
        .optional()
}

impl Ledger {
    /// What Kimai has lost, if a loss is known and not resolved.
    pub fn loss(&self) -> Option<Loss> {
        self.lost().loss
    }

    /// Kimai gave `id` to a new timesheet, of `work_log`, although ids up to `mark` were known. What was remembered of
    /// timesheets from `id` on is forgotten, unless they were made since or are not linked yet; what all others hold
    /// is in doubt; what open intents led to may have any id.
    pub async fn reissued(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        mark: Watermark,
        now: Timestamp,
    ) -> Result<Loss, LedgerFault> {
        let work_log = work_log.clone();
        let note = move |connection: &Connection| {
            let before = loss(connection)?;
            let now = Loss { since: now, reissued: id, known: EntryId::number(mark.0) };
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
            let made_since =
                before.map_or(EntryId::number(i64::MAX.unsigned_abs()), |before| before.reissued);
            connection.execute(
                "DELETE FROM timesheet WHERE work_log <> ?1
                     AND (id = ?2 OR (id > ?2 AND id < ?3 AND linked = 1))",
                params![work_log.as_str(), id, made_since],
            )?;
            connection.execute("UPDATE timesheet SET pushed = NULL WHERE pushed IS NOT NULL", [])?;
            connection.execute("UPDATE intent SET high_water = NULL WHERE high_water >= ?1", [id])?;
            let highest = before.map_or(id, |before| before.reissued.max(id));
            if before.is_none() {
                connection.execute("UPDATE high_water SET id = ?1", [highest])?;
            }
            Ok((whole, before.is_none()))
        };
        let (whole, first) = self.storage.write(note).await?;
        if first && let Some(number) = id.as_number() {
            self.high_water.store(number, Ordering::Relaxed);
        }
        self.lost().loss = Some(whole);
        Ok(whole)
    }

    /// Nothing is lost, or no longer.
    pub async fn end_loss(&self) -> Result<(), LedgerFault> {
        self.rebuild(Vec::new()).await
    }

    /// The links `void` point to timesheets that Kimai has lost: each of these work logs gets a new timesheet. This
    /// resolves the loss.
    pub async fn rebuild(&self, void: Vec<(WorkLogUri, EntryId)>) -> Result<(), LedgerFault> {
        let links = void.clone();
        let rebuild = move |connection: &Connection| {
            let mut insert = connection
                .prepare_cached("INSERT OR IGNORE INTO void_link (work_log, id) VALUES (?1, ?2)")?;
            for (work_log, id) in &links {
                insert.execute(params![work_log.as_str(), id])?;
            }
            connection.execute("DELETE FROM loss", []).map(drop)
        };
        self.storage.write(rebuild).await?;
        let mut lost = self.lost();
        lost.loss = None;
        for (work_log, id) in void {
            lost.void.entry(work_log).or_default().insert(id);
        }
        Ok(())
    }

    /// The timesheets that Kimai has lost and the triplestore may still link `work_log` to.
    pub fn void_links(&self, work_log: &WorkLogUri) -> BTreeSet<EntryId> {
        self.lost().void.get(work_log).cloned().unwrap_or_default()
    }

    /// The triplestore has a new link of `work_log`, or none any more.
    pub async fn has_new_link(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        if self.void_links(work_log).is_empty() {
            return Ok(());
        }
        self.execute("DELETE FROM void_link WHERE work_log = ?1", work_log).await?;
        self.lost().void.remove(work_log);
        Ok(())
    }

    fn lost(&self) -> MutexGuard<'_, Lost> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
