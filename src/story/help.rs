//! What would help, in words for an office worker. Pure.

use crate::domain::work_log::Obstacle;
use crate::domain::{Code, WorkLogUri};
use crate::settings::Relations;

/// What removes `obstacle`. Whether an import can depends on `relations`.
pub(super) fn for_obstacle(obstacle: &Obstacle, relations: Relations) -> String {
    match obstacle {
        Obstacle::Lacks(what) => format!("Open the work log and fill in its {what}."),
        Obstacle::NotAnActivity(_) => {
            "Choose a task that comes from Kimai. One that is new there is offered after an import (kimai-sync import tasks)."
                .to_owned()
        }
        Obstacle::ActivityWithoutId(_) => {
            "Choose another task: this one does not say which activity of Kimai it is, and an import cannot tell either."
                .to_owned()
        }
        Obstacle::ProjectUnknown(_) => moved(relations).to_owned(),
        Obstacle::ActivityWithoutProject(task) => format!(
            "Choose an activity that belongs to a project: {task} is a global one, and Kimai lets no global activity be \
             given a project later. If there is none yet, make one in Kimai and import it (kimai-sync import tasks)."
        ),
        Obstacle::NoAccount(person) => format!(
            "Link {person} to their Kimai account; an administrator does so where people are kept. If the account is not \
             offered there, import accounts first (kimai-sync import accounts)."
        ),
        Obstacle::BadDuration(..) => {
            "Open the work log and correct its duration: hours and minutes, like PT7H30M.".to_owned()
        }
        Obstacle::BadDay(..) => "Open the work log and correct its date, like 2024-09-02.".to_owned(),
    }
}

/// What helps where an activity has another project in Kimai than in the triplestore.
fn moved(relations: Relations) -> &'static str {
    match relations {
        Relations::Follow => {
            "Import tasks: the activity then moves to its project (kimai-sync import tasks). If that project is hidden or \
             has ended in Kimai, show it again there first, or set IMPORT_HIDDEN=true."
        }
        Relations::Keep => {
            "Imports leave the project of an activity alone (IMPORT_RELATIONS=keep): choose another task, or set \
             IMPORT_RELATIONS=follow and import tasks."
        }
    }
}

/// What helps where Kimai took the hours and yet does not hold them right.
pub(super) fn for_code(code: Code) -> Option<&'static str> {
    match code {
        Code::BreakKept => Some(
            "Turn breaks on in Kimai (System, Settings, Time-tracking) and try again: then the break is removed. If \
             there was one, correct the duration of the work log.",
        ),
        Code::RoundedToZero => Some(
            "Change the rounding of the duration in Kimai (System, Settings, Rounding), or correct the duration of the \
             work log.",
        ),
        Code::WrongDay => Some(
            "In Kimai, give the user of the API token and the owner of the hours the time zone that is set as TZ. \
             kimai-sync doctor says whose differs.",
        ),
        _ => None,
    }
}

/// What helps where the timesheet of `work_log` is exported in Kimai and holds something else; `deleted` tells
/// whether the work log is.
pub(super) fn for_exported(work_log: &WorkLogUri, deleted: bool) -> [String; 2] {
    let (kimai_is_right, what) = if deleted {
        ("Look in Kimai whether it is on an invoice: then leave it.", "delete it")
    } else {
        (
            "Look in Kimai whether it is on an invoice: then set the work log to what Kimai holds, and both are in sync.",
            "overwrite it",
        )
    };
    let overwrite = format!(
        "To {what} all the same, press the button, run kimai-sync queue retry {work_log} --exported, or take the export mark away in Kimai and try again."
    );
    [kimai_is_right.to_owned(), overwrite]
}

