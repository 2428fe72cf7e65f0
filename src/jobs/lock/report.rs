//! What became of each timesheet of the month.

use std::fmt;

use super::Month;

/// Work logs named in a line.
const NAMED: usize = 5;

/// What became of one timesheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was submitted and is exported now.
    Exported {
        /// Work logs it holds, all of its person's in that month.
        work_logs: usize,
        /// Of these, how many were not linked to it before, or to another one as well.
        linked: usize,
        /// Those that Kimai does not have yet, or not as they are now, each with the reason.
        unsynced: Vec<String>,
    },
    /// It was exported already; nothing was changed.
    ExportedBefore,
    /// It is still being filled in.
    Draft,
    /// Only its absences have been handed in.
    AbsenceSubmitted,
    /// It has no status we know: none, or another one.
    UnknownStatus(String),
    /// It should have been exported and was not, for this reason; lock the month again.
    Failed(String),
}

/// One timesheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimesheetReport {
    /// Its IRI.
    pub timesheet: String,
    /// The name of its person, or the person's IRI.
    pub person: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockReport {
    /// Which month.
    pub month: Month,
    /// Its timesheets, by IRI.
    pub timesheets: Vec<TimesheetReport>,
}

impl LockReport {
    /// How many timesheets are exported by this lock.
    pub fn exported(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Exported { .. }))
    }

    /// How many timesheets should have been exported and were not.
    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// How many of the timesheets exported by this lock hold work logs that are not in Kimai as they are.
    pub fn unsynced(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Exported { unsynced, .. } if !unsynced.is_empty()))
    }

    fn count(&self, kind: impl Fn(&Outcome) -> bool) -> usize {
        self.timesheets.iter().filter(|timesheet| kind(&timesheet.outcome)).count()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exported { work_logs, linked, unsynced } => {
                write!(f, "exported with {work_logs} work logs, {linked} of them newly linked")?;
                if unsynced.is_empty() {
                    return Ok(());
                }
                let (some, more) = (unsynced.iter().take(NAMED), unsynced.len().saturating_sub(NAMED));
                let some: Vec<&str> = some.map(String::as_str).collect();
                write!(f, "; BUT {} are not in sync with Kimai: {}", unsynced.len(), some.join("; "))?;
                if more > 0 { write!(f, "; and {more} more") } else { Ok(()) }
            }
            Self::ExportedBefore => f.write_str("already exported"),
            Self::Draft => f.write_str("not submitted yet, still a draft"),
            Self::AbsenceSubmitted => f.write_str("not submitted yet, only its absences are"),
            Self::UnknownStatus(status) => write!(f, "not exported: {status}"),
            Self::Failed(why) => write!(f, "NOT exported: {why}"),
        }
    }
}

impl fmt::Display for TimesheetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timesheet of {} (<{}>): {}", self.person, self.timesheet, self.outcome)
    }
}

/// One line. The timesheets have a line each of their own.
impl fmt::Display for LockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.count(|outcome| *outcome == Outcome::ExportedBefore);
        let others = self.timesheets.len() - self.exported() - self.failed() - before;
        write!(
            f,
            "{}: {} timesheets exported, {} failed, {others} not submitted, {before} already exported",
            self.month,
            self.exported(),
            self.failed()
        )?;
        match self.unsynced() {
            0 => Ok(()),
            timesheets => {
                write!(f, "; {timesheets} of them with work logs that are not in sync with Kimai")
            }
        }
    }
}
