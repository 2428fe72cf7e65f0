//! An entry as the book keeps it, as it is on disk, and as people see it.

use jiff::Timestamp;

use super::entry::{Entry, Reason, State};
use crate::domain::{Code, WorkLogUri};

/// An entry as the book keeps it.
#[derive(Debug, Clone)]
pub(super) struct EntryState {
    pub(super) phase: Phase,
    pub(super) attempts: u32,
    pub(super) reason: Reason,
    /// What the last failed run said.
    pub(super) why: Option<String>,
    /// The stable code of that.
    pub(super) code: Option<Code>,
    /// Whether a delta told that the work log lost its class.
    pub(super) removed: bool,
    /// Whether somebody asked for its exported timesheet to be overwritten.
    pub(super) overwrite: bool,
    pub(super) since: Timestamp,
    /// When the change was asked for that its next run settles.
    pub(super) asked: Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
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
        /// To be run once more then, since it changed meanwhile.
        again: Option<Again>,
    },
    Parked,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Again {
    pub(super) due: Timestamp,
    pub(super) removed: bool,
    pub(super) overwrite: bool,
    pub(super) asked: Timestamp,
}

/// What is asked for a work log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) reason: Reason,
    /// Whether a delta told that it lost its class.
    pub(super) removed: bool,
    /// Whether its exported timesheet is to be overwritten.
    pub(super) overwrite: bool,
    pub(super) due: Timestamp,
    pub(super) now: Timestamp,
}

/// An entry as it is on disk. A running one waits there: should the process die, it is run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// `None` when parked.
    pub(super) due: Option<Timestamp>,
    pub(super) reason: Reason,
    pub(super) attempts: u32,
    pub(super) why: Option<String>,
    pub(super) code: Option<Code>,
    pub(super) removed: bool,
    pub(super) overwrite: bool,
    pub(super) since: Timestamp,
}

impl EntryState {
    /// As it is on disk.
    pub(super) fn row(&self) -> Row {
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

/// As people see it.
pub(super) fn show(work_log: &WorkLogUri, entry: &EntryState, now: Timestamp) -> Entry {
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
