//! Limits attempts with wrong tokens: a few at once, then one a second for all clients together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const PACE: Duration = Duration::from_secs(1);
/// The burst size.
const BURST: Duration = Duration::from_secs(10);

/// The budget of wrong tokens.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// When the whole budget is available again.
    whole: Mutex<Option<Instant>>,
}

impl Throttle {
    /// Counts a wrong token. If there have been too many, returns how long to wait for the next one.
    pub(super) fn take(&self, now: Instant) -> Option<Duration> {
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let then = whole.map_or(now, |whole| whole.max(now)) + PACE;
        let over = then.duration_since(now).saturating_sub(BURST);
        if over.is_zero() {
            *whole = Some(then);
            None
        } else {
            Some(over)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_then_one_a_second() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let taken = |now| std::iter::from_fn(|| throttle.take(now).is_none().then_some(())).take(100).count();
        assert_eq!(taken(start), 10);
        assert_eq!(throttle.take(start), Some(PACE));
        assert_eq!(throttle.take(start + PACE / 2), Some(PACE / 2));
        assert_eq!(taken(start + PACE), 1);
        assert_eq!(taken(start + 4 * PACE), 3);
        assert_eq!(taken(start + 1000 * PACE), 10, "what was not used is not saved up");
    }
}
