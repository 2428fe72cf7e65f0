//! Times as Kimai reads and writes them.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::{Offset, TimeZone},
};

/// Reads a form's `begin` or `end`: `YYYY-MM-DDTHH:MM[:SS[.fff]]`, a space for the `T`, and `Z`,
/// `+01:00` or `+0100` after it. Without a zone it is wall clock in `zone`.
pub(super) fn read_form(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let date = Date::strptime("%Y-%m-%d", text.get(..10)?).ok()?;
    let clock = text.get(10..)?.strip_prefix(['T', ' '])?;
    let (clock, zone) = match clock.find(['Z', '+', '-']) {
        Some(at) => (clock.get(..at)?, TimeZone::fixed(read_offset(clock.get(at..)?)?)),
        None => (clock, zone.clone()),
    };
    let clock = clock.split_once('.').map_or(clock, |(clock, _)| clock);
    let format = if clock.len() == 5 { "%H:%M" } else { "%H:%M:%S" };
    instant(DateTime::from_parts(date, Time::strptime(format, clock).ok()?), &zone)
}

/// Reads the query's `begin`, `end` and `modified_after`: `YYYY-MM-DDTHH:MM:SS` and nothing else.
pub(super) fn read_query(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if text.len() != 19 || text.get(10..11) != Some("T") {
        return None;
    }
    read_form(text, zone)
}

/// Reads a date field, which Kimai wants as `YYYY-MM-DDT00:00:00`.
pub(super) fn read_date(text: &str) -> Option<Date> {
    DateTime::strptime("%Y-%m-%dT%H:%M:%S", text).ok().map(DateTime::date)
}

/// Writes `2024-01-04T00:00:00+0100`: the offset has no colon.
pub(super) fn write(instant: Timestamp, zone: &TimeZone) -> String {
    instant.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%z").to_string()
}

/// The day `instant` falls on in `zone`.
pub(super) fn day(instant: Timestamp, zone: &TimeZone) -> Date {
    instant.to_zoned(zone.clone()).date()
}

/// The zone of that name, UTC if there is none.
pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// `128:00` for 460800 seconds.
pub(super) fn hours_minutes(seconds: i64) -> String {
    format!("{}:{:02}", seconds / 3600, seconds % 3600 / 60)
}

/// Reads `0:15`, or a bare number of hours, into seconds.
pub(super) fn read_duration(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':').unwrap_or((text, "0"));
    // 32 bits are more than four thousand years of minutes, and cannot overflow below.
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    Some(i64::from(hours) * 3600 + i64::from(minutes) * 60)
}

/// The instant of that second since 1970.
pub(super) fn at_second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// A time that the clocks skip moves forward, one that they show twice is the first: as PHP does.
fn instant(wall_clock: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(wall_clock).compatible().ok()
}

fn read_offset(text: &str) -> Option<Offset> {
    if text == "Z" {
        return Some(Offset::UTC);
    }
    let digits = text.get(1..)?.replace(':', "");
    let (hours, minutes) = (digits.get(..2)?.parse::<i32>().ok()?, digits.get(2..)?.parse::<i32>().ok()?);
    let seconds = hours * 3600 + minutes * 60;
    Offset::from_seconds(if text.starts_with('-') { -seconds } else { seconds }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_going_back_and_forward() {
        let brussels = zone("Europe/Brussels");
        let read = |text| read_form(text, &brussels).unwrap().to_string();
        assert_eq!(read("2026-10-25T02:30:00"), "2026-10-25T00:30:00Z");
        assert_eq!(read("2026-03-29T02:30:00"), "2026-03-29T01:30:00Z");
        assert_eq!(read("2026-07-01T00:00"), "2026-06-30T22:00:00Z");
    }
}
