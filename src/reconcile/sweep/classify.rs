//! Examines the differences: each gets its kind, its reason and its action.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};

use super::lost::Void;
use super::snapshot::{Snapshot, begins_in};
use super::{Period, Sweeper, go_on};
use crate::domain::diff::{Comparison, ObservedEntry, TimesheetSide, compare, keeper};
use crate::domain::exported::both_values;
use crate::domain::finding::{Action, Finding, Hold, Kind, Unconfirmed};
use crate::domain::hours::RoundedMonth;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::progress::Progress;
use crate::reconcile::retry::Failure;
use crate::trackers::TimeEntry;
use crate::trackers::{Fault, TrackerFault};
use crate::triplestore::pages::{ROUNDS, disagree};
use crate::work_logs::SourceFault;

/// How many links of the period are asked for along with those that are in doubt.
const WITNESSES: usize = 10;
/// Timesheets asked for by id at a time.
const LOOKS_AT_ONCE: usize = 4;

/// The classified period.
pub(super) struct Classified {
    pub(super) work_logs: usize,
    /// How many work logs the triplestore counted before it gave them.
    counted: usize,
    pub(super) timesheets: usize,
    /// Rows of Kimai's list that could not be read.
    pub(super) unreadable: usize,
    /// What Kimai rounded.
    pub(super) rounded: Vec<RoundedMonth>,
    pub(super) findings: Vec<Finding>,
    /// Who keeps a timesheet to which several are linked, and which of several a work log keeps.
    pub(super) kept: Vec<(WorkLogUri, EntryId)>,
    /// Links of the period, to be asked for along with those in doubt: a triplestore that shows none of
    /// them shows nothing.
    pub(super) known: Vec<EntryId>,
    /// Links that Kimai has lost and that are to be rebuilt now.
    pub(super) rebuild: Option<Void>,
}

impl Sweeper {
    /// Looks into a period. Before anything is to be deleted for want of a work log, the triplestore counts them once
    /// more: it has to have given as many as it counts, or, while people work, a number between the two counts. As long
    /// as it has not, something may leave out rows.
    pub(super) async fn classify(
        &self,
        period: Period,
        confirmed: Option<&Unconfirmed>,
        progress: &Progress,
    ) -> Result<Classified, Failure> {
        let (mut found, mut counted) = (0, 0);
        for _ in 0..ROUNDS {
            let classified = self.examine_once(period, confirmed, progress).await?;
            let deletes = classified.findings.iter().any(|finding| finding.action == Action::Delete);
            if !deletes || mutated(Mutant::RowsAreBelieved) || mutated(Mutant::SweepLooksOnce) {
                return Ok(classified);
            }
            (found, counted) = (classified.work_logs, self.work_logs.count(period.first, period.last).await?);
            let before = classified.counted;
            if found == counted || (before.min(counted)..=before.max(counted)).contains(&found) {
                return Ok(classified);
            }
            go_on(progress)?;
        }
        Err(SourceFault::from(disagree("work logs of the period", found, counted)).into())
    }

    async fn examine_once(
        &self,
        period: Period,
        confirmed: Option<&Unconfirmed>,
        progress: &Progress,
    ) -> Result<Classified, Failure> {
        let snapshot = self.snapshot(period, progress).await?;
        let comparison = compare(&snapshot.work_logs, &snapshot.timesheets);
        // First, since it tells whether the token sees everything.
        let mut findings = self.absent(period, &snapshot, &comparison.absent, progress).await?;
        findings.extend(self.changed(&snapshot, &comparison.changed).await?);
        self.off_days(&snapshot, &mut findings).await?;
        let rounded = self.rounded(&snapshot, &findings);
        let mut kept = self.several(&snapshot, &comparison, &mut findings).await?;
        for work_log in &comparison.incomplete {
            let why = snapshot.work_logs.get(work_log).and_then(|side| side.wanted.clone().err());
            findings.push(settle(&snapshot, Kind::Incomplete, work_log, &[], why.unwrap_or_default()));
        }
        let known: Vec<EntryId> =
            snapshot.work_logs.values().flat_map(|side| side.ids.iter().copied()).take(WITNESSES).collect();
        self.loose(&snapshot, &comparison, &known, &mut findings).await?;
        self.dangling(&snapshot, &mut findings, progress).await?;
        go_on(progress)?;
        let lost = self.lost(&mut findings).await?;
        self.hold(period, &snapshot, confirmed, lost.is_some(), &mut findings).await?;
        let held = findings.iter().any(|finding| finding.held == Some(Hold::KimaiLostData));
        if held {
            kept.clear();
        }
        let rebuild = lost.filter(|_| confirmed.is_some() && !held);
        let (work_logs, timesheets) = (snapshot.work_logs.len(), snapshot.timesheets.len());
        Ok(Classified {
            work_logs,
            counted: snapshot.counted,
            timesheets,
            unreadable: snapshot.odd.count,
            rounded,
            findings,
            kept,
            known,
            rebuild,
        })
    }

