//! Values from Kimai or the triplestore that could not be read: each is logged once, counted, and kept for the doctor.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

/// The most values that are remembered, and named in the log.
const MOST: usize = 1_000;
/// One that was not met for so long is taken for repaired.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// What could not be read of one neighbour since the start. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Unreadable(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// When each was met last, by what it is.
    met: BTreeMap<String, Instant>,
    total: u64,
}

impl Unreadable {
    /// Notes a value, said in words that name its subject; in the log only the first time.
    pub fn note(&self, what: String) {
        let mut inner = self.inner();
        inner.total += 1;
        if let Some(at) = inner.met.get_mut(&what) {
            *at = Instant::now();
        } else if inner.met.len() < MOST {
            warn!("{what}");
            inner.met.insert(what, Instant::now());
        }
    }

    /// How many there were in all, each as often as it was met.
    pub fn total(&self) -> u64 {
        self.inner().total
    }

    /// What was met lately.
    pub fn recent(&self) -> Vec<String> {
        let mut inner = self.inner();
        inner.met.retain(|_, at| at.elapsed() < FORGOTTEN);
        inner.met.keys().cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_met_again_stays_and_what_is_repaired_goes() {
        let unreadable = Unreadable::default();
        unreadable.note("a".to_owned());
        unreadable.note("b".to_owned());
        tokio::time::advance(FORGOTTEN.saturating_sub(Duration::from_secs(1))).await;
        unreadable.note("b".to_owned());
        assert_eq!(unreadable.recent(), ["a", "b"]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((unreadable.recent(), unreadable.total()), (vec!["b".to_owned()], 3));
        for n in 0..2 * MOST {
            unreadable.note(n.to_string());
        }
        assert_eq!(unreadable.recent().len(), MOST);
    }
}
