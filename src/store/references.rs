//! References that have changed, of which the work logs are still to be found.

use async_trait::async_trait;

use super::QueueFault;

/// A changed reference that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedReference {
    /// Higher than that of each that was noted before. One that is noted again gets another.
    pub id: i64,
    /// The task, project, person or account.
    pub iri: String,
}

/// Where changed references wait.
#[async_trait]
pub trait ChangedReferences: Send + Sync {
    /// Notes these, all or none; none if more than `most` would wait then.
    async fn note(&self, iris: Vec<String>, most: usize) -> Result<(), QueueFault>;

    /// At most `most`, in the order in which they were last noted.
    async fn next(&self, most: usize) -> Result<Vec<ChangedReference>, QueueFault>;

    /// Removes these. One that was noted again meanwhile has another ID, and stays.
    async fn remove(&self, ids: Vec<i64>) -> Result<(), QueueFault>;

    /// How many wait.
    async fn count(&self) -> Result<usize, QueueFault>;
}
