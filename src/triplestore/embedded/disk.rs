//! Stores the quads on disk: one SQLite table, one row per quad. It is read at start and written by every update;
//! queries use the copy in memory.

use std::path::Path;

use oxigraph::io::{RdfFormat, RdfParser};
use oxigraph::model::{GraphName, Quad};
use oxigraph::store::Store;
use rusqlite::{Connection, params};

use super::EmbeddedFault;
use super::dry_run::Effect;
use crate::store::sqlite::connection::Kind;
use crate::triplestore::TriplestoreFault;

/// The file within the data directory.
const FILE: &str = "triples.sqlite3";

/// The kind of the file.
const KIND: Kind = Kind {
    application_id: 0x6b74_7269, // "ktri"
    schema: "CREATE TABLE quads (quad TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;",
    steps: &[],
    remedy: "replace it with a backup, or remove it to start empty",
};

pub(super) struct Disk {
    connection: Connection,
}

impl Disk {
    /// Opens or creates the file in `directory` and loads all its quads into `store`.
    pub(super) fn open(directory: &Path, store: &Store) -> Result<Self, EmbeddedFault> {
        let file = directory.join(FILE);
        let fault = |why: String| EmbeddedFault::Disk { file: file.display().to_string(), why };
        let connection = KIND.open(&file).map_err(&fault)?;
        fill(&connection, store).map_err(&fault)?;
        Ok(Self { connection })
    }

    /// Writes all effects in one transaction. It fails if a quad is not as expected: memory and disk must never
    /// diverge.
    pub(super) fn write(&mut self, effects: &[Effect]) -> Result<(), TriplestoreFault> {
        let fault =
            |error: rusqlite::Error| TriplestoreFault::Transient(format!("the disk: {}", KIND.words(&error)));
        let transaction = self.connection.transaction().map_err(fault)?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO quads (quad) VALUES (?1)").map_err(fault)?;
            let mut delete =
                transaction.prepare_cached("DELETE FROM quads WHERE quad = ?1").map_err(fault)?;
            for effect in effects {
                for quad in &effect.deletes {
                    let gone = delete.execute(params![quad.to_string()]).map_err(fault)?;
                    if gone != 1 {
                        return Err(fault(rusqlite::Error::StatementChangedRows(gone)));
                    }
                }
                for quad in &effect.inserts {
                    insert.execute(params![quad.to_string()]).map_err(fault)?;
                }
            }
        }
        transaction.commit().map_err(fault)
    }

    /// Manipulates the file, for tests.
    #[cfg(test)]
    pub(super) fn sql(&self, statement: &str) {
        self.connection.execute_batch(statement).expect("valid SQL");
    }
}

/// Reads every row into memory, and each triple also into the default graph, which is the union of all graphs.
fn fill(connection: &Connection, store: &Store) -> Result<(), String> {
    let mut statement = connection.prepare("SELECT quad FROM quads").map_err(|error| KIND.words(&error))?;
    let mut rows = statement.query([]).map_err(|error| KIND.words(&error))?;
    let mut quads: Vec<Quad> = Vec::new();
    while let Some(row) = rows.next().map_err(|error| KIND.words(&error))? {
        let text: String = row.get(0).map_err(|error| KIND.words(&error))?;
        let line = format!("{text} .");
        let mut parsed = RdfParser::from_format(RdfFormat::NQuads).for_slice(line.as_bytes());
        let (Some(Ok(quad)), None) = (parsed.next(), parsed.next()) else {
            return Err(KIND.damaged(&format!("a row is not one quad: {text}")));
        };
        if quad.graph_name == GraphName::DefaultGraph {
            return Err(KIND.damaged(&format!("a row has no graph: {text}")));
        }
        quads.push(Quad::new(
            quad.subject.clone(),
            quad.predicate.clone(),
            quad.object.clone(),
            GraphName::DefaultGraph,
        ));
        quads.push(quad);
    }
    let mut loader = store.bulk_loader();
    loader.load_quads(quads).map_err(|error| error.to_string())?;
    loader.commit().map_err(|error| error.to_string())
}
