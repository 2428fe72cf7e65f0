//! Applies the findings: through the queue if a work log is concerned, one by one for timesheets without one.

use std::collections::BTreeSet;

use tracing::{info, warn};

use super::classify::Classified;
use super::snapshot::is_ours;
use super::{Period, Report, Sweeper, go_on, unless_cancelled};
use crate::domain::diff::ObservedEntry;
use crate::domain::finding::{self, Action, Finding, Hold};
use crate::domain::intent::Intent;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::Kind;
use crate::domain::{EntryId, WorkLogUri};
use crate::failpoint::crash;
use crate::failpoint::mutants::{Mutant, mutated};
use crate::progress::Progress;
use crate::queue::{Filter, Reason};
use crate::reconcile::exported::{self, Deletion};
use crate::reconcile::retry::Failure;
use crate::trackers::Fault;
use crate::work_logs::SourceFault;

/// Work logs queued at a time, so that deltas can be saved in between.
const BATCH: usize = 500;
/// Deletions that may fail one after the other; with more, the cause is not in the timesheets.
const FAILURES_IN_A_ROW: usize = 3;

/// The result for a presumed orphan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Removal {
    /// It is gone.
    Deleted,
    /// The rest of this work log is reconciled, which deletes the timesheet too.
    Queued(WorkLogUri),
    /// It belongs to a work log, or may belong to one.
    Kept,
    /// It is exported, and stays.
    Exported,
}

impl Sweeper {
    pub(super) async fn apply(
        &self,
        period: Period,
        classified: Classified,
        progress: &Progress,
    ) -> Result<Report, Failure> {
        let Classified {
            work_logs, timesheets, unreadable, rounded, mut findings, kept, known, rebuild, ..
        } = classified;
        if let Some(void) = rebuild {
            self.rebuild(void).await?;
        }
        for (work_log, id) in kept {
            go_on(progress)?;
            self.ledger.keep(&work_log, id).await?;
        }
        let mut report = Report { work_logs, timesheets, unreadable, rounded, ..Report::default() };
        report.adopted = self.adopt(&findings, &known, progress).await?;
        report.work_logs_queued = self.enqueue(&findings, progress).await?;
        crash::point("sweep half way");
        let orphans = findings.iter_mut().filter(|finding| finding.action == Action::Delete);
        let orphans: Vec<&mut Finding> = orphans.filter(|finding| finding.held.is_none()).collect();
        progress.phase("deleting timesheets without work log", Some(orphans.len()));
        let mut failures = 0;
        for finding in orphans {
            go_on(progress)?;
            let Some(id) = finding.timesheets.first().copied() else { continue };
            match self.delete_orphan(id, &known, progress).await {
                Ok(Removal::Deleted) => {
                    report.deleted += 1;
                    progress.deleted(finding);
                }
                Ok(Removal::Queued(work_log)) => {
                    report.work_logs_queued.insert(work_log);
                }
                Ok(Removal::Kept) => finding.held = Some(Hold::Claimed),
                Ok(Removal::Exported) => finding.held = Some(Hold::Exported),
                Err(Failure::Kimai(fault)) if fault.fault == Fault::Permanent => {
                    warn!(kimai.id = %id, "Timesheet {id} has no work log but stays: {fault}");
                    progress.fault(format!("Timesheet {id} of {period} has no work log but stays: {fault}"));
                    finding.held = Some(Hold::Refused);
                }
                // One that fails affects only itself; if all do, the cause is not in the timesheets.
                Err(failure) if failures + 1 < FAILURES_IN_A_ROW && !is_shut(&failure) => {
                    progress.fault(format!("Timesheet {id} was not deleted: {failure}"));
                    finding.held = Some(Hold::Refused);
                    failures += 1;
                    continue;
                }
                Err(failure) => return Err(failure),
            }
            failures = 0;
            progress.advance(1);
        }
        report.queued = report.work_logs_queued.len();
        report.held = findings.iter().filter(|finding| finding.held.is_some()).count();
        report.findings = findings;
        Ok(report)
    }

