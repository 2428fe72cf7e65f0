//! The queue over HTTP: waiting and parked entries with their reasons, the explanation of one work log, and retries.
//! JSON:API throughout.

use actix_web::http::StatusCode;
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse};

use super::Services;
use super::State;
use super::problem::{JSON_API, Problem};
use super::request::{QueueQuery, one_of};
use super::response;
use super::response::fault::{BadRequest, MEDIA_TYPE, NoSuchWorkLog, NotTheOnlyOne, Refused, Unavailable};
use super::response::queue::{PageLinks, QueueMeta, QueuePage, RetriedAnswer, WorkLogAnswer};
use crate::domain::{Code, WorkLogUri};
use crate::explain::{self, Explanation, Found};
use crate::queue::{Filter, Reason, State as EntryState};

/// The default page size, and the largest.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

/// Lists the queue: what is queued, running or parked, and why
///
/// Entries are sorted by IRI; `meta` counts all of them, regardless of the filter.
#[utoipa::path(get, path = "/queue", tag = "Queue", operation_id = "queue", params(QueueQuery), responses(
    (status = 200, description = "A page of the queue.", body = QueuePage, content_type = MEDIA_TYPE),
    BadRequest, Unavailable,
))]
pub(super) async fn list(
    request: HttpRequest,
    query: Query<QueueQuery>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let services = &state.services;
    let filter = query
        .state
        .as_deref()
        .map(|word| one_of(word, "state of an entry", &EntryState::ALL, EntryState::word));
    let filter = filter.transpose()?;
    let size = query.size.as_deref().map_or(Ok(PAGE), size_of)?;
    let after = query.after.as_deref().map(uri).transpose()?;
    let code = query.code.as_deref().map(|word| one_of(word, "code", &Code::ALL, Code::word)).transpose()?;
    let wanted = Filter { state: filter, code, not: None };
    let entries = services.queue.page(wanted, after.as_ref(), size).await?;
    let next = entries.last().filter(|_| entries.len() == size).map(|last| {
        let mut pairs = vec![("page[size]", size.to_string()), ("page[after]", last.work_log.to_string())];
        pairs.extend(filter.map(|state| ("filter[state]", state.word().to_owned())));
        pairs.extend(code.map(|code| ("filter[code]", code.word().to_owned())));
        format!("{}?{}", request.path(), serde_urlencoded::to_string(pairs).unwrap_or_default())
    });
    Ok(response::ok(&QueuePage {
        data: entries.iter().map(Into::into).collect(),
        links: PageLinks { next },
        meta: QueueMeta::of(&state.status().await?),
    }))
}

/// Shows one work log: its queue entry, its history, and what Kimai has
///
/// Returns its entry if it has one, the results of its last attempts, its timesheet and what Kimai has for it, and as
/// `story` everything known about it.
#[utoipa::path(get, path = "/queue/{id}", tag = "Queue", operation_id = "workLog",
    params(("id" = String, Path, description = "The work log's IRI, percent-encoded, its `mu:uuid`, or the ID of its timesheet.",
        example = "67BF1C2E9F3B7A0009000001")),
    responses(
        (status = 200, description = "The work log.", body = WorkLogAnswer, content_type = MEDIA_TYPE),
        BadRequest, NoSuchWorkLog, NotTheOnlyOne, Refused, Unavailable,
    ))]
pub(super) async fn show(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let services = &state.services;
    let work_log = find(services, &id).await?;
    let entry = services.queue.entry(&work_log).await?;
    let history = services.queue.history(&work_log).await?;
    let explanation = Explanation::of(&services.witnesses, &work_log).await;
    if !explanation.is_known() {
        return Err(not_found(&id));
    }
    Ok(response::ok(&WorkLogAnswer::new(&work_log, entry.as_ref(), &history, explanation)))
}

/// Retries one work log now
///
/// Whatever the error was. It is queued even if it was already in sync.
#[utoipa::path(post, path = "/queue/{id}/retry", tag = "Queue", operation_id = "retry",
    params(("id" = String, Path, description = "The work log's IRI, percent-encoded, its `mu:uuid`, or the ID of its timesheet.",
        example = "67BF1C2E9F3B7A0009000001")),
    responses((status = 202, description = "It is queued."), BadRequest, NoSuchWorkLog, NotTheOnlyOne, Refused, Unavailable))]
