//! Where a period's work logs and timesheets differ, seen from the two lists alone. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::{ActivityId, KimaiId, ProjectId, UserId, WorkLogUri};
use super::timesheet::WantedTimesheet;

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

    /// The same as something that could be wanted, where it is booked on all it has to be; one that runs ends
    /// as it begins.
    pub fn whole(&self) -> Option<WantedTimesheet> {
        let Self { begin, end, project, activity, user } = *self;
        let end = end.unwrap_or(begin);
        Some(WantedTimesheet { begin, end, project: project?, activity: activity?, user: user? })
    }
}

impl From<WantedTimesheet> for FoundTimesheet {
    fn from(wanted: WantedTimesheet) -> Self {
        let WantedTimesheet { begin, end, project, activity, user } = wanted;
        let (project, activity, user) = (Some(project), Some(activity), Some(user));
        Self { begin, end: Some(end), project, activity, user }
    }
}

/// A work log, as far as a comparison needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkLogSide {
    /// The timesheets it is linked to, lowest id first.
    pub ids: Vec<KimaiId>,
    /// The timesheet it should have, or in words why it cannot have one.
    pub wanted: Result<WantedTimesheet, String>,
}

/// A timesheet, as far as a comparison needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimesheetSide {
    /// What it holds.
    pub found: FoundTimesheet,
    /// Whether it may be on an invoice.
    pub exported: bool,
}

/// Work logs by IRI.
pub type WorkLogSides = BTreeMap<WorkLogUri, WorkLogSide>;
/// Timesheets by id.
pub type TimesheetSides = BTreeMap<KimaiId, TimesheetSide>;

/// What does not match. Each work log stands in one of the lists at most, but for those that share a
/// timesheet: they stand under it alone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Complete work logs without link.
    pub missing: Vec<WorkLogUri>,
    /// Work logs whose timesheet holds something else.
    pub changed: Vec<WorkLogUri>,
    /// Work logs whose timesheet is not in the list. It may be gone, on another day, or out of sight.
    pub absent: Vec<(WorkLogUri, KimaiId)>,
    /// Work logs with several links.
    pub doubled: Vec<WorkLogUri>,
    /// Work logs that cannot have a timesheet as they are.
    pub incomplete: Vec<WorkLogUri>,
    /// Timesheets with several work logs.
    pub shared: BTreeMap<KimaiId, Vec<WorkLogUri>>,
    /// Timesheets that no work log of the period is linked to. One of another period may be.
    pub unlinked: Vec<KimaiId>,
}

/// Compares the work logs of a period with the timesheets of that period, by link.
pub fn compare(work_logs: &WorkLogSides, timesheets: &TimesheetSides) -> Comparison {
    let links = work_logs.iter().flat_map(|(work_log, side)| side.ids.iter().map(move |id| (*id, work_log)));
    let mut links: Vec<(KimaiId, &WorkLogUri)> = links.collect();
    // Stable: who shares a timesheet stays in order.
    links.sort_by_key(|(id, _)| *id);
    let linked = |id: &KimaiId| links.binary_search_by_key(id, |(id, _)| *id).is_ok();
    let mut comparison = Comparison::default();
    comparison.unlinked.extend(timesheets.keys().filter(|id| !linked(id)));
    for sharing in links.chunk_by(|(one, _), (other, _)| one == other) {
        if let [(id, _), _, ..] = sharing {
            comparison.shared.insert(*id, sharing.iter().map(|(_, work_log)| (*work_log).clone()).collect());
        }
    }
    for (work_log, side) in work_logs {
        if side.ids.iter().any(|id| comparison.shared.contains_key(id)) {
            continue;
        }
        match (side.ids.as_slice(), &side.wanted) {
            ([_, _, ..], _) => comparison.doubled.push(work_log.clone()),
            (_, Err(_)) => comparison.incomplete.push(work_log.clone()),
            ([], Ok(_)) => comparison.missing.push(work_log.clone()),
            ([id], Ok(wanted)) => match timesheets.get(id) {
                None => comparison.absent.push((work_log.clone(), *id)),
                Some(timesheet) if timesheet.found.holds(wanted) => {}
                Some(_) => comparison.changed.push(work_log.clone()),
            },
        }
    }
    comparison
}

/// Gives each of `missing` a timesheet of `unlinked` that holds just what it wants, one each, lowest id
/// first: booked by hand, or ours from before our memory was lost.
pub fn adoptions(
    work_logs: &WorkLogSides,
    timesheets: &TimesheetSides,
    missing: &[WorkLogUri],
    unlinked: &[KimaiId],
) -> Vec<(WorkLogUri, KimaiId)> {
    let mut free: BTreeMap<_, Vec<KimaiId>> = BTreeMap::new();
    for id in unlinked {
        if let Some(TimesheetSide { found, .. }) = timesheets.get(id) {
            free.entry((found.user, found.begin, found.project, found.activity)).or_default().push(*id);
        }
    }
    let mut adopted = Vec::new();
    for work_log in missing {
        let Some(Ok(wanted)) = work_logs.get(work_log).map(|side| &side.wanted) else { continue };
        let key = (Some(wanted.user), wanted.begin, Some(wanted.project), Some(wanted.activity));
        let Some(ids) = free.get_mut(&key) else { continue };
        let fits = |id: &KimaiId| timesheets.get(id).is_some_and(|timesheet| timesheet.found.holds(wanted));
        if let Some(place) = ids.iter().position(fits) {
            adopted.push((work_log.clone(), ids.remove(place)));
        }
    }
    adopted
}