/// Words of Kimai, of ours about Kimai, or of the triplestore, in small letters, and what helps when they stand
/// in the way. The first that fits counts.
const REFUSALS: &[(&str, &str)] = &[
    ("token is wrong", "Make a new API token in Kimai and give it to the service (API_TOKEN)."),
    ("is hidden", "Show it again in Kimai, or choose another task for the work log."),
    (
        "project is finished",
        "Set a later end for the project in Kimai, or choose another task for the work log.",
    ),
    (" ended on ", "Set a later end for the project in Kimai, or choose another task for the work log."),
    (
        "has not started",
        "Set an earlier start for the project in Kimai, or correct the date of the work log.",
    ),
    ("is disabled", "Enable the user in Kimai, at least until the hours are in."),
    ("system account", "Link the person to another Kimai account: a system account cannot have hours."),
    (
        "look at their teams",
        "Add the user of the API token to the team in Kimai, or make it an administrator.",
    ),
    ("global one, which", "Allow global activities for the project in Kimai, or choose another task."),
    (MOVED, ""),
    ("kimai has no project", "Choose another task: this project is deleted in Kimai."),
    ("kimai has no activity", "Choose another task: this activity is deleted in Kimai."),
    ("kimai has no user", "Link the person to another Kimai account: this one is gone."),
    (
        "already have an entry",
        "Allow overlapping entries in Kimai (System, Settings, Time-tracking): all work logs of a day begin at midnight.",
    ),
    ("empty duration", "Give the work log a duration, or allow empty durations in Kimai (System, Settings)."),
    ("in the future", "Allow times in the future in Kimai (System, Settings), or wait for that day."),
    ("hours allowed", "Raise the limit for long records in Kimai (System, Settings), or split the work log."),
    ("duration exceeded", "Correct the duration of the work log: Kimai takes no more than a year."),
    (
        "period is locked",
        "Give the user of the API token a role that may write in locked periods (administrator).",
    ),
    ("budget", "Raise the budget of the project in Kimai, or allow overbooking there."),
    (
        "does not allow this",
        "Give the user of the API token the role Administrator in Kimai; kimai-sync doctor says what it lacks.",
    ),
    (
        "triplestore refused",
        "Look at the access rights of the service's scope; kimai-sync doctor tries them.",
    ),
    ("please report this", "Report this with the words above: it is a fault of kimai-sync."),
];

/// What helps against this depends on what imports do.
const MOVED: &str = "belongs to another project";

/// What helps against a refusal in these words.
pub(super) fn for_refusal(words: &str, relations: Relations) -> Option<String> {
    let words = words.to_lowercase();
    let (sign, help) = REFUSALS.iter().find(|(sign, _)| words.contains(sign))?;
    Some(if *sign == MOVED { moved(relations) } else { help }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kimai_refuses_leads_to_what_helps() {
        let table = [
            (
                "Kimai could not create the timesheet: project 'Site' is hidden (Kimai says: …)",
                "Show it again",
            ),
            ("project 'Site' ended on 2026-06-30", "later end"),
            ("user 'jane' is disabled; user: The selected choice is invalid. (400)", "Enable the user"),
            ("You already have an entry for this time. (400)", "Allow overlapping"),
            ("An empty duration is not allowed. (400)", "Give the work log a duration"),
            ("The begin date cannot be in the future. (400)", "future"),
            ("Maximum 8:00 hours allowed. (400)", "Raise the limit"),
            ("This period is locked. Please choose a later date. (400)", "locked periods"),
            ("Forbidden (403); the role of the token's user does not allow this", "role Administrator"),
            ("it answered 401; the API token is wrong or expired, or its user is disabled", "API_TOKEN"),
            ("the triplestore refused the statement: it answered 400", "access rights"),
        ];
        for (words, help) in table {
            let said = for_refusal(words, Relations::Follow).unwrap_or_default();
            assert!(said.contains(help), "{words:?} leads to {said:?}");
        }
        assert_eq!(for_refusal("something nobody has seen yet", Relations::Follow), None);
    }

    /// To import again is only advised where that changes something.
    #[test]
    fn an_import_is_advised_where_it_can_help() {
        let task = || "'Dev'".to_owned();
        let unknown = Obstacle::ProjectUnknown(task());
        let moved = "activity 'Dev' belongs to another project; Kimai has no project 5";
        for (relations, helps) in [(Relations::Follow, true), (Relations::Keep, false)] {
            for said in [for_obstacle(&unknown, relations), for_refusal(moved, relations).unwrap()] {
                assert_eq!(said.starts_with("Import tasks"), helps, "{said}");
            }
            for never in [
                for_obstacle(&Obstacle::ActivityWithoutId(task()), relations),
                for_refusal("Kimai has no project 5", relations).unwrap(),
                for_refusal("Kimai has no activity 5", relations).unwrap(),
            ] {
                assert!(never.starts_with("Choose another task") && !never.contains("kimai-sync"), "{never}");
            }
        }
    }
}
