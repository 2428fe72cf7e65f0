//! Runs many seeds.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use super::excuses::{Count, Excuse};
use super::history::What;
use super::profile::Profile;
use super::run::simulate;
use super::scenario::{Outcome, Scenario};

/// Histories of a normal test run, and with each kind of opaque ids.
const SEEDS: Range<u64> = 0..150;
const OPAQUE_SEEDS: Range<u64> = 0..40;
/// Broken ones after which there is no need for more.
const MOST_SHOWN: usize = 500;

#[derive(Default)]
struct Tally {
    histories: AtomicU64,
    changes: AtomicU64,
    calls: AtomicU64,
    troubles: AtomicU64,
    crashes: AtomicU64,
    sweeps: AtomicU64,
    runs: AtomicU64,
    posts: AtomicU64,
    seen: AtomicU64,
    remnants: AtomicU64,
    second_sweeps: AtomicU64,
    /// By the place of the excuse among all.
    excuses: [Excused; Excuse::ALL.len()],
}

/// How often an excuse was made use of before the last sweep.
#[derive(Default)]
struct Excused {
    work_logs: AtomicU64,
    /// Of those, the ones that were wrong.
    wrong: AtomicU64,
    timesheets: AtomicU64,
}

impl Tally {
    fn add(&self, outcome: &Outcome) {
        let state = outcome.world.state();
        let history = &state.history;
        let crashes = history.count(|what| matches!(what, What::Crashed(_)));
        let sweeps = history.count(|what| matches!(what, What::SweepEnded(_) | What::CheckEnded(_)));
        let changes = history.count(|what| matches!(what, What::Changed(..)));
        let posts = history.count(|what| matches!(what, What::Posted(..)));
        let found = &outcome.before_sweep;
        for (counter, n) in [
            (&self.histories, 1),
            (&self.changes, changes),
            (&self.calls, history.calls),
            (&self.troubles, history.troubles),
            (&self.crashes, crashes),
            (&self.sweeps, sweeps),
            (&self.runs, state.runs),
            (&self.posts, posts),
            (&self.seen, found.seen),
            (&self.remnants, found.remnants),
            (&self.second_sweeps, outcome.second_sweep),
        ] {
            counter.fetch_add(n, Ordering::Relaxed);
        }
        for (excuse, excused) in Excuse::ALL.into_iter().zip(&self.excuses) {
            let add =
                |counter: &AtomicU64, count: &Count| counter.fetch_add(count.of(excuse), Ordering::Relaxed);
            add(&excused.work_logs, &found.excused);
            add(&excused.wrong, &found.wrong);
            add(&excused.timesheets, &found.left);
        }
    }

    fn print(&self, seconds: f64) {
        let n = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        println!(
            "{} histories in {seconds:.1} s: {} changes, {} deaths, {} sweeps, {} runs, {} POSTs, {} calls of which \
             {} in trouble; {} links left under deleted work logs; {} took a second sweep",
            n(&self.histories),
            n(&self.changes),
            n(&self.crashes),
            n(&self.sweeps),
            n(&self.runs),
            n(&self.posts),
            n(&self.calls),
            n(&self.troubles),
            n(&self.remnants),
            n(&self.second_sweeps),
        );
        let excused: u64 = self.excuses.iter().map(|excused| n(&excused.work_logs)).sum();
        println!("before the last sweep {} work logs looked at, and {excused} excused:", n(&self.seen));
        for (excuse, excused) in Excuse::ALL.into_iter().zip(&self.excuses) {
            println!(
                "  {:<22} {:>8} work logs, {:>8} of them wrong; {:>8} timesheets too many",
                excuse.word(),
                n(&excused.work_logs),
                n(&excused.wrong),
                n(&excused.timesheets),
            );
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulation's own switches")]
pub(super) fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `5000` for the first so many, `200000..400000`, or several of those with commas between.
fn seeds(text: &str) -> Vec<Range<u64>> {
    let number = |text: &str| text.trim().parse().expect("seeds are numbers: 5000, or 200000..400000");
    let range = |part: &str| match part.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => 0..number(part),
    };
    text.split(',').map(range).collect()
}

fn complain(seed: u64, profile: Profile, outcome: &Outcome) -> String {
    format!(
        "seed {seed}, {profile:?}: {}\nPlay it again with: KIMAI_SYNC_SEED={seed} cargo test --lib simulation::tests -- --nocapture",
        outcome.broken.join("\n  ")
    )
}

#[test]
fn seeds_are_a_number_or_ranges() {
    let bounds = |text| seeds(text).into_iter().map(|range| (range.start, range.end)).collect::<Vec<_>>();
    assert_eq!(bounds("5000"), [(0, 5_000)]);
    assert_eq!(bounds("200000..400000"), [(200_000, 400_000)]);
    assert_eq!(bounds("5000, 7..9"), [(0, 5_000), (7, 9)]);
}

#[test]
fn nothing_is_lost_and_nothing_doubled_whatever_happens() {
    play_all(Profile::Sequence, "KIMAI_SYNC_SEEDS", SEEDS);
}

/// The same where ids show the second of a creation, or nothing.
#[test]
fn nothing_is_lost_and_nothing_doubled_where_ids_are_opaque() {
    for profile in Profile::OPAQUE {
        play_all(profile, "KIMAI_SYNC_OPAQUE_SEEDS", OPAQUE_SEEDS);
    }
}

fn play_all(profile: Profile, variable: &str, usual: Range<u64>) {
    if let Some(seed) = from_environment("KIMAI_SYNC_SEED") {
        let seed = seed.parse().expect("a seed is a number");
        let outcome = simulate(Scenario::of(seed).with(profile));
        println!("{:#?}\n{}", Scenario::of(seed), outcome.world.state().history);
        assert!(outcome.broken.is_empty(), "{}", complain(seed, profile, &outcome));
        return;
    }
    let seeds = from_environment(variable).map_or_else(|| vec![usual], |text| seeds(&text));
    let seeds = Mutex::new(seeds.into_iter().flatten());
    let (tally, started, count) = (Tally::default(), Instant::now(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let broken: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut broken = Vec::new();
                    while let Some(seed) = next(&seeds)
                        && count.load(Ordering::Relaxed) < MOST_SHOWN
                    {
                        let outcome = simulate(Scenario::of(seed).with(profile));
                        tally.add(&outcome);
                        if !outcome.broken.is_empty() {
                            count.fetch_add(1, Ordering::Relaxed);
                            // At once, since many take long.
                            let complaint = complain(seed, profile, &outcome);
                            println!("{complaint}");
                            broken.push(complaint);
                        }
                    }
                    broken
                })
            })
            .collect();
        let broken: Vec<String> = broken.into_iter().flat_map(|half| half.join().unwrap()).collect();
        print!("{profile:?}: ");
        tally.print(started.elapsed().as_secs_f64());
        assert!(broken.is_empty(), "{}", broken.join("\n\n"));
    });
}

fn next(seeds: &Mutex<impl Iterator<Item = u64>>) -> Option<u64> {
    seeds.lock().unwrap().next()
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in [0, 1, 2, 3, 7] {
        let told = |seed| simulate(Scenario::of(seed)).world.state().history.to_string();
        let (first, second) = (told(seed), told(seed));
        let differs = first.lines().zip(second.lines()).find(|(first, second)| first != second);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}
