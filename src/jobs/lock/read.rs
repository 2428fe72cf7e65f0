//! What a lock reads: the month's timesheets, its work logs, and people's names.

use std::collections::{BTreeMap, BTreeSet};

use super::Month;
use crate::domain::EntryId;
use crate::domain::ids::IdSyntax;
use crate::triplestore::pages::select_by_subject;
use crate::triplestore::statement::{BATCH, Iri, Literal};
use crate::triplestore::vocabulary::{PREFIXES, adms, prov};
use crate::triplestore::{Row, Term, Triplestore, TriplestoreFault};

/// A timesheet's values. Sets, since a store may hold none or several of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    /// The IRIs of its statuses.
    pub(super) statuses: BTreeSet<String>,
    /// The IRIs of its persons.
    pub(super) persons: BTreeSet<String>,
}

/// A work log of the month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WorkLog {
    /// The IRIs of its persons.
    pub(super) persons: BTreeSet<String>,
    /// What it is a member of.
    pub(super) collections: BTreeSet<Iri>,
    /// Whether it is linked to a Kimai timesheet.
    pub(super) in_kimai: bool,
}

/// The timesheets that begin on the first day of `month`.
pub(super) async fn sheets(
    store: &dyn Triplestore,
    month: Month,
) -> Result<BTreeMap<Iri, Sheet>, TriplestoreFault> {
    let (first, beyond) = month.first_day();
    let pattern = format!(
        "?s a skos:Collection ; time:hasBeginning ?begin ; ?p ?o .
         VALUES ?p {{ rdf:type adms:status prov:wasAssociatedWith }} {}",
        between("?begin", &first, &beyond)
    );
    let mut sheets: BTreeMap<Iri, Sheet> = BTreeMap::new();
    for row in select_by_subject(store, "?p ?o", &pattern).await? {
        let Some(subject) = iri(&row, "s") else { continue };
        let sheet = sheets.entry(subject).or_default();
        let (Some(predicate), Some(object)) = (row.get("p"), row.get("o")) else { continue };
        let set = match predicate.value() {
            adms::STATUS => &mut sheet.statuses,
            prov::WAS_ASSOCIATED_WITH => &mut sheet.persons,
            _ => continue,
        };
        set.insert(object.value().to_owned());
    }
    Ok(sheets)
}

/// The work logs whose own day is in `month`, complete or not, with what they are members of.
pub(super) async fn work_logs(
    store: &dyn Triplestore,
    month: Month,
) -> Result<BTreeMap<Iri, WorkLog>, TriplestoreFault> {
    let (first, beyond) = month.bounds();
    let pattern = format!(
        "?s a cal:Vevent ; cal:dtstart ?day ; prov:wasAssociatedWith ?person . {}
         OPTIONAL {{ ?collection skos:member ?s }} OPTIONAL {{ ?s dct:identifier ?id }}",
        between("?day", &first, &beyond)
    );
    let mut work_logs: BTreeMap<Iri, WorkLog> = BTreeMap::new();
    for row in select_by_subject(store, "?person ?collection ?id", &pattern).await? {
        let Some(subject) = iri(&row, "s") else { continue };
        let work_log = work_logs.entry(subject).or_default();
        work_log.persons.extend(row.get("person").map(|person| person.value().to_owned()));
        work_log.collections.extend(iri(&row, "collection"));
        work_log.in_kimai |=
            row.get("id").is_some_and(|id| EntryId::parse(id.value(), IdSyntax::Numbers).is_ok());
    }
    Ok(work_logs)
}

/// The names of `persons`, as far as they have one.
pub(super) async fn names(
    store: &dyn Triplestore,
    persons: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, TriplestoreFault> {
    let persons: Vec<String> =
        persons.iter().filter_map(|person| Iri::new(person).ok()).map(|person| person.to_string()).collect();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for persons in persons.chunks(BATCH) {
        let pattern = format!("?s foaf:name ?name . VALUES ?s {{ {} }}", persons.join(" "));
        for row in store.select(&format!("{PREFIXES}SELECT DISTINCT ?s ?name WHERE {{ {pattern} }}")).await? {
            let (Some(person), Some(name)) = (row.get("s"), row.get("name")) else { continue };
            names.entry(person.value().to_owned()).or_insert_with(|| name.value().to_owned());
        }
    }
    Ok(names)
}

fn between(variable: &str, first: &str, beyond: &str) -> String {
    let (first, beyond) = (Literal::string(first), Literal::string(beyond));
    format!("FILTER (STR({variable}) >= {first} && STR({variable}) < {beyond})")
}

fn iri(row: &Row, variable: &str) -> Option<Iri> {
    row.get(variable).and_then(Term::as_iri).and_then(|iri| Iri::new(iri).ok())
}
