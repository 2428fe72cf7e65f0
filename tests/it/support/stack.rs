//! The whole service on a free port, between a sandbox Kimai and a triplestore, all over HTTP.

#![expect(clippy::disallowed_methods, reason = "what is spawned ends with the test's runtime")]

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use kimai_sync::app::{self, Service};
use kimai_sync::clock::Clock;
use kimai_sync::domain::ids::{ActivityId, EntryId, ProjectId, UserId};
use kimai_sync::engine::Engine;
use kimai_sync::settings::Settings;
use kimai_sync::store::sqlite::Storage;
use kimai_sync::trackers::kimai::sandbox::{Role, Sandbox};

use kimai_sync::triplestore::embedded::Embedded;
use kimai_sync::triplestore::query_log::QueryLog;
use kimai_sync::triplestore::remote::{Remote, RemoteConfig};
use kimai_sync::triplestore::vocabulary::PREFIXES;
use kimai_sync::triplestore::{Row, Triplestore, TriplestoreFault};
use kimai_sync::unreadable::Unreadable;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::front::Front;
use super::virtuoso;

pub(crate) const TOKEN: &str = "s3cret-kimai-token";
pub(crate) const BASE: &str = "http://timekeeper.redpencil.io";
/// Longer than any test takes that works.
const PATIENCE: Duration = Duration::from_mins(1);

/// A triplestore that counts what it is asked.
pub(crate) struct Counting {
    inner: Arc<dyn Triplestore>,
    pub(crate) selects: AtomicUsize,
    pub(crate) updates: AtomicUsize,
    broken: AtomicBool,
}

impl Counting {
    /// Answers nothing any more, or again.
    pub(crate) fn breaks(&self, broken: bool) {
        self.broken.store(broken, Ordering::Relaxed);
    }

