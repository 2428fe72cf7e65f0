//! The workload: people create, change and delete work logs, in the several steps in which mu-cl-resources writes.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::fixtures::{
    DAYS, Due, Field, GOOD_DURATIONS, GOOD_PERSONS, GOOD_TASKS, HIDDEN_TASK, Values, due, near,
};
use super::scenario::Scenario;
use super::state::State;
use crate::domain::WorkLogUri;
use crate::domain::work_log::{Facts, VEVENT};

/// More than a sweep deletes without confirmation by default.
const MANY: usize = 20;

/// One step of a change.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The class and these fields appear.
    Begin(Values, Vec<Field>),
    /// A live work log gets or changes a field.
    Set(Values, Field),
    /// All goes but the link.
    LeaveLink,
    /// All goes.
    RemoveAll,
    /// All goes that mu-cl-resources knows: a further property stays, a further class, the link.
    LeaveRest { class: bool, link: bool },
    /// Somebody deletes its timesheet in Kimai.
    DeleteInKimai,
    /// Somebody changes its timesheet in Kimai: its end, or a break.
    EditInKimai { with_break: bool },
    /// Somebody exports its timesheet in Kimai, or takes that back.
    ExportInKimai,
    /// Somebody books in Kimai by hand what it says.
    BookInKimai,
    /// Somebody writes the link of another work log to it by hand, beside or instead of its own.
    CopyLink { of: WorkLogUri, beside: bool },
}

/// Who or what comes next, and after how many milliseconds.
pub(super) type Steps = Vec<(i64, WorkLogUri, Step)>;

pub(super) fn uri(number: usize) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://timekeeper.redpencil.io/work-logs/{number:02}")).expect("an IRI")
}

fn values(rng: &mut ChaCha8Rng) -> Values {
    let mut one_of = |good: usize, bad: usize| {
        if bad > 0 && rng.random_ratio(1, 25) {
            good + rng.random_range(0..bad)
        } else {
            rng.random_range(0..good)
        }
    };
    let (duration, task, person) =
        (one_of(GOOD_DURATIONS, 1), one_of(GOOD_TASKS, 3), one_of(GOOD_PERSONS, 1));
    Values { day: rng.random_range(-DAYS..=DAYS), duration, task, person }
}

/// A change of some work log, drawn at random from what is possible now.
pub(super) fn draw(state: &State, plan: &Scenario, last: &mut Option<Values>, rng: &mut ChaCha8Rng) -> Steps {
    if plan.work_logs > MANY && rng.random_ratio(1, 100) {
        return everything_goes(plan, rng);
    }
    let uri = uri(rng.random_range(0..plan.work_logs));
    let live = state.work_logs.get(&uri).is_some_and(super::state::Stand::is_live);
    if live && rng.random_ratio(plan.links_by_hand, 100) {
        let of = self::uri(rng.random_range(0..plan.work_logs));
        return copy_link(uri, of, rng);
    }
    if live && rng.random_ratio(1, 20) {
        let other = self::uri(rng.random_range(0..plan.work_logs));
        return move_over(&uri, other, *last, rng);
    }
    if live && plan.exports > 0 && rng.random_ratio(plan.exports, 100) {
        return vec![(0, uri, Step::ExportInKimai)];
    }
    if live { change(uri, rng) } else { come(uri, last, rng) }
}

/// All work logs are deleted within a moment, as when a project is closed.
fn everything_goes(plan: &Scenario, rng: &mut ChaCha8Rng) -> Steps {
    (0..plan.work_logs).map(|number| (rng.random_range(0..500), uri(number), removal(rng))).collect()
}

/// A link is written by hand; at times its work log goes, or the other cannot be synced.
fn copy_link(uri: WorkLogUri, of: WorkLogUri, rng: &mut ChaCha8Rng) -> Steps {
    let mut steps = vec![(0, uri.clone(), Step::CopyLink { of: of.clone(), beside: rng.random() })];
    if rng.random_ratio(1, 3) {
        steps.push((rng.random_range(0..2_000), of, removal(rng)));
    }
    if rng.random_ratio(1, 3) {
        let refused = Values { task: HIDDEN_TASK, ..values(rng) };
        steps.push((rng.random_range(0..2_000), uri, Step::Set(refused, Field::Task)));
    }
    steps
}

/// A work log goes and comes again under another IRI: as the last that came, which it often is.
fn move_over(uri: &WorkLogUri, other: WorkLogUri, last: Option<Values>, rng: &mut ChaCha8Rng) -> Steps {
    let values = last.unwrap_or_else(|| values(rng));
    let set = |(at, field)| (at, uri.clone(), Step::Set(values, field));
    let mut steps: Steps = Field::ALL.map(|field| set((0, field))).into();
    let at = rng.random_range(0..5_000);
    let whole = Step::Begin(values, Field::ALL.to_vec());
    steps.extend([(at, uri.clone(), removal(rng)), (at + rng.random_range(0..300), other, whole)]);
    steps
}

/// A work log comes to be: twin of the last one at times, or all but, at times incomplete for long, at times gone
/// at once.
fn come(uri: WorkLogUri, last: &mut Option<Values>, rng: &mut ChaCha8Rng) -> Steps {
    let values = match *last {
        Some(twin) if rng.random_ratio(1, 4) => {
            let duration = if rng.random_ratio(1, 3) { near(twin.duration) } else { twin.duration };
            Values { duration, ..twin }
        }
        _ => values(rng),
    };
    *last = Some(values);
    let mut steps = Vec::new();
    let mut fields = Field::ALL.to_vec();
    if rng.random_ratio(1, 2) {
        let later = fields.split_off(rng.random_range(0..4));
        let mut at = 0;
        let slow = rng.random_ratio(1, 5);
        for field in later {
            at += if slow { rng.random_range(500..20_000) } else { rng.random_range(1..25) };
            steps.push((at, uri.clone(), Step::Set(values, field)));
        }
        if rng.random_ratio(1, 12) {
            steps.pop(); // and stays incomplete
        }
    }
    steps.insert(0, (0, uri.clone(), Step::Begin(values, fields)));
    if rng.random_ratio(1, 15) {
        steps.push((rng.random_range(0..3_000), uri.clone(), Step::BookInKimai));
    }
    if rng.random_ratio(1, 8) {
        steps.push((rng.random_range(20..200), uri, removal(rng)));
    }
    steps
}

