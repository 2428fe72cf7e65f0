//! Stable codes for the reasons that keep a work log from being synced.
//!
//! The client of an external system translates its error messages to codes. Every decision, hint and metric after that
//! uses the code.

use serde::Serialize;

use crate::text::words;

/// The area of a code: a section of `docs/errors.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// The work log itself, its task or its person.
    WorkLog,
    /// Kimai refuses the values, or where they are booked.
    Refused,
    /// Kimai holds something that cannot be corrected.
    Held,
    /// Kimai does not answer, or refuses access.
    Kimai,
    /// The triplestore does not answer, or refuses.
    Triplestore,
    /// The service itself.
    Service,
}

/// Defines the codes: their variants, words and meanings, by area.
macro_rules! codes {
    ($($area:ident { $($variant:ident $word:literal $means:literal)* })*) => {
        /// A reason that keeps a work log from being synced. Its word never changes once released: the queue's file,
        /// JSON and metrics contain it, and people filter by it. The message shown next to it may change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Code {
            $($(#[doc = $means] $variant,)*)*
        }

        words!(Code { $($($variant => $word,)*)* });

        impl Code {
            /// What it means, in a sentence.
            pub fn means(self) -> &'static str {
                match self { $($(Self::$variant => $means,)*)* }
            }

            /// What it is about.
            pub fn area(self) -> Area {
                match self { $($(Self::$variant => Area::$area,)*)* }
            }
        }
    };
}

codes! {
    WorkLog {
        WorkLogIncomplete "work-log-incomplete" "The work log has no day, duration, task or person (yet)."
        DurationInvalid "duration-invalid" "The duration of the work log is not valid in Kimai."
        DayInvalid "day-invalid" "The day of the work log cannot be read."
        NotAnActivity "not-an-activity" "The task of the work log is not a Kimai activity."
        ActivityWithoutId "activity-without-id" "The activity has no Kimai ID in the triplestore."
        ActivityWithoutProject "activity-without-project" "The activity is global and belongs to no project."
        ProjectUnknown "project-unknown" "The activity does not belong to a Kimai project."
        NoAccount "no-account" "No Kimai account is linked to the person."
        AccountAmbiguous "account-ambiguous" "Several Kimai accounts are linked to the person, so it is not clear whose hours these are."
    }
    Refused {
        KimaiRefused "kimai-refused" "Kimai refused the request for a reason that has no code of its own; the message quotes it."
        KimaiForbidden "kimai-forbidden" "Kimai forbade the request (403), and the reason could not be found."
        RightMissing "right-missing" "The API token's user lacks a right in Kimai; the message names it."
        PeriodLocked "period-locked" "The day is in a period that is locked in Kimai."
        TrackingMode "tracking-mode" "Kimai's tracking mode sets begin and end itself and does not accept them."
        FieldsRefused "fields-refused" "Kimai does not accept one of the fields sent."
        ChoiceInvalid "choice-invalid" "Kimai does not offer the project, activity or user, and the reason could not be found."
        ProjectHidden "project-hidden" "The project is hidden in Kimai."
        ProjectEnded "project-ended" "The project ended in Kimai before that day."
        ProjectNotStarted "project-not-started" "The project had not started in Kimai on that day."
        ProjectGone "project-gone" "The project is deleted in Kimai."
        CustomerHidden "customer-hidden" "The project's customer is hidden in Kimai."
        ActivityHidden "activity-hidden" "The activity is hidden in Kimai."
        ActivityGone "activity-gone" "The activity is deleted in Kimai."
        ActivityOfOtherProject "activity-of-other-project" "The activity belongs to another project in Kimai than in the triplestore."
        GlobalActivityRefused "global-activity-refused" "The activity is global, and its project does not allow global activities."
        UserGone "user-gone" "The Kimai user is deleted."
        UserDisabled "user-disabled" "The Kimai user is disabled."
        SystemAccount "system-account" "The Kimai user is a system account, which cannot have hours."
        TeamForbids "team-forbids" "The teams of the API token's user do not include the user, project or activity."
        OverlapRefused "overlap-refused" "Kimai does not allow overlapping entries."
        EmptyDurationRefused "empty-duration-refused" "Kimai does not allow empty durations."
        FutureRefused "future-refused" "Kimai does not allow times in the future."
        DurationTooLong "duration-too-long" "The duration is longer than Kimai allows."
        BudgetUsedUp "budget-used-up" "The budget of the project is used up in Kimai."
    }
    Held {
        TimesheetGone "timesheet-gone" "The timesheet no longer exists in Kimai."
        TimesheetExported "timesheet-exported" "The timesheet is exported in Kimai and differs from the work log. It is not overwritten without confirmation."
        TimesheetClaimed "timesheet-claimed" "The timesheet belongs to another work log."
        BreakKept "break-kept" "The timesheet has a break that was entered in Kimai and cannot be removed."
        RoundedToZero "rounded-to-zero" "Kimai's rounding reduces the hours to zero."
        WrongDay "wrong-day" "Kimai books the timesheet on another day than the work log's."
    }
    Kimai {
        KimaiUnavailable "kimai-unavailable" "Kimai did not answer, or failed."
        ProxyAnswered "proxy-answered" "Something else answered in Kimai's place: a proxy, or another site at that address."
        KimaiBusy "kimai-busy" "Kimai asked for a pause (429, or 503 with `Retry-After`)."
        KimaiListFaulty "kimai-list-faulty" "Kimai's list of timesheets does not end, repeats itself, or holds a row that matters and cannot be read."
        KimaiLostData "kimai-lost-data" "Kimai has lost timesheets: it assigns IDs again that were in use. Nothing is created until the links are rebuilt."
        AnswerLost "answer-lost" "The answer to a creation was lost. The service looks up whether it was stored before it sends anything else."
        TokenInvalid "token-invalid" "Kimai refused the API token (401)."
        AuthorizationStripped "authorization-stripped" "The `Authorization` header does not reach Kimai (401): something in between removes it."
        ProxyLogin "proxy-login" "A proxy in front of Kimai asks for its own login (401)."
        TokenSeesTooLittle "token-sees-too-little" "The API token cannot see all timesheets that a sweep needs."
    }
    Triplestore {
        TriplestoreUnavailable "triplestore-unavailable" "The triplestore did not answer."
        TriplestoreRefused "triplestore-refused" "The triplestore refused the statement."
        TriplestoreRefusedWrite "triplestore-refused-write" "No graph accepts the write: config.lisp lacks a prefix, a class or a right."
        TriplestoreFailed "triplestore-failed" "The triplestore answered that it could not run the statement."
        TriplestoreUnreadable "triplestore-unreadable" "The triplestore's answer could not be read."
        TriplestoreIncomplete "triplestore-incomplete" "The triplestore's answer was not complete."
    }
    Service {
        TurnedAway "turned-away" "The run waited too long for a free request to Kimai. Nothing was sent."
        StorageUnavailable "storage-unavailable" "The queue file could not be read or written."
        Cancelled "cancelled" "It was cancelled."
        Internal "internal" "A bug in this service."
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_word_of_a_code_is_what_json_says() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.word());
            assert_eq!(Code::from_word(code.word()), Some(code));
        }
    }

    #[test]
    fn each_code_means_something_else() {
        let meanings: BTreeSet<&str> = Code::ALL.into_iter().map(Code::means).collect();
        assert_eq!(meanings.len(), Code::ALL.len());
        for means in meanings {
            assert!(means.ends_with('.') && !means.contains('|'), "{means}");
        }
    }
}
