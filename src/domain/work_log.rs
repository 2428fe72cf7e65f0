//! A work log in the triplestore, and what it needs to become a timesheet.
//!
//! The triplestore returns facts: sets of values that may be empty, repeated or malformed. [`resolve`] turns them into
//! a [`WorkLog`], or explains to an office worker what is missing.

use std::collections::HashMap;
use std::fmt;

use jiff::{Span, civil::Date, fmt::temporal::SpanParser};

use super::code::Code;
use super::ids::{ActivityId, EntryId, IdSyntax, ProjectId, UserId, WorkLogUri};
use super::note::Note;
use super::property_values::Values;

/// The class of a work log, as `rdf:type` holds it.
pub const VEVENT: &str = "http://www.w3.org/2002/12/cal/ical#Vevent";

/// The classes of what the import makes, as `rdf:type` holds them: their `dct:identifier` is that of a customer,
/// project, activity or user, never of a timesheet.
pub const IMPORTED: [&str; 6] = [
    "http://www.w3.org/ns/prov#Organization",
    "http://www.w3.org/2005/01/wf/flow#Task",
    "http://usefulinc.com/ns/doap#Project",
    "http://mu.semte.ch/vocabularies/ext/KimaiActivity",
    "http://mu.semte.ch/vocabularies/ext/UnavailableInKimai",
    "http://xmlns.com/foaf/0.1/OnlineAccount",
];

/// The values of a subject that may be a work log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `rdf:type`, all of them.
    pub types: Values,
    /// `cal:duration`, ISO 8601.
    pub durations: Values,
    /// `cal:dtstart`, usually an `xsd:date`.
    pub days: Values,
    /// `dct:subject`, the task's IRI.
    pub tasks: Values,
    /// `prov:wasAssociatedWith`, the person's IRI.
    pub persons: Values,
    /// `dct:identifier`, the id of its entry in the tracker.
    pub identifiers: Values,
    /// How the tracker writes its ids.
    pub syntax: IdSyntax,
    /// `cal:comment`, where notes are read at all.
    pub notes: Option<Values>,
    /// Whether the subject has any property besides these.
    pub has_others: bool,
}

/// What a subject is, according to its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has the class `cal:Vevent`.
    WorkLog,
    /// Nothing is left of it but `dct:identifier`: what mu-cl-resources leaves of a deleted work log.
    Tombstone,
    /// Nothing is known about it.
    Absent,
    /// Something else: a timesheet, a task, a customer. Or a deleted work log with more than its link left: see
    /// [`Facts::may_be_left_over`].
    Other,
}

impl Facts {
    /// Those of a subject of which nothing is known.
    pub fn none(syntax: IdSyntax) -> Self {
        Self { syntax, ..Self::default() }
    }

    /// What the subject is. Only positive evidence makes a [`Kind::Tombstone`]: a subject with any
    /// class, any other property, or the IRI of a task, customer or account, is [`Kind::Other`],
    /// since its `dct:identifier` is not a timesheet's.
    pub fn kind(&self, subject: &WorkLogUri) -> Kind {
        if self.types.contains(VEVENT) {
            return Kind::WorkLog;
        }
        let bare = self.types.is_empty()
            && !self.has_others
            && self.notes.as_ref().is_none_or(|notes| notes.is_empty())
            && [&self.durations, &self.days, &self.tasks, &self.persons].iter().all(|set| set.is_empty());
        match (bare, self.identifiers.is_empty()) {
            (true, true) => Kind::Absent,
            (true, false) if !is_imported(subject) => Kind::Tombstone,
            _ => Kind::Other,
        }
    }

    /// Whether this can be what is left of a deleted work log, whatever else that is: it is linked, and neither
    /// class nor IRI is of what the import makes. Much else carries a number, so it takes evidence that it was a
    /// work log: see [`is_left_over`](super::plan::is_left_over).
    pub fn may_be_left_over(&self, subject: &WorkLogUri) -> bool {
        !self.identifiers.is_empty() && self.may_have_been_work_log(subject)
    }

