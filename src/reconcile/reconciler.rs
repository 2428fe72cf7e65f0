//! One work log, settled: resolve what is open, read both sides, decide, act, record.
//!
//! # Guarantees
//! - Before a timesheet is created, an intent is on disk; while one is open, nothing else is created for
//!   the work log. What it led to is looked up first.
//! - A timesheet that was created is remembered before anything else is done; the link is written and
//!   read back after that, as often as it takes.
//!
//! # Assumptions
//! Kimai's lists show a committed timesheet at once, and a request that we gave up is either stored
//! within the ambiguity window (the way of its intent to the disk, its wait for a place, and twice the time
//! limit) or never.

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
use super::ledger::{Ledger, LedgerFault};
use super::losses::Losses;
use super::refusals::Refusals;
use super::retry::Failure;
use super::visibility::Visibility;
use crate::clock::Clock;
use crate::domain::plan::{Memory, Plan, Repair, plan};
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::{Directory, Facts, Kind, Obstacle, resolve};
use crate::domain::{KimaiId, Sighting, WorkLogUri};
use crate::failpoint::crash;
use crate::failpoint::mutants::{Mutant, mutated};
use crate::telemetry::metrics::Metrics;
use crate::trackers::adaptive_concurrency;
use crate::trackers::kimai::{Fault, Timesheets};
use crate::work_logs::{SourceFault, WorkLogs};

/// The longest that saving an intent may take before what it announces is sent.
const SLOWEST_DISK: Duration = Duration::from_secs(5);

pub(super) use exported::Exported;

/// A timesheet that is to hold something else.
#[derive(Clone, Copy)]
struct Change<'a> {
    id: KimaiId,
    wanted: DesiredEntry,
    /// Its description, where that is ours to write.
    note: Option<&'a str>,
    /// Whether its link is to be written too.
    relink: bool,
    /// Whether Kimai has to work out its day and hours anew.
    renew: bool,
    /// What is remembered: its timesheet is taken should this one be gone.
    memory: &'a Memory,
}

/// Settles work logs one at a time. The caller sees to it that no work log has two runs at once.
pub struct Reconciler {
    work_logs: Arc<dyn WorkLogs>,
    /// The same, asked by many runs at once.
    batched: BatchedSource,
    looks: Looks,
    admission: Arc<Admission>,
    kimai: Arc<dyn Timesheets>,
    ledger: Ledger,
    refusals: Refusals,
    visibility: Visibility,
    losses: Losses,
    clock: Clock,
    /// How long after its start a request may still be stored.
    ambiguity: Duration,
    /// When creations were begun that this process began.
    begun: Begun,
    /// Whether the highest timesheet id was asked for.
    asked: OnceCell<()>,
    /// Held for writing from the look for a lost timesheet to its claim, for reading from a deletion until
    /// it is forgotten: what the one has seen must not be gone, and nobody's, when it is claimed.
    looking: RwLock<()>,
    metrics: Metrics,
    /// What is to become of exported timesheets unless somebody asks for more.
    exported: Exported,
}

impl Reconciler {
    /// Settles between `work_logs` and `kimai`, in the zone of `clock`. A call to Kimai ends within
    /// `time_limit`.
    pub fn new(
        work_logs: Arc<dyn WorkLogs>,
        kimai: Arc<dyn Timesheets>,
        ledger: Ledger,
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

    /// The same, changing and deleting what is exported too, with `overwrite`.
    #[must_use]
    pub fn overwriting_exported(mut self, overwrite: bool) -> Self {
        self.exported = if overwrite { Exported::Overwrite } else { Exported::Keep };
        self
    }

    /// The same, counting in `metrics`.
    #[must_use]
    pub fn counting(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Where it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How many runs are on their way.
    pub(super) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Brings Kimai in line with what the triplestore says of `subject` now; `seen` tells what that was, or what is left
    /// of it.
    /// The run is on its `way` until Kimai has answered. With `overwrite` its timesheet is changed or deleted although
    /// it is exported.
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
        // Whoever asked to overwrite has seen it; where nothing can be sent, it is still to be seen.
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
                self.recover(subject, memory.unanswered).await?;
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
                self.recover(subject, memory.unanswered).await?;
                let deleted = self.delete(subject, &ids, exported, permit).await?;
                *seen = Some(Sighting::ABSENT);
                Ok(deleted)
            }
        }?;
        *seen = seen.map(|seen| seen.linked_to(&reconciled.timesheets));
        Ok(reconciled)
    }

    /// What the triplestore says of `subject`. Fails when that is nothing, and nothing of anything else.
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
                // With a timesheet to lose, in a statement of its own.
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
                // What would be sent now could still be stored when it is looked for.
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
                // It will not be tried again soon: what it is linked to is gone, or another's.
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
        // Claimed: another work log just like this one took it for its own lost one. The intent stays
        // open, so that this one finds the other's.
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
        ids: &[KimaiId],
        exported: Exported,
        mut permit: Permit<'_>,
    ) -> Result<Reconciled, Failure> {
        permit.turn().await?;
        // From here on it is not known whether Kimai still holds them: should the work log come back under
        // its IRI, its timesheet is pushed, and found missing.
        self.ledger.doubt([subject]).await?;
        let others = self.batched.linked(ids).await?;
        let _nobody_looks = self.looking.read().await;
        let owners = self.ledger.owners(ids).await?;
        let mut own = Vec::new();
        for id in ids {
            // Kimai gave the id to another one's timesheet since, or another one has taken it over.
            if let Some(other) = owners.get(id).filter(|owner| *owner != subject) {
                warn!(work_log = %subject, kimai.id = %id, "Timesheet {id}, to which the deleted <{subject}> is linked, was made for <{other}>; it is kept.");
                continue;
            }
            let others = others.get(id).map_or(&[][..], Vec::as_slice);
            if others.contains(subject) && !mutated(Mutant::CameBackUnseen) {
                let why = format!("<{subject}> came back while its timesheet was about to be deleted");
                return Err(SourceFault::Transient(why).into());
            }
            // Another work log may carry the same id; its timesheet is not ours to delete.
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
