//! One history: lives and deaths of the program in one place, with people at work all the while, and
//! the judgement at the end.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use kimai_sync::clock::Clock;
use kimai_sync::store::sqlite::{SqliteLedger, SqliteQueue, Storage};
use kimai_sync::store::{Ledger as _, Queue as _};
use kimai_sync::triplestore::{Row, Triplestore as _, results};
use rand::rngs::StdRng;
use rand::seq::{IteratorRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::company::{Company, Mode};
use super::life::{Life, Log};
use super::world::{Change, World, question};
use super::{PATIENCE, number, until};

/// What is sent in one go at most.
const GROUP: usize = 3;
/// Requests under way at most: each takes a file descriptor of the program.
const AT_ONCE: usize = 16;

pub(super) struct Trial {
    name: String,
    pub(super) company: Company,
    pub(super) world: World,
    pub(super) rng: StdRng,
    pub(super) log: Log,
    http: reqwest::Client,
    lives: usize,
    /// Changes that were acknowledged.
    pub(super) promises: usize,
}

/// What is left in the file of a stopped program.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leftovers {
    pub(super) intents: Vec<String>,
    /// Timesheets whose ids the triplestore is not known to have.
    pub(super) unlinked: Vec<String>,
    pub(super) waiting: usize,
    pub(super) parked: Vec<String>,
}

impl Trial {
    pub(super) async fn new(test: &str, seed: u64, mode: Mode) -> Self {
        let company = Company::found(mode).await;
        let http = kimai_sync::http_client::client_builder(PATIENCE).build().unwrap();
        let (world, rng) =
            (World::new(Clock::system(jiff::tz::TimeZone::UTC).today()), StdRng::seed_from_u64(seed));
        let name = format!("{test}-{seed}");
        Self { name, company, world, rng, log: Log::default(), http, lives: 0, promises: 0 }
    }

    /// Fails with what happened and how to see it again.
    pub(super) fn fail(&self, why: &str) -> ! {
        let (test, seed) = self.name.rsplit_once('-').unwrap();
        let log = self.log.keep(&self.name);
        let length =
            number("KIMAI_SYNC_SOAK_SECONDS").map(|seconds| format!(" KIMAI_SYNC_SOAK_SECONDS={seconds}"));
        let length = length.unwrap_or_default();
        panic!(
            "seed {seed} ({:?}), after {} lives: {why}\nPlay it again with: KIMAI_SYNC_SEED={seed}{length} cargo test \
             --test it crash::{test}\nWhat the program said: {log}",
            self.company.mode, self.lives
        );
    }

    /// A new life, with these settings on top.
    pub(super) async fn live(&mut self, what: &str, settings: &[(&str, &str)]) -> Life {
        self.lives += 1;
        let mut command = self.company.program(self.lives == 1);
        command.envs(settings.iter().copied());
        self.log.add(format!("---- life {}: {what}", self.lives));
        Life::start(command, &self.log).await
    }

    /// Makes a change, and gives the work logs that changed. The program is not told yet.
    pub(super) fn change(&mut self, change: Change) -> Vec<String> {
        let changed = self.world.change(change, &mut self.rng);
        self.log.add(format!("({changed:?} changed)"));
        changed
    }

    /// Makes a change or two, and tells the program. Whether it acknowledged all.
    pub(super) async fn step(&mut self, life: &Life, change: Change) -> bool {
        let mut changed = self.change(change);
        if self.rng.random_bool(0.4) {
            let other = self.draw();
            changed.extend(self.change(other));
        }
        self.made(life, changed).await
    }

    /// Makes one change, and tells the program. Whether it acknowledged it.
    pub(super) async fn single_step(&mut self, life: &Life, change: Change) -> bool {
        let changed = self.change(change);
        self.made(life, changed).await
    }

    async fn made(&mut self, life: &Life, changed: Vec<String>) -> bool {
        self.company.change(&self.world.statement(&changed)).await;
        self.tell(life).await
    }

    /// What people do.
    pub(super) fn draw(&mut self) -> Change {
        match self.rng.random_range(0..100) {
            0..45 => Change::Create,
            45..55 => Change::CreateTwins,
            55..75 => Change::Update,
            75..92 => Change::Delete,
            _ => Change::Revive,
        }
    }

    /// Says again whatever was not acknowledged, in several requests at once. Whether all of it is now.
    pub(super) async fn tell(&mut self, life: &Life) -> bool {
        let mut left: Vec<String> = self.world.unacknowledged.iter().cloned().collect();
        left.shuffle(&mut self.rng);
        let mut groups = Vec::new();
        while !left.is_empty() {
            let size = self.rng.random_range(1..=GROUP).min(left.len());
            groups.push(left.drain(..size).collect::<Vec<_>>());
        }
        let sent = groups.iter().map(|group| self.send(life, group));
        let sent: Vec<bool> = stream::iter(sent).buffered(AT_ONCE).collect().await;
        for group in groups.iter().zip(sent).filter_map(|(group, sent)| sent.then_some(group)) {
            for uri in group {
                self.promises += usize::from(self.world.unacknowledged.remove(uri));
            }
        }
        self.world.unacknowledged.is_empty()
    }

