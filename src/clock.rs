//! What time it is, and the zone in which a work day begins.
//!
//! Time is a parameter everywhere else. The clock runs on tokio's timer, so that a test which pauses
//! tokio's time also pauses this clock.

use std::time::Duration;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Gives the present instant and the work day's time zone. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
    zone: TimeZone,
}

#[derive(Debug, Clone)]
enum Source {
    /// The machine's clock.
    System,
    /// `epoch` plus what tokio's timer has counted since `started`.
    Timer { epoch: Timestamp, started: tokio::time::Instant },
}

impl Clock {
    /// The machine's clock, with work days beginning in `zone`.
    pub fn system(zone: TimeZone) -> Self {
        Self { source: Source::System, zone }
    }

    /// A clock that starts at `epoch` and moves with tokio's timer, paused or not.
    pub fn starting_at(epoch: Timestamp, zone: TimeZone) -> Self {
        Self { source: Source::Timer { epoch, started: tokio::time::Instant::now() }, zone }
    }

    /// The present instant.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    pub fn now(&self) -> Timestamp {
        match self.source {
            Source::System => Timestamp::now(),
            Source::Timer { epoch, started } => {
                epoch.checked_add(started.elapsed()).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// The present instant plus `wait`.
    pub fn after(&self, wait: Duration) -> Timestamp {
        self.now().checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Today's date in the work day's zone.
    pub fn today(&self) -> Date {
        self.now().to_zoned(self.zone.clone()).date()
    }

    /// The zone in which a work day begins (`TZ`).
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Waits until `instant`, or not at all if it has passed.
    pub async fn sleep_until(&self, instant: Timestamp) {
        let wait = Duration::try_from(instant.duration_since(self.now())).unwrap_or(Duration::ZERO);
        tokio::time::sleep(wait).await;
    }
}
