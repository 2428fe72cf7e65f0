//! When the last delta named a work log: shows whether deltas arrive at all. Stored in the file.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// Deltas arrive by the hundred, so the time is stored at most once per this many milliseconds.
const EVERY: i64 = 60_000;

/// Records a delta at `now`.
pub(super) fn note(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO seen (what, at) VALUES ('delta', ?1)
             ON CONFLICT (what) DO UPDATE SET at = excluded.at WHERE excluded.at NOT BETWEEN at AND at + ?2",
        )?
        .execute(params![now.as_millisecond(), EVERY])
        .map(drop)
}

/// When the last delta arrived that named a work log, to the minute; none since the file was created.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let at = connection
        .prepare_cached("SELECT at FROM seen WHERE what = 'delta'")?
        .query_row([], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(at.and_then(|millisecond| Timestamp::from_millisecond(millisecond).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::Storage;

    #[tokio::test]
    async fn the_last_delta_is_known_to_the_minute_and_after_a_clock_was_put_back() {
        let storage = Storage::in_memory().unwrap();
        assert_eq!(storage.write(read).await, Ok(None));
        let first: Timestamp = "2024-09-02T12:00:00Z".parse().unwrap();
        for (seconds, known) in [(0, 0), (59, 0), (61, 61), (-3600, -3600)] {
            let now = first + jiff::SignedDuration::from_secs(seconds);
            storage.write(move |connection| note(connection, now)).await.unwrap();
            let known = first + jiff::SignedDuration::from_secs(known);
            assert_eq!(storage.write(read).await, Ok(Some(known)), "after {seconds} s");
        }
    }
}
