//! Keeps the work logs of deltas that arrived while nothing could be saved.
//!
//! Such a delta is answered with 503, and the delta-notifier may not resend it. So its work logs are kept in memory,
//! and queued as soon as they can be saved.
//!
//! # Caveats
//! They are lost with the process, and no more than [`MOST`] are kept: the sweeps at start and after the problem find
//! the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::WorkLogUri;

/// The most work logs kept: some 20 MB.
const MOST: usize = 100_000;

/// Work logs of refused deltas, each with whether a delta said that it lost its class. Cheap to clone; clones
/// share them.
#[derive(Debug, Clone, Default)]
pub struct Refused(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    named: Mutex<BTreeMap<WorkLogUri, bool>>,
    some: Notify,
}

impl Refused {
    /// Stores what a refused delta named.
    pub fn remember(&self, named: &BTreeMap<WorkLogUri, bool>) {
        let mut kept = self.named();
        for (work_log, removed) in named {
            if let Some(known) = kept.get_mut(work_log) {
                *known |= removed;
            } else if kept.len() < MOST {
                kept.insert(work_log.clone(), *removed);
            }
        }
        drop(kept);
        self.0.some.notify_one();
    }

    /// Waits until a delta has been refused since the last call.
    pub async fn any(&self) {
        self.0.some.notified().await;
    }

    /// All of them. They are kept until [`Refused::forget`].
    pub fn all(&self) -> BTreeMap<WorkLogUri, bool> {
        self.named().clone()
    }

    /// Removes `queued`, which is saved now.
    pub fn forget(&self, queued: &BTreeMap<WorkLogUri, bool>) {
        self.named().retain(|work_log, _| !queued.contains_key(work_log));
    }

    fn named(&self) -> MutexGuard<'_, BTreeMap<WorkLogUri, bool>> {
        self.0.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
