//! The end of a history with restored databases: sweeps, each confirmed if it holds something back, until all is right.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::super::check::Look;
use super::super::engine::Engine;
use super::super::fixtures::{self, DAYS};
use super::super::history::{What, Who};
use super::Sim;
use crate::domain::finding::Unconfirmed;
use crate::progress::Progress;
use crate::queue::Reason;
use crate::reconcile::retry::Failure;
use crate::reconcile::sweep::Period;
use crate::store::Queue;

/// Sweeps after which all has to be right.
const MOST_SWEEPS: usize = 6;
/// What a sweep has queued is settled by then, unless it waits for the next one.
const SETTLES_WITHIN: Duration = Duration::from_mins(20);

impl Sim {
    pub(super) async fn rebuild(&mut self, engine: Engine) {
        engine.stop().await;
        drop(engine);
        // A confirmed sweep says whose each timesheet is from here on.
        self.world.state().reissued = None;
        let engine = self.start(0);
        engine.workers.wake_parked(Reason::Daily).await;
        for _ in 0..MOST_SWEEPS {
            let swept = self.confirmed_sweep(&engine).await;
            let quiet = timeout(SETTLES_WITHIN, engine.queue.quiet()).await.is_ok();
            match swept {
                Ok(0) if quiet && engine.ledger.loss().is_none() => break,
                Ok(_) if quiet || engine.ledger.loss().is_some() => {}
                Ok(_) => self.outcome.broken.push("it did not become quiet".to_owned()),
                // That Kimai has lost timesheets showed itself only after the plan: it stops, and the next one has them
                // in its plan. Whether the loss is over is looked at in the end.
                Err(Failure::KimaiLostData(_)) => {}
                Err(failure) => {
                    self.outcome
                        .broken
                        .push(format!("a sweep failed although nothing went wrong: {failure}"));
                }
            }
        }
        self.look(&engine, Look::AfterSecondSweep).await;
        if let Some(loss) = engine.ledger.loss() {
            self.outcome.broken.push(format!("the loss is not over: {loss:?}"));
        }
        engine.stop().await;
    }

    /// A sweep after its plan, whose key it is given. How much it found to do.
    async fn confirmed_sweep(&mut self, engine: &Engine) -> Result<usize, Failure> {
        let sweeper = Arc::clone(&engine.sweeper);
        let period = Period { first: fixtures::day(-DAYS), last: fixtures::day(DAYS) };
        self.sweeps += 1;
        let (who, world) = (Who::Sweep(self.sweeps), Arc::clone(&self.world));
        let sweeping = engine.tasks.spawn(async move {
            world.state().enter(who.clone(), What::SweepBegan(-DAYS, DAYS));
            let plan = sweeper.plan(period, &Progress::unwatched()).await?;
            let confirmed = Some(Unconfirmed::of(&plan.findings)).filter(|set| !set.is_empty());
            let report = sweeper.sweep(period, confirmed.as_ref(), &Progress::unwatched()).await?;
            world.state().note(who, What::SweepEnded(Ok(Box::new(report.clone()))));
            Ok(report.queued + report.deleted + report.adopted)
        });
        sweeping.await.expect("a sweep does not panic")
    }
}
