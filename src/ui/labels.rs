//! The labels of the page.

use crate::domain::finding::{Action, Hold, Kind};
use crate::domain::work_log::parse_duration;
use crate::jobs::{self, AskedBy, Task};
use crate::queue;
use crate::text::grouped;
pub(super) use crate::text::sentence;

/// A number with separated thousands: `12 345`.
pub(super) fn number(number: impl TryInto<u64>) -> String {
    grouped(number.try_into().unwrap_or(u64::MAX))
}

/// A count with its noun: `1 work log`, `2 work logs`.
pub(super) fn count(count: impl TryInto<u64>, one: &str, more: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{} {}", number(count), if count == 1 { one } else { more })
}

/// A count of work logs.
pub(super) fn work_logs(many: usize) -> String {
    count(many as u64, "work log", "work logs")
}

/// A duration in seconds, formatted.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.0995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

/// The state of an entry.
pub(super) fn entry_state(state: queue::State) -> &'static str {
    match state {
        queue::State::Queued => "Queued",
        queue::State::Scheduled => "Scheduled",
        queue::State::Running => "Running",
        queue::State::Parked => "Parked",
    }
}

/// The name of the list of a state, and its explanation.
pub(super) fn entry_states(state: queue::State) -> (&'static str, &'static str) {
    match state {
        queue::State::Queued => ("Queued", "They are synced as soon as a worker is free."),
        queue::State::Scheduled => {
            ("Scheduled", "They failed before or changed a moment ago, and are synced at the time shown.")
        }
        queue::State::Running => ("Running", "They are being synced now."),
        queue::State::Parked => (
            "Parked",
            "They need attention: they cannot be synced as they are. Each is retried when it changes, after an \
             import, once a day, and when you press Retry.",
        ),
    }
}

/// The name of the list of those parked because their timesheet is exported, and its explanation.
pub(super) const EXPORTED: (&str, &str) = (
    "Exported in Kimai",
    "Their timesheets differ from the work logs, but are exported in Kimai and may be on an invoice. They are \
     not changed until you overwrite them here, remove the export mark in Kimai, or revert the work log.",
);

/// Why an entry is in the queue.
pub(super) fn reason(reason: queue::Reason) -> &'static str {
    match reason {
        queue::Reason::Delta => "a change in the triplestore",
        queue::Reason::Request => "requested manually",
        queue::Reason::Sweep => "found by a sweep",
        queue::Reason::Import => "retried after an import",
        queue::Reason::Reference => "its task or person has changed",
        queue::Reason::Daily => "retried once a day",
        queue::Reason::Recheck => "a change that became visible late in the triplestore",
    }
}

/// The state of a run.
pub(super) fn run_state(state: jobs::State) -> &'static str {
    match state {
        jobs::State::Waiting => "Waiting",
        jobs::State::Running => "Running",
        jobs::State::Done => "Done",
        jobs::State::Failed => "Failed",
        jobs::State::Cancelled => "Cancelled",
    }
}

/// Who requested a run.
pub(super) fn asked_by(who: AskedBy) -> &'static str {
    match who {
        AskedBy::Start => "at the start of the service",
        AskedBy::Recovery => "after the queue could be saved again",
        AskedBy::Cron => "by the schedule",
        AskedBy::Request => "manually",
    }
}

/// The title of a run.
pub(super) fn task(task: Task) -> String {
    match task {
        Task::Sweep(period) => format!("Sweep of {period}"),
        Task::Plan(period) => format!("Plan for {period}"),
        Task::Import(what) => format!("Import of {what}"),
        Task::Lock(month) => format!("Lock of {month}"),
    }
}

/// A kind of difference.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Missing => "Not in Kimai",
        Kind::Changed => "Differs",
        Kind::ZeroHours => "Rounded to zero",
        Kind::WrongDay => "Booked on another day",
        Kind::Gone => "Gone from Kimai",
        Kind::Moved => "On another day",
        Kind::SharedLink => "Shares a timesheet",
        Kind::DoubleLink => "Has two timesheets",
        Kind::Dangling => "Deleted work log",
        Kind::Orphan => "Without a work log",
        Kind::Adoptable => "Already in Kimai",
        Kind::Incomplete => "Cannot be synced",
    }
}

