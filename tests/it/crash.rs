//! The real program, killed: at each named point, by kill -9 at random, and stopped under load. Whatever
//! was answered must be honoured, and in the end each work log has one timesheet.
//!
//! `KIMAI_SYNC_KILLS=1000` (kills at each point), `KIMAI_SYNC_STOPS=200` and
//! `KIMAI_SYNC_SOAK_SECONDS=1800` are the sizes of a release. `KIMAI_SYNC_SEED=7` plays the one history
//! again that a failure names.

mod company;
mod leftovers;
mod life;
// A release build has no crash points.
#[cfg(debug_assertions)]
mod points;
mod soak;
mod start;
mod stops;

mod trial;
mod world;

use std::time::{Duration, Instant};

/// Longer than anything takes that works, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(1);

/// A number from the environment.
#[expect(clippy::disallowed_methods, reason = "the size of a test is no setting of the service")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")))
}

/// The seeds to play: the one that is asked for, or `histories` from 0 on.
fn seeds(histories: u64) -> Vec<u64> {
    number("KIMAI_SYNC_SEED").map_or_else(|| (0..histories).collect(), |seed| vec![seed])
}

/// Looks again and again until `found` gives something, but no longer than `patience`.
async fn until<T>(patience: Duration, mut found: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = found().await {
            return Some(found);
        }
        if started.elapsed() > patience {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
