//! Finds out which value of a timesheet is wrong when Kimai only answers "The selected choice is invalid."

use jiff::civil::Date;
use serde::Deserialize;

use super::model::optional_number;
use crate::domain::Code;
use crate::domain::ids::{CustomerId, ProjectId, UserId};
use crate::domain::timesheet::DesiredEntry;

/// The state of what a timesheet names; `None` where Kimai has no such thing (404).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// The project.
    pub project: Option<ChosenProject>,
    /// The project's customer.
    pub customer: Option<ChosenCustomer>,
    /// The activity.
    pub activity: Option<ChosenActivity>,
    /// The user.
    pub user: Option<ChosenUser>,
}

/// `GET /projects/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChosenProject {
    /// Its name.
    pub name: String,
    /// Its customer.
    #[serde(default, deserialize_with = "optional_number")]
    pub customer: Option<CustomerId>,
    /// Whether it is shown.
    pub visible: bool,
    /// Its last day.
    #[serde(default)]
    pub end: Option<Date>,
    /// Whether activities of no project may be used.
    #[serde(default = "yes", rename = "globalActivities")]
    pub global_activities: bool,
}

/// `GET /customers/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChosenCustomer {
    /// Its name.
    pub name: String,
    /// Whether it is shown.
    pub visible: bool,
}

/// `GET /activities/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChosenActivity {
    /// Its name.
    pub name: String,
    /// Its project; none for a global one.
    #[serde(default, deserialize_with = "optional_number")]
    pub project: Option<ProjectId>,
    /// Whether it is shown.
    pub visible: bool,
}

/// `GET /users/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChosenUser {
    /// The login name.
    pub username: String,
    /// Whether it may log in.
    pub enabled: bool,
    /// Whether it is a system account, which cannot have hours.
    #[serde(default, rename = "systemAccount")]
    pub system_account: bool,
    /// Whether the token may see all this.
    #[serde(skip, default = "yes")]
    pub seen: bool,
}

impl ChosenUser {
    /// A user that exists, but whose state the token may not see.
    pub fn unseen(id: UserId) -> Self {
        Self { username: id.to_string(), enabled: true, system_account: false, seen: false }
    }
}

const fn yes() -> bool {
    true
}

impl Choices {
    /// Why Kimai takes none of this for `wanted`: the code of the first reason, and all in words for an office worker.
    /// `today` decides whether a project has ended: Kimai then refuses every day of it.
    pub fn why_invalid(&self, wanted: &DesiredEntry, today: Date) -> (Code, String) {
        let mut reasons = Vec::new();
        self.look_at_project(wanted, today, &mut reasons);
        self.look_at_activity(wanted, &mut reasons);
        match &self.user {
            None => reasons.push((Code::UserGone, format!("Kimai has no user {}", wanted.user))),
            Some(user) if !user.enabled => {
                reasons.push((Code::UserDisabled, format!("user '{}' is disabled", user.username)));
            }
            Some(user) if user.system_account => {
                let why = format!("user '{}' is a system account, which cannot have hours", user.username);
                reasons.push((Code::SystemAccount, why));
            }
            Some(_) => {}
        }
        let Some((code, _)) = reasons.first() else {
            let user = self.user.as_ref().map_or("it", |user| user.username.as_str());
            let why =
                format!("the Kimai user of the token may not book this for '{user}': look at their teams");
            return (Code::TeamForbids, why);
        };
        (*code, reasons.iter().map(|(_, why)| why.as_str()).collect::<Vec<_>>().join("; "))
    }

    fn look_at_project(&self, wanted: &DesiredEntry, today: Date, reasons: &mut Vec<(Code, String)>) {
        let Some(project) = &self.project else {
            return reasons.push((Code::ProjectGone, format!("Kimai has no project {}", wanted.project)));
        };
        let name = &project.name;
        if !project.visible {
            reasons.push((Code::ProjectHidden, format!("project '{name}' is hidden")));
        }
        if let Some(end) = project.end.filter(|end| *end <= today) {
            reasons.push((Code::ProjectEnded, format!("project '{name}' ended on {end}")));
        }
        if let Some(customer) = self.customer.as_ref().filter(|customer| !customer.visible) {
            let why = format!("customer '{}' of project '{name}' is hidden", customer.name);
            reasons.push((Code::CustomerHidden, why));
        }
    }

