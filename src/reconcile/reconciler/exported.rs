//! Timesheets that are exported in Kimai: looked for before a change, left as they are, put back.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::{Change, Reconciler};
use crate::domain::diff::ObservedEntry;
use crate::domain::exported::{Look, UpdateIntent, both_values};
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::Facts;
use crate::domain::{KimaiId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::reconcile::admission::Permit;
use crate::reconcile::effect::{Effect, Reconciled};
use crate::reconcile::exported::{self, Deletion};
use crate::reconcile::ledger::{Held, LedgerFault};
use crate::reconcile::retry::Failure;
use crate::trackers::kimai::{Fault, Timesheet};

/// A look that is older than this when the change may be sent is repeated.
const STALE: Duration = Duration::from_secs(2);

/// What is to become of timesheets that are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exported {
    /// They stay as they are.
    Keep,
    /// They are changed and deleted like any other: somebody asked for it, or the settings do.
    Overwrite,
}

/// What a look before a change has shown.
pub(super) enum Seen {
    /// It may be changed; what it held, if anybody looked.
    Free(Option<Timesheet>),
    /// It is exported, and is to stay as it is.
    Exported(Timesheet),
    /// It is not in Kimai.
    Gone,
}

impl Seen {
    fn of(timesheet: Option<Timesheet>, exported: Exported) -> Self {
        match timesheet {
            None => Self::Gone,
            Some(timesheet) if timesheet.exported && exported == Exported::Keep => Self::Exported(timesheet),
            Some(timesheet) => Self::Free(Some(timesheet)),
        }
    }
}

impl Reconciler {
    /// Looks at the timesheet that is about to be changed, and waits for the turn to change it if it may be.
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

    /// The timesheet is exported and stays as it is: all is well if it holds what it should.
    pub(super) async fn keep_exported(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        change: Change<'_>,
        held: &Timesheet,
    ) -> Result<Reconciled, Failure> {
        let Change { id, wanted, relink, memory, .. } = change;
        // Also of one that is parked: without the link its timesheet looks like nobody's.
        if relink {
            self.link(subject, facts, id).await?;
        }
        if let Some(intent) = memory.unanswered {
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

    fn stays(&self, id: KimaiId, found: &ObservedEntry, wanted: Option<&DesiredEntry>) -> Failure {
        let both = both_values(found, wanted, self.clock.zone());
        Failure::Exported(format!("timesheet {id} stays as it is: {both}"))
    }

    /// Records that `id` holds `held` for `wanted`, unless it belongs to another work log.
    pub(super) async fn record(
        &self,
        subject: &WorkLogUri,
        id: KimaiId,
        wanted: DesiredEntry,
        held: Held,
    ) -> Result<(), Failure> {
        match self.ledger.pushed(subject, id, wanted, held).await {
            // Whom it was made for is not linked to it any more (see `own`), or not yet.
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

    /// Looks whether the last change, whose answer was lost or which could not be put back, overwrote what is exported.
    pub(super) async fn recover(
        &self,
        subject: &WorkLogUri,
        unanswered: Option<UpdateIntent>,
    ) -> Result<(), Failure> {
        let Some(intent) = unanswered else { return Ok(()) };
        match self.looks.now(intent.id).await? {
            Some(seen) => self.undo(subject, intent, &seen, None).await,
            None => Ok(()),
        }
    }

    /// Puts back what `intent` overwrote although it was exported. Where it is not known whether it was exported before
    /// or after the change it stays as it is, and the failure says what it held before.
    pub(super) async fn undo(
        &self,
        subject: &WorkLogUri,
        intent: UpdateIntent,
        seen: &Timesheet,
        wanted: Option<&DesiredEntry>,
    ) -> Result<(), Failure> {
        let UpdateIntent { id, before, .. } = intent;
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
        intent: UpdateIntent,
        wanted: Option<&DesiredEntry>,
    ) -> Result<(), Failure> {
        let UpdateIntent { id, before, sent, .. } = intent;
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
            // Tried again: what has to be put back is on disk.
            Err(fault) => return Err(fault.into()),
        }
        warn!(work_log = %subject, kimai.id = %id, "Timesheet {id} of <{subject}> was exported while it was changed; it was put back");
        self.ledger.put_back(subject).await?;
        match wanted {
            Some(wanted) => Err(self.stays(id, &before, Some(wanted))),
            None => Ok(()),
        }
    }

    /// Deletes the timesheets of the deleted work log `subject`. They go together: fails when one of them is exported
    /// and is to stay. Then its link stays too, so that nothing is forgotten.
    pub(super) async fn delete_all(
        &self,
        subject: &WorkLogUri,
        ids: &[KimaiId],
        exported: Exported,
    ) -> Result<(), Failure> {
        let keep = exported == Exported::Keep;
        // Of one alone the look right before its deletion is enough.
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
