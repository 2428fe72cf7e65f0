//! Randomness for the code under test, from the seed, so that a failing history can be repeated exactly.

use std::cell::RefCell;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

thread_local! {
    static RNG: RefCell<Option<ChaCha8Rng>> = const { RefCell::new(None) };
}

/// From now on, chance on this thread follows from `seed`.
pub(super) fn seed(seed: u64) {
    RNG.set(Some(ChaCha8Rng::seed_from_u64(seed)));
}

/// From 0 to 1; nothing on threads without a seed.
pub(crate) fn chance() -> Option<f64> {
    RNG.with_borrow_mut(|rng| rng.as_mut().map(Rng::random))
}

/// Lets time pass where a disk would, so that the process can die there.
pub(crate) async fn hesitate() {
    let draw = RNG.with_borrow_mut(|rng| rng.as_mut().map(|rng| rng.random_range(0..4)));
    if let Some(milliseconds) = draw.filter(|milliseconds| *milliseconds > 0) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}
