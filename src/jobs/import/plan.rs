//! Compares Kimai's list with the existing resources. Pure.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::catalogue::{Catalogue, Known};
use super::report::Counts;
use super::resource_kind::{ResourceKind, Wanted};
use crate::triplestore::Term;
use crate::triplestore::statement::{Iri, Literal, Object, StatementFault};
use crate::triplestore::vocabulary::{dct, ext, mu, rdf, ui};

/// The changes of one resource.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The resource.
    pub(super) subject: Iri,
    /// Predicates whose values are all removed first, with their number.
    pub(super) cleared: Vec<(&'static str, usize)>,
    /// Other values to remove.
    pub(super) removed: Vec<(&'static str, Iri)>,
    /// Values to add.
    pub(super) added: Vec<(&'static str, Object)>,
}

impl Change {
    fn of(subject: Iri) -> Self {
        Self { subject, cleared: Vec::new(), removed: Vec::new(), added: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.cleared.is_empty() && self.removed.is_empty() && self.added.is_empty()
    }
}

/// The changes of one kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Only resources that differ.
    pub(super) changes: Vec<Change>,
    /// Activities that were moved to another project.
    pub(super) rebooked: Vec<Iri>,
    /// The number of changes.
    pub(super) counts: Counts,
}

/// Compares `wanted` with what is `here`. `gone` has the IDs that Kimai no longer has, `parents` the resources that
/// `kind` belongs to.
///
/// Names, colours and, with `IMPORT_RELATIONS=follow`, parents are updated from Kimai. A resource that Kimai does not
/// list is not changed, or marked as unavailable if it is `gone`.
pub(super) fn plan(
    kind: &ResourceKind,
    wanted: &[Wanted],
    gone: &BTreeSet<u64>,
    here: &Catalogue,
    parents: &Catalogue,
    mut mint: impl FnMut() -> Uuid,
) -> Result<Plan, StatementFault> {
    let mut plan = Plan::default();
    // By ID: if Kimai lists an item twice, it is still created once.
    let wanted: BTreeMap<u64, &Wanted> = wanted.iter().map(|item| (item.id, item)).collect();
    for item in wanted.into_values() {
        let mut known = here.with_id(item.id).peekable();
        let mut waits = false;
        if known.peek().is_none() {
            let parent = item.parent.and_then(|id| parents.with_id(id).next());
            waits = item.parent.is_some() && parent.is_none();
            plan.changes.push(create(kind, item, parent, mint())?);
            plan.counts.new += 1;
        }
        for known in known {
            let kinship = kinship(kind, item, known, parents);
            waits |= kinship.waits;
            plan.take(kind, known, &kinship, update(kind, item, known, &kinship));
        }
        plan.counts.waiting += usize::from(waits);
    }
    let mark = || Object::from(Iri::known(ext::UNAVAILABLE_IN_KIMAI));
    for known in gone.iter().flat_map(|id| here.with_id(*id)).filter(|known| !known.unavailable) {
        let added = vec![(rdf::TYPE, mark())];
        plan.changes.push(Change { added, ..Change::of(known.iri.clone()) });
        plan.counts.gone += 1;
    }
    Ok(plan)
}

impl Plan {
    fn take(&mut self, kind: &ResourceKind, known: &Known, kinship: &Kinship<'_>, change: Change) {
        if change.is_empty() {
            self.counts.unchanged += 1;
            return;
        }
        self.counts.changed += 1;
        self.counts.back += usize::from(known.unavailable);
        match (kinship.added.is_some(), kinship.removed.is_empty()) {
            (_, false) => self.counts.moved += 1,
            (true, true) => self.counts.linked += 1,
            (false, true) => {}
        }
        // Nothing could be booked without a project, so the existing one remains.
        if kind.is_booked_on && kinship.added.is_some() {
            self.rebooked.push(known.iri.clone());
        }
        self.changes.push(change);
    }
}

/// The parents of a resource, and how they change.
#[derive(Default)]
struct Kinship<'a> {
    /// Its parents after the change.
    parent: Option<&'a Known>,
    removed: Vec<&'a Known>,
    added: Option<&'a Known>,
    /// Whether its parent in Kimai is not imported.
    waits: bool,
}

fn kinship<'a>(kind: &ResourceKind, item: &Wanted, known: &Known, parents: &'a Catalogue) -> Kinship<'a> {
    if kind.parent.is_none() {
        return Kinship::default();
    }
    // Other parents, added by somebody else, are unknown here and not changed.
    let linked: Vec<&Known> = known.parents.iter().filter_map(|iri| parents.get(iri)).collect();
    if !kind.follows_moves && !known.parents.is_empty() {
        // The existing relation counts, even if the item was moved in Kimai.
        return Kinship { parent: linked.first().copied(), ..Kinship::default() };
    }
    let Some(id) = item.parent else {
        return Kinship { removed: linked, ..Kinship::default() };
    };
    let is_right = |known: &&Known| parents.with_id(id).any(|parent| parent.iri == known.iri);
    let kept = linked.iter().copied().find(is_right);
    match kept.or_else(|| parents.with_id(id).next()) {
        // The old parent is better than none, until the new one is imported.
        None => Kinship { parent: linked.first().copied(), waits: true, ..Kinship::default() },
        Some(parent) => Kinship {
            parent: Some(parent),
            removed: linked.into_iter().filter(|known| known.iri != parent.iri).collect(),
            added: Some(parent).filter(|_| kept.is_none()),
            waits: false,
        },
    }
}

