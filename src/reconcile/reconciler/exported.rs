//! Timesheets that are exported in Kimai: checked before a change, left alone, reverted.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::{Change, Reconciler};
use crate::domain::diff::ObservedEntry;
use crate::domain::exported::{Look, UpdateIntent, both_values};
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::Facts;
use crate::domain::{EntryId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::reconcile::admission::Permit;
use crate::reconcile::effect::{Effect, Reconciled};
use crate::reconcile::exported::{self, Deletion};
use crate::reconcile::retry::Failure;
use crate::store::ledger::{Held, LedgerFault};
use crate::trackers::Fault;
use crate::trackers::TimeEntry;

/// A check that is older than this when the change may be sent is repeated.
const STALE: Duration = Duration::from_secs(2);

/// What to do with timesheets that are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exported {
    /// They stay as they are.
    Keep,
    /// They are changed and deleted like any other, by request or by the settings.
    Overwrite,
}

/// The result of the check before a change.
pub(super) enum Seen {
    /// It may be changed; with what it held, if it was checked.
    Free(Option<TimeEntry>),
    /// It is exported and stays as it is.
    Exported(TimeEntry),
    /// It is not in Kimai.
    Gone,
}

impl Seen {
    fn of(timesheet: Option<TimeEntry>, exported: Exported) -> Self {
        match timesheet {
            None => Self::Gone,
            Some(timesheet) if timesheet.exported && exported == Exported::Keep => Self::Exported(timesheet),
            Some(timesheet) => Self::Free(Some(timesheet)),
        }
    }
}

impl Reconciler {
    /// Checks the timesheet that is about to be changed, and waits for the turn to change it if it may be.
    pub(super) async fn before(
        &self,
        change: &Change<'_>,
        exported: Exported,
        permit: &mut Permit<'_>,
    ) -> Result<Seen, Failure> {
        if exported == Exported::Overwrite || mutated(Mutant::ExportedIsOverwritten) {
            permit.turn().await?;
            return Ok(Seen::Free(None));
        }
        let look = Look { id: change.id, begin: change.wanted.begin, user: change.wanted.user };
        let since = Instant::now();
        let seen = Seen::of(self.looks.at(look).await?, exported);
        if !matches!(seen, Seen::Free(_)) {
            return Ok(seen);
        }
        permit.turn().await?;
        if since.elapsed() < STALE {
            return Ok(seen);
        }
        Ok(Seen::of(self.looks.now(change.id).await?, exported))
    }

    /// The timesheet is exported and stays as it is. That is no error if it holds what it should.
    pub(super) async fn keep_exported(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        change: Change<'_>,
        held: &TimeEntry,
    ) -> Result<Reconciled, Failure> {
        let Change { id, wanted, relink, memory, .. } = change;
        // Also for a parked work log: without the link its timesheet looks like an orphan.
        if relink {
            self.link(subject, facts, id).await?;
        }
        if let Some(intent) = &memory.unanswered {
            self.undo(subject, intent, held, Some(&wanted)).await?;
        }
        let found = ObservedEntry::from(held);
        let in_sync =
            found.holds(&wanted) || found.is_answer_to(&wanted, memory.pushed.as_ref(), memory.held.as_ref());
        if in_sync {
            // Nothing was changed, nor the day that it is booked on.
            let same = memory.linked == Some(id) && memory.held.is_some_and(|held| held.begin == found.begin);
            let shift = memory.shift.filter(|_| same);
            self.record(subject, id, wanted, Held { found, shift }).await?;
        } else if memory.linked != Some(id) {
            self.remember(subject, id).await?;
        }
        if !in_sync {
            return Err(self.stays(id, &found, Some(&wanted)));
        }
        Ok(Reconciled::of(if relink { Effect::Relinked } else { Effect::Unchanged }, &[id]))
    }

    fn stays(&self, id: EntryId, found: &ObservedEntry, wanted: Option<&DesiredEntry>) -> Failure {
        let both = both_values(found, wanted, self.clock.zone());
        Failure::Exported(format!("timesheet {id} stays as it is: {both}"))
    }

    /// Records that `id` holds `held` for `wanted`, unless it belongs to another work log.
    pub(super) async fn record(
        &self,
        subject: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: Held,
    ) -> Result<(), Failure> {
        match self.ledger.pushed(subject, id, wanted, held).await {
            // The work log it was created for is no longer linked to it (see `own`), or not yet.
            Err(LedgerFault::Claimed { other, .. }) => {
                if self.take_over(subject, id, &other).await? {
                    self.ledger.pushed(subject, id, wanted, held).await?;
                } else {
                    warn!(work_log = %subject, kimai.id = %id, "Timesheet {id} of <{subject}> also belongs to <{other}>.");
                }
                Ok(())
            }
            recorded => Ok(recorded?),
        }
    }