    /// Gives work logs the timesheets that hold just what they say. What has got one since needs none.
    async fn adopt(
        &self,
        findings: &[Finding],
        known: &[EntryId],
        progress: &Progress,
    ) -> Result<usize, Failure> {
        let adoptions: Vec<Adoption<'_>> = findings.iter().filter_map(Adoption::of).collect();
        let ids: Vec<EntryId> = adoptions.iter().map(|adoption| adoption.id).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let owners = self.ledger.owners(&ids).await?;
        self.give_up(&ids).await?;
        // A run may be deleting one for its own work log, or have done so since the list was read.
        self.barrier(progress).await?;
        let (linked, remains) =
            (self.visibility.linked(&ids, known).await?, self.work_logs.tombstones(&ids).await?);
        let mut adopted = 0;
        for Adoption { work_log, id, wanted, found } in adoptions {
            let seen = unless_cancelled(progress, async { Ok(self.kimai.timesheet(id).await?) }).await?;
            let left =
                remains.get(&id).is_some_and(|left| left.iter().any(|of| is_ours(of, owners.get(&id))));
            let is_nobodys = !linked.contains_key(&id) && !left;
            if !is_nobodys || seen.as_ref().map(ObservedEntry::from) != Some(found) {
                continue;
            }
            if self.ledger.adopt(work_log, id, wanted, found).await? {
                info!(%work_log, kimai.id = %id, "<{work_log}> takes timesheet {id}, which holds what it says and is nobody's");
                adopted += 1;
            }
        }
        Ok(adopted)
    }

    /// Forgets whom `ids` were made for, where that is gone and nothing is to be done about it: no delta told of it.
    /// Runs that still remember it have to end before another work log takes its timesheet.
    async fn give_up(&self, ids: &[EntryId]) -> Result<(), Failure> {
        let owners = self.ledger.owners(ids).await?;
        for (id, owner) in owners.into_iter().filter(|_| !mutated(Mutant::GoneOwnerKeeps)) {
            let is_gone = self.visibility.facts(&owner).await?.kind(&owner) != Kind::WorkLog;
            // A delta may have told of it before it showed: then the next look has it deleted.
            let is_awaited = self.queue.entry(&owner).await?.is_some() || self.queue.has_look(&owner).await?;
            if is_gone && !is_awaited {
                self.ledger.give_up(&owner, id).await?;
            }
        }
        Ok(())
    }

    /// Queues all affected work logs, and returns them.
    async fn enqueue(
        &self,
        findings: &[Finding],
        progress: &Progress,
    ) -> Result<BTreeSet<WorkLogUri>, Failure> {
        let known = self.queue.page(Filter::EXPORTED, None, usize::MAX).await?.into_iter();
        let known: BTreeSet<WorkLogUri> = known.map(|entry| entry.work_log).collect();
        let concerned = |finding: &&Finding| match finding.held {
            None | Some(Hold::Claimed) => true,
            // Its hours are right, and its day stays as it is.
            Some(Hold::Exported) if finding.kind == finding::Kind::WrongDay => false,
            // Parked with both values, once: another run would find the same.
            Some(Hold::Exported) => {
                finding.work_log.as_ref().is_some_and(|work_log| !known.contains(work_log))
            }
            Some(_) => false,
        };
        let work_logs: BTreeSet<&WorkLogUri> =
            findings.iter().filter(concerned).filter_map(|finding| finding.work_log.as_ref()).collect();
        let work_logs: Vec<WorkLogUri> = work_logs.into_iter().cloned().collect();
        progress.phase("queueing the work logs that differ", Some(work_logs.len()));
        let adopted: BTreeSet<&WorkLogUri> = findings
            .iter()
            .filter(|finding| finding.action == Action::Adopt)
            .filter_map(|finding| finding.work_log.as_ref())
            .collect();
        for batch in work_logs.chunks(BATCH) {
            go_on(progress)?;
            // Kimai holds something else than we think, but for what was adopted as it is.
            let doubtful = batch.iter().filter(|work_log| !adopted.contains(work_log)).cloned().collect();
            self.ledger.doubt(doubtful).await?;
            self.queue.put(batch, Reason::Sweep, self.clock.now()).await?;
            progress.advance(batch.len());
        }
        Ok(work_logs.into_iter().collect())
    }

    async fn delete_orphan(
        &self,
        id: EntryId,
        known: &[EntryId],
        progress: &Progress,
    ) -> Result<Removal, Failure> {
        if mutated(Mutant::SweepLooksOnce) {
            self.kimai.delete(id).await?;
            return Ok(Removal::Deleted);
        }
        self.remove(id, known, progress).await
    }

    pub(super) async fn remove(
        &self,
        id: EntryId,
        known: &[EntryId],
        progress: &Progress,
    ) -> Result<Removal, Failure> {
        self.barrier(progress).await?;
        if let Some(loss) = self.losses.current().await? {
            return Err(Failure::KimaiLostData(loss));
        }
        // Only requests and local records: a cancelled sweep need not wait for the responses.
        if let Some(kept) = unless_cancelled(progress, self.keeps(id, known)).await? {
            return Ok(kept);
        }
        let owner = self.ledger.owner(id).await?;
        self.ledger.doubt(owner.iter().cloned().collect()).await?;
        match exported::delete(&*self.kimai, id, !self.limits.overwrite_exported).await? {
            Deletion::Deleted => {
                info!(kimai.id = %id, "Deleted timesheet {id}, which no work log is linked to");
            }
            Deletion::Gone => {}
            Deletion::Exported(_) => return Ok(Removal::Exported),
        }
        // Not before: a timesheet that could not be deleted is still its own.
        if let Some(owner) = &owner {
            self.ledger.forget(owner).await?;
        }
        Ok(Removal::Deleted)
    }

