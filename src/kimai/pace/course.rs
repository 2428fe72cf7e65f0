//! What the pace follows, without any waiting: answers in, a limit out.
//!
//! Answers are taken together in windows. The time of a window, set beside the shortest of any, tells how many
//! requests wait at Kimai for one another (as in TCP Vegas). While next to none do, there may be one more;
//! when several do, there are fewer. A raise that had to be taken back is tried again later each time. When
//! Kimai fails or asks for a pause, half as many are sent.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::kimai::Operation;

/// The fewest answers of a window, and of one at the start.
const WINDOW: usize = 8;
const FIRST_WINDOW: usize = 4;
/// Requests that wait for one another: with fewer there may be more, with more there are fewer.
const TOO_FEW: f64 = 0.5;
const TOO_MANY: f64 = 1.2;
/// Seconds that count for nothing: what a network or a busy machine adds.
const SLACK: f64 = 0.005;
/// The longest rest after a raise that had to be taken back, in windows.
const LONGEST_REST: u32 = 64;
/// The rest after a failure, in windows.
const REST_AFTER_TROUBLE: u32 = 2;
/// What a Kimai that has become slower for good moves the shortest time by, in each window.
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

/// The limit, and what it follows from. Times in seconds.
#[derive(Debug)]
pub(super) struct Course {
    bounds: RangeInclusive<usize>,
    limit: usize,
    /// Until the first resistance, a raise doubles.
    starting: bool,
    operations: [Kind; 4],
    window: Window,
    /// Windows until the next raise.
    rest: u32,
    /// The rest after the next raise that has to be taken back.
    next_rest: u32,
    /// The limit before the last window ended with a raise.
    before: Option<usize>,
    /// The mean time of an answer in the last window.
    mean: Option<f64>,
}

/// Creations, updates, deletions and looks take times of their own.
#[derive(Debug, Default, Clone, Copy)]
struct Kind {
    /// The shortest mean of a window.
    least: Option<f64>,
    sum: f64,
    count: u32,
}

#[derive(Debug, Default)]
struct Window {
    ended: usize,
    /// Whether ever as many were under way as may be.
    crowded: bool,
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
            operations: [Kind::default(); 4],
            window: Window::default(),
            rest: 0,
            next_rest: 1,
            before: None,
            mean: None,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// See [`super::Pace::answers_within`].
    pub(super) fn answers_within(&self, time: Duration) -> Option<usize> {
        let each = self.mean?.max(0.000_1);
        #[expect(clippy::cast_precision_loss, reason = "no more than the bounds of a setting")]
        let answers = self.limit as f64 * time.as_secs_f64() / each;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and bounded")]
        Some(answers.min(1e6) as usize)
    }

    /// A request ended. `crowded` says whether as many were under way as may be.
    pub(super) fn ended(&mut self, operation: Operation, how: How, took: Duration, crowded: bool) {
        self.window.ended += 1;
        self.window.crowded |= crowded;
        let kind = match operation {
            Operation::Create => 0,
            Operation::Update => 1,
            Operation::Delete => 2,
            Operation::Look => 3,
            // A list takes what it has to list.
            Operation::Read => usize::MAX,
        };
        match (how, self.operations.get_mut(kind)) {
            (How::Troubled, _) if !self.window.troubled => {
                self.window.troubled = true;
                self.window.ended = 0;
                self.before = None;
                self.lower(self.limit / 2);
                self.rest = REST_AFTER_TROUBLE;
            }
            (How::Answered, Some(kind)) => {
                kind.sum += took.as_secs_f64();
                kind.count += 1;
            }
            _ => {}
        }
        let fewest = if self.starting { FIRST_WINDOW } else { WINDOW };
        if self.window.ended >= fewest.max(2 * self.limit) {
            self.close_window();
        }
    }

