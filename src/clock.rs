//! The current time, and the time zone in which work days begin.
//!
//! Time is a parameter everywhere else. The clock runs on tokio's timer, so that a test which pauses
//! tokio's time also pauses this clock.
//!
//! # Guarantees
//! - [`Clock::now`] never goes backwards, even if the system clock is set back. If that is set forward, it follows
//!   immediately; if it is set back, it converges slowly, an hour in ten.
//! - [`Clock::elapsed`] and [`Clock::steady`] do not depend on the system clock at all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use tracing::warn;

/// The smallest change of the system clock that is reported. Smaller ones are normal corrections.
const TOLD: SignedDuration = SignedDuration::from_mins(1);
/// How much slower time advances here while it is ahead of the system clock: one part in this many.
const SLOWER: i32 = 10;

/// The current time and the time zone of work days. Cheap to clone; clones share one clock.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
    zone: TimeZone,
    /// The system time when this was created.
    began: Timestamp,
    course: Arc<Mutex<Course>>,
}

#[derive(Debug, Clone)]
enum Source {
    /// The system clock, and the monotonic one.
    System(std::time::Instant),
    /// `epoch` plus what tokio's timer has counted since `started`.
    Timer { epoch: Timestamp, started: tokio::time::Instant },
}

/// A change of the system clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When it was noticed, according to the clock at that moment.
    pub at: Timestamp,
    /// By how much; negative if the clock was set back.
    pub by: SignedDuration,
}

/// The history of the system clock.
#[derive(Debug, Default)]
struct Course {
    /// Its last value, and the monotonic time then.
    last: Option<(Timestamp, Duration)>,
    /// How far this clock is ahead of it.
    ahead: SignedDuration,
    /// Its last change that is reported.
    step: Option<Step>,
    /// How far times stored before the start were in the future.
    kept_ahead: Option<SignedDuration>,
    /// Changes made by a test.
    set: SignedDuration,
}

impl Course {
    /// The time of this clock, given the system time `wall` and the monotonic time `counted` since the start. Also
    /// returns the change since the last call, if it has to be reported.
    fn at(&mut self, wall: Timestamp, counted: Duration) -> (Timestamp, Option<Step>) {
        let Some((before, then)) = self.last.replace((wall, counted)) else { return (wall, None) };
        let passed = SignedDuration::try_from(counted.saturating_sub(then)).unwrap_or(SignedDuration::MAX);
        let by = wall.duration_since(before).saturating_sub(passed);
        let ahead = self.ahead.saturating_sub(passed / SLOWER).max(SignedDuration::ZERO);
        self.ahead = ahead.saturating_sub(by).max(SignedDuration::ZERO);
        let step = (by.unsigned_abs() >= TOLD.unsigned_abs()).then_some(Step { at: wall, by });
        self.step = step.or(self.step);
        (wall.checked_add(self.ahead).unwrap_or(Timestamp::MAX), step)
    }
}

