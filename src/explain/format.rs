//! Formats times and differences for an office worker. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Names;
use crate::domain::diff::ObservedEntry;
use crate::domain::hours;
use crate::domain::timesheet::DesiredEntry;
use crate::text::minute;

/// An instant in `zone`: only the time on the same day, otherwise with the day.
pub(super) fn moment(instant: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (there, today) = (instant.to_zoned(zone.clone()), now.to_zoned(zone.clone()).date());
    if there.date() == today { there.strftime("%H:%M").to_string() } else { minute(instant, zone) }
}

/// How a timesheet differs from its work log, one clause each. Kimai's rounding does not count.
pub(super) fn differences(
    found: &ObservedEntry,
    wanted: &DesiredEntry,
    names: &Names,
    zone: &TimeZone,
) -> Vec<String> {
    let mut clauses = Vec::new();
    let mut tell = |what: &str, same: bool, kimai: Option<String>, work_log: String| {
        if !same {
            let kimai = kimai.unwrap_or_else(|| "none".to_owned());
            clauses.push(format!("{what}: {kimai} in Kimai, {work_log} in the work log"));
        }
    };
    // One field at a time: the others are taken from the work log.
    let alone = |one: ObservedEntry| one.holds(wanted);
    let right = ObservedEntry::from(*wanted);
    let time = |instant: Timestamp| minute(instant, zone);
    let ObservedEntry { begin, end, project, activity, user, .. } = *found;
    tell("begin", alone(ObservedEntry { begin, ..right }), Some(time(begin)), time(wanted.begin));
    tell("end", alone(ObservedEntry { end, ..right }), end.map(time), time(wanted.end));
    let labelled = |id: Option<String>, name: &Option<String>| {
        id.map(|id| name.as_ref().map_or_else(|| id.clone(), |name| format!("{id} ('{name}')")))
    };
    let shown = labelled(project.map(|id| id.to_string()), &names.project);
    tell("project", project == Some(wanted.project), shown, wanted.project.to_string());
    let shown = labelled(activity.map(|id| id.to_string()), &names.activity);
    tell("activity", activity == Some(wanted.activity), shown, wanted.activity.to_string());
    let shown = labelled(user.map(|id| id.to_string()), &names.user);
    tell("user", user == Some(wanted.user), shown, wanted.user.to_string());
    if !found.says(wanted) {
        clauses.push("description: differs from the note of the work log".to_owned());
    }
    if !found.holds(wanted) {
        clauses.extend(hours::differing(found, wanted));
    }
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ActivityId, ProjectId, UserId};

    #[test]
    fn each_field_that_differs_is_told_with_its_name_in_our_zone() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let brussels = TimeZone::get("Europe/Brussels").unwrap();
        let wanted = DesiredEntry {
            begin: at("2024-09-01T22:00:00Z"),
            end: at("2024-09-02T06:00:00Z"),
            project: ProjectId::number(1),
            activity: ActivityId::number(2),
            user: UserId::number(3),
            note: None,
        };
        let names = Names { project: Some("Site".into()), ..Names::default() };
        let tell = |found: ObservedEntry| differences(&found, &wanted, &names, &brussels);
        let right = ObservedEntry::from(wanted);
        assert_eq!(tell(right), Vec::<String>::new());
        assert_eq!(
            tell(ObservedEntry { end: Some(at("2024-09-02T06:00:31Z")), duration: 28_831, ..right }),
            Vec::<String>::new()
        );
        assert_eq!(
            tell(ObservedEntry { duration: 25_200, pause: 3_600, ..right }),
            ["break: Kimai has 1:00, the work log says none"]
        );
        let other = ObservedEntry {
            end: Some(at("2024-09-02T05:30:00Z")),
            duration: 27_000,
            project: Some(ProjectId::number(9)),
            activity: None,
            ..right
        };
        assert_eq!(
            tell(other),
            [
                "end: 2024-09-02 07:30 in Kimai, 2024-09-02 08:00 in the work log",
                "project: 9 ('Site') in Kimai, 1 in the work log",
                "activity: none in Kimai, 2 in the work log",
            ]
        );
    }

    #[test]
    fn a_moment_of_today_needs_no_day() {
        let brussels = TimeZone::get("Europe/Brussels").unwrap();
        let now = "2024-09-02T12:00:00Z".parse().unwrap();
        assert_eq!(moment("2024-09-02T12:03:00Z".parse().unwrap(), now, &brussels), "14:03");
        assert_eq!(moment("2024-09-02T22:03:00Z".parse().unwrap(), now, &brussels), "2024-09-03 00:03");
    }
}
