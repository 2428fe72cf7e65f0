//! Checks the hours in Kimai: whether it counts the hours of the work logs, books them on their day, and shows them
//! there.

use std::collections::BTreeMap;

use jiff::Span;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::check::{Check, Topic};
use super::{Asked, Doctor, limited};
use crate::domain::Code;
use crate::domain::hours::{Habit, clock};
use crate::reconcile::retry::Failure;
use crate::store::QueueFault;
use crate::store::ledger::Counted;
use crate::text::many;
use crate::text::sentence;
use crate::trackers::kimai::diagnostics::Person;

const HOURS: Topic = Topic("hours", "Hours in Kimai");
const OWNERS: Topic = Topic("owners", "Time zones of people");

/// The number of days checked: offsets change within a year.
pub(super) const YEAR: usize = 366;
/// The most people named in one line.
const MOST_NAMES: usize = 10;
/// Problems that keep hours from being counted or booked correctly.
const CODES: &[Code] = &[Code::BreakKept, Code::RoundedToZero, Code::WrongDay];

/// The records of Kimai's answers.
#[derive(Debug, Default)]
struct Known {
    counted: Counted,
    habit: Habit,
    /// Parked work logs by code.
    parked: BTreeMap<Code, u64>,
    /// How many timesheets have an unknown day.
    unknown_days: u64,
}

impl Doctor {
    pub(super) async fn hours(&self) -> Check {
        let known = async {
            let ledger = &self.target.ledger;
            Ok::<_, Failure>(Known {
                counted: ledger.counted().await?,
                habit: Habit::of(&ledger.rounded_sample().await?),
                parked: self.parked().await?,
                unknown_days: ledger.unknown_days().await?,
            })
        };
        match limited(known).await {
            Ok(known) => of_hours(&known),
            Err(why) => HOURS.unknown(sentence(&why), "Fix the check of the queue file first."),
        }
    }

    /// How many work logs are parked with each of [`CODES`].
    async fn parked(&self) -> Result<BTreeMap<Code, u64>, QueueFault> {
        let parked = self.target.queue.parked_by_code().await?;
        let of = |code: &Code| (*code, parked.get(&Some(*code)).map_or(0, |count| *count as u64));
        Ok(CODES.iter().map(of).collect())
    }

    pub(super) async fn owners(&self, asked: &Asked) -> Check {
        let clock = &self.target.clock;
        // The token's user has a check of its own.
        let me = limited(self.me(asked)).await.map(|me| me.id);
        match limited(self.target.kimai.people()).await {
            Ok(mut people) => {
                people.retain(|person| Ok(person.id) != me && person.enabled && !person.system_account);
                of_owners(clock.zone(), &people, clock.today())
            }
            Err(why) => OWNERS.unknown(
                sentence(&why),
                "Check the time zones of people in Kimai, or temporarily give the user of the token the right \
                 to see users (view_user).",
            ),
        }
    }
}

fn of_hours(known: &Known) -> Check {
    let Known { counted: Counted { rounded, seconds, off_day }, habit, parked, unknown_days } = known;
    let parked = |code| parked.get(&code).copied().unwrap_or_default();
    let (mut says, mut help) = (Vec::new(), Vec::new());
    let (zero, paused) = (parked(Code::RoundedToZero), parked(Code::BreakKept));
    if zero > 0 {
        says.push(format!("Kimai's rounding reduces {} to zero", many(zero, "work log")));
        help.push("round durations less");
    }
    if paused > 0 {
        says.push(format!(
            "{} in Kimai with a break that Kimai refuses to remove",
            many(paused, "timesheet")
        ));
        help.push("turn on breaks until these work logs have been retried");
    }
    if *off_day > 0 {
        let on = if *off_day == 1 { "is" } else { "are" };
        says.push(format!(
            "{} {on} booked on a different day than the work log",
            many(*off_day, "timesheet")
        ));
        help.push(
            "set the time zone of these users to TZ (see the checks of time zones), then sweep those days",
        );
    }
    let trouble = !says.is_empty();
    if *rounded > 0 {
        let sign = if *seconds < 0 { "" } else { "+" };
        let in_all = clock(*seconds);
        says.push(format!(
            "Kimai rounded {}, {sign}{in_all} in total{}",
            many(*rounded, "timesheet"),
            setting(*habit)
        ));
        help.push("set the rounding that you want; existing timesheets stay as they are");
    }
    if *unknown_days > 0 {
        let of = many(*unknown_days, "timesheet");
        says.push(format!("the day on which Kimai books {of} is not known, and cannot be queried"));
    }
    if help.is_empty() {
        says.insert(0, "Kimai counts the hours of the work logs, and books them on their day".to_owned());
        return HOURS.well(sentence(&says.join("; ")));
    }
    let (says, help) =
        (sentence(&says.join("; ")), format!("In Kimai, under System, Settings: {}.", help.join("; ")));
    if trouble { HOURS.trouble(says, help) } else { HOURS.warning(says, help) }
}

