//! Computes the concurrency limit from completed requests. Pure: it never waits.
//!
//! It optimises throughput, not latency. With more concurrent requests, each may take longer while more are completed;
//! and if only a queue in front of Kimai grows, a longer queue costs nothing. So a limit is lowered only if a lower one
//! is proven to have a higher throughput.
//!
//! - A *window* is a number of completed requests while all permits were in use; its throughput is that number per
//!   time.
//! - A *probe* tries another limit. Windows at both limits alternate, and each window at the other limit is compared
//!   with those before and after it, so that a machine that is slow for a moment affects both. Gains and losses add up
//!   until they exceed the noise. After an abandoned probe the next one waits twice as long.
//! - If a third of a window's requests fail, the limit is halved, repeatedly if they go on. Once requests succeed
//!   again, it doubles with each round until it is where it was, or requests fail again.
//!
//! It starts low and doubles after each round until throughput drops clearly: see [`super::rise`]. It also rises while
//! the first response is slow, since the server may only be cold.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use super::probe::{Noise, Probe, Schedule, Verdict, Window, number};
use super::rise::{Best, Next, Rise, START};
use super::{Ended, How};

/// While the first answer is awaited, the limit rises by one each time that somebody waited so long.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);
/// The fewest answers of a window, and of one that tries a limit. Windows have whole rounds, in which each place
/// gives one answer: what is sent together may be answered together.
const WINDOW: usize = 12;
const TRIAL_WINDOW: usize = 8;
const ROUNDS: usize = 2;
/// So many failures of a window are trouble: this part of it, and no fewer than that.
const TROUBLED_PART: usize = 3;
const LEAST_TROUBLED: usize = 4;
/// After so many windows without trouble, new trouble has nothing to do with the last.
const CALM: u32 = 8;
/// Windows until the first probe upwards, or downwards, when nothing is known.
const REST_UP: u32 = 4;
const REST_DOWN: u32 = 6;
/// Throughput this much lower than usual, as a logarithm, so many times in a row: do fewer requests help?
const SLUMP: f64 = 0.4;
const SLUMPS: u32 = 3;
/// How much what is usual follows each window, and the latency each answer.
const USUAL_FOLLOWS: f64 = 1.0 / 8.0;
const LATENCY_FOLLOWS: f64 = 1.0 / 16.0;

/// The limit, and what it follows from.
#[derive(Debug)]
pub(super) struct Controller {
    bounds: RangeInclusive<usize>,
    limit: usize,
    start: Start,
    window: Window,
    /// When the limit changed: what was sent before says nothing about this one.
    changed: Option<Instant>,
    /// When the last request ended, and whether all places were taken until then.
    ended_at: Option<Instant>,
    saturated: bool,
    probe: Option<Probe>,
    more: Schedule,
    fewer: Schedule,
    recovery: Option<Recovery>,
    /// Windows since the last trouble.
    calm: u32,
    /// Throughput of the last window at this limit, and the usual one, as logarithms.
    last: Option<f64>,
    usual: Option<f64>,
    /// How many windows in a row were far below it.
    slumps: u32,
    noise: Noise,
    /// Logarithm of the seconds that an answer takes.
    latency: Option<f64>,
}

/// Whether anything is known of Kimai.
#[derive(Debug, Clone, Copy)]
enum Start {
    Idle,
    /// Requests are under way; the limit rose then for the last time.
    Waiting(Instant),
    /// Answers come; the limit doubles.
    Rising(Rise),
    Over,
}

/// After trouble.
#[derive(Debug, Clone, Copy)]
struct Recovery {
    /// The limit to come back to.
    goal: usize,
    /// Whether requests are answered again.
    climbing: bool,
}

