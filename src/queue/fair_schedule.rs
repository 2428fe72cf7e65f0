//! The order in which waiting entries run: two priorities, each fair to all requests.
//!
//! Fresh entries go before the background work of a sweep, an import or the daily retry; but one in eight leases is for
//! the background, if some is due. Within a priority, requests made at different times take turns: a delta with a
//! hundred thousand work logs does not delay a later one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use super::entry::Reason;
use crate::domain::WorkLogUri;

/// How many fresh entries may run before one from the background that is due.
const MOST_BEFORE: u32 = 7;

/// A waiting entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    /// When it is due.
    pub(super) due: Timestamp,
    /// Its position among those due at the same time.
    pub(super) place: u64,
    /// When it was requested: the same for all work logs of one delta.
    pub(super) asked: Timestamp,
    /// The entry.
    pub(super) work_log: WorkLogUri,
}

/// All waiting entries. Operations take logarithmic time.
#[derive(Debug, Default)]
pub(super) struct FairSchedule {
    fresh: Rank,
    background: Rank,
    /// How many fresh entries ran since the last one from the background, while some of that was due.
    before: u32,
}

impl FairSchedule {
    /// Builds it at once: much faster than one insertion after the other.
    pub(super) fn of(waiting: impl Iterator<Item = (Reason, Turn)>) -> Self {
        let (mut fresh, mut background) = (Vec::new(), Vec::new());
        for (reason, turn) in waiting {
            if reason.is_fresh() { fresh.push(turn) } else { background.push(turn) }
        }
        Self { fresh: Rank::of(fresh), background: Rank::of(background), before: 0 }
    }

    pub(super) fn insert(&mut self, reason: Reason, turn: Turn) {
        self.rank(reason).later.insert(turn);
    }

    pub(super) fn remove(&mut self, reason: Reason, turn: &Turn) {
        self.rank(reason).remove(turn);
    }

    /// Takes the next entry, if any is due by `now`.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Turn> {
        self.fresh.line_up(now);
        self.background.line_up(now);
        match (self.fresh.is_due(), self.background.is_due()) {
            (true, false) => self.fresh.take(),
            (true, true) if self.before < MOST_BEFORE => {
                self.before += 1;
                self.fresh.take()
            }
            (_, true) => {
                self.before = 0;
                self.background.take()
            }
            (false, false) => None,
        }
    }

    /// The earliest due time of all.
    pub(super) fn first_due(&self) -> Option<Timestamp> {
        self.fresh.first_due().into_iter().chain(self.background.first_due()).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.background.is_empty()
    }

    fn rank(&mut self, reason: Reason) -> &mut Rank {
        if reason.is_fresh() { &mut self.fresh } else { &mut self.background }
    }
}

/// The waiting entries of one priority.
#[derive(Debug, Default)]
struct Rank {
    /// Entries that were not due at the last check.
    later: BTreeSet<Turn>,
    /// Due entries, by the time of their request. An empty group is removed when its turn comes.
    lines: BTreeMap<Timestamp, BTreeSet<Turn>>,
    /// The order of the groups, each once.
    order: VecDeque<Timestamp>,
    /// How many are due.
    due: usize,
}

impl Rank {
    fn of(waiting: Vec<Turn>) -> Self {
        Self { later: waiting.into_iter().collect(), ..Self::default() }
    }

    /// Moves what has become due by `now` to the end of its group.
    fn line_up(&mut self, now: Timestamp) {
        while self.later.first().is_some_and(|turn| turn.due <= now) {
            let Some(turn) = self.later.pop_first() else { return };
            let line = self.lines.entry(turn.asked).or_insert_with_key(|asked| {
                self.order.push_back(*asked);
                BTreeSet::new()
            });
            self.due += usize::from(line.insert(turn));
        }
    }

    /// The first entry of the next group.
    fn take(&mut self) -> Option<Turn> {
        while let Some(asked) = self.order.pop_front() {
            let taken = self.lines.get_mut(&asked).and_then(BTreeSet::pop_first);
            if self.lines.get(&asked).is_none_or(BTreeSet::is_empty) {
                self.lines.remove(&asked);
            } else {
                self.order.push_back(asked);
            }
            if taken.is_some() {
                self.due -= 1;
                return taken;
            }
        }
        None
    }

