//! Sweeps compare all work logs and timesheets of a period, to find changes without a delta.
//!
//! Read both sides, compare them, examine the differences, hold back unsafe deletions, apply.
//!
//! # Guarantees
//! - Nothing is deleted if the triplestore returns no work logs for the period, nor beyond the limit without
//!   confirmation, nor what is exported, was changed a moment ago, or is or may soon be linked to any work log of any
//!   period. This is checked again right before each deletion.
//! - With a token that does not see everything, nothing is done at all; nor, without confirmation, while Kimai is known
//!   to have lost timesheets.
//! - An entry that is already right costs no extra request.
//!
//! # Assumptions
//! Unless `SWEEP_DELETE_ORPHANS` is off, nobody enters hours in Kimai within a swept period: those have no work log,
//! and are deleted as orphans.

mod apply;
mod classify;
mod counted;
mod exported;
mod guards;
mod lost;
mod orphans;
mod snapshot;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::Date;
use tokio::sync::Mutex;
use tracing::info;

use classify::Classified;

use super::losses::Losses;
use super::retry::Failure;
use super::visibility::Visibility;
use super::worker::Workers;
use crate::clock::Clock;
use crate::domain::finding::{Finding, Unconfirmed};
use crate::domain::hours::RoundedMonth;
use crate::domain::{EntryId, WorkLogUri};
use crate::progress::Progress;
use crate::settings::Limits;
use crate::store::{Ledger, Queue};
use crate::trackers::Tracker;
use crate::work_logs::WorkLogs;
pub(crate) use snapshot::window;

/// Days, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

impl Period {
    /// `day`, and `days` before and after it.
    pub fn around(day: Date, days: i64) -> Self {
        let shifted = |days: i64| day.checked_add(days.days()).unwrap_or(day);
        Self { first: shifted(-days), last: shifted(days) }
    }

    /// Whether `day` is one of them.
    pub fn contains(&self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.first, self.last)
    }
}

/// What a sweep found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Work logs of the period.
    pub work_logs: usize,
    /// Kimai timesheets of the period.
    pub timesheets: usize,
    /// Rows of Kimai's list that could not be read.
    pub unreadable: usize,
    /// Work logs queued, since something about them differed.
    pub queued: usize,
    /// Timesheets that were adopted by a work log.
    pub adopted: usize,
    /// Timesheets without a work log that were deleted.
    pub deleted: usize,
    /// Deletions that were held back by one of the guards.
    pub held: usize,
    /// What Kimai rounded, by month. It does not count as a difference.
    pub rounded: Vec<RoundedMonth>,
    /// Every difference.
    pub findings: Vec<Finding>,
    /// Those that were queued.
    pub work_logs_queued: BTreeSet<WorkLogUri>,
}

/// Sweeps periods, one at a time.
pub struct Sweeper {
    work_logs: Arc<dyn WorkLogs>,
    kimai: Arc<dyn Tracker>,
    queue: Arc<dyn Queue>,
    ledger: Arc<dyn Ledger>,
    visibility: Visibility,
    losses: Losses,
    workers: Arc<Workers>,
    clock: Clock,
    limits: Limits,
    /// Two sweeps at once would do everything twice.
    turn: Mutex<()>,
}

/// The dependencies of a sweeper.
pub struct Parts {
    /// One side.
    pub work_logs: Arc<dyn WorkLogs>,
    /// The other side.
    pub kimai: Arc<dyn Tracker>,
    /// The queue for what differs.
    pub queue: Arc<dyn Queue>,
    /// The ledger, which knows links that are not written yet.
    pub ledger: Arc<dyn Ledger>,
    /// The workers, whose runs have to end before an orphan is trusted to be one.
    pub workers: Arc<Workers>,
    /// The zone in which a timesheet's begin is a day.
    pub clock: Clock,
}

impl Sweeper {
    /// A sweeper that deletes within `limits`.
    pub fn new(parts: Parts, limits: Limits) -> Self {
        let Parts { work_logs, kimai, queue, ledger, workers, clock } = parts;
        let visibility = Visibility::new(Arc::clone(&work_logs));
        let losses = Losses::new(&work_logs, &kimai, &ledger, &clock);
        Self {
            work_logs,
            kimai,
            queue,
            ledger,
            visibility,
            losses,
            workers,
            clock,
            limits,
            turn: Mutex::default(),
        }
    }

    /// What it may delete.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What a sweep of `period` would find and do. Changes nothing.
    pub async fn plan(&self, period: Period, progress: &Progress) -> Result<Report, Failure> {
        let Classified { work_logs, timesheets, unreadable, rounded, findings, .. } =
            unless_cancelled(progress, self.classify(period, None, progress)).await?;
        let held = findings.iter().filter(|finding| finding.held.is_some()).count();
        Ok(Report { work_logs, timesheets, unreadable, held, rounded, findings, ..Report::default() })
    }

    /// Sweeps `period`: queues every work log that differs, and deletes orphans within the guards, and beyond the limit
    /// those that `confirmed` names, if they are exactly those. Waits for a sweep in progress.
    pub async fn sweep(
        &self,
        period: Period,
        confirmed: Option<&Unconfirmed>,
        progress: &Progress,
    ) -> Result<Report, Failure> {
        let _turn = unless_cancelled(progress, async { Ok(self.turn.lock().await) }).await?;
        info!("Sweeping {period}");
        let classified = unless_cancelled(progress, self.classify(period, confirmed, progress)).await?;
        let report = self.apply(period, classified, progress).await?;
        self.count(period, &report);
        info!(
            "Swept {period}: {} work logs, {} timesheets; {} queued, {} adopted, {} orphans deleted, {} kept",
            report.work_logs, report.timesheets, report.queued, report.adopted, report.deleted, report.held
        );
        Ok(report)
    }

    fn count(&self, period: Period, report: &Report) {
        let metrics = self.workers.metrics();
        let deletions = report.findings.iter().filter(|finding| finding.deletes());
        for hold in deletions.filter_map(|finding| finding.held) {
            metrics.deletion_held(hold);
        }
        // A sweep of last year does not show whether current changes reach Kimai.
        if period.contains(self.clock.today()) {
            metrics.swept(self.clock.wall());
        }
    }

    /// Removes a timesheet unless a work log is linked to it according to a new query. Returns whether it is gone, or
    /// soon will be. If the ledger knows its work log, that is reconciled instead: it may only lack its link, or leave
    /// one behind.
    pub async fn remove_orphan(&self, id: EntryId) -> Result<bool, Failure> {
        Ok(self.remove(id, &[], &Progress::unwatched()).await? != apply::Removal::Kept)
    }
}

/// Abandons a request once the sweep is cancelled, however long the response takes.
async fn unless_cancelled<T>(
    progress: &Progress,
    question: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    progress.until_stopped(question).await.unwrap_or(Err(Failure::Stopped))
}

/// Ends a sweep that somebody cancelled.
fn go_on(progress: &Progress) -> Result<(), Failure> {
    if progress.is_stopped() { Err(Failure::Stopped) } else { Ok(()) }
}
