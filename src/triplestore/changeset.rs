//! The effective changes of an update, as reported by the embedded store.

use async_trait::async_trait;

use super::Term;

/// One statement in its graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quad {
    /// An IRI or a blank node.
    pub subject: Term,
    /// The IRI of the predicate.
    pub predicate: String,
    /// Any term.
    pub object: Term,
    /// The IRI of the graph.
    pub graph: String,
}

/// The effective changes of one operation of an update: only quads that did not exist before, or no longer exist. Never
/// empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changeset {
    /// What was added.
    pub inserts: Vec<Quad>,
    /// What was removed.
    pub deletes: Vec<Quad>,
}

/// Is notified of every change before it is made.
///
/// # Guarantees
/// A change is made only after `changed` returned `Ok`; if it fails, the update fails and nothing is changed. From the
/// call until the change is visible, every query waits, so an observer never reads the previous state. A change may be
/// reported and then not made (the disk is full, the process dies): rely on the content of the store, not on the
/// report.
///
/// # Assumptions
/// `changed` must not query the store that calls it: that would deadlock.
#[async_trait]
pub trait Observer: Send + Sync {
    /// `changes` has one entry for each operation of the update that changes anything, in order. The error says why the
    /// changes could not be saved.
    async fn changed(&self, changes: &[Changeset]) -> Result<(), String>;
}
