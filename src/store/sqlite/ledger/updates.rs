//! Changes of timesheets that were sent, and of which the answer is not known: what the timesheet held before,
//! so that one which was exported meanwhile can be put back or reported, also by the next process.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Ledger, LedgerFault, id_of, json};
use crate::domain::WorkLogUri;
use crate::domain::exported::UpdateIntent;

impl Ledger {
    /// `work_log` has no timesheet any more.
    pub async fn forget(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        let work_log = work_log.clone();
        let forget = move |connection: &Connection| {
            let mut forget = connection.prepare_cached("DELETE FROM timesheet WHERE work_log = ?1")?;
            forget.execute([work_log.as_str()])?;
            close(connection, &work_log)
        };
        Ok(self.storage.write(forget).await?)
    }

    /// Says what is about to be sent to the timesheet of `work_log`: when this returns, it is on disk, and what Kimai
    /// holds is in doubt until the answer is known.
    pub async fn begin_update(&self, work_log: &WorkLogUri, intent: UpdateIntent) -> Result<(), LedgerFault> {
        let work_log = work_log.clone();
        let begin = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "UPDATE timesheet SET pushed = NULL WHERE work_log = ?1 AND pushed IS NOT NULL",
                )?
                .execute([work_log.as_str()])?;
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO update_intent (work_log, id, before, sent) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    work_log.as_str(),
                    intent.id,
                    json(&intent.before),
                    json(&intent.sent)
                ])
                .map(drop)
        };
        Ok(self.storage.write(begin).await?)
    }

    /// The answer to the last change of the timesheet of `work_log` said that it is exported by now.
    pub async fn exported_meanwhile(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.execute("UPDATE update_intent SET exported = 1 WHERE work_log = ?1", work_log).await
    }

    /// The timesheet of `work_log` was put back. On which day Kimai books it now is not known.
    pub async fn put_back(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        let work_log = work_log.clone();
        let put_back = move |connection: &Connection| {
            connection
                .prepare_cached("UPDATE timesheet SET pushed = NULL, shift = NULL WHERE work_log = ?1")?
                .execute([work_log.as_str()])?;
            close(connection, &work_log)
        };
        Ok(self.storage.write(put_back).await?)
    }

    /// It is known what the last change of the timesheet of `work_log` led to.
    pub async fn end_update(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        let work_log = work_log.clone();
        Ok(self.storage.write(move |connection| close(connection, &work_log)).await?)
    }
}

/// The change of the timesheet of `work_log` of which the answer is not known. One that cannot be read is none:
/// what was exported meanwhile then stands in the sweep's findings.
pub(super) fn unanswered(
    connection: &Connection,
    work_log: &WorkLogUri,
) -> rusqlite::Result<Option<UpdateIntent>> {
    let intent = connection
        .prepare_cached("SELECT id, before, sent, exported FROM update_intent WHERE work_log = ?1")?
        .query_row([work_log.as_str()], |row| {
            let (before, sent): (String, String) = (row.get(1)?, row.get(2)?);
            let values = serde_json::from_str(&before).ok().zip(serde_json::from_str(&sent).ok());
            let (id, exported) = (id_of(row, 0)?, row.get(3)?);
            Ok(values.map(|(before, sent)| UpdateIntent { id, before, sent, exported }))
        })
        .optional()?;
    Ok(intent.flatten())
}

pub(super) fn close(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    let mut close = connection.prepare_cached("DELETE FROM update_intent WHERE work_log = ?1")?;
    close.execute([work_log.as_str()]).map(drop)
}
