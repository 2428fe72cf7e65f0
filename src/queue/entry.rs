//! An entry of the queue: a work log's IRI, when it is due and why; never its data.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{Code, Sighting, WorkLogUri};
use crate::text::words;

/// Why a work log is in the queue. It only decides the priority (see [`Reason::is_fresh`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A delta named it.
    Delta,
    /// Somebody requested it over HTTP.
    Request,
    /// A sweep found a difference.
    Sweep,
    /// An import may have added what it was missing.
    Import,
    /// Its task, the task's project, its person or their account has changed.
    Reference,
    /// It was parked, and is retried once a day.
    Daily,
    /// It has changed since the run of its delta: the change became visible late.
    Recheck,
}

words!(Reason {
    Delta => "delta", Request => "request", Sweep => "sweep", Import => "import", Reference => "reference", Daily => "daily",
    Recheck => "recheck",
});

impl Reason {
    /// Whether somebody just made a change and waits for it to show. Everything else is background: there may be
    /// thousands of entries at once, and nobody waits for them.
    pub fn is_fresh(self) -> bool {
        matches!(self, Self::Delta | Self::Request | Self::Recheck)
    }

    /// Whether its change may not be visible everywhere yet.
    pub(crate) fn may_show_late(self) -> bool {
        matches!(self, Self::Delta | Self::Request | Self::Reference)
    }

    /// The reason of an entry that waits for this one and is asked for again for `other`: what is fresh stays so, and
    /// a late look takes nothing from what was told since.
    pub(crate) fn joined(self, other: Self) -> Self {
        let stays = self.is_fresh() && (!other.is_fresh() || other == Self::Recheck);
        if stays { self } else { other }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// A lease: the right to run one work log. While it is held, no other run gets the same work log.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    /// The work log to reconcile.
    pub work_log: WorkLogUri,
    /// How many runs have failed since it last changed.
    pub attempts: u32,
    /// Why it is in the queue.
    pub reason: Reason,
    /// When the change was requested that this run reconciles.
    pub asked: Timestamp,
    /// Whether somebody requested to overwrite its exported timesheet. Valid for this run only, unless it is retried.
    pub overwrite: bool,
    /// Higher than that of every earlier lease.
    pub number: u64,
    /// From then on another run may get the same work log, and this lease can no longer complete anything.
    pub until: Timestamp,
    /// A digest of what the run read, for later rechecks; none until it has read.
    pub seen: Option<Sighting>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Reconciled: the entry leaves the queue.
    Done {
        /// What was done, as text.
        what: String,
    },
    /// To be retried.
    Later {
        /// Not before then.
        at: Timestamp,
        /// The stable code of the cause.
        code: Code,
        /// The cause, as text.
        why: String,
        /// Whether it counts as a failed attempt: an outage is not the work log's fault.
        counts: bool,
    },
    /// Parked: shown, but not retried automatically until something changes.
    Parked {
        /// The stable code of the cause.
        code: Code,
        /// The cause, as text.
        why: String,
    },
}

#[cfg(test)]
impl Outcome {
    /// Reconciled, without text.
    pub(crate) fn done() -> Self {
        Self::Done { what: String::new() }
    }
}

/// The number of entries by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Due: runs as soon as a worker is free.
    pub queued: usize,
    /// Scheduled for later.
    pub scheduled: usize,
    /// Leased to a worker.
    pub running: usize,
    /// Parked.
    pub parked: usize,
}

impl Counts {
    /// How many will run, now or later.
    pub fn waiting(&self) -> usize {
        self.queued + self.scheduled
    }
}

/// The state of an entry. Each state has the same name on the page, in JSON, on the command line, and in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Due: runs as soon as a worker is free.
    Queued,
    /// Scheduled for its due time: retried after a failure, or waiting for the other deltas of the same change.
    Scheduled,
    /// Leased to a worker.
    Running,
    /// Parked until somebody changes something.
    Parked,
}

words!(State { Queued => "queued", Scheduled => "scheduled", Running => "running", Parked => "parked" });

/// A filter for entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those whose last run failed with this code.
    pub code: Option<Code>,
    /// None whose last run failed with this code.
    pub not: Option<Code>,
}

impl Filter {
    /// Entries parked because their timesheet is exported.
    pub const EXPORTED: Self =
        Self { state: Some(State::Parked), code: Some(Code::TimesheetExported), not: None };
}

impl From<State> for Filter {
    fn from(state: State) -> Self {
        Self { state: Some(state), ..Self::default() }
    }
}

/// An entry as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The work log.
    pub work_log: WorkLogUri,
    /// Its state.
    pub state: State,
    /// When it will run, or was due if it is running. None if parked.
    pub due: Option<Timestamp>,
    /// Why it is in the queue.
    pub reason: Reason,
    /// How many runs have failed since it last changed.
    pub attempts: u32,
    /// The error of the last failed run.
    pub last_error: Option<String>,
    /// The stable code of that error; none in entries from before there were codes.
    pub code: Option<Code>,
    /// Since when it is in the queue.
    pub since: Timestamp,
    /// When the lease of a running one ends.
    pub leased_until: Option<Timestamp>,
}

/// The result of a run: an [`Outcome`] without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The work log was reconciled.
    Done,
    /// It is retried.
    Later,
    /// It is parked.
    Parked,
}

words!(Ended { Done => "done", Later => "later", Parked => "parked" });

/// A past run of a work log, for its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// Its result.
    pub result: Ended,
    /// What was done, or the cause of the failure.
    pub message: Option<String>,
    /// The stable code of the cause.
    pub code: Option<Code>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_words_as_the_file() {
        let json = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for state in State::ALL {
            assert_eq!(json(serde_json::to_value(state).unwrap()), state.word());
        }
        for reason in Reason::ALL {
            assert_eq!(json(serde_json::to_value(reason).unwrap()), reason.word());
        }
        for ended in Ended::ALL {
            assert_eq!(json(serde_json::to_value(ended).unwrap()), ended.word());
        }
    }
}