impl Clock {
    /// The system clock, with work days beginning in `zone`.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    pub fn system(zone: TimeZone) -> Self {
        Self::of(Source::System(std::time::Instant::now()), Timestamp::now(), zone)
    }

    /// A clock that starts at `epoch` and moves with tokio's timer, paused or not.
    pub fn starting_at(epoch: Timestamp, zone: TimeZone) -> Self {
        Self::of(Source::Timer { epoch, started: tokio::time::Instant::now() }, epoch, zone)
    }

    fn of(source: Source, began: Timestamp, zone: TimeZone) -> Self {
        Self { source, zone, began, course: Arc::default() }
    }

    /// The current instant. It never goes backwards.
    pub fn now(&self) -> Timestamp {
        let (wall, counted) = (self.wall(), self.elapsed());
        let (now, step) = self.course().at(wall, counted);
        if let Some(Step { by, .. }) = step {
            let (seconds, way) = (by.abs().as_secs(), if by.is_negative() { "back" } else { "forward" });
            warn!("The system clock was set {way} by {seconds} s. Timeouts and leases are not affected.");
        }
        now
    }

    /// The system time. It may go backwards.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    pub fn wall(&self) -> Timestamp {
        let wall = match self.source {
            Source::System(_) => Timestamp::now(),
            Source::Timer { epoch, started } => {
                epoch.checked_add(started.elapsed()).unwrap_or(Timestamp::MAX)
            }
        };
        let set = self.course().set;
        wall.checked_add(set).unwrap_or(wall)
    }

    /// How long ago this clock was created, independent of the system clock.
    pub fn elapsed(&self) -> Duration {
        match self.source {
            Source::System(started) => started.elapsed(),
            Source::Timer { started, .. } => started.elapsed(),
        }
    }

    /// The same as an instant, without jumps.
    pub fn steady(&self) -> Timestamp {
        self.began.checked_add(self.elapsed()).unwrap_or(Timestamp::MAX)
    }

    /// The last change of the system clock by a minute or more since the start.
    pub fn last_step(&self) -> Option<Step> {
        self.course().step
    }

    /// Records that times stored before the start are this far in the future: the clock was set back since.
    pub fn note_kept_ahead(&self, by: SignedDuration) {
        self.course().kept_ahead = Some(by);
    }

    /// How far times stored before the start were in the future, if they were.
    pub fn kept_ahead(&self) -> Option<SignedDuration> {
        self.course().kept_ahead
    }

    /// Sets the system clock forward, or back.
    #[cfg(test)]
    pub(crate) fn set(&self, by: SignedDuration) {
        self.now();
        let mut course = self.course();
        course.set = course.set.saturating_add(by);
    }

    fn course(&self) -> std::sync::MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current instant plus `wait`.
    pub fn after(&self, wait: Duration) -> Timestamp {
        self.now().checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Today's date in the work day's zone.
    pub fn today(&self) -> Date {
        self.wall().to_zoned(self.zone.clone()).date()
    }

    /// The time zone in which work days begin (`TZ`).
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Waits until `instant`, or not at all if it has passed.
    pub async fn sleep_until(&self, instant: Timestamp) {
        let wait = Duration::try_from(instant.duration_since(self.now())).unwrap_or(Duration::ZERO);
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_clock_that_is_set_back_is_caught_up_with_little_by_little() {
        let mut course = Course::default();
        let mut now = |wall, counted| {
            let (now, step) = course.at(at(wall), Duration::from_secs(counted));
            (now.as_second(), step.map(|step| step.by.as_secs()))
        };
        assert_eq!(now(100_000, 0), (100_000, None));
        assert_eq!(now(100_010, 10), (100_010, None));
        // Two hours back.
        assert_eq!(now(92_820, 20), (100_020, Some(-7_200)));
        assert_eq!(now(92_920, 120), (100_110, None), "90 s in 100");
        assert_eq!(now(164_920, 72_120), (164_920, None), "after twenty hours all is as it is said to be");
        // An hour forward, and a second.
        assert_eq!(now(168_530, 72_130), (168_530, Some(3_600)));
        assert_eq!(now(168_541, 72_140), (168_541, None));
        // Back by mistake, and right again.
        assert_eq!(now(164_941, 72_140), (168_541, Some(-3_600)));
        assert_eq!(now(168_541, 72_140), (168_541, Some(3_600)));
    }

    proptest! {
        #[test]
        fn time_never_goes_back_and_is_never_behind(
            steps in prop::collection::vec((0..4_000u64, -9_000..9_000i64), 1..60),
        ) {
            let (mut course, mut wall, mut counted) = (Course::default(), 1_000_000, 0);
            let mut last = Timestamp::MIN;
            for (passed, by) in steps {
                counted += passed;
                wall += passed.cast_signed() + by;
                let (now, _) = course.at(at(wall), Duration::from_secs(counted));
                prop_assert!(now >= last && now >= at(wall));
                last = now;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_only_counts_takes_no_steps() {
        let clock = Clock::starting_at(at(1_000_000), TimeZone::UTC);
        tokio::time::advance(Duration::from_secs(10)).await;
        clock.set(SignedDuration::from_hours(-2));
        assert_eq!((clock.wall(), clock.now()), (at(992_810), at(1_000_010)));
        assert_eq!((clock.elapsed(), clock.steady()), (Duration::from_secs(10), at(1_000_010)));
        assert_eq!(clock.today(), at(992_810).to_zoned(TimeZone::UTC).date());
        assert_eq!(clock.last_step(), Some(Step { at: at(992_810), by: SignedDuration::from_hours(-2) }));
        clock.set(SignedDuration::from_hours(5));
        assert_eq!((clock.now(), clock.steady()), (at(1_010_810), at(1_000_010)));
    }
}
