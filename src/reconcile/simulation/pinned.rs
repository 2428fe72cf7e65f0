//! Histories that once failed, pinned by their steps: a seed gives another history after every change of the world.

use super::faults::{Call, Script, Trouble, When};
use super::fixtures::{
    DAYS, Field, GOOD_DURATIONS, GOOD_PERSONS, GOOD_TASKS, HIDDEN_TASK, NEARLY_THE_SAME, Values,
};
use super::history::What;
use super::run::simulate;
use super::scenario::{Act, Outcome, Scenario};
use super::workload::{Step, uri};

/// Each with so many ways for requests to overtake one another.
const SEEDS: u64 = 20;

fn begins(day: i32) -> Step {
    Step::Begin(Values { day, duration: 0, task: 1, person: 1 }, Field::ALL.to_vec())
}

fn told(at: i64, number: usize, step: Step) -> Act {
    Act { at, work_log: uri(number), step, heard: true }
}

fn untold(at: i64, number: usize, step: Step) -> Act {
    Act { heard: false, ..told(at, number, step) }
}

/// All that is pinned, for the faults that are planted.
pub(super) fn all() -> impl Iterator<Item = Scenario> {
    let acts = [deleted_and_entered_again(Step::RemoveAll), refused_and_linked_by_hand()];
    acts.into_iter().map(|acts| Scenario::of_acts(0, acts)).chain([nearly_the_same(0)])
}

/// A request that was lost on its way to Kimai, while somebody books nearly the same there by hand.
fn nearly_the_same(seed: u64) -> Scenario {
    let begins = |duration| Step::Begin(Values { day: 1, duration, task: 1, person: 1 }, Field::ALL.to_vec());
    let acts = vec![
        told(2_500, 1, begins(NEARLY_THE_SAME[0])),
        untold(2_500, 2, begins(NEARLY_THE_SAME[1])),
        untold(6_000, 2, Step::BookInKimai),
    ];
    // The first is that of the work log which nobody touches.
    let lost = Script { call: Call::Create, trouble: Trouble::TimeLimitBefore, when: When::Second, seen: 0 };
    Scenario { script: Some(lost), ..Scenario::of_acts(seed, acts) }
}

fn each(acts: &[Act], check: impl Fn(&Outcome)) {
    each_of(|seed| Scenario::of_acts(seed, acts.to_vec()), check);
}

fn each_of(scenario: impl Fn(u64) -> Scenario, check: impl Fn(&Outcome)) {
    for seed in 0..SEEDS {
        let outcome = simulate(scenario(seed));
        let history = outcome.world.state().history.to_string();
        assert!(outcome.broken.is_empty(), "seed {seed}: {}\n{history}", outcome.broken.join("\n"));
        check(&outcome);
    }
}

/// Somebody deletes a work log and enters just the same as a new one, and neither is heard of.
fn deleted_and_entered_again(removal: Step) -> Vec<Act> {
    vec![told(2_500, 1, begins(1)), untold(40_000, 1, removal), untold(41_000, 2, begins(1))]
}

/// A work log that Kimai refuses is linked by hand to the timesheet of another one, which is deleted.
fn refused_and_linked_by_hand() -> Vec<Act> {
    let refused = Values { day: 1, duration: 0, task: HIDDEN_TASK, person: 1 };
    vec![
        told(2_500, 1, begins(1)),
        told(2_500, 2, begins(2)),
        told(40_000, 1, Step::Set(refused, Field::Task)),
        untold(80_000, 1, Step::CopyLink { of: uri(2), beside: false }),
        told(80_100, 2, Step::RemoveAll),
    ]
}

/// A sweep has one timesheet to give and one work log to take it, and must not believe its memory of the work log that
/// is gone.
#[test]
fn a_sweep_gives_the_timesheet_of_a_deleted_work_log_to_its_twin() {
    let made =
        |outcome: &Outcome| outcome.world.state().history.count(|what| matches!(what, What::Posted(..)));
    each(&deleted_and_entered_again(Step::RemoveAll), |outcome| assert_eq!(made(outcome), 2));
    // What is left of the work log takes its timesheet along.
    each(&deleted_and_entered_again(Step::LeaveLink), |outcome| assert_eq!(made(outcome), 3));
}

/// What it is linked to is its own now, and the one it had is nobody's.
#[test]
fn a_work_log_that_kimai_refuses_gives_up_the_timesheet_that_it_is_not_linked_to_any_more() {
    each(&refused_and_linked_by_hand(), |outcome| {
        assert_eq!(
            outcome.world.state().timesheets.len(),
            4,
            "two booked by hand, one untouched, one of the two"
        );
    });
}

/// More are deleted while the service is away than a sweep may delete for want of evidence: each has left its link.
#[test]
fn whatever_left_its_link_while_the_service_was_away_goes_with_the_sweep_at_start() {
    const COUNT: usize = 25;
    let left = |number: usize| match number % 3 {
        0 => Step::LeaveLink,
        n => Step::LeaveRest { class: n == 1, link: true },
    };
    let mut acts = Vec::new();
    for (number, day) in (0..COUNT).zip((-DAYS..DAYS).cycle()) {
        let (task, person) = (number % GOOD_TASKS, number % GOOD_PERSONS);
        let values = Values { day, duration: number % GOOD_DURATIONS, task, person };
        acts.push(told(2_500, number, Step::Begin(values, Field::ALL.to_vec())));
        acts.push(untold(39_999, number, left(number)));
    }
    for seed in 0..SEEDS {
        let plan = Scenario {
            max_deletions: 3,
            sweep_at_start: true,
            kills: vec![40_000],
            ..Scenario::of_acts(seed, acts.clone())
        };
        let outcome = simulate(plan);
        let state = outcome.world.state();
        assert!(outcome.broken.is_empty(), "seed {seed}: {}\n{}", outcome.broken.join("\n"), state.history);
        let before_the_end =
            state.history.events.iter().take_while(|event| !matches!(event.what, What::Stopped));
        let deleted = before_the_end.filter(|event| matches!(event.what, What::Deleted(_))).count();
        assert_eq!(deleted, COUNT, "seed {seed}: {}", state.history);
        assert_eq!(outcome.before_sweep.remnants, 0, "seed {seed}");
    }
}

/// What was booked by hand is taken for what was sent, and put right.
#[test]
fn what_is_found_after_a_lost_request_is_made_to_hold_what_was_sent() {
    each_of(nearly_the_same, |_| {});
}