/// Which of the work logs linked to one timesheet keeps it: the one it was made for, else one that says
/// what it holds, else the first.
pub fn keeper<'a>(
    sharing: &'a [WorkLogUri],
    made_for: Option<&WorkLogUri>,
    holds: impl Fn(&WorkLogUri) -> bool,
) -> Option<&'a WorkLogUri> {
    let owner = sharing.iter().find(|work_log| Some(*work_log) == made_for);
    owner.or_else(|| sharing.iter().find(|work_log| holds(work_log))).or_else(|| sharing.first())
}

/// What differs between a timesheet and what it should hold, in words.
pub fn in_words(found: &FoundTimesheet, wanted: &WantedTimesheet) -> String {
    let mut words = Vec::new();
    let mut differs = |what: &str, kimai: Option<String>, triplestore: String| {
        if kimai.as_ref() != Some(&triplestore) {
            let kimai = kimai.unwrap_or_else(|| "none".to_owned());
            words.push(format!("{what}: Kimai has {kimai}, the work log says {triplestore}"));
        }
    };
    differs("begin", Some(found.begin.to_string()), wanted.begin.to_string());
    differs("end", found.end.map(|end| end.to_string()), wanted.end.to_string());
    differs("project", found.project.map(|id| id.to_string()), wanted.project.to_string());
    differs("activity", found.activity.map(|id| id.to_string()), wanted.activity.to_string());
    differs("user", found.user.map(|id| id.to_string()), wanted.user.to_string());
    words.join("; ")
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

    fn work_log(name: &str) -> WorkLogUri {
        WorkLogUri::parse(&format!("http://x/{name}")).unwrap()
    }

    fn ids(ids: &[u64]) -> Vec<KimaiId> {
        ids.iter().copied().map(KimaiId).collect()
    }

    fn complete(linked: &[u64]) -> WorkLogSide {
        WorkLogSide { ids: ids(linked), wanted: Ok(wanted()) }
    }

    fn incomplete(linked: &[u64]) -> WorkLogSide {
        WorkLogSide { ids: ids(linked), wanted: Err("it has no duration".to_owned()) }
    }

    fn sides(of: &[(&str, WorkLogSide)]) -> WorkLogSides {
        of.iter().map(|(name, side)| (work_log(name), side.clone())).collect()
    }

    fn timesheets(of: &[(u64, FoundTimesheet)]) -> TimesheetSides {
        of.iter()
            .map(|(id, found)| (KimaiId(*id), TimesheetSide { found: *found, exported: false }))
            .collect()
    }

    #[test]
    fn each_difference_has_its_list() {
        let work_logs = sides(&[
            ("right", complete(&[1])),
            ("new", complete(&[])),
            ("absent", complete(&[99])),
            ("changed", complete(&[2])),
            ("gap", incomplete(&[3])),
            ("gap-absent", incomplete(&[98])),
            ("twice", complete(&[4, 5])),
            ("twin-a", complete(&[7])),
            ("twin-b", incomplete(&[7])),
            ("twin-c", complete(&[8, 9])),
            ("twin-d", complete(&[9])),
        ]);
        let other = FoundTimesheet { user: Some(UserId(9)), ..found() };
        let all: Vec<_> = (1..=9).map(|id| (id, if id == 2 { other } else { found() })).collect();
        let expected = Comparison {
            missing: vec![work_log("new")],
            changed: vec![work_log("changed")],
            absent: vec![(work_log("absent"), KimaiId(99))],
            doubled: vec![work_log("twice")],
            incomplete: vec![work_log("gap"), work_log("gap-absent")],
            shared: [(7, ["twin-a", "twin-b"]), (9, ["twin-c", "twin-d"])]
                .map(|(id, names)| (KimaiId(id), names.map(work_log).to_vec()))
                .into(),
            unlinked: ids(&[6]),
        };
        assert_eq!(compare(&work_logs, &timesheets(&all)), expected);
    }

    #[test]
    fn equal_work_logs_adopt_one_timesheet_each() {
        let work_logs = sides(&[("a", complete(&[])), ("b", complete(&[])), ("c", complete(&[]))]);
        let missing: Vec<WorkLogUri> = work_logs.keys().cloned().collect();
        let other = FoundTimesheet { activity: Some(ActivityId(9)), ..found() };
        let longer = FoundTimesheet { end: Some("2024-09-02T09:00:00Z".parse().unwrap()), ..found() };
        let timesheets = timesheets(&[(1, other), (2, longer), (3, found()), (4, found())]);
        let adopted = adoptions(&work_logs, &timesheets, &missing, &ids(&[1, 2, 3, 4]));
        assert_eq!(adopted, [(work_log("a"), KimaiId(3)), (work_log("b"), KimaiId(4))]);
    }

    #[test]
    fn of_those_who_share_it_keeps_it_for_whom_it_was_made_or_who_says_the_same() {
        let sharing = ["a", "b", "c"].map(work_log);
        let holds = |name: &'static str| move |of: &WorkLogUri| *of == work_log(name);
        assert_eq!(keeper(&sharing, Some(&work_log("c")), holds("b")), Some(&work_log("c")));
        assert_eq!(keeper(&sharing, Some(&work_log("elsewhere")), holds("b")), Some(&work_log("b")));
        assert_eq!(keeper(&sharing, None, holds("none")), Some(&work_log("a")));
    }

    #[test]
    fn the_words_name_what_differs_and_nothing_else() {
        let other = FoundTimesheet { user: None, end: None, ..found() };
        let words = in_words(&other, &wanted());
        assert_eq!(
            words,
            "end: Kimai has none, the work log says 2024-09-02T08:00:00Z; user: Kimai has none, the work log says 3"
        );
    }
}
