//! The whole service over HTTP, with its queue on disk, between a sandbox Kimai and an embedded store.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use kimai_sync::app::{self, Service};
use kimai_sync::clock::Clock;
use kimai_sync::domain::ids::{ActivityId, ProjectId, UserId};
use kimai_sync::engine::Engine;
use kimai_sync::settings::Settings;
use kimai_sync::store::sqlite::Storage;
use kimai_sync::telemetry::Metrics;
use kimai_sync::trackers::kimai::Client;
use kimai_sync::trackers::kimai::sandbox::{Role, Sandbox};
use kimai_sync::triplestore::embedded::Embedded;
use kimai_sync::triplestore::vocabulary::PREFIXES;
use kimai_sync::triplestore::{Row, Triplestore, TriplestoreFault};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Where the work logs of the benchmarks live.
pub(crate) const BASE: &str = "http://timekeeper.redpencil.io";
/// With which the service asks Kimai.
pub(crate) const TOKEN: &str = "token-of-the-benchmark";
/// Work logs written to the store in one update.
const BATCH: usize = 500;

/// Customers, projects, activities and users.
pub(crate) type Counts = [usize; 4];

/// A store that counts what it is asked, and keeps the statements while that is wanted.
pub(crate) struct Counted {
    inner: Embedded,
    asked: AtomicUsize,
    kept: Mutex<Option<Vec<String>>>,
}

