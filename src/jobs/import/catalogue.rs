//! The existing resources in the triplestore, read in bulk.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::resource_kind::ResourceKind;
use crate::domain::ids::IdSyntax;
use crate::triplestore::pages::{count, disagree, each_by_subject};
use crate::triplestore::statement::{Iri, StatementFault};
use crate::triplestore::vocabulary::{dct, ext, foaf, ui};
use crate::triplestore::{Row, Term, Triplestore, TriplestoreFault};

/// One resource. The fields are sets, since a store may have none or several of each value.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Its IRI.
    pub(super) iri: Iri,
    /// Its names, as terms: the same text may be stored with and without a datatype.
    pub(super) labels: BTreeSet<Term>,
    /// Its colours.
    pub(super) colours: BTreeSet<Term>,
    /// The IRIs of what it belongs to.
    pub(super) parents: BTreeSet<String>,
    /// Whether it is marked as unavailable in Kimai.
    pub(super) unavailable: bool,
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
            unavailable: false,
            identifiers: BTreeSet::new(),
            homepages: BTreeSet::new(),
        })
    }

    /// Its Kimai ID, however it is written: the lowest of several, as in the engine.
    fn id(&self) -> Option<u64> {
        IdSyntax::Numbers.read_all(&self.identifiers).first().and_then(|id| id.as_number())
    }

    /// Adds the values of a row.
    fn note(&mut self, row: &mut Row) {
        self.identifiers.extend(row.remove("id").map(Term::into_value));
        self.homepages.extend(row.remove("homepage").map(Term::into_value));
        self.labels.extend(row.remove("label"));
        self.colours.extend(row.remove("colour"));
        self.unavailable |= row.contains_key("unavailable");
        if let Some(Term::Iri(parent)) = row.remove("parent") {
            self.parents.insert(parent);
        }
    }

    /// Whether it is an account of another service, which may have the same ID.
    fn is_foreign(&self, kind: &ResourceKind) -> bool {
        kind.homepage()
            .is_some_and(|homepage| !self.homepages.is_empty() && !self.homepages.contains(homepage.as_str()))
    }

    /// Whether only an import can have created it: other services have accounts and organisations with identifiers too.
    fn is_surely_kimais(&self, kind: &ResourceKind) -> bool {
        match kind.homepage() {
            Some(homepage) => self.homepages.contains(homepage.as_str()),
            None => kind.is_own_class || kind.mints(&self.iri),
        }
    }
}

/// All resources of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalogue {
    by_iri: BTreeMap<String, Known>,
    by_id: BTreeMap<u64, Vec<String>>,
    /// How many resources the answer had, including unusable ones.
    subjects: usize,
}

impl Catalogue {
    /// Reads all resources of `kind`.
    pub(super) async fn read(store: &dyn Triplestore, kind: &ResourceKind) -> Result<Self, TriplestoreFault> {
        // One row per resource instead of one per triple: stores serialise rows more slowly than they find them.
        // Several values produce a row for each combination, which the sets merge again.
        let mut wanted = vec![("id", dct::IDENTIFIER)];
        if kind.follows_kimai {
            wanted.extend([("label", kind.label), ("colour", ui::COLOR)]);
        }
        wanted.extend(kind.parent.map(|predicate| ("parent", predicate)));
        if kind.homepage().is_some() {
            wanted.push(("homepage", foaf::ACCOUNT_SERVICE_HOMEPAGE));
        }
        let mut variables: Vec<String> = wanted.iter().map(|(name, _)| format!("?{name}")).collect();
        variables.push("?unavailable".to_owned());
        let mut pattern = format!("?s a {}", kind.class());
        for (name, predicate) in &wanted {
            let _ = write!(pattern, " OPTIONAL {{ ?s {} ?{name} }}", Iri::known(predicate));
        }
        let mark = Iri::known(ext::UNAVAILABLE_IN_KIMAI);
        let _ = write!(pattern, " OPTIONAL {{ ?s a ?unavailable . FILTER (?unavailable = {mark}) }}");
        let mut by_iri = BTreeMap::new();
        let mut subjects = BTreeSet::new();
        let note = |row: Row| {
            subjects.extend(row.get("s").and_then(Term::as_iri).map(str::to_owned));
            Self::note(&mut by_iri, row);
        };
        each_by_subject(store, &variables.join(" "), &pattern, note).await?;
        Ok(Self { subjects: subjects.len(), ..Self::of(by_iri, kind) })
    }

    /// Fails if the triplestore counts more resources of `kind` than it returned: missing ones would be created a
    /// second time.
    pub(super) async fn check(
        &self,
        store: &dyn Triplestore,
        kind: &ResourceKind,
    ) -> Result<(), TriplestoreFault> {
        let counted = count(store, &format!("?s a {}", kind.class())).await?;
        if self.subjects >= counted { Ok(()) } else { Err(disagree(kind.name, self.subjects, counted)) }
    }

    fn note(by_iri: &mut BTreeMap<String, Known>, mut row: Row) {
        let Some(Term::Iri(iri)) = row.remove("s") else { return };
        match by_iri.entry(iri) {
            Entry::Occupied(known) => known.into_mut().note(&mut row),
            Entry::Vacant(place) => {
                // A resource without an IRI that can be used in a statement cannot be updated.
                if let Ok(known) = Known::new(place.key()) {
                    place.insert(known).note(&mut row);
                }
            }
        }
    }

    fn of(by_iri: BTreeMap<String, Known>, kind: &ResourceKind) -> Self {
        let mut by_id: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (iri, known) in by_iri.iter().filter(|(_, known)| !known.is_foreign(kind)) {
            if let Some(id) = known.id() {
                by_id.entry(id).or_default().push(iri.clone());
            }
        }
        Self { by_iri, by_id, subjects: 0 }
    }

    /// The resources with the Kimai ID `id`, by IRI. Usually there is only one.
    pub(super) fn with_id(&self, id: u64) -> impl Iterator<Item = &Known> {
        self.by_id.get(&id).into_iter().flatten().filter_map(|iri| self.by_iri.get(iri))
    }

    /// The Kimai IDs of the resources that only an import can have created, each with whether all of its resources are
    /// marked as unavailable.
    pub(super) fn imported(&self, kind: &ResourceKind) -> BTreeMap<u64, bool> {
        let of = |iris: &[String]| {
            let known = iris.iter().filter_map(|iri| self.by_iri.get(iri));
            let mut own = known.filter(|known| known.is_surely_kimais(kind)).peekable();
            own.peek().is_some().then(|| own.all(|known| known.unavailable))
        };
        self.by_id.iter().filter_map(|(id, iris)| Some((*id, of(iris)?))).collect()
    }

    /// The resource with this IRI.
    pub(super) fn get(&self, iri: &str) -> Option<&Known> {
        self.by_iri.get(iri)
    }

    /// The Kimai IDs with several resources.
    pub(super) fn doubled(&self) -> impl Iterator<Item = u64> {
        self.by_id.iter().filter(|(_, iris)| iris.len() > 1).map(|(id, _)| *id)
    }
}
