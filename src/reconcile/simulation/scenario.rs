//! The parameters of a history, and its result.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::check::Found;
use super::counting::Counting;
use super::faults::Script;
use super::profile::Profile;
use super::restore::Restore;
use super::workload::Step;
use super::world::World;
use crate::domain::WorkLogUri;

/// What a history is made of.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) seed: u64,
    pub(super) profile: Profile,
    pub(super) work_logs: usize,
    pub(super) changes: usize,
    /// Calls that fail, in per cent, when the weather is bad.
    pub(super) faults: u32,
    /// Deltas that are lost, in per cent.
    pub(super) deltas_lost: u32,
    /// Changes that are followed by a kill -9, in per cent; one in so many loses the storage.
    pub(super) crashes: u32,
    pub(super) storage_lost: u32,
    /// Changes that are followed by a sweep, in per cent.
    pub(super) sweeps: u32,
    pub(super) sweep_at_start: bool,
    /// Changes of a work log that are links written by hand, in per cent.
    pub(super) links_by_hand: u32,
    pub(super) max_deletions: usize,
    pub(super) workers: usize,
    /// How Kimai counts and books.
    pub(super) counting: Counting,
    /// Changes of a work log that are exports of its timesheet in Kimai, in per cent; one in a dozen comes between a
    /// look and what follows it.
    pub(super) exports: u32,
    /// The longest that a change takes to show in the triplestore, in milliseconds.
    pub(super) lag: u32,
    /// Changes that are followed by a step of the machine's clock, in per cent.
    pub(super) clock_steps: u32,
    /// What is restored from an older backup in the middle of it.
    pub(super) restore: Option<Restore>,
    /// Trouble by plan instead of by weather.
    pub(super) script: Option<Script>,
    /// What people do by plan, beside what they do by chance.
    pub(super) acts: Vec<Act>,
    /// When the service is killed by plan, in milliseconds since the beginning.
    pub(super) kills: Vec<i64>,
}

/// A step that somebody takes at a certain time.
#[derive(Debug, Clone)]
pub(super) struct Act {
    /// Milliseconds since the beginning.
    pub(super) at: i64,
    pub(super) work_log: WorkLogUri,
    pub(super) step: Step,
    /// Whether deltas tell of it.
    pub(super) heard: bool,
}

impl Scenario {
    /// The one that belongs to `seed`: mostly small, since many small worlds meet more interleavings than
    /// one large one; each 100th is large.
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let large = seed.is_multiple_of(100);
        let mut one_of = |choices: &[u32]| choices[rng.random_range(0..choices.len())];
        Self {
            seed,
            profile: Profile::default(),
            work_logs: if large { 50 } else { one_of(&[2, 4, 8, 12]) as usize },
            changes: if large { 500 } else { one_of(&[15, 30, 60]) as usize },
            faults: one_of(&[0, 10, 30, 30]),
            deltas_lost: one_of(&[0, 0, 5, 20]),
            crashes: one_of(&[0, 2, 2, 6]),
            storage_lost: one_of(&[0, 0, 0, 3]),
            sweeps: one_of(&[0, 4, 16]),
            sweep_at_start: one_of(&[0, 1]) == 1,
            links_by_hand: one_of(&[0, 0, 0, 8]),
            max_deletions: one_of(&[0, 3, 20]) as usize,
            workers: one_of(&[1, 2, 4]) as usize,
            counting: {
                let (end, duration) = [(0, 0), (0, 0), (900, 0), (0, 900)][one_of(&[0, 1, 2, 3]) as usize];
                let (breaks_off, token_away) = (one_of(&[0, 0, 1]) == 1, one_of(&[0, 0, 1]) == 1);
                Counting { end, duration, breaks_off, token_away }
            },
            exports: one_of(&[0, 0, 10, 30]),
            lag: one_of(&[0, 0, 2_000, 30_000]),
            clock_steps: one_of(&[0, 0, 0, 4]),
            restore: None,
            script: None,
            acts: Vec::new(),
            kills: Vec::new(),
        }
    }

    /// The same with a tracker of this kind.
    pub(super) fn with(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    /// One in which nothing happens but `acts`, with all else that is left to chance as `seed` has it.
    pub(super) fn of_acts(seed: u64, acts: Vec<Act>) -> Self {
        Self {
            seed,
            profile: Profile::default(),
            work_logs: 0,
            changes: 0,
            faults: 0,
            deltas_lost: 0,
            crashes: 0,
            storage_lost: 0,
            sweeps: 0,
            sweep_at_start: false,
            links_by_hand: 0,
            exports: 0,
            lag: 0,
            max_deletions: 20,
            workers: 2,
            counting: Counting::default(),
            clock_steps: 0,
            restore: None,
            script: None,
            acts,
            kills: Vec::new(),
        }
    }
}

/// What came of it.
pub(super) struct Outcome {
    /// Rules that were broken; none is what we promise.
    pub(super) broken: Vec<String>,
    pub(super) world: Arc<World>,
    /// What the look before the last sweep found; the remnants of all looks.
    pub(super) before_sweep: Found,
    /// Whether one sweep was not enough.
    pub(super) second_sweep: u64,
}
