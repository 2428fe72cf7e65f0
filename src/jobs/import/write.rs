//! Turns changes into as few updates as the stores allow.

use std::collections::BTreeMap;

use super::plan::Change;
use crate::triplestore::statement::{BATCH, Iri, StatementFault, Triples};

/// The maximum size of one update, in bytes: sparql-parser aborts updates that take too many steps to parse. An item
/// with a longer name gets its own update.
const MOST_TEXT: usize = 32 * 1024;

/// The updates that apply `changes`, each with how many of them it applies, with at most [`BATCH`] triples. A resource
/// is never split between two updates, so none is ever written in part.
pub(super) fn updates(
    mut changes: &[Change],
) -> impl Iterator<Item = Result<(usize, String), StatementFault>> {
    std::iter::from_fn(move || {
        let (mut triples, mut text) = (0, 0);
        let full = changes.iter().position(|change| {
            let (more_triples, more_text) = weight(change);
            (triples, text) = (triples + more_triples, text + more_text);
            triples > BATCH || text > MOST_TEXT
        });
        // One that is too large gets its own update.
        let (batch, rest) = changes.split_at_checked(full.unwrap_or(changes.len()).max(1))?;
        changes = rest;
        Some(update(batch).map(|update| (batch.len(), update)))
    })
}

/// The number of triples, and their approximate size as text.
fn weight(change: &Change) -> (usize, usize) {
    let subject = change.subject.as_str().len();
    let cleared: usize = change.cleared.iter().map(|(_, count)| count).sum();
    let text: usize = change
        .added
        .iter()
        .map(|(predicate, object)| subject + predicate.len() + object.to_string().len() + 8)
        .sum();
    let removed: usize = change
        .removed
        .iter()
        .map(|(predicate, iri)| subject + predicate.len() + iri.as_str().len() + 8)
        .sum();
    let triples = cleared + change.removed.len() + change.added.len();
    (triples, text + removed + change.cleared.len() * (subject + 3))
}

fn update(batch: &[Change]) -> Result<String, StatementFault> {
    let mut cleared: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let (mut triples, mut removed) = (Triples::new(), Vec::new());
    for change in batch {
        for (predicate, _) in &change.cleared {
            cleared.entry(predicate).or_default().push(change.subject.to_string());
        }
        for (predicate, object) in &change.removed {
            removed.push(format!("{} {} {object}", change.subject, Iri::known(predicate)));
        }
        for (predicate, object) in &change.added {
            triples.add(&change.subject, predicate, object.clone())?;
        }
    }
    // With a variable: Virtuoso does not match a constant that it stores with another datatype.
    let clear = cleared.into_iter().map(|(predicate, subjects)| {
        let (predicate, subjects) = (Iri::known(predicate), subjects.join(" "));
        format!("DELETE {{ ?s {predicate} ?old }} WHERE {{ VALUES ?s {{ {subjects} }} ?s {predicate} ?old }}")
    });
    // IRIs match as they are. Removals come first: if this is interrupted, no resource has two values where one is
    // allowed.
    let remove = (!removed.is_empty()).then(|| format!("DELETE DATA {{\n{} .\n}}", removed.join(" .\n")));
    let operations: Vec<String> = clear.chain(remove).chain(triples.insert_data()?).collect();
    Ok(operations.join(" ;\n"))
}
