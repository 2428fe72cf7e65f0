//! A triplestore that shows changes late, like a lagging replica, to each reader in their order.
//!
//! The service sees its own writes immediately, as behind a database that sends a writer's reads to the leader.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::stand::Stand;
use crate::domain::WorkLogUri;
use crate::domain::work_log::Facts;

/// What is not visible yet.
pub(super) struct Lag {
    /// The longest that a change may take to show, in milliseconds; less than all looks of a delta take together.
    pub(super) most: u32,
    rng: ChaCha8Rng,
    /// Until when what stood there before still shows, the earliest first.
    old: BTreeMap<WorkLogUri, VecDeque<(i64, Facts)>>,
}

impl Lag {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(3);
        Self { most: 0, rng, old: BTreeMap::new() }
    }

    /// Somebody changes a work log, which said `before`.
    pub(super) fn changed(&mut self, work_log: &WorkLogUri, before: &Facts, now: i64) {
        if self.most == 0 {
            return;
        }
        let soon = self.rng.random_ratio(1, 2);
        let until = now + i64::from(self.rng.random_range(0..if soon { 300 } else { self.most }));
        let old = self.old.entry(work_log.clone()).or_default();
        let last = old.back().map_or(until, |(last, _)| *last);
        old.push_back((until.max(last), before.clone()));
    }

    /// The service has changed the link of a work log.
    pub(super) fn linked(&mut self, work_log: &WorkLogUri, write: impl Fn(&mut Facts)) {
        for (_, facts) in self.old.get_mut(work_log).into_iter().flatten() {
            // What is not there yet, or any more, cannot be linked.
            if *facts != Facts::none(facts.syntax) {
                write(facts);
            }
        }
    }

    /// What shows of a work log that is `stand` in truth.
    pub(super) fn shown<'a>(
        &'a self,
        work_log: &WorkLogUri,
        stand: Option<&'a Stand>,
        now: i64,
    ) -> Cow<'a, Facts> {
        let old = self.old.get(work_log).and_then(|old| old.iter().find(|(until, _)| *until > now));
        match (old, stand) {
            (Some((_, facts)), _) => Cow::Borrowed(facts),
            (None, Some(stand)) => Cow::Borrowed(&stand.facts),
            (None, None) => Cow::Owned(Facts::default()),
        }
    }
}
