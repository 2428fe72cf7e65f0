use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

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

/// Spreads the times of `model` by a third, up and down.
fn play_unevenly(course: &mut Course, model: Model, answers: u32, seed: u64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut time = 0.0;
    for _ in 0..answers {
        let together = number(course.limit());
        let took = model(together) * rng.random_range(0.6..1.4);
        course.ended(Operation::Create, How::Answered, Duration::from_secs_f64(took), true);
        time += took / together;
    }
    f64::from(answers) / time
}

#[test]
fn uneven_times_mislead_it_little() {
    for (name, model) in [("flat", FLAT), ("queues", QUEUES), ("thrashes", THRASHES)] {
        let best = best(model, 1..=8);
        let reached: f64 =
            (0..20).map(|seed| play_unevenly(&mut Course::new(1..=8), model, 2000, seed)).sum::<f64>() / 20.0;
        assert!(reached >= 0.85 * best, "{name}: {reached:.1} of {best:.1} a second");
    }
}

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
