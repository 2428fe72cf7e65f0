//! A triplestore that is counted: each statement with its time and what became of it, in the metrics and
//! as a span.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use super::{Row, Triplestore, TriplestoreFault};
use crate::telemetry::metrics::{Answer, Metrics, Side};
use crate::unreadable::Unreadable;

/// Counts what `inner` is asked.
pub struct Watched {
    inner: Arc<dyn Triplestore>,
    metrics: Metrics,
    answered: AtomicBool,
    /// How many values that could not be read are counted.
    unreadable: AtomicU64,
}

impl Watched {
    /// Counts in `metrics` what `inner` is asked.
    pub fn new(inner: Arc<dyn Triplestore>, metrics: Metrics) -> Self {
        Self { inner, metrics, answered: AtomicBool::new(false), unreadable: AtomicU64::new(0) }
    }

    /// Whether it has ever done what it was asked.
    pub fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    fn note<T>(&self, update: bool, result: &Result<T, TriplestoreFault>, time: Duration) {
        let answer = match result {
            Ok(_) => {
                self.answered.store(true, Ordering::Relaxed);
                Answer::Ok
            }
            Err(TriplestoreFault::Refused(_)) => Answer::Refused,
            Err(_) => Answer::Failed,
        };
        self.metrics.triplestore_answered(update, answer, time);
    }
}

#[async_trait]
impl Triplestore for Watched {
    fn is_of_a_stack(&self) -> bool {
        self.inner.is_of_a_stack()
    }

    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        let since = Instant::now();
        let span = info_span!("sparql", operation = "query");
        let rows = self.inner.select(query).instrument(span).await;
        self.note(false, &rows, since.elapsed());
        let total = self.inner.unreadable().total();
        let known = self.unreadable.fetch_max(total, Ordering::Relaxed);
        self.metrics.unreadable(Side::Triplestore, total.saturating_sub(known));
        rows
    }

    fn unreadable(&self) -> Unreadable {
        self.inner.unreadable()
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        let since = Instant::now();
        let span = info_span!("sparql", operation = "update");
        let done = self.inner.update(update).instrument(span).await;
        self.note(true, &done, since.elapsed());
        done
    }
}
