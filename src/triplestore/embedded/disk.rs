//! The quads on disk: one SQLite table, one row a quad. It is read at start and written by every
//! update; memory is what queries see.

use std::path::{Path, PathBuf};
use std::time::Duration;

use oxigraph::io::{RdfFormat, RdfParser};
use oxigraph::model::{GraphName, Quad};
use oxigraph::store::Store;
use rusqlite::{Connection, ErrorCode, params};

use super::EmbeddedFault;
use super::draft::Effect;
use crate::triplestore::TriplestoreFault;

/// The file within the data directory.
const FILE: &str = "triples.sqlite3";

/// Marks the file as ours ("ktri"), so that nobody else's data is taken for triples.
const APPLICATION_ID: i32 = 0x6b74_7269;

/// The shape of the table.
const VERSION: i32 = 1;

/// How long to wait for a predecessor that is still stopping.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Disk {
    connection: Connection,
}

impl Disk {
    /// Opens or makes the file in `directory` and puts all its quads into `store`.
    pub(super) fn open(directory: &Path, store: &Store) -> Result<Self, EmbeddedFault> {
        let file = directory.join(FILE);
        let fault = |why: String| EmbeddedFault::Disk { file: file.display().to_string(), why };
        std::fs::create_dir_all(directory).map_err(|error| fault(format!("the directory: {error}")))?;
        if std::fs::metadata(&file).is_ok_and(|found| found.len() == 0) {
            return Err(fault(
                "it is empty; put a backup in its place, or remove it to start anew".to_owned(),
            ));
        }
        let connection = connect(&file).map_err(|error| fault(words(&error)))?;
        prepare(&connection).map_err(&fault)?;
        fill(&connection, store).map_err(&fault)?;
        Ok(Self { connection })
    }

    /// Writes all effects in one transaction. A quad that is not as expected fails it: memory and disk
    /// must never drift apart.
    pub(super) fn write(&mut self, effects: &[Effect]) -> Result<(), TriplestoreFault> {
        let fault =
            |error: rusqlite::Error| TriplestoreFault::Transient(format!("the disk: {}", words(&error)));
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
}

fn connect(file: &PathBuf) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(PATIENCE)?;
    // Nobody else may write while memory holds what the file held at the start.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), String> {
    let number = |pragma: &str| {
        connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).map_err(|error| words(&error))
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| words(&error))?;
    match (number("application_id")?, number("user_version")?, tables) {
        (0, 0, 0) => connection
            .execute_batch(&format!(
                "BEGIN; CREATE TABLE quads (quad TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
                 PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT"
            ))
            .map_err(|error| words(&error)),
        (APPLICATION_ID, VERSION, _) => {
            let verdict: String = connection
                .pragma_query_value(None, "quick_check", |row| row.get(0))
                .map_err(|error| words(&error))?;
            if verdict == "ok" { Ok(()) } else { Err(damaged(&verdict)) }
        }
        (APPLICATION_ID, version, _) => {
            Err(format!("it is of version {version}, this program knows version {VERSION}; use a newer one"))
        }
        _ => Err("it is a database of something else; choose another data directory".to_owned()),
    }
}

/// Reads every row into memory, each triple also into the default graph: the union of all.
fn fill(connection: &Connection, store: &Store) -> Result<(), String> {
    let mut statement = connection.prepare("SELECT quad FROM quads").map_err(|error| words(&error))?;
    let mut rows = statement.query([]).map_err(|error| words(&error))?;
    let mut quads: Vec<Quad> = Vec::new();
    while let Some(row) = rows.next().map_err(|error| words(&error))? {
        let text: String = row.get(0).map_err(|error| words(&error))?;
        let line = format!("{text} .");
        let mut parsed = RdfParser::from_format(RdfFormat::NQuads).for_slice(line.as_bytes());
        let (Some(Ok(quad)), None) = (parsed.next(), parsed.next()) else {
            return Err(damaged(&format!("a row is not one quad: {text}")));
        };
        if quad.graph_name == GraphName::DefaultGraph {
            return Err(damaged(&format!("a row has no graph: {text}")));
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

fn damaged(what: &str) -> String {
    let what: String = what.chars().take(300).collect();
    format!("it is damaged ({what}); put a backup in its place, or remove it to start anew")
}

fn words(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process is using it; stop that one first".to_owned()
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => damaged(&error.to_string()),
        _ => error.to_string(),
    }
}
