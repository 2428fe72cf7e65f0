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
    /// Kimai refused the request, and the reason has no code of its own.
    KimaiRefused,
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
    /// The triplestore's answer could not be read.
    TriplestoreUnreadable,
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
    NoAccount => "no-account", KimaiRefused => "kimai-refused", KimaiUnavailable => "kimai-unavailable",
    KimaiListFaulty => "kimai-list-faulty",
    KimaiBusy => "kimai-busy", KimaiLostData => "kimai-lost-data", TokenInvalid => "token-invalid", AnswerLost => "answer-lost",
    TimesheetGone => "timesheet-gone", TimesheetExported => "timesheet-exported", TimesheetClaimed => "timesheet-claimed", BreakKept => "break-kept",
    RoundedToZero => "rounded-to-zero", WrongDay => "wrong-day",
    TriplestoreUnavailable => "triplestore-unavailable", TriplestoreRefused => "triplestore-refused",
    TriplestoreUnreadable => "triplestore-unreadable", TurnedAway => "turned-away",
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
