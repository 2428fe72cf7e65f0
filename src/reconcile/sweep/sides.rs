//! Both sides of a period, read and brought down to what a comparison needs.

use jiff::civil::Date;
use jiff::{ToSpan, tz::TimeZone};

use super::{Period, Sweeper, go_on};
use crate::domain::difference::{TimesheetSide, TimesheetSides, WorkLogSide, WorkLogSides};
use crate::domain::timesheet::WantedTimesheet;
use crate::domain::work_log::{Facts, resolve};
use crate::kimai::{Timesheet, TimesheetFilter};
use crate::reconcile::plant::{Plant, planted};
use crate::reconcile::retry::Failure;
use crate::runs::progress::Progress;

/// Both sides of a period.
pub(super) struct Sides {
    pub(super) work_logs: WorkLogSides,
    pub(super) timesheets: TimesheetSides,
}

impl Sweeper {
    /// Kimai's side first: what the triplestore says then is younger than the list, and a timesheet in the
    /// list has its link by then.
    pub(super) async fn sides(&self, period: Period, progress: &Progress) -> Result<Sides, Failure> {
        progress.phase("reading the timesheets", None);
        let timesheets = self.timesheets(period).await?;
        // What runs may have created a timesheet above and not linked it yet.
        if !planted(Plant::SweepLooksOnce) {
            self.workers.barrier().await;
        }
        go_on(progress)?;
        progress.phase("reading the work logs", None);
        let work_logs = self.work_logs(period, progress).await?;
        go_on(progress)?;
        Ok(Sides { work_logs, timesheets })
    }

    /// The timesheets that begin on a day of `period`.
    async fn timesheets(&self, period: Period) -> Result<TimesheetSides, Failure> {
        let timesheets = self.kimai.timesheets(&window(period)).await?;
        // A creation that begins later cannot take one of these for its own.
        for timesheet in &timesheets {
            self.ledger.saw(timesheet.id);
        }
        let zone = self.clock.zone();
        let inside = timesheets.into_iter().filter(|timesheet| begins_in(timesheet, period, zone));
        Ok(inside
            .map(|timesheet| {
                let side = TimesheetSide { found: (&timesheet).into(), exported: timesheet.exported };
                (timesheet.id, side)
            })
            .collect())
    }

    async fn work_logs(&self, period: Period, progress: &Progress) -> Result<WorkLogSides, Failure> {
        let facts = self.work_logs.of_period(period.first, period.last).await?;
        let directory = self.work_logs.directory(&facts.values().collect::<Vec<_>>()).await?;
        progress.advance(facts.len());
        let wanted = |facts: &Facts| {
            let complete = resolve(facts, &directory)?;
            WantedTimesheet::of(&complete, self.clock.zone()).map_err(|obstacle| vec![obstacle])
        };
        let side = |facts: &Facts| WorkLogSide {
            ids: facts.kimai_ids(),
            wanted: wanted(facts).map_err(|obstacles| Failure::Blocked(obstacles).to_string()),
        };
        Ok(facts.into_iter().map(|(work_log, facts)| (work_log, side(&facts))).collect())
    }
}

/// Kimai reads the bounds in the zone of the token's user, so a wider window is asked for and the days
/// are decided here.
pub(super) fn window(period: Period) -> TimesheetFilter {
    let bound = |day: Date, days: i64| day.checked_add(days.days()).unwrap_or(day).at(0, 0, 0, 0);
    TimesheetFilter {
        begin: Some(bound(period.first, -2)),
        end: Some(bound(period.last, 3)),
        ..TimesheetFilter::default()
    }
}

pub(super) fn begins_in(timesheet: &Timesheet, period: Period, zone: &TimeZone) -> bool {
    let day = timesheet.begin.to_zoned(zone.clone()).date();
    (period.first..=period.last).contains(&day)
}
