//! The HTTP endpoints: every route in one table.
//!
//! | route | answers | body | called by |
//! |---|---|---|---|
//! | `POST /delta` | 204, 400, 413, 503 | a delta, up to 500 MB | the delta-notifier |
//! | `POST /update-queue/work-logs/{id}` | 202, 400 | none | ops |
//! | `PUT /kimai-timesheets/{id}` | 204, 400 | none | ops |
//! | `POST /sync-from-kimai/{customers,tasks,accounts}` | 204, 202, 409 | none | `mu script`, ops |
//! | `POST /sync-to-kimai/work-logs` | 202, 400, 409 | `{"start","end","confirm"}` | `mu script`, ops |
//! | `POST /sync-to-kimai/work-logs?dry-run=true` | 200, 400 | `{"start","end"}` | ops |
//! | `POST /timesheets/lock` | 204, 202, 400, 409 | `{"month","year"}` | `mu script`, ops |
//! | `GET /runs` | 200, 400 | none | ops |
//! | `GET /runs/{id}`, `/runs/{id}/findings`, `/runs/{id}/events` | 200, 400, 404, 410 | none | ops |
//! | `POST /runs/{id}/cancel` | 202, 404, 409 | none | ops |
//! | `GET /queue` | 200, 400 | none | ops |
//! | `GET /queue/{id or IRI}` | 200, 404 | none | ops |
//! | `POST /queue/{id or IRI}/retry`, `POST /queue/retry-parked` | 202, 404 | none | ops |
//! | `POST /queue/{id or IRI}/overwrite`, `POST /queue/overwrite-exported` | 202, 404 | none | ops |
//! | `GET /openapi.json`, `/docs` | 200 | none | people, programs |
//! | `GET /live` | 200, 503 | none | the container's health check |
//! | `GET /ready` | 200, 503 | none | whoever sends traffic |
//! | `GET /metrics` | 200 | none | Prometheus |
//! | `GET /doctor`, `POST /doctor` | 200 | none | ops |
//! | `GET`, `POST /login`, `POST /logout` | 200, 303, 401, 429 | a form | people, see [`auth`] |
//! | `GET /` and what [`crate::ui`] lists | 200, 303 | forms | people |
//! | `GET`, `POST /sparql` | 200, 400 | SPARQL 1.1 protocol | people, with the embedded store only |
//!
//! Routes of the old service accept a trailing slash (see `trailing_slash.rs`). An unsupported method is answered with
//! 405. All may answer 503 if the triplestore or Kimai does not answer, and 502 if it refuses. The full reference is at
//! `/openapi.json`.

pub mod auth;
mod body;
mod coding;
mod commands;
mod delta;
mod doctor;
pub(crate) mod endpoint;
#[cfg(test)]
mod fuzz_tests;
mod health;
mod metrics;
mod openapi;
mod problem;
mod queue;
mod request;
mod response;
mod runs;
pub mod sparql;
#[cfg(test)]
mod testing;
pub mod trace;
mod trailing_slash;

use std::sync::Arc;

use actix_web::http::header::ACCEPT;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::contact::Record;
use crate::delta::Intake;
use crate::doctor::Doctor;
use crate::domain::status::Status;
use crate::explain::Witnesses;
use crate::jobs::{Jobs, Kind};
use crate::reconcile::requests::Requests;
use crate::reconcile::sweep::Sweeper;
use crate::reconcile::worker::Workers;
use crate::status::{self, StatusSource};
use crate::store::sqlite::Storage;
use crate::store::{Ledger, Queue, QueueFault};
use crate::telemetry::Metrics;
use crate::trackers::Tracker;
use crate::work_logs::WorkLogs;
pub(crate) use doctor::document as report;
use endpoint::Endpoint;
use problem::Problem;

/// The header with the time zone of the service, set on every response for clients that show its times to people.
pub const TIME_ZONE: &str = "kimai-sync-time-zone";

/// Adds [`TIME_ZONE`] to every answer.
pub fn in_zone(zone: &TimeZone) -> DefaultHeaders {
    let headers = DefaultHeaders::new();
    match zone.iana_name() {
        Some(name) => headers.add((TIME_ZONE, name)),
        None => headers,
    }
}

/// How many open pages may receive live updates.
const MOST_LISTENERS: usize = 100;

/// The operator page, as part of the routes.
#[derive(Debug, Clone, Copy)]
pub struct Pages {
    /// Its routes.
    pub(crate) endpoints: fn() -> Vec<Endpoint>,
    /// The page for an address that does not exist.
    pub(crate) unknown: fn(&HttpRequest, &State) -> HttpResponse,
}

