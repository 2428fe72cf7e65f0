//! What the pace follows, without any waiting: answers in, a limit out.
//!
//! Answers are taken together in windows; `limit / time of an answer` is what a window got done. Now and then
//! the next one tries a higher or a lower limit: a higher one stays if it gets enough more done, a lower one if
//! it gets hardly less done. What did not stay is tried again later each time. When answers take twice as long
//! all of a sudden, half as many are tried at once; when Kimai fails or asks for a pause, half as many are sent.
//!
//! Times are compared by their logarithms: a single answer that hangs says little.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::kimai::Operation;

/// The fewest answers of a window, and of one at the start.
const WINDOW: usize = 8;
const FIRST_WINDOW: usize = 4;
/// Up: of what more requests could get done more, so much has to be. Down: of what fewer could get done less, no
/// more may be.
const SHARE: [f64; 2] = [0.4, 0.25];
/// The rest of a direction that did not stay, in windows: the first one, and the longest.
const REST: [u32; 2] = [2, 16];
const LONGEST_REST: u32 = 64;
/// The windows that the present limit is judged by.
const REMEMBERED: f64 = 8.0;
/// What is usual for an operation follows each window by so much.
const AGEING: f64 = 1.0 / 64.0;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With an answer that took Kimai some work.
    Answered,
    /// With one that says nothing about what Kimai bears: a refusal, or that there is no such thing.
    Refused,
    /// Kimai failed, was not there in time, or asked for a pause.
    Troubled,
}

/// The limit, and what it follows from.
#[derive(Debug)]
pub(super) struct Course {
    bounds: RangeInclusive<usize>,
    limit: usize,
    /// Until the first one that does not stay, a higher limit is twice as high.
    starting: bool,
    kinds: [Kind; 4],
    window: Window,
    /// Answers still to come to what was sent under another limit: they say nothing about this one.
    left_over: usize,
    /// What the present limit gets done.
    done: Option<Done>,
    trial: Option<Trial>,
    /// Up and down.
    directions: [Direction; 2],
    /// Seconds of a usual answer in the last window.
    usual: Option<f64>,
}

/// Logarithm of the answers a second, beside what is usual for their operations, over so many windows.
#[derive(Debug, Clone, Copy)]
struct Done {
    rate: f64,
    windows: f64,
}

/// The present window tries another limit.
#[derive(Debug, Clone, Copy)]
struct Trial {
    before: usize,
    done: f64,
}

const UP: usize = 0;
const DOWN: usize = 1;

/// Windows until this direction is tried, and the rest after it has not stayed.
#[derive(Debug, Clone, Copy)]
struct Direction {
    rest: u32,
    next_rest: u32,
}

/// Creations, updates, deletions and looks take times of their own: logarithms of seconds.
#[derive(Debug, Default, Clone, Copy)]
struct Kind {
    usual: Option<f64>,
    sum: f64,
    count: u32,
}

#[derive(Debug, Default)]
struct Window {
    ended: usize,
    /// Of these, with as many under way as may be.
    crowded: usize,
    troubled: bool,
}

