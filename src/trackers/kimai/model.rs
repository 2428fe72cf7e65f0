//! Kimai's JSON, limited to the fields that we read or write. Unknown fields are ignored; fields that Kimai omits or
//! sends as null are an `Option`.

use std::borrow::Cow;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::domain::diff::between;
use crate::domain::ids::{ActivityId, EntryId, IdFault, ProjectId, UserId};
use crate::domain::note::{Note, fitting};
use crate::domain::timesheet::DesiredEntry;
use crate::trackers::TimeEntry;

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
    /// Not sent at all where it is not ours; null where it is to be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Value>,
}

impl TimesheetForm {
    /// The form of `wanted`, with this description if one is to be written.
    pub(super) fn of(wanted: &DesiredEntry, description: Option<&str>) -> Self {
        let DesiredEntry { begin, end, project, activity, user, .. } = *wanted;
        let description = description.map(|text| match fitting(text) {
            "" => Value::Null,
            text => text.into(),
        });
        Self { begin, end, project, activity, user, description }
    }
}

/// What takes a break away. Kimai's form has the field only while breaks are turned on there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct NoBreak {
    #[serde(rename = "break")]
    pause: &'static str,
}

impl NoBreak {
    /// Kimai reads hours and minutes here.
    pub(super) const FORM: Self = Self { pause: "0:00" };
}

/// `GET /timesheets` and the answers to POST and PATCH.
#[derive(Deserialize)]
pub(super) struct TimesheetRow {
    #[serde(deserialize_with = "number")]
    pub(super) id: EntryId,
    #[serde(default, deserialize_with = "optional_number")]
    activity: Option<ActivityId>,
    #[serde(default, deserialize_with = "optional_number")]
    project: Option<ProjectId>,
    #[serde(default, deserialize_with = "optional_number")]
    user: Option<UserId>,
    /// Kimai writes offsets without a colon (`+0100`), in the owner's zone; in the answer to a creation in that of
    /// the token's user.
    #[serde(deserialize_with = "instant_and_day")]
    begin: (Timestamp, Date),
    #[serde(default, deserialize_with = "optional_instant")]
    end: Option<Timestamp>,
    #[serde(default)]
    duration: Option<i64>,
    /// Since 2.23.
    #[serde(default, rename = "break")]
    pause: Option<i64>,
    #[serde(default)]
    exported: bool,
    #[serde(default, rename = "description", deserialize_with = "hashed")]
    note: Option<Note>,
}

impl From<TimesheetRow> for TimeEntry {
    fn from(row: TimesheetRow) -> Self {
        let TimesheetRow {
            id,
            activity,
            project,
            user,
            begin: (begin, day),
            end,
            duration,
            pause,
            exported,
            note,
        } = row;
        let whole =
            |seconds: i64| i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { i32::MAX });
        let pause = pause.map_or(0, whole);
        let duration = duration.map_or_else(|| between(begin, end, pause), whole);
        Self { id, activity, project, user, begin, day, end, duration, pause, exported, note }
    }
}

/// `GET /users/me`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CurrentUser {
    /// Its id.
    #[serde(deserialize_with = "number")]
    pub id: UserId,
    /// Its login name.
    #[serde(deserialize_with = "crate::json::string")]
    pub username: String,
    /// Its zone, in which Kimai reads times without offset and books days.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Its roles, `ROLE_SUPER_ADMIN` and the like.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl CurrentUser {
    /// Whether its role is one of Kimai's two that may see and change everybody's hours by default.
    pub fn is_administrator(&self) -> bool {
        self.roles.iter().any(|role| role == "ROLE_ADMIN" || role == "ROLE_SUPER_ADMIN")
    }
}

/// `GET /customers`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Customer {
    /// Its id.
    #[serde(deserialize_with = "row_number")]
    pub id: u64,
    /// Its name, not unique.
    #[serde(deserialize_with = "crate::json::string")]
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
    #[serde(deserialize_with = "row_number")]
    pub id: u64,
    /// Its name, not unique.
    #[serde(deserialize_with = "crate::json::string")]
    pub name: String,
    /// The customer it belongs to.
    #[serde(default, deserialize_with = "optional_row_number")]
    pub customer: Option<u64>,
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
    #[serde(deserialize_with = "row_number")]
    pub id: u64,
    /// Its name, not unique.
    #[serde(deserialize_with = "crate::json::string")]
    pub name: String,
    /// The project it belongs to; null for a global activity.
    #[serde(default, deserialize_with = "optional_row_number")]
    pub project: Option<u64>,
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
    #[serde(deserialize_with = "row_number")]
    pub id: u64,
    /// Its login name, unique.
    #[serde(deserialize_with = "crate::json::string")]
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

