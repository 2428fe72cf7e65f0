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

/// What one operation of an update changed: only quads that were not there before, or are not there
/// any more. Never empty.
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
/// A change is made only after `changed` returned `Ok`; if it fails, the update fails and nothing is
/// changed. From the call on until the change is visible, every query waits: whoever acts on the news
/// never reads the state before. It may happen that a change is told and then not made (the disk is
/// full, the process dies): act on what the store says, not on the news.
///
/// # Assumptions
/// `changed` asks nothing of the store that calls it: it would wait for itself.
#[async_trait]
pub trait Observer: Send + Sync {
    /// `changes` has one entry for each operation of one update that changes anything, in order. The
    /// error says why the news could not be kept.
    async fn changed(&self, changes: &[Changeset]) -> Result<(), String>;
}
