//! Findings about exported timesheets: they stay as they are.

use super::Sweeper;
use super::snapshot::Snapshot;
use crate::domain::EntryId;
use crate::domain::diff::{ObservedEntry, TimesheetSide, in_words};
use crate::domain::exported::both_values;
use crate::domain::finding::{Finding, Hold};
use crate::domain::timesheet::DesiredEntry;
use crate::trackers::TrackerFault;

impl Sweeper {
    /// `finding` of a timesheet that holds something else than `wanted`. One that is exported is left as it is.
    pub(super) fn differs(&self, finding: Finding, side: TimesheetSide, wanted: &DesiredEntry) -> Finding {
        let TimesheetSide { found, exported } = side;
        let kept = exported && !self.limits.overwrite_exported;
        let reason = if kept {
            both_values(&found, Some(wanted), self.clock.zone())
        } else {
            in_words(&found, wanted, self.clock.zone())
        };
        Finding { found: Some(found), reason, held: kept.then_some(Hold::Exported), ..finding }
    }

    /// The first of `ids` that is exported and has to stay. Those of other days are requested by ID.
    pub(super) async fn first_exported(
        &self,
        snapshot: &Snapshot,
        ids: &[EntryId],
    ) -> Result<Option<(EntryId, ObservedEntry)>, (EntryId, TrackerFault)> {
        if self.limits.overwrite_exported {
            return Ok(None);
        }
        for id in ids {
            let exported = if let Some(listed) = snapshot.timesheets.get(id) {
                listed.exported.then_some(listed.found)
            } else {
                let seen = self.kimai.timesheet(*id).await.map_err(|fault| (*id, fault))?;
                seen.filter(|timesheet| timesheet.exported).map(|timesheet| (&timesheet).into())
            };
            if let Some(found) = exported {
                return Ok(Some((*id, found)));
            }
        }
        Ok(None)
    }
}
