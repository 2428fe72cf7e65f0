//! Why a request for a job failed.

use super::job::State;
use crate::store::StorageFault;

/// Why a request for a job failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobsFault {
    /// Too many are waiting already.
    #[error("{0} runs are waiting already; see GET /runs, and try again when some have ended")]
    Full(usize),
    /// The process is shutting down.
    #[error("the service is stopping; try again when it is running")]
    Stopping,
    /// There is no such run, or it was removed.
    #[error("there is no run {0}, or it is no longer stored; see GET /runs")]
    Unknown(u64),
    /// A run that has ended cannot be cancelled.
    #[error("run {id} has ended already ({}); there is nothing to cancel", state.word())]
    Ended {
        /// The run.
        id: u64,
        /// How it ended.
        state: State,
    },
    /// Its findings were removed to make room.
    #[error("the findings of run {0} are no longer stored; make a new plan")]
    FindingsGone(u64),
    /// The confirm key is invalid or no longer known.
    #[error("the confirm key '{0}' is not known; a plan or sweep that holds deletions back returns one")]
    UnknownKey(String),
    /// The confirm key has expired: since when, in local time.
    #[error("the confirm key expired at {0}; review a new plan, and confirm with its key")]
    Expired(String),
    /// The confirm key belongs to another period.
    #[error("the confirm key is for {confirmed}, not for {asked}; request the period that it confirms")]
    OtherPeriod {
        /// The period of the key.
        confirmed: String,
        /// The period of the request.
        asked: String,
    },
    /// It could not be saved or read.
    #[error(transparent)]
    Storage(#[from] StorageFault),
}
