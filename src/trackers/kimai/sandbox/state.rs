//! What the sandbox remembers: Kimai's tables.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Map, Value};

use super::rules::Rules;
use super::time::at_second;

/// A user, customer, project, activity, tag or team: the fields of Kimai's own JSON.
pub(super) type Row = Map<String, Value>;

/// Rows under an id that counts up and is never given twice, as MariaDB does it.
#[derive(Debug, Clone)]
pub(super) struct Table<T> {
    rows: BTreeMap<u64, T>,
    last: u64,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), last: 0 }
    }
}

impl<T> Table<T> {
    /// Stores what `make` builds for the next id.
    pub(super) fn insert(&mut self, make: impl FnOnce(u64) -> T) -> u64 {
        self.last += 1;
        self.rows.insert(self.last, make(self.last));
        self.last
    }

    /// The id the next row will get.
    pub(super) fn next_id(&self) -> u64 {
        self.last + 1
    }

    pub(super) fn get(&self, id: u64) -> Option<&T> {
        self.rows.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        self.rows.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<T> {
        self.rows.remove(&id)
    }

    /// All rows, lowest id first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.rows.values_mut()
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.rows.retain(|_, row| keep(row));
    }
}

/// A timesheet as the sandbox stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTimesheet {
    /// Its id, never reused.
    pub id: u64,
    /// Whose hours they are.
    pub user: u64,
    /// The project.
    pub project: u64,
    /// The activity.
    pub activity: u64,
    /// Start.
    pub begin: Timestamp,
    /// End; none while it runs.
    pub end: Option<Timestamp>,
    /// The day Kimai's reports book it on (`date_tz`), which no answer shows. It is made when begin is set: in the
    /// zone of the token's user when the record is created, in the record's own [`StoredTimesheet::zone`] when begin
    /// is changed later. A change of anything else leaves it, and so does a begin that is sent as it was.
    pub day: Date,
    /// The zone its times are shown in: its owner's when it was last saved.
    pub zone: TimeZone,
    /// Seconds of break, taken off the duration.
    pub break_seconds: i64,
    /// Seconds that Kimai counts, as worked out when it was last saved: end less begin and break, rounded. None
    /// while it runs.
    pub duration: i64,
    /// Free text.
    pub description: Option<String>,
    /// Names of tags.
    pub tags: Vec<String>,
    /// A price for the whole record.
    pub fixed_rate: Option<f64>,
    /// A price for an hour.
    pub hourly_rate: Option<f64>,
    /// Whether it is on an invoice already.
    pub exported: bool,
    /// Whether it can be on one.
    pub billable: bool,
    /// When it was last saved.
    pub modified: Timestamp,
    /// Values of the meta fields that [`Rules::meta_fields`] defines.
    pub meta: BTreeMap<String, Option<String>>,
}

impl StoredTimesheet {
    /// Does what Kimai does when a record is saved: rounds begin, end and duration. A begin that is moved by that
    /// is set anew, in `zone`, and with it the day.
    pub(super) fn calculate(&mut self, rules: &Rules, zone: &TimeZone) {
        let Some(end) = self.end else {
            self.duration = 0;
            return;
        };
        let mode = rules.rounding_mode;
        let begin = at_second(mode.begin(self.begin.as_second(), rules.rounding));
        if begin != self.begin {
            self.begin = begin;
            self.day = super::time::day(begin, zone);
        }
        let end = at_second(mode.end(end.as_second(), rules.rounding));
        self.end = Some(end);
        self.duration = mode.end(self.between(), rules.duration_rounding);
    }

    /// Seconds from begin to end without the break; none while it runs.
    pub(super) fn between(&self) -> i64 {
        self.end.map_or(0, |end| end.as_second() - self.begin.as_second() - self.break_seconds)
    }

    /// What it costs.
    pub(super) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a duration is far below 2^52 seconds")]
        let hours = self.duration as f64 / 3600.0;
        self.fixed_rate.unwrap_or_else(|| self.hourly_rate.unwrap_or(0.0) * hours)
    }
}

/// An API token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) user: u64,
    pub(super) expired: bool,
}

/// All tables and settings.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) rules: Rules,
    pub(super) tokens: Vec<Token>,
    pub(super) users: Table<Row>,
    pub(super) customers: Table<Row>,
    pub(super) projects: Table<Row>,
    pub(super) activities: Table<Row>,
    pub(super) tags: Table<Row>,
    pub(super) teams: Table<Row>,
    pub(super) timesheets: Table<StoredTimesheet>,
}

impl State {
    /// The customer of a project.
    pub(super) fn customer_of(&self, project: &Row) -> Option<&Row> {
        self.customers.get(number(project, "customer")?)
    }

    /// The zone of a user, UTC if there is no such user.
    pub(super) fn zone_of(&self, user: u64) -> TimeZone {
        self.users.get(user).map_or(TimeZone::UTC, |user| super::time::zone(text(user, "timezone")))
    }

    /// Whether a project and its customer are shown.
    pub(super) fn project_visible(&self, project: &Row) -> bool {
        flag(project, "visible")
            && self.customer_of(project).is_some_and(|customer| flag(customer, "visible"))
    }

    /// Whether a project has begun and not ended on `today`.
    pub(super) fn project_open(project: &Row, today: Date) -> bool {
        let date = |name| text(project, name).parse::<Date>().ok();
        date("start").is_none_or(|start| start <= today) && date("end").is_none_or(|end| today <= end)
    }

    /// Removes a project with its activities and timesheets.
    pub(super) fn remove_project(&mut self, project: u64) {
        self.projects.remove(project);
        self.activities.retain(|activity| number(activity, "project") != Some(project));
        self.timesheets.retain(|timesheet| timesheet.project != project);
    }
}

/// A text field, empty if it is null.
pub(super) fn text<'a>(row: &'a Row, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A yes-or-no field.
pub(super) fn flag(row: &Row, field: &str) -> bool {
    row.get(field).and_then(Value::as_bool).unwrap_or_default()
}

/// A field that holds an id.
pub(super) fn number(row: &Row, field: &str) -> Option<u64> {
    row.get(field).and_then(Value::as_u64)
}

/// Whether a list of ids holds this one.
pub(super) fn holds(row: &Row, field: &str, id: u64) -> bool {
    row.get(field)
        .and_then(Value::as_array)
        .is_some_and(|ids| ids.iter().any(|held| held.as_u64() == Some(id)))
}
