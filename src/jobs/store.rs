//! The rows of runs and their findings.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use tracing::warn;

use super::job::Job;
use crate::domain::WorkLogUri;
use crate::domain::finding::{Finding, Hold, Kind, Unconfirmed};
use crate::store::StorageFault;
use crate::store::sqlite::Storage;

/// Findings written or removed in one transaction, so that deltas need not wait long.
const BATCH: usize = 500;
/// Findings kept for all runs: some 100 MB. The oldest are removed first.
pub(super) const MOST_FINDINGS: usize = 200_000;

/// A filter for findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FindingFilter {
    /// Of this kind only.
    pub kind: Option<Kind>,
    /// Those that are held back only.
    pub held: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Store {
    storage: Storage,
}

impl Store {
    pub(super) fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// All runs, the oldest first. An unreadable one is logged and left out: it is only history.
    pub(super) fn load(&self) -> Result<Vec<Job>, StorageFault> {
        let read = |connection: &Connection| {
            let mut rows = connection.prepare("SELECT id, body FROM run ORDER BY id")?;
            let rows = rows.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let mut runs = Vec::new();
        for (id, body) in self.storage.write_now(read)? {
            match serde_json::from_str::<Job>(&body) {
                Ok(run) => runs.push(run),
                Err(fault) => warn!("Run {id} cannot be read back and is left out: {fault}"),
            }
        }
        Ok(runs)
    }

    /// Writes the rows as they are now.
    pub(super) async fn save(&self, runs: &[Job]) -> Result<(), StorageFault> {
        let rows: Vec<(i64, String)> = runs.iter().map(row).collect();
        self.storage.write(move |connection| write(connection, &rows)).await
    }

    /// The same, blocking: for the start.
    pub(super) fn save_now(&self, runs: &[Job]) -> Result<(), StorageFault> {
        let rows: Vec<(i64, String)> = runs.iter().map(row).collect();
        self.storage.write_now(move |connection| write(connection, &rows))
    }

    /// Removes runs with their findings.
    pub(super) async fn remove(&self, ids: &[u64]) -> Result<(), StorageFault> {
        for id in ids {
            self.remove_findings(*id).await?;
            let id = id.cast_signed();
            let remove = move |connection: &Connection| {
                connection.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([id])
            };
            self.storage.write(remove).await?;
        }
        Ok(())
    }

    pub(super) async fn remove_findings(&self, id: u64) -> Result<(), StorageFault> {
        let id = id.cast_signed();
        let remove = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "DELETE FROM finding WHERE run = ?1 AND n IN (SELECT n FROM finding WHERE run = ?1 LIMIT ?2)",
                )?
                .execute(params![id, BATCH.cast_signed()])
        };
        while self.storage.write(remove).await? == BATCH {}
        Ok(())
    }

    /// Stores the findings of a run, replacing those from before it was interrupted.
    pub(super) async fn put_findings(&self, id: u64, findings: &[Finding]) -> Result<(), StorageFault> {
        self.remove_findings(id).await?;
        let mut first = 1;
        for batch in findings.chunks(BATCH) {
            let rows: Vec<_> = (first..).zip(batch.iter().map(finding_row)).collect();
            first += batch.len();
            let put = move |connection: &Connection| {
                let mut insert = connection.prepare_cached(
                    "INSERT INTO finding (run, n, kind, held, body) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?;
                for (n, (kind, held, body)) in rows {
                    insert.execute(params![id.cast_signed(), n.cast_signed(), kind, held, body])?;
                }
                Ok(())
            };
            self.storage.write(put).await?;
        }
        Ok(())
    }

    /// Keeps which work logs a sweep queued, for the next start to follow.
    pub(super) async fn put_queued(
        &self,
        id: u64,
        queued: &BTreeSet<WorkLogUri>,
    ) -> Result<(), StorageFault> {
        self.remove_queued(id).await?;
        let work_logs: Vec<String> = queued.iter().map(ToString::to_string).collect();
        for batch in work_logs.chunks(BATCH) {
            let batch = batch.to_vec();
            let put = move |connection: &Connection| {
                let mut insert =
                    connection.prepare_cached("INSERT INTO swept (run, work_log) VALUES (?1, ?2)")?;
                for work_log in batch {
                    insert.execute(params![id.cast_signed(), work_log])?;
                }
                Ok(())
            };
            self.storage.write(put).await?;
        }
        Ok(())
    }

    /// Which work logs a sweep queued; blocking, for the start.
    pub(super) fn queued(&self, id: u64) -> Result<BTreeSet<WorkLogUri>, StorageFault> {
        let read = move |connection: &Connection| {
            let mut rows = connection.prepare_cached("SELECT work_log FROM swept WHERE run = ?1")?;
            let rows = rows.query_map([id.cast_signed()], |row| row.get::<_, String>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = self.storage.write_now(read)?;
        Ok(rows.iter().filter_map(|work_log| WorkLogUri::parse(work_log).ok()).collect())
    }

    /// Forgets which work logs a sweep queued.
    pub(super) async fn remove_queued(&self, id: u64) -> Result<(), StorageFault> {
        let id = id.cast_signed();
        let remove = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "DELETE FROM swept WHERE run = ?1
                         AND work_log IN (SELECT work_log FROM swept WHERE run = ?1 LIMIT ?2)",
                )?
                .execute(params![id, BATCH.cast_signed()])
        };
        while self.storage.write(remove).await? == BATCH {}
        Ok(())
    }

    /// At most `most` findings of a run behind number `after`, with their numbers.
    pub(super) async fn findings(
        &self,
        id: u64,
        filter: FindingFilter,
        after: u64,
        most: usize,
    ) -> Result<Vec<(u64, Finding)>, StorageFault> {
        let kind = filter.kind.map(Kind::word);
        let read = move |connection: &Connection| {
            let mut rows = connection.prepare_cached(
                "SELECT n, body FROM finding WHERE run = ?1 AND n > ?2 AND (?3 IS NULL OR kind = ?3)
                     AND (NOT ?4 OR held IS NOT NULL) ORDER BY n LIMIT ?5",
            )?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let bounds = params![id.cast_signed(), after, kind, filter.held, most.cast_signed()];
            let rows = rows.query_map(bounds, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        self.read(self.storage.write(read).await?)
    }

    /// The deletions of a run that wait for confirmation.
    pub(super) async fn unconfirmed(&self, id: u64) -> Result<Unconfirmed, StorageFault> {
        let read = move |connection: &Connection| {
            let mut rows = connection.prepare_cached(
                "SELECT n, body FROM finding WHERE run = ?1 AND held IN (?2, ?3) ORDER BY n",
            )?;
            let held = [Hold::Unconfirmed, Hold::KimaiLostData].map(Hold::word);
            let rows = rows.query_map(params![id.cast_signed(), held[0], held[1]], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let findings = self.read(self.storage.write(read).await?)?;
        Ok(Unconfirmed::of(&findings.into_iter().map(|(_, finding)| finding).collect::<Vec<_>>()))
    }

    fn read(&self, rows: Vec<(i64, String)>) -> Result<Vec<(u64, Finding)>, StorageFault> {
        let read = |(n, body): (i64, String)| {
            let finding = serde_json::from_str(&body)
                .map_err(|fault| self.storage.damaged(&format!("finding {n}: {fault}")))?;
            Ok((n.cast_unsigned(), finding))
        };
        rows.into_iter().map(read).collect()
    }
}

fn row(run: &Job) -> (i64, String) {
    // All of it has a form in JSON.
    (run.id.cast_signed(), serde_json::to_string(run).unwrap_or_default())
}

fn write(connection: &Connection, rows: &[(i64, String)]) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO run (id, body) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    )?;
    for (id, body) in rows {
        upsert.execute(params![id, body])?;
    }
    Ok(())
}

fn finding_row(finding: &Finding) -> (&'static str, Option<&'static str>, String) {
    let body = serde_json::to_string(finding).unwrap_or_default();
    (finding.kind.word(), finding.held.map(Hold::word), body)
}
