//! A Kimai that has lost timesheets: every affected link of any day is a finding, all of them wait for confirmation,
//! and the confirmation rebuilds the links.

use std::collections::BTreeSet;

use tracing::{error, info};

use super::Sweeper;
use crate::domain::finding::{Action, Finding, Hold, Kind};
use crate::domain::{EntryId, WorkLogUri};
use crate::queue::Reason;
use crate::reconcile::retry::Failure;

/// Links to timesheets that Kimai has lost.
pub(super) type Void = Vec<(WorkLogUri, EntryId)>;

impl Sweeper {
    /// Adds to `findings` what Kimai has lost, of any day, in place of what was found about these work logs otherwise.
    /// Gives their links; none when nothing is lost.
    pub(super) async fn lost(&self, findings: &mut Vec<Finding>) -> Result<Option<Void>, Failure> {
        let Some(loss) = self.losses.current().await? else { return Ok(None) };
        let links = self.losses.links(&loss, usize::MAX).await?;
        let whose: BTreeSet<&WorkLogUri> = links.iter().map(|link| &link.work_log).collect();
        findings.retain(|finding| finding.work_log.as_ref().is_none_or(|work_log| !whose.contains(work_log)));
        let void = links.iter().map(|link| (link.work_log.clone(), link.id)).collect();
        findings.extend(links.into_iter().map(|link| Finding {
            kind: Kind::Gone,
            work_log: Some(link.work_log),
            timesheets: vec![link.id],
            wanted: link.wanted,
            found: link.found,
            reason: link.reason,
            action: Action::Settle,
            held: None,
        }));
        Ok(Some(void))
    }

    /// Holds back all changes to a Kimai that has lost timesheets.
    pub(super) fn hold_all(&self, findings: &mut [Finding]) {
        for finding in findings.iter_mut().filter(|finding| finding.held.is_none()) {
            finding.held = Some(Hold::KimaiLostData);
        }
        let lost = findings.iter().filter(|finding| finding.kind == Kind::Gone).count();
        if let Some(loss) = self.ledger.loss() {
            error!("{loss}. It took the timesheets of {lost} links; this sweep does nothing.");
        }
    }

    /// From now on each of these work logs gets a new timesheet, and creation resumes.
    pub(super) async fn rebuild(&self, void: Void) -> Result<(), Failure> {
        self.workers.barrier().await;
        let work_logs: Vec<WorkLogUri> = void.iter().map(|(work_log, _)| work_log.clone()).collect();
        info!("Rebuilding the links to {} timesheets that Kimai has lost", void.len());
        // Queued first, so that after a kill in between they still wait.
        self.queue.put(&work_logs, Reason::Sweep, self.clock.now()).await?;
        Ok(self.ledger.rebuild(void).await?)
    }
}
