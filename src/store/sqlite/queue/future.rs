//! Stored times that lie in the future: the system clock was set back while the service was down.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

/// Past events cannot lie farther ahead than this unless the clock was set back. Small corrections are normal.
const LEAST: SignedDuration = SignedDuration::from_secs(2);
/// The longest that an entry waits automatically, and a margin: Kimai may request a pause of an hour.
const LONGEST_WAIT: Duration = Duration::from_mins(90);

/// How far ahead of `now` the latest past event lies, if it does.
pub(super) fn ahead(connection: &Connection, now: Timestamp) -> rusqlite::Result<Option<SignedDuration>> {
    let latest: Option<i64> = connection.query_row(
        "SELECT max(at) FROM (
             SELECT (SELECT at FROM attempt ORDER BY id DESC LIMIT 1) AS at
             UNION ALL SELECT max(since) FROM entry
             UNION ALL SELECT max(started_at) FROM intent
             UNION ALL SELECT max(at) FROM seen)",
        [],
        |row| row.get(0),
    )?;
    let latest = latest.and_then(|latest| Timestamp::from_millisecond(latest).ok());
    Ok(latest.map(|latest| latest.duration_since(now)).filter(|ahead| *ahead >= LEAST))
}

/// When what was `due` is due by the current clock, which is `ahead` behind that of the file.
pub(super) fn due(due: Timestamp, ahead: Option<SignedDuration>, now: Timestamp) -> Timestamp {
    let due =
        due.checked_sub(ahead.unwrap_or_default().max(SignedDuration::ZERO)).unwrap_or(due).max(now.min(due));
    let longest = now.checked_add(LONGEST_WAIT).unwrap_or(Timestamp::MAX);
    if due > longest { now } else { due }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_wait_for_the_time_that_was_set_back_is_due_as_it_was() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (now, hours) = (at(100_000), |hours| Some(SignedDuration::from_hours(hours)));
        let table = [
            (at(99_000), None, at(99_000), "it was due"),
            (at(100_300), None, at(100_300), "in five minutes"),
            (at(103_600), None, at(103_600), "Kimai asked for an hour"),
            (at(107_500), None, now, "nothing waits for two hours"),
            (at(107_500), hours(2), at(100_300), "two hours set back, due in five minutes"),
            (at(103_600), hours(2), now, "due by the clock as it was"),
            (at(99_000), hours(2), at(99_000), "it was due, and is"),
            (Timestamp::MAX, None, now, "the end of all days"),
        ];
        for (kept, ahead, wanted, why) in table {
            assert_eq!(due(kept, ahead, now), wanted, "{why}");
        }
    }
}
