//! Values from Kimai or the triplestore that could not be read: each is logged once, counted, and kept for the doctor.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

/// The most values that are stored, and named in the log.
const MOST: usize = 1_000;
/// A value that was not found for this long counts as repaired.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// The unreadable values of one system since the start. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Unreadable(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// When each value was last found.
    met: BTreeMap<String, Instant>,
    total: u64,
}

impl Unreadable {
    /// Records a value, described by a message that names its subject; logged only the first time.
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

    /// The total count, including repeated occurrences.
    pub fn total(&self) -> u64 {
        self.inner().total
    }

    /// The values found recently.
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
