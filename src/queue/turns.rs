//! Whose turn it is: what waits, in two ranks, each by due time.
//!
//! What is fresh goes before what only a sweep, an import or a day brought up; but of eight leases in a row
//! one is of the background, if one is due.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::entry::Reason;
use crate::domain::WorkLogUri;

/// How many fresh entries may go before one of the background that is due.
const MOST_BEFORE: u32 = 7;

/// When an entry is due, its place among those due at the same time, and the entry.
pub(super) type Turn = (Timestamp, u64, WorkLogUri);

/// What waits. Every step costs the logarithm of its number.
#[derive(Debug, Default)]
pub(super) struct Turns {
    fresh: BTreeSet<Turn>,
    background: BTreeSet<Turn>,
    /// How many fresh ones went before one of the background that was due, since the last one of those.
    before: u32,
}

impl Turns {
    /// All at once: much quicker than one after the other.
    pub(super) fn of(waiting: impl Iterator<Item = (Reason, Turn)>) -> Self {
        let (mut fresh, mut background) = (Vec::new(), Vec::new());
        for (reason, turn) in waiting {
            if reason.is_fresh() { fresh.push(turn) } else { background.push(turn) }
        }
        Self { fresh: fresh.into_iter().collect(), background: background.into_iter().collect(), before: 0 }
    }

    pub(super) fn insert(&mut self, reason: Reason, turn: Turn) {
        self.rank(reason).insert(turn);
    }

    pub(super) fn remove(&mut self, reason: Reason, turn: &Turn) {
        self.rank(reason).remove(turn);
    }

    /// Takes the one whose turn it is, if any is due by `now`.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Turn> {
        let due = |turns: &BTreeSet<Turn>| turns.first().is_some_and(|(due, ..)| *due <= now);
        match (due(&self.fresh), due(&self.background)) {
            (true, false) => self.fresh.pop_first(),
            (true, true) if self.before < MOST_BEFORE => {
                self.before += 1;
                self.fresh.pop_first()
            }
            (_, true) => {
                self.before = 0;
                self.background.pop_first()
            }
            (false, false) => None,
        }
    }

    /// The earliest due time of all.
    pub(super) fn first_due(&self) -> Option<Timestamp> {
        let first = |turns: &BTreeSet<Turn>| turns.first().map(|(due, ..)| *due);
        first(&self.fresh).into_iter().chain(first(&self.background)).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.background.is_empty()
    }

    fn rank(&mut self, reason: Reason) -> &mut BTreeSet<Turn> {
        if reason.is_fresh() { &mut self.fresh } else { &mut self.background }
    }
}
