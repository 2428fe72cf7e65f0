//! The routes that ops, `mu script` and the service itself call: queue one work log, check one
//! timesheet, sweep a period, import, lock.

use std::collections::BTreeMap;

use actix_web::http::header::LOCATION;
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse};

use super::body::{Body, Members};
use super::problem::{JSON_API, Problem};
use super::{State, runs};
use crate::domain::KimaiId;
use crate::import::What;
use crate::lock::Month;
use crate::queue::Reason;
use crate::runs::{AskedBy, Order, Task};

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

/// `POST /sync-to-kimai/work-logs`: sweeps the period `start` to `end`, after answering 202 with the run.
/// With `dry-run=true` finds out only what that would do, and answers 200 with it. `confirm` sets
/// deletions free that an earlier run held back.
pub(super) async fn sweep(
    request: HttpRequest,
    query: Query<BTreeMap<String, String>>,
    body: Body,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let members = Members::read(&request, body)?;
    let period = members.period(state.engine.clock.zone())?;
    let confirm = members.optional("confirm", "the confirm key of a plan")?;
    let confirm = confirm.or_else(|| query.get("confirm").cloned()).filter(|key| !key.trim().is_empty());
    let dry_run = match query.get("dry-run").map(String::as_str) {
        None | Some("false") => false,
        Some("true" | "") => true,
        Some(other) => {
            return Err(Problem::bad_request(format!("dry-run is '{other}'; it is true or false.")));
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

/// `POST /sync-from-kimai/customers`: 204 when done.
pub(super) async fn import_customers(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    finish(&request, &state, Task::Import(What::Customers)).await
}

/// `POST /sync-from-kimai/tasks`: projects, then activities; 204 when done.
pub(super) async fn import_tasks(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    finish(&request, &state, Task::Import(What::Tasks)).await
}

/// `POST /sync-from-kimai/accounts`: 204 when done.
pub(super) async fn import_accounts(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    finish(&request, &state, Task::Import(What::Accounts)).await
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
    let month = Month::parse(&month, &year).map_err(|fault| Problem::bad_request(format!("{fault}.")))?;
    finish(&request, &state, Task::Lock(month)).await
}

/// Runs `task` and answers when it has ended; at once with 202 where the caller would rather not wait
/// (`Prefer: respond-async`, RFC 7240). It goes on when the caller hangs up: half of it helps nobody.
async fn finish(request: &HttpRequest, state: &State, task: Task) -> Result<HttpResponse, Problem> {
    let asked = state.runs.ask(Order::new(task, AskedBy::Request)).await?;
    let mut preferences = request.headers().get_all("Prefer").filter_map(|value| value.to_str().ok());
    if preferences.any(|text| text.split([',', ';']).any(|one| one.trim() == "respond-async")) {
        return Ok(runs::accepted(state, &asked));
    }
    let location = runs::location(asked.run.id);
    runs::ended_well(asked).await?;
    Ok(HttpResponse::NoContent().insert_header((LOCATION, location)).finish())
}

/// 202 with the headers of the old service: a content type and no content.
fn accepted() -> HttpResponse {
    HttpResponse::Accepted().content_type(JSON_API).finish()
}
