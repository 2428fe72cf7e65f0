//! Many seeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::history::What;
use super::run::simulate;
use super::scenario::{Outcome, Scenario};

/// Histories of a normal test run.
const SEEDS: u64 = 5_000;
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
    excused: AtomicU64,
    remnants: AtomicU64,
    second_sweeps: AtomicU64,
}

impl Tally {
    fn add(&self, outcome: &Outcome) {
        let state = outcome.world.state();
        let history = &state.history;
        let crashes = history.count(|what| matches!(what, What::Crashed(_)));
        let sweeps = history.count(|what| matches!(what, What::SweepEnded(_)));
        let changes = history.count(|what| matches!(what, What::Changed(..)));
        let posts = history.count(|what| matches!(what, What::Posted(..)));
        let (seen, excused) = outcome.before_sweep;
        for (counter, n) in [
            (&self.histories, 1),
            (&self.changes, changes),
            (&self.calls, history.calls),
            (&self.troubles, history.troubles),
            (&self.crashes, crashes),
            (&self.sweeps, sweeps),
            (&self.runs, state.runs),
            (&self.posts, posts),
            (&self.seen, seen),
            (&self.excused, excused),
            (&self.remnants, outcome.remnants),
            (&self.second_sweeps, outcome.second_sweep),
        ] {
            counter.fetch_add(n, Ordering::Relaxed);
        }
    }

    fn print(&self, seconds: f64) {
        let n = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        println!(
            "{} histories in {seconds:.1} s: {} changes, {} deaths, {} sweeps, {} runs, {} POSTs, {} calls of which \
             {} in trouble; before the last sweep {} work logs looked at and {} excused; {} links left under deleted ones; {} took a second sweep",
            n(&self.histories),
            n(&self.changes),
            n(&self.crashes),
            n(&self.sweeps),
            n(&self.runs),
            n(&self.posts),
            n(&self.calls),
            n(&self.troubles),
            n(&self.seen),
            n(&self.excused),
            n(&self.remnants),
            n(&self.second_sweeps),
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulation's own switches")]
fn from_environment(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().expect("a number"))
}

fn complain(seed: u64, outcome: &Outcome) -> String {
    format!(
        "seed {seed}: {}\nPlay it again with: KIMAI_SYNC_SEED={seed} cargo test --lib simulation -- --nocapture",
        outcome.broken.join("\n  ")
    )
}

#[test]
fn nothing_is_lost_and_nothing_doubled_whatever_happens() {
    if let Some(seed) = from_environment("KIMAI_SYNC_SEED") {
        let outcome = simulate(Scenario::of(seed));
        println!("{:#?}\n{}", Scenario::of(seed), outcome.world.state().history);
        assert!(outcome.broken.is_empty(), "{}", complain(seed, &outcome));
        return;
    }
    let seeds = from_environment("KIMAI_SYNC_SEEDS").unwrap_or(SEEDS);
    let (next, tally, started) = (AtomicU64::new(0), Tally::default(), Instant::now());
    let broken = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || broken.lock().unwrap().len() >= MOST_SHOWN {
                        return;
                    }
                    let outcome = simulate(Scenario::of(seed));
                    tally.add(&outcome);
                    if !outcome.broken.is_empty() {
                        broken.lock().unwrap().push(complain(seed, &outcome));
                    }
                }
            });
        }
    });
    tally.print(started.elapsed().as_secs_f64());
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
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
