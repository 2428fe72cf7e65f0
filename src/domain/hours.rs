//! The hours that Kimai counts, compared to those of the work log. Pure.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::diff::{ObservedEntry, between};
use super::timesheet::DesiredEntry;

/// Hours and minutes as Kimai shows them: `7:45`, and `7:45:30` where there are seconds.
pub fn clock(seconds: i64) -> String {
    let (sign, all) = (if seconds < 0 { "-" } else { "" }, seconds.unsigned_abs());
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    let rest = if seconds == 0 { String::new() } else { format!(":{seconds:02}") };
    format!("{sign}{hours}:{minutes:02}{rest}")
}

/// What Kimai counts for a work log, as text; none if it is the same.
pub fn rounding(found: &ObservedEntry, wanted: &DesiredEntry) -> Option<String> {
    let (counted, said) = (i64::from(found.duration), wanted.seconds());
    (counted != said).then(|| format!("Kimai counts {} for {}, rounding", clock(counted), clock(said)))
}

/// What is wrong with the hours that Kimai counts, where begin and end do not tell: a break, hours that became none,
/// or another number of them.
pub fn differing(found: &ObservedEntry, wanted: &DesiredEntry) -> Option<String> {
    let (counted, said) = (clock(found.duration.into()), clock(wanted.seconds()));
    match () {
        () if found.pause != 0 => {
            Some(format!("break: Kimai has {}, the work log says none", clock(found.pause.into())))
        }
        () if found.is_nothing_of(wanted) => Some(format!("hours: Kimai counts {counted} for {said}")),
        () if found.duration != between(found.begin, found.end, 0) => {
            Some(format!("hours: Kimai counts {counted}, the work log says {said}"))
        }
        () => None,
    }
}

/// What Kimai rounded in one month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundedMonth {
    /// The month of the work logs' days, like `2024-09`.
    pub month: String,
    /// Timesheets that Kimai rounded.
    pub timesheets: u64,
    /// The sum of the work logs, in seconds.
    pub said: i64,
    /// The sum that Kimai counts for them, in seconds.
    pub counted: i64,
}

impl std::fmt::Display for RoundedMonth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { month, timesheets, said, counted } = self;
        let (more, sign) = (counted - said, if counted >= said { "+" } else { "" });
        let noun = if *timesheets == 1 { "timesheet" } else { "timesheets" };
        write!(
            f,
            "{month}: Kimai counts {} for {} in {timesheets} {noun}, rounding ({sign}{})",
            clock(*counted),
            clock(*said),
            clock(more)
        )
    }
}

/// Sums up Kimai's rounding, by month.
#[derive(Debug, Default)]
pub struct RoundedMonths(BTreeMap<(i16, i8), (u64, i64, i64)>);

impl RoundedMonths {
    /// Kimai counts `found` for what a work log of `day` says.
    pub fn add(&mut self, day: Date, found: &ObservedEntry, wanted: &DesiredEntry) {
        let (counted, said) = (i64::from(found.duration), wanted.seconds());
        if counted != said {
            let sum = self.0.entry((day.year(), day.month())).or_default();
            *sum = (sum.0 + 1, sum.1 + said, sum.2 + counted);
        }
    }

    /// The months in which something was rounded, the earliest first.
    pub fn months(self) -> Vec<RoundedMonth> {
        let month = |((year, month), (timesheets, said, counted))| RoundedMonth {
            month: format!("{year:04}-{month:02}"),
            timesheets,
            said,
            counted,
        };
        self.0.into_iter().map(month).collect()
    }
}

/// Kimai's rounding settings, inferred from its results, since the API does not show them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Habit {
    /// The largest step in minutes that fits all begins and ends it moved; none if it moved none.
    pub times: Option<i64>,
    /// The largest step in minutes that fits all durations it changed alone; none if it changed none.
    pub duration: Option<i64>,
}

