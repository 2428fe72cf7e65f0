//! One entry of the queue: a work log's IRI, when it is due and why it is there; never data.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{Code, Sighting, WorkLogUri};
use crate::text::words;

/// Why a work log is in the queue. It decides no more than whose turn it is (see [`Reason::is_fresh`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A delta named it.
    Delta,
    /// Someone asked for it by HTTP.
    Request,
    /// A sweep found a difference.
    Sweep,
    /// An import may have brought what it was missing.
    Import,
    /// Its task, the task's project, its person or their account has changed.
    Reference,
    /// It was kept aside for a day.
    Daily,
    /// It says something else than when the run of its delta looked: the change showed late.
    Recheck,
}

words!(Reason {
    Delta => "delta", Request => "request", Sweep => "sweep", Import => "import", Reference => "reference", Daily => "daily",
    Recheck => "recheck",
});

impl Reason {
    /// Whether somebody just did something and waits for it to show. All else is background: there may be
    /// thousands of it at once, and nobody waits for it.
    pub fn is_fresh(self) -> bool {
        matches!(self, Self::Delta | Self::Request | Self::Recheck)
    }

    /// Whether something was just told of that may not be visible everywhere yet.
    pub(super) fn may_show_late(self) -> bool {
        matches!(self, Self::Delta | Self::Request | Self::Reference)
    }

    /// The reason of an entry that waits for this one and is asked for again for `other`: what is fresh stays so, and
    /// a late look takes nothing from what was told since.
    pub(super) fn joined(self, other: Self) -> Self {
        let stays = self.is_fresh() && (!other.is_fresh() || other == Self::Recheck);
        if stays { self } else { other }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// The right to run one work log. While it is out, nobody else gets the same work log.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    /// The work log to settle.
    pub work_log: WorkLogUri,
    /// How many runs have failed since it last changed.
    pub attempts: u32,
    /// Why it is in the queue.
    pub reason: Reason,
    /// When the change was asked for that this run reconciles.
    pub asked: Timestamp,
    /// Whether somebody asked for its exported timesheet to be overwritten. This run's alone: what fails for good
    /// or is done has used it up.
    pub overwrite: bool,
    /// Higher than that of every lease given out before.
    pub number: u64,
    /// From then on somebody else may get the same work log, and this lease settles nothing any more.
    pub until: Timestamp,
    /// What the run saw of the work log, for the looks that follow it; none as long as it has not looked.
    pub seen: Option<Sighting>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Settled: the entry leaves the queue.
    Done {
        /// What was done, in words.
        what: String,
    },
    /// To be tried again.
    Later {
        /// Not before then.
        at: Timestamp,
        /// The stable code of what stood in the way.
        code: Code,
        /// What stood in the way, in words.
        why: String,
        /// Whether the run counts as a failed one: an outage is not the work log's fault.
        counts: bool,
    },
    /// Nothing will help until something changes: kept, shown, not tried by itself.
    Parked {
        /// The stable code of what stands in the way.
        code: Code,
        /// What stands in the way, in words.
        why: String,
    },
}

#[cfg(test)]
impl Outcome {
    /// Settled, without a word.
    pub(crate) fn done() -> Self {
        Self::Done { what: String::new() }
    }
}

/// How many entries stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Due: run as soon as a worker is free.
    pub queued: usize,
    /// To be run later, at their due time.
    pub scheduled: usize,
    /// Under a lease.
    pub running: usize,
    /// Waiting for someone to change something.
    pub parked: usize,
}

impl Counts {
    /// How many are to be run, now or later.
    pub fn waiting(&self) -> usize {
        self.queued + self.scheduled
    }
}

/// Where an entry stands. Each state has the same name wherever people see it: on the page, in JSON, on the
/// command line, in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Due: run as soon as a worker is free.
    Queued,
    /// To be run later, at its due time: again after a failure, or after the other deltas of the same change.
    Scheduled,
    /// Under a lease.
    Running,
    /// Waiting for someone to change something.
    Parked,
}

words!(State { Queued => "queued", Scheduled => "scheduled", Running => "running", Parked => "parked" });

/// Which entries are wanted.
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
    /// What is parked since its timesheet is exported.
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
    /// Where it stands.
    pub state: State,
    /// When it is to be run, or was to be run that is running. Nothing when parked.
    pub due: Option<Timestamp>,
    /// Why it is in the queue.
    pub reason: Reason,
    /// How many runs have failed since it last changed.
    pub attempts: u32,
    /// What the last failed run said.
    pub last_error: Option<String>,
    /// The stable code of that; none in entries from before there were codes.
    pub code: Option<Code>,
    /// Since when it is in the queue.
    pub since: Timestamp,
    /// When the lease of a running one ends.
    pub leased_until: Option<Timestamp>,
}

/// What became of a run: an [`Outcome`] without what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The work log was settled.
    Done,
    /// It is to be tried again.
    Later,
    /// It is kept until something changes.
    Parked,
}

words!(Ended { Done => "done", Later => "later", Parked => "parked" });

/// How one run of a work log ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// What became of it.
    pub result: Ended,
    /// What was done, or what stood in the way.
    pub message: Option<String>,
    /// The stable code of what stood in the way.
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
