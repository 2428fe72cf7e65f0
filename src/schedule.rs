//! Schedules sweeps: the cron pattern in UTC, never two sweeps at once, and one at start.
//!
//! # Caveats
//! The scheduler library keeps the UTC offset of the moment a job was created, and starts a job again while it still
//! runs: hence UTC only, and the check for a running sweep. It also keeps the time for which a job is due: if the
//! system clock is set back by a day, the job would run a day late, so the scheduler is then restarted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::delta::Refused;
use crate::domain::CronPattern;
use crate::jobs::{AskedBy, Jobs, Order, Task};
use crate::queue::Reason;
use crate::reconcile::sweep::Period;
use crate::reconcile::worker::Workers;
use crate::store::Queue;
use crate::store::sqlite::Storage;

/// How often parked work logs are retried automatically.
const PARKED_RETRY: Duration = Duration::from_hours(24);
/// The first retry after the start, so that a service that is stopped every night also retries.
const FIRST_PARKED_RETRY: Duration = Duration::from_hours(1);

/// The parts of a pattern that are due at the same second start within this time.
const SAME_MOMENT: Duration = Duration::from_millis(900);

/// How often to check whether the system clock was set back.
const CLOCK_LOOK: Duration = Duration::from_mins(1);

/// How often to check whether refused deltas can be saved now.
const REFUSED_RETRY: Duration = Duration::from_secs(1);

/// Today and `days` before and after it, in the zone of `clock`.
pub fn around_today(clock: &Clock, days: i64) -> Period {
    Period::around(clock.today(), days)
}

/// Requests sweeps according to `pattern` over `days` around today until `stop` is cancelled.
pub async fn run(
    clock: Clock,
    runs: Jobs,
    pattern: &str,
    days: i64,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let pattern = CronPattern::parse(pattern).map_err(anyhow::Error::msg)?;
    loop {
        let mut scheduler = scheduler(&clock, &runs, &pattern, days).await?;
        scheduler.start().await?;
        let stopped = stop.run_until_cancelled(set_back(&clock)).await.is_none();
        scheduler.shutdown().await?;
        if stopped {
            return Ok(());
        }
        warn!("The system clock was set back; the next scheduled sweep follows its new time.");
    }
}

/// A scheduler of all parts of `pattern`, with the current system clock.
async fn scheduler(
    clock: &Clock,
    runs: &Jobs,
    pattern: &CronPattern,
    days: i64,
) -> anyhow::Result<JobScheduler> {
    let scheduler = JobScheduler::new().await?;
    let last = Arc::new(Mutex::new(None));
    for part in pattern.parts() {
        let (clock, runs, last) = (clock.clone(), runs.clone(), Arc::clone(&last));
        let job = Job::new_async(part, move |_, _| {
            let (clock, runs, first) = (clock.clone(), runs.clone(), is_first(&last));
            Box::pin(async move {
                if first {
                    sweep(&clock, &runs, days).await;
                }
            })
        })?;
        scheduler.add(job).await?;
    }
    Ok(scheduler)
}

/// Waits until the system clock is set back by a step that [`Clock::last_step`] reports.
async fn set_back(clock: &Clock) {
    let mut known = clock.last_step();
    loop {
        tokio::time::sleep(CLOCK_LOOK).await;
        clock.now(); // looks at the system clock
        let last = clock.last_step();
        if last != known && last.is_some_and(|step| step.by.is_negative()) {
            return;
        }
        known = last;
    }
}

/// Whether this is the first part of the pattern to be due at this moment: both may be at once.
fn is_first(last: &Mutex<Option<Instant>>) -> bool {
    let now = Instant::now();
    let before = last.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
    before.is_none_or(|before| now.duration_since(before) >= SAME_MOMENT)
}

async fn sweep(clock: &Clock, runs: &Jobs, days: i64) {
    if runs.is_under_way(|run| run.asked_by == AskedBy::Cron) {
        warn!("The last scheduled sweep is still running; this one is skipped.");
        return;
    }
    let order = Order::new(Task::Sweep(around_today(clock, days)), AskedBy::Cron);
    if let Err(fault) = runs.ask(order).await {
        error!("The scheduled sweep could not start: {fault}. The next one will retry.");
    }
}

/// Requests a sweep as soon as both sides answer, to find what was missed while the service was down. A resumed sweep
/// of the same days is enough.
pub async fn catch_up(clock: Clock, runs: Jobs, days: i64) {
    let task = Task::Sweep(around_today(&clock, days));
    if runs.is_under_way(|run| run.task == task) {
        return;
    }
    info!("Looking for what was missed while the service was down");
    if let Err(fault) = runs.ask(Order::new(task, AskedBy::Start)).await {
        error!("The sweep at start could not start: {fault}. The next scheduled one finds what was missed.");
    }
}

/// Queues the work logs of deltas that could not be saved.
pub struct Refusals {
    /// The work logs.
    pub refused: Refused,
    /// Queues them.
    pub queue: Arc<dyn Queue>,
    /// The file that has to be writable.
    pub storage: Storage,
    /// The time.
    pub clock: Clock,
}

/// Queues the work logs of deltas that could not be saved as soon as that is possible, and requests a sweep over `days`
/// around today, if sweeps are enabled: not all refused work logs may have been stored.
pub async fn make_up_for_refused(refusals: Refusals, runs: Jobs, days: Option<i64>, stop: CancellationToken) {
    let Refusals { refused, queue, storage, clock } = refusals;
    let made_up = async {
        loop {
            refused.any().await;
            let named = loop {
                tokio::time::sleep(REFUSED_RETRY).await;
                let named = refused.all();
                let due = clock.now();
                if storage.probe().await.is_ok() && queue.put_named(&named, due).await.is_ok() {
                    break named;
                }
            };
            refused.forget(&named);
            info!("Queued {} work logs of deltas that could not be saved", named.len());
            if let Some(days) = days {
                let order = Order::new(Task::Sweep(around_today(&clock, days)), AskedBy::Recovery);
                if let Err(fault) = runs.ask(order).await {
                    error!(
                        "The sweep for refused deltas could not start: {fault}. The next one finds what was missed."
                    );
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = made_up => {}
    }
}

/// Retries everything that is parked, an hour after the start and then once a day: budgets grow and locked periods end
/// without notice.
pub async fn retry_parked_daily(workers: Arc<Workers>, stop: CancellationToken) {
    let mut pause = FIRST_PARKED_RETRY;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = PARKED_RETRY;
        let woken = workers.wake_parked(Reason::Daily).await;
        info!("Retrying {woken} parked work logs");
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::tz::TimeZone;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_is_noticed_and_one_that_is_put_right_by_seconds_is_not() {
        let clock = Clock::starting_at("2024-09-02T11:30:00Z".parse().unwrap(), TimeZone::UTC);
        let mut noticed = Box::pin(set_back(&clock));
        let mut within =
            async |minutes| tokio::time::timeout(Duration::from_mins(minutes), &mut noticed).await.is_ok();
        assert!(!within(60).await);
        clock.set(SignedDuration::from_hours(5));
        assert!(!within(60).await);
        clock.set(SignedDuration::from_secs(-59));
        assert!(!within(60).await);
        clock.set(SignedDuration::from_hours(-48));
        assert!(within(2).await);
    }
}