fn instant_and_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(Timestamp, Date), D::Error> {
    let text = String::deserialize(deserializer)?;
    let day = text.get(..10).unwrap_or(&text).parse::<Date>().map_err(serde::de::Error::custom)?;
    Ok((parse_instant(&text).map_err(serde::de::Error::custom)?, day))
}

/// An id: Kimai's are numbers, and one that is written as text is a fault of whatever stands in between.
pub(super) fn number<'de, D: Deserializer<'de>, Id: TryFrom<u64, Error = IdFault>>(
    deserializer: D,
) -> Result<Id, D::Error> {
    Id::try_from(u64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

pub(super) fn optional_number<'de, D: Deserializer<'de>, Id: TryFrom<u64, Error = IdFault>>(
    deserializer: D,
) -> Result<Option<Id>, D::Error> {
    let number = Option::<u64>::deserialize(deserializer)?;
    number.map(Id::try_from).transpose().map_err(serde::de::Error::custom)
}

fn row_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    number::<D, EntryId>(deserializer).map(|id| id.as_number().unwrap_or_default())
}

fn optional_row_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    optional_number::<D, EntryId>(deserializer).map(|id| id.and_then(EntryId::as_number))
}

/// A text's hash: null is none, and what is left out is not known.
fn hashed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Note>, D::Error> {
    let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    Ok(Some(text.map_or(Note::EMPTY, |text| Note::of(&text))))
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
        let wanted = DesiredEntry {
            begin: "2024-09-02T00:00:00Z".parse().unwrap(),
            end: "2024-09-02T08:00:00Z".parse().unwrap(),
            project: ProjectId::number(32),
            activity: ActivityId::number(32),
            user: UserId::number(1),
            note: None,
        };
        assert_eq!(
            serde_json::to_string(&TimesheetForm::of(&wanted, None)).unwrap(),
            r#"{"begin":"2024-09-02T00:00:00.000Z","end":"2024-09-02T08:00:00.000Z","project":32,"activity":32,"user":1}"#
        );
    }

    #[test]
    fn a_description_is_sent_only_where_it_is_ours() {
        let (begin, end) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let (project, activity, user) = (ProjectId::number(1), ActivityId::number(2), UserId::number(3));
        let wanted = DesiredEntry { begin, end, project, activity, user, note: None };
        let json = |note| serde_json::to_value(TimesheetForm::of(&wanted, note)).unwrap();
        assert_eq!(json(None).get("description"), None);
        assert_eq!(json(Some(" What I did\n"))["description"], "What I did");
        assert_eq!(json(Some("\t"))["description"], serde_json::Value::Null);
        assert!(json(Some("")).get("description").is_some(), "it is taken away");
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
    fn a_timesheet_tells_its_day_as_it_is_written_and_what_kimai_counts() {
        let read = |more: &str| {
            let begin = r#""begin":"2024-09-01T18:00:00-0400","end":"2024-09-02T02:00:00-0400""#;
            let text = format!(r#"{{"id":1,"activity":2,"project":2,"user":3,{begin}{more}}}"#);
            TimeEntry::from(serde_json::from_str::<TimesheetRow>(&text).unwrap())
        };
        let found = read(r#","duration":27000,"break":1800"#);
        assert_eq!(
            (found.day.to_string().as_str(), found.duration, found.pause),
            ("2024-09-01", 27_000, 1_800)
        );
        assert_eq!(found.begin.to_string(), "2024-09-01T22:00:00Z");
        // Before 2.23 there is no break.
        assert_eq!((read("").duration, read("").pause), (28_800, 0));
        assert_eq!(read(r#","duration":null,"break":null"#).duration, 28_800);
        assert_eq!(serde_json::to_string(&NoBreak::FORM).unwrap(), r#"{"break":"0:00"}"#);
    }

    #[test]
    fn a_running_record_has_no_end() {
        let running: TimesheetRow = serde_json::from_str(
            r#"{"id":1,"activity":null,"project":2,"user":3,"begin":"2024-01-04T00:00:00+0100","end":null,"tags":[]}"#,
        )
        .unwrap();
        assert_eq!((running.end, running.exported), (None, false));
    }
}
