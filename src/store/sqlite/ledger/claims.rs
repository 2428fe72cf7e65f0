//! Who owns a timesheet, according to the ledger. Read and changed by the sweep, many at a time.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Ledger, LedgerFault, id_of, intents, json, owner, timesheet_of, work_log_of};
use crate::domain::diff::ObservedEntry;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, WorkLogUri};

/// What was last sent to the timesheet of a work log, and what Kimai made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// The timesheet.
    pub id: EntryId,
    /// What was sent; none if somebody requested to send it again.
    pub pushed: Option<DesiredEntry>,
    /// What Kimai answered; it may have rounded.
    pub held: Option<ObservedEntry>,
    /// Offset in days between the day Kimai books it on and its own, if known.
    pub shift: Option<i32>,
}

impl Ledger {
    /// The work log that `id` was created for.
    pub async fn owner(&self, id: EntryId) -> Result<Option<WorkLogUri>, LedgerFault> {
        Ok(self.storage.write(move |connection| owner(connection, id)).await?)
    }

    /// The work logs that `ids` were created for.
    pub async fn owners(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, WorkLogUri>, LedgerFault> {
        let ids = ids.to_vec();
        let read = move |connection: &Connection| {
            let of = |id| Ok(owner(connection, id)?.map(|owner| (id, owner)));
            ids.into_iter().filter_map(|id| of(id).transpose()).collect()
        };
        Ok(self.storage.write(read).await?)
    }

    /// The timesheets whose ids the triplestore does not know yet.
    pub async fn unlinked(&self) -> Result<Vec<(WorkLogUri, EntryId)>, LedgerFault> {
        let read = |connection: &Connection| {
            connection
                .prepare_cached("SELECT work_log, id FROM timesheet WHERE linked = 0 ORDER BY work_log")?
                .query_map([], |row| Ok((work_log_of(row, 0)?, id_of(row, 1)?)))?
                .filter_map(|row| row.map(|(work_log, id)| Some((work_log?, id))).transpose())
                .collect()
        };
        Ok(self.storage.write(read).await?)
    }

    /// The records of `work_logs`.
    pub async fn remembered(
        &self,
        work_logs: &[WorkLogUri],
    ) -> Result<BTreeMap<WorkLogUri, Remembered>, LedgerFault> {
        let work_logs = work_logs.to_vec();
        let read = move |connection: &Connection| {
            let mut select = connection
                .prepare_cached("SELECT id, pushed, held, shift FROM timesheet WHERE work_log = ?1")?;
            let mut all = BTreeMap::new();
            for work_log in work_logs {
                let row = |row: &rusqlite::Row<'_>| {
                    let (pushed, held): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
                    Ok(Remembered {
                        id: id_of(row, 0)?,
                        pushed: pushed.and_then(|json| serde_json::from_str(&json).ok()),
                        held: held.and_then(|json| serde_json::from_str(&json).ok()),
                        shift: row.get(3)?,
                    })
                };
                if let Some(remembered) = select.query_row([work_log.as_str()], row).optional()? {
                    all.insert(work_log, remembered);
                }
            }
            Ok(all)
        };
        Ok(self.storage.write(read).await?)
    }

    /// `work_log` adopts the timesheet `id`, which holds `wanted`; the triplestore does not know that yet. Returns
    /// false if either has another already, or if a creation is in progress.
    pub async fn adopt(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: ObservedEntry,
    ) -> Result<bool, LedgerFault> {
        let (work_log, pushed, held) = (work_log.clone(), json(&wanted), json(&held));
        let adopt = move |connection: &Connection| {
            let taken = owner(connection, id)?.is_some()
                || timesheet_of(connection, &work_log)?.is_some()
                || !intents(connection, Some(&work_log))?.is_empty();
            if !taken {
                connection
                    .prepare_cached(
                        "INSERT INTO timesheet (work_log, id, pushed, held, linked) VALUES (?1, ?2, ?3, ?4, 0)",
                    )?
                    .execute(params![work_log.as_str(), id, pushed, held])?;
            }
            Ok(!taken)
        };
        Ok(self.storage.write(adopt).await?)
    }

    /// The timesheet `id` is not `work_log`'s any more, if it was.
    pub async fn give_up(&self, work_log: &WorkLogUri, id: EntryId) -> Result<(), LedgerFault> {
        let work_log = work_log.clone();
        let give_up = move |connection: &Connection| {
            let mut delete =
                connection.prepare_cached("DELETE FROM timesheet WHERE work_log = ?1 AND id = ?2")?;
            delete.execute(params![work_log.as_str(), id]).map(drop)
        };
        Ok(self.storage.write(give_up).await?)
    }

    /// Of all that are linked to `id`, `work_log` is to keep it. One that has got a timesheet since, which
    /// is not linked yet, keeps that.
    pub async fn keep(&self, work_log: &WorkLogUri, id: EntryId) -> Result<(), LedgerFault> {
        let work_log = work_log.clone();
        let keep = move |connection: &Connection| {
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
        };
        Ok(self.storage.write(keep).await?)
    }
}