impl Course {
    /// It begins with the fewest: what an answer takes when nothing else is asked has to be seen once.
    pub(super) fn new(bounds: RangeInclusive<usize>) -> Self {
        let limit = *bounds.start();
        Self {
            bounds,
            limit,
            starting: true,
            kinds: [Kind::default(); 4],
            window: Window::default(),
            left_over: 0,
            done: None,
            trial: None,
            directions: [
                Direction { rest: 0, next_rest: REST[UP] },
                Direction { rest: REST[DOWN], next_rest: REST[DOWN] },
            ],
            usual: None,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// See [`super::Pace::answers_within`].
    pub(super) fn answers_within(&self, time: Duration) -> Option<usize> {
        let answers = number(self.limit) * time.as_secs_f64() / self.usual?.max(0.000_1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and bounded")]
        Some(answers.round().min(1e6) as usize)
    }

    /// A request ended. `crowded` says whether as many were under way as may be.
    pub(super) fn ended(&mut self, operation: Operation, how: How, took: Duration, crowded: bool) {
        if how != How::Troubled && self.left_over > 0 {
            self.left_over -= 1;
            return;
        }
        self.window.ended += 1;
        self.window.crowded += usize::from(crowded);
        let kind = match operation {
            Operation::Create => self.kinds.first_mut(),
            Operation::Update => self.kinds.get_mut(1),
            Operation::Delete => self.kinds.get_mut(2),
            Operation::Look => self.kinds.get_mut(3),
            // A list takes what it has to list.
            Operation::Read => None,
        };
        match (how, kind) {
            (How::Troubled, _) if !self.window.troubled => self.trouble(),
            (How::Answered, Some(kind)) => {
                kind.sum += took.as_secs_f64().max(0.000_001).ln();
                kind.count += 1;
            }
            _ => {}
        }
        let (fewest, times) = if self.starting { (FIRST_WINDOW, 1) } else { (WINDOW, 2) };
        if self.window.ended >= fewest.max(times * self.limit) {
            self.close_window();
        }
    }

    fn trouble(&mut self) {
        self.window = Window { troubled: true, ..Window::default() };
        (self.trial, self.done, self.starting) = (None, None, false);
        self.set((self.limit / 2).max(*self.bounds.start()));
        for (direction, rest) in self.directions.iter_mut().zip(REST) {
            direction.rest = direction.rest.max(rest);
        }
    }

    fn close_window(&mut self) {
        let Window { ended, crowded, troubled } = std::mem::take(&mut self.window);
        let slower = self.slower();
        // When there was not enough to send, it says nothing about the limit.
        let Some(slower) = slower.filter(|_| !troubled && 2 * crowded >= ended) else { return };
        let rate = number(self.limit).ln() - slower;
        match self.trial.take() {
            Some(trial) => self.judge(trial, rate),
            None => self.go_on(rate),
        }
    }

    /// Whether the limit that was tried stays.
    fn judge(&mut self, Trial { before, done }: Trial, rate: f64) {
        let direction = if self.limit > before { UP } else { DOWN };
        let share = if direction == UP { SHARE[UP] } else { SHARE[DOWN] };
        let wanted = done + (1.0 + share * (number(self.limit) / number(before) - 1.0)).ln();
        let [up, down] = &mut self.directions;
        let (this, other) = if direction == UP { (up, down) } else { (down, up) };
        let first_rest = if direction == UP { REST[UP] } else { REST[DOWN] };
        if rate >= wanted {
            this.next_rest = first_rest;
            other.rest = other.rest.max(REST[UP]);
            self.done = Some(Done { rate, windows: 1.0 });
            // As long as it pays.
            if direction == DOWN || self.starting {
                self.attempt(direction);
            }
        } else {
            self.starting = false;
            this.rest = this.next_rest;
            this.next_rest = (this.next_rest * 2).min(LONGEST_REST);
            self.set(before);
            self.done = Some(Done { rate: done, windows: 1.0 });
        }
    }

    fn go_on(&mut self, rate: f64) {
        let Some(Done { rate: before, windows }) = self.done else {
            self.done = Some(Done { rate, windows: 1.0 });
            return self.attempt_when_rested();
        };
        if rate < before - 2_f64.ln() && self.limit > *self.bounds.start() {
            self.starting = false;
            self.done = Some(Done { rate, windows: 1.0 });
            return self.attempt_limit(self.limit / 2);
        }
        let windows = (windows + 1.0).min(REMEMBERED);
        self.done = Some(Done { rate: before + (rate - before) / windows, windows });
        self.attempt_when_rested();
    }

    fn attempt_when_rested(&mut self) {
        for direction in &mut self.directions {
            direction.rest = direction.rest.saturating_sub(1);
        }
        let [up, down] = self.directions;
        if up.rest == 0 && self.limit < *self.bounds.end() {
            self.attempt(UP);
        } else if down.rest == 0 {
            self.attempt(DOWN);
        }
    }

    fn attempt(&mut self, direction: usize) {
        let step = (self.limit / 4).max(1);
        self.attempt_limit(match direction {
            UP if self.starting => self.limit * 2,
            UP => self.limit + step,
            _ => self.limit - step,
        });
    }

    fn attempt_limit(&mut self, limit: usize) {
        let limit = limit.min(*self.bounds.end()).max(*self.bounds.start());
        if limit == self.limit {
            self.starting = false;
        } else if let Some(Done { rate, .. }) = self.done {
            self.trial = Some(Trial { before: self.limit, done: rate });
            self.set(limit);
        }
    }

    fn set(&mut self, limit: usize) {
        self.left_over = if limit == self.limit { 0 } else { self.limit };
        self.limit = limit;
    }

    /// By how much longer than usual the answers of this window took, as a logarithm; none without any.
    fn slower(&mut self) -> Option<f64> {
        let (mut slower, mut sum, mut count) = (0.0, 0.0, 0.0);
        for kind in self.kinds.iter_mut().filter(|kind| kind.count > 0) {
            let number = f64::from(kind.count);
            let mean = kind.sum / number;
            let usual = kind.usual.unwrap_or(mean);
            slower += number * (mean - usual);
            sum += kind.sum;
            count += number;
            *kind = Kind { usual: Some(usual + (mean - usual) * AGEING), ..Kind::default() };
        }
        if count > 0.0 {
            self.usual = Some((sum / count).exp());
            return Some(slower / count);
        }
        None
    }
}

#[expect(clippy::cast_precision_loss, reason = "no more than the bounds of a setting")]
fn number(limit: usize) -> f64 {
    limit as f64
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
