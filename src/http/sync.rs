//! The routes that ops, `mu script` and the service itself call: queue one work log, check one
//! timesheet, sweep a period, import, lock.

use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use tracing::error;

use super::State;
use super::body::{Body, Members};
use super::problem::{JSON_API, Problem};
use crate::domain::KimaiId;
use crate::import::What;
use crate::lock::Month;
use crate::queue::Reason;
use crate::runs::progress::Progress;

/// `POST /update-queue/work-logs/{workLogId}`: 202 when there is such a work log, else 400.
pub(super) async fn queue_work_log(
    id: Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let Some(work_log) = state.engine.work_logs.by_uuid(&id).await? else {
        return Err(Problem::bad_request(format!("'{id}' is not the id of a work log in the triplestore.")));
    };
    state.engine.ledger.doubt([&work_log]).await?;
    let due = state.engine.clock.now();
    state.engine.queue.put(std::slice::from_ref(&work_log), Reason::Request, due).await?;
    Ok(accepted())
}

/// `PUT /kimai-timesheets/{kimaiId}`: deletes the timesheet unless a work log is linked to it; 204.
pub(super) async fn check_timesheet(
    id: Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let id: KimaiId = id.parse().map_err(|fault| Problem::bad_request(format!("{fault}.")))?;
    state.engine.sweeper.remove_orphan(id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /sync-to-kimai/work-logs`: sweeps the period `start` to `end`, after answering 202.
pub(super) async fn sweep(
    request: HttpRequest,
    body: Body,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let period = Members::read(&request, body)?.period(state.engine.clock.zone())?;
    let engine = state.engine.clone();
    state.spawn(async move {
        if let Err(failure) = engine.sweeper.sweep(period, None, &Progress::unwatched()).await {
            error!("The sweep of {period} failed: {failure}. Ask for it again.");
        }
    });
    Ok(accepted())
}

/// `POST /sync-from-kimai/customers`: 204 when done.
pub(super) async fn import_customers(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    import(&state, What::Customers).await
}

/// `POST /sync-from-kimai/tasks`: projects, then activities; 204 when done.
pub(super) async fn import_tasks(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    import(&state, What::Tasks).await
}

/// `POST /sync-from-kimai/accounts`: 204 when done.
pub(super) async fn import_accounts(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    import(&state, What::Accounts).await
}

async fn import(state: &State, what: What) -> Result<HttpResponse, Problem> {
    let engine = state.engine.clone();
    // Goes on when the caller hangs up: half an import helps nobody.
    let done = state.spawn(async move { engine.import(what).await }).await;
    done.map_err(|_| Problem::unavailable("The import was cut off; ask for it again."))??;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /timesheets/lock`: exports the submitted timesheets of `month` and `year`; 204 when done.
pub(super) async fn lock(
    request: HttpRequest,
    body: Body,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let members = Members::read(&request, body)?;
    let month = members.text("month", "a number from 1 to 12")?;
    let year = members.text("year", "a year like 2024")?;
    let month = Month::parse(&month, &year).map_err(|fault| Problem::bad_request(fault.to_string()))?;
    let engine = state.engine.clone();
    let done = state.spawn(async move { engine.locker.lock(month).await }).await;
    done.map_err(|_| Problem::unavailable("The lock was cut off; ask for it again."))??;
    Ok(HttpResponse::NoContent().finish())
}

/// 202 with the headers of the old service: a content type and no content.
fn accepted() -> HttpResponse {
    HttpResponse::Accepted().content_type(JSON_API).finish()
}
