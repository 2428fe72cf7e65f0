//! What runs do, and how that ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use async_trait::async_trait;

use super::follow::Standing;
use super::run::{self, Task};
use crate::contact;
use crate::domain::finding::{Finding, Kind, Unconfirmed};
use crate::domain::hours::{RoundedMonth, clock};
use crate::domain::status::Part;
use crate::domain::{Code, WorkLogUri};
use crate::engine::Engine;
use crate::import::{self, ImportFault};
use crate::lock::{LockFault, LockReport, Outcome};
use crate::progress::Progress;
use crate::reconcile::retry::{Failure, Outage};
use crate::reconcile::sweep;
use crate::storage::StorageFault;

/// A pause that whoever asked for a run can sit out.
const MOMENT: Duration = Duration::from_mins(1);
/// The most names that stand in one message.
const MOST_NAMES: usize = 10;

/// What a run found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// In numbers.
    pub counts: BTreeMap<String, u64>,
    /// Deletions that were held back.
    pub held: usize,
    /// What Kimai rounded, by month: of sweeps and plans.
    pub rounded: Vec<RoundedMonth>,
    /// Each difference, of sweeps and plans.
    pub findings: Vec<Finding>,
    /// The work logs that a sweep queued: it is done when these are.
    pub queued: BTreeSet<WorkLogUri>,
    /// In a sentence.
    pub message: String,
}

/// Why a run failed, in words of what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A sweep or plan.
    #[error("{0}. Ask for it again once that is put right")]
    Sweep(#[from] Failure),
    /// An import.
    #[error(transparent)]
    Import(#[from] ImportFault),
    /// A lock.
    #[error(transparent)]
    Lock(#[from] LockFault),
    /// What it found could not be kept.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// It was under way for too long.
    #[error(
        "it was ended after {} min (RUN_TIME_LIMIT). What was done until then stays done; look at what its phase \
         waited for, or raise the limit if there really is so much to do", .0.as_secs() / 60
    )]
    TimeLimit(Duration),
    /// A fault in this service, or data that nobody thought of.
    #[error("it broke off: {0}; please report this")]
    Broken(String),
}

impl Trouble {
    /// Whether the same may go well a moment later.
    pub fn may_pass(&self) -> bool {
        match self.outage() {
            Outage::Perhaps => true,
            Outage::Pause(asked) => asked <= MOMENT,
            Outage::No | Outage::Surely => false,
        }
    }

    /// Whether trying again would only ask for the same again: a list without end stays one.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Sweep(failure) if failure.code() == Code::KimaiListFaulty)
    }

    /// The pause that Kimai asks for; none if it does not.
    pub fn pause(&self) -> Duration {
        if let Outage::Pause(asked) = self.outage() { asked } else { Duration::ZERO }
    }

    fn outage(&self) -> Outage {
        if let Self::Sweep(failure) = self { failure.outage() } else { Outage::No }
    }
}

/// Who does what runs are asked for.
#[async_trait]
pub trait Work: Send + Sync {
    /// Does `task`, tells `progress` how far it is, and ends early when that says so.
    async fn perform(
        &self,
        task: Task,
        confirmed: Option<&Unconfirmed>,
        progress: &Progress,
    ) -> Result<Done, Trouble>;

    /// How a work log stands that a sweep queued.
    async fn standing(&self, work_log: &WorkLogUri) -> Standing;

    /// How long one attempt may take before it is dropped, so that the next run begins. The work must be able to
    /// end at any point, as at a crash.
    fn time_limit(&self) -> Duration;
}

#[async_trait]
impl Work for Engine {
    async fn perform(
        &self,
        task: Task,
        confirmed: Option<&Unconfirmed>,
        progress: &Progress,
    ) -> Result<Done, Trouble> {
        let part = match task.kind() {
            run::Kind::Sweep => Part::Sweep,
            run::Kind::Plan => Part::Plan,
            run::Kind::Import => Part::Import,
            run::Kind::Lock => Part::Lock,
        };
        contact::within(part, Box::pin(self.perform_task(task, confirmed, progress))).await
    }

    async fn standing(&self, work_log: &WorkLogUri) -> Standing {
        // What cannot be read now is looked at again.
        self.queue.entry(work_log).await.map_or(Standing::Pending, |entry| Standing::of(entry.as_ref()))
    }

    fn time_limit(&self) -> Duration {
        self.run_limit
    }
}

impl Engine {
    async fn perform_task(
        &self,
        task: Task,
        confirmed: Option<&Unconfirmed>,
        progress: &Progress,
    ) -> Result<Done, Trouble> {
        match task {
            Task::Sweep(period) => Ok(swept(self.sweeper.sweep(period, confirmed, progress).await?, true)),
            Task::Plan(period) => Ok(swept(self.sweeper.plan(period, progress).await?, false)),
            Task::Import(what) => Ok(imported(&self.import(what, progress).await?)),
            Task::Lock(month) => Ok(locked(&self.locker.lock(month, progress).await?, progress)),
        }
    }
}

