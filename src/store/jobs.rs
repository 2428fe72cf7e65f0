//! What is kept of jobs: a record of each, and the findings of sweeps.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::StorageFault;
use crate::domain::WorkLogUri;
use crate::domain::finding::{Finding, Hold, Kind, Unconfirmed};

/// A job as it is kept. A store does not read its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// The number of the job.
    pub id: u64,
    /// The job as JSON.
    pub body: String,
}

/// A filter for findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FindingFilter {
    /// Of this kind only.
    pub kind: Option<Kind>,
    /// Those that are held back only.
    pub held: bool,
}

/// The records of jobs. Large changes are made in several transactions, so that deltas need not wait long.
#[async_trait]
pub trait JobRecords: Send + Sync {
    /// All records, the oldest first. Blocks: for the start.
    fn load(&self) -> Result<Vec<JobRecord>, StorageFault>;

    /// At most `most` records, the newest first, of jobs with a lower number than `before`.
    async fn newest(&self, before: Option<u64>, most: usize) -> Result<Vec<JobRecord>, StorageFault>;

    /// Writes these records, each in place of an older one of its job. All or none.
    async fn save(&self, records: Vec<JobRecord>) -> Result<(), StorageFault>;

    /// The same, blocking: for the start.
    fn save_now(&self, records: Vec<JobRecord>) -> Result<(), StorageFault>;

    /// Removes jobs with their findings.
    async fn remove(&self, ids: &[u64]) -> Result<(), StorageFault>;

    /// Stores the findings of a job, replacing those from before it was interrupted.
    async fn put_findings(&self, id: u64, findings: &[Finding]) -> Result<(), StorageFault>;

    /// Removes the findings of a job.
    async fn remove_findings(&self, id: u64) -> Result<(), StorageFault>;

    /// At most `most` findings of a job behind number `after`, with their numbers, which begin with 1.
    async fn findings(
        &self,
        id: u64,
        filter: FindingFilter,
        after: u64,
        most: usize,
    ) -> Result<Vec<(u64, Finding)>, StorageFault>;

    /// The deletions of a job that wait for confirmation.
    async fn unconfirmed(&self, id: u64) -> Result<Unconfirmed, StorageFault>;

    /// How many findings of a job are held back, by the reason.
    async fn held_back(&self, id: u64) -> Result<BTreeMap<Hold, u64>, StorageFault>;

    /// Keeps which work logs a sweep queued, for the next start to follow, in place of those kept before.
    async fn put_queued(&self, id: u64, queued: &BTreeSet<WorkLogUri>) -> Result<(), StorageFault>;

    /// Which work logs a sweep queued. Blocks: for the start.
    fn queued(&self, id: u64) -> Result<BTreeSet<WorkLogUri>, StorageFault>;

    /// Forgets which work logs a sweep queued.
    async fn remove_queued(&self, id: u64) -> Result<(), StorageFault>;
}