/// The parts of the service that the routes call.
pub struct Services {
    /// Accepts deltas.
    pub intake: Intake,
    /// Queries work logs in the triplestore.
    pub work_logs: Arc<dyn WorkLogs>,
    /// How the triplestore last answered.
    pub triplestore: Record,
    /// Kimai's timesheets.
    pub kimai: Arc<dyn Tracker>,
    /// The queue of work logs.
    pub queue: Arc<dyn Queue>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The queue file.
    pub storage: Storage,
    /// The workers.
    pub workers: Arc<Workers>,
    /// Checks single timesheets.
    pub sweeper: Arc<Sweeper>,
    /// Runs sweeps, imports and locks.
    pub requests: Requests,
    /// Checks everything that syncing needs.
    pub doctor: Arc<Doctor>,
    /// Explains single work logs.
    pub witnesses: Witnesses,
    /// The status of the service.
    pub status: StatusSource,
    /// The time, and the time zone of work days.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Metrics,
}

/// The shared state of the routes.
pub struct State {
    pub(crate) services: Services,
    pub(crate) runs: Jobs,
    /// Cancelled when the service stops, so that open streams end.
    pub(crate) stop: CancellationToken,
    /// One permit for each open page with live updates.
    pub(crate) listeners: Arc<Semaphore>,
    pages: Pages,
}

impl State {
    /// The routes to `services` and `runs`, with the operator page `pages`. Streams end at `stop`.
    pub fn new(services: Services, runs: Jobs, stop: CancellationToken, pages: Pages) -> Self {
        let listeners = Arc::new(Semaphore::new(MOST_LISTENERS));
        Self { services, runs, stop, listeners, pages }
    }

    /// The current status, used by every route and page.
    pub(crate) async fn status(&self) -> Result<Status, QueueFault> {
        let undone = status::undone(&self.runs.list(Some(Kind::Sweep)));
        self.services.status.status(undone, self.stop.is_cancelled()).await
    }
}

/// Every route except `/sparql`, in the order of matching: its handler, and the documentation that `#[utoipa::path]`
/// made for it.
fn endpoints(pages: Pages) -> Vec<Endpoint> {
    let mut endpoints = vec![
        Endpoint::new(delta::__path_post, delta::post),
        Endpoint::new(commands::__path_queue_work_log, commands::queue_work_log),
        Endpoint::new(commands::__path_check_timesheet, commands::check_timesheet),
        Endpoint::new(commands::__path_import_customers, commands::import_customers),
        Endpoint::new(commands::__path_import_tasks, commands::import_tasks),
        Endpoint::new(commands::__path_import_accounts, commands::import_accounts),
        Endpoint::new(commands::__path_sweep, commands::sweep),
        Endpoint::new(commands::__path_lock, commands::lock),
        Endpoint::new(queue::__path_list, queue::list),
        Endpoint::new(queue::__path_retry_parked, queue::retry_parked),
        Endpoint::new(queue::__path_overwrite_exported, queue::overwrite_exported),
        Endpoint::new(queue::__path_overwrite, queue::overwrite).matching("/queue/{id:.*}/overwrite"),
        Endpoint::new(queue::__path_retry, queue::retry).matching("/queue/{id:.*}/retry"),
        Endpoint::new(queue::__path_show, queue::show).matching("/queue/{id:.*}"),
        Endpoint::new(runs::__path_list, runs::list),
        Endpoint::new(runs::__path_show, runs::show),
        Endpoint::new(runs::__path_findings, runs::findings),
        Endpoint::new(runs::__path_events, runs::events),
        Endpoint::new(runs::__path_cancel, runs::cancel),
        Endpoint::new(auth::login::__path_form, auth::login::form),
        Endpoint::new(auth::login::__path_enter, auth::login::enter),
        Endpoint::new(auth::login::__path_leave, auth::login::leave),
        Endpoint::new(doctor::__path_latest, doctor::latest),
        Endpoint::new(doctor::__path_examine, doctor::examine),
        Endpoint::new(health::__path_live, health::live),
        Endpoint::new(health::__path_ready, health::ready),
        Endpoint::new(health::__path_metrics, health::metrics),
        Endpoint::new(openapi::__path_document, openapi::document),
        Endpoint::new(openapi::__path_docs, openapi::docs),
        Endpoint::file(
            "/assets/docs.css",
            "The style sheet of the documentation",
            "text/css",
            openapi::style,
        ),
    ];
    endpoints.extend((pages.endpoints)());
    endpoints
}

/// Adds the routes, which share `state`.
pub fn configure(state: web::Data<State>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let pages = state.pages;
        config
            .app_data(state)
            .app_data(web::PayloadConfig::new(body::MOST_BYTES))
            .app_data(web::QueryConfig::default().error_handler(|fault, _| {
                Problem::bad_request(format!("The query string is invalid: {fault}.")).into()
            }))
            .app_data(web::PathConfig::default().error_handler(|fault, _| {
                Problem::bad_request(format!("The path is invalid: {fault}.")).into()
            }));
        endpoint::open(endpoints(pages), config);
        config.default_service(web::to(unknown));
    }
}

async fn unknown(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if matches!(*request.method(), Method::GET | Method::HEAD) && accepts.contains("text/html") {
        return (state.pages.unknown)(&request, &state);
    }
    let detail = format!("There is no {} {}.", request.method(), request.path());
    Problem::new(StatusCode::NOT_FOUND, "No such route", detail).error_response()
}
