//! Recovers creations whose response was lost.

use tracing::info;

use super::Reconciler;
use crate::domain::diff::ObservedEntry;
use crate::domain::intent::Intent;
use crate::domain::{EntryId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::reconcile::retry::Failure;
use crate::store::LedgerFault;
use crate::telemetry::metrics::Resolved;
use crate::trackers::TrackerFault;
use crate::trackers::{EntryFilter, TimeEntry};

impl Reconciler {
    /// Finds the outcome of an open intent. Returns whether it created a timesheet.
    pub(super) async fn resolve(&self, subject: &WorkLogUri, intent: &Intent) -> Result<bool, Failure> {
        let age = self.begun.age(subject, intent.started_at, &self.clock);
        if age < self.ambiguity && !mutated(Mutant::NoWait) {
            return Err(Failure::Unsure(self.ambiguity.saturating_sub(age)));
        }
        let _alone = self.looking.write().await;
        let (candidates, odd) = self.candidates(intent).await?;
        for timesheet in candidates.iter().filter(|_| !mutated(Mutant::NoSearch)) {
            let id = timesheet.id;
            match self.ledger.found(subject, id, intent.wanted, ObservedEntry::from(timesheet).into()).await {
                // An identical work log adopted it; there may be a second one.
                Err(LedgerFault::Claimed { .. }) => {}
                claimed => {
                    claimed?;
                    self.begun.forget(subject);
                    self.metrics.intent_resolved(Resolved::Adopted);
                    info!(work_log = %subject, kimai.id = %id, "Found timesheet {id} of <{subject}>, whose answer was lost");
                    return Ok(true);
                }
            }
        }
        self.begun.forget(subject);
        if let Some(found) = self.below_the_mark(subject, intent).await? {
            self.metrics.intent_resolved(Resolved::Adopted);
            info!(work_log = %subject, kimai.id = %found, "Found timesheet {found} of <{subject}>, whose answer was lost; its id was taken before");
            return Ok(true);
        }
        // A row that cannot be read may be the timesheet, so sending it again could create a duplicate.
        if let Some(why) = odd {
            return Err(TrackerFault::odd_row(self.kimai.capabilities().name, &why).into());
        }
        self.ledger.close_intent(subject).await?;
        self.metrics.intent_resolved(Resolved::Absent);
        Ok(false)
    }

    /// What an intent led to in a Kimai that gives out ids again: a timesheet below the mark. Looked for only where
    /// the newest one is below it, as it is after an older backup was restored.
    async fn below_the_mark(
        &self,
        subject: &WorkLogUri,
        intent: &Intent,
    ) -> Result<Option<EntryId>, Failure> {
        if !self.kimai.capabilities().order.reissues() {
            return Ok(None);
        }
        let Some(mark) = intent.high_water else { return Ok(None) };
        if self.kimai.newest().await?.is_none_or(|newest| newest >= mark) {
            return Ok(None);
        }
        let anywhere = Intent { high_water: None, ..*intent };
        for timesheet in self.candidates(&anywhere).await?.0 {
            let id = timesheet.id;
            let owner = self.ledger.owner(id).await?.filter(|owner| owner != subject);
            if let Some(owner) = owner
                && !self.make_way(subject, id, &owner).await?
            {
                continue;
            }
            self.ledger.found(subject, id, intent.wanted, ObservedEntry::from(&timesheet).into()).await?;
            return Ok(Some(id));
        }
        Ok(None)
    }

    /// The timesheets that may be what `intent` led to and that no work log is linked to: those first that hold just
    /// what was sent, then those nearest to it, lowest id first. And what is wrong with a row that may be it too, but
    /// cannot be read.
    async fn candidates(&self, intent: &Intent) -> Result<(Vec<TimeEntry>, Option<String>), Failure> {
        let wanted = &intent.wanted;
        // Kimai reads the bounds in the zone of the token's user.
        let day = wanted.begin.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let shifted = |days: i64| day.checked_add(jiff::ToSpan::days(days)).unwrap_or(day);
        let (begin, end, user) = (Some(shifted(-2)), Some(shifted(2)), Some(wanted.user));
        let filter = EntryFilter { begin, end, user, ..EntryFilter::default() };
        let listed = self.kimai.timesheets(&filter).await?;
        let order = self.kimai.capabilities().order;
        let odd = listed.odd.which(|id| order.may_be_after(intent.high_water, id));
        let mut listed = listed.whole()?;
        for timesheet in &listed {
            self.ledger.saw(timesheet.id);
        }
        listed.retain(|timesheet| intent.could_be(timesheet.id, order, &timesheet.into()));
        let fitting: Vec<EntryId> = listed.iter().map(|timesheet| timesheet.id).collect();
        let linked = self.work_logs.linked(&fitting).await?;
        listed.retain(|timesheet| !linked.contains_key(&timesheet.id));
        listed.sort_by_key(|timesheet| {
            let found = ObservedEntry::from(timesheet);
            (!found.holds(wanted), found.seconds_from(wanted))
        });
        Ok((listed, odd))
    }
}
