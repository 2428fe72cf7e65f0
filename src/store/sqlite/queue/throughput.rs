//! Statistics of the last two days in slots of ten minutes, for the chart on the page. Stored in the file, so that they
//! survive a restart.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::queue::Outcome;
use crate::store::Slot;
use crate::store::queue::SLOT;

/// How many slots are kept: two days.
const SLOTS_KEPT: i64 = 2 * 24 * 6;

/// Counts a run that ended at `now` for a change requested at `asked`.
pub(super) fn add(
    connection: &Connection,
    now: Timestamp,
    outcome: &Outcome,
    asked: Timestamp,
) -> rusqlite::Result<()> {
    let synced = matches!(outcome, Outcome::Done { .. });
    let latency = if synced { now.duration_since(asked).as_secs_f64().max(0.0) } else { 0.0 };
    let slot = slot(now);
    connection
        .prepare_cached(
            "INSERT INTO pulse (slot, synced, failed, seconds, slowest) VALUES (?1, ?2, ?3, ?4, ?4)
             ON CONFLICT (slot) DO UPDATE SET synced = synced + excluded.synced, failed = failed + excluded.failed,
                 seconds = seconds + excluded.seconds, slowest = max(slowest, excluded.slowest)",
        )?
        .execute(params![slot, synced, !synced, latency])?;
    connection.prepare_cached("DELETE FROM pulse WHERE slot <= ?1")?.execute([slot - SLOTS_KEPT])?;
    Ok(())
}

/// The slots from the one that contains `since`.
pub(super) fn read(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<Slot>> {
    connection
        .prepare_cached(
            "SELECT slot, synced, failed, seconds, slowest FROM pulse WHERE slot >= ?1 ORDER BY slot",
        )?
        .query_map([slot(since)], |row| {
            let count =
                |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or_default());
            let second = row.get::<_, i64>(0)?.saturating_mul(SLOT.as_secs().cast_signed());
            Ok(Slot {
                from: Timestamp::from_second(second).unwrap_or(Timestamp::MIN),
                synced: count(1)?,
                failed: count(2)?,
                seconds: row.get(3)?,
                slowest: row.get(4)?,
            })
        })?
        .collect()
}

fn slot(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SLOT.as_secs().cast_signed())
}