fn change(uri: WorkLogUri, rng: &mut ChaCha8Rng) -> Steps {
    match rng.random_range(0..100) {
        0..50 => vec![(0, uri, set(rng))],
        50..58 => (0..5).map(|n| (n * rng.random_range(1..200), uri.clone(), set(rng))).collect(),
        58..84 => vec![(0, uri, removal(rng))],
        84..94 => {
            let whole = Step::Begin(values(rng), Field::ALL.to_vec());
            vec![(0, uri.clone(), removal(rng)), (rng.random_range(1..300), uri, whole)]
        }
        94..97 => vec![(0, uri, Step::DeleteInKimai)],
        _ => vec![(0, uri, Step::EditInKimai { with_break: rng.random() })],
    }
}

fn set(rng: &mut ChaCha8Rng) -> Step {
    let field = *Field::ALL.choose(rng).expect("there are four");
    Step::Set(values(rng), field)
}

fn removal(rng: &mut ChaCha8Rng) -> Step {
    match rng.random_range(0..6) {
        0 | 1 => Step::LeaveLink,
        2 | 3 => Step::RemoveAll,
        _ => Step::LeaveRest { class: rng.random(), link: rng.random_ratio(3, 4) },
    }
}

/// Takes the step. Says whether the triplestore changed, so that a delta tells of it, and whether that
/// delta tells that the class went away.
pub(super) fn take(state: &mut State, uri: &WorkLogUri, step: &Step) -> Option<bool> {
    let live = state.work_logs.get(uri).is_some_and(super::state::Stand::is_live);
    match step {
        Step::Begin(values, fields) if !live => {
            state.come_back(uri);
            state.change(uri, "comes to be", |facts| {
                facts.types.insert(VEVENT.to_owned());
                facts.has_others = true;
                for field in fields {
                    values.write(*field, facts);
                }
            });
            Some(false)
        }
        Step::Set(values, field) if live => {
            let words = match field {
                Field::Day => "another day",
                Field::Duration => "another duration",
                Field::Task => "another task",
                Field::Person => "another person",
            };
            state.change(uri, words, |facts| values.write(*field, facts));
            Some(false)
        }
        Step::LeaveLink | Step::LeaveRest { .. } | Step::RemoveAll if live => {
            remove(state, uri, step);
            Some(true)
        }
        Step::DeleteInKimai => {
            by_hand(state, uri, None);
            None
        }
        Step::EditInKimai { with_break } => {
            by_hand(state, uri, Some(*with_break));
            None
        }
        Step::ExportInKimai => {
            let linked = state.work_logs.get(uri)?.facts.entry_ids().first().copied()?;
            let exported = state.timesheets.get(&linked)?.row.exported;
            state.export(linked, !exported);
            None
        }
        Step::BookInKimai => {
            let facts = &state.work_logs.get(uri)?.facts;
            if let Due::Sheet(wanted) = due(facts) {
                state.book_by_hand(&wanted, false);
                state.booked.push(wanted);
            }
            None
        }
        Step::CopyLink { of, beside } if live && of != uri => {
            let copied = state.work_logs.get(of)?.facts.identifiers.clone();
            if !copied.is_empty() {
                state.linked_by_hand.extend([uri.clone(), of.clone()]);
                state.change(uri, "gets another's link by hand", |facts| {
                    if !beside {
                        facts.identifiers.clear();
                    }
                    facts.identifiers.extend(copied);
                });
            }
            None
        }
        _ => None,
    }
}

/// Somebody deletes it: all of it, or so that something is left.
fn remove(state: &mut State, uri: &WorkLogUri, step: &Step) {
    match step {
        Step::LeaveLink => state.change(uri, "removed, but for its link", |facts| {
            let identifiers = std::mem::take(&mut facts.identifiers);
            *facts = Facts { identifiers, ..Facts::none(facts.syntax) };
        }),
        Step::LeaveRest { class, link } => {
            state.change(uri, "removed, but for what nobody knows", |facts| {
                let identifiers = std::mem::take(&mut facts.identifiers);
                *facts = Facts { has_others: true, ..Facts::none(facts.syntax) };
                facts.types.extend(class.then(|| "http://x/Note".to_owned()));
                if *link {
                    facts.identifiers = identifiers;
                }
            });
        }
        _ => {
            state.change(uri, "removed", |facts| *facts = Facts::none(facts.syntax));
        }
    }
}

/// Somebody edits its timesheet, with a break or without, or deletes it.
fn by_hand(state: &mut State, uri: &WorkLogUri, with_break: Option<bool>) {
    let linked = state.work_logs.get(uri).and_then(|stand| stand.facts.entry_ids().first().copied());
    let Some(id) = linked.filter(|id| state.timesheets.contains_key(id)) else { return };
    state.touched_in_kimai.insert(uri.clone(), id);
    if let Some(with_break) = with_break {
        state.edit_by_hand(id, with_break);
    } else {
        let by_hand = state.caller();
        drop(state.apply(&super::state::Effect::Delete(id), &by_hand));
    }
}
