//! Guards that hold deletions back.

use std::collections::BTreeSet;

use tracing::{error, warn};

use super::snapshot::{Snapshot, window};
use super::{Period, Sweeper};
use crate::domain::EntryId;
use crate::domain::finding::{self, Finding, Hold, Kind, Unconfirmed};
use crate::reconcile::retry::Failure;
use crate::trackers::EntryFilter;

impl Sweeper {
    /// Marks the deletions among `findings` that must not be done, and everything where Kimai has `lost` timesheets.
    /// What was confirmed is set free if it is just what waits for confirmation now.
    pub(super) async fn hold(
        &self,
        period: Period,
        snapshot: &Snapshot,
        confirmed: Option<&Unconfirmed>,
        lost: bool,
        findings: &mut [Finding],
    ) -> Result<(), Failure> {
        let waits = |finding: &Finding| finding.deletes() && finding.held.is_none();
        if !lost && !findings.iter().any(waits) {
            return Ok(());
        }
        let recent = self.recent(period, findings).await?;
        for finding in findings.iter_mut().filter(|finding| waits(finding)) {
            let timesheet = finding.timesheets.first().and_then(|id| snapshot.timesheets.get(id));
            let orphan = finding.kind == Kind::Orphan;
            finding.held = match () {
                // What is left of deleted work logs shows that the triplestore is seen.
                () if orphan && snapshot.work_logs.is_empty() && !snapshot.timesheets.is_empty() => {
                    Some(Hold::NoWorkLogs)
                }
                () if timesheet.is_some_and(|timesheet| timesheet.exported)
                    && !self.limits.overwrite_exported =>
                {
                    Some(Hold::Exported)
                }
                () if orphan && !self.limits.delete_orphans => Some(Hold::TurnedOff),
                () if orphan && finding.timesheets.iter().any(|id| recent.contains(id)) => Some(Hold::Recent),
                () => None,
            };
        }
        finding::hold_beyond(findings, Kind::Orphan, self.limits.max_deletions, confirmed, lost);
        finding::hold_beyond(findings, Kind::Dangling, self.limits.max_tombstones, confirmed, lost);
        if lost {
            self.hold_all(findings);
        }
        if confirmed.is_some_and(|confirmed| *confirmed == Unconfirmed::of(findings)) {
            let free = [Some(Hold::Unconfirmed), Some(Hold::KimaiLostData)];
            for finding in findings.iter_mut().filter(|finding| free.contains(&finding.held)) {
                finding.held = None;
            }
        }
        self.tell_held(period, findings);
        Ok(())
    }

    /// The orphans that were changed in Kimai a moment ago, or may have been: somebody may be editing them.
    async fn recent(&self, period: Period, findings: &[Finding]) -> Result<BTreeSet<EntryId>, Failure> {
        let waits = |finding: &&Finding| finding.kind == Kind::Orphan && finding.held.is_none();
        let orphans: Vec<EntryId> =
            findings.iter().filter(waits).flat_map(|finding| finding.timesheets.iter().copied()).collect();
        if orphans.is_empty() || self.limits.grace.is_zero() || !self.limits.delete_orphans {
            return Ok(BTreeSet::new());
        }
        let since = self.clock.wall().checked_sub(self.limits.grace).unwrap_or(self.clock.wall());
        let filter = EntryFilter { modified_after: Some(since), ..window(period) };
        let listed = self.kimai.timesheets(&filter).await?;
        let changed: BTreeSet<EntryId> = listed.timesheets.iter().map(|timesheet| timesheet.id).collect();
        Ok(orphans.into_iter().filter(|id| changed.contains(id) || listed.may_lack(*id)).collect())
    }

    fn tell_held(&self, period: Period, findings: &[Finding]) {
        let count = |hold| findings.iter().filter(|finding| finding.held == Some(hold)).count();
        let kimai = "timesheets of Kimai have no work log";
        match count(Hold::NoWorkLogs) {
            0 => {}
            held => error!(
                "The triplestore has no work log at all from {period}, and {held} {kimai}. None is deleted: is \
                 the triplestore complete? kimai-sync doctor says whether it hides something"
            ),
        }
        let unconfirmed = |kind| {
            let of_kind =
                |finding: &&Finding| finding.held == Some(Hold::Unconfirmed) && finding.kind == kind;
            findings.iter().filter(of_kind).count()
        };
        let bounds = [
            (Kind::Orphan, kimai, "SWEEP_MAX_DELETIONS", self.limits.max_deletions),
            (
                Kind::Dangling,
                "deleted work logs have left their link to a timesheet",
                "SWEEP_MAX_TOMBSTONES",
                self.limits.max_tombstones,
            ),
        ];
        for (kind, what, setting, most) in bounds {
            match unconfirmed(kind) {
                0 => {}
                _ if self.ledger.loss().is_some() => {}
                held => error!(
                    "From {period} {held} {what}, {}. None of these timesheets is deleted. Look at them with \
                     POST /sync-to-kimai/work-logs?dry-run=true, and confirm with the key it gives.",
                    if held > most {
                        format!("more than {setting} ({most})")
                    } else {
                        "and they are not those that were confirmed".to_owned()
                    }
                ),
            }
        }
        match count(Hold::Exported) {
            0 => {}
            held => warn!("From {period} {held} {kimai} but are exported there; they are kept."),
        }
    }
}
