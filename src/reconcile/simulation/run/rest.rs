//! The end of a history, without further faults: everything has to become idle, then right.

use std::time::Duration;

use tokio::time::timeout;

use super::super::check::{self, Look};
use super::super::engine::Engine;
use super::super::faults::Weather;
use super::super::fixtures::DAYS;
use super::super::history::{What, Who};
use super::Sim;
use crate::domain::{EntryId, WorkLogUri};
use crate::queue::Reason;
use crate::store::Queue;

/// All is quiet by then when nothing goes wrong any more: ten times the longest pause of an incomplete work log.
const SETTLES_WITHIN: Duration = Duration::from_hours(2);
/// After that long, whatever was under way has arrived or never will.
const LAST_ARRIVALS: i64 = 100_000;

impl Sim {
    /// Nothing goes wrong any more. All has to become quiet, then right.
    pub(super) async fn come_to_rest(&mut self, engine: Engine) {
        let now = {
            let mut state = self.world.state();
            state.weather = Weather::default();
            state.script = None;
            state.counting.token_away = false;
            state.exports = 0;
            state.note(Who::People, What::Weather(Weather::default()));
            state.now
        };
        self.world.sleep_until(now + LAST_ARRIVALS).await;
        if self.world.state().restored {
            return self.rebuild(engine).await;
        }
        self.look(&engine, Look::BeforeSweep).await;
        engine.stop().await;
        self.world.state().note(Who::People, What::Stopped);
        drop(engine);
        let engine = self.start(10_000);
        engine.workers.wake_parked(Reason::Daily).await;
        let sweep = self.sweep(&engine, -DAYS, DAYS);
        if !engine.tasks.spawn(sweep()).await.expect("a sweep does not panic") {
            self.outcome.broken.push("the last sweep failed although nothing went wrong".to_owned());
        }
        self.look(&engine, Look::AfterSweep).await;
        if self.outcome.second_sweep > 0 {
            let sweep = self.sweep(&engine, -DAYS, DAYS);
            engine.tasks.spawn(sweep()).await.expect("a sweep does not panic");
            self.look(&engine, Look::AfterSecondSweep).await;
        }
        engine.stop().await;
    }

    pub(super) async fn look(&mut self, engine: &Engine, look: Look) {
        if timeout(SETTLES_WITHIN, engine.queue.quiet()).await.is_err() {
            self.outcome.broken.push(format!("{look:?}: it did not become quiet within {SETTLES_WITHIN:?}"));
            return;
        }
        let ids: Vec<EntryId> = self.world.state().timesheets.keys().copied().collect();
        let work_logs: Vec<WorkLogUri> = self.world.state().work_logs.keys().cloned().collect();
        let service = check::Service::ask(engine, &ids, &work_logs).await;
        let state = self.world.state();
        let found = check::look(&state, &service, look);
        // A lost storage, and a second link, take two sweeps.
        let twice = state.storage > 0 || !state.linked_by_hand.is_empty();
        if look == Look::AfterSweep && twice && found.rules().next().is_some() {
            self.outcome.second_sweep += 1;
            return;
        }
        self.outcome.broken.extend(found.rules().map(|rule| format!("{look:?}: {rule}")));
        match look {
            Look::BeforeSweep => self.outcome.before_sweep = found,
            Look::AfterSweep | Look::AfterSecondSweep => self.outcome.before_sweep.remnants += found.remnants,
        }
    }
}