impl Controller {
    pub(super) fn new(bounds: RangeInclusive<usize>) -> Self {
        Self {
            limit: START.clamp(*bounds.start(), *bounds.end()),
            bounds,
            start: Start::Idle,
            window: Window::default(),
            changed: None,
            ended_at: None,
            saturated: false,
            probe: None,
            more: Schedule::new(0, REST_UP).bold(2),
            fewer: Schedule::new(2, REST_DOWN).bold(1),
            recovery: None,
            calm: CALM,
            last: None,
            usual: None,
            slumps: 0,
            noise: Noise::default(),
            latency: None,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// See [`super::AdaptiveLimiter::answers_within`].
    pub(super) fn answers_within(&self, time: Duration) -> Option<usize> {
        let answers = number(self.limit) * time.as_secs_f64() / self.latency?.exp();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and bounded")]
        Some(answers.round().min(1e6) as usize)
    }

    /// A request waits for a place. Whether it is to say so again after [`PATIENCE`], with [`Controller::waited`].
    pub(super) fn waits(&mut self, at: Instant) -> bool {
        if matches!(self.start, Start::Idle) {
            self.start = Start::Waiting(at);
        }
        matches!(self.start, Start::Waiting(_))
    }

    /// A request has waited so long.
    pub(super) fn waited(&mut self, at: Instant) {
        if let Start::Waiting(since) = self.start
            && at.duration_since(since) >= PATIENCE
            && self.limit < *self.bounds.end()
        {
            self.start = Start::Waiting(at);
            self.set(self.limit + 1);
            self.changed = Some(at);
        }
    }

    /// A request has ended.
    pub(super) fn ended(&mut self, Ended { how, took, at, saturated }: Ended) {
        let sent = at.checked_sub(took).unwrap_or(at);
        let since = if let Start::Idle | Start::Waiting(_) = self.start {
            self.start = Start::Rising(Rise::default());
            Some(sent).filter(|_| saturated)
        } else {
            self.ended_at.filter(|_| self.saturated && saturated)
        };
        (self.ended_at, self.saturated) = (Some(at), saturated);
        if how == How::Answered {
            let seconds = took.as_secs_f64().max(0.000_1).ln();
            self.latency =
                Some(self.latency.map_or(seconds, |usual| follow(usual, seconds, LATENCY_FOLLOWS)));
        }
        if self.changed.is_some_and(|changed| sent < changed) {
            return;
        }
        self.window.ended += 1;
        self.window.troubled += usize::from(how == How::Troubled);
        if let Some(since) = since {
            self.window.time += at.duration_since(since);
            if how != How::Troubled {
                self.window.answers += 1;
                self.window.took += took;
            }
        }
        if self.window.troubled >= (self.window_size() / TROUBLED_PART).max(LEAST_TROUBLED) {
            self.trouble();
        } else if self.recovery.is_some() {
            self.recover();
        } else if let Start::Rising(rise) = self.start {
            self.rise(rise);
        } else if self.window.answers >= self.window_size() || self.is_lost() {
            let throughput = std::mem::take(&mut self.window).throughput();
            self.judge(throughput);
        }
    }

    fn window_size(&self) -> usize {
        if self.recovery.is_some() {
            return self.limit.max(LEAST_TROUBLED);
        }
        let trying = self.probe.map_or(self.usual.is_none(), |probe| probe.is_trying());
        let fewest = if trying { TRIAL_WINDOW } else { WINDOW };
        self.limit * ROUNDS.max(fewest.div_ceil(self.limit))
    }

    /// Whether a probe has lost clearly after one round.
    fn is_lost(&self) -> bool {
        let Window { answers, .. } = self.window;
        answers >= TRIAL_WINDOW / 2
            && answers.is_multiple_of(self.limit)
            && self.probe.is_some_and(|probe| probe.is_lost(self.window.throughput(), &self.noise))
    }

    /// A request of the first rounds has ended.
    fn rise(&mut self, mut rise: Rise) {
        let next = rise.judge(self.limit, self.limit >= *self.bounds.end(), &self.window);
        self.start = Start::Rising(rise);
        match next {
            Next::Wait => {}
            Next::Repeat => self.window = Window::default(),
            Next::Double => self.set(self.limit * 2),
            Next::Top { proportional } => {
                self.start = Start::Over;
                self.set(self.limit);
                // With little gained, it may be past the best one.
                self.fewer = if proportional { Schedule::new(4, REST_DOWN) } else { Schedule::new(0, 4) };
            }
            Next::TooMany(Best { limit, throughput, proportional }) => {
                self.start = Start::Over;
                self.set(limit);
                self.more = Schedule::new(2, 2 * REST_UP).bold(1);
                self.fewer = if proportional {
                    Schedule::new(REST_DOWN, REST_DOWN).bold(1)
                } else {
                    Schedule::new(0, REST_DOWN)
                };
                if limit <= START {
                    // Nothing shows that the first limit was not too high itself.
                    self.more.wait(3);
                    self.probe(limit / 2, true, throughput);
                }
            }
        }
    }

    /// Many requests failed.
    fn trouble(&mut self) {
        let calm = std::mem::take(&mut self.calm);
        if let Start::Rising(rise) = self.start
            && let Some(Best { limit, .. }) = rise.best()
            && self.recovery.is_none()
        {
            self.start = Start::Over;
            self.more.given_up();
            return self.set(limit);
        }
        let probe = self.probe.take();
        if let Some(Probe { before, .. }) = probe.filter(Probe::is_up)
            && self.limit > before
        {
            self.more.given_up();
            return self.set(before);
        }
        let goal = match self.recovery {
            // An outage: the limit has nothing to do with it.
            Some(Recovery { goal, climbing: false }) => goal,
            None if calm >= CALM => probe.map_or(self.limit, |probe| probe.before),
            // It was too much once more.
            _ => self.limit * 3 / 4,
        };
        self.recovery = Some(Recovery { goal: goal.max(*self.bounds.start()), climbing: false });
        self.set(self.limit / 2);
    }

    /// Doubles the limit after each round without trouble.
    fn recover(&mut self) {
        let Some(Recovery { goal, .. }) = self.recovery else { return };
        if self.window.ended < self.window_size() {
            return;
        }
        if self.limit < goal {
            self.recovery = Some(Recovery { goal, climbing: true });
            self.set((self.limit * 2).min(goal));
        } else {
            self.recovery = None;
            self.more = Schedule::new(REST_UP, REST_UP).bold(2);
            self.fewer = Schedule::new(REST_DOWN, REST_DOWN);
            self.forget();
        }
        // What was sent before tells as well whether Kimai answers.
        (self.window, self.changed) = (Window::default(), None);
    }

    /// A window is full.
    fn judge(&mut self, throughput: f64) {
        self.calm = self.calm.saturating_add(1);
        let Some(mut probe) = self.probe.take() else { return self.rest(throughput) };
        let trying = probe.is_trying();
        let verdict = if trying {
            probe.tried(throughput, &self.noise)
        } else {
            self.last = Some(throughput);
            probe.compare(throughput, &mut self.noise)
        };
        match verdict {
            Verdict::Stays => {
                self.set(probe.other);
                self.stays(probe);
                if trying && probe.is_up() {
                    // As long as it pays.
                    self.rest(throughput);
                }
            }
            Verdict::GivenUp => {
                self.set(probe.before);
                self.given_up(probe);
            }
            Verdict::Open => {
                self.probe = Some(probe);
                self.set(if trying { probe.before } else { probe.other });
            }
        }
    }

    /// A window without any probe.
    fn rest(&mut self, throughput: f64) {
        let usual = self.usual.unwrap_or(throughput);
        let slump = throughput < usual - SLUMP.max(self.noise.verdict());
        self.slumps = if slump { self.slumps + 1 } else { 0 };
        self.usual = Some(follow(usual, throughput, USUAL_FOLLOWS));
        if self.slumps >= SLUMPS {
            (self.slumps, self.usual) = (0, Some(throughput));
            self.fewer = Schedule::new(0, REST_DOWN).bold(1);
        }
        if let Some(last) = self.last.replace(throughput) {
            self.noise.add(throughput - last);
        }
        self.more.pass();
        self.fewer.pass();
        let part = |part: usize| (self.limit / part).max(1);
        if self.more.is_due() && self.limit < *self.bounds.end() {
            let (bold, step) = (self.more.is_bold(), if self.more.is_bold() { part(2) } else { part(3) });
            self.probe(self.limit + step, bold, throughput);
        } else if self.fewer.is_due() {
            let (bold, step) = (self.fewer.is_bold(), if self.fewer.is_bold() { part(2) } else { part(4) });
            self.probe(self.limit - step, bold, throughput);
        }
    }

    fn probe(&mut self, other: usize, bold: bool, throughput: f64) {
        let other = other.clamp(*self.bounds.start(), *self.bounds.end());
        if other != self.limit {
            self.probe = Some(Probe::new(self.limit, other, bold, throughput));
            self.set(other);
        }
    }

    /// The other limit stays; the next probe goes on that way.
    fn stays(&mut self, probe: Probe) {
        self.forget();
        if probe.is_up() {
            self.more = Schedule::new(0, REST_UP).bold(2);
            // With little gained, it may be past the best one.
            self.fewer = Schedule::new(if probe.is_proportional() { REST_DOWN } else { 1 }, REST_DOWN);
        } else {
            self.fewer = Schedule::new(0, REST_DOWN).bold(1);
            self.more = Schedule::new(2 * REST_UP, 4 * REST_UP).bold(1);
        }
    }

    fn given_up(&mut self, probe: Probe) {
        if probe.is_up() {
            self.more.given_up();
        } else if probe.is_proportional() {
            self.fewer.settled();
        } else if self.fewer.is_bold() {
            // Half was too few: a smaller step soon.
            self.fewer = Schedule::new(2, 4);
        } else {
            self.fewer.given_up();
        }
    }

    /// What is known of another limit does not hold.
    fn forget(&mut self) {
        (self.last, self.usual, self.slumps) = (None, None, 0);
    }

    fn set(&mut self, limit: usize) {
        let limit = limit.clamp(*self.bounds.start(), *self.bounds.end());
        self.window = Window::default();
        if limit != self.limit {
            self.changed = self.ended_at;
            self.limit = limit;
        }
    }
}

fn follow(usual: f64, value: f64, part: f64) -> f64 {
    usual + (value - usual) * part
}

#[cfg(test)]
mod tests;
