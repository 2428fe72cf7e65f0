//! The highest known ID, and IDs that Kimai reuses: what may still be written, and who owns a timesheet then.

use tracing::warn;

use super::Reconciler;
use crate::domain::plan::Memory;
use crate::domain::work_log::Kind;
use crate::domain::{EntryId, Watermark, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::reconcile::retry::Failure;
use crate::trackers::TrackerFault;

impl Reconciler {
    /// The highest position known, none in an empty Kimai: requested once, then learnt from every response.
    pub async fn high_water(&self) -> Result<Option<Watermark>, TrackerFault> {
        let ask = async || {
            if self.ledger.high_water().is_none()
                && let Some(newest) = self.kimai.newest().await?
            {
                self.ledger.saw_newest(newest);
            }
            Ok(())
        };
        self.asked.get_or_try_init(ask).await?;
        Ok(self.ledger.high_water())
    }

    /// Fails while links are to be rebuilt: a new timesheet would get an ID that others are linked to.
    pub(super) async fn may_create(&self) -> Result<(), Failure> {
        match self.losses.current().await? {
            Some(loss) if !mutated(Mutant::LossIsIgnored) => Err(Failure::KimaiLostData(loss)),
            _ => Ok(()),
        }
    }

    /// Fails while links are to be rebuilt and one of `ids` is in doubt: it may be another one's timesheet by now. Not
    /// so the one of `memory`, which was made since.
    pub(super) async fn may_change(&self, ids: &[EntryId], memory: &Memory) -> Result<(), Failure> {
        let Some(loss) = self.ledger.loss() else { return Ok(()) };
        if ids.iter().all(|id| !loss.covers(*id) || memory.linked == Some(*id)) {
            return Ok(());
        }
        self.may_create().await
    }

    /// Kimai has created `id` for `subject`; `mark` is the highest id that was known before. When Kimai gave out this
    /// one again, whoever had it has lost it. Says whether it did.
    pub(super) async fn note_reissued(
        &self,
        subject: &WorkLogUri,
        id: EntryId,
        mark: Option<Watermark>,
    ) -> Result<bool, Failure> {
        let order = self.kimai.capabilities().order;
        let Some(mark) = mark.filter(|_| order.reissues() && !order.may_be_after(mark, id)) else {
            return Ok(false);
        };
        self.ledger.reissued(subject, id, mark, self.clock.now()).await?;
        warn!(work_log = %subject, kimai.id = %id, "Kimai gave the id {id} to a new timesheet, although ids up to {} were known", mark.0);
        Ok(true)
    }

    /// Finds out whether a loss affects any work log. If that fails now, the next creation tries again.
    pub(super) async fn look_at_loss(&self) {
        if let Err(failure) = self.losses.current().await {
            warn!(
                "Whether work logs have lost their timesheets is looked up at the next creation: {failure}"
            );
        }
    }

    /// Forgets that `id` was remembered as that of `other`, if the triplestore does not know that one any more. Says
    /// whether it did.
    pub(super) async fn make_way(
        &self,
        subject: &WorkLogUri,
        id: EntryId,
        other: &WorkLogUri,
    ) -> Result<bool, Failure> {
        let gives_way = self.visibility.facts(other).await?.kind(other) != Kind::WorkLog;
        if gives_way {
            warn!(work_log = %subject, kimai.id = %id, "Timesheet {id} was remembered as that of <{other}>, which the triplestore does not know any more; <{subject}> gets it");
            self.ledger.forget(other).await?;
        }
        Ok(gives_way)
    }
}