/// Counts of all kinds, also those of which nothing was found.
fn swept(report: sweep::Report, acted: bool) -> Done {
    let sweep::Report {
        work_logs,
        timesheets,
        unreadable,
        queued,
        deleted,
        adopted,
        held,
        rounded,
        findings,
        work_logs_queued,
    } = report;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for kind in Kind::ALL {
        counts.insert(kind.word().to_owned(), 0);
    }
    for finding in &findings {
        *counts.entry(finding.kind.word().to_owned()).or_default() += 1;
    }
    let [logs, sheets, differences] =
        [(work_logs, "work log"), (timesheets, "timesheet"), (findings.len(), "difference")].map(some);
    let mut message = format!("{logs} and {sheets} compared, {differences} found");
    if unreadable > 0 {
        let _ = write!(message, ", {} of Kimai could not be read", some((unreadable, "row")));
    }
    let mut numbers =
        vec![("work-logs", work_logs), ("timesheets", timesheets), ("unreadable-rows", unreadable)];
    if acted {
        numbers.extend([("queued", queued), ("deleted", deleted), ("adopted", adopted)]);
        let [logs, sheets] = [(queued, "work log"), (deleted, "timesheet")].map(some);
        let _ = write!(message, ": {logs} queued, {sheets} deleted, {adopted} adopted");
    }
    let _ = write!(message, ", {} held back.", some((held, "deletion")));
    counts.extend(numbers.into_iter().map(|(name, count)| (name.to_owned(), count as u64)));
    let counted: i64 = rounded.iter().map(|month| month.counted - month.said).sum();
    let timesheets: u64 = rounded.iter().map(|month| month.timesheets).sum();
    if timesheets > 0 {
        let sign = if counted < 0 { "" } else { "+" };
        let sheets = some((usize::try_from(timesheets).unwrap_or(usize::MAX), "timesheet"));
        let _ = write!(message, " Kimai rounded {sheets}: {sign}{} in all.", clock(counted));
    }
    Done { counts, held, rounded, findings, queued: work_logs_queued, message }
}

/// A number of things, in words.
fn some((count, thing): (usize, &str)) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn imported(report: &import::Report) -> Done {
    let mut counts = BTreeMap::new();
    for (name, counted) in &report.0 {
        let import::Counts {
            new,
            changed,
            unchanged,
            linked,
            moved,
            back,
            gone,
            held,
            waiting,
            unconfirmed,
            unreadable,
        } = counted;
        let numbers = [
            ("new", new),
            ("changed", changed),
            ("unchanged", unchanged),
            ("linked", linked),
            ("moved", moved),
            ("available-again", back),
            ("unavailable", gone),
            ("held", held),
            ("without-parent", waiting),
            ("not-stored", unconfirmed),
            ("unreadable-rows", unreadable),
        ];
        counts.extend(numbers.map(|(word, count)| (format!("{name}-{word}"), *count as u64)));
    }
    Done { counts, message: format!("{report}."), ..Done::default() }
}

/// A timesheet that should have been exported and was not is a fault that costs itself only.
fn locked(report: &LockReport, progress: &Progress) -> Done {
    let words = ["exported", "exported-before", "draft", "absence-submitted", "unknown-status", "failed"];
    let mut counts: BTreeMap<String, u64> = words.map(|word| (word.to_owned(), 0)).into();
    let mut open = Vec::new();
    for timesheet in &report.timesheets {
        let word = match &timesheet.outcome {
            Outcome::Exported { work_logs, unsynced, .. } => {
                *counts.entry("work-logs".to_owned()).or_default() += *work_logs as u64;
                *counts.entry("work-logs-not-in-kimai".to_owned()).or_default() += unsynced.len() as u64;
                if !unsynced.is_empty() {
                    progress.fault(timesheet.to_string());
                }
                "exported"
            }
            Outcome::ExportedBefore => "exported-before",
            Outcome::Draft => {
                open.push(timesheet.person.as_str());
                "draft"
            }
            Outcome::AbsenceSubmitted => {
                open.push(timesheet.person.as_str());
                "absence-submitted"
            }
            Outcome::UnknownStatus(_) => {
                progress.fault(timesheet.to_string());
                "unknown-status"
            }
            Outcome::Failed(_) => {
                progress.fault(timesheet.to_string());
                "failed"
            }
        };
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    let mut message = format!("{report}.");
    if !open.is_empty() {
        let more = open.len().saturating_sub(MOST_NAMES);
        open.truncate(MOST_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = write!(message, " Not submitted: {}{more}.", open.join(", "));
    }
    Done { counts, message, ..Done::default() }
}