    /// Whether the program has taken these changes.
    async fn send(&self, life: &Life, uris: &[String]) -> bool {
        match self.company.mode {
            Mode::Stack => self.post(life, "/delta", self.world.delta(uris).to_string()).await,
            Mode::Standalone => {
                let request = self.http.post(format!("{}/sparql", life.base));
                let form = [("update", self.world.statement(uris))];
                self.acknowledged(request.form(&form)).await
            }
        }
    }

    /// Tells of some work log once more, and asks for a sweep if wanted.
    pub(super) async fn bother(&mut self, life: &Life, sweep: bool) {
        if sweep {
            let today = self.world.today();
            let period = json!({ "start": today, "end": today }).to_string();
            self.post(life, "/sync-to-kimai/work-logs", period).await;
            return;
        }
        let Some(uri) = self.world.work_logs.keys().choose(&mut self.rng).cloned() else { return };
        // What is still to be told is told in full.
        if !self.world.unacknowledged.contains(&uri) {
            self.post(life, "/delta", self.world.delta(&[uri]).to_string()).await;
        }
    }

    async fn post(&self, life: &Life, path: &str, body: String) -> bool {
        let request = self.http.post(format!("{}{path}", life.base));
        self.acknowledged(request.header("content-type", "application/vnd.api+json").body(body)).await
    }

    /// Only a success is a promise. A dead or stopping program answers nothing, or 503.
    async fn acknowledged(&self, request: reqwest::RequestBuilder) -> bool {
        let Ok(answer) = request.send().await else { return false };
        match answer.status().as_u16() {
            503 => false,
            200..300 => true,
            status => self.fail(&format!("answered {status}: {}", answer.text().await.unwrap_or_default())),
        }
    }

    /// Everything a dead process sent has reached Kimai when this returns.
    pub(super) async fn fence(&self) {
        self.company.fence(&self.http).await;
    }

    /// What is wrong at this moment.
    async fn faults(&self, life: &Life) -> Vec<String> {
        let rows = self.rows(life).await;
        self.world.faults(&rows, &self.company.kimai.timesheets())
    }

    async fn rows(&self, life: &Life) -> Vec<Row> {
        if let Some(store) = &self.company.store {
            return store.select(&question()).await.unwrap();
        }
        let request = self.http.post(format!("{}/sparql", life.base));
        let answer = request.form(&[("query", question())]).send().await.unwrap();
        results::parse(&answer.bytes().await.unwrap()).unwrap().rows
    }

    /// Lets the program finish, in as many more lives as it takes, and judges: both sides are as people
    /// left them, and nothing is open. Gives how long that took.
    pub(super) async fn settle(&mut self, patience: Duration) -> Duration {
        let started = Instant::now();
        loop {
            let mut life = self.live("to the end", &[]).await;
            let told = until(PATIENCE, async || self.tell(&life).await.then_some(())).await;
            if told.is_none() {
                self.fail(&format!("never acknowledged: {:?}", self.world.unacknowledged));
            }
            let rest = patience.saturating_sub(started.elapsed());
            let right = until(rest, async || {
                let complete = self.company.kimai.timesheets().len() == self.world.live();
                (complete && self.faults(&life).await.is_empty()).then_some(())
            });
            if right.await.is_none() {
                let faults = self.faults(&life).await;
                life.kill().await;
                self.fail(&format!("{}\nOpen: {:?}", faults.join("\n"), self.leftovers().await));
            }
            let ended = self.stop(&mut life).await;
            if ended.code() != Some(0) {
                self.fail(&format!("stopped with {ended}"));
            }
            let left = self.leftovers().await;
            if left == Leftovers::default() {
                return started.elapsed();
            }
            // A run that changes nothing may be due still, or an intent of a deleted work log be open.
            if started.elapsed() > patience || !left.parked.is_empty() {
                self.fail(&format!("both sides are right, but left over are {left:?}"));
            }
        }
    }

    /// SIGTERM, and how it ended.
    pub(super) async fn stop(&self, life: &mut Life) -> std::process::ExitStatus {
        life.signal("TERM").await;
        match life.ends_within(Duration::from_secs(10)).await {
            Some(status) => status,
            None => self.fail("still there 10 s after SIGTERM"),
        }
    }

    /// What is in the file, with no program running.
    pub(super) async fn leftovers(&self) -> Leftovers {
        let storage = Storage::open(&self.company.folder.path().join("data")).unwrap();
        let ledger = SqliteLedger::open(storage.clone()).unwrap();
        let intents = ledger.intents().await.unwrap();
        let intents = intents.into_iter().map(|(uri, intent)| format!("{uri}: {intent:?}")).collect();
        let unlinked = ledger.unlinked().await.unwrap().into_iter();
        let unlinked = unlinked.map(|(uri, id)| format!("{uri}: {id}")).collect();
        let queue = SqliteQueue::open(storage, Clock::system(jiff::tz::TimeZone::UTC)).unwrap();
        let parked = queue.parked().await.unwrap();
        let parked = parked.into_iter().map(|(uri, why)| format!("{uri}: {why}")).collect();
        Leftovers { intents, unlinked, waiting: queue.counts().await.unwrap().waiting(), parked }
    }
}