/// The likely setting for Kimai's rounding, which its API does not expose.
fn setting(habit: Habit) -> String {
    let names = [
        (habit.times, "begin and end", "timesheet.rounding.default.begin and .end"),
        (habit.duration, "the duration", "timesheet.rounding.default.duration"),
    ];
    let told = names.into_iter().filter_map(|(step, what, name)| {
        Some(format!("{what} to {} min ({name})", step.filter(|step| *step > 0)?))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { String::new() } else { format!(": probably {}", told.join(", and ")) }
}

/// The days of the coming year whose midnight in `ours` is on another day in `theirs`.
pub(super) fn moved_days(ours: &TimeZone, theirs: &TimeZone, today: Date) -> Vec<Date> {
    let days = today.series(Span::new().days(1)).take(YEAR);
    let moved = days.filter_map(|day| {
        let midnight = day.to_zoned(ours.clone()).ok()?;
        (midnight.with_time_zone(theirs.clone()).date() != day).then_some(day)
    });
    moved.collect()
}

fn of_owners(ours: &TimeZone, people: &[Person], today: Date) -> Check {
    let our_name = ours.iana_name().unwrap_or("UTC");
    let mut zones: BTreeMap<&str, bool> = BTreeMap::new();
    for person in people {
        let Some(name) = person.timezone.as_deref() else { continue };
        zones.entry(name).or_insert_with(|| {
            TimeZone::get(name).is_ok_and(|theirs| !moved_days(ours, &theirs, today).is_empty())
        });
    }
    let moved = people.iter().filter_map(|person| {
        let zone = person.timezone.as_deref()?;
        zones.get(zone).is_some_and(|moved| *moved).then(|| format!("'{}' ({zone})", person.username))
    });
    let mut moved: Vec<String> = moved.collect();
    if moved.is_empty() {
        return OWNERS
            .well(format!("Midnight in {our_name} is on the same day for all {} people.", people.len()));
    }
    let more = moved.len().saturating_sub(MOST_NAMES);
    moved.truncate(MOST_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    OWNERS.warning(
        format!(
            "Midnight in {our_name} is on the day before for {}{more}: Kimai's lists, calendars, exports and \
             invoices show their hours on that day. Its reports show the right day, until a work log is moved \
             to another day.",
            moved.join(", ")
        ),
        format!(
            "Set the time zone in their Kimai profiles to {our_name}. Each of their timesheets is shown \
             correctly once it is saved again."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;
    use crate::domain::ids::UserId;

    fn expect(check: &Check, verdict: Health, words: &[&str]) {
        assert_eq!(check.verdict, verdict, "{check}");
        for words in words {
            assert!(check.to_string().contains(words), "{words:?} is not in {check}");
        }
    }

    #[test]
    fn what_kimai_counts_otherwise_is_told_with_the_setting_that_causes_it() {
        let counted = |rounded, seconds, off_day| Counted { rounded, seconds, off_day };
        let known = |counted, parked: &[(Code, u64)]| Known {
            counted,
            parked: parked.iter().copied().collect(),
            ..Known::default()
        };
        expect(&of_hours(&Known::default()), Health::Well, &["Kimai counts the hours of the work logs"]);
        let old = Known { unknown_days: 7, ..Known::default() };
        expect(&of_hours(&old), Health::Well, &["books 7 timesheets is not known"]);
        let rounded =
            Known { habit: Habit { times: Some(15), duration: None }, ..known(counted(12, 4_860, 0), &[]) };
        let words =
            ["12 timesheets, +1:21 in total", "begin and end to 15 min", "timesheet.rounding.default.begin"];
        expect(&of_hours(&rounded), Health::Warning, &words);
        let durations = Known {
            habit: Habit { times: None, duration: Some(15) },
            ..known(counted(1, -360, 0), &[(Code::RoundedToZero, 2)])
        };
        let words =
            ["reduces 2 work logs to zero", "1 timesheet, -0:06", "timesheet.rounding.default.duration"];
        expect(&of_hours(&durations), Health::Trouble, &words);
        let paused = known(counted(0, 0, 3), &[(Code::BreakKept, 1)]);
        let words = [
            "1 timesheet in Kimai with a break",
            "3 timesheets are booked on a different day",
            "turn on breaks",
        ];
        expect(&of_hours(&paused), Health::Trouble, &words);
    }

    #[test]
    fn people_of_another_day_are_named_and_not_all_of_hundreds() {
        let today: Date = "2026-01-15".parse().unwrap();
        let brussels = TimeZone::get("Europe/Brussels").unwrap();
        let person = |name: &str, zone: Option<&str>| Person {
            id: UserId::number(1),
            username: name.to_owned(),
            timezone: zone.map(str::to_owned),
            enabled: true,
            system_account: false,
        };
        let people = [
            person("jan", Some("Europe/Brussels")),
            person("zoe", Some("Europe/Paris")),
            person("kim", Some("Asia/Tokyo")),
            person("ann", None),
            person("eva", Some("Mars/Olympus")),
        ];
        expect(&of_owners(&brussels, &people, today), Health::Well, &["same day for all 5 people"]);
        let away = [person("jan", Some("UTC")), people[0].clone(), person("joe", Some("America/New_York"))];
        let check = of_owners(&brussels, &away, today);
        expect(
            &check,
            Health::Warning,
            &["'jan' (UTC), 'joe' (America/New_York):", "profiles to Europe/Brussels"],
        );
        let hundreds = vec![person("jan", Some("UTC")); 300];
        expect(&of_owners(&brussels, &hundreds, today), Health::Warning, &["and 290 more"]);
    }
}
