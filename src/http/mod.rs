//! The doors: every route on one page.
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
//! | `GET /doctor`, `POST /doctor` | 200 | none | ops |
//! | `GET /live` | 200, 503 | none | the container's health check |
//! | `GET /ready` | 200, 503 | none | whoever sends traffic |
//! | `GET /metrics` | 200 | none | Prometheus |
//! | `GET`, `POST /login`, `POST /logout` | 200, 303, 401, 429 | a form | people, see [`guard`] |
//! | `GET`, `POST /sparql` | 200, 400 | SPARQL 1.1 protocol | people, with the embedded store only |
//!
//! All may answer 503 when the triplestore or Kimai does not answer, and 502 when it refuses.

mod body;
mod delta;
mod doctor;
pub mod guard;
mod health;
mod problem;
mod queue;
mod runs;
pub mod sparql;
mod sync;
pub mod trace;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, ResponseError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::delta::Intake;
use crate::engine::Engine;
use crate::runs::Runs;
use problem::Problem;

/// Large deltas read at once: each takes a thread.
const LARGE_DELTAS: usize = 32;

/// What the routes work with.
pub struct State {
    engine: Engine,
    intake: Intake,
    runs: Runs,
    /// Told when the service is to end: open streams end then.
    stop: CancellationToken,
    large_deltas: Semaphore,
}

impl State {
    /// The routes of `engine` and its `runs`. Streams end at `stop`.
    pub fn new(engine: Engine, runs: Runs, stop: CancellationToken) -> Self {
        let intake = engine.intake();
        Self { engine, intake, runs, stop, large_deltas: Semaphore::new(LARGE_DELTAS) }
    }
}

/// Adds the routes, all of which share `state`.
pub fn configure(state: web::Data<State>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(state)
            .app_data(web::PayloadConfig::new(body::MOST_BYTES))
            .route("/delta", web::post().to(delta::post))
            .route("/update-queue/work-logs/{id}", web::post().to(sync::queue_work_log))
            .route("/kimai-timesheets/{id}", web::put().to(sync::check_timesheet))
            .route("/sync-from-kimai/customers", web::post().to(sync::import_customers))
            .route("/sync-from-kimai/tasks", web::post().to(sync::import_tasks))
            .route("/sync-from-kimai/accounts", web::post().to(sync::import_accounts))
            .route("/sync-to-kimai/work-logs", web::post().to(sync::sweep))
            .route("/timesheets/lock", web::post().to(sync::lock))
            .route("/queue", web::get().to(queue::list))
            .route("/queue/retry-parked", web::post().to(queue::retry_parked))
            .route("/queue/{id:.*}/retry", web::post().to(queue::retry))
            .route("/queue/{id:.*}", web::get().to(queue::show))
            .route("/runs", web::get().to(runs::list))
            .route("/runs/{id}", web::get().to(runs::show))
            .route("/runs/{id}/findings", web::get().to(runs::findings))
            .route("/runs/{id}/events", web::get().to(runs::events))
            .route("/runs/{id}/cancel", web::post().to(runs::cancel))
            .route("/doctor", web::get().to(doctor::latest))
            .route("/doctor", web::post().to(doctor::examine))
            .route("/live", web::get().to(health::live))
            .route("/ready", web::get().to(health::ready))
            .route("/metrics", web::get().to(health::metrics))
            .configure(guard::configure)
            .default_service(web::to(unknown));
    }
}

async fn unknown(request: actix_web::HttpRequest) -> HttpResponse {
    let detail = format!("There is no {} {}.", request.method(), request.path());
    Problem::new(StatusCode::NOT_FOUND, "No such route", detail).error_response()
}
