//! The names for the IDs in differences, as Kimai has them.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::timeout;

use crate::domain::diff::ObservedEntry;
use crate::domain::finding::Finding;
use crate::domain::ids::{ActivityId, ProjectId, UserId};
use crate::domain::timesheet::DesiredEntry;
use crate::trackers::Tracker;
use crate::trackers::kimai::Choices;

/// How long a page waits for all names together; without names it shows IDs.
const PATIENCE: Duration = Duration::from_secs(3);
/// The number of concurrent requests to Kimai.
const AT_ONCE: usize = 4;

/// Names by ID; an ID without a name has an entry without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct DisplayNames {
    projects: BTreeMap<ProjectId, Option<String>>,
    activities: BTreeMap<ActivityId, Option<String>>,
    users: BTreeMap<UserId, Option<String>>,
}

impl DisplayNames {
    /// Requests the names of everything in `found`, each once. What is not answered in time is shown by its ID.
    pub(super) async fn ask(kimai: &dyn Tracker, found: &[(u64, Finding)]) -> Self {
        let mut names = Self::default();
        let wanted = names.questions(found);
        let questions = stream::iter(wanted).map(|one| async move { (one, kimai.choices(&one).await) });
        let mut answers = questions.buffer_unordered(AT_ONCE);
        let all = async {
            while let Some((one, answer)) = answers.next().await {
                if let Ok(choices) = answer {
                    names.learn(&one, choices);
                }
            }
        };
        // What has arrived by then is known.
        let _ = timeout(PATIENCE, all).await;
        names
    }

    /// Timesheets that name each ID at least once.
    fn questions(&mut self, found: &[(u64, Finding)]) -> Vec<DesiredEntry> {
        let mut questions = Vec::new();
        let sides = found.iter().flat_map(|(_, one)| [one.wanted.map(ObservedEntry::from), one.found]);
        for whole in sides.flatten().filter_map(|side| side.whole()) {
            let news = [
                self.projects.insert(whole.project, None).is_none(),
                self.activities.insert(whole.activity, None).is_none(),
                self.users.insert(whole.user, None).is_none(),
            ];
            if news.contains(&true) {
                questions.push(whole);
            }
        }
        questions
    }

    fn learn(&mut self, asked: &DesiredEntry, told: Choices) {
        self.projects.extend(told.project.map(|one| (asked.project, Some(one.name))));
        self.activities.extend(told.activity.map(|one| (asked.activity, Some(one.name))));
        self.users.extend(told.user.map(|one| (asked.user, Some(one.username))));
    }

    /// The label of a project: `Website (5)`, or `5`.
    pub(super) fn project(&self, id: Option<ProjectId>) -> String {
        called(id.map(|id| id.to_string()), id.and_then(|id| self.projects.get(&id)))
    }

    /// The label of an activity.
    pub(super) fn activity(&self, id: Option<ActivityId>) -> String {
        called(id.map(|id| id.to_string()), id.and_then(|id| self.activities.get(&id)))
    }

    /// The label of a user.
    pub(super) fn user(&self, id: Option<UserId>) -> String {
        called(id.map(|id| id.to_string()), id.and_then(|id| self.users.get(&id)))
    }
}

/// The name with its Kimai ID.
fn called(id: Option<String>, name: Option<&Option<String>>) -> String {
    let Some(id) = id else { return "none".to_owned() };
    // A user that the token cannot see is shown by its ID.
    match name.and_then(Option::as_ref).filter(|name| !name.is_empty() && **name != id) {
        Some(name) => format!("{name} ({id})"),
        None => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::{Action, Kind};
    use crate::trackers::kimai::choices::{ChosenActivity, ChosenUser};

    fn booked(project: u64, activity: u64, user: u64) -> DesiredEntry {
        let begin = "2024-09-02T22:00:00Z".parse().unwrap();
        let (project, activity, user) =
            (ProjectId::number(project), ActivityId::number(activity), UserId::number(user));
        DesiredEntry { begin, end: begin, project, activity, user, note: None }
    }

    fn finding(wanted: DesiredEntry, found: Option<DesiredEntry>) -> (u64, Finding) {
        let found = found.map(ObservedEntry::from);
        let (kind, action) = (Kind::Changed, Action::Settle);
        let (reason, timesheets) = (String::new(), Vec::new());
        let finding = Finding {
            kind,
            work_log: None,
            timesheets,
            wanted: Some(wanted),
            found,
            reason,
            action,
            held: None,
        };
        (1, finding)
    }

    #[test]
    fn each_id_is_asked_for_once_and_called_by_its_name_where_kimai_tells_one() {
        let mut names = DisplayNames::default();
        let found = [
            finding(booked(1, 2, 3), Some(booked(1, 2, 3))),
            finding(booked(1, 2, 4), Some(booked(1, 2, 3))),
            // Each of these was asked for already.
            finding(booked(1, 2, 4), None),
        ];
        assert_eq!(names.questions(&found), [booked(1, 2, 3), booked(1, 2, 4)]);
        let activity = ChosenActivity { name: "Analysis".to_owned(), project: None, visible: true };
        let user = Some(ChosenUser::unseen(UserId::number(3)));
        let told = Choices { project: None, customer: None, activity: Some(activity), user };
        names.learn(&booked(1, 2, 3), told);
        let called = [
            names.project(Some(ProjectId::number(1))),
            names.activity(Some(ActivityId::number(2))),
            names.user(Some(UserId::number(3))),
            names.user(None),
        ];
        assert_eq!(called, ["1", "Analysis (2)", "3", "none"]);
    }
}
