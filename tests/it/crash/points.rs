//! Death at each named point, again and again in one place: what one life leaves behind is what the next
//! one dies over.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use kimai_sync::failpoint::crash::POINTS;
use kimai_sync::trackers::kimai::sandbox::{Fault, When};
use rand::Rng;
use rand::seq::SliceRandom;

use super::company::Mode;
use super::life::Life;
use super::trial::Trial;
use super::world::Change;
use super::{PATIENCE, number, seeds};

/// Kills at each point, unless told otherwise.
const KILLS: u64 = 10;
/// Histories side by side: most of the time each waits for its own.
const SIDE_BY_SIDE: usize = 6;

/// The n-th time at most that a point is reached when it is deadly.
fn depth(point: &str) -> usize {
    match point {
        "stopping" => 1,
        "patched" | "deleted" | "sweep half way" => 2,
        "delta parsed" | "delta saved" => 4,
        _ => 6,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_point_may_be_deadly() {
    let started = Instant::now();
    let histories = seeds(number("KIMAI_SYNC_KILLS").unwrap_or(KILLS));
    let (mut kills, mut promises, mut longest) = (0, 0, Duration::ZERO);
    let mut ended = stream::iter(histories).map(history).buffer_unordered(SIDE_BY_SIDE);
    while let Some((died, promised, settled)) = ended.next().await {
        (kills, promises, longest) = (kills + died, promises + promised, longest.max(settled));
    }
    println!(
        "{kills} kills, {promises} acknowledged changes: none lost, none doubled; settled after {longest:?} at most; {:?}",
        started.elapsed()
    );
}

/// Dies once at each point, in an order of its own. Gives the number of deaths and of promises, and how
/// long it took to settle in the end.
async fn history(seed: u64) -> (usize, usize, Duration) {
    let mode = if seed.is_multiple_of(2) { Mode::Stack } else { Mode::Standalone };
    let mut trial = Trial::new("points", seed, mode).await;
    let mut points = POINTS;
    points.shuffle(&mut trial.rng);
    for point in points {
        let time = trial.rng.random_range(1..=depth(point));
        let deadly = format!("{point}:{time}");
        befall(&mut trial);
        let mut life = trial.live(&deadly, &[("KIMAI_SYNC_CRASH_AT", &deadly)]).await;
        until_dead(&mut trial, &mut life, point).await;
        trial.fence().await;
    }
    let settled = trial.settle(PATIENCE).await;
    (points.len(), trial.promises, settled)
}

/// Kimai and the network have their days, too.
fn befall(trial: &mut Trial) {
    if trial.rng.random_bool(0.25) {
        let late = Duration::from_millis(trial.rng.random_range(50..400));
        let fault = match trial.rng.random_range(0..3) {
            0 => Fault::cut().applied(),
            1 => Fault::torn(),
            _ => Fault::wait(late),
        };
        let passed = trial.rng.random_range(0..3);
        trial.company.kimai.fault(When::next("POST", "/api/timesheets").after(passed), fault);
    }
    if trial.rng.random_bool(0.1) {
        let method = if trial.rng.random_bool(0.5) { "PATCH" } else { "DELETE" };
        trial.company.kimai.fault(When::next(method, "/api/timesheets/*"), Fault::cut().applied());
    }
}

/// People work until the program dies, mostly at what leads it to `point`.
async fn until_dead(trial: &mut Trial, life: &mut Life, point: &str) {
    let started = Instant::now();
    trial.tell(life).await; // what the last life did not hear
    let mut steps_until_stop = if point == "stopping" { trial.rng.random_range(1..6) } else { usize::MAX };
    loop {
        let pause = Duration::from_millis(trial.rng.random_range(0..60));
        if let Some(status) = life.ends_within(pause).await {
            if status.signal() != Some(6) {
                trial.fail(&format!("it was to die at {point:?}, and ended with {status}"));
            }
            return;
        }
        if started.elapsed() > PATIENCE {
            trial.fail(&format!("{point:?} was never reached as often as it was to be"));
        }
        if steps_until_stop == 0 {
            life.signal("TERM").await;
        }
        steps_until_stop = steps_until_stop.wrapping_sub(1);
        let focused = trial.rng.random_bool(0.5);
        let change = match point {
            "patched" if focused => Change::Update,
            "deleted" if focused => Change::Delete,
            _ => trial.draw(),
        };
        trial.step(life, change).await;
        let sweep = point == "sweep half way";
        if sweep || point.starts_with("delta") || trial.rng.random_bool(0.1) {
            trial.bother(life, sweep).await;
        }
    }
}