    /// Whether it is no work log and may have been one: nothing of it is of what the import makes.
    pub fn may_have_been_work_log(&self, subject: &WorkLogUri) -> bool {
        let of_import = IMPORTED.into_iter().any(|class| self.types.contains(class));
        !of_import && !self.types.contains(VEVENT) && !is_imported(subject)
    }

    /// The entries it is linked to, lowest id first. Text that is no id (an old fault stored
    /// "undefined") is left out.
    pub fn entry_ids(&self) -> Vec<EntryId> {
        self.syntax.read_all(self.identifiers.iter()).into_iter().map(EntryId::from).collect()
    }

    /// Its note, empty if it has none; nothing if notes are not read.
    pub fn note(&self) -> Option<&str> {
        self.notes.as_ref().map(|notes| notes.first().map_or("", String::as_str))
    }

    /// Whether it is linked to `id` alone, and in the one way in which that is written here: others look for
    /// the text.
    pub fn is_linked_to_just(&self, id: EntryId) -> bool {
        matches!(&*self.identifiers, [text] if *text == id.to_string())
    }
}

/// Whether the IRI is of the kinds that the import mints: those carry Kimai ids of other tables.
pub(crate) fn is_imported(subject: &WorkLogUri) -> bool {
    let mut segments = subject.as_str().rsplit('/');
    let _last = segments.next();
    matches!(segments.next(), Some("tasks" | "customers" | "accounts"))
}

/// The data of a task that leads to Kimai.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFacts {
    /// Its `rdfs:label`, for messages.
    pub label: Option<String>,
    /// Whether it has the class `ext:KimaiActivity`.
    pub is_activity: bool,
    /// Its `dct:identifier`s.
    pub identifiers: Values,
    /// Whether it has any `skos:broader`.
    pub has_parent: bool,
    /// The `dct:identifier`s of those of its parents that are a `doap:Project`.
    pub project_identifiers: Values,
}

/// The data of a person that leads to Kimai.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonFacts {
    /// The `foaf:name`, for messages.
    pub name: Option<String>,
    /// The `dct:identifier`s of the accounts whose service homepage is Kimai's.
    pub account_identifiers: Values,
}

/// The tasks and persons that work logs refer to, by IRI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Tasks by IRI.
    pub tasks: HashMap<String, TaskFacts>,
    /// Persons by IRI.
    pub persons: HashMap<String, PersonFacts>,
    /// How the tracker writes the ids of all these.
    pub syntax: IdSyntax,
}

/// A complete work log, with its Kimai IDs.
#[derive(Debug, Clone)]
pub struct WorkLog {
    /// The day it was worked, as the person wrote it.
    pub day: Date,
    /// How long: days, hours, minutes, seconds; never negative.
    pub duration: Span,
    /// The Kimai project of its activity.
    pub project: ProjectId,
    /// The Kimai activity.
    pub activity: ActivityId,
    /// The Kimai user of its person.
    pub user: UserId,
    /// Its note, where notes are read.
    pub note: Option<Note>,
    /// Properties that hold several values; the smallest was taken.
    pub doubled: Vec<&'static str>,
}