    fn close_window(&mut self) {
        let Window { crowded, troubled, .. } = std::mem::take(&mut self.window);
        let slowdown = self.slowdown();
        self.rest = self.rest.saturating_sub(1);
        let before = self.before.take();
        let Some(slowdown) = slowdown.filter(|_| !troubled) else { return };
        #[expect(clippy::cast_precision_loss, reason = "no more than the bounds of a setting")]
        let limit = self.limit as f64;
        let waiting = limit * (1.0 - 1.0 / slowdown);
        if waiting > TOO_MANY {
            if let Some(before) = before {
                self.rest = self.next_rest;
                self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
                self.lower(before);
            } else {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "less than before"
                )]
                self.lower((limit / slowdown).round() as usize);
            }
        } else if waiting < TOO_FEW {
            if before.is_some() {
                self.next_rest = 1;
            }
            if crowded && self.rest == 0 {
                self.raise();
            }
        } else {
            self.starting = false;
        }
    }

    /// How much longer answers took in this window than in the best; none without any.
    fn slowdown(&mut self) -> Option<f64> {
        let alone = self.limit == *self.bounds.start();
        let (mut slowdown, mut sum, mut count) = (0.0, 0.0, 0.0);
        for kind in self.operations.iter_mut().filter(|kind| kind.count > 0) {
            let number = f64::from(kind.count);
            let mean = kind.sum / number;
            let least = kind.least.map_or(mean, |least| least.min(mean));
            slowdown += number * (mean + SLACK) / (least + SLACK);
            sum += kind.sum;
            count += number;
            // What it takes with the fewest that there may be is what it takes.
            let share = if alone { 0.5 } else { AGEING };
            *kind = Kind { least: Some(least + (mean - least) * share), ..Kind::default() };
        }
        if count > 0.0 {
            self.mean = Some(sum / count);
            return Some(slowdown / count);
        }
        None
    }

    fn raise(&mut self) {
        let more = if self.starting { self.limit * 2 } else { self.limit + 1 };
        let limit = more.min(*self.bounds.end()).max(self.limit);
        self.before = (limit > self.limit).then_some(self.limit);
        self.limit = limit;
    }

    fn lower(&mut self, limit: usize) {
        self.starting = false;
        self.limit = limit.min(self.limit.saturating_sub(1)).max(*self.bounds.start());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Seconds that a Kimai needs for a request while `together` are under way.
    type Model = fn(together: f64) -> f64;

    /// Lets `course` send all it may, always, until `answers` have come; gives the answers a second.
    fn play(course: &mut Course, model: Model, answers: usize) -> f64 {
        let (mut time, mut count) = (0.0, 0.0);
        while count < f64::from(u32::try_from(answers).unwrap()) {
            let together = f64::from(u32::try_from(course.limit()).unwrap());
            let took = model(together);
            course.ended(Operation::Create, How::Answered, Duration::from_secs_f64(took), true);
            time += took / together;
            count += 1.0;
        }
        count / time
    }

    fn best(model: Model, bounds: RangeInclusive<u32>) -> f64 {
        bounds.map(|limit| f64::from(limit) / model(f64::from(limit))).fold(0.0, f64::max)
    }

    const FLAT: Model = |_| 0.02;
    /// Four at a time, the others wait for them.
    const QUEUES: Model = |together| 0.02 * (together / 4.0).max(1.0);
    /// More than four get into each other's way.
    const THRASHES: Model = |together| 0.02 * (together / 4.0).max(1.0).powi(2);
    const THRASHES_SLOWLY: Model = |together| 0.3 * (together / 3.0).max(1.0).powi(2);
    const ALONE: Model = |together| 0.05 * together.powi(2);

    #[test]
    fn it_comes_within_a_tenth_of_the_best_fixed_limit() {
        for (name, model) in [
            ("flat", FLAT),
            ("queues", QUEUES),
            ("thrashes", THRASHES),
            ("slow", THRASHES_SLOWLY),
            ("alone", ALONE),
        ] {
            let mut course = Course::new(1..=16);
            let (reached, best) = (play(&mut course, model, 2000), best(model, 1..=16));
            assert!(reached >= 0.9 * best, "{name}: {reached:.1} of {best:.1} a second");
        }
    }

    #[test]
    fn a_kimai_that_becomes_slower_and_recovers_is_followed() {
        let mut course = Course::new(1..=16);
        play(&mut course, FLAT, 500);
        assert_eq!(course.limit(), 16);
        play(&mut course, THRASHES, 500);
        assert!((3..=6).contains(&course.limit()), "{}", course.limit());
        play(&mut course, FLAT, 5000);
        assert_eq!(course.limit(), 16);
        // Slower for good, whatever is sent: that is no reason to send less for ever.
        play(&mut course, |_| 0.2, 5000);
        assert!(course.limit() >= 14, "{}", course.limit());
    }

    #[test]
    fn trouble_halves_once_a_window_and_is_left_behind() {
        let mut course = Course::new(2..=16);
        play(&mut course, FLAT, 500);
        let trouble = |course: &mut Course| {
            course.ended(Operation::Update, How::Troubled, Duration::from_millis(5), true);
        };
        for _ in 0..8 {
            trouble(&mut course);
        }
        assert_eq!(course.limit(), 8, "eight that failed together are one trouble");
        for _ in 0..1000 {
            trouble(&mut course);
        }
        assert_eq!(course.limit(), 2);
        play(&mut course, FLAT, 1000);
        assert_eq!(course.limit(), 16);
    }

    #[test]
    fn what_is_not_used_is_not_raised() {
        let mut course = Course::new(1..=64);
        for _ in 0..1000 {
            course.ended(Operation::Create, How::Answered, Duration::from_millis(20), false);
        }
        assert_eq!(course.limit(), 1);
        assert_eq!(course.answers_within(Duration::from_secs(1)), Some(50));
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds_whatever_comes(
            low in 1_usize..8,
            more in 0_usize..32,
            ends in proptest::collection::vec((0_u8..5, 0_u8..3, 0_u64..40_000, any::<bool>()), 0..400),
        ) {
            let mut course = Course::new(low..=low + more);
            for (operation, how, took, crowded) in ends {
                let operation = Operation::ALL[usize::from(operation)];
                let how = [How::Answered, How::Refused, How::Troubled][usize::from(how)];
                course.ended(operation, how, Duration::from_millis(took), crowded);
                prop_assert!((low..=low + more).contains(&course.limit()));
            }
        }
    }
}
