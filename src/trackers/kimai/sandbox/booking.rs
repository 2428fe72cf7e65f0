//! The form of `POST` and `PATCH /timesheets`: read field by field, then judged as a whole.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value};

use super::answer::{Answer, EXTRA_FIELDS, FormErrors, NO_CHOICE, NOT_NULL};
use super::auth::{Role, Who};
use super::request::{id, scalar, switch};
use super::state::{State, StoredTimesheet, flag, number};
use super::{checks, teams, time};

/// The most bytes the database takes for a description; more is a server error.
const LONGEST_DESCRIPTION: usize = 65_535;
const WRONG_TIME: &str = "Please enter a valid date and time.";
const WRONG_VALUE: &str = "This value is not valid.";

/// Who books, when, and what was there before.
pub(super) struct Booking<'a> {
    pub(super) state: &'a State,
    pub(super) who: &'a Who,
    pub(super) now: Timestamp,
    pub(super) old: Option<&'a StoredTimesheet>,
}

/// The record as the form leaves it, not yet known to be whole.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) user: u64,
    pub(super) project: Option<u64>,
    pub(super) activity: Option<u64>,
    pub(super) begin: Timestamp,
    pub(super) end: Option<Timestamp>,
    pub(super) break_seconds: i64,
    pub(super) description: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) fixed_rate: Option<f64>,
    pub(super) hourly_rate: Option<f64>,
    pub(super) exported: bool,
    pub(super) billable: Option<bool>,
}

impl Booking<'_> {
    /// The record to store under `id`, or the 400 that says what is wrong.
    pub(super) fn read(&self, id: u64, input: &Map<String, Value>) -> Result<StoredTimesheet, Answer> {
        only_what_the_database_takes(input)?;
        let fields = self.fields();
        let mut errors = FormErrors::default();
        let mut draft = self.draft();
        if input.keys().any(|key| !fields.contains(&key.as_str())) {
            errors.form(EXTRA_FIELDS);
        }
        for (name, value) in input.iter().filter(|(name, _)| fields.contains(&name.as_str())) {
            if let Err(message) = self.field(&mut draft, name, value, input) {
                errors.field(name, message);
            }
        }
        checks::run(self, &draft, &mut errors);
        errors.verdict(&fields)?;
        self.record(id, draft).ok_or_else(|| Answer::refused(500))
    }

    /// The zone in which times without one are read, and in which the answer is written: the token's,
    /// but the record's own once it is stored.
    pub(super) fn zone(&self) -> &TimeZone {
        self.old.map_or(&self.who.zone, |old| &old.zone)
    }

    /// The fields of the form, which depend on role, settings, and whether the record is new.
    fn fields(&self) -> Vec<&'static str> {
        let role = self.who.role;
        let mut fields = vec!["project", "activity", "description", "tags"];
        // In punch mode Kimai sets the times itself.
        if self.state.rules.tracking_mode != "punch" || self.state.rules.times_in_punch {
            fields.splice(0..0, ["begin", "end"]);
        }
        let more: [(bool, &[&str]); 4] = [
            (self.state.rules.breaks, &["break"]),
            (role >= Role::Admin, &["fixedRate", "hourlyRate"]),
            (role >= Role::Teamlead || self.old.is_some(), &["user"]),
            (role >= Role::Teamlead, &["exported", "billable"]),
        ];
        fields.extend(more.iter().filter(|(there, _)| *there).flat_map(|(_, names)| *names));
        fields
    }

    fn draft(&self) -> Draft {
        match self.old.cloned() {
            Some(old) => Draft {
                user: old.user,
                project: Some(old.project),
                activity: Some(old.activity),
                begin: old.begin,
                end: old.end,
                break_seconds: old.break_seconds,
                description: old.description,
                tags: old.tags,
                fixed_rate: old.fixed_rate,
                hourly_rate: old.hourly_rate,
                exported: old.exported,
                billable: Some(old.billable),
            },
            None => Draft {
                user: self.who.id,
                project: None,
                activity: None,
                begin: self.now,
                end: None,
                break_seconds: 0,
                description: None,
                tags: Vec::new(),
                fixed_rate: None,
                hourly_rate: None,
                exported: false,
                billable: None,
            },
        }
    }

    fn field(
        &self,
        draft: &mut Draft,
        name: &str,
        value: &Value,
        input: &Map<String, Value>,
    ) -> Result<(), &'static str> {
        match name {
            "begin" => draft.begin = self.time(value)?.ok_or(NOT_NULL)?,
            "end" => draft.end = self.time(value)?,
            "project" => draft.project = choice(value, |project| self.offers_project(project))?,
            "activity" => {
                let project = input.get("project").map_or(draft.project, id);
                draft.activity = choice(value, |activity| self.offers_activity(activity, project))?;
            }
            "user" => draft.user = choice(value, |user| self.offers_user(user))?.ok_or(NOT_NULL)?,
            "description" => draft.description = text(value)?,
            "tags" => draft.tags = self.tags(value)?,
            "fixedRate" => draft.fixed_rate = money(value)?,
            "hourlyRate" => draft.hourly_rate = money(value)?,
            "break" => {
                let text = text(value)?.unwrap_or_else(|| "0".to_owned());
                draft.break_seconds = time::read_duration(&text).ok_or(WRONG_VALUE)?;
            }
            "exported" => draft.exported = switch(value),
            "billable" => draft.billable = Some(switch(value)),
            _ => {}
        }
        Ok(())
    }

    fn time(&self, value: &Value) -> Result<Option<Timestamp>, &'static str> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) => time::read_form(text, self.zone()).map(Some).ok_or(WRONG_TIME),
            _ => Err(WRONG_TIME),
        }
    }

    /// Projects that are shown and open *today*, whatever day is booked; and the one that is set.
    fn offers_project(&self, id: u64) -> bool {
        let today = time::day(self.now, &self.who.zone);
        let open = |project| self.state.project_visible(project) && State::project_open(project, today);
        self.old.is_some_and(|old| old.project == id)
            || (self.state.projects.get(id).is_some_and(open) && self.who.sees(self.state, "projects", id))
    }

    /// Activities of the project and, if it allows them, the global ones; and the one that is set.
    fn offers_activity(&self, id: u64, project: Option<u64>) -> bool {
        let Some(activity) = self.state.activities.get(id) else { return false };
        let row = project.and_then(|project| self.state.projects.get(project));
        let fits = match number(activity, "project") {
            Some(own) => project == Some(own) && row.is_some_and(|row| self.state.project_visible(row)),
            None => row.is_none_or(|row| flag(row, "globalActivities")),
        };
        let kept = self
            .old
            .is_some_and(|old| old.activity == id && project.is_none_or(|project| old.project == project));
        kept || (flag(activity, "visible") && fits)
    }

    /// Enabled people that the role may book for; and the one that is set.
    fn offers_user(&self, id: u64) -> bool {
        let person = |user| flag(user, "enabled") && !flag(user, "systemAccount");
        let kept = self.old.is_some_and(|old| old.user == id);
        let others = self.who.role >= Role::Teamlead && self.who.manages(self.state, id);
        kept || (others && self.state.users.get(id).is_some_and(person))
    }

    /// Names that are not known fall away without a word.
    fn tags(&self, value: &Value) -> Result<Vec<String>, &'static str> {
        let names = text(value)?.unwrap_or_default();
        let known = names.split(',').filter_map(|name| teams::tag(self.state, name.trim()));
        Ok(known.map(str::to_owned).collect())
    }

    /// Sets what Kimai works out itself. A record that nothing is changed of is not saved: it keeps what was
    /// worked out under older settings, and the time of its last change.
    fn record(&self, id: u64, draft: Draft) -> Option<StoredTimesheet> {
        let (project, activity) = (draft.project?, draft.activity?);
        let (begin, end) = (draft.begin, draft.end);
        let day = self.old.filter(|old| old.begin == begin).map(|old| old.day);
        let defines = &self.state.rules.meta_fields;
        let meta = match self.old {
            Some(old) => old.meta.clone(),
            None => defines.iter().map(|name| (name.clone(), None)).collect(),
        };
        let priced = end.is_some() && draft.fixed_rate.is_none();
        let mut record = StoredTimesheet {
            id,
            user: draft.user,
            project,
            activity,
            begin,
            end,
            day: day.unwrap_or_else(|| time::day(begin, self.zone())),
            zone: self.state.zone_of(draft.user),
            break_seconds: draft.break_seconds,
            duration: self.old.map_or(0, |old| old.duration),
            description: draft.description,
            tags: draft.tags,
            fixed_rate: draft.fixed_rate,
            hourly_rate: if priced { draft.hourly_rate.or(Some(0.0)) } else { draft.hourly_rate },
            exported: draft.exported,
            billable: draft.billable.unwrap_or_else(|| billable(self.state, project, activity)),
            modified: self.old.map_or(self.now, |old| old.modified),
            meta,
        };
        if self.old != Some(&record) {
            record.modified = self.now;
            record.calculate(&self.state.rules, self.zone());
        }
        Some(record)
    }
}

