//! An entry in the state machine, on disk, and as people see it.

use jiff::Timestamp;

use super::entry::{Entry, Reason, State};
use crate::domain::{Code, WorkLogUri};

/// An entry in the state machine.
#[derive(Debug, Clone)]
pub(crate) struct EntryState {
    pub(crate) phase: Phase,
    pub(crate) attempts: u32,
    pub(crate) reason: Reason,
    /// The error of the last failed run.
    pub(crate) why: Option<String>,
    /// Its stable code.
    pub(crate) code: Option<Code>,
    /// Whether a delta removed the work log's class.
    pub(crate) removed: bool,
    /// Whether somebody requested to overwrite its exported timesheet.
    pub(crate) overwrite: bool,
    pub(crate) since: Timestamp,
    /// When the change was requested that its next run reconciles.
    pub(crate) asked: Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Phase {
    /// In `schedule` under this key and its reason.
    Waiting {
        due: Timestamp,
        turn: u64,
    },
    /// Under a lease; in `by_expiry` under its end.
    Running {
        due: Timestamp,
        number: u64,
        until: Timestamp,
        /// Runs once more then, since it changed meanwhile.
        again: Option<Again>,
    },
    Parked,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Again {
    pub(crate) due: Timestamp,
    pub(crate) removed: bool,
    pub(crate) overwrite: bool,
    pub(crate) asked: Timestamp,
}

/// A request to run a work log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) reason: Reason,
    /// Whether a delta removed its class.
    pub(crate) removed: bool,
    /// Whether its exported timesheet is to be overwritten.
    pub(crate) overwrite: bool,
    pub(crate) due: Timestamp,
    pub(crate) now: Timestamp,
}

/// An entry as stored. A running one is stored as waiting, so that it runs again if the process dies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// `None` when parked.
    pub(crate) due: Option<Timestamp>,
    pub(crate) reason: Reason,
    pub(crate) attempts: u32,
    pub(crate) why: Option<String>,
    pub(crate) code: Option<Code>,
    pub(crate) removed: bool,
    pub(crate) overwrite: bool,
    pub(crate) since: Timestamp,
}

impl EntryState {
    /// The stored form.
    pub(crate) fn row(&self) -> Row {
        let (due, again) = match self.phase {
            Phase::Waiting { due, .. } => (Some(due), None),
            Phase::Running { due, again, .. } => (Some(due), again),
            Phase::Parked => (None, None),
        };
        let due = due.map(|due| again.map_or(due, |again| again.due.min(due)));
        let removed = self.removed || again.is_some_and(|again| again.removed);
        let overwrite = self.overwrite || again.is_some_and(|again| again.overwrite);
        let Self { attempts, reason, code, since, .. } = *self;
        Row { due, reason, attempts, why: self.why.clone(), code, removed, overwrite, since }
    }
}

/// The form for people.
pub(crate) fn show(work_log: &WorkLogUri, entry: &EntryState, now: Timestamp) -> Entry {
    let (state, due, leased_until) = match entry.phase {
        Phase::Waiting { due, .. } if due <= now => (State::Queued, Some(due), None),
        Phase::Waiting { due, .. } => (State::Scheduled, Some(due), None),
        Phase::Running { due, until, .. } => (State::Running, Some(due), Some(until)),
        Phase::Parked => (State::Parked, None, None),
    };
    Entry {
        work_log: work_log.clone(),
        state,
        due,
        reason: entry.reason,
        attempts: entry.attempts,
        last_error: entry.why.clone(),
        code: entry.code,
        since: entry.since,
        leased_until,
    }
}
