//! The handlers of jobs: one file for each kind.

mod import;
mod lock;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::follow::Standing;
use super::job::{Kind, Task};
use super::work::{Done, Trouble, Work};
use crate::contact;
use crate::domain::WorkLogUri;
use crate::domain::finding::Unconfirmed;
use crate::domain::status::Part;
use crate::jobs::lock::Locker;
use crate::progress::Progress;
use crate::reconcile::sweep::Sweeper;
use crate::store::Queue;
pub use import::Imports;

/// The parts of the service that jobs use.
#[derive(Clone)]
pub struct Handlers {
    /// Sweeps and plans.
    pub sweeper: Arc<Sweeper>,
    /// Imports.
    pub imports: Imports,
    /// Locks.
    pub locker: Arc<Locker>,
    /// The queue for the work logs of sweeps.
    pub queue: Arc<dyn Queue>,
    /// How long one attempt may take.
    pub time_limit: Duration,
}

#[async_trait]
impl Work for Handlers {
    async fn perform(
        &self,
        task: Task,
        confirmed: Option<&Unconfirmed>,
        progress: &Progress,
    ) -> Result<Done, Trouble> {
        let part = match task.kind() {
            Kind::Sweep => Part::Sweep,
            Kind::Plan => Part::Plan,
            Kind::Import => Part::Import,
            Kind::Lock => Part::Lock,
        };
        contact::within(part, Box::pin(self.perform_task(task, confirmed, progress))).await
    }

    async fn standing(&self, work_log: &WorkLogUri) -> Standing {
        // What cannot be read now is tried again.
        self.queue.entry(work_log).await.map_or(Standing::Pending, |entry| Standing::of(entry.as_ref()))
    }

    fn time_limit(&self) -> Duration {
        self.time_limit
    }
}

impl Handlers {
    async fn perform_task(
        &self,
        task: Task,
        confirmed: Option<&Unconfirmed>,
        progress: &Progress,
    ) -> Result<Done, Trouble> {
        match task {
            Task::Sweep(period) => {
                Ok(sweep::done(self.sweeper.sweep(period, confirmed, progress).await?, true))
            }
            Task::Plan(period) => Ok(sweep::done(self.sweeper.plan(period, progress).await?, false)),
            Task::Import(what) => Ok(self.imports.run(what, progress).await?),
            Task::Lock(month) => Ok(lock::done(&self.locker.lock(month, progress).await?, progress)),
        }
    }
}
