//! SIGTERM under load: it ends in time and in order, and what was under way is finished.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use kimai_sync::trackers::kimai::sandbox::{Fault, Gate, When};
use rand::Rng;

use super::company::Mode;
use super::trial::Trial;
use super::world::Change;
use super::{PATIENCE, number, seeds, until};

/// Stops in all, unless told otherwise.
const STOPS: u64 = 20;
/// Stops in one place, one after the other.
const STOPS_IN_A_ROW: u64 = 5;
/// Docker waits that long before it kills.
const DOCKERS_PATIENCE: Duration = Duration::from_secs(10);
/// How slow Kimai is, so that there is always something under way.
const LATENCY: Duration = Duration::from_millis(300);
/// A call may take longer than it does even on a busy machine: else its answer is given up.
const UNHURRIED: [(&str, &str); 1] = [("KIMAI_TIMEOUT", "5")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_finishes_what_is_under_way() {
    let wanted = number("KIMAI_SYNC_STOPS").unwrap_or(STOPS);
    let histories = seeds(wanted.div_ceil(STOPS_IN_A_ROW));
    let (mut stops, mut longest) = (0, Duration::ZERO);
    let mut ended = stream::iter(histories).map(history).buffer_unordered(4);
    while let Some(slowest) = ended.next().await {
        (stops, longest) = (stops + STOPS_IN_A_ROW, longest.max(slowest));
    }
    println!(
        "{stops} stops under load, the slowest after {longest:?}: none lost, none doubled, no intent left"
    );
}

/// Stops some times in one place, then settles. Gives the longest that a stop took.
async fn history(seed: u64) -> Duration {
    let mode = if seed.is_multiple_of(2) { Mode::Stack } else { Mode::Standalone };
    let mut trial = Trial::new("stops", seed, mode).await;
    trial.company.kimai.set_latency(LATENCY);
    let mut longest = Duration::ZERO;
    for _ in 0..STOPS_IN_A_ROW {
        longest = longest.max(stop_under_load(&mut trial).await);
    }
    trial.company.kimai.set_latency(Duration::ZERO);
    trial.settle(PATIENCE).await;
    longest
}

async fn stop_under_load(trial: &mut Trial) -> Duration {
    let kimai = trial.company.kimai.clone();
    kimai.clear_requests();
    let mut life = trial.live("to be stopped", &UNHURRIED).await;
    let posts = trial.rng.random_range(1..8);
    let busy = Instant::now();
    while kimai.requests().count("POST", "/api/timesheets") < posts {
        trial.step(&life, Change::Create).await;
        if busy.elapsed() > PATIENCE {
            trial.fail("nothing is created");
        }
    }
    let asked = Instant::now();
    life.signal("TERM").await;
    // People do not stop: what is answered now counts, too.
    let mut more = trial.rng.random_range(1..10);
    let status = loop {
        if more > 0 {
            more -= 1;
            let change = trial.draw();
            trial.step(&life, change).await;
        }
        let pause = Duration::from_millis(trial.rng.random_range(0..50));
        if let Some(status) = life.ends_within(pause).await {
            break status;
        }
        if asked.elapsed() > DOCKERS_PATIENCE {
            trial.fail("still there 10 s after SIGTERM");
        }
    };
    let took = asked.elapsed();
    if status.code() != Some(0) || took > DOCKERS_PATIENCE {
        trial.fail(&format!("ended with {status}, {took:?} after SIGTERM"));
    }
    let requests = kimai.requests().0.into_iter();
    let cut: Vec<_> =
        requests.filter(|request| request.method != "GET" && request.status.is_none()).collect();
    if !cut.is_empty() {
        trial.fail(&format!("broken off: {cut:?}"));
    }
    let left = trial.leftovers().await;
    if !left.intents.is_empty() {
        trial.fail(&format!("intents are left open without need: {:?}", left.intents));
    }
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_at_once_and_costs_nothing() {
    let seed = number("KIMAI_SYNC_SEED").unwrap_or(0);
    let mut trial = Trial::new("stops", seed, Mode::Stack).await;
    let kimai = trial.company.kimai.clone();
    // Stored, but the answer does not come.
    let gate = Gate::default();
    kimai.fault(When::next("POST", "/api/timesheets"), Fault::hold(&gate).applied());
    let mut life = trial.live("to be stopped twice", &UNHURRIED).await;
    assert!(trial.single_step(&life, Change::Create).await);
    tokio::time::timeout(PATIENCE, gate.reached()).await.expect("it creates a timesheet");
    life.signal("TERM").await;
    let log = trial.log.clone();
    until(PATIENCE, async || log.has("Stopping: ").then_some(())).await.expect("it takes the first signal");
    let asked = Instant::now();
    life.signal("TERM").await;
    let status = life.ends_within(DOCKERS_PATIENCE).await;
    let took = asked.elapsed();
    gate.open();
    if status.and_then(|status| status.code()) != Some(130) || took > Duration::from_secs(1) {
        trial.fail(&format!("ended with {status:?}, {took:?} after the second signal"));
    }
    let left = trial.leftovers().await;
    if left.intents.len() != 1 {
        trial.fail(&format!("the POST without answer has to be looked into, but left are {left:?}"));
    }
    trial.settle(PATIENCE).await;
    let posts = kimai.requests().count("POST", "/api/timesheets");
    assert_eq!(posts, trial.world.live(), "what was stored is found again");
}