/// A reason why a work log cannot be synced, in words for an office worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A property of the work log itself is not there (yet).
    Lacks(&'static str),
    /// The task is not an activity of Kimai.
    NotAnActivity(String),
    /// The activity carries no Kimai id.
    ActivityWithoutId(String),
    /// A global activity: no `skos:broader`.
    ActivityWithoutProject(String),
    /// The activity's parent is no Kimai project, or carries no Kimai id.
    ProjectUnknown(String),
    /// No account of the person is a Kimai account.
    NoAccount(String),
    /// Several accounts of the person are Kimai accounts, so it is ambiguous whose hours these are.
    AccountAmbiguous(String, Vec<UserId>),
    /// The duration cannot be booked.
    BadDuration(String, &'static str),
    /// The date cannot be read.
    BadDay(String, &'static str),
}

impl Obstacle {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Lacks(_) => Code::WorkLogIncomplete,
            Self::NotAnActivity(_) => Code::NotAnActivity,
            Self::ActivityWithoutId(_) => Code::ActivityWithoutId,
            Self::ActivityWithoutProject(_) => Code::ActivityWithoutProject,
            Self::ProjectUnknown(_) => Code::ProjectUnknown,
            Self::NoAccount(_) => Code::NoAccount,
            Self::AccountAmbiguous(..) => Code::AccountAmbiguous,
            Self::BadDuration(..) => Code::DurationInvalid,
            Self::BadDay(..) => Code::DayInvalid,
        }
    }

    /// Whether only a change of the work log itself can help, so that retries are useless.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::BadDuration(..) | Self::BadDay(..))
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lacks(what) => write!(f, "the work log has no {what}"),
            Self::NotAnActivity(task) => write!(f, "{task} is not an activity of Kimai"),
            Self::ActivityWithoutId(task) => write!(f, "activity {task} has no Kimai id"),
            Self::ActivityWithoutProject(task) => write!(f, "activity {task} has no project"),
            Self::ProjectUnknown(task) => write!(f, "the project of activity {task} is not one of Kimai's"),
            Self::NoAccount(person) => write!(f, "the user {person} has no Kimai account linked"),
            Self::AccountAmbiguous(person, users) => {
                let users = users.iter().map(UserId::to_string).collect::<Vec<_>>().join(" and ");
                write!(f, "the user {person} has several Kimai accounts linked (Kimai users {users})")
            }
            Self::BadDuration(text, why) => write!(f, "the duration '{text}' cannot be booked: {why}"),
            Self::BadDay(text, why) => write!(f, "the date '{text}' cannot be booked: {why}"),
        }
    }
}

/// Resolves a work log's facts to Kimai IDs, or returns every obstacle at once.
pub fn resolve(facts: &Facts, directory: &Directory) -> Result<WorkLog, Vec<Obstacle>> {
    let mut obstacles = Vec::new();
    let mut keep = |obstacle| obstacles.push(obstacle);
    let day = first(&facts.days, "date").and_then(parse_day).map_err(&mut keep).ok();
    let duration = first(&facts.durations, "duration").and_then(parse_duration).map_err(&mut keep).ok();
    // Each is looked up once: a sweep does so for every work log there is.
    let (no_task, no_person) = (TaskFacts::default(), PersonFacts::default());
    let task = facts.tasks.first().and_then(|iri| directory.tasks.get(iri)).unwrap_or(&no_task);
    let person = facts.persons.first().and_then(|iri| directory.persons.get(iri)).unwrap_or(&no_person);
    let ids = first(&facts.tasks, "task")
        .and_then(|iri| task_ids(iri, task, directory.syntax))
        .map_err(&mut keep)
        .ok();
    let user = first(&facts.persons, "person")
        .and_then(|iri| user_id(iri, person, directory.syntax))
        .map_err(&mut keep)
        .ok();
    match (day, duration, ids, user) {
        (Some(day), Some(duration), Some((project, activity)), Some(user)) => {
            let (note, doubled) = (facts.note().map(Note::of), doubled(facts, task, directory.syntax));
            Ok(WorkLog { day, duration, project, activity, user, note, doubled })
        }
        _ => Err(obstacles),
    }
}

/// The smallest value, so that every run takes the same one.
fn first<'a>(values: &'a Values, what: &'static str) -> Result<&'a str, Obstacle> {
    values.first().map(String::as_str).ok_or(Obstacle::Lacks(what))
}

fn task_ids(iri: &str, task: &TaskFacts, syntax: IdSyntax) -> Result<(ProjectId, ActivityId), Obstacle> {
    let but = |obstacle: fn(String) -> Obstacle| obstacle(name(task.label.as_deref(), iri));
    if !task.is_activity {
        return Err(but(Obstacle::NotAnActivity));
    }
    let smallest = |identifiers: &Values| syntax.read_all(identifiers.iter()).first().copied();
    let activity = smallest(&task.identifiers).ok_or_else(|| but(Obstacle::ActivityWithoutId))?;
    if !task.has_parent {
        return Err(but(Obstacle::ActivityWithoutProject));
    }
    let project = smallest(&task.project_identifiers).ok_or_else(|| but(Obstacle::ProjectUnknown))?;
    Ok((project.into(), activity.into()))
}

