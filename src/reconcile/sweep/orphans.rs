//! Timesheets without a work log, and work logs without a timesheet.

use std::collections::{BTreeMap, BTreeSet};

use super::Sweeper;
use super::classify::settle;
use super::snapshot::Snapshot;
use crate::domain::diff::{Comparison, adoptions};
use crate::domain::finding::{self, Action, Finding, Hold, Kind};
use crate::domain::work_log::Kind as Subject;
use crate::domain::{EntryId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::reconcile::retry::Failure;

impl Sweeper {
    /// Work logs without timesheet and timesheets without work log: each may be the other's.
    pub(super) async fn loose(
        &self,
        snapshot: &Snapshot,
        comparison: &Comparison,
        known: &[EntryId],
        findings: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        let orphans = self.unclaimed(snapshot, &comparison.unlinked, known, findings).await?;
        // What has a timesheet, or may have one, needs none of these.
        let mut provided: BTreeSet<WorkLogUri> =
            self.ledger.remembered(&comparison.missing).await?.into_keys().collect();
        provided.extend(self.ledger.intents().await?.into_iter().map(|(work_log, _)| work_log));
        let wanting: Vec<WorkLogUri> =
            comparison.missing.iter().filter(|work_log| !provided.contains(work_log)).cloned().collect();
        let adopted: BTreeMap<WorkLogUri, EntryId> =
            adoptions(&snapshot.work_logs, &snapshot.timesheets, &wanting, &orphans).into_iter().collect();
        let taken: BTreeSet<EntryId> = adopted.values().copied().collect();
        for work_log in &comparison.missing {
            findings.push(match adopted.get(work_log) {
                Some(id) => {
                    let why = format!("timesheet {id} holds just what it says, and is nobody's");
                    Finding {
                        action: Action::Adopt,
                        ..settle(snapshot, Kind::Adoptable, work_log, &[*id], why)
                    }
                }
                None => settle(snapshot, Kind::Missing, work_log, &[], "it has no timesheet".to_owned()),
            });
        }
        findings.extend(
            orphans.into_iter().filter(|id| !taken.contains(id)).map(|id| orphan(snapshot, id, None)),
        );
        finding::join_links(findings);
        Ok(())
    }

    /// Those of `unlinked` that belong to no work log of any period. The others get their finding.
    async fn unclaimed(
        &self,
        snapshot: &Snapshot,
        unlinked: &[EntryId],
        known: &[EntryId],
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<EntryId>, Failure> {
        let mut loose = unlinked.to_vec();
        if unlinked.is_empty() || mutated(Mutant::SweepLooksOnce) {
            return Ok(loose);
        }
        // What is left of deleted work logs is reported later, each with all its timesheets.
        let left: BTreeSet<&EntryId> = snapshot.remains.values().flatten().collect();
        // Of a triplestore that shows nothing for the period nothing else is believed, see the guards.
        if snapshot.work_logs.is_empty() {
            loose.retain(|id| !left.contains(id));
            return Ok(loose);
        }
        let elsewhere = self.visibility.linked(&loose, known).await?;
        loose.retain(|id| !elsewhere.contains_key(id));
        for (id, work_logs) in elsewhere {
            // A link that was written since the work logs were read is right.
            for work_log in work_logs.iter().filter(|work_log| !snapshot.work_logs.contains_key(work_log)) {
                let why = format!("timesheet {id} begins in the period, its work log is on another day");
                let exported = snapshot.timesheets.get(&id).is_some_and(|timesheet| timesheet.exported);
                let held = (exported && !self.limits.overwrite_exported).then_some(Hold::Exported);
                findings.push(Finding { held, ..settle(snapshot, Kind::Moved, work_log, &[id], why) });
            }
        }
        loose.retain(|id| !left.contains(id));
        let (intents, owners) = (self.ledger.intents().await?, self.ledger.owners(&loose).await?);
        let mut nobodys = Vec::new();
        for id in loose {
            let found = snapshot.timesheets.get(&id).map(|timesheet| timesheet.found);
            let claimant = match found {
                Some(found) if !mutated(Mutant::SweepIgnoresIntents) => {
                    self.claims(&intents, id, &found).await?
                }
                _ => None,
            };
            let owner = match owners.get(&id) {
                Some(owner) if self.visibility.facts(owner).await?.kind(owner) == Subject::WorkLog => {
                    Some(owner)
                }
                _ => None,
            };
            match claimant.as_ref().or(owner) {
                Some(work_log) => findings.push(orphan(snapshot, id, Some(work_log))),
                None => nobodys.push(id),
            }
        }
        Ok(nobodys)
    }
}

/// A timesheet that no work log is linked to; `claimant` may be about to be.
fn orphan(snapshot: &Snapshot, id: EntryId, claimant: Option<&WorkLogUri>) -> Finding {
    Finding {
        kind: Kind::Orphan,
        work_log: claimant.cloned(),
        timesheets: vec![id],
        wanted: None,
        found: snapshot.timesheets.get(&id).map(|timesheet| timesheet.found),
        reason: "no work log is linked to it".to_owned(),
        action: Action::Delete,
        held: claimant.map(|_| Hold::Claimed),
    }
}
