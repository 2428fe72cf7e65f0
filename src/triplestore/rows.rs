//! Converts result rows to work logs, and to the activities, tasks and persons that they refer to.

use super::vocabulary::{cal, dct, ext, prov, rdf, rdfs, skos};
use super::{Row, Term};
use crate::domain::WorkLogUri;
use crate::domain::work_log::{Directory, Facts, PersonFacts, TaskFacts};

/// Adds a complete activity.
pub(super) fn note_activity(directory: &mut Directory, row: &Row) {
    let Some(task) = text(row, "s") else { return };
    let facts: &mut TaskFacts = directory.tasks.entry(task.to_owned()).or_default();
    (facts.is_activity, facts.has_parent) = (true, true);
    facts.label = text(row, "label").map(str::to_owned);
    facts.identifiers.extend(text(row, "id").map(str::to_owned));
    facts.project_identifiers.extend(text(row, "projectId").map(str::to_owned));
}

/// Adds the `?p ?o` of a `?task`.
pub(super) fn note_task(directory: &mut Directory, row: &Row) {
    let Some(task) = text(row, "task") else { return };
    let facts: &mut TaskFacts = directory.tasks.entry(task.to_owned()).or_default();
    let Some(value) = text(row, "o") else { return };
    match text(row, "p") {
        Some(rdf::TYPE) => facts.is_activity |= value == ext::KIMAI_ACTIVITY,
        Some(rdfs::LABEL) => facts.label = Some(value.to_owned()),
        Some(dct::IDENTIFIER) => facts.identifiers.insert(value.to_owned()),
        Some(skos::BROADER) => {
            facts.has_parent = true;
            facts.project_identifiers.extend(text(row, "projectId").map(str::to_owned));
        }
        _ => {}
    }
}

/// Adds an account and the name of a `?person`.
pub(super) fn note_person(directory: &mut Directory, row: &Row) {
    let Some(person) = text(row, "person") else { return };
    let facts: &mut PersonFacts = directory.persons.entry(person.to_owned()).or_default();
    facts.account_identifiers.extend(text(row, "accountId").map(str::to_owned));
    if let Some(name) = text(row, "name") {
        facts.name = Some(name.to_owned());
    }
}

/// The value of a variable in a row.
pub(super) fn text<'a>(row: &'a Row, variable: &str) -> Option<&'a str> {
    row.get(variable).map(Term::value)
}

/// The `?s` of a row.
pub(super) fn subject(row: &Row) -> Option<WorkLogUri> {
    text(row, "s").and_then(|iri| WorkLogUri::parse(iri).ok())
}

/// Adds the `?p ?o` of a row.
pub(super) fn note(facts: &mut Facts, row: &Row) {
    let (Some(property), Some(value)) = (text(row, "p"), text(row, "o")) else { return };
    let set = match property {
        rdf::TYPE => &mut facts.types,
        cal::DURATION => &mut facts.durations,
        cal::DTSTART => &mut facts.days,
        dct::SUBJECT => &mut facts.tasks,
        prov::WAS_ASSOCIATED_WITH => &mut facts.persons,
        dct::IDENTIFIER => &mut facts.identifiers,
        cal::COMMENT if facts.notes.is_some() => facts.notes.get_or_insert_default(),
        _ => {
            facts.has_others = true;
            return;
        }
    };
    set.insert(value.to_owned());
}
