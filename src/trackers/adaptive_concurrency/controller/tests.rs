use proptest::prelude::*;

use super::*;

/// Seconds that a Kimai needs for a request while `together` are under way.
type Model = fn(together: f64) -> f64;

const FLAT: Model = |_| 0.02;
/// More than four get into each other's way.
const THRASHES: Model = |together| 0.02 * (together / 4.0).max(1.0).powi(2);

/// A controller, and the time that has passed.
struct Played {
    controller: Controller,
    now: Instant,
}

impl Played {
    fn new(bounds: RangeInclusive<usize>) -> Self {
        Self { controller: Controller::new(bounds), now: Instant::now() }
    }

    fn limit(&self) -> usize {
        self.controller.limit()
    }

    fn end(&mut self, how: How, took: Duration, saturated: bool) {
        self.controller.ended(Ended { how, took, at: self.now, saturated });
    }

    /// Sends all it may, always, until so many answers have come; gives the answers a second.
    fn play(&mut self, model: Model, answers: u32) -> f64 {
        let since = self.now;
        for _ in 0..answers {
            let together = number(self.limit());
            let took = model(together);
            self.now += Duration::from_secs_f64(took / together);
            self.end(How::Answered, Duration::from_secs_f64(took), true);
        }
        f64::from(answers) / (self.now - since).as_secs_f64()
    }

    fn trouble(&mut self, times: usize) {
        for _ in 0..times {
            self.now += Duration::from_millis(5);
            self.end(How::Troubled, Duration::from_millis(5), true);
        }
    }
}

#[test]
fn a_kimai_that_becomes_slower_and_recovers_is_followed() {
    let mut played = Played::new(1..=16);
    played.play(FLAT, 500);
    assert_eq!(played.limit(), 16);
    played.play(THRASHES, 1000);
    assert!((3..=6).contains(&played.limit()), "{}", played.limit());
    played.play(FLAT, 5000);
    assert!(played.limit() >= 12, "{}", played.limit());
    // Slower for good, whatever is sent: that is no reason to send less.
    let reached = played.play(|_| 0.2, 5000);
    assert!(reached >= 0.95 * 16.0 / 0.2, "{reached}");
}

#[test]
fn trouble_halves_the_limit_until_requests_are_answered_and_costs_little_after_that() {
    let mut played = Played::new(2..=16);
    played.play(FLAT, 500);
    let before = played.limit();
    played.trouble(4);
    assert_eq!(played.limit(), before, "a few failures among many answers are none of its business");
    played.trouble(6);
    assert_eq!(played.limit(), before / 2, "what failed together is one trouble");
    played.trouble(100);
    assert_eq!(played.limit(), 2);
    played.play(FLAT, 4 + 4 + 8 + 16);
    assert_eq!(played.limit(), before);
}

#[test]
fn a_limit_that_fails_each_time_is_left() {
    let mut played = Played::new(1..=16);
    let mut failed = 0;
    for _ in 0..400 {
        while played.limit() > 4 {
            played.trouble(1);
            failed += 1;
        }
        played.play(FLAT, 10);
    }
    assert!(failed < 200, "{failed} failed beside 4000 answers");
    assert_eq!(played.limit(), 4);
}

#[test]
fn what_is_not_used_is_neither_raised_nor_lowered() {
    let mut played = Played::new(1..=64);
    for _ in 0..1000 {
        played.now += Duration::from_millis(20);
        played.end(How::Answered, Duration::from_millis(20), false);
    }
    assert_eq!(played.limit(), START);
    assert_eq!(played.controller.answers_within(Duration::from_secs(1)), Some(START * 50));
}

#[test]
fn idle_time_between_two_bursts_says_nothing() {
    let mut played = Played::new(1..=8);
    for _ in 0..100 {
        played.play(FLAT, 10);
        played.end(How::Answered, Duration::from_millis(20), false);
        played.now += Duration::from_mins(1);
    }
    assert_eq!(played.limit(), 8);
}

#[test]
fn while_the_first_answer_is_awaited_it_rises_and_not_after_it() {
    let mut played = Played::new(1..=8);
    for _ in 0..100 {
        assert!(played.controller.waits(played.now));
        played.now += PATIENCE / 2;
        played.controller.waited(played.now);
    }
    assert_eq!(played.limit(), 8);
    played.end(How::Answered, Duration::from_secs(5), true);
    assert!(!played.controller.waits(played.now));
}

proptest! {
    #[test]
    fn it_stays_within_its_bounds_whatever_comes(
        low in 1_usize..8,
        more in 0_usize..32,
        ends in proptest::collection::vec((0_u8..4, 0_u64..40_000, 0_u64..400, any::<bool>()), 0..400),
    ) {
        let mut played = Played::new(low..=low + more);
        for (how, took, passed, saturated) in ends {
            played.now += Duration::from_millis(passed);
            match [How::Answered, How::Refused, How::Troubled].get(usize::from(how)) {
                Some(how) => played.end(*how, Duration::from_millis(took), saturated),
                None if played.controller.waits(played.now) => played.controller.waited(played.now),
                None => {}
            }
            prop_assert!((low..=low + more).contains(&played.limit()));
        }
    }
}
