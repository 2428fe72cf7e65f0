//! When creations began, by a monotonic clock: the age of one must not depend on changes of the system clock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::domain::WorkLogUri;
use crate::failpoint::mutants::{Mutant, mutated};

/// The creations that were begun by this process.
#[derive(Debug, Default)]
pub(super) struct Begun(Mutex<HashMap<WorkLogUri, Duration>>);

impl Begun {
    /// One begins for `work_log` when `elapsed` has passed since the clock was made.
    pub(super) fn note(&self, work_log: &WorkLogUri, elapsed: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(work_log.clone(), elapsed);
    }

    /// The outcome of the one for `work_log` is known.
    pub(super) fn forget(&self, work_log: &WorkLogUri) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(work_log);
    }

    /// The age of the creation for `work_log` that began at `started_at`. One from before the start is as old as the
    /// clock says; one from the future counts as new.
    pub(super) fn age(&self, work_log: &WorkLogUri, started_at: Timestamp, clock: &Clock) -> Duration {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(work_log).copied();
        match begun {
            Some(_) if mutated(Mutant::ClockTellsAge) => {
                Duration::try_from(clock.wall().duration_since(started_at)).unwrap_or_default()
            }
            Some(begun) => clock.elapsed().saturating_sub(begun),
            None => {
                let age = Duration::try_from(clock.now().duration_since(started_at)).unwrap_or_default();
                age.max(clock.elapsed())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::tz::TimeZone;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_creation_is_as_old_as_it_is_however_the_clock_is_set() {
        let start = "2024-09-02T12:00:00Z".parse::<Timestamp>().unwrap();
        let clock = Clock::starting_at(start, TimeZone::UTC);
        let (begun, work_log) = (Begun::default(), WorkLogUri::parse("http://x/work-logs/1").unwrap());
        let age = |started_at| begun.age(&work_log, started_at, &clock).as_secs();
        let before = start - SignedDuration::from_secs(40);
        assert_eq!((age(before), age(start + SignedDuration::from_hours(2))), (40, 0));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!((age(before), age(start + SignedDuration::from_hours(2))), (70, 30));

        let now = clock.now();
        begun.note(&work_log, clock.elapsed());
        for hours in [-2, 5, -1] {
            clock.set(SignedDuration::from_hours(hours));
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        assert_eq!(age(now), 30);
        begun.forget(&work_log);
        assert_eq!(age(before), 40 + 60 + 3 * 3_600, "the file knows no better");
    }
}
