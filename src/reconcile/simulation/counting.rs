//! How the fake Kimai counts hours and books days, implemented independently of the code under test.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::fake_tracker::FakeTimesheet;
use crate::domain::ids::UserId;
use crate::domain::timesheet::DesiredEntry;

/// The user of the token.
pub(super) const SERVICE: UserId = UserId::number(9);
/// The one whose own zone makes the day before of a work day's midnight.
const AWAY: UserId = UserId::number(3);

/// Its settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counting {
    /// Seconds to which the end is raised; 0 leaves it.
    pub(super) end: i64,
    /// Seconds to the nearest of which the duration is brought; 0 leaves it.
    pub(super) duration: i64,
    /// Whether breaks were turned off since somebody entered them.
    pub(super) breaks_off: bool,
    /// Whether the token's user is in a zone that makes the day before of a work day's midnight.
    pub(super) token_away: bool,
}

impl Counting {
    /// The end and the seconds that are counted.
    pub(super) fn of(&self, begin: Timestamp, end: Timestamp, pause: i32) -> (Timestamp, i32) {
        let beyond = |seconds: i64, step: i64| if step == 0 { 0 } else { seconds.rem_euclid(step) };
        let over = beyond(end.as_second(), self.end);
        let end = if over == 0 { end } else { end + SignedDuration::from_secs(self.end - over) };
        let between = end.as_second() - begin.as_second() - i64::from(pause);
        let over = beyond(between, self.duration);
        let counted = between - over + if over * 2 > self.duration { self.duration } else { 0 };
        (end, i32::try_from(counted).expect("it is less than a day"))
    }

    /// Why a work log that says this has to be parked although Kimai took it: part of the reason.
    pub(super) fn amiss(&self, timesheet: &FakeTimesheet, wanted: &DesiredEntry) -> Option<&'static str> {
        match () {
            () if timesheet.row.pause != 0 && self.breaks_off => Some("has a break"),
            () if self.of(wanted.begin, wanted.end, 0).1 == 0 => Some("leaves nothing"),
            () => None,
        }
    }
}

/// Whether this user is in a zone of another day.
pub(super) fn is_away(user: UserId) -> bool {
    user == AWAY
}

/// The day on which `begin` falls for somebody who is `away`.
pub(super) fn day(begin: Timestamp, away: bool) -> Date {
    let zone = if away { TimeZone::UTC } else { TimeZone::fixed(Offset::constant(2)) };
    begin.to_zoned(zone).date()
}
