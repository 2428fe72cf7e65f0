//! The Kimai timesheet that a work log should have.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use serde::{Deserialize, Serialize};

use super::ids::{ActivityId, ProjectId, UserId};
use super::note::Note;
use super::work_log::{Directory, Facts, Obstacle, WorkLog, resolve};

/// The fields of a Kimai timesheet that we write. Begin and end are instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DesiredEntry {
    /// Midnight of the work log's day in our zone (the first instant of that day).
    pub begin: Timestamp,
    /// `begin` plus the duration; a day of duration is a calendar day in our zone.
    pub end: Timestamp,
    /// The Kimai project.
    pub project: ProjectId,
    /// The Kimai activity.
    pub activity: ActivityId,
    /// Whose hours they are.
    pub user: UserId,
    /// Its description, if we write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// By how much a timesheet is moved for a moment, so that Kimai works out its day and hours anew: the least that no
/// rounding to the minute takes back.
const NUDGE: SignedDuration = SignedDuration::from_mins(1);

impl DesiredEntry {
    /// Seconds of work.
    pub fn seconds(&self) -> i64 {
        self.end.as_second() - self.begin.as_second()
    }

    /// The day of the work log, with days in `zone`.
    pub fn day(&self, zone: &TimeZone) -> Date {
        self.begin.to_zoned(zone.clone()).date()
    }

    /// The same a minute later, where it can be so: Kimai does not work anything out anew while nothing changes.
    /// Later and not earlier, so that it stays within its day.
    #[must_use]
    pub fn nudged(&self) -> Self {
        let later = |instant: Timestamp| instant.checked_add(NUDGE).unwrap_or(instant);
        Self { begin: later(self.begin), end: later(self.end), ..*self }
    }

    /// The timesheet for these facts, or every obstacle.
    pub fn resolve(facts: &Facts, directory: &Directory, zone: &TimeZone) -> Result<Self, Vec<Obstacle>> {
        resolve(facts, directory).and_then(|found| Self::of(&found, zone).map_err(|obstacle| vec![obstacle]))
    }

    /// The timesheet of `work_log` when days begin in `zone`. Fails only for dates and durations that
    /// leave the calendar (beyond the year 9999).
    pub fn of(work_log: &WorkLog, zone: &TimeZone) -> Result<Self, Obstacle> {
        let too_long = || Obstacle::BadDuration(work_log.duration.to_string(), "it ends beyond the calendar");
        let midnight = work_log.day.to_zoned(zone.clone()).map_err(|_| too_long())?;
        let begin = midnight.start_of_day().map_err(|_| too_long())?;
        let end = begin.checked_add(work_log.duration).map_err(|_| too_long())?;
        Ok(Self {
            begin: begin.timestamp(),
            end: end.timestamp(),
            project: work_log.project,
            activity: work_log.activity,
            user: work_log.user,
            note: work_log.note,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::work_log::{parse_day, parse_duration};

    /// The cases were measured on the service this one replaces, but for New York, where it booked
    /// the day before.
    #[test]
    fn begin_is_midnight_of_the_work_logs_own_day_in_every_zone() {
        let table = [
            ("UTC", "2024-09-02", "PT8H", "2024-09-02T00:00:00Z", "2024-09-02T08:00:00Z"),
            ("Europe/Brussels", "2024-10-27", "PT8H", "2024-10-26T22:00:00Z", "2024-10-27T06:00:00Z"),
            ("Europe/Brussels", "2024-10-27", "PT2H30M", "2024-10-26T22:00:00Z", "2024-10-27T00:30:00Z"),
            ("Europe/Brussels", "2024-10-27", "P1D", "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"),
            ("Europe/Brussels", "2025-03-30", "PT2H30M", "2025-03-29T23:00:00Z", "2025-03-30T01:30:00Z"),
            ("Europe/Brussels", "2025-03-30", "P1D", "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z"),
            ("America/New_York", "2024-09-02", "PT1H", "2024-09-02T04:00:00Z", "2024-09-02T05:00:00Z"),
            ("Asia/Tokyo", "2024-09-02", "PT0S", "2024-09-01T15:00:00Z", "2024-09-01T15:00:00Z"),
            // The clocks there went from 00:00 to 01:00: the day begins at one o'clock.
            ("America/Sao_Paulo", "2018-11-04", "PT1H", "2018-11-04T03:00:00Z", "2018-11-04T04:00:00Z"),
        ];
        for (zone, day, duration, begin, end) in table {
            let work_log = WorkLog {
                day: parse_day(day).unwrap(),
                duration: parse_duration(duration).unwrap(),
                project: ProjectId::number(1),
                activity: ActivityId::number(2),
                user: UserId::number(3),
                note: None,
                doubled: Vec::new(),
            };
            let wanted = DesiredEntry::of(&work_log, &TimeZone::get(zone).unwrap()).unwrap();
            let expected = (begin.parse().unwrap(), end.parse().unwrap());
            assert_eq!((wanted.begin, wanted.end), expected, "{duration} on {day} in {zone}");
        }
    }
}
