//! What counts of several rounds: each may be slow when the machine is busy with something else.

use std::time::Duration;

use anyhow::Context;

/// Rounds of what was measured and its floor, one right after the other.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Vec<(Duration, Duration)>);

impl Rounds {
    /// Adds a round.
    pub(crate) fn add(&mut self, took: Duration, floor: Duration) {
        self.0.push((took, floor));
    }

    /// The round whose ratio is in the middle: what was measured, its floor, and the ratio.
    pub(crate) fn middle(mut self) -> anyhow::Result<(Duration, Duration, f64)> {
        let ratio = |(took, floor): &(Duration, Duration)| took.as_secs_f64() / floor.as_secs_f64();
        self.0.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        let middle = *self.0.get(self.0.len() / 2).context("no round was run")?;
        Ok((middle.0, middle.1, ratio(&middle)))
    }
}

/// The time in the middle; nothing of nothing.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
