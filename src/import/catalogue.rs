//! What the triplestore holds already, read in bulk.

use std::collections::{BTreeMap, BTreeSet};

use super::noun::Noun;
use crate::domain::KimaiId;
use crate::triplestore::pages::select_by_subject;
use crate::triplestore::statement::{Iri, StatementFault};
use crate::triplestore::vocabulary::{dct, foaf, ui};
use crate::triplestore::{Row, Term, Triplestore, TriplestoreFault};

/// One resource. Sets, since a store may hold none or several of each.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Its IRI.
    pub(super) iri: Iri,
    /// Its names, as terms: the same text may stand with and without a datatype.
    pub(super) labels: BTreeSet<Term>,
    /// Its colours.
    pub(super) colours: BTreeSet<Term>,
    /// The IRIs of what it belongs to.
    pub(super) parents: BTreeSet<String>,
    identifiers: BTreeSet<String>,
    homepages: BTreeSet<String>,
}

impl Known {
    fn new(iri: &str) -> Result<Self, StatementFault> {
        Ok(Self {
            iri: Iri::new(iri)?,
            labels: BTreeSet::new(),
            colours: BTreeSet::new(),
            parents: BTreeSet::new(),
            identifiers: BTreeSet::new(),
            homepages: BTreeSet::new(),
        })
    }

    /// The Kimai id it stands for: compared by text, since other tools write numbers with a datatype,
    /// and the lowest of several, as the engine takes it.
    fn id(&self) -> Option<u64> {
        self.identifiers.iter().filter_map(|text| text.parse::<KimaiId>().ok()).map(|id| id.0).min()
    }

    fn note(&mut self, noun: &Noun, predicate: &str, object: &Term) {
        match predicate {
            dct::IDENTIFIER => drop(self.identifiers.insert(object.value().to_owned())),
            ui::COLOR => drop(self.colours.insert(object.clone())),
            foaf::ACCOUNT_SERVICE_HOMEPAGE => drop(self.homepages.insert(object.value().to_owned())),
            label if label == noun.label => drop(self.labels.insert(object.clone())),
            parent if Some(parent) == noun.parent => {
                self.parents.extend(object.as_iri().map(str::to_owned));
            }
            _ => {}
        }
    }

    /// Whether it is an account of another service, which may carry the same number.
    fn is_foreign(&self, noun: &Noun) -> bool {
        let ours = noun.fixed.iter().find(|(predicate, _)| *predicate == foaf::ACCOUNT_SERVICE_HOMEPAGE);
        ours.is_some_and(|(_, homepage)| {
            !self.homepages.is_empty() && !self.homepages.contains(homepage.as_str())
        })
    }
}

/// All resources of one noun.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalogue {
    by_iri: BTreeMap<String, Known>,
    by_id: BTreeMap<u64, Vec<String>>,
}

impl Catalogue {
    /// Reads all resources of `noun`.
    pub(super) async fn read(store: &dyn Triplestore, noun: &Noun) -> Result<Self, TriplestoreFault> {
        let predicates = [dct::IDENTIFIER, ui::COLOR, foaf::ACCOUNT_SERVICE_HOMEPAGE, noun.label];
        let predicates: Vec<String> =
            predicates.into_iter().chain(noun.parent).map(|iri| Iri::known(iri).to_string()).collect();
        let pattern = format!("?s a {} ; ?p ?o . VALUES ?p {{ {} }}", noun.class(), predicates.join(" "));
        Ok(Self::of_rows(&select_by_subject(store, "?p ?o", &pattern).await?, noun))
    }

    fn of_rows(rows: &[Row], noun: &Noun) -> Self {
        let mut by_iri: BTreeMap<String, Known> = BTreeMap::new();
        for row in rows {
            let (Some(subject), Some(predicate), Some(object)) = (row.get("s"), row.get("p"), row.get("o"))
            else {
                continue;
            };
            // What has no IRI that can be named again cannot be updated either.
            let Some(Ok(known)) = subject.as_iri().map(Known::new) else { continue };
            let known = by_iri.entry(subject.value().to_owned()).or_insert(known);
            known.note(noun, predicate.value(), object);
        }
        let mut by_id: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (iri, known) in by_iri.iter().filter(|(_, known)| !known.is_foreign(noun)) {
            if let Some(id) = known.id() {
                by_id.entry(id).or_default().push(iri.clone());
            }
        }
        Self { by_iri, by_id }
    }

    /// The resources that stand for Kimai's `id`, by IRI. More than one only after an accident.
    pub(super) fn with_id(&self, id: u64) -> impl Iterator<Item = &Known> {
        self.by_id.get(&id).into_iter().flatten().filter_map(|iri| self.by_iri.get(iri))
    }

    /// The resource with this IRI.
    pub(super) fn get(&self, iri: &str) -> Option<&Known> {
        self.by_iri.get(iri)
    }

    /// The Kimai ids for which there are several resources.
    pub(super) fn doubled(&self) -> impl Iterator<Item = u64> {
        self.by_id.iter().filter(|(_, iris)| iris.len() > 1).map(|(id, _)| *id)
    }
}
