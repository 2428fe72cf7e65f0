//! Creations of which the answer was lost: what became of them.

use std::time::Duration;

use tracing::info;

use super::Settler;
use crate::domain::difference::FoundTimesheet;
use crate::domain::intent::Intent;
use crate::domain::{KimaiId, WorkLogUri};
use crate::kimai::{Timesheet, TimesheetFilter};
use crate::reconcile::ledger::LedgerFault;
use crate::reconcile::plant::{Plant, planted};
use crate::reconcile::retry::Failure;
use crate::telemetry::metrics::Resolved;

impl Settler {
    /// Finds out what an open intent led to. Says whether it was a timesheet.
    pub(super) async fn resolve(&self, subject: &WorkLogUri, intent: &Intent) -> Result<bool, Failure> {
        let age = Duration::try_from(self.clock.now().duration_since(intent.started_at)).unwrap_or_default();
        if age < self.ambiguity && !planted(Plant::NoWait) {
            return Err(Failure::Unsure(self.ambiguity.saturating_sub(age)));
        }
        let _alone = self.looking.write().await;
        let candidates = self.candidates(intent).await?;
        for timesheet in candidates.iter().filter(|_| !planted(Plant::NoSearch)) {
            let id = timesheet.id;
            match self.ledger.found(subject, id, intent.wanted, timesheet.into()).await {
                // Another work log just like this one took it; there may be a second.
                Err(LedgerFault::Claimed { .. }) => {}
                claimed => {
                    claimed?;
                    self.metrics.intent_resolved(Resolved::Adopted);
                    info!(work_log = %subject, kimai.id = %id, "Found timesheet {id} of <{subject}>, whose answer was lost");
                    return Ok(true);
                }
            }
        }
        self.ledger.close_intent(subject).await?;
        self.metrics.intent_resolved(Resolved::Absent);
        Ok(false)
    }

    /// The timesheets that may be what `intent` led to and that no work log is linked to: those first that hold just
    /// what was sent, lowest id first.
    async fn candidates(&self, intent: &Intent) -> Result<Vec<Timesheet>, Failure> {
        let wanted = &intent.wanted;
        // Kimai reads the bounds in the zone of the token's user.
        let day = wanted.begin.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let shifted = |days: i64| day.checked_add(jiff::ToSpan::days(days)).unwrap_or(day);
        let (begin, end, user) = (Some(shifted(-2)), Some(shifted(2)), Some(wanted.user));
        let filter = TimesheetFilter { begin, end, user, ..TimesheetFilter::default() };
        let mut listed = self.kimai.timesheets(&filter).await?.whole()?;
        for timesheet in &listed {
            self.ledger.saw(timesheet.id);
        }
        listed.retain(|timesheet| intent.could_be(timesheet.id, &timesheet.into()));
        let fitting: Vec<KimaiId> = listed.iter().map(|timesheet| timesheet.id).collect();
        let linked = self.work_logs.linked(&fitting).await?;
        listed.retain(|timesheet| !linked.contains_key(&timesheet.id));
        listed.sort_by_key(|timesheet| !FoundTimesheet::from(timesheet).holds(wanted));
        Ok(listed)
    }
}
