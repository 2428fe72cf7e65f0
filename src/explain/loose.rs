//! A timesheet that no work log is linked to: its values, and what a sweep does with it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Holds;
use crate::domain::EntryId;
use crate::settings::Limits;
use crate::text::minute;

/// A timesheet in Kimai that no work log is linked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loose {
    /// Its id.
    pub id: EntryId,
    /// Its values, as text.
    pub holds: String,
    /// What the next sweep of its day does, as text.
    pub next: String,
}

impl Loose {
    pub(super) fn of(id: EntryId, holds: &Holds, zone: &TimeZone, limits: Limits) -> Self {
        Self { id, holds: words(holds, zone), next: next(holds, zone, limits) }
    }
}

impl std::fmt::Display for Loose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, holds, next } = self;
        write!(f, "No work log is linked to Kimai timesheet {id}: {holds}. {next}")
    }
}

fn words(holds: &Holds, zone: &TimeZone) -> String {
    let Holds { found, exported, names } = holds;
    let time = |instant: Timestamp| minute(instant, zone);
    let span = match found.end {
        None => format!("{}, still running", time(found.begin)),
        Some(end) => {
            let minutes = found.duration / 60;
            let (hours, minutes) = (minutes / 60, minutes % 60);
            format!("{} to {} ({hours}:{minutes:02} hours)", time(found.begin), time(end))
        }
    };
    let named = |what: &str, name: &Option<String>, id: Option<String>| match (name, id) {
        (Some(name), Some(id)) => format!(", {what} '{name}' ({id})"),
        (None, Some(id)) => format!(", {what} {id}"),
        (_, None) => String::new(),
    };
    let user = named("user", &names.user, found.user.map(|id| id.to_string()));
    let project = named("project", &names.project, found.project.map(|id| id.to_string()));
    let activity = named("activity", &names.activity, found.activity.map(|id| id.to_string()));
    let exported = if *exported { ", exported" } else { "" };
    format!("{span}{user}{project}{activity}{exported}")
}

fn next(holds: &Holds, zone: &TimeZone, limits: Limits) -> String {
    let day = holds.found.begin.to_zoned(zone.clone()).date();
    if holds.exported {
        return format!("A sweep of {day} keeps it, since it is exported");
    }
    let taken = "links it to a work log that has no timesheet and matches it exactly";
    if !limits.delete_orphans {
        return format!("A sweep of {day} {taken}, otherwise keeps it, since SWEEP_DELETE_ORPHANS is false");
    }
    let Limits { max_deletions, grace, .. } = limits;
    format!(
        "The next sweep of {day} {taken}, otherwise deletes it: without confirmation if there are at most \
         {max_deletions} such timesheets (SWEEP_MAX_DELETIONS), and not within {} minutes of its last change \
         (SWEEP_GRACE)",
        grace.as_secs() / 60
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Names;
    use super::*;
    use crate::domain::diff::ObservedEntry;
    use crate::domain::ids::{ActivityId, ProjectId, UserId};

    #[test]
    fn it_is_told_whose_hours_they_are_and_what_a_sweep_does() {
        let found = ObservedEntry {
            begin: "2024-09-01T22:00:00Z".parse().unwrap(),
            end: Some("2024-09-02T05:30:00Z".parse().unwrap()),
            duration: 27_000,
            pause: 0,
            project: Some(ProjectId::number(2)),
            activity: Some(ActivityId::number(4)),
            user: Some(UserId::number(3)),
            note: None,
        };
        let names = Names { user: Some("jane".into()), project: Some("Website".into()), ..Names::default() };
        let holds = |exported| Holds { found, exported, names: names.clone() };
        let limits = |delete_orphans| Limits {
            max_deletions: 20,
            max_tombstones: 1_000,
            delete_orphans,
            overwrite_exported: false,
            grace: Duration::from_mins(10),
        };
        let zone = TimeZone::get("Europe/Brussels").unwrap();
        let told = |exported, delete| {
            Loose::of(EntryId::number(12), &holds(exported), &zone, limits(delete)).to_string()
        };
        let deletes = told(false, true);
        assert!(
            deletes.starts_with(
                "No work log is linked to Kimai timesheet 12: 2024-09-02 00:00 to 2024-09-02 07:30 (7:30 \
                 hours), user 'jane' (3), project 'Website' (2), activity 4. The next sweep of 2024-09-02 links \
                 it to a work log"
            ),
            "{deletes}"
        );
        assert!(deletes.contains("otherwise deletes it"), "{deletes}");
        assert!(told(true, true).ends_with("keeps it, since it is exported"));
        assert!(told(false, false).ends_with("since SWEEP_DELETE_ORPHANS is false"));
    }
}
