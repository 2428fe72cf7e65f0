//! The file of the triplestore inside this process: one row for each quad, as a text that this module does not read.

use std::path::Path;

use rusqlite::{Connection, params};

use super::connection::Kind;

/// What the file holds.
const KIND: Kind = Kind {
    application_id: 0x6b74_7269, // "ktri"
    schema: "CREATE TABLE quads (quad TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;",
    steps: &[],
    remedy: "put a backup in its place, or remove it to start anew",
};

/// A change of one quad.
#[derive(Debug)]
pub(crate) enum QuadChange {
    /// It is new.
    Insert(String),
    /// It was there, and is not any more.
    Delete(String),
}

/// The open file. Nobody else can open it meanwhile.
#[derive(Debug)]
pub(crate) struct QuadFile {
    connection: Connection,
}

impl QuadFile {
    /// Opens or makes `file` and its directory. An error says what is wrong and what helps.
    pub(crate) fn open(file: &Path) -> Result<Self, String> {
        Ok(Self { connection: KIND.open(file)? })
    }

    /// Reads every quad; `each` says what is wrong with one, and nothing is read after that.
    pub(crate) fn read(&self, mut each: impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
        let words = |error: rusqlite::Error| KIND.words(&error);
        let mut statement = self.connection.prepare("SELECT quad FROM quads").map_err(words)?;
        let mut rows = statement.query([]).map_err(words)?;
        while let Some(row) = rows.next().map_err(words)? {
            let quad: String = row.get(0).map_err(words)?;
            each(&quad).map_err(|why| KIND.damaged(&why))?;
        }
        Ok(())
    }

    /// Makes all changes in one transaction. A quad that is not as expected fails it.
    pub(crate) fn write(&mut self, changes: impl Iterator<Item = QuadChange>) -> Result<(), String> {
        self.try_write(changes).map_err(|error| KIND.words(&error))
    }

    fn try_write(&mut self, changes: impl Iterator<Item = QuadChange>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO quads (quad) VALUES (?1)")?;
            let mut delete = transaction.prepare_cached("DELETE FROM quads WHERE quad = ?1")?;
            for change in changes {
                match change {
                    QuadChange::Insert(quad) => drop(insert.execute(params![quad])?),
                    QuadChange::Delete(quad) => {
                        let gone = delete.execute(params![quad])?;
                        if gone != 1 {
                            return Err(rusqlite::Error::StatementChangedRows(gone));
                        }
                    }
                }
            }
        }
        transaction.commit()
    }

    /// Meddles with the open file, for tests.
    #[cfg(test)]
    pub(crate) fn sql(&self, statement: &str) {
        self.connection.execute_batch(statement).expect("valid SQL");
    }
}

/// Meddles with a file that nobody has open, for tests.
#[cfg(test)]
pub(crate) fn meddle(file: &Path, statement: &str) {
    Connection::open(file).expect("opened").execute_batch(statement).expect("valid SQL");
}
