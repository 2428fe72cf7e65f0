//! Builds the parts, starts them, and stops them in order. Tests call this too, on port 0.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::delta::Intake;
use crate::http;
use crate::import::{ImportFault, Importer, Report, What};
use crate::kimai::{Client, Kimai};
use crate::lock::Locker;
use crate::queue::{self, Durable, Queue};
use crate::reconcile::ledger::Ledger;
use crate::reconcile::settle::Settler;
use crate::reconcile::sweep::{Parts, Sweeper};
use crate::reconcile::worker::Workers;
use crate::schedule;
use crate::settings::{Settings, SweepSettings};
use crate::storage::Storage;
use crate::triplestore::Triplestore;
use crate::triplestore::embedded::Embedded;
use crate::triplestore::remote::{QueryLog, Remote, RemoteConfig};
use crate::triplestore::statement::Iri;
use crate::triplestore::work_logs::WorkLogs;

/// Idle connections are kept longer than the delta-notifier keeps its own, which loses a delta when the
/// other side closes first.
const KEEP_ALIVE: Duration = Duration::from_secs(90);
/// What a client has to send its headers.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// What open requests get at the stop, in seconds.
const REQUESTS_AT_STOP: u64 = 3;
/// What running work gets after that; Docker waits 10 s in all.
const WORK_AT_STOP: Duration = Duration::from_secs(6);
const HTTP_THREADS: usize = 2;
/// The most calls to Kimai that settling one work log takes, one after the other.
const KIMAI_CALLS_A_RUN: u32 = 4;
/// The most queries and updates that it takes.
const QUERIES_A_RUN: u32 = 6;

/// The parts of the service that do its work. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// The triplestore, asked about work logs.
    pub work_logs: WorkLogs,
    /// Where work logs wait.
    pub queue: Arc<dyn Queue>,
    /// What is remembered of them.
    pub ledger: Arc<Ledger>,
    /// Who settles them.
    pub workers: Arc<Workers>,
    /// Whole periods.
    pub sweeper: Arc<Sweeper>,
    /// Kimai's catalogue into the triplestore.
    pub importer: Arc<Importer>,
    /// Months into "exported".
    pub locker: Arc<Locker>,
    /// The time, and the zone of a work day.
    pub clock: Clock,
}

impl Engine {
    /// An engine between `store` and `kimai` that forgets what waits when the process ends.
    pub fn new(
        settings: &Settings,
        store: Arc<dyn Triplestore>,
        kimai: Arc<dyn Kimai>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Self::with_storage(settings, store, kimai, clock, Storage::in_memory()?)
    }

    /// An engine whose queue and memory are kept in `storage`.
    pub fn with_storage(
        settings: &Settings,
        store: Arc<dyn Triplestore>,
        kimai: Arc<dyn Kimai>,
        clock: Clock,
        storage: Storage,
    ) -> anyhow::Result<Self> {
        let homepage = Iri::new(settings.resources.account_homepage.as_str())?;
        let work_logs = WorkLogs::new(Arc::clone(&store), homepage);
        let ledger = Arc::new(Ledger::open(storage.clone())?);
        let queue = Durable::open(storage, clock.clone())?.with_lease(lease(settings));
        let queue: Arc<dyn Queue> = Arc::new(queue);
        let settler = Settler::new(work_logs.clone(), Arc::clone(&kimai), Arc::clone(&ledger), clock.clone());
        let workers = Arc::new(Workers::new(Arc::clone(&queue), settler, clock.clone()));
        let parts = Parts {
            work_logs: work_logs.clone(),
            kimai: Arc::clone(&kimai),
            queue: Arc::clone(&queue),
            ledger: Arc::clone(&ledger),
            workers: Arc::clone(&workers),
            clock: clock.clone(),
        };
        let sweeper = Arc::new(Sweeper::new(parts, settings.sweep.max_deletions));
        let importer = Arc::new(Importer::new(Arc::clone(&store), kimai, settings.resources.clone())?);
        let locker = Arc::new(Locker::new(store));
        Ok(Self { work_logs, queue, ledger, workers, sweeper, importer, locker, clock })
    }

    /// Where deltas go.
    pub fn intake(&self) -> Intake {
        Intake::new(Arc::clone(&self.queue), self.clock.clone())
    }

