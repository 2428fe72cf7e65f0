//! One history: from a seed to the checker's result.

mod ask;
mod company;
mod rebuild;
mod rest;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::check;
use super::engine::Engine;
use super::faults::Weather;
use super::fixtures::{DAYS, Values};
use super::history::{What, Who};
use super::restore::{Backup, Restore};
use super::scenario::{Act, Outcome, Scenario};
use super::workload::{self, Step};
use super::world::World;
use crate::delta::Found;
use crate::domain::{EntryId, WorkLogUri};
use crate::store::sqlite::memory::Memory;

/// Milliseconds.
const HOUR: i64 = 3_600_000;
/// Until then nothing goes wrong: the company has its first timesheet.
const FOUNDED: i64 = 2_000;

#[derive(Debug, Clone)]
enum Event {
    Change,
    Step {
        work_log: WorkLogUri,
        step: Step,
        /// Whether deltas tell of it; chance decides where nobody did.
        heard: Option<bool>,
    },
    Delta {
        work_log: WorkLogUri,
        removed: bool,
        version: u32,
    },
    Sweep(i32, i32),
    /// Somebody asks for a timesheet to be checked, by HTTP.
    Check,
    /// Somebody asks for the exported timesheet of a work log to be overwritten.
    Overwrite,
    Crash {
        storage_lost: bool,
    },
    Weather(Weather),
    /// Somebody corrects the zone of the token's user.
    TokenCorrected,
    /// The machine's clock takes a step.
    Clock(i64),
    Backup,
    Restore(Restore),
}

enum End {
    Crashed { storage_lost: bool },
    Restored(Restore),
    Quiet,
}

struct Sim {
    plan: Scenario,
    world: Arc<World>,
    disk: Memory,
    rng: ChaCha8Rng,
    agenda: BTreeMap<(i64, u64), Event>,
    /// Keeps events of the same millisecond in order.
    turn: u64,
    last_values: Option<Values>,
    sweeps: u64,
    backup: Option<Backup>,
    outcome: Outcome,
}

/// Plays the history of a scenario to its end.
pub(super) fn simulate(plan: Scenario) -> Outcome {
    super::rng::seed(plan.seed);
    let mut sim = Sim::new(plan);
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime can be made");
        let end = runtime.block_on(sim.live());
        sim.world.freeze();
        // Every task dies where it stands.
        drop(runtime);
        match end {
            End::Crashed { storage_lost } => sim.lie_dead(storage_lost),
            End::Restored(restore) => {
                let Sim { backup, world, disk, .. } = &mut sim;
                if let Some(backup) = backup.as_ref() {
                    backup.put_back(restore, &mut world.state(), disk);
                }
                sim.lie_dead(false);
            }
            End::Quiet => break,
        }
    }
    let mut broken: Vec<String> = sim.world.state().history.broken().map(str::to_owned).collect();
    broken.extend(check::not_kept_aside(&sim.world.state().history));
    sim.outcome.broken.extend(broken);
    sim.outcome
}

impl Sim {
    fn new(plan: Scenario) -> Self {
        let world = Arc::new(World::new(plan.seed, plan.profile, plan.workers));
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        rng.set_stream(2);
        let outcome = Outcome {
            broken: Vec::new(),
            world: world.clone(),
            before_sweep: check::Found::default(),
            second_sweep: 0,
        };
        let mut sim = Self {
            world,
            disk: Memory::fresh(),
            rng,
            agenda: BTreeMap::new(),
            turn: 0,
            last_values: None,
            sweeps: 0,
            backup: None,
            outcome,
            plan,
        };
        sim.write_agenda();
        sim.world.state().script = sim.plan.script;
        sim.world.state().counting = sim.plan.counting;
        sim.world.state().exports = sim.plan.exports;
        sim.world.state().lag.most = sim.plan.lag;
        sim.found_company();
        sim
    }

