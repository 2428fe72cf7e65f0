//! Changes → updates, as few as the stores allow.

use std::collections::BTreeMap;

use super::plan::Change;
use crate::triplestore::statement::{BATCH, Iri, StatementFault, Triples};

/// The most text of one update, in bytes: sparql-parser cuts what takes too many steps to read. One
/// item with a longer name goes alone.
const MOST_TEXT: usize = 32 * 1024;

/// The updates that make `changes`, each of at most [`BATCH`] triples. A resource is never split over
/// two, so that none is ever half there.
pub(super) fn updates(changes: &[Change]) -> Result<Vec<String>, StatementFault> {
    let mut updates = Vec::new();
    let mut batch: Vec<&Change> = Vec::new();
    let (mut triples, mut text) = (0, 0);
    for change in changes {
        let (more_triples, more_text) = weight(change);
        if !batch.is_empty() && (triples + more_triples > BATCH || text + more_text > MOST_TEXT) {
            updates.push(update(&batch)?);
            batch.clear();
            (triples, text) = (0, 0);
        }
        batch.push(change);
        triples += more_triples;
        text += more_text;
    }
    if !batch.is_empty() {
        updates.push(update(&batch)?);
    }
    Ok(updates)
}

/// Triples touched, and about how much text they take.
fn weight(change: &Change) -> (usize, usize) {
    let subject = change.subject.as_str().len();
    let cleared: usize = change.cleared.iter().map(|(_, count)| count).sum();
    let text: usize = change
        .added
        .iter()
        .map(|(predicate, object)| subject + predicate.len() + object.to_string().len() + 8)
        .sum();
    (cleared + change.added.len(), text + change.cleared.len() * (subject + 3))
}

fn update(batch: &[&Change]) -> Result<String, StatementFault> {
    let mut cleared: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let mut triples = Triples::new();
    for change in batch {
        for (predicate, _) in &change.cleared {
            cleared.entry(predicate).or_default().push(change.subject.to_string());
        }
        for (predicate, object) in &change.added {
            triples.add(&change.subject, predicate, object.clone())?;
        }
    }
    // By variable: Virtuoso does not find a constant that it keeps with another datatype.
    let clear = cleared.into_iter().map(|(predicate, subjects)| {
        let (predicate, subjects) = (Iri::known(predicate), subjects.join(" "));
        format!("DELETE {{ ?s {predicate} ?old }} WHERE {{ VALUES ?s {{ {subjects} }} ?s {predicate} ?old }}")
    });
    let operations: Vec<String> = clear.chain(triples.insert_data()?).collect();
    Ok(operations.join(" ;\n"))
}
