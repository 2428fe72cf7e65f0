//! When to sweep by itself: the cron pattern in UTC, never two sweeps at once, and one at start.
//!
//! Between two sweeps nothing runs here but a look at the clock, once an hour.

use std::time::Duration;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::engine::Engine;
use crate::queue::Reason;
use crate::reconcile::sweep::Period;
use crate::runs::{AskedBy, Order, Runs, Task};

/// The longest sleep: that soon it is noticed that the machine's clock was put right, or stood still.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);
/// How often what is kept aside is tried by itself.
const PARKED_RETRY: Duration = Duration::from_hours(24);

/// Today and `days` before and after it, in the zone of the engine's clock.
pub fn around_today(engine: &Engine, days: i64) -> Period {
    Period::around(engine.clock.today(), days)
}

/// The times that a pattern of six fields names. Both its day fields have to fit where both are given.
pub fn pattern(text: &str) -> Result<Cron, CronError> {
    CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build().parse(text)
}

/// The times of `pattern` after `now`, in UTC; none if it never comes.
pub fn after(pattern: &Cron, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let from = chrono::DateTime::from_timestamp(now.as_second(), 0);
    let times = from.into_iter().flat_map(|from| pattern.clone().iter_after(from));
    times.filter_map(|time| Timestamp::from_second(time.timestamp()).ok())
}

/// Asks for sweeps by `pattern` over `days` around today until `stop` is cancelled.
pub async fn run(
    engine: Engine,
    runs: Runs,
    text: &str,
    days: i64,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let pattern = pattern(text)?;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            came = next(&pattern, &engine.clock) => if !came { return Ok(()) },
        }
        if runs.is_under_way(|run| run.asked_by == AskedBy::Cron) {
            warn!("The last scheduled sweep is still under way; this one is left out.");
            continue;
        }
        let task = Task::Sweep(around_today(&engine, days));
        if let Err(fault) = runs.ask(Order::new(task, AskedBy::Cron)).await {
            error!("The scheduled sweep could not begin: {fault}. The next one tries again.");
        }
    }
}

/// Waits for the next time of `pattern`; `false` at once if none comes any more.
async fn next(pattern: &Cron, clock: &Clock) -> bool {
    let mut from = clock.now();
    while let Some(next) = after(pattern, from).next() {
        loop {
            let now = clock.now();
            if now >= next {
                return true;
            }
            if now < from {
                // The clock was put back: there may be other times before.
                from = now;
                break;
            }
            clock.sleep_until(next.min(clock.after(LONGEST_SLEEP))).await;
        }
    }
    false
}

/// Asks for a sweep as soon as both sides answer: for what was missed while the service was down. One of
/// the same days that a stop cut off, and that goes on now, does as well.
pub async fn catch_up(engine: Engine, runs: Runs, days: i64) {
    let task = Task::Sweep(around_today(&engine, days));
    if runs.is_under_way(|run| run.task == task) {
        return;
    }
    info!("Looking for what was missed while the service was down");
    if let Err(fault) = runs.ask(Order::new(task, AskedBy::Start)).await {
        error!("The sweep at start could not begin: {fault}. The next scheduled one finds what was missed.");
    }
}

/// Tries everything that is kept aside again, once a day: budgets grow, lockdowns end, and nobody tells.
pub async fn retry_parked_daily(engine: Engine, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PARKED_RETRY) => {}
        }
        let woken = engine.workers.wake_parked(Reason::Daily).await;
        info!("Trying {woken} work logs again that were kept aside");
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_sweep_is_due_at_each_time_once_and_what_passes_meanwhile_is_left_out() {
        let clock = Clock::starting_at(at("2026-03-28T23:30:00.5Z"), TimeZone::UTC);
        let pattern = pattern("0 0 */2 * * *").unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            assert!(next(&pattern, &clock).await);
            seen.push(clock.now().to_string()[11..16].to_owned());
            if seen.len() == 2 {
                // The sweep takes that long to ask for.
                clock.sleep_until(at("2026-03-29T06:00:00Z")).await;
            }
        }
        assert_eq!(seen, ["00:00", "02:00", "08:00"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_never_comes_ends_it() {
        let clock = Clock::starting_at(at("2026-03-28T23:30:00Z"), TimeZone::UTC);
        assert!(!next(&pattern("0 0 0 30 2 *").unwrap(), &clock).await, "there is no 30 February");
        assert!(pattern("0 0 0 * *").is_err(), "five fields");
    }
}
