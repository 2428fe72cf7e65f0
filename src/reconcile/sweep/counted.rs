//! What Kimai counts for the work logs of a period, and on which day.

use std::collections::BTreeSet;

use super::Sweeper;
use super::classify::settle;
use super::snapshot::Snapshot;
use crate::domain::WorkLogUri;
use crate::domain::finding::{Finding, Hold, Kind};
use crate::domain::hours::{RoundedMonth, RoundedMonths};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::reconcile::retry::Failure;

impl Sweeper {
    /// Finds the timesheets that Kimai books on another day in its reports, by what it answered when it set the day:
    /// no list shows that. What differs otherwise is in `findings` already, and sent again anyway.
    pub(super) async fn off_days(
        &self,
        snapshot: &Snapshot,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        let off = self.ledger.off_days().await?;
        if off.is_empty() || mutated(Mutant::NothingIsRenewed) {
            return Ok(());
        }
        let told = told(findings);
        let mut found = Vec::new();
        for (work_log, (id, shift)) in &off {
            let Some(side) = snapshot.work_logs.get(work_log).filter(|_| !told.contains(work_log)) else {
                continue;
            };
            let (Ok(wanted), Some(timesheet)) = (&side.wanted, snapshot.timesheets.get(id)) else { continue };
            let day = wanted.day(self.clock.zone());
            let Ok(booked) = day.checked_add(jiff::ToSpan::days(*shift)) else { continue };
            if side.ids == [*id] {
                let why = format!("Kimai books it on {booked} in its reports, the work log says {day}");
                // It may be on an invoice for that day.
                let held = timesheet.exported.then_some(Hold::Exported);
                found.push(Finding { held, ..settle(snapshot, Kind::WrongDay, work_log, &[*id], why) });
            }
        }
        findings.extend(found);
        Ok(())
    }

    /// What Kimai rounded in what is right, by month.
    pub(super) fn rounded(&self, snapshot: &Snapshot, findings: &[Finding]) -> Vec<RoundedMonth> {
        let differ = told(findings);
        let mut months = RoundedMonths::default();
        for (work_log, side) in &snapshot.work_logs {
            let (Ok(wanted), [id]) = (&side.wanted, side.ids.as_slice()) else { continue };
            let Some(timesheet) = snapshot.timesheets.get(id) else { continue };
            if i64::from(timesheet.found.duration) != wanted.seconds() && !differ.contains(work_log) {
                months.add(wanted.day(self.clock.zone()), &timesheet.found, wanted);
            }
        }
        months.months()
    }
}

/// The work logs that something was found of.
fn told(findings: &[Finding]) -> BTreeSet<WorkLogUri> {
    findings.iter().filter_map(|finding| finding.work_log.clone()).collect()
}
