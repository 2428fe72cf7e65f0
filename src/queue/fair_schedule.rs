//! Whose turn it is: what waits, in two ranks.
//!
//! What is fresh goes before what only a sweep, an import or a day brought up; but of eight leases in a row one is of
//! the background, if one is due. Within a rank, what was asked for at one time takes turns with what was asked for at
//! others: a delta that names a hundred thousand work logs does not keep one that came later waiting.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;

use super::entry::Reason;
use crate::domain::WorkLogUri;

/// How many fresh entries may go before one of the background that is due.
const MOST_BEFORE: u32 = 7;

/// An entry that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    /// When it is due.
    pub(super) due: Timestamp,
    /// Its place among those due at the same time.
    pub(super) place: u64,
    /// When it was asked for: all that one delta named have the same.
    pub(super) asked: Timestamp,
    /// The entry.
    pub(super) work_log: WorkLogUri,
}

/// What waits. Every step costs the logarithm of its number.
#[derive(Debug, Default)]
pub(super) struct FairSchedule {
    fresh: Rank,
    background: Rank,
    /// How many fresh ones went before one of the background that was due, since the last one of those.
    before: u32,
}

impl FairSchedule {
    /// All at once: much quicker than one after the other.
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

    /// Takes the one whose turn it is, if any is due by `now`.
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

/// What waits in one rank.
#[derive(Debug, Default)]
struct Rank {
    /// Not due yet when it was last looked.
    later: BTreeSet<Turn>,
    /// Due, by when it was asked for. One that has become empty goes when its turn comes.
    lines: BTreeMap<Timestamp, BTreeSet<Turn>>,
    /// Whose turn it is among these, each once.
    order: VecDeque<Timestamp>,
    /// How many are due.
    due: usize,
}

impl Rank {
    fn of(waiting: Vec<Turn>) -> Self {
        Self { later: waiting.into_iter().collect(), ..Self::default() }
    }

    /// What has become due by `now` gets in line behind what was asked for together with it.
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

    /// The first of the line whose turn it is.
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
        /// Whatever comes and goes: what is taken is due and waits, nothing that is due is passed over by the same
        /// line twice, and all is taken in the end.
        #[test]
        fn no_line_goes_twice_before_another_that_waits(
            steps in prop::collection::vec((0..4i64, 0..20i64, 0..3u8), 1..200),
        ) {
            let (mut schedule, mut waiting, mut now) = (FairSchedule::default(), BTreeSet::new(), 0);
            // By line: which others have gone since it has waited without having had its turn.
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
