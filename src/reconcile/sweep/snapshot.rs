//! Reads both sides of a period, reduced to what a comparison needs.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use jiff::civil::Date;
use jiff::{ToSpan, tz::TimeZone};
use tokio::sync::mpsc;

use super::{Period, Sweeper, go_on};
use crate::domain::day_windows::windows;
use crate::domain::diff::{ObservedEntry, TimesheetSide, TimesheetSides, WorkLogSide, WorkLogSides};
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::{Directory, Facts, resolve};
use crate::domain::{EntryId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::progress::Progress;
use crate::reconcile::retry::Failure;
use crate::trackers::{EntryFilter, TimeEntry};
use crate::trackers::{Gap, Listed, OddRows};

/// Windows read at a time. Two more may wait to be brought down, behind the one that is: a sweep holds no more
/// facts than that.
const READS_AT_ONCE: usize = 2;

/// What is left of deleted work logs, with the timesheets that their links name.
pub(super) type Remains = BTreeMap<WorkLogUri, Vec<EntryId>>;

/// Both sides of a period.
pub(super) struct Snapshot {
    pub(super) work_logs: WorkLogSides,
    /// How many work logs the triplestore counted, before it gave them.
    pub(super) counted: usize,
    /// What is left of deleted work logs of any day.
    pub(super) remains: Remains,
    pub(super) timesheets: TimesheetSides,
    /// Pages of Kimai's list that could not be read.
    gaps: Vec<Gap>,
    /// Rows of Kimai's list that could not be read.
    pub(super) odd: OddRows,
}

impl Snapshot {
    /// Whether the timesheet `id` may be on a page or in a row that could not be read.
    pub(super) fn may_lack(&self, id: EntryId) -> bool {
        self.odd.ids.contains(&id) || self.gaps.iter().any(|gap| gap.covers(id))
    }
}

impl Sweeper {
    /// Kimai's side first: what the triplestore says then is younger than the list, and a timesheet in the
    /// list has its link by then.
    pub(super) async fn snapshot(&self, period: Period, progress: &Progress) -> Result<Snapshot, Failure> {
        progress.phase("reading the timesheets", None);
        let Listed { timesheets, gaps, odd } = self.kimai.timesheets(&window(period)).await?;
        for gap in &gaps {
            progress.fault(format!("Timesheets were left alone, a page of the list was lost: {}", gap.fault));
        }
        for row in &odd.named {
            progress
                .fault(format!("A timesheet was left alone, it cannot be read in Kimai's list: {}", row.why));
        }
        let timesheets = self.inside(period, timesheets);
        // What runs may have created a timesheet above and not linked it yet.
        if !mutated(Mutant::SweepLooksOnce) {
            self.workers.barrier().await;
        }
        go_on(progress)?;
        progress.phase("reading the work logs", None);
        let ((work_logs, counted), remains) =
            tokio::try_join!(self.work_logs(period, progress), self.remains())?;
        go_on(progress)?;
        Ok(Snapshot { work_logs, counted, remains, timesheets, gaps, odd })
    }

    /// The timesheets that begin on a day of `period`.
    fn inside(&self, period: Period, timesheets: Vec<TimeEntry>) -> TimesheetSides {
        // A creation that begins later cannot take one of these for its own.
        for timesheet in &timesheets {
            self.ledger.saw(timesheet.id);
        }
        let zone = self.clock.zone();
        let inside = timesheets.into_iter().filter(|timesheet| begins_in(timesheet, period, zone));
        inside
            .map(|timesheet| {
                let found = match ObservedEntry::from(&timesheet) {
                    found if mutated(Mutant::EndMinusBegin) => found.by_times(),
                    found => found,
                };
                let side = TimesheetSide { found, exported: timesheet.exported };
                (timesheet.id, side)
            })
            .collect()
    }

    /// The work logs of `period`, some days at a time, each brought down to its side while the next are read: a
    /// quarter's facts would fill the memory. With how many were counted.
    async fn work_logs(&self, period: Period, progress: &Progress) -> Result<(WorkLogSides, usize), Failure> {
        let days = self.work_logs.days(period.first, period.last).await?;
        let counted = days.counts.values().sum();
        progress.phase("reading the work logs", Some(counted));
        let (sender, mut windows_read) = mpsc::channel(1);
        let read = async move {
            let windows = windows(period.first, period.last, days).into_iter();
            let reads = windows.map(async |window| self.work_logs.of_window(&window).await);
            let mut reads = stream::iter(reads).buffer_unordered(READS_AT_ONCE);
            while let Some(facts) = reads.next().await {
                if sender.send(facts?).await.is_err() {
                    break;
                }
            }
            Ok::<(), Failure>(())
        };
        let bring_down = async move {
            let (mut snapshot, mut directory) = (Vec::new(), Directory::default());
            while let Some(facts) = windows_read.recv().await {
                go_on(progress)?;
                let count = facts.len();
                snapshot.extend(self.bring_down(facts, &mut directory).await?);
                progress.advance(count);
            }
            // In order only once they are complete: that is quicker than to find each its place.
            Ok(snapshot.into_iter().collect())
        };
        // The next windows are on their way while one is brought down.
        let ((), snapshot) = tokio::try_join!(read, bring_down)?;
        Ok((snapshot, counted))
    }

    /// Looks up what of `facts` the `directory` does not know yet, and brings them down to their sides.
    async fn bring_down(
        &self,
        facts: BTreeMap<WorkLogUri, Facts>,
        directory: &mut Directory,
    ) -> Result<Vec<(WorkLogUri, WorkLogSide)>, Failure> {
        let mut unknown = Facts::default();
        for Facts { tasks, persons, .. } in facts.values() {
            unknown.tasks.extend(tasks.iter().filter(|task| !directory.tasks.contains_key(*task)).cloned());
            let persons = persons.iter().filter(|person| !directory.persons.contains_key(*person));
            unknown.persons.extend(persons.cloned());
        }
        if unknown != Facts::default() {
            let Directory { tasks, persons, syntax } = self.work_logs.directory(&[&unknown]).await?;
            directory.syntax = syntax;
            directory.tasks.extend(tasks);
            directory.persons.extend(persons);
            // Nor is what the triplestore does not know asked for again.
            for task in unknown.tasks {
                directory.tasks.entry(task).or_default();
            }
            for person in unknown.persons {
                directory.persons.entry(person).or_default();
            }
        }
        let side = |(work_log, facts)| {
            let side = self.side(&facts, directory);
            (work_log, side)
        };
        Ok(facts.into_iter().map(side).collect())
    }

    /// What is left of deleted work logs of any day.
    async fn remains(&self) -> Result<Remains, Failure> {
        let mut remains = self.work_logs.dangling().await?;
        let ids: Vec<EntryId> = remains.values().flatten().copied().collect();
        let owners = self.ledger.owners(&ids).await?;
        remains.retain(|work_log, ids| {
            let made_for = ids.iter().find_map(|id| owners.get(id).filter(|owner| *owner == work_log));
            is_ours(work_log, made_for)
        });
        Ok(remains)
    }

    fn side(&self, facts: &Facts, directory: &Directory) -> WorkLogSide {
        let wanted = resolve(facts, directory).and_then(|complete| {
            DesiredEntry::of(&complete, self.clock.zone()).map_err(|obstacle| vec![obstacle])
        });
        let wanted = wanted.map_err(|obstacles| Failure::Blocked(obstacles).to_string());
        WorkLogSide { ids: facts.entry_ids(), wanted }
    }
}

/// Kimai reads the bounds in the zone of the token's user, so a wider window is asked for and the days
/// are decided here.
pub(crate) fn window(period: Period) -> EntryFilter {
    // Kimai knows years of four digits.
    let first = Date::constant(1, 1, 1);
    let bound = |day: Date, days: i64| day.checked_add(days.days()).unwrap_or(day).max(first).at(0, 0, 0, 0);
    EntryFilter {
        begin: Some(bound(period.first, -2)),
        end: Some(bound(period.last, 3)),
        ..EntryFilter::default()
    }
}

pub(super) fn begins_in(timesheet: &TimeEntry, period: Period, zone: &TimeZone) -> bool {
    let day = timesheet.begin.to_zoned(zone.clone()).date();
    (period.first..=period.last).contains(&day)
}

/// Whether what is left of a subject was a work log: anything else may carry a number too. `made_for` is whom we made
/// the timesheet of that number for.
pub(super) fn is_ours(subject: &WorkLogUri, made_for: Option<&WorkLogUri>) -> bool {
    subject.is_minted() || made_for == Some(subject)
}