    /// Links to timesheets that the list does not have. Each is requested by ID before it counts as gone.
    async fn absent(
        &self,
        period: Period,
        snapshot: &Snapshot,
        absent: &[(WorkLogUri, EntryId)],
        progress: &Progress,
    ) -> Result<Vec<Finding>, Failure> {
        // What may be on a page that could not be read is not worth a question each.
        let absent: Vec<_> = absent.iter().filter(|(_, id)| !snapshot.may_lack(*id)).cloned().collect();
        progress.phase("looking for timesheets that are not in the list", Some(absent.len()));
        let looks = absent.into_iter().map(async |(work_log, id)| {
            let seen = self.kimai.timesheet(id).await;
            (work_log, id, seen)
        });
        let mut looks = stream::iter(looks).buffered(LOOKS_AT_ONCE);
        let mut findings = Vec::new();
        while let Some((work_log, id, seen)) = looks.next().await {
            go_on(progress)?;
            progress.advance(1);
            match seen {
                Ok(seen) => findings.extend(self.seen(period, snapshot, &work_log, id, seen)),
                Err(fault) => unseen(&work_log, id, fault, progress)?,
            }
        }
        Ok(findings)
    }

    fn seen(
        &self,
        period: Period,
        snapshot: &Snapshot,
        work_log: &WorkLogUri,
        id: EntryId,
        timesheet: Option<TimeEntry>,
    ) -> Option<Finding> {
        let Some(timesheet) = timesheet else {
            let why = format!("Kimai has no timesheet {id} any more");
            return Some(settle(snapshot, Kind::Gone, work_log, &[id], why));
        };
        let wanted = snapshot.work_logs.get(work_log)?.wanted.as_ref().ok()?;
        let found = ObservedEntry::from(&timesheet);
        let inside = begins_in(&timesheet, period, self.clock.zone());
        // One that was made since the list was read is right.
        (!inside || !found.holds(wanted)).then(|| {
            let kind = if inside { changed_kind(&found, wanted) } else { Kind::Moved };
            let exported = timesheet.exported && !found.holds(wanted);
            let side = TimesheetSide { found, exported };
            self.differs(settle(snapshot, kind, work_log, &[id], String::new()), side, wanted)
        })
    }

    /// Those whose timesheet holds something else, and not just what Kimai made of what was sent last.
    async fn changed(&self, snapshot: &Snapshot, changed: &[WorkLogUri]) -> Result<Vec<Finding>, Failure> {
        let remembered = self.ledger.remembered(changed).await?;
        let differs = changed.iter().filter_map(|work_log| {
            let side = snapshot.work_logs.get(work_log)?;
            let (id, wanted) = (*side.ids.first()?, side.wanted.as_ref().ok()?);
            let timesheet = *snapshot.timesheets.get(&id)?;
            let found = timesheet.found;
            let answered = remembered.get(work_log).is_some_and(|last| {
                last.id == id && found.is_answer_to(wanted, last.pushed.as_ref(), last.held.as_ref())
            });
            let finding = || settle(snapshot, changed_kind(&found, wanted), work_log, &[id], String::new());
            (!answered).then(|| self.differs(finding(), timesheet, wanted))
        });
        Ok(differs.collect())
    }

