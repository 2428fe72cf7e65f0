//! A delta comes in: from its message to the work logs it names, into the queue.

pub mod message;
mod relevance;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::domain::WorkLogUri;
use crate::queue::{Queue, QueueFault, Reason};
use crate::reconcile::ledger::Ledger;
use crate::triplestore::change::{Change, Observer};
pub use message::{DeltaFault, Found};

/// How long a work log named by a delta waits before it runs: the delta-notifier sends the same
/// change once per matching rule, on parallel connections, within a few milliseconds.
const SETTLING: Duration = Duration::from_millis(30);

/// Takes what deltas found into the queue.
#[derive(Clone)]
pub struct Intake {
    queue: Arc<dyn Queue>,
    ledger: Arc<Ledger>,
    clock: Clock,
}

impl Intake {
    /// An intake for `queue`; removals that deltas report are remembered in `ledger`.
    pub fn new(queue: Arc<dyn Queue>, ledger: Arc<Ledger>, clock: Clock) -> Self {
        Self { queue, ledger, clock }
    }

    /// Queues what a delta found. When this returns, the delta may be acknowledged.
    pub async fn accept(&self, found: &Found) -> Result<(), QueueFault> {
        if found.work_logs.is_empty() {
            return Ok(());
        }
        let work_logs: Vec<WorkLogUri> = found.work_logs.keys().cloned().collect();
        for (work_log, _) in found.work_logs.iter().filter(|(_, removed)| **removed) {
            self.ledger.note_removed(work_log);
        }
        self.queue.put(&work_logs, Reason::Delta, self.clock.after(SETTLING)).await
    }
}

/// A change of the embedded store is a delta without the way through HTTP.
#[async_trait]
impl Observer for Intake {
    async fn changed(&self, changes: &[Change]) -> Result<(), String> {
        let mut found = Found::default();
        for Change { inserts, deletes } in changes {
            for (quads, deleted) in [(inserts, false), (deletes, true)] {
                for quad in quads {
                    found.triple(quad.subject.value(), &quad.predicate, quad.object.value(), deleted);
                }
            }
        }
        self.accept(&found).await.map_err(|fault| fault.to_string())
    }
}
