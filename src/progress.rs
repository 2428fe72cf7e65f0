//! The progress of a run, and its cancellation.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::finding::Finding;

/// The most errors stored per run; further ones are only counted.
const MOST_FAULTS: usize = 100;

/// The progress of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stand {
    /// The current phase, as text.
    pub phase: Cow<'static, str>,
    /// How much of this phase is done.
    pub done: u64,
    /// How much there is to do in this phase, if known.
    pub total: Option<u64>,
    /// What failed without ending the run: the first hundred.
    pub faults: Vec<String>,
    /// How many failed in total.
    pub faults_in_all: u64,
}

/// Receives the progress of a run. Cheap to clone; reporting needs no I/O.
#[derive(Debug, Clone)]
pub struct Progress {
    stand: Arc<watch::Sender<Stand>>,
    /// In all attempts.
    deleted: Arc<Mutex<Vec<Finding>>>,
    stop: CancellationToken,
}

impl Progress {
    /// The progress of a run that ends early when `stop` is cancelled.
    pub fn new(stop: CancellationToken) -> Self {
        Self { stand: Arc::new(watch::Sender::new(Stand::default())), deleted: Arc::default(), stop }
    }

    /// For a run that nobody watches or stops.
    pub fn unwatched() -> Self {
        Self::new(CancellationToken::new())
    }

    /// Begins a new phase, with `total` items if known.
    pub fn phase(&self, phase: impl Into<Cow<'static, str>>, total: Option<usize>) {
        self.stand.send_modify(|stand| {
            stand.phase = phase.into();
            stand.done = 0;
            stand.total = total.map(|total| total as u64);
        });
    }

    /// `count` more items of this phase are done.
    pub fn advance(&self, count: usize) {
        self.stand.send_modify(|stand| stand.done += count as u64);
    }

    /// `done` of the `total` items of this phase are done.
    pub fn stands(&self, phase: &'static str, done: u64, total: u64) {
        self.stand.send_if_modified(|stand| {
            let is_news = stand.phase != phase || stand.done != done || stand.total != Some(total);
            (stand.phase, stand.done, stand.total) = (phase.into(), done, Some(total));
            is_news
        });
    }

    /// Records an error that does not end the run.
    pub fn fault(&self, why: String) {
        self.stand.send_modify(|stand| {
            stand.faults_in_all += 1;
            if stand.faults.len() < MOST_FAULTS {
                stand.faults.push(why);
            }
        });
    }

    /// Records that the timesheet of `finding` was deleted. This is reported even if the job fails later.
    pub fn deleted(&self, finding: &Finding) {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).push(finding.clone());
    }

    /// What was deleted so far, in all attempts.
    pub fn deletions(&self) -> Vec<Finding> {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The run starts again: earlier errors no longer count.
    pub fn restart(&self) {
        self.stand.send_replace(Stand::default());
    }

    /// The current progress.
    pub fn stand(&self) -> Stand {
        self.stand.borrow().clone()
    }

    /// Whether the run has to end at the next step.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The result of `work`, or none once the run has to end. For reads only, since dropped work may have been done in
    /// part.
    pub async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            result = work => Some(result),
        }
    }

    /// The progress now and after each change.
    pub fn watch(&self) -> watch::Receiver<Stand> {
        self.stand.subscribe()
    }
}
