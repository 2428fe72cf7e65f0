//! A triplestore with metrics: the duration and result of each statement, also as a span.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use super::{Row, Triplestore, TriplestoreFault};
use crate::clock::Clock;
use crate::contact::Record;
use crate::domain::Code;
use crate::domain::status::Lapse;
use crate::telemetry::metrics::{Answer, Metrics, Side};
use crate::unreadable::Unreadable;

/// Counts the statements for `inner`.
pub struct Instrumented {
    inner: Arc<dyn Triplestore>,
    metrics: Metrics,
    record: Record,
    /// How many unreadable values have been counted.
    unreadable: AtomicU64,
}

impl Instrumented {
    /// Counts the statements for `inner` in `metrics`.
    pub fn new(inner: Arc<dyn Triplestore>, metrics: Metrics) -> Self {
        Self { inner, metrics, record: Record::default(), unreadable: AtomicU64::new(0) }
    }

    /// The same, with the time of `clock`.
    #[must_use]
    pub fn by(self, clock: &Clock) -> Self {
        self.record.tell_time_by(clock);
        self
    }

    /// How it last answered.
    pub fn record(&self) -> &Record {
        &self.record
    }

    fn note<T>(&self, update: bool, result: &Result<T, TriplestoreFault>, time: Duration) {
        let answer = match result {
            Ok(_) => Answer::Ok,
            Err(TriplestoreFault::Refused(_)) => Answer::Refused,
            Err(_) => Answer::Failed,
        };
        self.metrics.triplestore_answered(update, answer, time);
        match result {
            Ok(_) | Err(TriplestoreFault::Refused(_)) => self.record.answered(),
            Err(fault) => self.record.failed(lapse(fault), fault.code(), fault.to_string()),
        }
    }
}

/// The availability of the triplestore according to an error.
fn lapse(fault: &TriplestoreFault) -> Lapse {
    match fault {
        TriplestoreFault::Transient(_) | TriplestoreFault::Unreadable(_) => Lapse::Silent,
        TriplestoreFault::Failed(_) | TriplestoreFault::Refused(_) | TriplestoreFault::Incomplete(_) => {
            Lapse::Statement(fault.gist())
        }
    }
}

#[async_trait]
impl Triplestore for Instrumented {
    fn is_of_a_stack(&self) -> bool {
        self.inner.is_of_a_stack()
    }

    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        let since = Instant::now();
        let span = info_span!("sparql", operation = "query");
        let waiting = self.record.wait(Code::TriplestoreUnavailable);
        let rows = self.inner.select(query).instrument(span).await;
        waiting.over();
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
        let waiting = self.record.wait(Code::TriplestoreUnavailable);
        let done = self.inner.update(update).instrument(span).await;
        waiting.over();
        self.note(true, &done, since.elapsed());
        done
    }
}