    /// Checks whether the last change, which lost its response or could not be reverted, overwrote an exported
    /// timesheet.
    pub(super) async fn recover(
        &self,
        subject: &WorkLogUri,
        unanswered: Option<&UpdateIntent>,
    ) -> Result<(), Failure> {
        let Some(intent) = unanswered else { return Ok(()) };
        match self.looks.now(intent.id).await? {
            Some(seen) => self.undo(subject, intent, &seen, None).await,
            None => Ok(()),
        }
    }

    /// Reverts what `intent` overwrote although it was exported. If it is not known whether the export came before the
    /// change, the timesheet stays as it is, and the error has its previous values.
    pub(super) async fn undo(
        &self,
        subject: &WorkLogUri,
        intent: &UpdateIntent,
        seen: &TimeEntry,
        wanted: Option<&DesiredEntry>,
    ) -> Result<(), Failure> {
        let UpdateIntent { id, before, .. } = *intent;
        let found = ObservedEntry::from(seen);
        if intent.id != seen.id || !intent.may_have_overwritten(&found, seen.exported) {
            return Ok(());
        }
        if intent.exported {
            return self.put_back(subject, intent, wanted).await;
        }
        let both = both_values(&before, Some(&intent.sent), self.clock.zone());
        Err(Failure::Exported(format!(
            "timesheet {id} is exported, and the answer to its last change was lost: whether it was exported before the \
             change or after it is not known; look in Kimai. Before the change and after it: {both}"
        )))
    }

    /// Puts an exported timesheet back that was changed since it was exported between our look and the change.
    /// `wanted` is what the work log says, where that is known. Fails with what stands there now: either way
    /// the work log and its timesheet differ.
    pub(super) async fn put_back(
        &self,
        subject: &WorkLogUri,
        intent: &UpdateIntent,
        wanted: Option<&DesiredEntry>,
    ) -> Result<(), Failure> {
        let UpdateIntent { id, before, sent, .. } = *intent;
        let lost = |why: &str| {
            let both = both_values(&before, Some(&sent), self.clock.zone());
            error!(work_log = %subject, kimai.id = %id, "Timesheet {id} of <{subject}> was exported while it was changed, and could not be put back: {why}");
            Failure::Exported(format!(
                "timesheet {id} was exported while it was changed, and could not be put back ({why}); correct it in Kimai. \
                 Before the change: {both}"
            ))
        };
        let Some(values) = intent.put_back() else { return Err(lost("it was not complete")) };
        // A description that was overwritten cannot be put back: only its hash is known.
        match self.kimai.update(id, &values, None).await {
            Ok(timesheet) => {
                let found = ObservedEntry::from(&timesheet);
                if (ObservedEntry { note: before.note, ..found }) != before {
                    let now = both_values(&found, Some(&values), self.clock.zone());
                    return Err(lost(&format!("Kimai made something else of it: {now}")));
                }
                if found.note != before.note {
                    return Err(lost("all but its description, which was replaced by the note"));
                }
            }
            Err(fault) if fault.fault == Fault::Gone => return Ok(()),
            Err(fault) if fault.fault == Fault::Permanent => return Err(lost(&fault.message)),
            // Retried: what has to be reverted is on disk.
            Err(fault) => return Err(fault.into()),
        }
        warn!(work_log = %subject, kimai.id = %id, "Timesheet {id} of <{subject}> was exported while it was changed; it was put back");
        self.ledger.put_back(subject).await?;
        match wanted {
            Some(wanted) => Err(self.stays(id, &before, Some(wanted))),
            None => Ok(()),
        }
    }

    /// Deletes the timesheets of the deleted work log `subject`, all or none: fails if one of them is exported and has
    /// to stay. Then its link stays too, so that it is not forgotten.
    pub(super) async fn delete_all(
        &self,
        subject: &WorkLogUri,
        ids: &[EntryId],
        exported: Exported,
    ) -> Result<(), Failure> {
        let keep = exported == Exported::Keep;
        // For a single one, the check right before its deletion is enough.
        for id in ids.iter().filter(|_| keep && ids.len() > 1) {
            if let Some(held) = self.looks.now(*id).await?.filter(|held| held.exported) {
                return Err(self.stays(*id, &(&held).into(), None));
            }
        }
        for id in ids {
            let deletion = match exported::delete(&*self.kimai, *id, keep).await {
                Ok(deletion) => deletion,
                Err(fault) => return Err(self.refusals.forbidden(fault, *id).await.into()),
            };
            match deletion {
                Deletion::Deleted => {
                    info!(work_log = %subject, kimai.id = %id, "Deleted timesheet {id} of <{subject}>");
                }
                Deletion::Gone => {
                    info!(work_log = %subject, kimai.id = %id, "Timesheet {id} of <{subject}> was deleted already");
                }
                Deletion::Exported(held) => return Err(self.stays(*id, &(&held).into(), None)),
            }
        }
        Ok(())
    }
}
