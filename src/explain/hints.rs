//! Hints how to fix a problem, in words for an office worker. Pure.

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
        Obstacle::AccountAmbiguous(person, _) => format!(
            "Leave {person} linked to one Kimai account: the one whose hours these are. An administrator does so where people \
             are kept."
        ),
        Obstacle::BadDuration(..) => {
            "Open the work log and correct its duration: hours and minutes, like PT7H30M.".to_owned()
        }
        Obstacle::BadDay(..) => "Open the work log and correct its date, like 2024-09-02.".to_owned(),
    }
}

/// The fix if an activity has another project in Kimai than in the triplestore.
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

/// The fix for this code; nothing if it passes automatically or the obstacle is more specific.
pub(crate) fn for_code(code: Code, relations: Relations) -> Option<&'static str> {
    match code {
        Code::ActivityOfOtherProject => Some(moved(relations)),
        Code::KimaiListFaulty => Some(
            "Correct or delete the row in Kimai, or look at what stands before it; kimai-sync doctor names it.",
        ),
        Code::KimaiRefused => Some(
            "Change what Kimai names in its message, there or at the work log, then try again; kimai-sync doctor looks at \
             Kimai's settings.",
        ),
        Code::TriplestoreRefused => {
            Some("Look at the access rights of the service; kimai-sync doctor tries them.")
        }
        Code::Internal => Some("Report this with its message: it is a fault of kimai-sync."),
        _ => for_access(code).or_else(|| for_choice(code)).or_else(|| for_hours(code)),
    }
}

/// The fix if Kimai, or a proxy in front of it, refuses permission.
fn for_access(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::TokenInvalid => "Make a new API token in Kimai and give it to the service (API_TOKEN).",
        Code::AuthorizationStripped => {
            "Let the Authorization header through to Kimai: for Apache set CGIPassAuth On (or SetEnvIf Authorization \
             \"(.*)\" HTTP_AUTHORIZATION=$1), for nginx fastcgi_param HTTP_AUTHORIZATION $http_authorization, for a proxy \
             proxy_set_header Authorization $http_authorization."
        }
        Code::ProxyAnswered => {
            "Check that KIMAI_ENDPOINT is the address of Kimai's API, like https://kimai.example.com/api, and that the proxy \
             before Kimai passes /api on to it. Once Kimai answers itself, everything goes on automatically."
        }
        Code::ProxyLogin => {
            "Let /api pass the proxy before Kimai without a login of its own (nginx: auth_basic off for that location), or \
             set KIMAI_ENDPOINT to an address behind it."
        }
        Code::RightMissing | Code::KimaiForbidden => {
            "Give the role of the API token's user the right that is named, or the role Administrator in Kimai; \
             kimai-sync doctor says what it lacks."
        }
        Code::PeriodLocked => {
            "Unlock the period in Kimai (System, Settings, Time-tracking), or give the role of the API token's user the \
             right lockdown_override_timesheet (a super administrator has it)."
        }
        Code::TimesheetExported => {
            "Look whether it is on an invoice. If it may be changed all the same, take its export mark away in Kimai, or \
             give the role of the API token's user the right edit_exported_timesheet."
        }
        Code::TrackingMode => "Set the tracking mode to Default in Kimai (System, Settings, Time-tracking).",
        Code::FieldsRefused => "Run kimai-sync doctor: it looks at Kimai's version, settings and rights.",
        _ => return None,
    })
}

/// The fix if Kimai refuses the project, activity or user of the hours.
fn for_choice(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::ProjectHidden | Code::CustomerHidden | Code::ActivityHidden => {
            "Show it again in Kimai, or choose another task for the work log."
        }
        Code::ProjectEnded => {
            "Set a later end for the project in Kimai, or choose another task for the work log."
        }
        Code::ProjectNotStarted => {
            "Set an earlier start for the project in Kimai, or correct the date of the work log."
        }
        Code::ProjectGone => "Choose another task: this project is deleted in Kimai.",
        Code::ActivityGone => "Choose another task: this activity is deleted in Kimai.",
        Code::GlobalActivityRefused => {
            "Allow global activities for the project in Kimai, or choose another task."
        }
        Code::UserGone => "Link the person to another Kimai account: this one is gone.",
        Code::UserDisabled => "Enable the user in Kimai, at least until the hours are in.",
        Code::SystemAccount => {
            "Link the person to another Kimai account: a system account cannot have hours."
        }
        Code::ChoiceInvalid => {
            "Look in Kimai whether project, activity and user are there and may be booked on; kimai-sync doctor says what \
             the API token's user may see."
        }
        Code::TeamForbids => {
            "Add the user of the API token to the team in Kimai, or make it an administrator."
        }
        _ => return None,
    })
}