    fn remove(&mut self, turn: &Turn) {
        let is_due = self.lines.get_mut(&turn.asked).is_some_and(|line| line.remove(turn));
        self.due -= usize::from(is_due);
        if !is_due {
            self.later.remove(turn);
        }
    }

    fn is_due(&self) -> bool {
        self.due > 0
    }

    fn is_empty(&self) -> bool {
        self.due == 0 && self.later.is_empty()
    }

    fn first_due(&self) -> Option<Timestamp> {
        let lines = self.lines.values().filter_map(BTreeSet::first);
        lines.chain(self.later.first()).map(|turn| turn.due).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn turn(asked: i64, due: i64, place: u64) -> Turn {
        let work_log = WorkLogUri::parse(&format!("http://x/work-logs/{place}")).unwrap();
        Turn { due: at(due), place, asked: at(asked), work_log }
    }

    #[test]
    fn what_came_later_waits_for_one_of_each_that_came_before_and_not_for_all_of_them() {
        let mut schedule = FairSchedule::default();
        for place in 0..100_000 {
            schedule.insert(Reason::Delta, turn(0, 1, place));
        }
        let mut next = || schedule.take(at(10)).unwrap().place;
        assert_eq!([next(), next()], [0, 1]);
        schedule.insert(Reason::Delta, turn(2, 3, 200_000));
        schedule.insert(Reason::Delta, turn(4, 5, 300_001));
        schedule.insert(Reason::Delta, turn(4, 5, 300_000));
        let mut next = || schedule.take(at(10)).unwrap().place;
        assert_eq!([next(), next(), next(), next(), next(), next()], [2, 200_000, 300_000, 3, 300_001, 4]);
    }

    #[test]
    fn of_eight_in_a_row_one_is_of_the_background() {
        let mut schedule = FairSchedule::default();
        for place in 0..20 {
            schedule.insert(Reason::Delta, turn(0, 1, place));
            schedule.insert(Reason::Sweep, turn(0, 1, 100 + place));
        }
        let taken: Vec<bool> = (0..16).map(|_| schedule.take(at(1)).unwrap().place >= 100).collect();
        let expected: Vec<bool> = (1..=16).map(|n| n % 8 == 0).collect();
        assert_eq!(taken, expected);
    }

    proptest! {
        /// For any sequence of changes: a taken entry is due and waiting, no due entry is passed over twice by the same
        /// group, and all entries are taken in the end.
        #[test]
        fn no_line_goes_twice_before_another_that_waits(
            steps in prop::collection::vec((0..4i64, 0..20i64, 0..3u8), 1..200),
        ) {
            let (mut schedule, mut waiting, mut now) = (FairSchedule::default(), BTreeSet::new(), 0);
            // By group: which others were taken while it was waiting for its turn.
            let mut passed: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
            for (place, (asked, due, step)) in (0..).zip(steps) {
                match step {
                    0 => {
                        let new = turn(asked, due, place);
                        schedule.insert(Reason::Delta, new.clone());
                        waiting.insert(new);
                    }
                    1 => {
                        if let Some(gone) = waiting.pop_last() {
                            schedule.remove(Reason::Delta, &gone);
                        }
                        now += 1;
                    }
                    _ => {
                        let taken = schedule.take(at(now));
                        prop_assert_eq!(taken.is_some(), waiting.iter().any(|turn| turn.due <= at(now)));
                        let Some(taken) = taken else { continue };
                        prop_assert!(taken.due <= at(now) && waiting.remove(&taken));
                        let line = taken.asked.as_second();
                        let earlier = waiting.iter().find(|turn| turn.asked == taken.asked);
                        prop_assert!(earlier.is_none_or(|turn| *turn > taken || turn.due > at(now)));
                        passed.remove(&line);
                        for other in 0..4 {
                            let waits = waiting.iter().any(|turn| turn.asked == at(other) && turn.due <= at(now));
                            if other == line { continue }
                            if !waits {
                                passed.remove(&other);
                            } else if !passed.entry(other).or_default().insert(line) {
                                return Err(TestCaseError::fail(format!("{line} went twice before {other}")));
                            }
                        }
                    }
                }
                prop_assert_eq!(schedule.first_due(), waiting.iter().map(|turn| turn.due).min());
                prop_assert_eq!(schedule.is_empty(), waiting.is_empty());
            }
        }
    }
}
