//! Which work logs go into which timesheet, and the updates that link them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::read::{Sheet, WorkLog};
use crate::triplestore::statement::{BATCH, Iri, StatementFault, Triples};
use crate::triplestore::vocabulary::{PREFIXES, skos};

/// A timesheet's work logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// All that belong to it, with whether they are linked to a Kimai timesheet.
    pub(super) all: Vec<(Iri, bool)>,
    /// Those that are not its members yet, or another's as well, with these others.
    pub(super) to_link: Vec<Link>,
}

/// A work log to be linked to one timesheet and to no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The work log.
    work_log: Iri,
    /// Whether it is no member of its timesheet yet.
    missing: bool,
    /// What it is a member of besides.
    others: Vec<Iri>,
}

/// Gives each work log to the submitted timesheet of its person. Of several timesheets it keeps the one
/// it is in, else the first; of several persons the first counts, as everywhere.
pub(super) fn assign(
    submitted: &BTreeMap<&Iri, &Sheet>,
    work_logs: &BTreeMap<Iri, WorkLog>,
) -> BTreeMap<Iri, Contents> {
    let mut of_person: BTreeMap<&str, BTreeSet<&Iri>> = BTreeMap::new();
    for (timesheet, sheet) in submitted {
        if let Some(person) = sheet.persons.first() {
            of_person.entry(person).or_default().insert(timesheet);
        }
    }
    let mut contents: BTreeMap<Iri, Contents> =
        submitted.keys().map(|timesheet| ((*timesheet).clone(), Contents::default())).collect();
    for (iri, work_log) in work_logs {
        let Some(timesheets) = work_log.persons.first().and_then(|person| of_person.get(person.as_str()))
        else {
            continue;
        };
        let kept = work_log.collections.iter().find(|collection| timesheets.contains(collection));
        let Some(timesheet) = kept.or_else(|| timesheets.first().copied()) else { continue };
        let contents = contents.entry(timesheet.clone()).or_default();
        contents.all.push((iri.clone(), work_log.in_kimai));
        let others: Vec<Iri> =
            work_log.collections.iter().filter(|collection| *collection != timesheet).cloned().collect();
        let missing = kept.is_none();
        if missing || !others.is_empty() {
            contents.to_link.push(Link { work_log: iri.clone(), missing, others });
        }
    }
    contents
}

/// The updates that make `links`, each of at most [`BATCH`] triples. A link is made before others are
/// removed: cut in between, a work log is in two timesheets, which the next lock puts right, and never
/// in none.
pub(super) fn updates(timesheet: &Iri, links: &[Link]) -> Result<Vec<String>, StatementFault> {
    let mut updates = Vec::new();
    let mut rest = links;
    while !rest.is_empty() {
        let mut triples = 0;
        let fitting = rest.iter().take_while(|link| {
            triples += usize::from(link.missing) + link.others.len();
            triples <= BATCH
        });
        // One that alone is too much still goes, alone.
        let (batch, others) = rest.split_at(fitting.count().max(1));
        updates.push(update(timesheet, batch)?);
        rest = others;
    }
    Ok(updates)
}

fn update(timesheet: &Iri, batch: &[Link]) -> Result<String, StatementFault> {
    let mut triples = Triples::new();
    for link in batch.iter().filter(|link| link.missing) {
        triples.add(timesheet, skos::MEMBER, &link.work_log)?;
    }
    let moved: Vec<String> = batch
        .iter()
        .flat_map(|link| link.others.iter().map(move |other| (other, &link.work_log)))
        .map(|(other, work_log)| format!("{other} skos:member {work_log} ."))
        .collect();
    let mut operations = triples.insert_data()?;
    if !moved.is_empty() {
        operations.push(format!("DELETE DATA {{ {} }}", moved.join("\n")));
    }
    Ok(format!("{PREFIXES}{}", operations.join(" ;\n")))
}