pub(super) async fn retry(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let services = &state.services;
    let work_log = find(services, &id).await?;
    services.requests.try_again(work_log).await?;
    Ok(HttpResponse::Accepted().content_type(JSON_API).finish())
}

/// Retries all parked work logs now
#[utoipa::path(post, path = "/queue/retry-parked", tag = "Queue", operation_id = "retryParked", responses(
    (status = 202, description = "They are queued.", body = RetriedAnswer, content_type = MEDIA_TYPE),
    Unavailable,
))]
pub(super) async fn retry_parked(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let woken = state.services.queue.wake_parked(Reason::Request).await?;
    Ok(response::accepted(&RetriedAnswer::from(woken)))
}

/// Retries one work log now and overwrites its exported timesheet
///
/// An exported timesheet may be on an invoice, so it is never changed or deleted unless this is requested for exactly
/// that work log. The permission is for one attempt: it remains while the attempt is retried, also across a restart,
/// and ends once the work log is synced or parked.
#[utoipa::path(post, path = "/queue/{id}/overwrite", tag = "Queue", operation_id = "overwrite",
    params(("id" = String, Path, description = "The work log's IRI, percent-encoded, its `mu:uuid`, or the ID of its timesheet.",
        example = "67BF1C2E9F3B7A0009000001")),
    responses((status = 202, description = "It is queued."), BadRequest, NoSuchWorkLog, NotTheOnlyOne, Refused, Unavailable))]
pub(super) async fn overwrite(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let services = &state.services;
    let work_log = find(services, &id).await?;
    services.requests.overwrite(&work_log).await?;
    Ok(HttpResponse::Accepted().content_type(JSON_API).finish())
}

/// Retries all work logs parked because their timesheet is exported, and overwrites those timesheets
///
/// Applies to all with the code `timesheet-exported`, each as with `POST /queue/{id}/overwrite`.
#[utoipa::path(post, path = "/queue/overwrite-exported", tag = "Queue", operation_id = "overwriteExported", responses(
    (status = 202, description = "They are queued.", body = RetriedAnswer, content_type = MEDIA_TYPE),
    Unavailable,
))]
pub(super) async fn overwrite_exported(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let woken = state.services.requests.overwrite_exported().await?;
    Ok(response::accepted(&RetriedAnswer::from(woken)))
}

/// The work log that `id` names: an IRI, a `mu:uuid`, or the ID of its timesheet.
async fn find(services: &Services, id: &str) -> Result<WorkLogUri, Problem> {
    match explain::find(&services.witnesses, id).await {
        Found::WorkLogs(work_logs) => match work_logs.as_slice() {
            [work_log] => Ok(work_log.clone()),
            several => {
                let several = several.iter().map(|one| format!("<{one}>")).collect::<Vec<_>>().join(", ");
                let detail = format!(
                    "Several work logs are linked to timesheet {id}: {several}. Give the IRI of one."
                );
                Err(Problem::new(StatusCode::CONFLICT, "Ambiguous timesheet", detail))
            }
        },
        Found::Loose(loose) => {
            Err(Problem::new(StatusCode::NOT_FOUND, "No linked work log", format!("{loose}.")))
        }
        Found::Nobody => Err(not_found(id)),
        Found::Unreadable(why) => Err(Problem::bad_request(format!("{why}."))),
        Found::Unasked(why) => Err(Problem::unavailable(why)),
    }
}

pub(super) fn size_of(text: &str) -> Result<usize, Problem> {
    let size = text.parse().ok().filter(|size| (1..=LARGEST_PAGE).contains(size));
    size.ok_or_else(|| {
        Problem::bad_request(format!(
            "'{text}' is not a page size; expected a number from 1 to {LARGEST_PAGE}."
        ))
    })
}

fn uri(text: &str) -> Result<WorkLogUri, Problem> {
    WorkLogUri::parse(text).map_err(|fault| Problem::bad_request(format!("{fault}.")))
}

fn not_found(id: &str) -> Problem {
    let detail =
        format!("There is no work log '{id}'. Give its IRI, its ID (mu:uuid), or the ID of its timesheet.");
    Problem::new(StatusCode::NOT_FOUND, "No such work log", detail)
}