    /// Imports, then tries what is parked again: what it was missing may be there now.
    pub async fn import(&self, what: What) -> Result<Report, ImportFault> {
        let report = self.importer.import(what).await?;
        let woken = self.workers.wake_parked().await;
        if woken > 0 {
            info!("Trying {woken} parked work logs again after the import");
        }
        Ok(report)
    }
}

/// How long a run may take: longer than its calls can, so that none is begun twice while it still runs.
fn lease(settings: &Settings) -> Duration {
    let calls = settings.kimai.time_limit * KIMAI_CALLS_A_RUN;
    let queries = settings.triplestore.time_limit * QUERIES_A_RUN;
    queue::LEASE.max(calls + queries + Duration::from_mins(1))
}

/// A client of the Kimai that the settings name.
pub fn kimai(settings: &Settings) -> anyhow::Result<Arc<dyn Kimai>> {
    Ok(Arc::new(Client::new(&settings.kimai)?))
}

/// The triplestore of the stack that the settings name.
pub fn remote(settings: &Settings) -> anyhow::Result<Arc<dyn Triplestore>> {
    let remote = &settings.triplestore;
    Ok(Arc::new(Remote::new(RemoteConfig {
        endpoint: remote.endpoint.to_string(),
        scope: remote.scope.clone(),
        time_limit: remote.time_limit,
        log: QueryLog { queries: remote.log_queries, updates: remote.log_updates },
    })?))
}

/// Opens the door at the host and port of the settings, or at these defaults.
pub fn bind(settings: &Settings, host: [u8; 4], port: u16) -> anyhow::Result<TcpListener> {
    let host = settings.server.host.unwrap_or(IpAddr::from(host));
    let address = SocketAddr::new(host, settings.server.port.unwrap_or(port));
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; set HOST and PORT to what is free"))
}

/// What a running service consists of besides its engine.
pub struct Service {
    /// The engine.
    pub engine: Engine,
    /// The open door.
    pub listener: TcpListener,
    /// The embedded store behind `/sparql`, if there is one. Its changes reach the queue as deltas do.
    pub store: Option<Embedded>,
    /// Work logs settled side by side.
    pub concurrency: usize,
    /// When to sweep; not at all by itself without.
    pub sweep: Option<SweepSettings>,
}

impl Service {
    /// Runs until `stop` is cancelled or the HTTP server ends: then open requests and running work get a
    /// few seconds to finish.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { engine, listener, store, concurrency, sweep } = self;
        let background = TaskTracker::new();
        let working = CancellationToken::new();
        background.spawn(Arc::clone(&engine.workers).run(concurrency, working.clone()));
        if let Some(SweepSettings { cron, days, at_start, .. }) = sweep {
            if at_start {
                background.spawn(schedule::catch_up(engine.clone(), days, working.clone()));
            }
            let (engine, working) = (engine.clone(), working.clone());
            background.spawn(async move {
                if let Err(fault) = schedule::run(engine, &cron, days, working).await {
                    error!("The sweeps by FALLBACK_SYNC_CRON cannot run: {fault}");
                }
            });
        }
        let served = serve(engine, listener, store, background.clone(), stop).await;
        working.cancel();
        background.close();
        if tokio::time::timeout(WORK_AT_STOP, background.wait()).await.is_err() {
            warn!("Some work was still running at the stop; it is taken up again at the next start.");
        }
        served
    }
}

async fn serve(
    engine: Engine,
    listener: TcpListener,
    store: Option<Embedded>,
    background: TaskTracker,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let store = store.map(|store| web::Data::new(store.with_observer(Arc::new(engine.intake()))));
    let state = web::Data::new(http::State::new(engine, background));
    let server = HttpServer::new(move || {
        let store = store.clone();
        let routes = http::configure(state.clone());
        App::new().configure(move |config| {
            if let Some(store) = store {
                config.app_data(store).configure(http::sparql::configure);
            }
            routes(config);
        })
    })
    .workers(HTTP_THREADS)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEADER_LIMIT)
    .shutdown_timeout(REQUESTS_AT_STOP)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    let ended = async {
        stop.cancelled().await;
        handle.stop(true).await;
    };
    let (result, ()) = tokio::join!(server, ended);
    Ok(result?)
}
