//! The queue's bookkeeping: a pure state machine over entries, with time as a parameter.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::entry::{Counts, Lease, Outcome, Reason};
use crate::domain::WorkLogUri;

#[derive(Debug)]
struct Entry {
    state: State,
    attempts: u32,
    reason: Reason,
    /// What the last failed run said.
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In `by_due` under this key.
    Waiting {
        due: Timestamp,
        turn: u64,
    },
    /// Under a lease; to be run again then, if it changed meanwhile.
    Running {
        again: Option<Timestamp>,
    },
    Parked,
}

/// All entries, by work log and by due time. Every step costs the logarithm of their number.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: HashMap<WorkLogUri, Entry>,
    /// Entries that wait, earliest first; `turn` keeps equal due times in order of arrival.
    by_due: BTreeSet<(Timestamp, u64, WorkLogUri)>,
    turn: u64,
    /// Leases that are out.
    running: usize,
}

impl Book {
    /// Makes `work_log` due at `due`, or keeps an earlier time. A change resets the failed runs, so
    /// that what was given up or backed off is tried afresh.
    pub(super) fn put(&mut self, work_log: &WorkLogUri, reason: Reason, due: Timestamp) {
        let turn = self.next_turn();
        let entry = self.entries.entry(work_log.clone()).or_insert(Entry {
            state: State::Parked,
            attempts: 0,
            reason,
            why: None,
        });
        entry.attempts = 0;
        entry.reason = reason;
        match &mut entry.state {
            State::Waiting { due: earlier, .. } if *earlier <= due => {}
            State::Running { again } => *again = Some(again.map_or(due, |earlier| earlier.min(due))),
            _ => self.wait(work_log.clone(), due, turn),
        }
    }

    /// The entry that has waited longest beyond its due time, now under a lease.
    pub(super) fn lease(&mut self, now: Timestamp) -> Option<Lease> {
        if self.next_due()? > now {
            return None;
        }
        let (_, _, work_log) = self.by_due.pop_first()?;
        let entry = self.entries.get_mut(&work_log)?;
        entry.state = State::Running { again: None };
        self.running += 1;
        Some(Lease { attempts: entry.attempts, reason: entry.reason, work_log })
    }

    /// When the next entry is due, if any waits.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.by_due.first().map(|(due, _, _)| *due)
    }

    /// Ends a lease. An entry that changed during the run runs once more, whatever the outcome.
    pub(super) fn settle(&mut self, lease: &Lease, outcome: Outcome) {
        let turn = self.next_turn();
        let Some(entry) = self.entries.get_mut(&lease.work_log) else { return };
        let State::Running { again } = entry.state else { return };
        self.running -= 1;
        let changed = again.is_some();
        let (at, why) = match outcome {
            Outcome::Done => (None, None),
            Outcome::Later { at, why, counts } => {
                entry.attempts = entry.attempts.saturating_add(u32::from(counts));
                (Some(at), Some(why))
            }
            Outcome::Parked { why } => (None, Some(why)),
        };
        let failed = why.is_some();
        entry.why = why;
        match again.or(at) {
            Some(due) => {
                if changed {
                    entry.attempts = 0;
                }
                self.wait(lease.work_log.clone(), due, turn);
            }
            None if failed => entry.state = State::Parked,
            None => drop(self.entries.remove(&lease.work_log)),
        }
    }

    /// Makes every parked entry due at `due`; gives their number.
    pub(super) fn wake_parked(&mut self, reason: Reason, due: Timestamp) -> usize {
        let parked = |entry: &Entry| entry.state == State::Parked;
        let woken: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| parked(entry))
            .map(|(work_log, _)| work_log.clone())
            .collect();
        for work_log in &woken {
            self.put(work_log, reason, due);
        }
        woken.len()
    }

    /// The parked entries and why each is.
    pub(super) fn parked(&self) -> Vec<(WorkLogUri, String)> {
        let parked = self.entries.iter().filter(|(_, entry)| entry.state == State::Parked);
        let mut parked: Vec<_> = parked
            .map(|(work_log, entry)| (work_log.clone(), entry.why.clone().unwrap_or_default()))
            .collect();
        parked.sort_unstable();
        parked
    }

    /// Whether nothing runs and nothing is to be run by itself.
    pub(super) fn is_quiet(&self) -> bool {
        self.running == 0 && self.by_due.is_empty()
    }

    /// The number of entries, in whatever state.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.entries.values() {
            match entry.state {
                State::Waiting { .. } => counts.waiting += 1,
                State::Running { .. } => counts.running += 1,
                State::Parked => counts.parked += 1,
            }
            counts.retrying +=
                usize::from(matches!(entry.state, State::Waiting { .. }) && entry.why.is_some());
        }
        counts
    }

    fn wait(&mut self, work_log: WorkLogUri, due: Timestamp, turn: u64) {
        if let Some(entry) = self.entries.get_mut(&work_log) {
            if let State::Waiting { due, turn } = entry.state {
                self.by_due.remove(&(due, turn, work_log.clone()));
            }
            entry.state = State::Waiting { due, turn };
            self.by_due.insert((due, turn, work_log));
        }
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
