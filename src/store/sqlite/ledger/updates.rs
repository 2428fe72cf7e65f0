//! Changes of timesheets that were sent, and of which the answer is not known: what the timesheet held before,
//! so that one which was exported meanwhile can be put back or reported, also by the next process.

use rusqlite::{Connection, OptionalExtension, params};

use super::{execute, json, value_of};
use crate::domain::WorkLogUri;
use crate::domain::exported::UpdateIntent;

/// What Kimai holds is not known.
const DOUBT: &str = "UPDATE timesheet SET pushed = NULL WHERE work_log = ?1 AND pushed IS NOT NULL";

pub(super) fn doubt(connection: &Connection, work_logs: &[WorkLogUri]) -> rusqlite::Result<()> {
    work_logs.iter().try_for_each(|work_log| execute(connection, DOUBT, work_log))
}

pub(super) fn begin(
    connection: &Connection,
    work_log: &WorkLogUri,
    intent: &UpdateIntent,
) -> rusqlite::Result<()> {
    execute(connection, DOUBT, work_log)?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO update_intent (work_log, id, before, sent) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![work_log.as_str(), intent.id, json(&intent.before), json(&intent.sent)])
        .map(drop)
}

pub(super) fn exported(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    execute(connection, "UPDATE update_intent SET exported = 1 WHERE work_log = ?1", work_log)
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
            let values = value_of(row, 1)?.zip(value_of(row, 2)?);
            let (id, exported) = (row.get(0)?, row.get(3)?);
            Ok(values.map(|(before, sent)| UpdateIntent { id, before, sent, exported }))
        })
        .optional()?;
    Ok(intent.flatten())
}

pub(super) fn close(connection: &Connection, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    execute(connection, "DELETE FROM update_intent WHERE work_log = ?1", work_log)
}
