//! Stable codes for what keeps a work log from being synced.

use serde::Serialize;

use crate::words::words;

/// What keeps a work log from being synced. The word never changes once it is released: it stands in the
/// queue's file, in JSON and in metrics, and people filter by it. What a person reads beside it may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A property of the work log is not there (yet).
    WorkLogIncomplete,
    /// Its duration cannot be booked.
    DurationInvalid,
    /// Its day cannot be read.
    DayInvalid,
    /// Its task is not an activity of Kimai.
    NotAnActivity,
    /// Its activity carries no Kimai id.
    ActivityWithoutId,
    /// Its activity is a global one, which belongs to no project.
    ActivityWithoutProject,
    /// The parent of its activity is no Kimai project.
    ProjectUnknown,
    /// Its person has no Kimai account.
    NoAccount,
    /// Its person has several Kimai accounts, and nobody knows which one is meant.
    AccountAmbiguous,
    /// Kimai refused the request, and the reason has no code of its own.
    KimaiRefused,
    /// Kimai forbade the request (403), and the reason could not be found.
    KimaiForbidden,
    /// The API token's user lacks a right; the reason names it.
    RightMissing,
    /// The day is in a period that is locked in Kimai.
    PeriodLocked,
    /// Kimai's tracking mode sets begin and end itself, and takes none.
    TrackingMode,
    /// Kimai does not take a field that was sent.
    FieldsRefused,
    /// Kimai does not offer the project, activity or user, and the reason could not be found.
    ChoiceInvalid,
    /// The project is hidden in Kimai.
    ProjectHidden,
    /// The project has ended in Kimai.
    ProjectEnded,
    /// The project has not started on that day.
    ProjectNotStarted,
    /// The project is not in Kimai any more.
    ProjectGone,
    /// The project's customer is hidden in Kimai.
    CustomerHidden,
    /// The activity is hidden in Kimai.
    ActivityHidden,
    /// The activity is not in Kimai any more.
    ActivityGone,
    /// The activity belongs to another project in Kimai.
    ActivityOfOtherProject,
    /// The activity is a global one, which its project does not allow.
    GlobalActivityRefused,
    /// The Kimai user is not there any more.
    UserGone,
    /// The Kimai user is disabled.
    UserDisabled,
    /// The Kimai user is a system account, which cannot have hours.
    SystemAccount,
    /// The teams of the API token's user do not include the user, project or activity.
    TeamForbids,
    /// Overlapping entries are not allowed in Kimai.
    OverlapRefused,
    /// Empty durations are not allowed in Kimai.
    EmptyDurationRefused,
    /// Times in the future are not allowed in Kimai.
    FutureRefused,
    /// The duration is longer than Kimai allows.
    DurationTooLong,
    /// The budget of the project is used up.
    BudgetUsedUp,
    /// Kimai did not answer, or a proxy answered for it.
    KimaiUnavailable,
    /// Kimai's list of timesheets does not end, repeats itself, or holds a row that cannot be read and matters.
    KimaiListFaulty,
    /// Kimai asked for a pause (429, or 503 with `Retry-After`).
    KimaiBusy,
    /// Kimai has lost timesheets: it gives out ids again that were taken. Nothing is created until the links are
    /// rebuilt.
    KimaiLostData,
    /// Kimai refused the API token (401).
    TokenInvalid,
    /// The `Authorization` header does not reach Kimai (401): something before it removes it.
    AuthorizationStripped,
    /// A proxy before Kimai asks for a login of its own (401).
    ProxyLogin,
    /// The answer to a creation was lost; whether it was stored is looked up before anything else is sent.
    AnswerLost,
    /// The timesheet is not in Kimai any more.
    TimesheetGone,
    /// The timesheet is exported in Kimai and holds something else; it is not overwritten unless somebody asks.
    TimesheetExported,
    /// The timesheet belongs to another work log.
    TimesheetClaimed,
    /// Somebody entered a break in Kimai, and it cannot be removed.
    BreakKept,
    /// Kimai's rounding leaves nothing of the hours.
    RoundedToZero,
    /// Kimai books the timesheet on another day than the work log's.
    WrongDay,
    /// The triplestore did not answer.
    TriplestoreUnavailable,
    /// The triplestore refused the statement.
    TriplestoreRefused,
    /// No graph takes what was to be written: config.lisp lacks a prefix, a class or a right.
    TriplestoreRefusedWrite,
    /// The triplestore answered that it could not do this statement.
    TriplestoreFailed,
    /// The triplestore's answer could not be read.
    TriplestoreUnreadable,
    /// The triplestore's answer did not hold all there is.
    TriplestoreIncomplete,
    /// The run waited too long for its turn; nothing was sent.
    TurnedAway,
    /// The queue's file could not be written or read.
    StorageUnavailable,
    /// The API token does not see everything that a sweep has to see.
    TokenSeesTooLittle,
    /// Somebody cancelled it.
    Cancelled,
    /// A fault of this service.
    Internal,
}

words!(Code {
    WorkLogIncomplete => "work-log-incomplete", DurationInvalid => "duration-invalid", DayInvalid => "day-invalid",
    NotAnActivity => "not-an-activity", ActivityWithoutId => "activity-without-id",
    ActivityWithoutProject => "activity-without-project", ProjectUnknown => "project-unknown",
    AccountAmbiguous => "account-ambiguous", KimaiForbidden => "kimai-forbidden", RightMissing => "right-missing",
    PeriodLocked => "period-locked", TrackingMode => "tracking-mode",
    FieldsRefused => "fields-refused", ChoiceInvalid => "choice-invalid", ProjectHidden => "project-hidden",
    ProjectEnded => "project-ended", ProjectNotStarted => "project-not-started", ProjectGone => "project-gone",
    CustomerHidden => "customer-hidden", ActivityHidden => "activity-hidden", ActivityGone => "activity-gone",
    ActivityOfOtherProject => "activity-of-other-project", GlobalActivityRefused => "global-activity-refused",
    UserGone => "user-gone", UserDisabled => "user-disabled", SystemAccount => "system-account",
    TeamForbids => "team-forbids", OverlapRefused => "overlap-refused",
    EmptyDurationRefused => "empty-duration-refused", FutureRefused => "future-refused",
    DurationTooLong => "duration-too-long", BudgetUsedUp => "budget-used-up",
    AuthorizationStripped => "authorization-stripped", ProxyLogin => "proxy-login",
    NoAccount => "no-account", KimaiRefused => "kimai-refused", KimaiUnavailable => "kimai-unavailable",
    KimaiListFaulty => "kimai-list-faulty",
    KimaiBusy => "kimai-busy", KimaiLostData => "kimai-lost-data", TokenInvalid => "token-invalid", AnswerLost => "answer-lost",
    TimesheetGone => "timesheet-gone", TimesheetExported => "timesheet-exported", TimesheetClaimed => "timesheet-claimed", BreakKept => "break-kept",
    RoundedToZero => "rounded-to-zero", WrongDay => "wrong-day",
    TriplestoreUnavailable => "triplestore-unavailable", TriplestoreRefused => "triplestore-refused",
    TriplestoreRefusedWrite => "triplestore-refused-write", TriplestoreFailed => "triplestore-failed",
    TriplestoreUnreadable => "triplestore-unreadable",
    TriplestoreIncomplete => "triplestore-incomplete", TurnedAway => "turned-away",
    StorageUnavailable => "storage-unavailable", TokenSeesTooLittle => "token-sees-too-little",
    Cancelled => "cancelled", Internal => "internal",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_code_is_what_json_says() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.word());
            assert_eq!(Code::from_word(code.word()), Some(code));
        }
    }
}
