//! The doctor checks everything that syncing needs, and shows how to fix what fails.
//!
//! # Guarantees
//! Nothing visible to others is changed: Kimai only gets requests that it cannot accept, and only on demand; the
//! triplestore gets one test triple, which is removed immediately. A check ends within [`LIMIT`] and does not affect
//! the others.

mod check;
mod clock;
mod held;
mod hours;
mod kimai;
mod list;
mod live;
mod lost;
mod rules;
mod service;
mod store;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::contact;
use crate::domain::Code;
use crate::domain::status::Part;
use crate::settings::Settings;
use crate::store::jobs::JobRecords;
use crate::store::sqlite::Storage;
use crate::store::{Ledger, Queue};
use crate::trackers::Tracker;
use crate::trackers::kimai::{CurrentUser, Diagnostics, NAME, Version};
use crate::trackers::{Operation, TrackerFault};
use crate::triplestore::probe::Probe;
use crate::unreadable::Unreadable;
use crate::work_logs::WorkLogs;
pub use check::{Check, Health};
pub use service::look_at_file;
pub(crate) use service::{SERVICE, of_faulty_settings, upcoming};
use store::InUse;

/// How long one check may take.
pub const LIMIT: Duration = Duration::from_secs(20);
/// How often all checks are repeated automatically.
const EVERY: Duration = Duration::from_hours(1);

/// The result of a round of checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// When it was made.
    pub at: Timestamp,
    /// The checks, always all and in the same order.
    pub checks: Vec<Check>,
    /// Whether the service has an embedded triplestore and no stack around it.
    pub standalone: bool,
}

impl Report {
    /// The worst result. A check that could not run is not a failure by itself.
    pub fn worst(&self) -> Health {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or(Health::Unknown)
    }

    /// Whether every check ran and found no problem.
    pub fn is_well(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.verdict == Health::Well)
    }

    /// How many checks have this result.
    pub fn count(&self, verdict: Health) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }

    /// The check with this ID.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }
}

/// What is checked.
pub struct Target {
    /// Probes the triplestore.
    pub probe: Probe,
    /// Queries work logs in the triplestore.
    pub work_logs: Arc<dyn WorkLogs>,
    /// Kimai's timesheets.
    pub timesheets: Arc<dyn Tracker>,
    /// Queries Kimai's version, rights and settings.
    pub kimai: Arc<dyn Diagnostics>,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The records of Kimai's answers.
    pub ledger: Arc<dyn Ledger>,
    /// The records of jobs.
    pub job_records: Arc<dyn JobRecords>,
    /// The queue file.
    pub storage: Storage,
    /// Values from Kimai and the triplestore that could not be read.
    pub unreadable: [Unreadable; 2],
    /// The time and our time zone.
    pub clock: Clock,
}

/// The settings that the checks need.
struct Given {
    scope: Option<String>,
    cron: String,
    days: i64,
    warnings: Vec<String>,
    at_start: bool,
}

/// What only a running service knows.
#[derive(Debug, Clone, Copy)]
struct Serving {
    /// Whether it sweeps automatically.
    sweeps: bool,
    since: Timestamp,
}

/// Data that several checks of one round need, requested once.
#[derive(Default)]
struct Asked {
    /// The user of the token.
    me: OnceCell<Result<CurrentUser, TrackerFault>>,
    /// The persons and tasks of the work logs around today.
    in_use: OnceCell<Result<InUse, String>>,
}

/// How many work logs are parked, by code.
type Refused = BTreeMap<Option<Code>, usize>;

/// How thorough a round is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    /// Kimai gets read requests only; earlier refusals show the rest.
    Questions,
    /// Rights are also tested, with requests that cannot be stored.
    Attempts,
}

/// The latest report.
struct Kept {
    /// The number of its round.
    round: u64,
    depth: Depth,
    report: Report,
}

/// Checks, and keeps the latest report.
pub struct Doctor {
    target: Target,
    given: Given,
    serving: OnceLock<Serving>,
    latest: Mutex<Option<Kept>>,
    /// Held while checks are running: two concurrent rounds would only slow each other down.
    round: tokio::sync::Mutex<()>,
    /// The version that Kimai last reported.
    version: Mutex<Option<Version>>,
    /// How many rounds have begun.
    begun: AtomicU64,
}

impl Doctor {
    /// A doctor of `target`, with its `settings`.
    pub fn new(target: Target, settings: &Settings) -> Self {
        let given = Given {
            scope: settings.triplestore.scope.clone(),
            cron: settings.sweep.cron.clone(),
            days: settings.sweep.days,
            warnings: settings.warnings.clone(),
            at_start: settings.check_at_start,
        };
        Self {
            target,
            given,
            serving: OnceLock::new(),
            latest: Mutex::default(),
            round: tokio::sync::Mutex::default(),
            version: Mutex::default(),
            begun: AtomicU64::new(0),
        }
    }

    /// Tells the doctor that this process runs the service, and whether it sweeps automatically. Otherwise it does not
    /// check what only a running service has: queue, sweeps, deltas.
    pub fn serves(&self, sweeps: bool) {
        let since = self.target.clock.now();
        self.serving.get_or_init(|| Serving { sweeps, since });
    }

    /// The latest report; none before the first round has ended.
    pub fn latest(&self) -> Option<Report> {
        self.kept().as_ref().map(|kept| kept.report.clone())
    }

