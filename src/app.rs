//! Starts the HTTP server and the engine, and stops both in order. Tests call this too, on port 0.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use crate::clock::Clock;
use crate::engine::Engine;
use crate::failpoint::crash;
use crate::http;
use crate::http::auth::{self, Guard};
use crate::jobs::Jobs;
use crate::schedule;
use crate::settings::{GuardSettings, Settings, SweepSettings};
use crate::store::sqlite::Storage;
use crate::telemetry::Metrics;
use crate::trackers::kimai::Client;
use crate::triplestore::Triplestore;
use crate::triplestore::embedded::Embedded;
use crate::triplestore::query_log::QueryLog;
use crate::triplestore::remote::{Remote, RemoteConfig};
use crate::ui;

/// Idle connections are kept longer than by the delta-notifier, which loses a delta if the other side closes first.
const KEEP_ALIVE: Duration = Duration::from_secs(90);
/// The time limit for the headers of a request.
const HEADER_LIMIT: Duration = Duration::from_secs(5);
/// The time that open requests get at the stop, in seconds.
const REQUESTS_AT_STOP: u64 = 3;
/// The time that running work gets after that; Docker waits 10 s in total.
const WORK_AT_STOP: Duration = Duration::from_secs(6);
const HTTP_THREADS: usize = 2;
/// The maximum number of connections; more of them wait.
const CONNECTIONS: usize = 1024;
/// How many of them one address may keep open for long: the rest is for probes and the stack.
const OF_ONE_ADDRESS: usize = CONNECTIONS / 4 * 3;

/// A client for the Kimai in the settings, which counts its requests in `metrics`.
pub fn kimai(settings: &Settings, metrics: &Metrics) -> anyhow::Result<Arc<Client>> {
    Ok(Arc::new(Client::new(&settings.kimai, metrics.clone())?))
}

/// An engine between `store` and the Kimai in the settings, with its own metrics.
pub fn engine(
    settings: &Settings,
    store: Arc<dyn Triplestore>,
    clock: Clock,
    storage: Storage,
) -> anyhow::Result<Engine> {
    let metrics = Metrics::new();
    let kimai = kimai(settings, &metrics)?;
    Engine::new(settings, store, kimai, clock, storage, metrics)
}

/// The triplestore of the stack in the settings.
pub fn remote(settings: &Settings) -> anyhow::Result<Arc<dyn Triplestore>> {
    let remote = &settings.triplestore;
    Ok(Arc::new(Remote::new(RemoteConfig {
        endpoint: remote.endpoint.to_string(),
        scope: remote.scope.clone(),
        time_limit: remote.time_limit,
        log: QueryLog::of(remote),
    })?))
}

/// Listens on the host and port of the settings, or on these defaults.
pub fn bind(settings: &Settings, host: [u8; 4], port: u16) -> anyhow::Result<TcpListener> {
    let host = settings.server.host.unwrap_or(IpAddr::from(host));
    let address = SocketAddr::new(host, settings.server.port.unwrap_or(port));
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; choose another HOST or PORT"))
}

/// A running service.
pub struct Service {
    /// The engine.
    pub engine: Engine,
    /// The listening socket.
    pub listener: TcpListener,
    /// The embedded store behind `/sparql`, if there is one. Its changes reach the queue as deltas do.
    pub store: Option<Embedded>,
    /// Authorization.
    pub guard: GuardSettings,
    /// When to sweep; without it, never automatically.
    pub sweep: Option<SweepSettings>,
}

impl Service {
    /// Runs until `stop` is cancelled or the HTTP server ends: then open requests and running work get a
    /// few seconds to finish.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { engine, listener, store, guard, sweep } = self;
        let background = TaskTracker::new();
        let working = CancellationToken::new();
        let (workers, stopped) = (Arc::clone(&engine.workers), working.clone());
        background.spawn(async move {
            workers.prepare().await;
            workers.run(stopped).await;
        });
        background.spawn(Arc::clone(&engine.references).run(working.clone()));
        background.spawn(engine.storage.clone().watch(working.clone()));
        background.spawn(engine.rechecks().run(working.clone()));
        background.spawn(schedule::retry_parked_daily(Arc::clone(&engine.workers), working.clone()));
        // Without a sweep at start, interrupted sweeps are not resumed either.
        let resume = sweep.as_ref().is_none_or(|sweep| sweep.at_start);
        let runs = Jobs::open(
            Arc::clone(&engine.job_records),
            resume,
            engine.clock.clone(),
            Arc::new(engine.jobs()),
            background.clone(),
            working.clone(),
        )?;
        if let Some(swept) = runs.last_swept() {
            // In the future if the system clock was set back since; the alert would then miss the next one.
            engine.metrics.swept(swept.min(engine.clock.wall()));
        }
        engine.doctor.serves(sweep.is_some());
        background.spawn(Arc::clone(&engine.doctor).watch(working.clone()));
        let doctor = Arc::clone(&engine.doctor);
        let is_back = move || {
            let doctor = Arc::clone(&doctor);
            async move { doctor.look_again().await }
        };
        background.spawn(engine.asking().keep_on(is_back, working.clone()));
        let days = sweep.as_ref().map(|sweep| sweep.days);
        background.spawn(schedule::make_up_for_refused(
            engine.refusals(),
            runs.clone(),
            days,
            working.clone(),
        ));
        if let Some(SweepSettings { cron, days, at_start, .. }) = sweep {
            let (clock, runs, working) = (engine.clock.clone(), runs.clone(), working.clone());
            if at_start {
                background.spawn(schedule::catch_up(clock.clone(), runs.clone(), days));
            }
            background.spawn(async move {
                if let Err(fault) = schedule::run(clock, runs, &cron, days, working).await {
                    error!("The sweeps of FALLBACK_SYNC_CRON cannot run: {fault}");
                }
            });
        }
        let store = store.map(|store| web::Data::new(store.with_observer(Arc::new(engine.intake()))));
        let state = http::State::new(engine.services(), runs, stop.clone(), ui::PAGES);
        let guard = Guard::new(&guard, ui::login);
        let served = serve(web::Data::new(state), listener, store, guard, stop).await;
        crash::point("stopping");
        working.cancel();
        background.close();
        if tokio::time::timeout(WORK_AT_STOP, background.wait()).await.is_err() {
            warn!("Some work was still running when the service stopped; it resumes at the next start.");
        }
        served
    }
}

async fn serve(
    state: web::Data<http::State>,
    listener: TcpListener,
    store: Option<web::Data<Embedded>>,
    guard: Guard,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let guard = web::Data::new(guard);
    let connections = auth::Connections::new(OF_ONE_ADDRESS);
    let zone = state.services.clock.zone().clone();
    let server = HttpServer::new(move || {
        let store = store.clone();
        let routes = http::configure(state.clone());
        // The last middleware is the first to see a request.
        let app = App::new().app_data(guard.clone()).wrap(from_fn(auth::pass)).wrap(http::in_zone(&zone));
        app.wrap(from_fn(http::trace::request)).configure(move |config| {
            if let Some(store) = store {
                config.app_data(store).configure(http::sparql::configure);
            }
            routes(config);
        })
    })
    .workers(HTTP_THREADS)
    .max_connections(CONNECTIONS / HTTP_THREADS)
    .on_connect(move |connection, data| connections.opened(connection, data))
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
