//! Updates a timesheet.

use tracing::{info, warn};

use super::exported::{Exported, Seen};
use super::{Change, Reconciler};
use crate::domain::WorkLogUri;
use crate::domain::work_log::Facts;
use crate::failpoint::crash;
use crate::failpoint::mutants::{Mutant, mutated};
use crate::reconcile::admission::Permit;
use crate::reconcile::effect::{Effect, Reconciled};
use crate::reconcile::retry::Failure;
use crate::store::ledger::Held;
use crate::trackers::{Fault, TrackerFault};

impl Reconciler {
    /// Updates a timesheet, unless it is exported and has to stay as it is.
    pub(super) async fn update(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        change: Change<'_>,
        exported: Exported,
        mut permit: Permit<'_>,
    ) -> Result<Reconciled, Failure> {
        let Change { id, wanted, relink, .. } = change;
        let before = match self.before(&change, exported, &mut permit).await? {
            Seen::Free(before) => before,
            Seen::Exported(held) => {
                drop(permit);
                return self.keep_exported(subject, facts, change, &held).await;
            }
            Seen::Gone => return self.gone(subject, facts, change, exported, permit).await,
        };
        // From here until the response, it is not known what Kimai holds.
        if before.is_none() {
            self.ledger.doubt(vec![subject.clone()]).await?;
        }
        self.doubt_day(subject, &wanted, change.memory).await?;
        if mutated(Mutant::RememberedBeforeSent) {
            self.ledger.pushed(subject, id, wanted, wanted.into()).await?;
        }
        let pushed = match self.push(subject, &change, before).await {
            Err(Failure::Kimai(TrackerFault { fault: Fault::Gone, .. })) => {
                return self.gone(subject, facts, change, exported, permit).await;
            }
            Err(Failure::Kimai(fault)) => {
                if fault.fault == Fault::Permanent {
                    self.ledger.end_update(subject).await?; // nothing was changed
                    self.refused(subject, facts, change).await?;
                }
                return Err(self.refusals.of_change(fault, id, &wanted).await.into());
            }
            Err(failure) => return Err(failure),
            Ok(pushed) => pushed,
        };
        crash::point("patched");
        if let Some(intent) = pushed.overwrote {
            self.ledger.exported_meanwhile(subject).await?;
            if relink {
                self.link(subject, facts, id).await?;
            }
            self.put_back(subject, &intent, Some(&wanted)).await?;
        }
        permit.answered();
        let held = Held { found: (&pushed.answer).into(), shift: pushed.shift };
        self.record(subject, id, wanted, held).await?;
        if relink {
            self.link(subject, facts, id).await?;
        }
        if let Some(mismatch) = pushed.mismatch {
            return Err(mismatch.into());
        }
        let effect = if pushed.answer.exported { Effect::Overwritten } else { Effect::Updated };
        let reconciled = Reconciled::of(effect, &[id]);
        info!(work_log = %subject, kimai.id = %id, "Settled <{subject}>: {}", reconciled.in_words());
        Ok(reconciled)
    }

    /// The timesheet that was to be changed is not in Kimai.
    async fn gone(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        change: Change<'_>,
        exported: Exported,
        permit: Permit<'_>,
    ) -> Result<Reconciled, Failure> {
        let Change { id, wanted, memory, .. } = change;
        // An older link that was written late: the timesheet in the ledger is still its own.
        let known = memory.linked.filter(|known| *known != id && !mutated(Mutant::OldLinkWins));
        if let Some(known) = known {
            let change = Change { id: known, relink: true, ..change };
            return Box::pin(self.update(subject, facts, change, exported, permit)).await;
        }
        warn!(work_log = %subject, kimai.id = %id, "Timesheet {id} of <{subject}> is gone from Kimai; it is created again.");
        self.ledger.forget(subject).await?;
        self.create(subject, facts, wanted, permit).await
    }
}
