//! The deletions that the last sweep held back, for the status of the service.

use std::collections::BTreeMap;

use super::job::{Job, State, Task};
use crate::domain::finding::Hold;
use crate::reconcile::sweep::Period;
use crate::store::StorageFault;
use crate::store::jobs::{JobRecord, JobRecords};

/// Records read at a time.
const PAGE: usize = 10;

/// What the newest completed sweep held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// Its number.
    pub run: u64,
    /// Its days.
    pub period: Period,
    /// How many deletions, by the reason that holds them back; empty if the findings were removed.
    pub by: BTreeMap<Hold, u64>,
    /// The total.
    pub count: usize,
}

impl HeldBack {
    /// What the newest sweep held back; none before one has completed.
    pub async fn read(records: &dyn JobRecords) -> Result<Option<Self>, StorageFault> {
        let mut before = None;
        loop {
            let page = records.newest(before, PAGE).await?;
            let Some(oldest) = page.last() else { return Ok(None) };
            before = Some(oldest.id);
            for JobRecord { body, .. } in page {
                // An unreadable record is only history.
                let run = serde_json::from_str::<Job>(&body).ok();
                let Some(Job { id, task: Task::Sweep(period), state: State::Done, held, .. }) = run else {
                    continue;
                };
                return Ok(Some(Self { run: id, period, by: records.held_back(id).await?, count: held }));
            }
        }
    }
}
