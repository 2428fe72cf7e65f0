//! A whole period: every work log against every timesheet, for what no delta told.
//!
//! # Guarantees
//! Nothing is deleted when the triplestore gives no work log for the period, nor beyond the bound, nor
//! what is exported, nor what any work log anywhere is linked to. An entry that is right already
//! costs no request of its own.
//!
//! # Assumptions
//! Teams do not enter hours of their own in Kimai within a swept period: those have no work log, and
//! are deleted as orphans. This is what the sweep is documented to do.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{ToSpan, tz::TimeZone};
use tokio::sync::Mutex;
use tracing::{error, info, warn};

use super::ledger::Ledger;
use super::plant::{Plant, planted};
use super::retry::Failure;
use super::sight::Sight;
use super::worker::Workers;
use crate::clock::Clock;
use crate::crash;
use crate::domain::difference::{Differences, compare};
use crate::domain::timesheet::WantedTimesheet;
use crate::domain::work_log::{Facts, Kind, resolve};
use crate::domain::{KimaiId, WorkLogUri};
use crate::kimai::{Fault, Timesheet, TimesheetFilter, Timesheets};
use crate::queue::{Queue, Reason};
use crate::source::Source;

/// How many links of the period are asked for along with those that are in doubt.
const WITNESSES: usize = 10;

/// Days, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.first, self.last)
    }
}

/// What a sweep found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Work logs of the period.
    pub work_logs: usize,
    /// Kimai timesheets of the period.
    pub timesheets: usize,
    /// Work logs queued, since something about them differed.
    pub queued: usize,
    /// Timesheets without work log that were deleted.
    pub deleted: usize,
    /// Timesheets without work log that were kept, by one of the guards.
    pub held: usize,
}

/// Sweeps periods, one at a time.
pub struct Sweeper {
    work_logs: Arc<dyn Source>,
    kimai: Arc<dyn Timesheets>,
    queue: Arc<dyn Queue>,
    ledger: Ledger,
    sight: Sight,
    workers: Arc<Workers>,
    clock: Clock,
    max_deletions: usize,
    /// Two sweeps at once would do everything twice.
    turn: Mutex<()>,
}

/// What a sweeper works with.
pub struct Parts {
    /// One side.
    pub work_logs: Arc<dyn Source>,
    /// The other side.
    pub kimai: Arc<dyn Timesheets>,
    /// Takes what differs.
    pub queue: Arc<dyn Queue>,
    /// Knows of links not written yet.
    pub ledger: Ledger,
    /// Whose runs have to end before an orphan is believed.
    pub workers: Arc<Workers>,
    /// The zone in which a timesheet's begin is a day.
    pub clock: Clock,
}

impl Sweeper {
    /// A sweeper that deletes at most `max_deletions` timesheets a sweep.
    pub fn new(parts: Parts, max_deletions: usize) -> Self {
        let Parts { work_logs, kimai, queue, ledger, workers, clock } = parts;
        let sight = Sight::new(Arc::clone(&work_logs), ledger.clone());
        Self { work_logs, kimai, queue, ledger, sight, workers, clock, max_deletions, turn: Mutex::default() }
    }

    /// Sweeps `period`: queues every work log that differs, and deletes orphans within the guards. Waits
    /// for a sweep that is under way.
    pub async fn sweep(&self, period: Period) -> Result<Report, Failure> {
        let _turn = self.turn.lock().await;
        info!("Sweeping {period}");
        let timesheets = self.timesheets(period).await?;
        // What runs may have created a timesheet above and not linked it yet.
        if !planted(Plant::SweepLooksOnce) {
            self.workers.barrier().await;
        }
        let facts = self.work_logs.of_period(period.first, period.last).await?;
        let directory = self.work_logs.directory(&facts.values().collect::<Vec<_>>()).await?;
        let wanted = |work_log: &WorkLogUri| {
            let complete = resolve(facts.get(work_log)?, &directory).ok()?;
            WantedTimesheet::of(&complete, self.clock.zone()).ok()
        };
        let found = timesheets.iter().map(|timesheet| (timesheet.id, timesheet.into())).collect();
        let Differences { to_settle, unlinked } = compare(&facts, wanted, &found);
        self.ledger.doubt(&to_settle).await?;
        self.queue.put(&to_settle, Reason::Sweep, self.clock.now()).await?;
        crash::point("sweep half way");
        let mut report = Report {
            work_logs: facts.len(),
            timesheets: timesheets.len(),
            queued: to_settle.len(),
            ..Report::default()
        };
        if facts.is_empty() && !unlinked.is_empty() {
            report.held = unlinked.len();
            error!(
                "The triplestore has no work log at all from {period}, Kimai has {} timesheets without one. None is \
                 deleted: is DEFAULT_MU_AUTH_SCOPE right, and is the triplestore complete?",
                report.held
            );
            return Ok(report);
        }
        let known: Vec<KimaiId> = facts.values().flat_map(Facts::kimai_ids).take(WITNESSES).collect();
        let mut orphans = self.orphans(timesheets, &unlinked, &known).await?;
        if planted(Plant::SweepLooksOnce) {
            for Timesheet { id, .. } in orphans.drain(..).filter(|orphan| !orphan.exported) {
                self.kimai.delete(id).await?;
            }
        }
        self.remove_orphans(period, orphans, &known, &mut report).await?;
        info!(
            "Swept {period}: {} work logs, {} timesheets; {} queued, {} orphans deleted, {} kept",
            report.work_logs, report.timesheets, report.queued, report.deleted, report.held
        );
        Ok(report)
    }

