//! The pace against models of a Kimai, on simulated time: what it gets done beside each fixed number of requests at a
//! time. No figure depends on how busy the machine is.
//!
//! `KIMAI_SYNC_PACE_RUNS=10 cargo test --release --lib throughput -- --nocapture` tries more, and prints the table.

use std::cell::{Cell, RefCell};
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};

use super::{AdaptiveLimiter, How};
use crate::trackers::Operation;
use crate::trackers::kimai::sandbox::{Latency, Machine};

/// `KIMAI_CONCURRENCY`.
const MOST: usize = 8;
const RUNS: u64 = 3;
/// A request that failed is sent again after this.
const RETRY: Duration = Duration::from_millis(500);
const STALL: Duration = Duration::from_secs(2);

const ONCE: &[(u32, Duration)] = &[(1_000, Duration::ZERO)];
/// Long enough that one stall more or less at its end makes no difference.
const LONG: &[(u32, Duration)] = &[(4_000, Duration::ZERO)];
const BURSTS: &[(u32, Duration)] = &[(150, Duration::from_secs(30)); 4];

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A Kimai, and what is asked of it.
struct Model {
    name: &'static str,
    latency: Latency,
    trouble: Trouble,
    /// How many requests each burst has, and the idle time after it.
    bursts: &'static [(u32, Duration)],
    /// How many ask at a time.
    askers: usize,
    /// The least share of what the best fixed number gets done: in the middle of all seeds, and in the worst.
    wanted: (f64, f64),
}

#[derive(Clone, Copy)]
enum Trouble {
    None,
    /// One in so many fails.
    OneIn(u32),
    /// The connection is refused from then on, for a while.
    Refused(Duration, Duration),
    /// Whoever arrives when so many are under way is refused.
    MoreThan(usize),
}

impl Model {
    fn fails(self, trouble: Trouble) -> Self {
        Self { trouble, ..self }
    }

    fn bursts(self, bursts: &'static [(u32, Duration)]) -> Self {
        Self { bursts, ..self }
    }

    fn askers(self, askers: usize) -> Self {
        Self { askers, ..self }
    }

    fn wanted(self, median: f64, worst: f64) -> Self {
        Self { wanted: (median, worst), ..self }
    }
}

fn model(name: &'static str, latency: impl Into<Latency>) -> Model {
    let (latency, trouble) = (latency.into(), Trouble::None);
    Model { name, latency, trouble, bursts: ONCE, askers: 2 * MOST, wanted: (0.95, 0.92) }
}

/// PHP with so many workers.
fn php(workers: usize) -> Latency {
    Latency::between(millis(40), millis(90)).workers(workers).noise(0.5)
}

/// So many requests at a time get the most done; more get less done.
fn bears(requests: u32) -> Latency {
    Latency::between(millis(40), millis(90)).noise(0.5).side_by_side(requests)
}

fn pools() -> Vec<Model> {
    vec![
        model("2 workers", php(2)),
        model("4 workers", php(4)),
        model("6 workers", php(6)),
        model("8 workers", php(8)),
        model("16 workers", php(16)),
        model("6 workers, the machine changes each 100 ms", php(6).shared_machine(0.5, millis(100))),
        model("6 workers, the machine changes each second", php(6).shared_machine(0.5, millis(1_000))),
        model("16 workers, the machine changes each second", php(16).shared_machine(0.5, millis(1_000))),
        model("6 workers, the machine changes each 5 s", php(6).shared_machine(0.5, millis(5_000))),
        model("6 workers, stalls of 2 s each 10 s", php(6).stalls(millis(10_000), STALL)).bursts(LONG),
        model("16 workers, stalls of 2 s each 5 s", php(16).stalls(millis(5_000), STALL)).bursts(LONG),
        model("6 workers, a neighbour for 10 s", php(6).slow(millis(3_000), millis(10_000), 3.0)),
        model("16 workers, a neighbour for 10 s", php(16).slow(millis(2_000), millis(10_000), 3.0)),
        model("6 workers, slower and slower", drift()),
        model("cold: the first 20 take 1 s more", php(6).cold_start(20, millis(1_000))),
        model("cold: the first 8 take 3 s more", php(16).cold_start(8, millis(3_000))),
        model("cold: 6 workers, slow for 3 s", php(6).slow(Duration::ZERO, millis(3_000), 6.0)),
        model("cold: 16 workers, slow for 3 s", php(16).slow(Duration::ZERO, millis(3_000), 6.0)),
    ]
}