    /// Waits for the end of the runs in flight.
    async fn barrier(&self, progress: &Progress) -> Result<(), Failure> {
        unless_cancelled(progress, async {
            self.workers.barrier().await;
            Ok(())
        })
        .await
    }

    /// What prevents the deletion of the timesheet `id` now, if anything does.
    async fn keeps(&self, id: EntryId, known: &[EntryId]) -> Result<Option<Removal>, Failure> {
        if !self.visibility.linked(&[id], known).await?.is_empty() {
            return Ok(Some(Removal::Kept));
        }
        // In a statement of its own: what leaves out rows leaves out some of many.
        let alone = !mutated(Mutant::RowsAreBelieved) && !known.is_empty();
        if alone && !self.visibility.linked(&[id], &[]).await?.is_empty() {
            let why = format!("it shows no work log of timesheet {id} among others, and one alone");
            return Err(SourceFault::Incomplete(why).into());
        }
        let owner = self.ledger.owner(id).await?;
        let mut remains = self.work_logs.tombstones(&[id]).await?.into_values().flatten();
        if let Some(work_log) = remains.find(|of| is_ours(of, owner.as_ref())) {
            self.queue.put(std::slice::from_ref(&work_log), Reason::Sweep, self.clock.now()).await?;
            return Ok(Some(Removal::Queued(work_log)));
        }
        if let Some(claimant) = self.claimant(id).await? {
            self.queue.put(&[claimant], Reason::Sweep, self.clock.now()).await?;
            return Ok(Some(Removal::Kept));
        }
        if let Some(owner) = &self.ledger.owner(id).await?
            && self.visibility.facts(owner).await?.kind(owner) == Kind::WorkLog
        {
            self.queue.put(std::slice::from_ref(owner), Reason::Sweep, self.clock.now()).await?;
            return Ok(Some(Removal::Kept));
        }
        Ok(None)
    }

    /// The work log whose creation with a lost answer may have led to this timesheet. Asked for before the
    /// owner: a run that finds it records the owner as it closes the intent.
    async fn claimant(&self, id: EntryId) -> Result<Option<WorkLogUri>, Failure> {
        let intents = self.ledger.intents().await?;
        if intents.is_empty() || mutated(Mutant::SweepIgnoresIntents) {
            return Ok(None);
        }
        let Some(timesheet) = self.kimai.timesheet(id).await? else { return Ok(None) };
        self.claims(&intents, id, &(&timesheet).into()).await
    }

    /// The same, of these creations. What lies below the mark of one may be its timesheet only where the newest one
    /// does too: that Kimai gives out ids again, as after an older backup was restored.
    pub(super) async fn claims(
        &self,
        intents: &[(WorkLogUri, Intent)],
        id: EntryId,
        found: &ObservedEntry,
    ) -> Result<Option<WorkLogUri>, Failure> {
        let order = self.kimai.capabilities().order;
        let like = |intent: &Intent| Intent { high_water: None, ..*intent }.could_be(id, order, found);
        if let Some((work_log, _)) = intents.iter().find(|(_, intent)| intent.could_be(id, order, found)) {
            return Ok(Some(work_log.clone()));
        }
        if !order.reissues() {
            return Ok(None);
        }
        let Some((work_log, intent)) = intents.iter().find(|(_, intent)| like(intent)) else {
            return Ok(None);
        };
        let reissued = self.kimai.newest().await? < intent.high_water;
        Ok(reissued.then(|| work_log.clone()))
    }
}

/// A work log, and the timesheet that it is to take.
struct Adoption<'a> {
    work_log: &'a WorkLogUri,
    id: EntryId,
    wanted: DesiredEntry,
    found: ObservedEntry,
}

impl<'a> Adoption<'a> {
    fn of(finding: &'a Finding) -> Option<Self> {
        if finding.action != Action::Adopt {
            return None;
        }
        let (work_log, id) = (finding.work_log.as_ref()?, *finding.timesheets.first()?);
        Some(Self { work_log, id, wanted: finding.wanted?, found: finding.found? })
    }
}

/// Whether no other call would succeed either.
fn is_shut(failure: &Failure) -> bool {
    match failure {
        Failure::Kimai(fault) => matches!(fault.fault, Fault::Unauthorised | Fault::Limited(_)),
        Failure::Triplestore(_) => false,
        _ => true,
    }
}
