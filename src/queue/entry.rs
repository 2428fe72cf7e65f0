//! One entry of the queue: a work log's IRI, when it is due and why it is there; never data.

use jiff::Timestamp;

use crate::domain::WorkLogUri;

/// Why a work log is in the queue: for the log and for people, never for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A delta named it.
    Delta,
    /// Someone asked for it by HTTP.
    Request,
    /// A sweep found a difference.
    Sweep,
    /// An import may have brought what it was missing.
    Import,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Delta => "delta",
            Self::Request => "request",
            Self::Sweep => "sweep",
            Self::Import => "import",
        })
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
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Settled: the entry leaves the queue.
    Done,
    /// To be tried again.
    Later {
        /// Not before then.
        at: Timestamp,
        /// What stood in the way, in words.
        why: String,
        /// Whether the run counts as a failed one: an outage is not the work log's fault.
        counts: bool,
    },
    /// Nothing will help until something changes: kept, shown, not tried by itself.
    Parked {
        /// What stands in the way, in words.
        why: String,
    },
}

/// How many entries stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// To be run now or at their due time.
    pub waiting: usize,
    /// Of those, the ones that failed before.
    pub retrying: usize,
    /// Under a lease.
    pub running: usize,
    /// Waiting for someone to change something.
    pub parked: usize,
}
