//! The rows of changed references.

use async_trait::async_trait;
use rusqlite::{Connection, params_from_iter};

use super::Storage;
use crate::store::QueueFault;
use crate::store::references::{ChangedReference, ChangedReferences};

/// Changed references in the file.
#[derive(Debug, Clone)]
pub struct SqliteReferences {
    storage: Storage,
}

impl SqliteReferences {
    /// Those in `storage`.
    pub fn new(storage: Storage) -> Self {
        Self { storage }
    }
}

#[async_trait]
impl ChangedReferences for SqliteReferences {
    async fn note(&self, iris: Vec<String>, most: usize) -> Result<(), QueueFault> {
        let save = move |connection: &Connection| {
            let waiting = count(connection)?;
            if waiting + iris.len() > most {
                return Ok(Err(QueueFault::Full(waiting)));
            }
            let mut insert =
                connection.prepare_cached("INSERT OR REPLACE INTO changed_reference (iri) VALUES (?1)")?;
            iris.iter().try_for_each(|iri| insert.execute([iri]).map(drop)).map(Ok)
        };
        self.storage.write(save).await?
    }

    async fn next(&self, most: usize) -> Result<Vec<ChangedReference>, QueueFault> {
        let read = move |connection: &Connection| {
            connection
                .prepare_cached("SELECT id, iri FROM changed_reference ORDER BY id LIMIT ?1")?
                .query_map([most.cast_signed()], |row| {
                    Ok(ChangedReference { id: row.get(0)?, iri: row.get(1)? })
                })?
                .collect()
        };
        Ok(self.storage.write(read).await?)
    }

    async fn remove(&self, ids: Vec<i64>) -> Result<(), QueueFault> {
        let delete = move |connection: &Connection| {
            let places = vec!["?"; ids.len()].join(", ");
            let statement = format!("DELETE FROM changed_reference WHERE id IN ({places})");
            connection.prepare_cached(&statement)?.execute(params_from_iter(ids)).map(drop)
        };
        Ok(self.storage.write(delete).await?)
    }

    async fn count(&self) -> Result<usize, QueueFault> {
        Ok(self.storage.write(count).await?)
    }
}

fn count(connection: &Connection) -> rusqlite::Result<usize> {
    let count: i64 = connection.query_row("SELECT count(*) FROM changed_reference", [], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}