/// The action for a difference, or in a plan the planned action.
pub(super) fn action(kind: Kind, action: Action) -> &'static str {
    match (action, kind) {
        (Action::Delete, _) | (Action::Settle, Kind::Dangling | Kind::Orphan) => "Delete the timesheet",
        (Action::Adopt, _) => "Adopt the timesheet",
        (Action::Settle, Kind::Missing | Kind::Gone) => "Create a timesheet",
        (Action::Settle, Kind::Changed | Kind::Moved) => "Update the timesheet",
        (Action::Settle, Kind::ZeroHours | Kind::WrongDay) => "Make Kimai recalculate it",
        (Action::Settle, Kind::SharedLink) => "Give each its own timesheet",
        (Action::Settle, Kind::DoubleLink) => "Keep one of its timesheets",
        (Action::Settle, Kind::Adoptable | Kind::Incomplete) => "Retry, or park with its reason",
    }
}

/// The same in a sweep that finished comparing: whatever concerns a work log is queued.
pub(super) fn started(kind: Kind, action: Action) -> String {
    match action {
        Action::Delete => "Deleted".to_owned(),
        Action::Adopt => "Adopted the timesheet".to_owned(),
        Action::Settle => {
            let (first, rest) = self::action(kind, action).split_at(1);
            format!("Queued: {}{rest}", first.to_lowercase())
        }
    }
}

/// Why a deletion is held back.
pub(super) fn hold(hold: Hold) -> &'static str {
    match hold {
        Hold::Unconfirmed => "this many deletions need confirmation",
        Hold::NoWorkLogs => "the triplestore shows no work logs for this period, which cannot be right",
        Hold::Exported => "it is exported in Kimai, and may be on an invoice",
        Hold::Recent => "it was changed in Kimai a moment ago; the next sweep checks it again",
        Hold::TurnedOff => "deleting timesheets without a work log is turned off in the settings",
        Hold::Claimed => "a work log may be about to be linked to it; the next sweep checks it again",
        Hold::KimaiLostData => {
            "Kimai has lost timesheets; nothing is done until you confirm that the links are rebuilt"
        }
        Hold::Refused => "Kimai did not delete it; the reason is in the list of errors",
    }
}

/// A formatted duration: `7 h 30 min` for `PT7H30M`. One that cannot be parsed is shown as it is written.
pub(super) fn duration(text: &str) -> String {
    let Ok(span) = parse_duration(text) else { return text.to_owned() };
    let fragments = [
        (i64::from(span.get_days()), "d"),
        (i64::from(span.get_hours()), "h"),
        (span.get_minutes(), "min"),
        (span.get_seconds(), "s"),
    ];
    let told: Vec<String> = fragments
        .iter()
        .filter(|(count, _)| *count != 0)
        .map(|(count, unit)| format!("{count}\u{a0}{unit}"))
        .collect();
    if told.is_empty() { "none at all".to_owned() } else { told.join(" ") }
}

/// The end of an IRI, which distinguishes it at a glance; long ones are cut in the middle.
pub(super) fn short(iri: &str) -> String {
    let end = iri.rsplit(['/', '#']).find(|fragment| !fragment.is_empty()).unwrap_or(iri);
    let letters = end.chars().count();
    if letters <= 40 {
        return end.to_owned();
    }
    let head: String = end.chars().take(24).collect();
    let tail: String = end.chars().skip(letters - 12).collect();
    format!("{head}…{tail}")
}

/// `text`, encoded for an address.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_can_be_read() {
        assert_eq!(count(1u64, "work log", "work logs"), "1 work log");
        assert_eq!(count(1_234_567u64, "work log", "work logs"), "1\u{202f}234\u{202f}567 work logs");
        let told = [0.012, 0.4, 9.96, 61.0, 600.0, 9_000.0].map(seconds);
        assert_eq!(told, ["12 ms", "0.4 s", "10 s", "61 s", "10 min", "2.5 h"]);
    }

    #[test]
    fn durations_are_told_as_people_say_them() {
        let told = ["PT7H30M", "PT8H", "P1DT30S", "PT0S", "8 <hours>", "P1M"].map(duration);
        let wanted =
            ["7\u{a0}h 30\u{a0}min", "8\u{a0}h", "1\u{a0}d 30\u{a0}s", "none at all", "8 <hours>", "P1M"];
        assert_eq!(told, wanted);
    }

    #[test]
    fn a_long_name_keeps_its_ends() {
        assert_eq!(
            short("http://x/work-logs/7530c9c9-4905-4fae-b63f-7a8d29232377"),
            "7530c9c9-4905-4fae-b63f-7a8d29232377"
        );
        assert_eq!(short("http://x/work-logs/"), "work-logs");
        let long = format!("http://x/{}", "é".repeat(3000));
        assert_eq!(short(&long).chars().count(), 37);
    }
}
