//! Stores the quads on disk, a row for each. They are read at start and written by every update; queries use the copy in
//! memory.

use std::path::Path;

use oxigraph::io::{RdfFormat, RdfParser};
use oxigraph::model::{GraphName, Quad};
use oxigraph::store::Store;

use super::EmbeddedFault;
use super::dry_run::Effect;
use crate::store::sqlite::triples::{QuadChange, QuadFile};
use crate::triplestore::TriplestoreFault;

/// The file within the data directory.
const FILE: &str = "triples.sqlite3";

pub(super) struct Disk {
    file: QuadFile,
}

impl Disk {
    /// Opens or creates the file in `directory` and loads all its quads into `store`.
    pub(super) fn open(directory: &Path, store: &Store) -> Result<Self, EmbeddedFault> {
        let place = directory.join(FILE);
        let fault = |why: String| EmbeddedFault::Disk { file: place.display().to_string(), why };
        let file = QuadFile::open(&place).map_err(&fault)?;
        fill(&file, store).map_err(&fault)?;
        Ok(Self { file })
    }

    /// Writes all effects in one transaction. It fails if a quad is not as expected: memory and disk must never
    /// diverge.
    pub(super) fn write(&mut self, effects: &[Effect]) -> Result<(), TriplestoreFault> {
        let changes = effects.iter().flat_map(|Effect { inserts, deletes }| {
            let deletes = deletes.iter().map(|quad| QuadChange::Delete(quad.to_string()));
            deletes.chain(inserts.iter().map(|quad| QuadChange::Insert(quad.to_string())))
        });
        self.file.write(changes).map_err(|why| TriplestoreFault::Transient(format!("the disk: {why}")))
    }

    /// Manipulates the file, for tests.
    #[cfg(test)]
    pub(super) fn sql(&self, statement: &str) {
        self.file.sql(statement);
    }
}

/// Reads every row into memory, and each triple also into the default graph, which is the union of all graphs.
fn fill(file: &QuadFile, store: &Store) -> Result<(), String> {
    let mut quads: Vec<Quad> = Vec::new();
    file.read(|text| {
        let line = format!("{text} .");
        let mut parsed = RdfParser::from_format(RdfFormat::NQuads).for_slice(line.as_bytes());
        let (Some(Ok(quad)), None) = (parsed.next(), parsed.next()) else {
            return Err(format!("a row is not one quad: {text}"));
        };
        if quad.graph_name == GraphName::DefaultGraph {
            return Err(format!("a row has no graph: {text}"));
        }
        quads.push(Quad::new(
            quad.subject.clone(),
            quad.predicate.clone(),
            quad.object.clone(),
            GraphName::DefaultGraph,
        ));
        quads.push(quad);
        Ok(())
    })?;
    let mut loader = store.bulk_loader();
    loader.load_quads(quads).map_err(|error| error.to_string())?;
    loader.commit().map_err(|error| error.to_string())
}
