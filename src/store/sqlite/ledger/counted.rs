//! The hours that Kimai counts, and the day it books them on, as far as its answers show. Read by the sweep, the doctor
//! and the metrics.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{Ledger, LedgerFault, id_of, work_log_of};
use crate::domain::diff::ObservedEntry;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, WorkLogUri};

/// Timesheets by which the doctor judges how Kimai rounds: the latest ones.
const SAMPLE: i64 = 200;

/// What Kimai answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What it holds.
    pub found: ObservedEntry,
    /// Offset in days between the day that Kimai books this on and its own, if the answer shows it.
    pub shift: Option<i32>,
}

impl Held {
    /// How much more Kimai counts than `wanted`, in seconds.
    pub(super) fn rounded(&self, wanted: &DesiredEntry) -> Option<i64> {
        Some(i64::from(self.found.duration) - wanted.seconds()).filter(|more| *more != 0)
    }
}

impl From<ObservedEntry> for Held {
    fn from(found: ObservedEntry) -> Self {
        Self { found, shift: None }
    }
}

impl From<DesiredEntry> for Held {
    fn from(wanted: DesiredEntry) -> Self {
        ObservedEntry::from(wanted).into()
    }
}

/// What Kimai counts and books, of all timesheets that are remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many of them it rounded.
    pub rounded: u64,
    /// The sum of the rounding, in seconds.
    pub seconds: i64,
    /// How many it books on another day than their own.
    pub off_day: u64,
}

impl Ledger {
    /// The number of open intents, and when the oldest of them began.
    pub async fn open_intents(&self) -> Result<(usize, Option<Timestamp>), LedgerFault> {
        let count = |connection: &Connection| {
            let told = "SELECT count(*), min(started_at) FROM intent";
            connection.query_row(told, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)))
        };
        let (count, oldest) = self.storage.write(count).await?;
        let oldest = oldest.and_then(|began| Timestamp::from_millisecond(began).ok());
        Ok((usize::try_from(count).unwrap_or_default(), oldest))
    }

    /// What Kimai holds in the timesheet of `work_log` is about to change, and in whose zone is not known if the answer
    /// is lost.
    pub async fn forget_held(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.execute("UPDATE timesheet SET held = NULL WHERE work_log = ?1", work_log).await
    }

    /// What Kimai counts and books.
    pub async fn counted(&self) -> Result<Counted, LedgerFault> {
        let read = |connection: &Connection| {
            let rounded = "SELECT count(*), coalesce(sum(rounded), 0) FROM timesheet WHERE rounded <> 0";
            let (rounded, seconds) = connection
                .prepare_cached(rounded)?
                .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
            let off_day: i64 = connection
                .prepare_cached("SELECT count(*) FROM timesheet WHERE shift <> 0")?
                .query_row([], |row| row.get(0))?;
            Ok(Counted { rounded: rounded.cast_unsigned(), seconds, off_day: off_day.cast_unsigned() })
        };
        Ok(self.storage.write(read).await?)
    }

    /// The work logs whose timesheet Kimai books on another day, with the offset in days.
    pub async fn off_days(&self) -> Result<BTreeMap<WorkLogUri, (EntryId, i32)>, LedgerFault> {
        let read = |connection: &Connection| {
            connection
                .prepare_cached("SELECT work_log, id, shift FROM timesheet WHERE shift <> 0")?
                .query_map([], |row| Ok((work_log_of(row, 0)?, (id_of(row, 1)?, row.get(2)?))))?
                .filter_map(|row| row.map(|(work_log, of)| Some((work_log?, of))).transpose())
                .collect()
        };
        Ok(self.storage.write(read).await?)
    }

    /// The number of timesheets whose booked day is unknown.
    pub async fn unknown_days(&self) -> Result<u64, LedgerFault> {
        let read = |connection: &Connection| {
            let count = "SELECT count(*) FROM timesheet WHERE shift IS NULL";
            connection.query_row(count, [], |row| row.get::<_, i64>(0))
        };
        Ok(self.storage.write(read).await?.cast_unsigned())
    }

    /// The latest timesheets that Kimai rounded: what was sent, and what it made of it.
    pub async fn rounded_sample(&self) -> Result<Vec<(DesiredEntry, ObservedEntry)>, LedgerFault> {
        let read = |connection: &Connection| {
            let rows = connection
                .prepare_cached(
                    "SELECT pushed, held FROM timesheet WHERE rounded <> 0 AND pushed IS NOT NULL
                     ORDER BY id DESC LIMIT ?1",
                )?
                .query_map([SAMPLE], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let pair = |(pushed, held): (String, String)| {
                Some((serde_json::from_str(&pushed).ok()?, serde_json::from_str(&held).ok()?))
            };
            Ok(rows.into_iter().filter_map(pair).collect())
        };
        Ok(self.storage.write(read).await?)
    }
}
