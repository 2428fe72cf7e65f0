//! The rows of jobs and their findings.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::Storage;
use crate::domain::WorkLogUri;
use crate::domain::finding::{Finding, Hold, Kind, Unconfirmed};
use crate::store::StorageFault;
use crate::store::jobs::{FindingFilter, JobRecord, JobRecords};

/// Findings written or removed in one transaction, so that deltas need not wait long.
const BATCH: usize = 500;

/// The records of jobs in the file.
#[derive(Debug, Clone)]
pub struct SqliteJobs {
    storage: Storage,
}

impl SqliteJobs {
    /// The records in `storage`.
    pub fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// Runs a statement that deletes at most so many rows of a job, until it has nothing left to delete.
    async fn remove_rows(&self, id: u64, statement: &'static str) -> Result<(), StorageFault> {
        let id = id.cast_signed();
        let remove = move |connection: &Connection| {
            connection.prepare_cached(statement)?.execute(params![id, BATCH.cast_signed()])
        };
        while self.storage.write(remove).await? == BATCH {}
        Ok(())
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

#[async_trait]
impl JobRecords for SqliteJobs {
    fn load(&self) -> Result<Vec<JobRecord>, StorageFault> {
        let read = |connection: &Connection| {
            connection.prepare("SELECT id, body FROM run ORDER BY id")?.query_map([], record)?.collect()
        };
        self.storage.write_now(read)
    }

    async fn newest(&self, before: Option<u64>, most: usize) -> Result<Vec<JobRecord>, StorageFault> {
        let read = move |connection: &Connection| {
            let before = before.and_then(|id| i64::try_from(id).ok()).unwrap_or(i64::MAX);
            connection
                .prepare_cached("SELECT id, body FROM run WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?
                .query_map(params![before, most.cast_signed()], record)?
                .collect()
        };
        self.storage.write(read).await
    }

    async fn save(&self, records: Vec<JobRecord>) -> Result<(), StorageFault> {
        self.storage.write(move |connection| write(connection, &records)).await
    }

    fn save_now(&self, records: Vec<JobRecord>) -> Result<(), StorageFault> {
        self.storage.write_now(move |connection| write(connection, &records))
    }

    async fn remove(&self, ids: &[u64]) -> Result<(), StorageFault> {
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

    async fn remove_findings(&self, id: u64) -> Result<(), StorageFault> {
        let delete =
            "DELETE FROM finding WHERE run = ?1 AND n IN (SELECT n FROM finding WHERE run = ?1 LIMIT ?2)";
        self.remove_rows(id, delete).await
    }

    async fn put_findings(&self, id: u64, findings: &[Finding]) -> Result<(), StorageFault> {
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

    async fn put_queued(&self, id: u64, queued: &BTreeSet<WorkLogUri>) -> Result<(), StorageFault> {
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

    fn queued(&self, id: u64) -> Result<BTreeSet<WorkLogUri>, StorageFault> {
        let read = move |connection: &Connection| {
            let mut rows = connection.prepare_cached("SELECT work_log FROM swept WHERE run = ?1")?;
            let rows = rows.query_map([id.cast_signed()], |row| row.get::<_, String>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let rows = self.storage.write_now(read)?;
        Ok(rows.iter().filter_map(|work_log| WorkLogUri::parse(work_log).ok()).collect())
    }

    async fn remove_queued(&self, id: u64) -> Result<(), StorageFault> {
        let delete = "DELETE FROM swept WHERE run = ?1
                          AND work_log IN (SELECT work_log FROM swept WHERE run = ?1 LIMIT ?2)";
        self.remove_rows(id, delete).await
    }

    async fn findings(
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
            rows.query_map(bounds, numbered)?.collect()
        };
        self.read(self.storage.write(read).await?)
    }

    async fn unconfirmed(&self, id: u64) -> Result<Unconfirmed, StorageFault> {
        let read = move |connection: &Connection| {
            let mut rows = connection.prepare_cached(
                "SELECT n, body FROM finding WHERE run = ?1 AND held IN (?2, ?3) ORDER BY n",
            )?;
            let held = [Hold::Unconfirmed, Hold::KimaiLostData].map(Hold::word);
            rows.query_map(params![id.cast_signed(), held[0], held[1]], numbered)?.collect()
        };
        let findings = self.read(self.storage.write(read).await?)?;
        Ok(Unconfirmed::of(&findings.into_iter().map(|(_, finding)| finding).collect::<Vec<_>>()))
    }

    async fn held_back(&self, id: u64) -> Result<BTreeMap<Hold, u64>, StorageFault> {
        let read = move |connection: &Connection| {
            let mut rows = connection.prepare_cached(
                "SELECT held, COUNT(*) FROM finding WHERE run = ?1 AND held IS NOT NULL GROUP BY held",
            )?;
            let rows = rows.query_map(params![id.cast_signed()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
            })?;
            let mut by = BTreeMap::new();
            for row in rows {
                let (word, count) = row?;
                by.extend(Hold::from_word(&word).map(|hold| (hold, count)));
            }
            Ok(by)
        };
        self.storage.write(read).await
    }
}

fn numbered(row: &Row<'_>) -> rusqlite::Result<(i64, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn record(row: &Row<'_>) -> rusqlite::Result<JobRecord> {
    Ok(JobRecord { id: row.get::<_, i64>(0)?.cast_unsigned(), body: row.get(1)? })
}

fn write(connection: &Connection, records: &[JobRecord]) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO run (id, body) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    )?;
    for JobRecord { id, body } in records {
        upsert.execute(params![id.cast_signed(), body])?;
    }
    Ok(())
}

fn finding_row(finding: &Finding) -> (&'static str, Option<&'static str>, String) {
    let body = serde_json::to_string(finding).unwrap_or_default();
    (finding.kind.word(), finding.held.map(Hold::word), body)
}
