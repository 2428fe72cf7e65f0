//! Why what was asked of runs could not be had.

use super::job::State;
use crate::store::sqlite::StorageFault;

/// Why a run could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobsFault {
    /// Too many wait already.
    #[error("{0} runs wait already; see GET /runs, and ask again when some have ended")]
    Full(usize),
    /// The process ends.
    #[error("the service is stopping; ask again when it runs")]
    Stopping,
    /// There is no such run, or none any more.
    #[error("there is no run {0}, or it is not kept any more; see GET /runs")]
    Unknown(u64),
    /// What has ended cannot be cancelled.
    #[error("run {id} has ended already ({}); there is nothing to cancel", state.word())]
    Ended {
        /// The run.
        id: u64,
        /// How it ended.
        state: State,
    },
    /// Its findings had to make room.
    #[error("the findings of run {0} are not kept any more; ask for a new plan")]
    FindingsGone(u64),
    /// The confirm key is none, or one that is not known any more.
    #[error("the confirm key '{0}' is not known; a plan or sweep that holds deletions back gives one")]
    UnknownKey(String),
    /// The confirm key is too old: since when, as people here read it.
    #[error("the confirm key expired at {0}; look at a new plan, and confirm with its key")]
    Expired(String),
    /// The confirm key belongs to another period.
    #[error("the confirm key is for {confirmed}, not for {asked}; ask for the period that it confirms")]
    OtherPeriod {
        /// The key's.
        confirmed: String,
        /// The request's.
        asked: String,
    },
    /// It could not be kept or read.
    #[error(transparent)]
    Storage(#[from] StorageFault),
}