    fn look_at_activity(&self, wanted: &DesiredEntry, reasons: &mut Vec<(Code, String)>) {
        let Some(activity) = &self.activity else {
            return reasons.push((Code::ActivityGone, format!("Kimai has no activity {}", wanted.activity)));
        };
        let name = &activity.name;
        if !activity.visible {
            reasons.push((Code::ActivityHidden, format!("activity '{name}' is hidden")));
        }
        if activity.project.is_some_and(|project| project != wanted.project) {
            let why = format!("activity '{name}' belongs to another project");
            reasons.push((Code::ActivityOfOtherProject, why));
        }
        let no_globals = self.project.as_ref().is_some_and(|project| !project.global_activities);
        if activity.project.is_none() && no_globals {
            let why = format!("activity '{name}' is a global one, which its project does not allow");
            reasons.push((Code::GlobalActivityRefused, why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ActivityId;

    #[test]
    fn each_cause_has_its_words() {
        let wanted = DesiredEntry {
            begin: jiff::Timestamp::UNIX_EPOCH,
            end: jiff::Timestamp::UNIX_EPOCH,
            project: ProjectId::number(1),
            activity: ActivityId::number(2),
            user: UserId::number(3),
            note: None,
        };
        let today: Date = "2026-07-01".parse().unwrap();
        let project = ChosenProject {
            name: "Site".into(),
            customer: Some(CustomerId::number(4)),
            visible: true,
            end: None,
            global_activities: true,
        };
        let (first, ninth) = (Some(ProjectId::number(1)), Some(ProjectId::number(9)));
        let activity = |project, visible| Some(ChosenActivity { name: "Dev".into(), project, visible });
        let user = |enabled, system_account| {
            Some(ChosenUser { username: "jane".into(), enabled, system_account, seen: true })
        };
        let right = Choices {
            project: Some(project.clone()),
            customer: Some(ChosenCustomer { name: "ACME".into(), visible: true }),
            activity: activity(first, true),
            user: user(true, false),
        };
        let with_project = |project| Choices { project, ..right.clone() };
        let with_activity = |activity| Choices { activity, ..right.clone() };
        let with_user = |user| Choices { user, ..right.clone() };
        let end = Some("2026-06-30".parse().unwrap());
        let no_globals = ChosenProject { global_activities: false, ..project.clone() };
        let table = [
            (right.clone(), "may not book this for 'jane': look at their teams"),
            (with_project(None), "Kimai has no project 1"),
            (
                with_project(Some(ChosenProject { visible: false, ..project.clone() })),
                "project 'Site' is hidden",
            ),
            (with_project(Some(ChosenProject { end, ..project })), "project 'Site' ended on 2026-06-30"),
            (
                Choices {
                    customer: Some(ChosenCustomer { name: "ACME".into(), visible: false }),
                    ..right.clone()
                },
                "customer 'ACME' of project 'Site' is hidden",
            ),
            (with_activity(None), "Kimai has no activity 2"),
            (with_activity(activity(first, false)), "activity 'Dev' is hidden"),
            (with_activity(activity(ninth, true)), "activity 'Dev' belongs to another project"),
            (
                Choices { activity: activity(None, true), ..with_project(Some(no_globals)) },
                "activity 'Dev' is a global one, which its project does not allow",
            ),
            (with_user(None), "Kimai has no user 3"),
            (with_user(user(false, false)), "user 'jane' is disabled"),
            (with_user(user(true, true)), "user 'jane' is a system account, which cannot have hours"),
        ];
        for (choices, words) in table {
            let (_, said) = choices.why_invalid(&wanted, today);
            assert!(said.ends_with(words), "{said:?} should be {words:?}");
        }
    }
}
