//! The queue, seen and steered: what waits, what is kept aside and why, the story of one work log, and
//! "try it again". JSON:API throughout.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{self, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::State;
use super::problem::{JSON_API, Problem};
use crate::domain::{KimaiId, WorkLogUri};
use crate::engine::Engine;
use crate::queue::{Attempt, Entry, Reason, State as EntryState};
use crate::story::{self, Found, Story};

/// Entries on a page without and with `page[size]`.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;

/// `GET /queue`: the entries in the order of their IRIs. `filter[state]` is `due`, `waiting`, `running` or
/// `parked`; `page[size]` at most 500; `links.next` leads to the next page, `meta` counts all.
pub(super) async fn list(
    request: HttpRequest,
    query: Query<BTreeMap<String, String>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let engine = &state.engine;
    let filter = query.get("filter[state]").map(|word| state_of(word)).transpose()?;
    let size = query.get("page[size]").map_or(Ok(PAGE), |text| size_of(text))?;
    let after = query.get("page[after]").map(|text| uri(text)).transpose()?;
    let entries = engine.queue.page(filter, after.as_ref(), size).await?;
    let next = entries.last().filter(|_| entries.len() == size).map(|last| {
        let mut pairs = vec![("page[size]", size.to_string()), ("page[after]", last.work_log.to_string())];
        pairs.extend(filter.map(|state| ("filter[state]", state.word().to_owned())));
        format!("{}?{}", request.path(), serde_urlencoded::to_string(pairs).unwrap_or_default())
    });
    let counts = engine.queue.counts().await?;
    let oldest = engine.queue.oldest_due().await?.filter(|due| *due <= engine.clock.now());
    let down = engine
        .workers
        .down()
        .into_iter()
        .map(|(neighbour, why)| json!({"name": neighbour.to_string(), "why": why}));
    Ok(document(&json!({
        "data": entries.iter().map(resource).collect::<Vec<_>>(),
        "links": {"next": next},
        "meta": {
            "waiting": counts.waiting, "retrying": counts.retrying, "running": counts.running, "parked": counts.parked,
            "oldest-due": oldest, "down": down.collect::<Vec<_>>(),
        },
    })))
}

/// `GET /queue/{id}`: one work log, by its IRI (percent-encoded), `mu:uuid` or Kimai id: its entry if it has one,
/// how its last runs ended, its timesheet and what Kimai holds there, and as `story` all that is known.
pub(super) async fn show(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let engine = &state.engine;
    let work_log = find(engine, &id).await?;
    let entry = engine.queue.entry(&work_log).await?;
    let history = engine.queue.history(&work_log).await?;
    let story = Story::of(engine, &work_log).await;
    let linked = story.own().map(|held| held.id);
    if !story.is_known() {
        return Err(not_found(&id));
    }
    let mut data = entry.as_ref().map_or_else(|| settled(&work_log), resource);
    if let Some(attributes) = data.get_mut("attributes").and_then(Value::as_object_mut) {
        attributes.insert("history".into(), history.iter().map(attempt).collect());
        attributes.insert("kimai-id".into(), json!(linked));
        attributes.insert("kimai".into(), held(engine, linked).await);
        attributes.insert("story".into(), json!(story));
    }
    Ok(document(&json!({"data": data})))
}

/// `POST /queue/{id}/retry`: tries a work log again now, whatever stood in the way; 202.
pub(super) async fn retry(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let engine = &state.engine;
    let work_log = find(engine, &id).await?;
    engine.ledger.doubt([&work_log]).await?;
    engine.queue.put(&[work_log], Reason::Request, engine.clock.now()).await?;
    Ok(HttpResponse::Accepted().content_type(JSON_API).finish())
}

/// `POST /queue/retry-parked`: tries everything that is kept aside again; 202 with their number.
pub(super) async fn retry_parked(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let woken = state.engine.queue.wake_parked(Reason::Request).await?;
    let body = json!({"meta": {"retried": woken}}).to_string();
    Ok(HttpResponse::Accepted().content_type(JSON_API).body(body))
}

/// The work log that `id` names: an IRI, a `mu:uuid`, or the id of its timesheet.
async fn find(engine: &Engine, id: &str) -> Result<WorkLogUri, Problem> {
    match story::find(engine, id).await {
        Found::WorkLogs(work_logs) => match work_logs.as_slice() {
            [work_log] => Ok(work_log.clone()),
            several => {
                let several = several.iter().map(|one| format!("<{one}>")).collect::<Vec<_>>().join(", ");
                let detail = format!(
                    "Several work logs are linked to timesheet {id}: {several}. Give the IRI of one."
                );
                Err(Problem::new(StatusCode::CONFLICT, "Not the only one", detail))
            }
        },
        Found::Nobody => Err(not_found(id)),
        Found::Unreadable(why) => Err(Problem::bad_request(format!("{why}."))),
        Found::Unasked(why) => Err(Problem::unavailable(why)),
    }
}

/// What Kimai holds; when it cannot be asked, the reason stands in its place.
async fn held(engine: &Engine, id: Option<KimaiId>) -> Value {
    let Some(id) = id else { return Value::Null };
    match engine.kimai.timesheet(id).await {
        Ok(None) => Value::Null,
        Ok(Some(timesheet)) => json!({
            "begin": timesheet.begin, "end": timesheet.end, "project": timesheet.project,
            "activity": timesheet.activity, "user": timesheet.user, "exported": timesheet.exported,
        }),
        Err(fault) => json!({"error": fault.to_string()}),
    }
}

fn resource(entry: &Entry) -> Value {
    json!({
        "type": "queue-entries",
        "id": entry.work_log.as_str(),
        "attributes": {
            "state": entry.state.word(), "due": entry.due, "reason": entry.reason.word(), "attempts": entry.attempts,
            "last-error": entry.last_error, "since": entry.since, "leased-until": entry.leased_until,
        },
    })
}

/// A work log that has no entry: nothing is to be done for it.
fn settled(work_log: &WorkLogUri) -> Value {
    json!({"type": "queue-entries", "id": work_log.as_str(), "attributes": {"state": "settled"}})
}

fn attempt(attempt: &Attempt) -> Value {
    json!({"at": attempt.at, "result": attempt.result, "message": attempt.message})
}

fn state_of(word: &str) -> Result<EntryState, Problem> {
    EntryState::from_word(word).ok_or_else(|| {
        let words = EntryState::ALL.map(EntryState::word).join(", ");
        Problem::bad_request(format!("'{word}' is no state of an entry; there are {words}."))
    })
}

pub(super) fn size_of(text: &str) -> Result<usize, Problem> {
    let size = text.parse().ok().filter(|size| (1..=LARGEST_PAGE).contains(size));
    size.ok_or_else(|| {
        Problem::bad_request(format!("'{text}' is no page size; it is a number from 1 to {LARGEST_PAGE}."))
    })
}

fn uri(text: &str) -> Result<WorkLogUri, Problem> {
    WorkLogUri::parse(text).map_err(|fault| Problem::bad_request(format!("{fault}.")))
}

fn not_found(id: &str) -> Problem {
    let detail = format!(
        "Nothing is known of a work log '{id}'. Give its IRI, percent-encoded, its mu:uuid, or the number of its timesheet."
    );
    Problem::new(StatusCode::NOT_FOUND, "No such work log", detail)
}

pub(super) fn document(body: &Value) -> HttpResponse {
    HttpResponse::Ok().content_type(JSON_API).body(body.to_string())
}