impl Counted {
    fn note(&self, statement: &str) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(kept) = self.kept().as_mut() {
            kept.push(statement.to_owned());
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Vec<String>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Triplestore for Counted {
    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        self.note(query);
        self.inner.select(query).await
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        self.note(update);
        self.inner.update(update).await
    }
}

/// The service and its neighbours. It stops when this is dropped.
pub(crate) struct Stack {
    pub(crate) engine: Engine,
    pub(crate) kimai: Sandbox,
    pub(crate) store: Embedded,
    pub(crate) http: reqwest::Client,
    /// Asks Kimai as the service does.
    pub(crate) client: Arc<Client>,
    /// Where the service listens, without a slash at the end.
    pub(crate) base: String,
    counted: Arc<Counted>,
    /// The task and person of every work log.
    about: String,
    stop: CancellationToken,
    _data: TempDir,
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stack {
    /// Starts it with these settings besides the usual ones, and imports one task and one person.
    pub(crate) async fn start(vars: &[(&str, &str)]) -> anyhow::Result<Self> {
        let kimai = Sandbox::new(Clock::system(jiff::tz::TimeZone::UTC));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let endpoint = format!("http://{}/api", listener.local_addr()?);
        let usual = [("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", &endpoint), ("CHECK_AT_START", "false")];
        tokio::spawn(kimai.serve(listener)?);
        kimai.add_user("sync", "UTC", Role::SuperAdmin, Some(TOKEN));
        let project = kimai.add_project("Website", kimai.add_customer("ACME"));
        kimai.add_activity("Analysis", Some(project));
        let vars = usual.iter().chain(vars).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::from_vars(vars)?;
        let store = Embedded::in_memory()?;
        let counted =
            Arc::new(Counted { inner: store.clone(), asked: AtomicUsize::new(0), kept: Mutex::default() });
        let clock = Clock::system(settings.zone.clone());
        let data = tempfile::tempdir()?;
        let storage = Storage::open(data.path())?;
        let metrics = Metrics::new();
        let client = app::kimai(&settings, &metrics)?;
        let store_of_engine = Arc::clone(&counted) as _;
        let engine = Engine::new(&settings, store_of_engine, Arc::clone(&client), clock, storage, metrics)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let base = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let service = Service {
            engine: engine.clone(),
            listener,
            store: None,
            guard: settings.guard.clone(),
            sweep: None,
        };
        tokio::spawn(service.run(stop.clone()));
        let http = kimai_sync::http_client::client_builder(Duration::from_mins(1)).build()?;
        import(&http, &base).await?;
        let iri = async |class: &str| {
            let rows = store.select(&format!("{PREFIXES}SELECT ?s WHERE {{ ?s a {class} }}")).await?;
            let iri = rows.first().and_then(|row| row.get("s")).map(|term| term.value().to_owned());
            iri.with_context(|| format!("no {class} was imported"))
        };
        let (task, account) = (iri("ext:KimaiActivity").await?, iri("foaf:OnlineAccount").await?);
        let person = format!("<{BASE}/persons/jane>");
        store.update(&format!("{PREFIXES}INSERT DATA {{ {person} foaf:account <{account}> }}")).await?;
        let about = format!("dct:subject <{task}> ; prov:wasAssociatedWith {person}");
        Ok(Self { engine, kimai, store, http, client, base, counted, about, stop, _data: data })
    }

    /// Registers the work logs of these numbers in the store, without a word to the service.
    pub(crate) async fn register(&self, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
        self.insert(numbers, |number| {
            let (uri, about) = (work_log(number), &self.about);
            Ok(format!(
                "<{uri}> a cal:Vevent ; cal:duration \"PT7H30M\" ; cal:dtstart \"2025-02-26\"^^xsd:date ; {about} .\n"
            ))
        })
        .await
    }

    /// Writes the triples of each of these numbers to the store.
    pub(crate) async fn insert(
        &self,
        numbers: std::ops::Range<usize>,
        triples: impl Fn(usize) -> anyhow::Result<String>,
    ) -> anyhow::Result<()> {
        for batch in numbers.collect::<Vec<_>>().chunks(BATCH) {
            let triples = batch.iter().map(|number| triples(*number)).collect::<anyhow::Result<String>>()?;
            self.store.update(&format!("{PREFIXES}INSERT DATA {{ {triples} }}")).await?;
        }
        Ok(())
    }

    /// Adds so many of each to Kimai; returns the activities, each with its project, and the users.
    pub(crate) fn fill(
        &self,
        [customers, projects, activities, users]: Counts,
    ) -> (Vec<(ProjectId, ActivityId)>, Vec<UserId>) {
        let kimai = &self.kimai;
        let customers: Vec<_> =
            (0..customers).map(|n| kimai.add_customer(&format!("Customer {n}"))).collect();
        let projects: Vec<_> = (0..projects)
            .map(|n| kimai.add_project(&format!("Project {n}"), customers[n % customers.len()]))
            .collect();
        let activity = |n| {
            let project = projects[n % projects.len()];
            (project, kimai.add_activity(&format!("Activity {n}"), Some(project)))
        };
        let user = |n| kimai.add_user(&format!("user{n}"), "UTC", Role::User, None);
        ((0..activities).map(activity).collect(), (0..users).map(user).collect())
    }

    /// Sends a delta as the delta-notifier does.
    pub(crate) async fn send(&self, delta: String) -> anyhow::Result<()> {
        let request =
            self.http.post(format!("{}/delta", self.base)).header("content-type", "application/json");
        request.body(delta).send().await?.error_for_status()?;
        Ok(())
    }

    /// How many queries and updates the service has sent.
    pub(crate) fn statements(&self) -> usize {
        self.counted.asked.load(Ordering::Relaxed)
    }

    /// Keeps the statements that the service sends from now on.
    pub(crate) fn keep_statements(&self) {
        *self.counted.kept() = Some(Vec::new());
    }

    /// Those kept since, in order. None is kept any more.
    pub(crate) fn kept_statements(&self) -> Vec<String> {
        self.counted.kept().take().unwrap_or_default()
    }

    /// How many work logs are linked to a timesheet.
    pub(crate) async fn linked(&self) -> anyhow::Result<usize> {
        let linked = format!("{PREFIXES}SELECT ?id WHERE {{ ?s a cal:Vevent ; dct:identifier ?id }}");
        Ok(self.store.select(&linked).await?.len())
    }
}

/// Imports all that Kimai has.
pub(crate) async fn import(http: &reqwest::Client, base: &str) -> anyhow::Result<()> {
    for what in ["customers", "tasks", "accounts"] {
        http.post(format!("{base}/sync-from-kimai/{what}")).send().await?.error_for_status()?;
    }
    Ok(())
}

/// The IRI of a work log.
pub(crate) fn work_log(number: usize) -> String {
    format!("{BASE}/work-logs/67BF1C2E9F3B7A00{number:08}")
}
