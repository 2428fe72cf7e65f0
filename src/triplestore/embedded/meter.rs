//! What one statement may take: bytes of memory, and no step after its time.
//!
//! The engine looks at its cancellation token only when it reads triples. It has no bound for what it keeps: the rows
//! that it sorts, groups or joins, and the strings that it makes. But it calls functions. So [`pattern`] puts calls of
//! ours into the algebra, where rows are kept or multiplied and where strings are made ([`rewrite`]). A call that
//! finds too much taken, or the time over, unwinds the thread of the statement.
//!
//! # Guarantees
//! What is counted is never less than what is kept: nothing is counted back. A query's answer is the same as without.

mod expression;
mod rewrite;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oxigraph::model::{NamedNode, NamedOrBlankNode, Quad, Term};
use oxigraph::sparql::{CancellationToken, SparqlEvaluator};

pub(super) use rewrite::pattern;

/// A row, and a value in it, as the engine keeps them.
const ROW: usize = 64;
const CELL: usize = 40;
/// What the engine adds to a string that it keeps.
const STRING: usize = 64;

/// Counts one row of as many values as its argument says. Gives nothing.
const KEEP: &str = "urn:kimai-sync:keep";
/// Looks at the clock. Gives nothing.
const STEP: &str = "urn:kimai-sync:step";
/// Gives its first argument, counted as kept together with as many bytes as the second says.
const WEIGH: &str = "urn:kimai-sync:weigh";
/// Gives its first argument, if it is no longer than the second says.
const SHORT: &str = "urn:kimai-sync:short";

/// Why a statement was unwound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// It took more memory than this.
    Memory(usize),
    /// Its time was over, or nobody waits for it.
    Time,
}

/// What one statement took so far.
#[derive(Clone)]
pub(super) struct Meter {
    taken: Arc<AtomicUsize>,
    most: usize,
    token: CancellationToken,
}

impl Meter {
    /// Nothing was taken yet of `most` bytes.
    pub(super) fn new(most: usize, token: CancellationToken) -> Self {
        Self { taken: Arc::default(), most, token }
    }

    /// Counts what is kept. Does not return if that is too much.
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

    /// The engine, with the functions that [`pattern`] puts calls of into a query.
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

/// Ends the thread of the statement, which gives its place to the caller. Nothing is printed.
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

/// What a quad takes that an update names: it is there once more in what changes, in what is told and on its way to
/// the disk.
pub(super) fn quad(quad: &Quad) -> usize {
    let subject = match &quad.subject {
        NamedOrBlankNode::NamedNode(node) => node.as_str().len(),
        NamedOrBlankNode::BlankNode(node) => node.as_str().len(),
    };
    4 * (subject + quad.predicate.as_str().len() + length(&quad.object) + 2 * STRING)
}

#[cfg(test)]
mod tests;
