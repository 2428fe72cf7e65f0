//! Injects each fault into each call, at the first, the second or every third time; everything else works.

use super::counting::Counting;
use super::faults::{Call, Script, Trouble, When};
use super::history::What;
use super::profile::Profile;
use super::run::simulate;
use super::scenario::Scenario;
use crate::effort;

const TIMES: [When; 3] = [When::First, When::Second, When::EveryThird];

/// Small, with all that needs each of the calls: changes of every kind, sweeps, and a death for what is
/// asked at a start.
fn scenario(seed: u64, script: Script) -> Scenario {
    Scenario {
        seed,
        profile: Profile::default(),
        work_logs: 5,
        changes: 20,
        faults: 0,
        deltas_lost: 0,
        crashes: if script.call == Call::Newest { 6 } else { 0 },
        storage_lost: 0,
        sweeps: 12,
        sweep_at_start: false,
        links_by_hand: 0,
        max_deletions: 20,
        workers: 2,
        counting: Counting { duration: 900, ..Counting::default() },
        exports: 10,
        lag: 0,
        clock_steps: 0,
        restore: None,
        script: Some(script),
        acts: Vec::new(),
        kills: Vec::new(),
    }
}

/// Plays each fault at each call once, at one of the times in turn; with `KIMAI_SYNC_FAULT_SEEDS` so many histories for
/// each of the times. Gives how many histories that are, and in how many of them the fault struck.
fn play(calls: &[Call], troubles: &[Trouble]) -> (u64, u64) {
    let seeds = effort::number("KIMAI_SYNC_FAULT_SEEDS");
    let pairs = calls.iter().flat_map(|call| {
        troubles.iter().filter(|trouble| trouble.befalls(*call)).map(move |trouble| (*call, *trouble))
    });
    let all = pairs.flat_map(|(call, trouble)| TIMES.map(|when| Script { call, trouble, when, seen: 0 }));
    // The fourth is the second time of the next cell.
    let histories: Vec<Script> = all.step_by(if seeds.is_some() { 1 } else { 4 }).collect();
    let seeds = seeds.unwrap_or(1);
    let struck = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for half in histories.chunks(histories.len().div_ceil(2)) {
            let struck = &struck;
            scope.spawn(move || {
                for (number, script) in half.iter().enumerate() {
                    for seed in 0..seeds {
                        let seed = seed * 1_000 + number as u64;
                        let outcome = simulate(scenario(seed, *script));
                        let history = &outcome.world.state().history;
                        assert!(
                            outcome.broken.is_empty(),
                            "{script:?}, seed {seed}: {}\n{history}",
                            outcome.broken.join("\n")
                        );
                        let hit = history.count(|what| matches!(what, What::Failed(..))) > 0;
                        struck.fetch_add(u64::from(hit), std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    (histories.len() as u64 * seeds, struck.into_inner())
}

#[test]
fn no_fault_of_kimai_loses_or_doubles_anything() {
    let (histories, struck) = play(&Call::KIMAI, &Trouble::KIMAI);
    println!("{histories} histories, the fault struck in {struck}");
    assert!(struck * 2 > histories, "most faults have to strike");
}

#[test]
fn no_fault_of_the_triplestore_loses_doubles_or_deletes_anything() {
    let (histories, struck) = play(&Call::TRIPLESTORE, &Trouble::TRIPLESTORE);
    println!("{histories} histories, the fault struck in {struck}");
    assert!(struck * 2 > histories, "most faults have to strike");
}
