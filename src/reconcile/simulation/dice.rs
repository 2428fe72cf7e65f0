//! Chance within the code under test, from the seed: a failing history must come again exactly.

use std::cell::RefCell;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

thread_local! {
    static DICE: RefCell<Option<ChaCha8Rng>> = const { RefCell::new(None) };
}

/// From now on, chance on this thread follows from `seed`.
pub(super) fn seed(seed: u64) {
    DICE.set(Some(ChaCha8Rng::seed_from_u64(seed)));
}

/// From 0 to 1; nothing on threads without a seed.
pub(crate) fn chance() -> Option<f64> {
    DICE.with_borrow_mut(|dice| dice.as_mut().map(Rng::random))
}