fn user_id(iri: &str, person: &PersonFacts, syntax: IdSyntax) -> Result<UserId, Obstacle> {
    let named = || name(person.name.as_deref(), iri);
    match syntax.read_all(person.account_identifiers.iter()).as_slice() {
        [] => Err(Obstacle::NoAccount(named())),
        [user] => Ok((*user).into()),
        // Hours on somebody else's account are worse than hours that wait.
        several => {
            Err(Obstacle::AccountAmbiguous(named(), several.iter().map(|user| (*user).into()).collect()))
        }
    }
}

fn name(label: Option<&str>, iri: &str) -> String {
    label.map_or_else(|| format!("<{iri}>"), |label| format!("'{label}'"))
}

fn doubled(facts: &Facts, task: &TaskFacts, syntax: IdSyntax) -> Vec<&'static str> {
    let counts = [
        ("duration", facts.durations.len()),
        ("date", facts.days.len()),
        ("task", facts.tasks.len()),
        ("person", facts.persons.len()),
        ("note", facts.notes.as_ref().map_or(0, |notes| notes.len())),
        ("Kimai timesheet", facts.entry_ids().len()),
        ("project of the activity", syntax.read_all(task.project_identifiers.iter()).len()),
    ];
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(what, _)| what).collect()
}

/// The work log's own day: the date part of an `xsd:date` or `xsd:dateTime`, whatever zone follows.
/// A zone never moves the day: someone who wrote the 2nd worked on the 2nd.
pub fn parse_day(text: &str) -> Result<Date, Obstacle> {
    let bad = || Obstacle::BadDay(text.to_owned(), "write it like 2024-09-02");
    let (date, rest) = text.split_at_checked(10).ok_or_else(bad)?;
    if !is_zone(rest) {
        let time = rest.strip_prefix('T').ok_or_else(bad)?;
        let (clock, zone) = time.split_at(time.find(['Z', '+', '-']).unwrap_or(time.len()));
        if !is_zone(zone) || clock.parse::<jiff::civil::Time>().is_err() {
            return Err(bad());
        }
    }
    let shape = date.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !shape {
        return Err(bad());
    }
    date.parse().map_err(|_| Obstacle::BadDay(text.to_owned(), "there is no such day"))
}

fn is_zone(text: &str) -> bool {
    text.is_empty()
        || text == "Z"
        || (text.len() == 6 && text.starts_with(['+', '-']) && text.as_bytes().get(3) == Some(&b':'))
}

/// An ISO 8601 duration of days, hours, minutes, seconds and fractions (`P1DT2H`, `PT1.5H`).
/// Years, months and weeks have no fixed length in hours; negative ones cannot be worked.
pub fn parse_duration(text: &str) -> Result<Span, Obstacle> {
    let bad = |why| Obstacle::BadDuration(text.to_owned(), why);
    if text.starts_with(['-', '+']) {
        return Err(bad("it must not have a sign"));
    }
    if !text.starts_with('P') || text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(bad("write it in ISO 8601, like PT7H30M"));
    }
    if let Some(span) = part_of_a_day(text) {
        return Ok(span);
    }
    let parse = SpanParser::new().parse_span(text);
    let span: Span = parse.map_err(|_| bad("it is not an ISO 8601 duration, like PT7H30M"))?;
    if span.get_years() != 0 || span.get_months() != 0 || span.get_weeks() != 0 {
        return Err(bad("years, months and weeks cannot be booked as hours"));
    }
    Ok(span)
}

/// A duration of days with a fraction, like `P0.5D`: ISO 8601 allows one in the last element, of which ours is
/// of 24 hours.
fn part_of_a_day(text: &str) -> Option<Span> {
    let (days, fraction) = text.strip_prefix('P')?.strip_suffix('D')?.split_once(['.', ','])?;
    let plain =
        |digits: &str| (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(days) || !plain(fraction) {
        return None;
    }
    let scale = 10_i64.pow(u32::try_from(fraction.len()).ok()?);
    let nanoseconds = fraction.parse::<i64>().ok()?.checked_mul(86_400_000_000_000 / scale)?;
    Span::new().try_days(days.parse::<i64>().ok()?).ok()?.try_nanoseconds(nanoseconds).ok()
}

#[cfg(test)]
mod tests;
