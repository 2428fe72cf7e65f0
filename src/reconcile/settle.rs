//! One work log, settled: read both sides, decide, act, record.

use std::sync::Arc;

use tracing::{info, warn};

use super::ledger::{Ledger, LedgerFault};
use super::retry::Failure;
use crate::clock::Clock;
use crate::domain::plan::{Plan, plan};
use crate::domain::timesheet::WantedTimesheet;
use crate::domain::work_log::{Facts, Kind, Obstacle, resolve};
use crate::domain::{KimaiId, WorkLogUri};
use crate::kimai::{Fault, Kimai, KimaiFault};
use crate::triplestore::work_logs::WorkLogs;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// A timesheet was created and linked.
    Created,
    /// The timesheet was brought up to date.
    Updated,
    /// The timesheet was deleted, and its link removed.
    Deleted,
    /// Nothing had to change in Kimai.
    Unchanged,
    /// The subject is not a work log.
    NotAWorkLog,
}

/// Settles work logs one at a time. The caller sees to it that no work log has two runs at once.
pub struct Settler {
    work_logs: WorkLogs,
    kimai: Arc<dyn Kimai>,
    ledger: Arc<Ledger>,
    clock: Clock,
}

impl Settler {
    /// Settles between `work_logs` and `kimai`, in the zone of `clock`.
    pub fn new(work_logs: WorkLogs, kimai: Arc<dyn Kimai>, ledger: Arc<Ledger>, clock: Clock) -> Self {
        Self { work_logs, kimai, ledger, clock }
    }

    /// Brings Kimai in line with what the triplestore says of `subject` now.
    pub async fn settle(&self, subject: &WorkLogUri) -> Result<Effect, Failure> {
        let memory = self.ledger.recall(subject).await?;
        let facts = self.work_logs.facts(subject).await?;
        let wanted = match facts.kind(subject) {
            Kind::WorkLog => self.wanted(subject, &facts).await?,
            _ => Err(Vec::new()),
        };
        match plan(subject, &facts, &memory, || wanted) {
            Plan::Nothing => Ok(Effect::NotAWorkLog),
            Plan::Unchanged(_) => Ok(Effect::Unchanged),
            Plan::Blocked(obstacles) => Err(Failure::Blocked(obstacles)),
            Plan::Create(wanted) => self.create(subject, &facts, wanted).await,
            Plan::Update { id, wanted, relink } => self.update(subject, &facts, id, wanted, relink).await,
            Plan::Delete(ids) => self.delete(subject, &ids).await,
        }
    }

    async fn wanted(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
    ) -> Result<Result<WantedTimesheet, Vec<Obstacle>>, Failure> {
        let directory = self.work_logs.directory([facts]).await?;
        Ok(resolve(facts, &directory).and_then(|work_log| {
            if !work_log.doubled.is_empty() {
                let doubled = work_log.doubled.join(", ");
                warn!(work_log = %subject, "Work log <{subject}> has several values of: {doubled}. The smallest is used.");
            }
            WantedTimesheet::of(&work_log, self.clock.zone()).map_err(|obstacle| vec![obstacle])
        }))
    }

    async fn create(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        wanted: WantedTimesheet,
    ) -> Result<Effect, Failure> {
        let id = self.kimai.create(&wanted).await?.id;
        // First of all, so that a link that cannot be written now does not make a second timesheet.
        match self.ledger.created(subject, id, wanted).await {
            Err(LedgerFault::Claimed { other, .. }) => {
                warn!(work_log = %subject, kimai.id = %id, "Kimai gave timesheet {id} to <{other}> before; was it restored from a backup?");
                self.ledger.forget(&other).await?;
                self.ledger.created(subject, id, wanted).await?;
            }
            recorded => recorded?,
        }
        self.work_logs.link(subject, id, !facts.identifiers.is_empty()).await?;
        self.ledger.linked(subject).await?;
        info!(work_log = %subject, kimai.id = %id, "Created timesheet {id} for <{subject}>");
        Ok(Effect::Created)
    }

    async fn update(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        id: KimaiId,
        wanted: WantedTimesheet,
        relink: bool,
    ) -> Result<Effect, Failure> {
        match self.kimai.update(id, &wanted).await {
            Err(KimaiFault { fault: Fault::Gone, .. }) => {
                warn!(work_log = %subject, kimai.id = %id, "Timesheet {id} of <{subject}> is gone from Kimai; it is created again.");
                self.ledger.forget(subject).await?;
                return self.create(subject, facts, wanted).await;
            }
            Err(fault) => return Err(fault.into()),
            Ok(_) => {}
        }
        match self.ledger.pushed(subject, id, wanted).await {
            // The triplestore decides; without memory it is pushed once too often.
            Err(LedgerFault::Claimed { other, .. }) => {
                warn!(work_log = %subject, kimai.id = %id, "Timesheet {id} of <{subject}> also belongs to <{other}>.");
            }
            recorded => recorded?,
        }
        if relink {
            self.work_logs.link(subject, id, !facts.identifiers.is_empty()).await?;
            self.ledger.linked(subject).await?;
        }
        info!(work_log = %subject, kimai.id = %id, "Updated timesheet {id} for <{subject}>");
        Ok(Effect::Updated)
    }

    async fn delete(&self, subject: &WorkLogUri, ids: &[KimaiId]) -> Result<Effect, Failure> {
        let others = self.work_logs.linked(ids).await?;
        for id in ids {
            // Another work log may carry the same id; its timesheet is not ours to delete.
            if let Some(other) = others.get(id).and_then(|work_logs| work_logs.first()) {
                warn!(work_log = %subject, kimai.id = %id, "Timesheet {id} of the deleted <{subject}> also belongs to <{other}>; it is kept.");
                continue;
            }
            match self.kimai.delete(*id).await {
                Ok(()) => info!(work_log = %subject, kimai.id = %id, "Deleted timesheet {id} of <{subject}>"),
                Err(KimaiFault { fault: Fault::Gone, .. }) => {
                    info!(work_log = %subject, kimai.id = %id, "Timesheet {id} of <{subject}> was deleted already");
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        self.work_logs.unlink(subject).await?;
        self.ledger.forget(subject).await?;
        Ok(Effect::Deleted)
    }
}
