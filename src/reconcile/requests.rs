//! What people ask for of single work logs.

use std::sync::Arc;

use super::ledger::Ledger;
use super::retry::Failure;
use crate::clock::Clock;
use crate::domain::WorkLogUri;
use crate::queue::{Queue, Reason};

/// Takes what people ask for of single work logs. Cheap to clone.
#[derive(Clone)]
pub struct Requests {
    /// Where work logs wait.
    pub queue: Arc<dyn Queue>,
    /// What is remembered of them.
    pub ledger: Ledger,
    /// The time.
    pub clock: Clock,
}

impl Requests {
    /// Has a work log tried again now, whatever stood in the way: Kimai may hold something else than we think.
    pub async fn try_again(&self, work_log: WorkLogUri) -> Result<(), Failure> {
        self.ledger.doubt([&work_log]).await?;
        Ok(self.queue.put(&[work_log], Reason::Request, self.clock.now()).await?)
    }

    /// Has a work log tried again now, with leave to overwrite its timesheet although it is exported: this once.
    pub async fn overwrite(&self, work_log: &WorkLogUri) -> Result<(), Failure> {
        self.ledger.doubt([work_log]).await?;
        Ok(self.queue.overwrite(work_log).await?)
    }

    /// The same for all that are parked since their timesheet is exported; gives their number.
    pub async fn overwrite_exported(&self) -> Result<usize, Failure> {
        Ok(self.queue.overwrite_exported().await?)
    }
}
