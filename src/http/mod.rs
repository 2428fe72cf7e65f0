//! The doors: every route on one page.
//!
//! | route | answers | body | called by |
//! |---|---|---|---|
//! | `POST /delta` | 204, 400, 413, 503 | a delta, up to 500 MB | the delta-notifier |
//! | `POST /update-queue/work-logs/{id}` | 202, 400 | none | ops |
//! | `PUT /kimai-timesheets/{id}` | 204, 400 | none | ops |
//! | `POST /sync-from-kimai/{customers,tasks,accounts}` | 204 | none | `mu script`, ops |
//! | `POST /sync-to-kimai/work-logs` | 202, 400 | `{"start","end"}` | `mu script`, ops |
//! | `POST /timesheets/lock` | 204, 400 | `{"month","year"}` | `mu script`, ops |
//! | `GET /queue` | 200, 400 | none | ops |
//! | `GET /queue/{id or IRI}` | 200, 404 | none | ops |
//! | `POST /queue/{id or IRI}/retry`, `POST /queue/retry-parked` | 202, 404 | none | ops |
//! | `GET /live` | 200 | none | the container's health check |
//! | `GET`, `POST /sparql` | 200, 400 | SPARQL 1.1 protocol | people, with the embedded store only |
//!
//! All may answer 503 when the triplestore or Kimai does not answer, and 502 when it refuses.

mod body;
mod delta;
mod problem;
mod queue;
pub mod sparql;
mod sync;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, ResponseError};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::delta::Intake;
use crate::engine::Engine;
use problem::Problem;

/// Large deltas read at once: each takes a thread.
const LARGE_DELTAS: usize = 32;

/// What the routes work with.
pub struct State {
    engine: Engine,
    intake: Intake,
    /// What goes on after its request was answered; awaited at the stop.
    background: TaskTracker,
    /// Where that runs: the HTTP threads' own runtimes end with the server.
    runtime: Handle,
    large_deltas: Semaphore,
}

impl State {
    /// The routes of `engine`; long work is left to `background`, on the runtime that calls this.
    pub fn new(engine: Engine, background: TaskTracker) -> Self {
        let intake = engine.intake();
        let large_deltas = Semaphore::new(LARGE_DELTAS);
        Self { engine, intake, background, runtime: Handle::current(), large_deltas }
    }

    /// Runs `work` to its end, whatever becomes of the request that asked for it.
    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.background.spawn_on(work, &self.runtime)
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
            .route("/live", web::get().to(HttpResponse::Ok))
            .default_service(web::to(unknown));
    }
}

async fn unknown(request: actix_web::HttpRequest) -> HttpResponse {
    let detail = format!("There is no {} {}.", request.method(), request.path());
    Problem::new(StatusCode::NOT_FOUND, "No such route", detail).error_response()
}
