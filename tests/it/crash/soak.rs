//! Everything at once for a while: 50 changes a second, a Kimai that is up 60 % of the time and loses
//! 5 % of its answers to new timesheets, and kill -9 every few seconds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kimai_sync::trackers::kimai::sandbox::{Fault, Sandbox, When};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::company::Mode;
use super::life::Life;
use super::number;
use super::trial::Trial;
use super::world::Change;

/// How long, in seconds, unless told otherwise.
const SECONDS: u64 = 30;
const CHANGES_A_SECOND: f64 = 50.0;
/// The work logs that there are at most: the rest of the changes are to these.
const POPULATION: usize = 300;
/// New timesheets whose answer is lost.
const LOST_ANSWERS: f64 = 0.05;
/// How long it may take after all that: the longest pause after failures is 5 minutes.
const PATIENCE: Duration = Duration::from_mins(6);
/// 100 MiB are promised of a release build.
const MOST_RESIDENT_KIB: u64 = if cfg!(debug_assertions) { 160 * 1024 } else { 100 * 1024 };
const MOST_DESCRIPTORS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_outages_and_kills_nothing_is_lost_or_doubled() {
    let seed = number("KIMAI_SYNC_SEED").unwrap_or(2);
    let length = Duration::from_secs(number("KIMAI_SYNC_SOAK_SECONDS").unwrap_or(SECONDS));
    let mut soak = Soak::begin(seed, length).await;
    let mut kills = 0;
    while soak.started.elapsed() < length {
        soak.one_life().await;
        kills += 1;
    }
    let Soak { mut trial, weather, figures, made, lost, started, .. } = soak;
    let worked = started.elapsed();
    trial.company.open_kimai().await;
    trial.company.kimai.clear_faults();
    let settled = trial.settle(PATIENCE).await;
    let Figures { resident, descriptors } = figures;
    let said = |words| trial.log.count(words);
    let (created, lost) = (said(": Created timesheet"), lost.load(Ordering::Relaxed));
    println!(
        "{made} changes and {kills} kills in {worked:.0?}, Kimai up {:.0} % of it: none lost, none doubled; settled \
         {settled:.1?} later; {created} created, {lost} answers lost, {} found again, {} updated, {} deleted, {} times Kimai seemed \
         down; at most {} MiB and {descriptors} file descriptors",
        100.0 * weather.up.as_secs_f64() / (weather.up + weather.down).as_secs_f64(),
        said(": Found timesheet"),
        said(": Updated timesheet"),
        said(": Deleted timesheet"),
        said("Kimai seems to be down"),
        resident / 1024
    );
    if kills < 3 || created < kills {
        trial.fail("hardly anything happened: this proves nothing");
    }
    if resident > MOST_RESIDENT_KIB || descriptors > MOST_DESCRIPTORS {
        trial.fail(&format!("it took {resident} KiB and {descriptors} file descriptors"));
    }
}

struct Soak {
    trial: Trial,
    weather: Weather,
    figures: Figures,
    /// Changes so far.
    made: usize,
    /// Answers to new timesheets that were lost so far.
    lost: Arc<AtomicUsize>,
    started: Instant,
    length: Duration,
}

/// The most that was seen.
#[derive(Default)]
struct Figures {
    resident: u64,
    descriptors: usize,
}

/// When Kimai's door or mood changes.
struct Weather {
    fair: bool,
    since: Instant,
    until: Instant,
    up: Duration,
    down: Duration,
}

impl Soak {
    async fn begin(seed: u64, length: Duration) -> Self {
        let trial = Trial::new("soak", seed, Mode::Standalone).await;
        let now = Instant::now();
        let weather =
            Weather { fair: true, since: now, until: now, up: Duration::ZERO, down: Duration::ZERO };
        let lost = Arc::default();
        lose_answers(&trial.company.kimai, seed, &lost);
        Self { trial, weather, figures: Figures::default(), made: 0, lost, started: now, length }
    }

    /// From a start to a kill -9.
    async fn one_life(&mut self) {
        // Some live long enough to give up on Kimai for a while and to come back to it.
        let long = self.length > Duration::from_mins(2) && self.trial.rng.random_bool(0.15);
        let seconds = if long { 20.0..40.0 } else { 1.0..5.0 };
        let rest = self.length.saturating_sub(self.started.elapsed());
        let span = Duration::from_secs_f64(self.trial.rng.random_range(seconds)).min(rest);
        let mut life = self.trial.live("until kill -9", &[]).await;
        while life.started.elapsed() < span {
            self.change_weather().await;
            self.work(&life).await;
            if let Some((resident, descriptors)) = life.resources() {
                self.figures.resident = self.figures.resident.max(resident);
                self.figures.descriptors = self.figures.descriptors.max(descriptors);
            }
            if let Some(status) = life.ends_within(Duration::from_millis(20)).await {
                self.trial.fail(&format!("it ended by itself, with {status}"));
            }
        }
        life.kill().await;
        self.trial.fence().await;
        self.trial.company.kimai.clear_requests();
    }

    /// Makes as many changes as are due by now.
    async fn work(&mut self, life: &Life) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of seconds times 50"
        )]
        let due = (self.started.elapsed().as_secs_f64() * CHANGES_A_SECOND) as usize;
        for _ in self.made..due {
            let full = self.trial.world.live() >= POPULATION;
            let change = match self.trial.draw() {
                Change::Create | Change::CreateTwins | Change::Revive if full => {
                    if self.trial.rng.random_bool(0.5) { Change::Update } else { Change::Delete }
                }
                drawn => drawn,
            };
            self.trial.change(change);
        }
        self.made = self.made.max(due);
        self.trial.tell(life).await;
    }

    /// Opens and closes Kimai when it is time.
    async fn change_weather(&mut self) {
        let now = Instant::now();
        let Self { trial, weather, lost, .. } = self;
        if now < weather.until {
            return;
        }
        let spent = now - weather.since;
        if weather.fair {
            weather.up += spent;
        } else {
            weather.down += spent;
        }
        weather.fair = !weather.fair;
        let seconds = trial.rng.random_range(if weather.fair { 1.5..6.0 } else { 1.0..4.0 });
        (weather.since, weather.until) = (now, now + Duration::from_secs_f64(seconds));
        trial.log.add(format!("(Kimai is {})", if weather.fair { "up" } else { "down" }));
        let kimai = trial.company.kimai.clone();
        kimai.clear_faults();
        if weather.fair {
            trial.company.open_kimai().await;
            lose_answers(&kimai, trial.rng.random(), lost);
        } else if trial.rng.random_bool(0.5) {
            trial.company.close_kimai().await;
        } else {
            let fault =
                if trial.rng.random_bool(0.5) { Fault::bad_gateway() } else { Fault::database_down() };
            for method in ["GET", "POST", "PATCH", "DELETE"] {
                for path in ["/api/timesheets", "/api/timesheets/*"] {
                    kimai.fault(When::next(method, path).times(usize::MAX), fault.clone());
                }
            }
        }
    }
}

/// Some of the new timesheets are stored, and their answers lost; `lost` counts them.
fn lose_answers(kimai: &Sandbox, seed: u64, lost: &Arc<AtomicUsize>) {
    let (rng, lost) = (Mutex::new(StdRng::seed_from_u64(seed)), Arc::clone(lost));
    let some = When::next("POST", "/api/timesheets").times(usize::MAX).only(move |_| {
        let unlucky = rng.lock().unwrap().random_bool(LOST_ANSWERS);
        lost.fetch_add(usize::from(unlucky), Ordering::Relaxed);
        unlucky
    });
    kimai.fault(some, Fault::cut().applied());
}
