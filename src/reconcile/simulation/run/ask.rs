//! Requests of people: to sweep, to check one timesheet, to overwrite an exported one.

use std::sync::Arc;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::Sim;
use crate::domain::{EntryId, WorkLogUri};
use crate::progress::Progress;
use crate::reconcile::simulation::engine::Engine;
use crate::reconcile::simulation::fixtures;
use crate::reconcile::simulation::history::{What, Who};
use crate::reconcile::sweep::Period;
use crate::store::Queue;

impl Sim {
    /// Somebody asks for one, or for all that are parked, as page and command line do.
    pub(super) fn overwrite(&mut self, engine: &Engine) {
        let parked = engine.queue.parked_exported();
        let Some(one) = parked.choose(&mut self.rng).cloned() else { return };
        let all = self.rng.random_ratio(1, 4);
        let (world, queue) = (Arc::clone(&self.world), Arc::clone(&engine.queue));
        engine.tasks.spawn(async move {
            {
                let mut state = world.state();
                // Of all, any may be parked by the time it is on disk.
                let every: Vec<WorkLogUri> = state.work_logs.keys().cloned().collect();
                for work_log in if all { every } else { vec![one.clone()] } {
                    state.note(Who::People, What::OverwriteAsked(work_log.clone()));
                    state.ask(work_log);
                }
            }
            if all { queue.overwrite_exported().await.map(drop) } else { queue.overwrite(&one).await }
        });
    }

    pub(super) fn check(&mut self, engine: &Engine) {
        let ids: Vec<EntryId> = self.world.state().timesheets.keys().copied().collect();
        let Some(id) = ids.choose(&mut self.rng).copied() else { return };
        self.sweeps += 1;
        let who = Who::Check(self.sweeps);
        let (world, sweeper) = (Arc::clone(&self.world), Arc::clone(&engine.sweeper));
        engine.tasks.spawn(async move {
            world.state().enter(who.clone(), What::CheckBegan(id));
            let result = sweeper.remove_orphan(id).await;
            world.state().note(who, What::CheckEnded(result.map_err(|failure| failure.to_string())));
        });
    }

    /// A sweep to be awaited; it says whether it went well.
    pub(super) fn sweep(
        &mut self,
        engine: &Engine,
        first: i32,
        last: i32,
    ) -> impl Fn() -> futures_util::future::BoxFuture<'static, bool> + Send + 'static {
        self.sweeps += 1;
        let who = Who::Sweep(self.sweeps);
        let (world, sweeper) = (Arc::clone(&self.world), Arc::clone(&engine.sweeper));
        let period = Period { first: fixtures::day(first), last: fixtures::day(last) };
        move || {
            let (world, sweeper, who) = (Arc::clone(&world), Arc::clone(&sweeper), who.clone());
            Box::pin(async move {
                world.state().enter(who.clone(), What::SweepBegan(first, last));
                let result = sweeper.sweep(period, None, &Progress::unwatched()).await;
                let went_well = result.is_ok();
                let how = result.map(Box::new).map_err(|failure| failure.to_string());
                world.state().note(who, What::SweepEnded(how));
                went_well
            })
        }
    }
}