fn others() -> Vec<Model> {
    let outage = Trouble::Refused(millis(3_000), millis(5_000));
    vec![
        model("5 ms", millis(5)),
        model("500 ms", millis(500)),
        model("5 ms ± 50 %", Latency::from(millis(5)).noise(0.5)),
        model("500 ms ± 50 %", Latency::from(millis(500)).noise(0.5)),
        model("500 ms ± 50 %, 3 workers", Latency::from(millis(500)).noise(0.5).workers(3)),
        model("log-normal", Latency::log_normal(millis(50), 0.5)),
        // A few requests take ten times as long as most: a window says little.
        model("log-normal, wide", Latency::log_normal(millis(50), 1.0)).wanted(0.95, 0.88),
        model("log-normal, wide, 4 workers", Latency::log_normal(millis(50), 1.0).workers(4))
            .wanted(0.95, 0.9),
        model("one in 50 fails", php(6)).fails(Trouble::OneIn(50)),
        model("one in 20 fails", php(16)).fails(Trouble::OneIn(20)),
        model("6 workers, refused for 5 s", php(6)).fails(outage),
        model("16 workers, refused for 5 s", php(16)).fails(outage),
        model("more than 4 are refused", php(16)).fails(Trouble::MoreThan(4)),
        model("4 bursts of 150", php(16)).bursts(BURSTS),
        model("4 bursts of 150, cold", php(6).cold_start(10, millis(1_000))).bursts(BURSTS),
        model("3 at a time", php(6)).askers(3),
        model("6 at a time", php(16)).askers(6),
        // The start costs what it takes to see that more than these is too many.
        model("bears 4, 20 ms", Latency::from(millis(20)).side_by_side(4)),
        model("bears 2, 50 ms", Latency::from(millis(50)).side_by_side(2)),
        model("bears 1, 50 ms", Latency::from(millis(50)).side_by_side(1)),
        model("bears 3, 300 ms", Latency::from(millis(300)).side_by_side(3)).wanted(0.93, 0.93),
        model("bears 4, 40 to 90 ms ± 50 %", bears(4)).wanted(0.93, 0.9),
        model("bears 6, 40 to 90 ms ± 50 %", bears(6)).wanted(0.91, 0.88),
    ]
}

fn drift() -> Latency {
    (0..12).fold(php(6), |latency, step| latency.slow(millis(step * 1_000), millis(100_000), 1.1))
}

/// How long the requests took, without the idle times.
fn play(model: &Model, bounds: RangeInclusive<usize>, seed: u64) -> f64 {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let limiter = AdaptiveLimiter::new(bounds);
        let machine = Machine::new(model.latency.clone().seed(seed));
        let rng = RefCell::new(StdRng::seed_from_u64(seed));
        let (begun, in_flight) = (Instant::now(), Cell::new(0));
        let fails = |now: Instant| match model.trouble {
            Trouble::None => false,
            Trouble::OneIn(many) => rng.borrow_mut().random_ratio(1, many),
            Trouble::Refused(from, lasts) => (from..from + lasts).contains(&(now - begun)),
            Trouble::MoreThan(most) => in_flight.get() >= most,
        };
        let request = async || {
            let _turn = limiter.turn().await;
            let _place = limiter.permit(Operation::Update).await;
            let sent = Instant::now();
            if fails(sent) {
                sleep(millis(2)).await;
                limiter.ended(Operation::Update, How::Troubled, sent.elapsed());
                return false;
            }
            in_flight.update(|count| count + 1);
            machine.work().await;
            in_flight.update(|count| count - 1);
            limiter.ended(Operation::Update, How::Answered, sent.elapsed());
            true
        };
        let mut took = Duration::ZERO;
        for (requests, idle) in model.bursts {
            let (left, since) = (Cell::new(*requests), Instant::now());
            let asker = async || {
                while left.get() > 0 {
                    left.update(|count| count - 1);
                    while !request().await {
                        sleep(RETRY).await;
                    }
                }
            };
            join_all((0..model.askers).map(|_| asker())).await;
            took += since.elapsed();
            sleep(*idle).await;
        }
        took.as_secs_f64()
    })
}

/// A line of the table, and whether it is as wanted.
fn measure(model: &Model, seeds: u64) -> (String, bool) {
    let play = |bounds: RangeInclusive<usize>| -> Vec<f64> {
        (0..seeds).map(|seed| play(model, bounds.clone(), seed)).collect()
    };
    let fixed: Vec<Vec<f64>> = (1..=MOST).map(|number| play(number..=number)).collect();
    let in_all = |times: &Vec<f64>| times.iter().sum::<f64>();
    let best = (0..MOST).min_by(|a, b| in_all(&fixed[*a]).total_cmp(&in_all(&fixed[*b]))).unwrap();
    let own = play(1..=MOST);
    let mut ratios: Vec<f64> = fixed[best].iter().zip(&own).map(|(best, own)| best / own).collect();
    ratios.sort_by(f64::total_cmp);
    let (median, worst) = (ratios[ratios.len() / 2], ratios[0]);
    let wanted = model.wanted;
    let line =
        format!("| {} | {} | {median:.3} | {worst:.3} | {} | {} |", model.name, best + 1, wanted.0, wanted.1);
    (line, median >= wanted.0 && worst >= wanted.1)
}

#[expect(clippy::disallowed_methods, reason = "how much to try is no setting of the service")]
fn runs() -> u64 {
    std::env::var("KIMAI_SYNC_PACE_RUNS").map_or(RUNS, |runs| runs.parse::<u64>().unwrap().clamp(1, 100))
}

#[test]
fn it_gets_done_what_the_best_fixed_number_does() {
    let seeds = runs();
    let models: Vec<Model> = pools().into_iter().chain(others()).collect();
    let (next, missed) = (Mutex::new(0), Mutex::new(Vec::new()));
    println!("| Kimai | best fixed number | median | worst | median wanted | worst wanted |");
    println!("|---|---|---|---|---|---|");
    let work = || {
        loop {
            let number = {
                let mut next = next.lock().unwrap();
                *next += 1;
                *next - 1
            };
            let Some(model) = models.get(number) else { return };
            let (line, as_wanted) = measure(model, seeds);
            println!("{line}");
            if !as_wanted {
                missed.lock().unwrap().push(line);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "missed:\n{}", missed.join("\n"));
}
