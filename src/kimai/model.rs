//! Kimai's JSON, as far as we read or write it. Unknown fields are ignored; what Kimai leaves out or
//! sends as null is an `Option`.

use jiff::{Timestamp, civil::Date, civil::DateTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::difference::FoundTimesheet;
use crate::domain::ids::{ActivityId, CustomerId, KimaiId, ProjectId, UserId};
use crate::domain::timesheet::WantedTimesheet;

/// What we send with `POST /timesheets` and `PATCH /timesheets/{id}`: all fields we own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct TimesheetForm {
    /// Sent as an instant (`2024-09-02T00:00:00.000Z`), so that no zone can reinterpret it.
    #[serde(serialize_with = "as_instant")]
    begin: Timestamp,
    #[serde(serialize_with = "as_instant")]
    end: Timestamp,
    project: ProjectId,
    activity: ActivityId,
    /// Needs the permission `create_other_timesheet`.
    user: UserId,
}

impl From<&WantedTimesheet> for TimesheetForm {
    fn from(wanted: &WantedTimesheet) -> Self {
        let WantedTimesheet { begin, end, project, activity, user } = *wanted;
        Self { begin, end, project, activity, user }
    }
}

/// `GET /timesheets` and the answers to POST and PATCH.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Timesheet {
    /// Its id, never reused.
    pub id: KimaiId,
    /// The Kimai activity; null only where Kimai is set to allow that.
    pub activity: Option<ActivityId>,
    /// The Kimai project.
    pub project: Option<ProjectId>,
    /// Whose hours they are.
    pub user: Option<UserId>,
    /// Start. Kimai writes offsets without a colon (`+0100`), in the owner's zone.
    #[serde(deserialize_with = "instant")]
    pub begin: Timestamp,
    /// End; absent while the record runs.
    #[serde(default, deserialize_with = "optional_instant")]
    pub end: Option<Timestamp>,
    /// Whether it is on an invoice already.
    #[serde(default)]
    pub exported: bool,
}

impl From<&Timesheet> for FoundTimesheet {
    fn from(timesheet: &Timesheet) -> Self {
        let Timesheet { begin, end, project, activity, user, .. } = *timesheet;
        Self { begin, end, project, activity, user }
    }
}

/// Which timesheets to list. The bounds are wall clock in the *token's* zone, inclusive, and test the
/// record's begin only: ask for more than you need and filter afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimesheetFilter {
    /// Earliest begin.
    pub begin: Option<DateTime>,
    /// Latest begin.
    pub end: Option<DateTime>,
    /// Whose; everybody's without.
    pub user: Option<UserId>,
    /// Made or changed in that second or later, by Kimai's clock.
    pub modified_after: Option<Timestamp>,
}

/// `GET /users/me`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CurrentUser {
    /// Its id.
    pub id: UserId,
    /// Its login name.
    pub username: String,
    /// Its zone, in which Kimai reads times without offset and books days.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Its roles, `ROLE_SUPER_ADMIN` and the like.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// `GET /customers`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Its name, not unique.
    pub name: String,
    /// `#rrggbb`, or null when unset.
    #[serde(default)]
    pub color: Option<String>,
    /// Whether it is shown.
    #[serde(default = "yes")]
    pub visible: bool,
}

/// `GET /projects`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name, not unique.
    pub name: String,
    /// The customer it belongs to.
    #[serde(default)]
    pub customer: Option<CustomerId>,
    /// `#rrggbb`, or null when unset.
    #[serde(default)]
    pub color: Option<String>,
    /// Whether it is shown; its customer may be hidden all the same.
    #[serde(default = "yes")]
    pub visible: bool,
    /// Its first day.
    #[serde(default)]
    pub start: Option<Date>,
    /// Its last day.
    #[serde(default)]
    pub end: Option<Date>,
}

/// `GET /activities`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Activity {
    /// Its id.
    pub id: ActivityId,
    /// Its name, not unique.
    pub name: String,
    /// The project it belongs to; null for a global activity.
    #[serde(default)]
    pub project: Option<ProjectId>,
    /// `#rrggbb`, or null when unset.
    #[serde(default)]
    pub color: Option<String>,
    /// Whether it is shown; its project may be hidden all the same.
    #[serde(default = "yes")]
    pub visible: bool,
}

/// `GET /users`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its login name, unique.
    pub username: String,
    /// Whether it may log in.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

fn as_instant<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{instant:.3}"))
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    parse_instant(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn optional_instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_instant(&text)).transpose().map_err(serde::de::Error::custom)
}

/// Reads Kimai's `2024-01-04T00:00:00+0100`, which is not RFC 3339, and RFC 3339 itself.
fn parse_instant(text: &str) -> Result<Timestamp, jiff::Error> {
    Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text).or_else(|_| text.parse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_sent_as_the_old_service_sent_it() {
        let wanted = WantedTimesheet {
            begin: "2024-09-02T00:00:00Z".parse().unwrap(),
            end: "2024-09-02T08:00:00Z".parse().unwrap(),
            project: ProjectId(32),
            activity: ActivityId(32),
            user: UserId(1),
        };
        assert_eq!(
            serde_json::to_string(&TimesheetForm::from(&wanted)).unwrap(),
            r#"{"begin":"2024-09-02T00:00:00.000Z","end":"2024-09-02T08:00:00.000Z","project":32,"activity":32,"user":1}"#
        );
    }

    #[test]
    fn instants_are_read_whatever_their_offset() {
        let wanted: Timestamp = "2024-01-03T23:00:00Z".parse().unwrap();
        for text in ["2024-01-04T00:00:00+0100", "2024-01-04T00:00:00+01:00", "2024-01-03T23:00:00Z"] {
            assert_eq!(parse_instant(text).unwrap(), wanted, "{text}");
        }
        assert!(parse_instant("2024-01-04").is_err());
    }

    #[test]
    fn a_running_record_has_no_end() {
        let running: Timesheet = serde_json::from_str(
            r#"{"id":1,"activity":null,"project":2,"user":3,"begin":"2024-01-04T00:00:00+0100","end":null,"tags":[]}"#,
        )
        .unwrap();
        assert_eq!((running.end, running.exported), (None, false));
    }
}