    fn answers(&self) -> Result<(), TriplestoreFault> {
        let broken = self.broken.load(Ordering::Relaxed);
        if broken { Err(TriplestoreFault::Transient("connection refused".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Triplestore for Counting {
    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        self.selects.fetch_add(1, Ordering::Relaxed);
        self.answers()?;
        self.inner.select(query).await
    }

    fn unreadable(&self) -> Unreadable {
        self.inner.unreadable()
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        self.updates.fetch_add(1, Ordering::Relaxed);
        self.answers()?;
        self.inner.update(update).await
    }
}

/// A running service and what is around it.
pub(crate) struct Stack {
    pub(crate) engine: Engine,
    pub(crate) kimai: Sandbox,
    pub(crate) store: Arc<Counting>,
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    /// Where the sandbox Kimai listens, with `/api`.
    pub(crate) kimai_api: String,
    pub(crate) user: UserId,
    pub(crate) project: ProjectId,
    pub(crate) activity: ActivityId,
    stop: CancellationToken,
    service: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
    /// Keeps other tests off the one Virtuoso.
    _turn: Option<tokio::sync::MutexGuard<'static, ()>>,
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stack {
    /// With the embedded store.
    pub(crate) async fn embedded(settings: &[(&str, &str)]) -> Self {
        Self::embedded_on(settings, Storage::in_memory().unwrap()).await
    }

    /// The same, on this storage.
    pub(crate) async fn embedded_on(settings: &[(&str, &str)], storage: Storage) -> Self {
        let store = Embedded::in_memory().unwrap();
        Self::start(Arc::new(store.clone()), Some(store), settings, None, storage).await
    }

    /// With a real Virtuoso, emptied first; `None` where there is none.
    pub(crate) async fn virtuoso(settings: &[(&str, &str)]) -> Option<Self> {
        let (store, turn) = empty_virtuoso().await?;
        Some(Self::start(store, None, settings, Some(turn), Storage::in_memory().unwrap()).await)
    }

    /// With a store behind what answers as it is told to.
    pub(crate) async fn behind(front: &Front, settings: &[(&str, &str)]) -> Self {
        let store = Arc::new(remote(&front.endpoint));
        Self::start(store, None, settings, None, Storage::in_memory().unwrap()).await
    }

    async fn start(
        inner: Arc<dyn Triplestore>,
        embedded: Option<Embedded>,
        vars: &[(&str, &str)],
        turn: Option<tokio::sync::MutexGuard<'static, ()>>,
        storage: Storage,
    ) -> Self {
        let kimai = Sandbox::new(Clock::system(jiff::tz::TimeZone::UTC));
        let kimai_listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/api", kimai_listener.local_addr().unwrap());
        tokio::spawn(kimai.serve(kimai_listener).unwrap());
        let given = [
            ("API_TOKEN", TOKEN),
            ("KIMAI_ENDPOINT", &endpoint),
            ("KIMAI_TIMEOUT", "5"),
            ("SYNC_AT_START", "false"),
            ("CHECK_AT_START", "false"),
            // What a test makes was made a moment ago.
            ("SWEEP_GRACE", "0"),
            // What a test counts is what it did itself.
            ("SETTLE_RECHECK", "0"),
        ];
        let vars = given.iter().chain(vars).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::from_vars(vars).unwrap();
        let (selects, updates) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let store = Arc::new(Counting { inner, selects, updates, broken: AtomicBool::new(false) });
        let clock = Clock::system(settings.zone.clone());
        let engine = app::engine(&settings, store.clone(), clock, storage).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let service = Service {
            engine: engine.clone(),
            listener,
            store: embedded,
            guard: settings.guard.clone(),
            sweep: None,
        };
        let service = Some(tokio::spawn(service.run(stop.clone())));
        let token = kimai_sync::http_client::bearer(settings.guard.token.as_ref()).unwrap();
        let http = kimai_sync::http_client::client_builder(PATIENCE).default_headers(token).build().unwrap();
        kimai.add_user("sync", "UTC", Role::SuperAdmin, Some(TOKEN));
        let user = kimai.add_user("jane", "Europe/Brussels", Role::User, None);
        let customer = kimai.add_customer("ACME");
        // The ids of projects and activities are to collide, and to differ for our own.
        let other = kimai.add_project("Other", customer);
        kimai.add_activity("Other", Some(other));
        kimai.add_activity("More", Some(other));
        let project = kimai.add_project("Website", customer);
        let activity = kimai.add_activity("Analysis", Some(project));
        let stack = Self {
            engine,
            kimai,
            store,
            http,
            base,
            kimai_api: endpoint,
            user,
            project,
            activity,
            stop,
            service,
            _turn: turn,
        };
        stack.employ().await;
        stack
    }

    /// Ends the service; its engine, the stores and Kimai stay. What is queued from now on stays queued.
    pub(crate) async fn halt(&mut self) {
        self.stop.cancel();
        if let Some(service) = self.service.take() {
            service.await.unwrap().unwrap();
        }
    }

    /// Imports the catalogue and links Jane to her account.
    async fn employ(&self) {
        for what in ["customers", "tasks", "accounts"] {
            assert_eq!(self.post(&format!("/sync-from-kimai/{what}"), None).await.0, 204);
        }
        self.update(&format!(
            "INSERT {{ <{BASE}/persons/jane> a foaf:Person ; foaf:name \"Jane\" ; foaf:account ?account }}
             WHERE {{ ?account foaf:accountName ?login . FILTER (STR(?login) = \"jane\") }}"
        ))
        .await;
        self.engine.workers.prepare().await;
        self.forget_calls();
    }

    /// Starts counting afresh: requests to Kimai, SELECTs and updates.
    pub(crate) fn forget_calls(&self) {
        self.kimai.clear_requests();
        self.store.selects.store(0, Ordering::Relaxed);
        self.store.updates.store(0, Ordering::Relaxed);
    }

    /// SELECTs and updates so far.
    pub(crate) fn statements(&self) -> (usize, usize) {
        (self.store.selects.load(Ordering::Relaxed), self.store.updates.load(Ordering::Relaxed))
    }

    /// The IRI of the task that carries the id of a Kimai activity.
    pub(crate) async fn task(&self, activity: ActivityId) -> String {
        let rows = self
            .select(&format!(
                "SELECT DISTINCT ?s WHERE {{ ?s a ext:KimaiActivity ; dct:identifier ?id . FILTER (STR(?id) = \"{activity}\") }}"
            ))
            .await;
        rows[0]["s"].value().to_owned()
    }

    /// Registers a work log of Jane's, without telling the service.
    pub(crate) async fn register(&self, id: &str, day: &str, duration: &str) -> String {
        self.register_at(self.store.inner.as_ref(), id, day, duration).await
    }

    /// The same by another way to the triples.
    pub(crate) async fn register_at(
        &self,
        store: &dyn Triplestore,
        id: &str,
        day: &str,
        duration: &str,
    ) -> String {
        let (uri, task) = (format!("{BASE}/work-logs/{id}"), self.task(self.activity).await);
        let insert = format!(
            "{PREFIXES}INSERT DATA {{ <{uri}> a cal:Vevent ; mu:uuid \"{id}\" ; cal:duration \"{duration}\" ;
               cal:dtstart \"{day}\"^^xsd:date ; dct:subject <{task}> ; prov:wasAssociatedWith <{BASE}/persons/jane> }}"
        );
        store.update(&insert).await.unwrap();
        uri
    }

    /// Deletes a work log as mu-cl-resources does: all but what it does not know.
    pub(crate) async fn take_back(&self, uri: &str) {
        self.take_back_at(self.store.inner.as_ref(), uri).await;
    }

    /// The same by another way to the triples.
    pub(crate) async fn take_back_at(&self, store: &dyn Triplestore, uri: &str) {
        let delete = format!(
            "{PREFIXES}DELETE {{ <{uri}> ?p ?o }} WHERE {{ <{uri}> ?p ?o . FILTER (?p != dct:identifier) }}"
        );
        store.update(&delete).await.unwrap();
    }

    /// Replaces the value of a property.
    pub(crate) async fn change(&self, uri: &str, property: &str, value: &str) {
        self.update(&format!(
            "DELETE {{ <{uri}> {property} ?old }} WHERE {{ <{uri}> {property} ?old }} ; INSERT DATA {{ <{uri}> {property} {value} }}"
        ))
        .await;
    }

    pub(crate) async fn update(&self, update: &str) {
        self.store.inner.update(&format!("{PREFIXES}{update}")).await.unwrap();
    }

    pub(crate) async fn select(&self, query: &str) -> Vec<Row> {
        self.ask(query).await.unwrap()
    }

    pub(crate) async fn ask(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        self.store.inner.select(&format!("{PREFIXES}{query}")).await
    }

    /// The `dct:identifier`s of a work log.
    pub(crate) async fn links(&self, uri: &str) -> Vec<String> {
        let rows = self
            .select(&format!("SELECT DISTINCT ?id WHERE {{ <{uri}> dct:identifier ?id }} ORDER BY ?id"))
            .await;
        rows.iter().map(|row| row["id"].value().to_owned()).collect()
    }

    /// Tells the service that these changed, as the delta-notifier does, and waits until it has settled them.
    pub(crate) async fn notify(&self, uris: &[&str]) {
        assert_eq!(self.post("/delta", Some(delta(uris))).await.0, 204);
        self.quiet().await;
    }

    /// Waits until nothing runs or waits.
    pub(crate) async fn quiet(&self) {
        // Where that fails, it is tried again by itself.
        let _ = self.engine.references.follow().await;
        tokio::time::timeout(PATIENCE, self.engine.queue.quiet()).await.expect("it settles in time").unwrap();
    }

    /// A POST of JSON, or of nothing; status, content type and body of the answer.
    pub(crate) async fn post(&self, path: &str, body: Option<Value>) -> (u16, Option<String>, String) {
        let request = self.http.post(format!("{}{path}", self.base));
        let request = match body {
            Some(body) => request.header("content-type", "application/vnd.api+json").body(body.to_string()),
            None => request,
        };
        answer(request).await
    }

    /// What Kimai holds: id, begin, end, project, activity, user; lowest id first.
    pub(crate) fn timesheets(&self) -> Vec<(EntryId, String, String, u64, u64, u64)> {
        let rows = self.kimai.timesheets().into_iter();
        rows.map(|row| {
            let end = row.end.expect("an end").to_string();
            (EntryId::number(row.id), row.begin.to_string(), end, row.project, row.activity, row.user)
        })
        .collect()
    }

    pub(crate) fn kimai_calls(&self, method: &str) -> usize {
        self.kimai.requests().0.iter().filter(|request| request.method == method).count()
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, Option<String>, String) {
    let answer = request.send().await.unwrap();
    let content_type = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), content_type, answer.text().await.unwrap())
}

/// A delta that says of each subject that it got the class of a work log.
pub(crate) fn delta(uris: &[&str]) -> Value {
    let iri = |value: &str| json!({"type": "uri", "value": value});
    let inserts: Vec<Value> = uris
        .iter()
        .map(|uri| {
            json!({"subject": iri(uri), "predicate": iri("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"),
                "object": iri("http://www.w3.org/2002/12/cal/ical#Vevent"), "graph": iri("http://mu.semte.ch/graphs/redpencil")})
        })
        .collect();
    json!([{"inserts": inserts, "deletes": []}])
}

/// The one Virtuoso of this process, started when it is first asked for.
static VIRTUOSO: tokio::sync::OnceCell<Option<virtuoso::Virtuoso>> = tokio::sync::OnceCell::const_new();
/// Whoever holds it has the Virtuoso for itself.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn remote(endpoint: &str) -> Remote {
    Remote::new(RemoteConfig {
        endpoint: endpoint.to_owned(),
        scope: Some("http://services.redpencil.io/timekeeper-kimai-sync-service".to_owned()),
        time_limit: PATIENCE,
        log: QueryLog::default(),
    })
    .unwrap()
}

/// The Virtuoso, with nothing in it.
async fn empty_virtuoso() -> Option<(Arc<dyn Triplestore>, tokio::sync::MutexGuard<'static, ()>)> {
    let turn = TURN.lock().await;
    let start = || async { tokio::task::block_in_place(virtuoso::Virtuoso::start).expect("Virtuoso starts") };
    let virtuoso = VIRTUOSO.get_or_init(start).await.as_ref()?;
    let remote = remote(virtuoso.endpoint());
    remote.update("CLEAR GRAPH <http://mu.semte.ch/application>").await.unwrap();
    Some((Arc::new(remote), turn))
}
