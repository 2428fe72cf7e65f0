//! The routes that ops, `mu script` and the service itself call: queue a work log, check a timesheet, sweep a period,
//! import, lock.

use actix_web::http::header::LOCATION;
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse};

use super::body::{Body, Members};
use super::problem::{JSON_API, Problem};
use super::request::{MonthBody, PeriodBody, Prefer, SweepQuery};
use super::response::fault::{BadRequest, Broken, MEDIA_TYPE, NotConfirmed, Refused, TooLarge, Unavailable};
use super::response::run::{Ended, PlanAnswer, RunAccepted, location};
use super::{State, runs};
use crate::domain::EntryId;
use crate::domain::ids::IdSyntax;
use crate::jobs::import::What;
use crate::jobs::lock::Month;
use crate::jobs::{AskedBy, Order, Task};

/// Syncs one work log again
///
/// Compares it with Kimai and updates Kimai, as after a delta.
#[utoipa::path(post, path = "/update-queue/work-logs/{id}", tag = "Sync", operation_id = "queueWorkLog",
    params(("id" = String, Path, description = "The `mu:uuid` of the work log.", example = "67BF1C2E9F3B7A0009000001")),
    responses((status = 202, description = "It is queued."), BadRequest, Refused, Unavailable))]
pub(super) async fn queue_work_log(
    id: Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let Some(work_log) = state.services.work_logs.by_uuid(&id).await? else {
        return Err(Problem::bad_request(format!("'{id}' is not the ID of a work log in the triplestore.")));
    };
    state.services.requests.try_again(work_log).await?;
    Ok(accepted())
}

/// Deletes a timesheet in Kimai unless a work log is linked to it
#[utoipa::path(put, path = "/kimai-timesheets/{id}", tag = "Sync", operation_id = "checkTimesheet",
    params(("id" = u64, Path, description = "The ID of the timesheet in Kimai.", minimum = 1, example = 9182)),
    responses(
        (status = 204, description = "It is linked, was deleted, or did not exist."),
        BadRequest, Refused, Unavailable,
    ))]
pub(super) async fn check_timesheet(
    id: Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    // An address has digits only, unlike some links in the triplestore.
    let digits = if id.bytes().all(|byte| byte.is_ascii_digit()) { id.as_str() } else { "" };
    let id = EntryId::parse(digits, IdSyntax::Numbers)
        .map_err(|_| Problem::bad_request(format!("'{id}' is not a Kimai ID.")))?;
    state.services.sweeper.remove_orphan(id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Compares a period on both sides and corrects the differences
///
/// Continues after the response as a run, which is done once everything it queued is synced or parked. With
/// `dry-run=true` nothing is changed, and the response has what would be done. `confirm` allows the deletions that an
/// earlier run held back.
#[utoipa::path(post, path = "/sync-to-kimai/work-logs", tag = "Sync", operation_id = "sweep",
    params(SweepQuery),
    request_body(description = "The period.", content(
        (PeriodBody = "application/json"), (PeriodBody = "application/vnd.api+json"),
        (PeriodBody = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 200, description = "What would be done.", body = PlanAnswer, content_type = MEDIA_TYPE,
            headers(("Location" = String, description = "The run of the comparison."))),
        (status = 202, description = "The run was started.", body = RunAccepted, content_type = MEDIA_TYPE,
            headers(("Location" = String, description = "The run."))),
        BadRequest, NotConfirmed, TooLarge, Broken, Refused, Unavailable,
    ))]
pub(super) async fn sweep(
    request: HttpRequest,
    query: Query<SweepQuery>,
    body: Body,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let members = Members::read(&request, body)?;
    let period = members.period(state.services.clock.zone())?;
    let confirm = members.optional("confirm", "the confirm key of a plan")?;
    let confirm = confirm.or_else(|| query.confirm.clone()).filter(|key| !key.trim().is_empty());
    let dry_run = match query.dry_run.as_deref() {
        None | Some("false") => false,
        Some("true" | "") => true,
        Some(other) => {
            return Err(Problem::bad_request(format!("dry-run is '{other}'; expected true or false.")));
        }
    };
    match (dry_run, confirm) {
        (true, Some(_)) => Err(Problem::bad_request(
            "A dry run changes nothing, so there is nothing to confirm; leave out dry-run or confirm.",
        )),
        (true, None) => runs::plan(&state, period).await,
        (false, None) => {
            let order = Order::new(Task::Sweep(period), AskedBy::Request);
            Ok(runs::accepted(&state, &state.runs.ask(order).await?))
        }
        (false, Some(key)) => Ok(runs::accepted(&state, &state.runs.ask_confirmed(period, &key).await?)),
    }
}

/// Imports Kimai's customers into the triplestore
#[utoipa::path(
    post,
    path = "/sync-from-kimai/customers",
    tag = "Sync",
    operation_id = "importCustomers",
    params(Prefer),
    responses(Ended)
)]
pub(super) async fn import_customers(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    finish(&request, &state, Task::Import(What::Customers)).await
}

/// Imports Kimai's projects and activities into the triplestore
#[utoipa::path(
    post,
    path = "/sync-from-kimai/tasks",
    tag = "Sync",
    operation_id = "importTasks",
    params(Prefer),
    responses(Ended)
)]
pub(super) async fn import_tasks(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    finish(&request, &state, Task::Import(What::Tasks)).await
}

/// Imports Kimai's users into the triplestore
#[utoipa::path(
    post,
    path = "/sync-from-kimai/accounts",
    tag = "Sync",
    operation_id = "importAccounts",
    params(Prefer),
    responses(Ended)
)]
pub(super) async fn import_accounts(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    finish(&request, &state, Task::Import(What::Accounts)).await
}

/// Sets the submitted timesheets of a month to exported
///
/// In Kimai they can then no longer be changed.
#[utoipa::path(post, path = "/timesheets/lock", tag = "Sync", operation_id = "lock",
    params(Prefer),
    request_body(description = "The month.", content(
        (MonthBody = "application/json"), (MonthBody = "application/vnd.api+json"),
        (MonthBody = "application/x-www-form-urlencoded"),
    )),
    responses(Ended, BadRequest, TooLarge))]
pub(super) async fn lock(
    request: HttpRequest,
    body: Body,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let members = Members::read(&request, body)?;
    let month = members.text("month", "a number from 1 to 12")?;
    let year = members.text("year", "a year like 2024")?;
    let month = Month::parse(&month, &year).map_err(|fault| Problem::bad_request(format!("{fault}.")))?;
    finish(&request, &state, Task::Lock(month)).await
}

/// Runs `task` and responds when it has ended, or immediately with 202 if the caller does not want to wait
/// (`Prefer: respond-async`, RFC 7240). It continues if the caller disconnects.
async fn finish(request: &HttpRequest, state: &State, task: Task) -> Result<HttpResponse, Problem> {
    let asked = state.runs.ask(Order::new(task, AskedBy::Request)).await?;
    let mut preferences = request.headers().get_all("Prefer").filter_map(|value| value.to_str().ok());
    if preferences.any(|text| text.split([',', ';']).any(|one| one.trim() == "respond-async")) {
        return Ok(runs::accepted(state, &asked));
    }
    let location = location(asked.run.id);
    runs::ended_well(asked).await?;
    Ok(HttpResponse::NoContent().insert_header((LOCATION, location)).finish())
}

/// 202 with the headers of the old service: a content type without content.
fn accepted() -> HttpResponse {
    HttpResponse::Accepted().content_type(JSON_API).finish()
}
