//! Hints how to fix a problem, for office workers. Pure.

use crate::domain::work_log::Obstacle;
use crate::domain::{Code, WorkLogUri};
use crate::settings::Relations;

/// How to remove `obstacle`. Whether an import helps depends on `relations`.
pub(super) fn for_obstacle(obstacle: &Obstacle, relations: Relations) -> String {
    match obstacle {
        Obstacle::Lacks(what) => format!("Open the work log and fill in its {what}."),
        Obstacle::NotAnActivity(_) => {
            "Choose a task that was imported from Kimai. If it is new in Kimai, import tasks first (kimai-sync \
             import tasks)."
                .to_owned()
        }
        Obstacle::ActivityWithoutId(_) => {
            "Choose another task: this one has no Kimai ID, and an import cannot add it."
                .to_owned()
        }
        Obstacle::ProjectUnknown(_) => moved(relations).to_owned(),
        Obstacle::ActivityWithoutProject(task) => format!(
            "Choose an activity that belongs to a project: {task} is global, and Kimai cannot move a global \
             activity to a project. If there is none yet, create one in Kimai and import it (kimai-sync import \
             tasks)."
        ),
        Obstacle::NoAccount(person) => format!(
            "Link {person} to their Kimai account; an administrator does this where people are managed. If the \
             account is not offered there, import accounts first (kimai-sync import accounts)."
        ),
        Obstacle::AccountAmbiguous(person, _) => format!(
            "Keep {person} linked to one Kimai account only, the one these hours belong to. An administrator \
             does this where people are managed."
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
            "Import tasks (kimai-sync import tasks): the activity then moves to its project. If that project is \
             hidden or has ended in Kimai, make it available there first, or set IMPORT_HIDDEN=true."
        }
        Relations::Keep => {
            "Imports do not change the project of an activity (IMPORT_RELATIONS=keep): choose another task, or \
             set IMPORT_RELATIONS=follow and import tasks."
        }
    }
}

/// The fix for this code; none if it passes automatically or the obstacle is more specific.
pub(crate) fn for_code(code: Code, relations: Relations) -> Option<&'static str> {
    match code {
        Code::ActivityOfOtherProject => Some(moved(relations)),
        Code::KimaiListFaulty => Some(
            "Correct or delete the row in Kimai, or check the proxy in front of Kimai; kimai-sync doctor names \
             the row.",
        ),
        Code::KimaiRefused => Some(
            "Fix what Kimai's message names, in Kimai or in the work log, then retry; kimai-sync doctor checks \
             Kimai's settings.",
        ),
        Code::TriplestoreRefused => {
            Some("Check the access rights of the service; kimai-sync doctor tests them.")
        }
        Code::Internal => Some("Report this with its message: it is a bug in kimai-sync."),
        _ => for_access(code).or_else(|| for_choice(code)).or_else(|| for_hours(code)),
    }
}

/// The fix if Kimai, or a proxy in front of it, refuses permission.
fn for_access(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::TokenInvalid => "Create a new API token in Kimai and set API_TOKEN to it.",
        Code::AuthorizationStripped => {
            "Pass the Authorization header on to Kimai. Apache: CGIPassAuth On (or SetEnvIf Authorization \
             \"(.*)\" HTTP_AUTHORIZATION=$1); nginx: fastcgi_param HTTP_AUTHORIZATION $http_authorization; \
             nginx as a proxy: proxy_set_header Authorization $http_authorization."
        }
        Code::ProxyAnswered => {
            "Check that KIMAI_ENDPOINT is the address of Kimai's API, like https://kimai.example.com/api, and \
             that the proxy in front of Kimai forwards /api to it. Syncing resumes automatically once Kimai \
             itself answers."
        }
        Code::ProxyLogin => {
            "Turn off the proxy's own login for /api (nginx: auth_basic off for that location), or set \
             KIMAI_ENDPOINT to an address behind the proxy."
        }
        Code::RightMissing | Code::KimaiForbidden => {
            "In Kimai, give the API token's user the missing right or the role Administrator; kimai-sync doctor \
             shows what is missing."
        }
        Code::PeriodLocked => {
            "Unlock the period in Kimai (System, Settings, Time-tracking), or give the API token's user a role \
             with the right lockdown_override_timesheet (super administrators have it)."
        }
        Code::TimesheetExported => {
            "Check whether it is on an invoice. If it may still be changed, remove its export mark in Kimai, or \
             give the API token's user a role with the right edit_exported_timesheet."
        }
        Code::TrackingMode => "Set the tracking mode to Default in Kimai (System, Settings, Time-tracking).",
        Code::FieldsRefused => "Run kimai-sync doctor: it checks Kimai's version, settings and rights.",
        _ => return None,
    })
}

/// The fix if Kimai refuses the project, activity or user of the hours.
fn for_choice(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::ProjectHidden | Code::CustomerHidden | Code::ActivityHidden => {
            "Make it visible in Kimai, or choose another task for the work log."
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
        Code::UserDisabled => "Enable the user in Kimai, at least until the hours are synced.",
        Code::SystemAccount => {
            "Link the person to another Kimai account: a system account cannot have hours."
        }
        Code::ChoiceInvalid => {
            "Check in Kimai that the project, activity and user exist and can be used; kimai-sync doctor shows \
             what the API token's user can see."
        }
        Code::TeamForbids => {
            "Add the API token's user to the team in Kimai, or give it the role Administrator."
        }
        _ => return None,
    })
}

/// The fix if Kimai refuses the hours, or has wrong ones.
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
            "Raise the limit for long records in Kimai (System, Settings), or split the work log; Kimai allows \
             at most one year."
        }
        Code::BreakKept => {
            "Turn on breaks in Kimai (System, Settings, Time-tracking) and retry: this removes the break. If \
             the break was real, correct the duration of the work log."
        }
        Code::RoundedToZero => {
            "Change the rounding of the duration in Kimai (System, Settings, Rounding), or correct the duration of the work \
             log."
        }
        Code::WrongDay => {
            "In Kimai, set the time zone of the API token's user and of the owner of the hours to the value of \
             TZ; kimai-sync doctor shows whose differs."
        }
        Code::BudgetUsedUp => "Raise the budget of the project in Kimai, or allow overbooking there.",
        _ => return None,
    })
}

/// The fix if the timesheet of `work_log` is exported in Kimai and differs; `deleted` says whether the work log is
/// deleted.
pub(super) fn for_exported(work_log: &WorkLogUri, deleted: bool) -> [String; 2] {
    let (kimai_is_right, what) = if deleted {
        ("Check in Kimai whether it is on an invoice; if so, leave it.", "delete it")
    } else {
        (
            "Check in Kimai whether it is on an invoice; if so, change the work log to the values in Kimai.",
            "overwrite it",
        )
    };
    let overwrite = format!(
        "To {what} anyway, press the button, run kimai-sync queue retry {work_log} --exported, or remove the \
         export mark in Kimai and retry."
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
            (Code::ProjectHidden, "Make it visible"),
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

    /// Importing again is only advised if it changes something.
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
