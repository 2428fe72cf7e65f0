//! What differs between Kimai's list and what is there. Pure.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::catalogue::{Catalogue, Known};
use super::noun::{Noun, Wanted};
use super::report::Counts;
use crate::triplestore::Term;
use crate::triplestore::statement::{Iri, Literal, Object, StatementFault};
use crate::triplestore::vocabulary::{dct, mu, rdf, ui};

/// What to write of one resource.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The resource.
    pub(super) subject: Iri,
    /// Predicates of which all values go first, with how many there are.
    pub(super) cleared: Vec<(&'static str, usize)>,
    /// What it gets.
    pub(super) added: Vec<(&'static str, Object)>,
}

/// What to write of one noun.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Only what differs.
    pub(super) changes: Vec<Change>,
    /// The same in numbers.
    pub(super) counts: Counts,
}

/// Compares `wanted` with what is `here`. `parents` are the resources that `noun` belongs to.
///
/// Names and colours follow Kimai; what a resource belongs to is written once and then left alone, as
/// is everything that Kimai does not list.
pub(super) fn plan(
    noun: &Noun,
    wanted: &[Wanted],
    here: &Catalogue,
    parents: &Catalogue,
    mut mint: impl FnMut() -> Uuid,
) -> Result<Plan, StatementFault> {
    let mut plan = Plan::default();
    // By id: should Kimai list an item twice, it is still made once.
    let wanted: BTreeMap<u64, &Wanted> = wanted.iter().map(|item| (item.id, item)).collect();
    for item in wanted.into_values() {
        let parent = item.parent.and_then(|id| parents.with_id(id).next());
        let mut waits = item.parent.is_some() && parent.is_none();
        let mut known = here.with_id(item.id).peekable();
        if known.peek().is_none() {
            plan.changes.push(create(noun, item, parent, mint())?);
            plan.counts.new += 1;
        }
        for known in known {
            waits &= known.parents.is_empty();
            match update(noun, item, known, parent, parents) {
                Some(change) => {
                    plan.counts.linked += usize::from(
                        change.added.iter().any(|(predicate, _)| Some(*predicate) == noun.parent),
                    );
                    plan.counts.changed += 1;
                    plan.changes.push(change);
                }
                None => plan.counts.unchanged += 1,
            }
        }
        plan.counts.waiting += usize::from(waits);
    }
    Ok(plan)
}

fn create(noun: &Noun, item: &Wanted, parent: Option<&Known>, uuid: Uuid) -> Result<Change, StatementFault> {
    let mut added: Vec<(&'static str, Object)> =
        noun.classes.iter().map(|class| (rdf::TYPE, Iri::known(class).into())).collect();
    added.push((mu::UUID, Literal::string(uuid.to_string()).into()));
    added.push((dct::IDENTIFIER, Literal::string(item.id.to_string()).into()));
    added.push((noun.label, Literal::string(&item.name).into()));
    added.extend(noun.fixed.iter().map(|(predicate, iri)| (*predicate, iri.into())));
    added.extend(noun.parent.zip(parent).map(|(predicate, parent)| (predicate, (&parent.iri).into())));
    added.extend(colour(item, parent).map(|colour| (ui::COLOR, Literal::string(colour).into())));
    Ok(Change { subject: noun.mint(uuid)?, cleared: Vec::new(), added })
}

fn update(
    noun: &Noun,
    item: &Wanted,
    known: &Known,
    listed_parent: Option<&Known>,
    parents: &Catalogue,
) -> Option<Change> {
    if !noun.follows_kimai {
        return None;
    }
    let mut change = Change { subject: known.iri.clone(), cleared: Vec::new(), added: Vec::new() };
    replace(&mut change, noun.label, &known.labels, Some(&item.name));
    // The link that is there counts, even if Kimai has moved the item meanwhile.
    let linked_parent = known.parents.iter().find_map(|iri| parents.get(iri));
    let parent = if known.parents.is_empty() { listed_parent } else { linked_parent };
    if let (true, Some(predicate), Some(parent)) = (known.parents.is_empty(), noun.parent, parent) {
        change.added.push((predicate, (&parent.iri).into()));
    }
    replace(&mut change, ui::COLOR, &known.colours, colour(item, parent));
    (!change.cleared.is_empty() || !change.added.is_empty()).then_some(change)
}

/// The item's own colour, else that of its parent as it stands in the triplestore.
fn colour<'a>(item: &'a Wanted, parent: Option<&'a Known>) -> Option<&'a str> {
    let inherited = || parent.and_then(|parent| parent.colours.first()).map(Term::value);
    item.colour.as_deref().or_else(inherited)
}

/// Makes `wanted` the only value, unless it is already.
fn replace(
    change: &mut Change,
    predicate: &'static str,
    present: &std::collections::BTreeSet<Term>,
    wanted: Option<&str>,
) {
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
