//! Requests of people for single work logs.

use std::sync::Arc;

use super::retry::Failure;
use crate::clock::Clock;
use crate::domain::WorkLogUri;
use crate::queue::Reason;
use crate::store::{Ledger, Queue};

/// Handles these requests. Cheap to clone.
#[derive(Clone)]
pub struct Requests {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The time.
    pub clock: Clock,
}

impl Requests {
    /// Retries a work log now, whatever the reason it waits: Kimai may hold something else than the ledger says.
    pub async fn try_again(&self, work_log: WorkLogUri) -> Result<(), Failure> {
        self.ledger.doubt(vec![work_log.clone()]).await?;
        Ok(self.queue.put(&[work_log], Reason::Request, self.clock.now()).await?)
    }

    /// Retries a work log now, with permission to overwrite its exported timesheet once.
    pub async fn overwrite(&self, work_log: &WorkLogUri) -> Result<(), Failure> {
        self.ledger.doubt(vec![work_log.clone()]).await?;
        Ok(self.queue.overwrite(work_log).await?)
    }

    /// The same for all that are parked because their timesheet is exported. Returns their number.
    pub async fn overwrite_exported(&self) -> Result<usize, Failure> {
        Ok(self.queue.overwrite_exported().await?)
    }
}
