//! The fixed part of the world: tasks, persons and their data in Kimai; and the expected result for a work log,
//! implemented independently of the code under test.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::domain;
use crate::domain::ids::{ActivityId, ProjectId, UserId};
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::{Directory, Facts, PersonFacts, TaskFacts, VEVENT};

/// The day in the middle of all. Far from any change of the clocks: those are tested elsewhere.
pub(super) const TODAY: Date = date(2024, 9, 16);
/// The work logs lie within so many days of it.
pub(super) const DAYS: i32 = 10;
/// What the work day's zone is ahead of UTC, on all of these days.
const AHEAD: SignedDuration = SignedDuration::from_hours(2);

/// Task, project and activity; the last three cannot be booked.
const TASKS: [(&str, u64, u64); 7] = [
    ("http://x/activities/1", 1, 11),
    ("http://x/activities/2", 1, 12),
    ("http://x/activities/3", 2, 13),
    ("http://x/activities/4", 2, 14),
    ("http://x/activities/hidden", 3, 15),
    ("http://x/activities/global", 0, 16),
    ("http://x/activities/other", 0, 0),
];
/// Person and Kimai user; the last has none.
const PERSONS: [(&str, u64); 4] = [
    ("http://x/persons/1", 1),
    ("http://x/persons/2", 2),
    ("http://x/persons/3", 3),
    ("http://x/persons/none", 0),
];
/// Duration and minutes; two as near to each other as Kimai may round, one of which rounding may leave nothing, and
/// the last cannot be booked.
const DURATIONS: [(&str, i64); 6] =
    [("PT8H", 480), ("PT90M", 90), ("PT1H20M", 80), ("PT15M", 15), ("PT7M", 7), ("8h", 0)];

/// The places of two durations that Kimai may round to each other.
pub(super) const NEARLY_THE_SAME: [usize; 2] = [1, 2];

/// The place of the duration that Kimai's rounding could make of this one, if there is one.
pub(super) fn near(duration: usize) -> usize {
    match duration {
        1 => 2,
        2 => 1,
        other => other,
    }
}

pub(super) const GOOD_TASKS: usize = 4;
/// The place of the task that only Kimai refuses.
pub(super) const HIDDEN_TASK: usize = 4;
pub(super) const GOOD_PERSONS: usize = 3;
pub(super) const GOOD_DURATIONS: usize = 5;

pub(super) fn zone() -> TimeZone {
    TimeZone::get("Europe/Brussels").expect("it is bundled")
}

/// The values of a work log, by their place in the tables above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) day: i32,
    pub(super) duration: usize,
    pub(super) task: usize,
    pub(super) person: usize,
}

/// One of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Day,
    Duration,
    Task,
    Person,
}

impl Field {
    pub(super) const ALL: [Self; 4] = [Self::Day, Self::Duration, Self::Task, Self::Person];
}

impl Values {
    /// Writes one of them as the triplestore holds it, in place of what was there.
    pub(super) fn write(&self, field: Field, facts: &mut Facts) {
        match field {
            Field::Day => facts.days = domain::Values::only(day(self.day).to_string()),
            Field::Duration => facts.durations = domain::Values::only(DURATIONS[self.duration].0),
            Field::Task => facts.tasks = domain::Values::only(TASKS[self.task].0),
            Field::Person => facts.persons = domain::Values::only(PERSONS[self.person].0),
        }
    }
}

pub(super) fn day(offset: i32) -> Date {
    TODAY.checked_add(offset.days()).expect("a day of this year")
}

/// What the triplestore says of tasks and persons.
pub(super) fn directory() -> Directory {
    let mut directory = Directory::default();
    for (iri, project, activity) in TASKS {
        let mut facts =
            TaskFacts { is_activity: activity > 0, has_parent: project > 0, ..TaskFacts::default() };
        facts.identifiers.extend((activity > 0).then(|| activity.to_string()));
        facts.project_identifiers.extend((project > 0).then(|| project.to_string()));
        directory.tasks.insert(iri.to_owned(), facts);
    }
    for (iri, user) in PERSONS {
        let account_identifiers = (user > 0).then(|| user.to_string()).into_iter().collect();
        directory.persons.insert(iri.to_owned(), PersonFacts { name: None, account_identifiers });
    }
    directory
}

/// Whether Kimai takes it: the project has to be visible, the activity to belong to it.
pub(super) fn kimai_takes(wanted: &DesiredEntry) -> bool {
    let known = TASKS[..GOOD_TASKS].iter().any(|(_, project, activity)| {
        wanted.project == ProjectId::number(*project) && wanted.activity == ActivityId::number(*activity)
    });
    known && wanted.user.as_number().is_some_and(|user| (1..=GOOD_PERSONS as u64).contains(&user))
}

/// What should become of a work log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// A timesheet that holds this.
    Sheet(DesiredEntry),
    /// It waits, parked, and its reason contains this.
    Parked(&'static str),
    /// It is no work log.
    Nothing,
}

/// What should become of a work log with these facts.
pub(super) fn due(facts: &Facts) -> Due {
    if !facts.types.contains(VEVENT) {
        return Due::Nothing;
    }
    let only = |values: &domain::Values| values.first().cloned();
    let Some(day) = only(&facts.days) else { return Due::Parked("no date") };
    let Some(duration) = only(&facts.durations) else { return Due::Parked("no duration") };
    let Some(task) = only(&facts.tasks) else { return Due::Parked("no task") };
    let Some(person) = only(&facts.persons) else { return Due::Parked("no person") };
    let minutes = DURATIONS.iter().find(|(text, _)| *text == duration).map_or(0, |(_, minutes)| *minutes);
    let user = PERSONS.iter().find(|(iri, _)| *iri == person).map_or(0, |(_, user)| *user);
    let (_, project, activity) = TASKS.into_iter().find(|(iri, ..)| *iri == task).unwrap_or(("", 0, 0));
    if minutes == 0 {
        return Due::Parked("cannot be booked");
    }
    match (activity, project) {
        (0, _) => return Due::Parked("not an activity of Kimai"),
        (_, 0) => return Due::Parked("has no project"),
        _ => {}
    }
    if user == 0 {
        return Due::Parked("no Kimai account");
    }
    let midnight: Timestamp = format!("{day}T00:00:00Z").parse().expect("a day");
    let begin = midnight - AHEAD;
    let wanted = DesiredEntry {
        begin,
        end: begin + SignedDuration::from_mins(minutes),
        project: ProjectId::number(project),
        activity: ActivityId::number(activity),
        user: UserId::number(user),
        note: None,
    };
    if kimai_takes(&wanted) { Due::Sheet(wanted) } else { Due::Parked("The selected choice is invalid") }
}