fn create(
    kind: &ResourceKind,
    item: &Wanted,
    parent: Option<&Known>,
    uuid: Uuid,
) -> Result<Change, StatementFault> {
    let mut added: Vec<(&'static str, Object)> =
        kind.classes.iter().map(|class| (rdf::TYPE, Iri::known(class).into())).collect();
    added.push((mu::UUID, Literal::string(uuid.to_string()).into()));
    added.push((dct::IDENTIFIER, Literal::string(item.id.to_string()).into()));
    added.push((kind.label, Literal::string(&item.name).into()));
    added.extend(kind.fixed.iter().map(|(predicate, iri)| (*predicate, iri.into())));
    added.extend(kind.parent.zip(parent).map(|(predicate, parent)| (predicate, (&parent.iri).into())));
    added.extend(colour(item, parent).map(|colour| (ui::COLOR, Literal::string(colour).into())));
    Ok(Change { added, ..Change::of(kind.mint(uuid)?) })
}

fn update(kind: &ResourceKind, item: &Wanted, known: &Known, kinship: &Kinship<'_>) -> Change {
    let mut change = Change::of(known.iri.clone());
    if known.unavailable {
        change.removed.push((rdf::TYPE, Iri::known(ext::UNAVAILABLE_IN_KIMAI)));
    }
    if !kind.follows_kimai {
        return change;
    }
    replace(&mut change, kind.label, &known.labels, Some(&item.name));
    if let Some(predicate) = kind.parent {
        change.removed.extend(kinship.removed.iter().map(|parent| (predicate, parent.iri.clone())));
        change.added.extend(kinship.added.map(|parent| (predicate, (&parent.iri).into())));
    }
    replace(&mut change, ui::COLOR, &known.colours, colour(item, kinship.parent));
    change
}

/// The item's own colour, otherwise that of its parent in the triplestore.
fn colour<'a>(item: &'a Wanted, parent: Option<&'a Known>) -> Option<&'a str> {
    let inherited = || parent.and_then(|parent| parent.colours.first()).map(Term::value);
    item.colour.as_deref().or_else(inherited)
}

/// Makes `wanted` the only value, unless it is already.
fn replace(change: &mut Change, predicate: &'static str, present: &BTreeSet<Term>, wanted: Option<&str>) {
    let right = match (present.len(), present.first(), wanted) {
        (0, _, None) => true,
        (1, Some(Term::Literal { value, language: None, .. }), Some(wanted)) => value == wanted,
        _ => false,
    };
    if right {
        return;
    }
    if !present.is_empty() {
        change.cleared.push((predicate, present.len()));
    }
    change.added.extend(wanted.map(|value| (predicate, Literal::string(value).into())));
}