impl Habit {
    /// Judges by pairs of what was sent and what Kimai made of it.
    pub fn of<'a>(pairs: impl IntoIterator<Item = &'a (DesiredEntry, ObservedEntry)>) -> Self {
        let mut habit = Self::default();
        let fit = |step: &mut Option<i64>, seconds: i64| {
            *step = Some(step.map_or(seconds.abs(), |step| gcd(step, seconds.abs())));
        };
        for (wanted, found) in pairs {
            let Some(end) = found.end else { continue };
            if found.begin != wanted.begin || end != wanted.end {
                fit(&mut habit.times, found.begin.as_second());
                fit(&mut habit.times, end.as_second());
            }
            if i64::from(found.duration) != end.as_second() - found.begin.as_second() {
                fit(&mut habit.duration, i64::from(found.duration));
            }
        }
        let minutes = |step: Option<i64>| step.filter(|step| *step > 0).map(|step| step / 60);
        Self { times: minutes(habit.times), duration: minutes(habit.duration) }
    }
}

fn gcd(one: i64, other: i64) -> i64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ActivityId, ProjectId, UserId};
    use jiff::{SignedDuration, Timestamp};

    fn wanted(minutes: i64) -> DesiredEntry {
        let begin: Timestamp = "2024-09-01T22:00:00Z".parse().unwrap();
        let end = begin + SignedDuration::from_mins(minutes);
        DesiredEntry {
            begin,
            end,
            project: ProjectId::number(1),
            activity: ActivityId::number(2),
            user: UserId::number(3),
            note: None,
        }
    }

    fn counted(wanted: DesiredEntry, end: i64, duration: i32) -> ObservedEntry {
        let end = Some(wanted.begin + SignedDuration::from_mins(end));
        ObservedEntry { end, duration: duration * 60, ..wanted.into() }
    }

    #[test]
    fn hours_are_told_as_kimai_shows_them() {
        let table =
            [(0, "0:00"), (27_900, "7:45"), (27_930, "7:45:30"), (-900, "-0:15"), (460_800, "128:00")];
        for (seconds, words) in table {
            assert_eq!(clock(seconds), words);
        }
        let said = wanted(456);
        assert_eq!(rounding(&said.into(), &said), None);
        assert_eq!(
            rounding(&counted(said, 465, 465), &said).unwrap(),
            "Kimai counts 7:45 for 7:36, rounding"
        );
        // Begin and end stay where Kimai rounds the duration.
        assert_eq!(
            rounding(&counted(said, 456, 450), &said).unwrap(),
            "Kimai counts 7:30 for 7:36, rounding"
        );
    }

    #[test]
    fn what_is_rounded_is_added_up_by_the_month_of_the_work_log() {
        let mut months = RoundedMonths::default();
        let day = |text: &str| text.parse::<Date>().unwrap();
        let said = wanted(456);
        months.add(day("2024-10-01"), &counted(said, 456, 450), &said);
        months.add(day("2024-09-02"), &counted(said, 465, 465), &said);
        months.add(day("2024-09-03"), &counted(said, 465, 465), &said);
        months.add(day("2024-09-04"), &said.into(), &said);
        let words: Vec<String> = months.months().iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "2024-09: Kimai counts 15:30 for 15:12 in 2 timesheets, rounding (+0:18)",
                "2024-10: Kimai counts 7:30 for 7:36 in 1 timesheet, rounding (-0:06)",
            ]
        );
    }

    #[test]
    fn the_setting_shows_by_what_kimai_made_of_what_was_sent() {
        let pair = |sent: i64, end, duration| (wanted(sent), counted(wanted(sent), end, duration));
        let table = [
            (vec![], None, None),
            (vec![pair(456, 465, 465), pair(50, 60, 60)], Some(15), None),
            (vec![pair(456, 456, 450), pair(7, 7, 0)], None, Some(450)),
            (vec![pair(456, 456, 450), pair(50, 50, 45)], None, Some(45)),
            (vec![pair(456, 456, 450), pair(50, 50, 45), pair(20, 20, 15)], None, Some(15)),
        ];
        for (pairs, times, duration) in table {
            assert_eq!(Habit::of(&pairs), Habit { times, duration }, "{pairs:?}");
        }
    }
}
