//! When to sweep by itself: the cron pattern in UTC, never two sweeps at once, and one at start.
//!
//! # Caveats
//! The scheduler underneath keeps the UTC offset of the moment a job was made and starts a job again
//! while it still runs: hence UTC only, and the guard here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::ToSpan;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::engine::Engine;
use crate::queue::Reason;
use crate::reconcile::sweep::Period;
use crate::runs::progress::Progress;

/// How long to wait before the sweep at start is tried again, in seconds: first, and at most.
const PAUSES: (u64, u64) = (2, 60);

/// How often what is kept aside is tried by itself.
const PARKED_RETRY: Duration = Duration::from_hours(24);

/// Today and `days` before and after it, in the zone of the engine's clock.
pub fn around_today(engine: &Engine, days: i64) -> Period {
    let today = engine.clock.today();
    let shifted = |days: i64| today.checked_add(days.days()).unwrap_or(today);
    Period { first: shifted(-days), last: shifted(days) }
}

/// Sweeps by `pattern` over `days` around today until `stop` is cancelled.
pub async fn run(engine: Engine, pattern: &str, days: i64, stop: CancellationToken) -> anyhow::Result<()> {
    let mut scheduler = JobScheduler::new().await?;
    let busy = Arc::new(AtomicBool::new(false));
    let job = Job::new_async(pattern, move |_, _| {
        let (engine, busy) = (engine.clone(), Arc::clone(&busy));
        Box::pin(async move {
            if busy.swap(true, Ordering::AcqRel) {
                warn!("The last scheduled sweep is still under way; this one is left out.");
                return;
            }
            if let Err(failure) =
                engine.sweeper.sweep(around_today(&engine, days), None, &Progress::unwatched()).await
            {
                error!("The scheduled sweep failed: {failure}. The next one tries again.");
            }
            busy.store(false, Ordering::Release);
        })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    stop.cancelled().await;
    scheduler.shutdown().await?;
    Ok(())
}

/// Sweeps once, as soon as both sides answer: for what was missed while the service was down.
pub async fn catch_up(engine: Engine, days: i64, stop: CancellationToken) {
    let (mut pause, longest) = PAUSES;
    info!("Looking for what was missed while the service was down");
    while let Err(failure) =
        engine.sweeper.sweep(around_today(&engine, days), None, &Progress::unwatched()).await
    {
        warn!("The sweep at start has to wait: {failure}. Trying again in {pause} s.");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(pause)) => {}
        }
        pause = (pause * 2).min(longest);
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