    /// The timesheets that begin on a day of `period`. Kimai reads the bounds in the zone of the token's
    /// user, so a wider window is asked for and the days are decided here.
    async fn timesheets(&self, period: Period) -> Result<Vec<Timesheet>, Failure> {
        let bound = |day: Date, days: i64| day.checked_add(days.days()).unwrap_or(day).at(0, 0, 0, 0);
        let filter = TimesheetFilter {
            begin: Some(bound(period.first, -2)),
            end: Some(bound(period.last, 3)),
            ..TimesheetFilter::default()
        };
        let mut timesheets = self.kimai.timesheets(&filter).await?.whole()?;
        // A creation that begins later cannot take one of these for its own.
        for timesheet in &timesheets {
            self.ledger.saw(timesheet.id);
        }
        timesheets.retain(|timesheet| {
            let day = day_of(timesheet, self.clock.zone());
            (period.first..=period.last).contains(&day)
        });
        Ok(timesheets)
    }

    /// Those of `unlinked` that no work log of any period is linked to.
    async fn orphans(
        &self,
        timesheets: Vec<Timesheet>,
        unlinked: &[KimaiId],
        known: &[KimaiId],
    ) -> Result<Vec<Timesheet>, Failure> {
        if unlinked.is_empty() {
            return Ok(Vec::new());
        }
        let elsewhere = self.sight.linked(unlinked, known).await?;
        let unlinked: BTreeSet<&KimaiId> = unlinked.iter().filter(|id| !elsewhere.contains_key(id)).collect();
        Ok(timesheets.into_iter().filter(|timesheet| unlinked.contains(&timesheet.id)).collect())
    }

    async fn remove_orphans(
        &self,
        period: Period,
        orphans: Vec<Timesheet>,
        known: &[KimaiId],
        report: &mut Report,
    ) -> Result<(), Failure> {
        if orphans.is_empty() {
            return Ok(());
        }
        report.held = orphans.len();
        let (kept, orphans): (Vec<_>, Vec<_>) = orphans.into_iter().partition(|timesheet| timesheet.exported);
        if !kept.is_empty() {
            warn!(
                "{} timesheets of {period} have no work log but are exported in Kimai; they are kept.",
                kept.len()
            );
        }
        if orphans.len() > self.max_deletions {
            error!(
                "{} timesheets of {period} have no work log, more than SWEEP_MAX_DELETIONS ({}). None is deleted; look \
                 at them in Kimai, then raise the bound for one sweep.",
                orphans.len(),
                self.max_deletions
            );
            return Ok(());
        }
        for Timesheet { id, .. } in orphans {
            match self.remove(id, known).await {
                Ok(gone) => {
                    report.deleted += usize::from(gone);
                    report.held -= usize::from(gone);
                }
                // One that Kimai refuses to delete costs itself only.
                Err(Failure::Kimai(fault)) if fault.fault == Fault::Permanent => {
                    warn!(kimai.id = %id, "Timesheet {id} has no work log but stays: {fault}");
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Removes a timesheet unless a work log is linked to it, which is looked up now. Says whether it is
    /// gone, or about to be. Where we know what it was made for, that is settled instead: it may only
    /// lack its link, or leave one behind.
    pub async fn remove_orphan(&self, id: KimaiId) -> Result<bool, Failure> {
        self.remove(id, &[]).await
    }

    async fn remove(&self, id: KimaiId, known: &[KimaiId]) -> Result<bool, Failure> {
        self.workers.barrier().await;
        if !self.sight.linked(&[id], known).await?.is_empty() {
            return Ok(false);
        }
        if let Some(owner) = self.work_logs.tombstones(&[id]).await?.remove(&id) {
            self.queue.put(&[owner], Reason::Sweep, self.clock.now()).await?;
            return Ok(true);
        }
        if let Some(claimant) = self.claimant(id).await? {
            self.queue.put(&[claimant], Reason::Sweep, self.clock.now()).await?;
            return Ok(false);
        }
        let owner = self.ledger.owner(id).await?;
        if let Some(owner) = &owner
            && self.sight.facts(owner).await?.kind(owner) == Kind::WorkLog
        {
            self.queue.put(std::slice::from_ref(owner), Reason::Sweep, self.clock.now()).await?;
            return Ok(false);
        }
        self.ledger.doubt(&owner).await?;
        match self.kimai.delete(id).await {
            Ok(()) => info!(kimai.id = %id, "Deleted timesheet {id}, which no work log is linked to"),
            Err(fault) if fault.fault == Fault::Gone => {}
            Err(fault) => return Err(fault.into()),
        }
        // Not before: a timesheet that could not be deleted is still its own.
        if let Some(owner) = &owner {
            self.ledger.forget(owner).await?;
        }
        Ok(true)
    }

    /// The work log whose creation with a lost answer may have led to this timesheet. Asked for before the
    /// owner: a run that finds it records the owner as it closes the intent.
    async fn claimant(&self, id: KimaiId) -> Result<Option<WorkLogUri>, Failure> {
        let intents = self.ledger.intents().await?;
        if intents.is_empty() || planted(Plant::SweepIgnoresIntents) {
            return Ok(None);
        }
        let Some(timesheet) = self.kimai.timesheet(id).await? else { return Ok(None) };
        let found = (&timesheet).into();
        let claimant = intents.into_iter().find(|(_, intent)| intent.could_be(id, &found));
        Ok(claimant.map(|(work_log, _)| work_log))
    }
}

fn day_of(timesheet: &Timesheet, zone: &TimeZone) -> Date {
    timesheet.begin.to_zoned(zone.clone()).date()
}