    /// Several work logs with one timesheet, and several timesheets of one work log. Gives who keeps which.
    async fn several(
        &self,
        snapshot: &Snapshot,
        comparison: &Comparison,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<(WorkLogUri, EntryId)>, Failure> {
        let ids: Vec<EntryId> = comparison.shared.keys().copied().collect();
        let owners = self.ledger.owners(&ids).await?;
        let mut kept = Vec::new();
        let holds = |work_log: &WorkLogUri, id: &EntryId| {
            let wanted = snapshot.work_logs.get(work_log).and_then(|side| side.wanted.as_ref().ok());
            wanted
                .zip(snapshot.timesheets.get(id))
                .is_some_and(|(wanted, timesheet)| timesheet.found.holds(wanted))
        };
        for (id, sharing) in &comparison.shared {
            let keeps = keeper(sharing, owners.get(id), |work_log| holds(work_log, id));
            kept.extend(keeps.map(|keeper| (keeper.clone(), *id)));
            for work_log in sharing {
                let why = match keeps.filter(|keeper| *keeper != work_log) {
                    Some(keeper) => format!(
                        "timesheet {id} also belongs to <{keeper}>, which keeps it; this one gets its own"
                    ),
                    None => format!("timesheet {id} also belongs to others, which get their own"),
                };
                findings.push(settle(snapshot, Kind::SharedLink, work_log, &[*id], why));
            }
        }
        for work_log in &comparison.doubled {
            let Some(side) = snapshot.work_logs.get(work_log) else { continue };
            let there = |id: &&EntryId| snapshot.timesheets.contains_key(id);
            let best = side.ids.iter().find(|id| holds(work_log, id)).or_else(|| side.ids.iter().find(there));
            kept.extend(best.map(|id| (work_log.clone(), *id)));
            let why = match best {
                Some(id) => {
                    format!("it is linked to several timesheets; {id} stays, the others become orphans")
                }
                None => "it is linked to several timesheets".to_owned(),
            };
            findings.push(settle(snapshot, Kind::DoubleLink, work_log, &side.ids, why));
        }
        Ok(kept)
    }

    /// Reports deleted work logs that still have their link. One exported timesheet holds back all of its work log:
    /// they are deleted together.
    async fn dangling(
        &self,
        snapshot: &Snapshot,
        findings: &mut Vec<Finding>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let told: BTreeSet<WorkLogUri> =
            findings.iter().filter_map(|finding| finding.work_log.clone()).collect();
        let mut remains = snapshot.remains.clone();
        remains.retain(|work_log, _| !told.contains(work_log));
        progress.phase("looking at what is left of deleted work logs", Some(remains.len()));
        let looks = remains.into_iter().map(async |(work_log, ids)| {
            let exported = self.first_exported(snapshot, &ids).await;
            (work_log, ids, exported)
        });
        let mut looks = stream::iter(looks).buffered(LOOKS_AT_ONCE);
        while let Some((work_log, ids, exported)) = looks.next().await {
            go_on(progress)?;
            progress.advance(1);
            match exported {
                Ok(exported) => {
                    let mut why = "the work log was deleted, and its link is left".to_owned();
                    if let Some((id, found)) = &exported {
                        let both = both_values(found, None, self.clock.zone());
                        why = format!("{why}; timesheet {id}: {both}");
                    }
                    let held = exported.map(|_| Hold::Exported);
                    findings.push(Finding { held, ..settle(snapshot, Kind::Dangling, &work_log, &ids, why) });
                }
                Err((id, fault)) => unseen(&work_log, id, fault, progress)?,
            }
        }
        Ok(())
    }
}

pub(super) fn settle(
    snapshot: &Snapshot,
    kind: Kind,
    work_log: &WorkLogUri,
    ids: &[EntryId],
    reason: String,
) -> Finding {
    Finding {
        kind,
        work_log: Some(work_log.clone()),
        timesheets: ids.to_vec(),
        wanted: snapshot.work_logs.get(work_log).and_then(|side| side.wanted.as_ref().ok().copied()),
        found: ids.first().and_then(|id| snapshot.timesheets.get(id)).map(|timesheet| timesheet.found),
        reason,
        action: Action::Settle,
        held: None,
    }
}

/// What differs in `found`, which is not what `wanted` says: hours that became none have their own kind.
fn changed_kind(found: &ObservedEntry, wanted: &DesiredEntry) -> Kind {
    let rest = ObservedEntry { duration: ObservedEntry::from(*wanted).duration, ..*found };
    if found.is_nothing_of(wanted) && rest.holds(wanted) { Kind::ZeroHours } else { Kind::Changed }
}

/// What it means that a timesheet could not be looked at: that it is left alone, or that no other can be seen
/// either.
fn unseen(
    work_log: &WorkLogUri,
    id: EntryId,
    fault: TrackerFault,
    progress: &Progress,
) -> Result<(), Failure> {
    match fault.fault {
        Fault::Permanent => return Err(out_of_sight(work_log, id, &fault)),
        Fault::Unauthorised => return Err(fault.into()),
        _ => progress.fault(format!("Timesheet {id} of <{work_log}> was left alone: {fault}")),
    }
    Ok(())
}

/// Kimai's list does not show what it leaves out; a request by ID does.
fn out_of_sight(work_log: &WorkLogUri, id: EntryId, fault: &TrackerFault) -> Failure {
    Failure::OutOfSight(format!(
        "the API token does not see timesheet {id} of <{work_log}> ({fault}), so it may not see others either. \
         Nothing was changed. Give the token's user a role that sees everybody's timesheets (ROLE_ADMIN, or \
         ROLE_SUPER_ADMIN, which the import of accounts needs anyway)"
    ))
}
