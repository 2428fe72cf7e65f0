//! The deletions that the last sweep held back, for the status of the service.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::job::{Job, State, Task};
use crate::domain::finding::Hold;
use crate::reconcile::sweep::Period;
use crate::store::StorageFault;
use crate::store::sqlite::Storage;

/// What the newest completed sweep held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// Its number.
    pub run: u64,
    /// Its days.
    pub period: Period,
    /// How many deletions, by the reason that holds them back; empty if the findings were removed.
    pub by: BTreeMap<Hold, u64>,
    /// The total.
    pub count: usize,
}

impl HeldBack {
    /// What the newest sweep held back; none before one has completed.
    pub async fn read(storage: &Storage) -> Result<Option<Self>, StorageFault> {
        let read = |connection: &Connection| {
            let mut bodies = connection.prepare_cached("SELECT body FROM run ORDER BY id DESC")?;
            let mut bodies = bodies.query([])?;
            while let Some(row) = bodies.next()? {
                let body: String = row.get(0)?;
                // An unreadable row is only history.
                let run = serde_json::from_str::<Job>(&body).ok();
                let Some(Job { id, task: Task::Sweep(period), state: State::Done, held, .. }) = run else {
                    continue;
                };
                return Ok(Some(Self { run: id, period, by: by_hold(connection, id)?, count: held }));
            }
            Ok(None)
        };
        storage.write(read).await
    }
}

fn by_hold(connection: &Connection, run: u64) -> rusqlite::Result<BTreeMap<Hold, u64>> {
    let mut rows = connection.prepare_cached(
        "SELECT held, COUNT(*) FROM finding WHERE run = ?1 AND held IS NOT NULL GROUP BY held",
    )?;
    let rows = rows.query_map(params![run.cast_signed()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    let mut by = BTreeMap::new();
    for row in rows {
        let (word, count) = row?;
        by.extend(Hold::from_word(&word).map(|hold| (hold, count)));
    }
    Ok(by)
}
