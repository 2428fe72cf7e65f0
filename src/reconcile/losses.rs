//! Whether a Kimai that reuses IDs has lost anything of ours, and which links are affected.
//!
//! A reused ID proves that Kimai was restored from a backup. The triplestore shows whether timesheets of existing work
//! logs were lost with it. If none were, as in a stack whose triplestore was restored too, there is nothing to rebuild
//! and work continues.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{error, info};

use super::retry::Failure;
use super::visibility::Visibility;
use crate::clock::Clock;
use crate::domain::diff::ObservedEntry;
use crate::domain::loss::Loss;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::{Directory, Facts, resolve};
use crate::domain::{EntryId, Watermark, WorkLogUri};
use crate::store::Ledger;
use crate::trackers::Tracker;
use crate::work_logs::WorkLogs;

/// How often to check again whether anything is lost: somebody may have repaired it elsewhere.
const LOOK_AGAIN: Duration = Duration::from_mins(5);

/// A work log whose timesheet Kimai has lost.
#[derive(Debug, Clone)]
pub(super) struct LostLink {
    pub(super) work_log: WorkLogUri,
    pub(super) id: EntryId,
    /// The timesheet that the work log should have, if it is complete.
    pub(super) wanted: Option<DesiredEntry>,
    /// The timesheet that has its ID now.
    pub(super) found: Option<ObservedEntry>,
    /// What happened to it, in words.
    pub(super) reason: String,
}

/// Investigates losses.
pub(super) struct Losses {
    work_logs: Arc<dyn WorkLogs>,
    kimai: Arc<dyn Tracker>,
    ledger: Arc<dyn Ledger>,
    visibility: Visibility,
    clock: Clock,
    /// The loss that was last investigated, and when. Locked during an investigation.
    looked: Mutex<Option<(Loss, Instant)>>,
}

impl Losses {
    pub(super) fn new(
        work_logs: &Arc<dyn WorkLogs>,
        kimai: &Arc<dyn Tracker>,
        ledger: &Arc<dyn Ledger>,
        clock: &Clock,
    ) -> Self {
        Self {
            work_logs: Arc::clone(work_logs),
            kimai: Arc::clone(kimai),
            ledger: Arc::clone(ledger),
            visibility: Visibility::new(Arc::clone(work_logs)),
            clock: clock.clone(),
            looked: Mutex::default(),
        }
    }

    /// What Kimai has lost, if that concerns any work log.
    pub(super) async fn current(&self) -> Result<Option<Loss>, Failure> {
        if self.ledger.loss().is_none() {
            return Ok(None);
        }
        let mut looked = self.looked.lock().await;
        let Some(loss) = self.ledger.loss() else { return Ok(None) };
        if looked.as_ref().is_some_and(|(known, at)| *known == loss && at.elapsed() < LOOK_AGAIN) {
            return Ok(Some(loss));
        }
        if self.links(&loss, 1).await?.is_empty() {
            info!(
                "Kimai gives out ids again from {} on, but no work log has lost its timesheet; going on",
                loss.reissued
            );
            self.ledger.end_loss().await?;
            return Ok(None);
        }
        error!("{loss}.");
        *looked = Some((loss, Instant::now()));
        Ok(Some(loss))
    }

    /// The work logs whose timesheets are lost by `loss`, at least `enough` of them if there are that many. Fails if
    /// the triplestore shows nothing at all.
    pub(super) async fn links(&self, loss: &Loss, enough: usize) -> Result<Vec<LostLink>, Failure> {
        let newest = self.kimai.newest().await?;
        let (mut found, mut any) = (Vec::new(), false);
        for ids in loss.chunks() {
            let linked = self.work_logs.linked(&ids).await?;
            if linked.is_empty() {
                continue;
            }
            any = true;
            found.extend(self.lost_among(&ids, linked, newest).await?);
            if found.len() >= enough {
                break;
            }
        }
        if !any {
            self.visibility.linked(&[loss.reissued], &[]).await?;
        }
        Ok(found)
    }

    async fn lost_among(
        &self,
        ids: &[EntryId],
        linked: BTreeMap<EntryId, Vec<WorkLogUri>>,
        newest: Option<Watermark>,
    ) -> Result<Vec<LostLink>, Failure> {
        let owners = self.ledger.owners(ids).await?;
        let links = linked.into_iter().flat_map(|(id, work_logs)| {
            work_logs.into_iter().map(move |work_log| (id, work_log)).collect::<Vec<_>>()
        });
        // The records about these IDs are newer than the loss.
        let doubtful: Vec<(EntryId, WorkLogUri)> =
            links.filter(|(id, work_log)| owners.get(id) != Some(work_log)).collect();
        let subjects: Vec<WorkLogUri> = doubtful.iter().map(|(_, work_log)| work_log.clone()).collect();
        let facts = self.work_logs.facts_of(&subjects).await?;
        let directory = self.work_logs.directory(&facts.values().collect::<Vec<_>>()).await?;
        let (mut lost, order) = (Vec::new(), self.kimai.capabilities().order);
        for (id, work_log) in doubtful {
            let wanted = facts.get(&work_log).and_then(|facts| self.wanted(facts, &directory));
            let found = match newest {
                Some(newest) if order.position(id).is_some_and(|position| position <= newest) => {
                    self.kimai.timesheet(id).await?
                }
                _ => None,
            };
            let found = found.as_ref().map(ObservedEntry::from);
            let reason = match (owners.get(&id), &found, &wanted) {
                (Some(other), ..) => format!("Kimai lost timesheet {id}; the id belongs to <{other}> now"),
                (None, None, _) => format!("Kimai lost timesheet {id}"),
                (None, Some(found), Some(wanted)) if !found.holds(wanted) => {
                    format!("Kimai lost timesheet {id}; another one has its id now")
                }
                _ => continue,
            };
            lost.push(LostLink { work_log, id, wanted, found, reason });
        }
        Ok(lost)
    }

    fn wanted(&self, facts: &Facts, directory: &Directory) -> Option<DesiredEntry> {
        let work_log = resolve(facts, directory).ok()?;
        DesiredEntry::of(&work_log, self.clock.zone()).ok()
    }
}