/// The fix if Kimai refuses the hours, or holds wrong ones.
fn for_hours(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::OverlapRefused => {
            "Allow overlapping entries in Kimai (System, Settings, Time-tracking): all work logs of a day begin at midnight."
        }
        Code::EmptyDurationRefused => {
            "Give the work log a duration, or allow empty durations in Kimai (System, Settings)."
        }
        Code::FutureRefused => "Allow times in the future in Kimai (System, Settings), or wait for that day.",
        Code::DurationTooLong => {
            "Raise the limit for long records in Kimai (System, Settings), or split the work log; Kimai takes no more than a \
             year."
        }
        Code::BreakKept => {
            "Turn breaks on in Kimai (System, Settings, Time-tracking) and try again: then the break is removed. If there \
             was one, correct the duration of the work log."
        }
        Code::RoundedToZero => {
            "Change the rounding of the duration in Kimai (System, Settings, Rounding), or correct the duration of the work \
             log."
        }
        Code::WrongDay => {
            "In Kimai, give the user of the API token and the owner of the hours the time zone that is set as TZ. \
             kimai-sync doctor says whose differs."
        }
        Code::BudgetUsedUp => "Raise the budget of the project in Kimai, or allow overbooking there.",
        _ => return None,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_person_can_fix_has_a_hint() {
        let passes = [
            Code::KimaiUnavailable,
            Code::KimaiBusy,
            Code::AnswerLost,
            Code::TurnedAway,
            Code::StorageUnavailable,
            Code::TriplestoreUnavailable,
        ];
        for code in passes {
            assert_eq!(for_code(code, Relations::Follow), None, "{code:?} passes by itself");
        }
        let table = [
            (Code::ProjectHidden, "Show it again"),
            (Code::ProjectEnded, "later end"),
            (Code::UserDisabled, "Enable the user"),
            (Code::OverlapRefused, "Allow overlapping"),
            (Code::PeriodLocked, "lockdown_override_timesheet"),
            (Code::TimesheetExported, "edit_exported_timesheet"),
            (Code::RightMissing, "role Administrator"),
            (Code::TrackingMode, "Default"),
            (Code::TokenInvalid, "API_TOKEN"),
            (Code::AuthorizationStripped, "CGIPassAuth On"),
            (Code::ProxyAnswered, "KIMAI_ENDPOINT"),
            (Code::ProxyLogin, "auth_basic off"),
            (Code::TriplestoreRefused, "access rights"),
        ];
        for (code, words) in table {
            assert!(for_code(code, Relations::Follow).unwrap().contains(words), "{code:?}");
        }
    }

    /// To import again is only advised where that changes something.
    #[test]
    fn an_import_is_advised_where_it_can_help() {
        let task = || "'Dev'".to_owned();
        let unknown = Obstacle::ProjectUnknown(task());
        let hint = |code, relations| for_code(code, relations).unwrap().to_owned();
        for (relations, helps) in [(Relations::Follow, true), (Relations::Keep, false)] {
            for said in [for_obstacle(&unknown, relations), hint(Code::ActivityOfOtherProject, relations)] {
                assert_eq!(said.starts_with("Import tasks"), helps, "{said}");
            }
            for never in [
                for_obstacle(&Obstacle::ActivityWithoutId(task()), relations),
                hint(Code::ProjectGone, relations),
                hint(Code::ActivityGone, relations),
            ] {
                assert!(never.starts_with("Choose another task") && !never.contains("kimai-sync"), "{never}");
            }
        }
    }
}
