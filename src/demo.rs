//! The demo: the service with an embedded triplestore, a sandbox Kimai on a loopback port, and a small company at work.
//! Every step goes through HTTP.

mod changes;
mod company;
mod report;

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::app::{self, Service};
use crate::clock::Clock;
use crate::domain::ids::{ActivityId, ProjectId, UserId};
use crate::engine::Engine;
use crate::progress::Progress;
use crate::reconcile::sweep::Period;
use crate::settings::{GuardSettings, Settings};
use crate::store::Queue;
use crate::store::sqlite::Storage;
use crate::trackers::kimai::sandbox::Sandbox;
use crate::triplestore::Triplestore;
use crate::triplestore::embedded::Embedded;
use crate::triplestore::query_log::QueryLog;
use crate::triplestore::statement::{Iri, Triples};
use crate::triplestore::vocabulary::PREFIXES;
use changes::Change;
use company::Entry;

/// The same company at every start.
const SEED: u64 = 7;
/// The pause between two changes.
const PAUSES: std::ops::RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(4);
/// Changes of `--once`.
const CHANGES_ONCE: usize = 16;
/// One in this many changes is a mistake, and one corrects it.
const MISTAKE_EVERY: usize = 12;
/// How long `--once` waits for everything to be in sync.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs the demo until `stop`, or with `once` until everything is in sync.
pub async fn run(once: bool, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let kimai = Sandbox::new(Clock::system(jiff::tz::TimeZone::UTC));
    let kimai_listener = TcpListener::bind("127.0.0.1:0").context("no free port for the sandbox Kimai")?;
    let kimai_address = format!("http://{}/api", kimai_listener.local_addr()?);
    let settings = settings(&kimai_address)?;
    report::start(&settings.log);
    company::found(&kimai);
    let kimai_server = kimai.serve(kimai_listener)?;
    let kimai_handle = kimai_server.handle();

    let store = Embedded::open(None, &settings.triplestore.application_graph)?;
    let clock = Clock::system(settings.zone.clone());
    let inside = Arc::new(store.clone().with_log(QueryLog::of(&settings.triplestore)));
    let engine = app::engine(&settings, inside, clock, Storage::in_memory()?)?;
    let listener = listener(&settings)?;
    let address = format!("http://{}", listener.local_addr()?);
    info!("Open {address} in a browser to see what happens; the triplestore answers at {address}/sparql");
    info!("Sandbox Kimai at {kimai_address} (Authorization: Bearer {}); Ctrl-C stops both", company::TOKEN);

    let tasks = TaskTracker::new();
    let ending = CancellationToken::new();
    let service = Service {
        engine: engine.clone(),
        listener,
        store: Some(store.clone()),
        guard: settings.guard.clone(),
        sweep: None,
    };
    tasks.spawn(kimai_server);
    let service = tasks.spawn(service.run(ending.clone()));
    let mut life = Life::new(engine, store, kimai, address, &settings.guard)?;
    let lived = tokio::select! {
        () = stop.cancelled() => Ok(None),
        lived = life.live(once) => lived.map(Some),
    };
    let summary = lived.map(|in_sync| (report::summary(&life, started.elapsed()), in_sync));
    ending.cancel();
    service.await.context("the service failed")??;
    kimai_handle.stop(false).await;
    tasks.close();
    let (summary, in_sync) = summary?;
    report::print(&summary)?;
    Ok(if in_sync == Some(false) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Waits until nothing is running or waiting. With `once` this fails after [`PATIENCE`]; otherwise the demo continues,
/// since users may add something that cannot be synced.
async fn quiet(queue: &dyn Queue, once: bool) -> anyhow::Result<()> {
    let limit = if once { PATIENCE } else { *PAUSES.end() };
    match tokio::time::timeout(limit, queue.quiet()).await {
        Ok(quiet) => Ok(quiet?),
        Err(_) if once => {
            bail!("not everything was in sync after {} s; see the messages above", limit.as_secs())
        }
        Err(_) => Ok(()),
    }
}

/// The settings from the environment, except Kimai, which is the sandbox.
fn settings(kimai: &str) -> anyhow::Result<Settings> {
    let ours = [("API_TOKEN", company::TOKEN), ("KIMAI_ENDPOINT", kimai)];
    let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let given = std::env::vars().filter(|(name, _)| name != "API_TOKEN_FILE");
    // Everything was created a moment ago; the sweep must not wait for SWEEP_GRACE. What is there to be checked is made
    // first, too.
    let first = [("SWEEP_GRACE", "0"), ("CHECK_AT_START", "false")];
    let first = first.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Settings::from_vars(first.into_iter().chain(given).chain(ours))?)
}

/// The configured port, otherwise 8080, or any free one.
fn listener(settings: &Settings) -> anyhow::Result<TcpListener> {
    match app::bind(settings, [127, 0, 0, 1], 8080) {
        Err(_) if settings.server.port.is_none() => app::bind(settings, [127, 0, 0, 1], 0),
        bound => bound,
    }
}

/// The company at work.
struct Life {
    engine: Engine,
    store: Embedded,
    kimai: Sandbox,
    http: reqwest::Client,
    address: String,
    rng: StdRng,
    entries: Vec<Entry>,
    /// Work logs with a mistake.
    slips: Vec<Entry>,
}

impl Life {
    fn new(
        engine: Engine,
        store: Embedded,
        kimai: Sandbox,
        address: String,
        guard: &GuardSettings,
    ) -> anyhow::Result<Self> {
        let http = crate::http_client::client_builder(Duration::from_secs(30));
        let http = http.default_headers(crate::http_client::bearer(guard.token.as_ref())?).build()?;
        Ok(Self {
            engine,
            store,
            kimai,
            http,
            address,
            rng: StdRng::seed_from_u64(SEED),
            entries: Vec::new(),
            slips: Vec::new(),
        })
    }

    /// Imports, registers two months of work, then changes it; returns whether both sides are in sync at the end.
    async fn live(&mut self, once: bool) -> anyhow::Result<bool> {
        for route in ["customers", "tasks", "accounts"] {
            self.post(&format!("sync-from-kimai/{route}"), &[]).await?;
        }
        let tasks = self
            .iris("SELECT DISTINCT ?text ?iri WHERE { ?iri a ext:KimaiActivity ; dct:identifier ?text }")
            .await?;
        let tasks: Vec<Iri> = tasks.into_iter().map(|(_, iri)| iri).collect();
        self.register_history(&tasks).await?;
        quiet(&*self.engine.queue, once).await?;
        info!("Two months of work are in Kimai. Now people continue working.");
        if !once {
            self.engine.doctor.examine().await;
            self.leave_something_to_find().await?;
        }
        let mut changes = 0;
        while !once || changes < CHANGES_ONCE {
            changes += 1;
            let change = self.next_change(&tasks, if once { 0 } else { changes })?;
            info!("{}", change.words);
            self.update(&change.update).await?;
            quiet(&*self.engine.queue, once).await?;
            if !once {
                let pause = rand::Rng::random_range(&mut self.rng, PAUSES);
                tokio::time::sleep(pause).await;
            }
        }
        self.in_sync().await
    }

    /// The next change. Depending on `number` it is a mistake, or corrects the last one.
    fn next_change(&mut self, tasks: &[Iri], number: usize) -> anyhow::Result<Change> {
        let today = self.engine.clock.today();
        let change = match number % MISTAKE_EVERY {
            1 => changes::slip(&mut self.rng, &mut self.slips, tasks, today)?,
            8 => changes::correct(&mut self.rng, &mut self.slips, &mut self.entries),
            _ => None,
        };
        Ok(match change {
            Some(change) => change,
            None => changes::next(&mut self.rng, &mut self.entries, tasks, today)?,
        })
    }

    /// Somebody books an hour directly in Kimai; then a dry run compares both sides.
    async fn leave_something_to_find(&self) -> anyhow::Result<()> {
        let today = self.engine.clock.today();
        if let Some(one) = self.kimai.timesheets().last() {
            let begin = today.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp();
            let end = begin.checked_add(jiff::SignedDuration::from_hours(1))?;
            let booked = (ProjectId::number(one.project), ActivityId::number(one.activity));
            self.kimai.add_timesheet(UserId::number(one.user), booked, begin, Some(end));
            info!("Somebody books an hour directly in Kimai, without a work log");
        }
        let (first, last) = (today.first_of_month().to_string(), today.last_of_month().to_string());
        self.post("sync-to-kimai/work-logs?dry-run=true", &[("start", &first), ("end", &last)]).await
    }

    async fn register_history(&mut self, tasks: &[Iri]) -> anyhow::Result<()> {
        let accounts = self
            .iris("SELECT DISTINCT ?text ?iri WHERE { ?iri a foaf:OnlineAccount ; foaf:accountName ?text }");
        let mut triples = company::people(&accounts.await?)?;
        self.entries = company::history(&mut self.rng, tasks, self.engine.clock.today())?;
        info!("{} people registered {} work logs", company::head_count(), self.entries.len());
        // One whole work log at a time, as saved by a frontend.
        for entries in self.entries.chunks(15) {
            for entry in entries {
                entry.triples(&mut triples)?;
            }
            for update in std::mem::replace(&mut triples, Triples::new()).insert_data()? {
                self.update(&update).await?;
            }
        }
        Ok(())
    }

    /// Compares both sides, entry by entry.
    async fn in_sync(&self) -> anyhow::Result<bool> {
        let today = self.engine.clock.today();
        let years = |count: i64| jiff::ToSpan::years(count);
        let period = Period { first: today.checked_sub(years(1))?, last: today.checked_add(years(1))? };
        let found = self.engine.sweeper.sweep(period, None, &Progress::unwatched()).await?;
        let expected = self.entries.len();
        let same = found.queued == 0 && found.deleted == 0 && found.held == 0;
        let complete = found.work_logs == expected && found.timesheets == expected;
        if !(same && complete) {
            error!("Not in sync: {expected} work logs were registered, the comparison found {found:?}");
        }
        for (work_log, why) in self.engine.queue.parked().await? {
            warn!("Not synced: <{work_log}>: {why}");
        }
        Ok(same && complete)
    }

    async fn iris(&self, query: &str) -> anyhow::Result<Vec<(String, Iri)>> {
        let rows = self.store.select(&format!("{PREFIXES}{query} ORDER BY ?text ?iri")).await?;
        let read = |row: &crate::triplestore::Row| {
            let iri = Iri::new(row.get("iri")?.as_iri()?).ok()?;
            Some((row.get("text")?.value().to_owned(), iri))
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    async fn update(&self, update: &str) -> anyhow::Result<()> {
        self.post("sparql", &[("update", update)]).await
    }

    async fn post(&self, route: &str, form: &[(&str, &str)]) -> anyhow::Result<()> {
        let answer = self.http.post(format!("{}/{route}", self.address)).form(form).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("POST /{route} answered {status}: {}", answer.text().await?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::WorkLogUri;
    use crate::queue::Reason;
    use crate::store::sqlite::{SqliteQueue, Storage};

    #[tokio::test(start_paused = true)]
    async fn a_work_log_that_is_never_synced_ends_the_demo_only_with_once() {
        let clock = Clock::starting_at(jiff::Timestamp::UNIX_EPOCH, jiff::tz::TimeZone::UTC);
        let queue = SqliteQueue::open(Storage::in_memory().unwrap(), clock.clone()).unwrap();
        quiet(&queue, true).await.unwrap();
        let work_log = WorkLogUri::parse("http://x/1").unwrap();
        queue.put(&[work_log], Reason::Delta, clock.after(Duration::from_hours(1))).await.unwrap();
        quiet(&queue, false).await.unwrap();
        assert!(quiet(&queue, true).await.is_err());
    }
}