/// Some requests are Kimai's own undoing: they answer 500 each time.
fn only_what_the_database_takes(input: &Map<String, Value>) -> Result<(), Answer> {
    let nested =
        ["project", "activity", "user"].iter().any(|name| input.get(*name).is_some_and(Value::is_object));
    let description = input.get("description").and_then(Value::as_str).unwrap_or_default();
    if nested || description.len() > LONGEST_DESCRIPTION { Err(Answer::refused(500)) } else { Ok(()) }
}

fn choice(value: &Value, offered: impl Fn(u64) -> bool) -> Result<Option<u64>, &'static str> {
    if value.is_null() || value.as_str() == Some("") {
        return Ok(None);
    }
    id(value).filter(|id| offered(*id)).map(Some).ok_or(NO_CHOICE)
}

/// Whether work is billable when nobody says so: if activity, project and customer all are.
pub(super) fn billable(state: &State, project: u64, activity: u64) -> bool {
    let project = state.projects.get(project);
    let rows =
        [state.activities.get(activity), project, project.and_then(|project| state.customer_of(project))];
    rows.iter().all(|row| row.is_some_and(|row| flag(row, "billable")))
}

fn text(value: &Value) -> Result<Option<String>, &'static str> {
    if value.is_null() {
        return Ok(None);
    }
    let text = scalar(value).ok_or(WRONG_VALUE)?;
    Ok(Some(trimmed(&text).to_owned()).filter(|text| !text.is_empty()))
}

/// What Symfony's forms keep of a text: neither white space nor control or format characters around it.
fn trimmed(text: &str) -> &str {
    let is_format = |character| matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.trim_matches(|character: char| {
        character.is_whitespace() || character.is_control() || is_format(character)
    })
}

fn money(value: &Value) -> Result<Option<f64>, &'static str> {
    text(value)?.map(|text| text.parse().map_err(|_| WRONG_VALUE)).transpose()
}
