//! The model that the queue has to follow: too simple to be wrong.

use std::collections::BTreeMap;

use crate::domain::WorkLogUri;
use crate::queue::Outcome;
use crate::store::conformance::work_log;

/// What the model knows of a work log in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact")]
pub(super) struct Modelled {
    /// When it is to be run next; during a run, when it is to be run again.
    pub(super) due: Option<i64>,
    pub(super) running: Option<Run>,
    pub(super) removed: bool,
    pub(super) removed_again: bool,
    pub(super) attempts: u32,
    pub(super) failed: bool,
    pub(super) fresh: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run {
    pub(super) number: u64,
    pub(super) until: i64,
    /// What it was due for.
    pub(super) due: i64,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) entries: BTreeMap<WorkLogUri, Modelled>,
    pub(super) now: i64,
    pub(super) full: bool,
    /// Fresh leases in a row while something of the background was due.
    pub(super) in_a_row: u32,
}

impl Model {
    /// Leases end, seen by whoever looks for work.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        for entry in self.entries.values_mut() {
            if let Some(run) = entry.running.filter(|run| run.until <= now) {
                Self::rerun(entry, run.until);
            }
        }
    }

    pub(super) fn rerun(entry: &mut Modelled, at: i64) {
        entry.due = Some(entry.due.map_or(at, |due| due.min(at)));
        entry.running = None;
        entry.removed |= std::mem::take(&mut entry.removed_again);
    }

    /// Whether the next lease is fresh, if there is one. Who takes turns with whom is in the tests of `fair_schedule.rs`.
    pub(super) fn next_lease(&mut self) -> Option<bool> {
        let waiting = self.entries.values().filter(|entry| entry.running.is_none());
        let due = waiting.filter(|entry| entry.due.is_some_and(|due| due <= self.now));
        let (fresh, background): (Vec<&Modelled>, Vec<&Modelled>) = due.partition(|entry| entry.fresh);
        let eighth = self.in_a_row == 7 && !background.is_empty();
        let next = match (fresh.is_empty(), background.is_empty()) {
            (true, true) => None,
            (no_fresh, _) => Some(!no_fresh && !eighth),
        };
        self.in_a_row = match next {
            Some(true) if !background.is_empty() => self.in_a_row + 1,
            Some(false) => 0,
            _ => self.in_a_row,
        };
        next
    }

    pub(super) fn put(&mut self, named: &[(u8, bool)], fresh: bool, due: i64) {
        for (number, removed) in named {
            let entry = self.entries.entry(work_log(*number)).or_default();
            let parked = entry.due.is_none() && entry.running.is_none();
            entry.fresh = fresh || (entry.fresh && !parked);
            entry.due = Some(entry.due.map_or(due, |earlier| earlier.min(due)));
            entry.attempts = 0;
            let removed_now =
                if entry.running.is_some() { &mut entry.removed_again } else { &mut entry.removed };
            *removed_now |= removed;
        }
    }

    pub(super) fn complete(&mut self, work_log: &WorkLogUri, outcome: &Outcome) {
        let entry = self.entries.get_mut(work_log).unwrap();
        let changed = entry.due.is_some();
        entry.running = None;
        entry.failed = *outcome != Outcome::done();
        entry.removed = std::mem::take(&mut entry.removed_again) || (entry.removed && entry.failed);
        match outcome {
            _ if changed => {}
            Outcome::Done { .. } => drop(self.entries.remove(work_log)),
            Outcome::Later { at, .. } => {
                entry.attempts += 1;
                entry.due = Some(at.as_second());
            }
            Outcome::Parked { .. } => {}
        }
    }

    pub(super) fn crash(&mut self) {
        self.in_a_row = 0;
        for entry in self.entries.values_mut() {
            if let Some(run) = entry.running {
                Self::rerun(entry, run.due);
            }
        }
    }
}
