//! Reconciles one work log: resolve open intents, read both sides, decide, act, record.
//!
//! # Guarantees
//! - An intent is on disk before a timesheet is created. While one is open, nothing else is created for the work log;
//!   its outcome is looked up first.
//! - A created timesheet is recorded before anything else is done; the link is written and read back after that, with
//!   retries.
//!
//! # Assumptions
//! Kimai's lists show a committed timesheet immediately, and a request that timed out is either stored within the
//! ambiguity window (saving its intent, its wait for a slot, and twice the timeout) or never.

mod begun;
mod exported;
mod link;
mod push;
mod recover;
mod reissued;
mod update;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, RwLock};
use tokio::time::Instant;
use tracing::{info, warn};

use begun::Begun;

use super::admission::{Admission, Permit};
use super::batched_source::BatchedSource;
use super::effect::{Effect, Reconciled};
use super::exported::Looks;
use super::losses::Losses;
use super::refusals::Refusals;
use super::retry::Failure;
use super::visibility::Visibility;
use crate::clock::Clock;
use crate::domain::plan::{Memory, Plan, Repair, plan};
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::{Directory, Facts, Kind, Obstacle, resolve};
use crate::domain::{EntryId, Sighting, WorkLogUri};
use crate::failpoint::crash;
use crate::failpoint::mutants::{Mutant, mutated};
use crate::store::{Ledger, LedgerFault};
use crate::telemetry::metrics::Metrics;
use crate::trackers::Fault;
use crate::trackers::Tracker;
use crate::trackers::adaptive_concurrency;
use crate::work_logs::{SourceFault, WorkLogs};

/// The longest that saving an intent may take before its request is sent.
const SLOWEST_DISK: Duration = Duration::from_secs(5);

pub(super) use exported::Exported;

/// A timesheet that has to be updated.
#[derive(Clone, Copy)]
struct Change<'a> {
    id: EntryId,
    wanted: DesiredEntry,
    /// Its description, where that is ours to write.
    note: Option<&'a str>,
    /// Whether its link is to be written too.
    relink: bool,
    /// Whether Kimai has to recalculate its day and hours.
    renew: bool,
    /// The ledger's record, whose timesheet is used if this one is gone.
    memory: &'a Memory,
}

/// Reconciles work logs, one call per work log. The caller ensures that no work log has two runs at once.
pub struct Reconciler {
    work_logs: Arc<dyn WorkLogs>,
    /// The same, batched over many runs.
    batched: BatchedSource,
    looks: Looks,
    admission: Arc<Admission>,
    kimai: Arc<dyn Tracker>,
    ledger: Arc<dyn Ledger>,
    refusals: Refusals,
    visibility: Visibility,
    losses: Losses,
    clock: Clock,
    /// How long after its start a request may still be stored.
    ambiguity: Duration,
    /// When the creations of this process began.
    begun: Begun,
    /// Whether the highest timesheet ID was requested.
    asked: OnceCell<()>,
    /// Locked for writing from the search for a lost timesheet to its claim, and for reading from a deletion until its
    /// record is removed: a timesheet that the search has seen must not be deleted and unowned when it is claimed.
    looking: RwLock<()>,
    metrics: Metrics,
    /// What to do with exported timesheets unless somebody requests otherwise.
    exported: Exported,
}

impl Reconciler {
    /// Reconciles between `work_logs` and `kimai`, in the zone of `clock`. A call to Kimai ends within `time_limit`.
    pub fn new(
        work_logs: Arc<dyn WorkLogs>,
        kimai: Arc<dyn Tracker>,
        ledger: Arc<dyn Ledger>,
        clock: Clock,
        time_limit: Duration,
    ) -> Self {
        let refusals = Refusals::new(Arc::clone(&kimai), clock.clone());
        let visibility = Visibility::new(Arc::clone(&work_logs));
        let losses = Losses::new(&work_logs, &kimai, &ledger, &clock);
        let admission = Arc::new(Admission::new(kimai.limiter()));
        let batched = BatchedSource::new(&work_logs, &admission);
        let looks = Looks::new(&kimai, &admission);
        Self {
            work_logs,
            batched,
            looks,
            admission,
            kimai,
            ledger,
            refusals,
            visibility,
            losses,
            clock,
            ambiguity: SLOWEST_DISK + adaptive_concurrency::LONGEST_WAIT + time_limit * 2,
            begun: Begun::default(),
            asked: OnceCell::new(),
            looking: RwLock::default(),
            metrics: Metrics::default(),
            exported: Exported::Keep,
        }
    }

    /// The same; with `overwrite`, exported timesheets are changed and deleted too.
    #[must_use]
    pub fn overwriting_exported(mut self, overwrite: bool) -> Self {
        self.exported = if overwrite { Exported::Overwrite } else { Exported::Keep };
        self
    }

