//! Checks timesheets before they are changed or deleted: an exported one may be on an invoice.
//!
//! # Guarantees
//! No timesheet is changed or deleted without a check, or if the check showed it as exported, unless somebody requested
//! that or `SYNC_EXPORTED` is `overwrite`.
//!
//! # Caveats
//! Kimai has no conditional writes. A timesheet that is exported between the check and a change is reverted as soon as
//! the response shows it. A deletion has no such response, so its check is the last request before it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::admission::Admission;
use super::batcher::{Batcher, LONGEST_WAIT, Statement};
use super::retry::Failure;
use crate::domain::EntryId;
use crate::domain::exported::{Group, Look, groups};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::trackers::{EntryFilter, TimeEntry, Tracker};
use crate::trackers::{Fault, TrackerFault};
use crate::work_logs::SourceFault;

/// How many checks of a burst are sent individually.
const FIRST_LOOKS: f64 = 10.0;
/// How long a check waits for others although Kimai may soon be idle.
const SHORT_WAIT: Duration = Duration::from_millis(100);
/// The largest UTC offset of any zone: Kimai reads bounds in the zone of the token's user.
const FARTHEST_ZONE: SignedDuration = SignedDuration::from_hours(14);

/// The result of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deletion {
    /// Kimai deleted it.
    Deleted,
    /// It did not exist any more.
    Gone,
    /// It is exported, and was left alone.
    Exported(TimeEntry),
}

/// Deletes the timesheet `id`; with `keep`, only if it is not exported. The check comes right before, since no response
/// shows what was deleted.
pub(super) async fn delete(kimai: &dyn Tracker, id: EntryId, keep: bool) -> Result<Deletion, TrackerFault> {
    if keep && !mutated(Mutant::ExportedIsOverwritten) {
        match kimai.timesheet(id).await? {
            None => return Ok(Deletion::Gone),
            Some(timesheet) if timesheet.exported => return Ok(Deletion::Exported(timesheet)),
            Some(_) => {}
        }
    }
    match kimai.delete(id).await {
        Ok(()) => Ok(Deletion::Deleted),
        Err(fault) if fault.fault == Fault::Gone => Ok(Deletion::Gone),
        Err(fault) => Err(fault),
    }
}

/// The batched checks of all runs.
pub(super) struct Looks {
    kimai: Arc<dyn Tracker>,
    lists: Batcher<Lists>,
}

struct Lists {
    kimai: Arc<dyn Tracker>,
    admission: Arc<Admission>,
}

impl Looks {
    pub(super) fn new(kimai: &Arc<dyn Tracker>, admission: &Arc<Admission>) -> Self {
        let lists = Lists { kimai: Arc::clone(kimai), admission: Arc::clone(admission) };
        Self { kimai: Arc::clone(kimai), lists: Batcher::new(lists) }
    }

    /// The timesheet in Kimai, or nothing if it is gone. Those of many runs are requested as one list.
    pub(super) async fn at(&self, look: Look) -> Result<Option<TimeEntry>, Failure> {
        match self.lists.ask(look).await? {
            Some(listed) => Ok(Some(listed)),
            None => self.now(look.id).await,
        }
    }

    /// The same, individually and immediately.
    pub(super) async fn now(&self, id: EntryId) -> Result<Option<TimeEntry>, Failure> {
        Ok(self.kimai.timesheet(id).await?)
    }
}

#[async_trait]
impl Statement for Lists {
    type Question = Look;
    /// Nothing if no list has it: the caller then requests it by ID.
    type Answer = Option<TimeEntry>;

    async fn run(&self, looks: &[Look]) -> Result<Vec<Option<TimeEntry>>, SourceFault> {
        let mut seen: BTreeMap<EntryId, TimeEntry> = BTreeMap::new();
        for group in groups(looks) {
            match self.kimai.some_timesheets(&filter(&group), group.rows()).await {
                Ok(rows) => seen.extend(rows.into_iter().map(|row| (row.id, row))),
                Err(fault) => debug!("{} timesheets are looked at one by one: {fault}", group.count),
            }
        }
        Ok(looks.iter().map(|look| seen.get(&look.id).cloned()).collect())
    }

    fn budget(&self) -> f64 {
        FIRST_LOOKS
    }

    fn patience(&self) -> Duration {
        if self.admission.is_thin() { SHORT_WAIT } else { LONGEST_WAIT }
    }

    fn is_alone(&self) -> bool {
        self.admission.is_alone()
    }
}

fn filter(group: &Group) -> EntryFilter {
    let wall = |instant: Timestamp, by: SignedDuration| {
        TimeZone::UTC.to_datetime(instant.checked_add(by).unwrap_or(instant))
    };
    EntryFilter {
        begin: Some(wall(group.first, -FARTHEST_ZONE)),
        end: Some(wall(group.last, FARTHEST_ZONE)),
        user: group.user,
        ..EntryFilter::default()
    }
}
