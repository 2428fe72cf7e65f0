//! Limits the memory and the time of one statement.
//!
//! The engine checks its cancellation token only when it reads triples. It has no limit for the memory of rows that it
//! sorts, groups or joins, and of strings that it builds. But it calls functions. So [`pattern`] inserts calls of our
//! functions into the algebra, where rows are stored or multiplied and where strings are built ([`rewrite`]). A call
//! that finds the memory or time limit exceeded unwinds the thread of the statement.
//!
//! # Guarantees
//! The count is never less than the memory in use, since it never decreases. The answer to a query is the same as
//! without the calls.

mod expression;
mod rewrite;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oxigraph::model::{NamedNode, NamedOrBlankNode, Quad, Term};
use oxigraph::sparql::{CancellationToken, SparqlEvaluator};

pub(super) use rewrite::pattern;

/// The memory of a row, and of a value in it.
const ROW: usize = 64;
const CELL: usize = 40;
/// The memory overhead of a string.
const STRING: usize = 64;

/// Counts one row with as many values as its argument. Returns nothing.
const KEEP: &str = "urn:kimai-sync:keep";
/// Checks the time. Returns nothing.
const STEP: &str = "urn:kimai-sync:step";
/// Returns its first argument, after counting it and as many bytes as the second argument.
const WEIGH: &str = "urn:kimai-sync:weigh";
/// Returns its first argument, if it is not longer than the second argument.
const SHORT: &str = "urn:kimai-sync:short";

/// Why a statement was unwound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// It exceeded this memory limit.
    Memory(usize),
    /// It exceeded its time limit, or nobody waits for it.
    Time,
}

/// The memory count of one statement.
#[derive(Clone)]
pub(super) struct Meter {
    taken: Arc<AtomicUsize>,
    most: usize,
    token: CancellationToken,
}

impl Meter {
    /// A count of zero, with a limit of `most` bytes.
    pub(super) fn new(most: usize, token: CancellationToken) -> Self {
        Self { taken: Arc::default(), most, token }
    }

    /// Counts memory. Does not return if the limit is exceeded.
    pub(super) fn take(&self, bytes: usize) {
        let before = self.taken.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.most {
            unwind(Spent::Memory(self.most));
        }
        self.step();
    }

    fn step(&self) {
        if self.token.is_cancelled() {
            unwind(Spent::Time);
        }
    }

    /// The engine, with the functions whose calls [`pattern`] inserts into a query.
    pub(super) fn evaluator(&self) -> SparqlEvaluator {
        let name = NamedNode::new_unchecked;
        let (keep, step, weigh, most) = (self.clone(), self.clone(), self.clone(), self.most);
        SparqlEvaluator::new()
            .with_cancellation_token(self.token.clone())
            .with_custom_function(name(KEEP), move |arguments| {
                keep.take(ROW + CELL * arguments.first().map_or(0, number));
                None
            })
            .with_custom_function(name(STEP), move |_| {
                step.step();
                None
            })
            .with_custom_function(name(WEIGH), move |arguments| {
                let (value, more) = (arguments.first()?, arguments.get(1).map_or(0, number));
                weigh.take(length(value) + more + STRING);
                Some(value.clone())
            })
            .with_custom_function(name(SHORT), move |arguments| {
                let (value, longest) = (arguments.first()?, arguments.get(1).map_or(0, number));
                if length(value) > longest {
                    unwind(Spent::Memory(most));
                }
                Some(value.clone())
            })
    }
}

/// Unwinds the thread of the statement to its caller. Nothing is printed.
fn unwind(spent: Spent) -> ! {
    resume_unwind(Box::new(spent))
}

fn number(term: &Term) -> usize {
    match term {
        Term::Literal(literal) => literal.value().parse().unwrap_or(usize::MAX / 4),
        _ => 0,
    }
}

fn length(term: &Term) -> usize {
    match term {
        Term::NamedNode(node) => node.as_str().len(),
        Term::BlankNode(node) => node.as_str().len(),
        Term::Literal(literal) => literal.value().len() + literal.datatype().as_str().len(),
    }
}

/// The memory of a quad in an update: it is copied into the changes, into the report to the observer, and for the disk.
pub(super) fn quad(quad: &Quad) -> usize {
    let subject = match &quad.subject {
        NamedOrBlankNode::NamedNode(node) => node.as_str().len(),
        NamedOrBlankNode::BlankNode(node) => node.as_str().len(),
    };
    4 * (subject + quad.predicate.as_str().len() + length(&quad.object) + 2 * STRING)
}

#[cfg(test)]
mod tests;