    /// When changes come: in bursts, at ease, or with long silence between.
    fn write_agenda(&mut self) {
        for Act { at, work_log, step, heard } in self.plan.acts.clone() {
            self.at(at, Event::Step { work_log, step, heard: Some(heard) });
        }
        for at in self.plan.kills.clone() {
            self.at(at, Event::Crash { storage_lost: false });
        }
        let mut at = FOUNDED;
        for number in 0..self.plan.changes {
            at += match self.rng.random_range(0..10) {
                0..5 => self.rng.random_range(0..60),
                5..9 => self.rng.random_range(0..3_000),
                _ => self.rng.random_range(0..120_000),
            };
            self.at(at, Event::Change);
            if self.rng.random_ratio(self.plan.sweeps, 100) {
                let (first, last) = (self.rng.random_range(-DAYS..=0), self.rng.random_range(0..=DAYS));
                let all = self.rng.random();
                let later = self.rng.random_range(0..2_000);
                self.at(at + later, if all { Event::Sweep(-DAYS, DAYS) } else { Event::Sweep(first, last) });
            }
            if self.rng.random_ratio(1, 40) {
                self.at(at, Event::Check);
            }
            if self.plan.exports > 0 && self.rng.random_ratio(1, 15) {
                self.at(at, Event::Overwrite);
            }
            if self.plan.clock_steps > 0 && self.rng.random_ratio(self.plan.clock_steps, 100) {
                let by = self.rng.random_range(-3 * HOUR..3 * HOUR);
                let later = self.rng.random_range(0..2_000);
                self.at(at + later, Event::Clock(by));
            }
            if let Some(restore) = self.plan.restore {
                if number == self.plan.changes / 3 {
                    self.at(at, Event::Backup);
                }
                if number == self.plan.changes * 2 / 3 {
                    self.at(at, Event::Restore(restore));
                }
            }
            if self.rng.random_ratio(self.plan.crashes, 100) {
                let storage_lost =
                    self.plan.storage_lost > 0 && self.rng.random_ratio(1, self.plan.storage_lost);
                let soon = self.rng.random();
                let later = self.rng.random_range(0..if soon { 150 } else { 5_000 });
                self.at(at + later, Event::Crash { storage_lost });
            }
            if self.plan.faults > 0 && self.rng.random_ratio(1, 12) {
                let weather = self.weather();
                self.at(at, Event::Weather(weather));
            }
            if self.plan.counting.token_away && self.rng.random_ratio(1, 10) {
                self.at(at, Event::TokenCorrected);
            }
        }
    }

    fn weather(&mut self) -> Weather {
        let faults = self.plan.faults;
        let mut rate = || match self.rng.random_range(0..10) {
            0..2 => 0,
            2 => 100,
            _ => faults,
        };
        let (kimai, triplestore) = (rate(), rate());
        Weather { kimai, triplestore, blind: self.rng.random_ratio(1, 15) }
    }

    fn at(&mut self, at: i64, event: Event) {
        self.turn += 1;
        self.agenda.insert((at, self.turn), event);
    }

