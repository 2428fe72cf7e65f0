//! A delta comes in: from its message to the work logs it names, into the queue.

pub mod message;
mod relevance;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::queue::{Queue, QueueFault};
use crate::triplestore::change::{Change, Observer};
pub use message::{DeltaFault, Found};

/// How long a work log named by a delta waits before it runs: the delta-notifier sends the same
/// change once per matching rule, on parallel connections, within a few milliseconds.
const SETTLING: Duration = Duration::from_millis(30);

/// Takes what deltas found into the queue.
#[derive(Clone)]
pub struct Intake {
    queue: Arc<dyn Queue>,
    clock: Clock,
}

impl Intake {
    /// An intake for `queue`.
    pub fn new(queue: Arc<dyn Queue>, clock: Clock) -> Self {
        Self { queue, clock }
    }

    /// Queues what a delta found. When this returns, the delta may be acknowledged.
    pub async fn accept(&self, found: &Found) -> Result<(), QueueFault> {
        if found.work_logs.is_empty() {
            return Ok(());
        }
        self.queue.put_named(&found.work_logs, self.clock.after(SETTLING)).await
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
