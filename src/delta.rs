//! Receives deltas: finds the work logs that a message names, and queues them.

pub mod message;
mod refused;
mod relevance;
mod scan;
mod text;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::reconcile::references::References;
use crate::store::{Queue, QueueFault};
use crate::telemetry::call_id::{self, Calls};
use crate::telemetry::metrics::Metrics;
use crate::triplestore::changeset::{Changeset, Observer};
pub use message::{DeltaFault, Found};
pub use refused::Refused;

/// Queues what deltas name.
#[derive(Clone)]
pub struct Intake {
    queue: Arc<dyn Queue>,
    references: Option<Arc<References>>,
    clock: Clock,
    settling: Duration,
    metrics: Metrics,
    calls: Calls,
    refused: Refused,
    /// Whether the notes of work logs are synced.
    notes: bool,
}

impl Intake {
    /// An intake for `queue`. A work log waits for `settling` before it runs: the delta-notifier sends the same change
    /// once per matching rule, on parallel connections, within a few milliseconds. A later one costs one more read of
    /// the triplestore, and no request to Kimai.
    pub fn new(queue: Arc<dyn Queue>, clock: Clock, settling: Duration) -> Self {
        let (metrics, calls, refused) = (Metrics::default(), Calls::default(), Refused::default());
        Self { queue, references: None, clock, settling, metrics, calls, refused, notes: false }
    }

    /// The same, counting in `metrics`, and recording in `calls` which call each work log belongs to.
    #[must_use]
    pub fn watched(self, metrics: Metrics, calls: Calls) -> Self {
        Self { metrics, calls, ..self }
    }

    /// The same, with `references` to find the work logs of changed tasks, persons and accounts.
    #[must_use]
    pub fn following(self, references: Arc<References>) -> Self {
        Self { references: Some(references), ..self }
    }

    /// The same, treating a changed note as a change of its work log if `notes` is set.
    #[must_use]
    pub fn with_notes(self, notes: bool) -> Self {
        Self { notes, ..self }
    }

    /// The same, keeping in `refused` what a delta named that could not be saved.
    #[must_use]
    pub fn remembering(self, refused: Refused) -> Self {
        Self { refused, ..self }
    }

    /// The metrics that count deltas.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Queues what a delta named. When this returns, the delta may be acknowledged.
    pub async fn accept(&self, found: &Found) -> Result<(), QueueFault> {
        let mut work_logs = Cow::Borrowed(&found.work_logs);
        if self.notes && !found.noted.is_empty() {
            let named = work_logs.to_mut();
            for noted in &found.noted {
                named.entry(noted.clone()).or_insert(false);
            }
        }
        self.metrics.delta(work_logs.len(), found.skipped);
        let followed = match &self.references {
            Some(references) => references.note(found.references.iter().map(String::as_str)).await,
            None => Ok(()),
        };
        if work_logs.is_empty() {
            return followed;
        }
        // Before it is queued: its run may begin immediately.
        if let Some(call) = call_id::current() {
            self.calls.remember(&call, work_logs.keys());
        }
        let since = Instant::now();
        let taken = self.queue.put_named(&work_logs, self.clock.after(self.settling)).await;
        self.metrics.enqueued(since.elapsed());
        if let Err(QueueFault::Storage(_)) = &taken {
            self.refused.remember(&work_logs);
        }
        taken.and(followed)
    }
}

/// A change of the embedded store is a delta that does not come over HTTP.
#[async_trait]
impl Observer for Intake {
    async fn changed(&self, changes: &[Changeset]) -> Result<(), String> {
        let mut found = Found::default();
        for Changeset { inserts, deletes } in changes {
            for (quads, deleted) in [(inserts, false), (deletes, true)] {
                for quad in quads {
                    found.triple(quad.subject.value(), &quad.predicate, quad.object.value(), deleted);
                }
            }
        }
        self.accept(&found).await.map_err(|fault| fault.to_string())
    }
}
