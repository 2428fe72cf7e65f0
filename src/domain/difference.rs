//! Where a period's work logs and timesheets differ. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::{ActivityId, KimaiId, ProjectId, UserId, WorkLogUri};
use super::timesheet::WantedTimesheet;
use super::work_log::Facts;

/// Kimai rounds begin and end to the minute by default: less than that is no difference.
const ROUNDING: SignedDuration = SignedDuration::from_mins(1);

/// A timesheet as Kimai holds it, as far as we own it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundTimesheet {
    /// Start.
    pub begin: Timestamp,
    /// End; none while the record runs.
    pub end: Option<Timestamp>,
    /// The project, if it has one.
    pub project: Option<ProjectId>,
    /// The activity, if it has one.
    pub activity: Option<ActivityId>,
    /// Whose hours they are.
    pub user: Option<UserId>,
}

impl FoundTimesheet {
    /// Whether it holds what is wanted, but for Kimai's rounding.
    pub fn holds(&self, wanted: &WantedTimesheet) -> bool {
        let near = |found: Timestamp, wanted: Timestamp| found.duration_since(wanted).abs() < ROUNDING;
        near(self.begin, wanted.begin)
            && self.end.is_some_and(|end| near(end, wanted.end))
            && self.project == Some(wanted.project)
            && self.activity == Some(wanted.activity)
            && self.user == Some(wanted.user)
    }
}

/// What a comparison found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Work logs to be settled: without timesheet, linked to one that is not in the list or to several, or
    /// with one that holds something else.
    pub to_settle: Vec<WorkLogUri>,
    /// Timesheets that no work log of the period is linked to. One of another period may be.
    pub unlinked: Vec<KimaiId>,
}

/// Compares the work logs of a period with the timesheets of that period, by link. `wanted` gives the
/// timesheet of a complete work log.
pub fn compare(
    work_logs: &BTreeMap<WorkLogUri, Facts>,
    wanted: impl Fn(&WorkLogUri) -> Option<WantedTimesheet>,
    timesheets: &BTreeMap<KimaiId, FoundTimesheet>,
) -> Differences {
    let mut linked = BTreeSet::new();
    let mut differences = Differences::default();
    for (work_log, facts) in work_logs {
        let ids = facts.kimai_ids();
        let found = ids.first().filter(|_| ids.len() == 1).and_then(|id| timesheets.get(id));
        let right = found.zip(wanted(work_log)).is_some_and(|(found, wanted)| found.holds(&wanted));
        if !right {
            differences.to_settle.push(work_log.clone());
        }
        linked.extend(ids);
    }
    differences.unlinked.extend(timesheets.keys().filter(|id| !linked.contains(id)));
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> WantedTimesheet {
        WantedTimesheet {
            begin: "2024-09-02T00:00:00Z".parse().unwrap(),
            end: "2024-09-02T08:00:00Z".parse().unwrap(),
            project: ProjectId(1),
            activity: ActivityId(2),
            user: UserId(3),
        }
    }

    fn found() -> FoundTimesheet {
        let WantedTimesheet { begin, end, project, activity, user } = wanted();
        FoundTimesheet {
            begin,
            end: Some(end),
            project: Some(project),
            activity: Some(activity),
            user: Some(user),
        }
    }

    #[test]
    fn every_field_we_own_counts_and_rounding_does_not() {
        assert!(found().holds(&wanted()));
        let seconds = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(FoundTimesheet { end: Some(seconds("2024-09-02T08:00:59Z")), ..found() }.holds(&wanted()));
        let different = [
            FoundTimesheet { begin: seconds("2024-09-01T23:59:00Z"), ..found() },
            FoundTimesheet { end: Some(seconds("2024-09-02T08:01:00Z")), ..found() },
            FoundTimesheet { end: None, ..found() },
            FoundTimesheet { project: Some(ProjectId(9)), ..found() },
            FoundTimesheet { activity: None, ..found() },
            FoundTimesheet { user: Some(UserId(9)), ..found() },
        ];
        for found in different {
            assert!(!found.holds(&wanted()), "{found:?}");
        }
    }

    #[test]
    fn what_is_missing_different_or_left_over_is_found() {
        let work_log = |name: &str| WorkLogUri::parse(&format!("http://x/{name}")).unwrap();
        let linked_to = |ids: &[&str]| Facts {
            identifiers: ids.iter().map(|id| (*id).to_owned()).collect(),
            ..Facts::default()
        };
        let work_logs = BTreeMap::from([
            (work_log("right"), linked_to(&["1"])),
            (work_log("new"), linked_to(&[])),
            (work_log("lost"), linked_to(&["99"])),
            (work_log("changed"), linked_to(&["2"])),
            (work_log("incomplete"), linked_to(&["3"])),
            (work_log("twice"), linked_to(&["4", "5"])),
        ]);
        let other = FoundTimesheet { user: Some(UserId(9)), ..found() };
        let timesheets = [(1, found()), (2, other), (3, found()), (4, found()), (5, found()), (6, found())];
        let timesheets = timesheets.into_iter().map(|(id, found)| (KimaiId(id), found)).collect();
        let wanted = |subject: &WorkLogUri| (*subject != work_log("incomplete")).then(wanted);
        let differences = compare(&work_logs, wanted, &timesheets);
        assert_eq!(differences.to_settle, ["changed", "incomplete", "lost", "new", "twice"].map(work_log));
        assert_eq!(differences.unlinked, [KimaiId(6)], "5 is a second link");
    }
}
