//! Jobs as records of the store.

use tracing::warn;

use super::job::Job;
use crate::store::StorageFault;
use crate::store::jobs::{JobRecord, JobRecords};

/// Findings kept for all jobs: some 100 MB. The oldest are removed first.
pub(super) const MOST_FINDINGS: usize = 200_000;

/// All jobs, the oldest first. An unreadable one is logged and left out: it is only history.
pub(super) fn load(records: &dyn JobRecords) -> Result<Vec<Job>, StorageFault> {
    let mut jobs = Vec::new();
    for JobRecord { id, body } in records.load()? {
        match serde_json::from_str(&body) {
            Ok(job) => jobs.push(job),
            Err(fault) => warn!("Run {id} cannot be read back and is left out: {fault}"),
        }
    }
    Ok(jobs)
}

/// The record of a job.
pub(super) fn record(job: &Job) -> JobRecord {
    // All of it has a form in JSON.
    JobRecord { id: job.id, body: serde_json::to_string(job).unwrap_or_default() }
}