    /// One life of the service, to its death or to the end of all.
    async fn live(&mut self) -> End {
        self.world.wake();
        let engine = self.start(self.plan.max_deletions);
        if self.plan.sweep_at_start {
            let sweeping = self.sweep(&engine, -DAYS, DAYS);
            engine.tasks.spawn(async move {
                let mut pause = Duration::from_secs(2);
                while !sweeping().await {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_mins(1));
                }
            });
        }
        while let Some(((at, _), event)) = self.agenda.pop_first() {
            self.world.sleep_until(at).await;
            match event {
                Event::Crash { storage_lost } => return End::Crashed { storage_lost },
                Event::Restore(restore) => return End::Restored(restore),
                Event::Clock(by) => {
                    engine.clock.set(jiff::SignedDuration::from_millis(by));
                    self.happen(Event::Clock(by));
                }
                Event::Delta { work_log, removed, version } => {
                    self.deliver(&engine, work_log, removed, version);
                }
                Event::Sweep(first, last) => {
                    let sweeping = self.sweep(&engine, first, last);
                    engine.tasks.spawn(async move { sweeping().await });
                }
                Event::Check => self.check(&engine),
                Event::Overwrite => self.overwrite(&engine),
                other => self.happen(other),
            }
        }
        self.come_to_rest(engine).await;
        End::Quiet
    }

    fn start(&self, max_deletions: usize) -> Engine {
        self.world.state().note(Who::People, What::Started);
        Engine::start(&self.world, &self.disk, max_deletions)
    }

    /// What happens whether or not the service lives.
    fn happen(&mut self, event: Event) {
        let now = self.world.state().now;
        match event {
            Event::Change => {
                let state = self.world.state();
                let steps = workload::draw(&state, &self.plan, &mut self.last_values, &mut self.rng);
                drop(state);
                for (later, work_log, step) in steps {
                    self.at(now + later, Event::Step { work_log, step, heard: None });
                }
            }
            Event::Step { work_log, step, heard } => self.step(&work_log, &step, heard),
            Event::Weather(weather) => {
                let mut state = self.world.state();
                state.weather = weather;
                state.note(Who::People, What::Weather(weather));
            }
            Event::TokenCorrected => self.world.state().counting.token_away = false,
            Event::Clock(by) => {
                let mut state = self.world.state();
                state.skew += by;
                state.note(Who::People, What::ClockSet(by));
            }
            Event::Backup => self.backup = Some(Backup::of(&self.world.state(), &self.disk)),
            Event::Delta { .. }
            | Event::Sweep(..)
            | Event::Check
            | Event::Overwrite
            | Event::Crash { .. } => {}
            // The service is down anyway.
            Event::Restore(restore) => {
                if let Some(backup) = &self.backup {
                    backup.put_back(restore, &mut self.world.state(), &mut self.disk);
                }
            }
        }
    }

    /// A step of a change, and the deltas that tell of it: several, since several rules match, or none.
    fn step(&mut self, work_log: &WorkLogUri, step: &Step, heard: Option<bool>) {
        let mut state = self.world.state();
        let now = state.now;
        let Some(removed) = workload::take(&mut state, work_log, step) else { return };
        let version = state.work_logs.get(work_log).map_or(0, |stand| stand.version);
        let heard =
            heard.unwrap_or_else(|| now < FOUNDED || !self.rng.random_ratio(self.plan.deltas_lost, 100));
        if !heard {
            state.note(Who::People, What::DeltaLost(work_log.clone(), version));
            return;
        }
        drop(state);
        for _ in 0..self.rng.random_range(1..=5) {
            let slow = self.rng.random_ratio(1, 10);
            let later = self.rng.random_range(0..if slow { 6_000 } else { 250 });
            self.at(now + later, Event::Delta { work_log: work_log.clone(), removed, version });
        }
    }

    fn deliver(&mut self, engine: &Engine, work_log: WorkLogUri, removed: bool, version: u32) {
        let (world, intake) = (Arc::clone(&self.world), engine.intake.clone());
        engine.tasks.spawn(async move {
            let work_logs = BTreeMap::from([(work_log.clone(), removed)]);
            let found = Found { work_logs, ..Found::default() };
            if intake.accept(&found).await.is_ok() {
                world.state().accept(work_log, version);
            }
        });
    }

    /// Between two lives: what comes meanwhile finds nobody.
    fn lie_dead(&mut self, storage_lost: bool) {
        {
            let mut state = self.world.state();
            state.callers.clear();
            state.note(Who::People, What::Crashed(storage_lost));
            let changing = std::mem::take(&mut state.changing);
            state.doubtful.extend(changing.into_values());
            let running = std::mem::take(&mut state.leave);
            for work_log in running {
                state.ask(work_log);
            }
            if storage_lost {
                state.asked.clear();
                let changed = state.timesheets.iter().filter(|(_, timesheet)| timesheet.is_overwritten());
                let changed: Vec<EntryId> = changed.map(|(id, _)| *id).collect();
                state.beyond_help.extend(changed);
                state.lose_storage();
                self.disk = Memory::fresh();
            }
        }
        let long = self.rng.random_ratio(1, 5);
        let until = self.world.state().now + self.rng.random_range(0..if long { 60_000 } else { 800 });
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 < until) {
            let ((at, _), event) = entry.remove_entry();
            self.world.state().turn_to(at);
            match event {
                Event::Delta { work_log, version, .. } if self.rng.random() => {
                    self.world.state().note(Who::People, What::DeltaLost(work_log, version));
                }
                Event::Delta { .. } => {
                    let later = self.rng.random_range(100..3_000);
                    self.at(at + later, event);
                }
                // Set forward while nobody counts, the clock would make a creation older than it is.
                Event::Clock(by) => self.happen(Event::Clock(-by.abs())),
                other => self.happen(other),
            }
        }
        self.world.state().turn_to(until);
    }
}