    /// The same, recording to `metrics`.
    #[must_use]
    pub fn counting(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Where it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The admission of runs.
    pub(super) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Brings Kimai in line with the current data of `subject`; `seen` receives a digest of that data. The run holds
    /// its `way` until Kimai has answered. With `overwrite`, its timesheet is changed or deleted although it is
    /// exported.
    pub(super) async fn reconcile(
        &self,
        subject: &WorkLogUri,
        mut permit: Permit<'_>,
        seen: &mut Option<Sighting>,
        overwrite: bool,
    ) -> Result<Reconciled, Failure> {
        let exported = if overwrite { Exported::Overwrite } else { self.exported };
        let adopted = match self.ledger.intent(subject).await? {
            Some(intent) => self.resolve(subject, &intent).await?,
            None => false,
        };
        let mut memory = self.ledger.recall(subject).await?;
        if mutated(Mutant::NoMemory) {
            memory = Memory::default();
        }
        memory.removed |= mutated(Mutant::EmptinessIsDeletion);
        memory.unwritten &= !mutated(Mutant::OldLinkWins);
        let linked = memory.linked.is_some();
        let (facts, directory) = self.read(subject, linked, &mut permit).await?;
        crash::point("read");
        let (wanted, own) = match facts.kind(subject) {
            Kind::WorkLog => {
                (self.wanted(subject, &facts, &directory), self.own(subject, &facts, &memory).await?)
            }
            _ => (Err(Vec::new()), None),
        };
        *seen = Some(Sighting::of(subject, &facts, &wanted));
        memory.stray = own.is_some();
        let plan = plan(subject, own.as_ref().unwrap_or(&facts), &memory, || wanted);
        // An overwrite request proves that the work log was visible; if nothing can be sent, it still has to be
        // checked.
        if exported == Exported::Overwrite && !matches!(plan, Plan::Blocked { .. }) {
            memory.unanswered = None;
        }
        let reconciled = match plan {
            Plan::Nothing => Ok(Reconciled::of(Effect::NotAWorkLog, &[])),
            Plan::Unchanged(id) => Ok(Reconciled::of(Effect::Unchanged, &[id])),
            Plan::Blocked { obstacles, repair } => {
                drop(permit);
                match repair {
                    Some(Repair::Write(id)) => self.link(subject, &facts, id).await?,
                    Some(Repair::Remove) => self.unlink(subject).await?,
                    Some(Repair::Keep(id)) => self.keep(subject, &facts, id, memory.linked).await?,
                    None => {}
                }
                self.recover(subject, memory.unanswered.as_ref()).await?;
                Err(Failure::Blocked(obstacles))
            }
            Plan::Create(wanted) => self.create(subject, &facts, wanted, permit).await,
            Plan::Relink(id) => {
                drop(permit);
                self.link(subject, &facts, id).await?;
                let effect = match (adopted, memory.unwritten) {
                    (true, _) => Effect::Adopted,
                    (false, true) => Effect::Created,
                    (false, false) => Effect::Relinked,
                };
                Ok(Reconciled::of(effect, &[id]))
            }
            Plan::Update { id, wanted, relink, renew } => {
                self.may_change(&[id], &memory).await?;
                let change = Change { id, wanted, note: facts.note(), relink, renew, memory: &memory };
                self.update(subject, &facts, change, exported, permit).await
            }
            Plan::Delete(mut ids) => {
                let void = self.ledger.void_links(subject);
                ids.retain(|id| !void.contains(id));
                self.may_change(&ids, &memory).await?;
                self.recover(subject, memory.unanswered.as_ref()).await?;
                let deleted = self.delete(subject, &ids, exported, permit).await?;
                *seen = Some(Sighting::ABSENT);
                Ok(deleted)
            }
        }?;
        *seen = seen.map(|seen| seen.linked_to(&reconciled.timesheets));
        Ok(reconciled)
    }

    /// The facts of `subject`. Fails if there are none, and the triplestore shows nothing else either.
    async fn read(
        &self,
        subject: &WorkLogUri,
        linked: bool,
        permit: &mut Permit<'_>,
    ) -> Result<(Facts, Arc<Directory>), Failure> {
        let (facts, directory) = self.batched.read(subject).await?;
        let facts = match facts.kind(subject) {
            Kind::WorkLog => return Ok((facts, directory)),
            Kind::Absent if Visibility::is_believed() => facts,
            Kind::Absent => {
                permit.step_aside();
                let facts = self.batched.read_again(subject).await?;
                // If a timesheet could be lost, with a statement of its own.
                if linked { self.visibility.certain(subject, facts).await? } else { facts }
            }
            _ => self.visibility.certain(subject, facts).await?,
        };
        let directory = match facts.kind(subject) {
            Kind::WorkLog => Arc::new(self.work_logs.directory(&[&facts]).await?),
            _ => directory,
        };
        Ok((facts, directory))
    }

    fn wanted(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        directory: &Directory,
    ) -> Result<DesiredEntry, Vec<Obstacle>> {
        resolve(facts, directory).and_then(|work_log| {
            if !work_log.doubled.is_empty() {
                let doubled = work_log.doubled.join(", ");
                warn!(work_log = %subject, "Work log <{subject}> has several values of: {doubled}. The smallest is used.");
            }
            DesiredEntry::of(&work_log, self.clock.zone()).map_err(|obstacle| vec![obstacle])
        })
    }

    async fn create(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        wanted: DesiredEntry,
        mut permit: Permit<'_>,
    ) -> Result<Reconciled, Failure> {
        permit.turn().await?;
        self.may_create().await?;
        let high_water = self.high_water().await?;
        if !mutated(Mutant::NoIntent) {
            let since = Instant::now();
            let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
            self.ledger.open_intent(subject, wanted, high_water, now).await?;
            if since.elapsed() > SLOWEST_DISK {
                // A request sent now could still be stored after the search for it.
                self.ledger.close_intent(subject).await?;
                return Err(LedgerFault::Slow(SLOWEST_DISK).into());
            }
            self.begun.note(subject, elapsed);
        }
        crash::point("intent saved");
        let created = match self.kimai.create(&wanted, facts.note()).await {
            Ok(timesheet) => timesheet,
            Err(fault) => {
                if fault.fault != Fault::Ambiguous || mutated(Mutant::AmbiguousIsNotStored) {
                    self.ledger.close_intent(subject).await?; // it was not stored
                    self.begun.forget(subject);
                }
                // It will not be retried soon: the timesheet it is linked to is gone or belongs to another.
                if fault.fault == Fault::Permanent && !facts.identifiers.is_empty() {
                    self.unlink(subject).await?;
                }
                return Err(self.refusals.explain(fault, &wanted).await.into());
            }
        };
        crash::point("post answered");
        permit.answered();
        let id = created.id;
        if created.exported {
            warn!(work_log = %subject, kimai.id = %id, "Kimai says that timesheet {id}, just created for <{subject}>, is exported");
        }
        // Claimed: an identical work log adopted it as its own lost timesheet. The intent stays open, so that this one
        // finds the other's.
        let held = self.held(&created, &wanted);
        let reissued = self.note_reissued(subject, id, high_water).await?;
        match self.ledger.created(subject, id, wanted, held).await {
            Err(LedgerFault::Claimed { other, .. }) if self.make_way(subject, id, &other).await? => {
                self.ledger.created(subject, id, wanted, held).await?;
            }
            recorded => recorded?,
        }
        crash::point("ledger saved");
        self.begun.forget(subject);
        self.link(subject, facts, id).await?;
        if reissued {
            self.look_at_loss().await;
        }
        self.is_counted(subject, id, &wanted, held)?;
        info!(work_log = %subject, kimai.id = %id, "Created timesheet {id} for <{subject}>");
        Ok(Reconciled::of(Effect::Created, &[id]))
    }

    async fn delete(
        &self,
        subject: &WorkLogUri,
        ids: &[EntryId],
        exported: Exported,
        mut permit: Permit<'_>,
    ) -> Result<Reconciled, Failure> {
        permit.turn().await?;
        // From here on it is not known whether Kimai still has them: if the work log returns under its IRI, its
        // timesheet is pushed, and found missing.
        self.ledger.doubt(vec![subject.clone()]).await?;
        let others = self.batched.linked(ids).await?;
        let _nobody_looks = self.looking.read().await;
        let owners = self.ledger.owners(ids).await?;
        let mut own = Vec::new();
        for id in ids {
            // Kimai reused the ID for another one's timesheet since, or another one has adopted it.
            if let Some(other) = owners.get(id).filter(|owner| *owner != subject) {
                warn!(work_log = %subject, kimai.id = %id, "Timesheet {id}, to which the deleted <{subject}> is linked, was made for <{other}>; it is kept.");
                continue;
            }
            let others = others.get(id).map_or(&[][..], Vec::as_slice);
            if others.contains(subject) && !mutated(Mutant::CameBackUnseen) {
                let why = format!("<{subject}> came back while its timesheet was about to be deleted");
                return Err(SourceFault::Transient(why).into());
            }
            // Another work log may have the same ID; its timesheet must not be deleted.
            if let Some(other) = others.first() {
                warn!(work_log = %subject, kimai.id = %id, "Timesheet {id} of the deleted <{subject}> also belongs to <{other}>; it is kept.");
                continue;
            }
            own.push(*id);
        }
        self.delete_all(subject, &own, exported).await?;
        crash::point("deleted");
        permit.answered();
        self.unlink(subject).await?;
        self.ledger.forget(subject).await?;
        Ok(Reconciled::of(if own.is_empty() { Effect::Unlinked } else { Effect::Deleted }, &own))
    }
}
