//! The handler of locks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::jobs::Done;
use crate::jobs::lock::{LockReport, Outcome};
use crate::progress::Progress;

/// The most names in one message.
const MOST_NAMES: usize = 10;

/// A timesheet that should have been exported and was not is a fault that affects only itself.
pub(super) fn done(report: &LockReport, progress: &Progress) -> Done {
    let words = ["exported", "exported-before", "draft", "absence-submitted", "unknown-status", "failed"];
    let mut counts: BTreeMap<String, u64> = words.map(|word| (word.to_owned(), 0)).into();
    let mut open = Vec::new();
    for timesheet in &report.timesheets {
        let word = match &timesheet.outcome {
            Outcome::Exported { work_logs, unsynced, .. } => {
                *counts.entry("work-logs".to_owned()).or_default() += *work_logs as u64;
                *counts.entry("work-logs-not-in-kimai".to_owned()).or_default() += unsynced.len() as u64;
                if !unsynced.is_empty() {
                    progress.fault(timesheet.to_string());
                }
                "exported"
            }
            Outcome::ExportedBefore => "exported-before",
            Outcome::Draft => {
                open.push(timesheet.person.as_str());
                "draft"
            }
            Outcome::AbsenceSubmitted => {
                open.push(timesheet.person.as_str());
                "absence-submitted"
            }
            Outcome::UnknownStatus(_) => {
                progress.fault(timesheet.to_string());
                "unknown-status"
            }
            Outcome::Failed(_) => {
                progress.fault(timesheet.to_string());
                "failed"
            }
        };
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    let mut message = format!("{report}.");
    if !open.is_empty() {
        let more = open.len().saturating_sub(MOST_NAMES);
        open.truncate(MOST_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = write!(message, " Not submitted: {}{more}.", open.join(", "));
    }
    Done { counts, message, ..Done::default() }
}
