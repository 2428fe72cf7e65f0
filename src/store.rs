//! Storage of the queue, the ledger and the jobs.

#[cfg(test)]
pub(crate) mod conformance;
pub mod jobs;
pub mod ledger;
pub mod queue;
pub mod references;
pub mod sqlite;

use std::sync::Arc;

use jobs::JobRecords;
pub use ledger::{Ledger, LedgerFault};
pub use queue::{Look, Queue, QueueFault, Slot};
use references::ChangedReferences;

/// All that a store holds, each part behind its trait.
#[derive(Clone)]
pub struct Stores {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The records about work logs and timesheets.
    pub ledger: Arc<dyn Ledger>,
    /// The records of jobs.
    pub jobs: Arc<dyn JobRecords>,
    /// Changed references.
    pub references: Arc<dyn ChangedReferences>,
}

/// Why the file cannot be used, as text with the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue file {file} cannot be used: {why}")]
pub struct StorageFault {
    /// The file.
    pub file: Arc<str>,
    /// What is wrong, and how to fix it.
    pub why: String,
}
