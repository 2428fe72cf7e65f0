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

use crate::kimai::{Fault, KimaiFault, Operation};

/// The fewest answers of a window, and of one at the start.
const WINDOW: usize = 8;
const FIRST_WINDOW: usize = 4;
/// Of what more requests could get done more, so much has to be.
const MORE: Direction = Direction { share: 0.4, first_rest: 2, rest: 0, next_rest: 2 };
/// Of what fewer could get done less, no more may be.
const FEWER: Direction = Direction { share: 0.25, first_rest: 16, rest: 16, next_rest: 16 };
/// The longest rest of a direction that did not stay, in windows.
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

impl How {
    /// How a request with this answer ended.
    pub fn of<T>(answer: &Result<T, KimaiFault>) -> Self {
        match answer.as_ref().map_err(|fault| &fault.fault) {
            Ok(_) => Self::Answered,
            Err(Fault::Transient | Fault::Limited(_) | Fault::Ambiguous) => Self::Troubled,
            Err(Fault::Permanent | Fault::Gone | Fault::Unauthorised) => Self::Refused,
        }
    }
}

/// The limit, and what it follows from.
#[derive(Debug)]
pub(super) struct Course {
    bounds: RangeInclusive<usize>,
    limit: usize,
    /// Until the first one that does not stay, a higher limit is twice as high.
    starting: bool,
    /// By operation.
    kinds: [Kind; Operation::ALL.len()],
    window: Window,
    /// Answers still to come to what was sent under another limit: they say nothing about this one.
    left_over: usize,
    /// What the present limit gets done.
    done: Option<Done>,
    trial: Option<Trial>,
    more: Direction,
    fewer: Direction,
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

/// Whereto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    More,
    Fewer,
}

/// When it is tried, and when what was tried stays.
#[derive(Debug, Clone, Copy)]
struct Direction {
    share: f64,
    /// The rest after the first try that has not stayed.
    first_rest: u32,
    /// Windows until the next try.
    rest: u32,
    /// The rest after the next try that has not stayed.
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
            kinds: [Kind::default(); Operation::ALL.len()],
            window: Window::default(),
            left_over: 0,
            done: None,
            trial: None,
            more: MORE,
            fewer: FEWER,
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
        // A list takes what it has to list.
        let kind = self.kinds.get_mut(operation as usize).filter(|_| operation != Operation::Read);
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
        for direction in [&mut self.more, &mut self.fewer] {
            direction.rest = direction.rest.max(direction.first_rest);
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
        let to = if self.limit > before { To::More } else { To::Fewer };
        let (this, other) = match to {
            To::More => (&mut self.more, &mut self.fewer),
            To::Fewer => (&mut self.fewer, &mut self.more),
        };
        let wanted = done + (1.0 + this.share * (number(self.limit) / number(before) - 1.0)).ln();
        if rate >= wanted {
            this.next_rest = this.first_rest;
            other.rest = other.rest.max(MORE.first_rest);
            self.done = Some(Done { rate, windows: 1.0 });
            // As long as it pays.
            if to == To::Fewer || self.starting {
                self.attempt(to);
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
        for direction in [&mut self.more, &mut self.fewer] {
            direction.rest = direction.rest.saturating_sub(1);
        }
        if self.more.rest == 0 && self.limit < *self.bounds.end() {
            self.attempt(To::More);
        } else if self.fewer.rest == 0 {
            self.attempt(To::Fewer);
        }
    }

    fn attempt(&mut self, to: To) {
        let step = (self.limit / 4).max(1);
        self.attempt_limit(match to {
            To::More if self.starting => self.limit * 2,
            To::More => self.limit + step,
            To::Fewer => self.limit - step,
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
