//! The initial rise of the limit: it doubles after each round, until more concurrent requests lower the throughput.

use super::probe::{Window, number};

/// Where the limit starts, within its bounds, and the answers after which it doubles for the first time.
pub(super) const START: usize = 2;
const FIRST_ROUND: usize = 4;
/// A first round shows less than the worst: no queue has built up yet. One that is not this much better than the
/// best so far, as a logarithm, is followed by a second one, of so many answers at least.
const CLEAR_GAIN: f64 = 0.3;
const SECOND_ROUND: usize = 8;
/// Too many, when so much is lost; and at the highest limit, where a longer round tells more.
const CLEAR_LOSS: f64 = 0.35;
const LOSS_AT_TOP: f64 = 0.15;
/// When throughput follows the limit by this part, each place was of use.
const PROPORTIONAL: f64 = 0.5;

/// The rounds so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rise {
    best: Option<Best>,
    /// The answers that the second round of this limit needs, while it lasts.
    second: Option<usize>,
}

/// The limit that got the most done so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Best {
    pub(super) limit: usize,
    /// As a logarithm.
    pub(super) throughput: f64,
    /// Whether it got more done than the one before, about as much as it was higher.
    pub(super) proportional: bool,
}

/// What follows from a round.
#[derive(Debug, Clone, Copy)]
pub(super) enum Next {
    /// It is not over.
    Wait,
    /// Another one at this limit.
    Repeat,
    Double,
    /// The highest limit is reached; whether that got more done.
    Top {
        proportional: bool,
    },
    /// This one was the best: more get less done.
    TooMany(Best),
}

impl Rise {
    /// The best limit so far.
    pub(super) fn best(&self) -> Option<Best> {
        self.best
    }

    /// Judges the answers so far at this limit, which may be the highest.
    pub(super) fn judge(&mut self, limit: usize, top: bool, window: &Window) -> Next {
        let enough = self.second.unwrap_or_else(|| limit.max(if top { 0 } else { FIRST_ROUND }));
        if window.answers < enough {
            return Next::Wait;
        }
        let throughput = window.throughput_by_latency(limit);
        let second = self.second.take().is_some();
        let mut proportional = false;
        if let Some(best) = self.best {
            let gained = throughput - best.throughput;
            proportional = gained >= PROPORTIONAL * (number(limit) / number(best.limit)).ln();
            if gained < -CLEAR_LOSS || (second && top && gained < -LOSS_AT_TOP) {
                return Next::TooMany(best);
            }
            if !second && (top || gained < CLEAR_GAIN) {
                let clear = gained >= CLEAR_GAIN;
                self.second = Some(if clear { limit * 2 } else { limit.max(SECOND_ROUND) });
                return Next::Repeat;
            }
        }
        if top {
            return Next::Top { proportional };
        }
        if self.best.is_none_or(|best| best.throughput <= throughput) {
            self.best = Some(Best { limit, throughput, proportional });
        }
        Next::Double
    }
}
