//! What people do in the demo: register work, correct it, delete it.

use jiff::civil::Date;
use rand::Rng;
use rand::seq::IndexedRandom;

use super::company::{self, Entry};
use crate::triplestore::statement::{Iri, Literal, StatementFault, Triples};
use crate::triplestore::vocabulary::PREFIXES;

/// One change: its description, and the update.
pub(super) struct Change {
    pub(super) words: String,
    pub(super) update: String,
}

/// The next change of the work logs in `entries`, which it updates. One in four is new, one a deletion.
pub(super) fn next(
    rng: &mut impl Rng,
    entries: &mut Vec<Entry>,
    tasks: &[Iri],
    today: Date,
) -> Result<Change, StatementFault> {
    let which = rng.random_range(0..entries.len().max(1));
    let kind = if entries.is_empty() { 0 } else { rng.random_range(0..4) };
    if kind == 3 {
        return Ok(remove(&entries.swap_remove(which)));
    }
    match entries.get_mut(which) {
        Some(entry) if kind == 1 => Ok(redo_hours(rng, entry)),
        Some(entry) if kind == 2 => Ok(move_to_task(rng, entry, tasks)),
        _ => {
            let person = rng.random_range(0..company::head_count());
            let entry = Entry::new(rng, tasks, person, today)?;
            let change = register(&entry)?;
            entries.push(entry);
            Ok(change)
        }
    }
}

fn register(entry: &Entry) -> Result<Change, StatementFault> {
    let mut triples = Triples::new();
    entry.triples(&mut triples)?;
    let words = format!(
        "{} registers {} of work on {}",
        company::name(entry.person),
        hours(&entry.duration),
        entry.day
    );
    Ok(Change { words, update: triples.insert_data()?.join(";\n") })
}

/// Somebody registers an invalid duration: the work log is parked until it is corrected.
pub(super) fn slip(
    rng: &mut impl Rng,
    slips: &mut Vec<Entry>,
    tasks: &[Iri],
    today: Date,
) -> Result<Option<Change>, StatementFault> {
    let person = rng.random_range(0..company::head_count());
    let mut entry = Entry::new(rng, tasks, person, today)?;
    "8 hours".clone_into(&mut entry.duration);
    let mut change = register(&entry)?;
    change.words.push_str(", with an invalid duration");
    slips.push(entry);
    Ok(Some(change))
}

/// Somebody corrects the oldest of `slips`, which is one of `entries` from then on.
pub(super) fn correct(
    rng: &mut impl Rng,
    slips: &mut Vec<Entry>,
    entries: &mut Vec<Entry>,
) -> Option<Change> {
    // One remains, so that there is always something to look at.
    let mut entry = (slips.len() > 1).then(|| slips.remove(0))?;
    let change = redo_hours(rng, &mut entry);
    entries.push(entry);
    Some(change)
}

fn redo_hours(rng: &mut impl Rng, entry: &mut Entry) -> Change {
    let before = std::mem::replace(&mut entry.duration, company::duration(rng));
    let (work_log, duration) = (&entry.work_log, Literal::string(&entry.duration));
    let words = format!(
        "{} corrects {} on {} to {}",
        company::name(entry.person),
        hours(&before),
        entry.day,
        hours(&entry.duration)
    );
    let update = format!(
        "{PREFIXES}DELETE {{ {work_log} cal:duration ?old }} INSERT {{ {work_log} cal:duration {duration} }}
         WHERE {{ {work_log} cal:duration ?old }}"
    );
    Change { words, update }
}

fn move_to_task(rng: &mut impl Rng, entry: &mut Entry, tasks: &[Iri]) -> Change {
    if let Some(task) = tasks.choose(rng) {
        entry.task = task.clone();
    }
    let (work_log, task) = (&entry.work_log, &entry.task);
    let words = format!(
        "{} books {} on {} on another task",
        company::name(entry.person),
        hours(&entry.duration),
        entry.day
    );
    let update = format!(
        "{PREFIXES}DELETE WHERE {{ {work_log} dct:subject ?old }} ;
         INSERT DATA {{ {work_log} dct:subject {task} }}"
    );
    Change { words, update }
}

/// Deletes like mu-cl-resources: everything except the link to Kimai, which it does not know.
fn remove(entry: &Entry) -> Change {
    let work_log = &entry.work_log;
    let words =
        format!("{} deletes {} on {}", company::name(entry.person), hours(&entry.duration), entry.day);
    let update = format!(
        "{PREFIXES}DELETE {{ {work_log} ?p ?o }} WHERE {{ {work_log} ?p ?o . FILTER (?p != dct:identifier) }}"
    );
    Change { words, update }
}

/// `PT7H30M`, formatted for people.
fn hours(duration: &str) -> String {
    duration.trim_start_matches("PT").replace('H', " h ").replace('M', " min").trim_end().to_owned()
}