    /// The version that Kimai last reported.
    fn version(&self) -> Option<Version> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs all checks concurrently, including tests of rights, and stores the report. Callers during a round wait for
    /// it and share the next one, so this ends within twice [`LIMIT`].
    pub async fn examine(&self) -> Report {
        self.round(Depth::Attempts).await
    }

    async fn round(&self, depth: Depth) -> Report {
        let before = self.begun.load(Ordering::Acquire);
        let _alone = self.round.lock().await;
        // Only a round that began after the call counts: an earlier one may have found what has been fixed since.
        let newer = |kept: &&Kept| kept.round > before && kept.depth >= depth;
        if let Some(kept) = self.kept().as_ref().filter(newer) {
            return kept.report.clone();
        }
        let round = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let asked = Asked::default();
        let checks: Vec<BoxFuture<'_, Check>> = vec![
            Box::pin(async { self.settings() }),
            Box::pin(self.triplestore()),
            Box::pin(self.view()),
            Box::pin(self.write()),
            Box::pin(self.kimai()),
            Box::pin(self.token(&asked)),
            Box::pin(self.rights(&asked, depth)),
            Box::pin(self.zone(&asked)),
            Box::pin(self.owners(&asked)),
            Box::pin(self.hours()),
            Box::pin(self.rules()),
            Box::pin(self.timesheets()),
            Box::pin(self.lost_data()),
            Box::pin(self.persons(&asked)),
            Box::pin(self.activities(&asked)),
            Box::pin(self.queue_file()),
            Box::pin(self.queue()),
            Box::pin(async { self.values() }),
            Box::pin(self.held_back()),
            Box::pin(async { self.schedule() }),
            Box::pin(self.deltas()),
            Box::pin(async { self.clock() }),
        ];
        let checks = contact::within(Part::Checks, join_all(checks)).await;
        let standalone = !self.target.probe.is_of_a_stack();
        let report = Report { at: self.target.clock.now(), checks, standalone };
        *self.kept() = Some(Kept { round, depth, report: report.clone() });
        report
    }

    /// Runs all checks again, unless `CHECK_AT_START` is false.
    pub async fn look_again(&self) {
        if self.given.at_start {
            self.round(Depth::Questions).await;
        }
    }

    /// Runs all checks now and every hour until `stop`, and logs each new problem. Does nothing if `CHECK_AT_START` is
    /// false.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        if !self.given.at_start {
            return;
        }
        loop {
            let before = self.latest();
            let report = tokio::select! {
                () = stop.cancelled() => return,
                // Automatic checks send only read requests to Kimai.
                report = self.round(Depth::Questions) => report,
            };
            tell(&report, before.as_ref());
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}

/// Logs problems, and checks that could not run, if they are new since `before`.
fn tell(report: &Report, before: Option<&Report>) {
    for check in news(report, before) {
        match check.verdict {
            Health::Trouble => error!(check = %check.id, "Check: {check}"),
            Health::Warning => warn!(check = %check.id, "Check: {check}"),
            Health::Unknown => info!(check = %check.id, "Check could not run: {check}"),
            Health::Well => {}
        }
    }
    if before.is_none() && report.is_well() {
        info!("Checked connections, rights and settings: no problems found");
    }
}

/// The checks with a problem that is new since `before`.
fn news<'a>(report: &'a Report, before: Option<&Report>) -> Vec<&'a Check> {
    let then = |check: &Check| Some(before?.check(&check.id)?.verdict);
    let told = |check: &&Check| check.verdict != Health::Well && then(check) != Some(check.verdict);
    report.checks.iter().filter(told).collect()
}

/// Kimai's answer, within the time limit.
async fn asked<T>(question: impl Future<Output = Result<T, TrackerFault>>) -> Result<T, TrackerFault> {
    let late = || {
        let why = format!("no answer within {} s", LIMIT.as_secs());
        TrackerFault::cut(NAME, Operation::Look, true, &why)
    };
    tokio::time::timeout(LIMIT, question).await.unwrap_or_else(|_| Err(late()))
}

/// The answer to `question`, within the time limit.
async fn limited<T, E: ToString>(question: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(LIMIT, question).await {
        Ok(result) => result.map_err(|fault| fault.to_string()),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::check::Topic;
    use super::*;

    const A: Topic = Topic("a", "A");
    const B: Topic = Topic("b", "B");

    fn report(checks: &[Check]) -> Report {
        Report { at: Timestamp::UNIX_EPOCH, checks: checks.to_vec(), standalone: false }
    }

    #[test]
    fn what_could_not_be_found_out_is_news_and_is_not_called_well() {
        let (well, unknown) = (report(&[A.well("Yes."), B.well("Yes.")]), A.unknown("No answer.", "Fix it."));
        let partly = report(&[unknown.clone(), B.well("Yes.")]);
        assert!(well.is_well() && !partly.is_well() && !report(&[]).is_well());
        assert_eq!(news(&well, None), Vec::<&Check>::new());
        assert_eq!(news(&partly, None), [&unknown]);
        assert_eq!(news(&partly, Some(&well)), [&unknown]);
        assert_eq!(news(&partly, Some(&partly)), Vec::<&Check>::new(), "it is told once");
    }
}
