//! The runs: long work, seen while it goes on and after, and cancelled. JSON:API, and a stream of events.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{self, Bytes, Path, Query};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::State;
use super::problem::{JSON_API, Problem};
use super::queue::{document, size_of};
use crate::domain::finding::{self, Finding, Hold};
use crate::reconcile::sweep::Period;
use crate::runs::{Asked, AskedBy, End, FindingFilter, Follow, Kind, Order, Run, Runs, RunsFault, Task};

/// Findings on a page without `page[size]`.
const PAGE: usize = 50;
/// The least time between two events.
const BETWEEN_EVENTS: Duration = Duration::from_millis(100);
/// How often a silent stream shows that it is alive, so that no proxy cuts it.
const HEARTBEAT: Duration = Duration::from_secs(15);

type Pairs = Query<BTreeMap<String, String>>;

/// Where a run is seen.
pub(super) fn location(id: u64) -> String {
    format!("/runs/{id}")
}

/// 202 with the run, and where it is seen.
pub(super) fn accepted(state: &State, asked: &Asked) -> HttpResponse {
    let body = json!({"data": resource(state, &asked.run), "meta": {"joined": asked.joined}});
    HttpResponse::Accepted()
        .insert_header((LOCATION, location(asked.run.id)))
        .content_type(JSON_API)
        .body(body.to_string())
}

/// 200 with what a sweep of `period` would do.
pub(super) async fn plan(state: &State, period: Period) -> Result<HttpResponse, Problem> {
    let task = Task::Plan(period);
    let asked = state.runs.ask(Order::new(task, AskedBy::Request)).await?;
    let id = asked.run.id;
    ended_well(asked).await?;
    let run = state.runs.get(id).ok_or(RunsFault::Unknown(id))?;
    let (data, next) = page(&state.runs, id, FindingFilter::default(), 0, PAGE).await?;
    let of_kind = |kind: finding::Kind| {
        (kind.word().to_owned(), json!(run.counts.get(kind.word()).copied().unwrap_or_default()))
    };
    let counts: serde_json::Map<String, Value> = finding::Kind::ALL.into_iter().map(of_kind).collect();
    let body = json!({
        "data": data,
        "links": {"run": location(id), "next": next},
        "meta": {
            "period": {"start": period.first, "end": period.last}, "run": id.to_string(), "counts": counts,
            "findings": run.findings, "held": run.held, "confirm": confirm(&run), "message": run.message,
            "faults": run.stand.faults, "faults-in-all": run.stand.faults_in_all,
        },
    });
    let mut answer = document(&body);
    if let Ok(value) = location(id).parse() {
        answer.headers_mut().insert(LOCATION, value);
    }
    Ok(answer)
}

/// Waits for the end of a run. That it failed, was cancelled (409) or cut off by a stop of the service (503)
/// is a problem of whoever waits.
pub(super) async fn ended_well(asked: Asked) -> Result<(), Problem> {
    let Run { id, task, .. } = asked.run;
    match asked.ticket.end().await {
        Some(End::Done) => Ok(()),
        Some(End::Failed(trouble)) => Err(trouble.as_ref().into()),
        Some(End::Cancelled) => {
            let detail = format!("Somebody cancelled run {id}; ask for it again if it is wanted.");
            Err(Problem::new(StatusCode::CONFLICT, "The run was cancelled", detail))
        }
        None => {
            let cut_off = format!("{} was cut off by a stop of the service; ask for it again.", task.words());
            Err(Problem::unavailable(cut_off))
        }
    }
}

/// `GET /runs`: the runs that are kept, the newest first; `filter[kind]` is `sweep`, `plan`, `import` or
/// `lock`.
pub(super) async fn list(query: Pairs, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let kind = query.get("filter[kind]").map(|word| {
        let words = || Kind::ALL.map(Kind::word).join(", ");
        Kind::from_word(word).ok_or_else(|| {
            Problem::bad_request(format!("'{word}' is no kind of run; there are {}.", words()))
        })
    });
    let runs = state.runs.list(kind.transpose()?);
    let data: Vec<Value> = runs.iter().map(|run| resource(&state, run)).collect();
    Ok(document(&json!({"data": data, "links": {"self": "/runs"}})))
}

/// `GET /runs/{id}`: one run, as it is now.
pub(super) async fn show(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let id = number(&id)?;
    let run = state.runs.get(id).ok_or(RunsFault::Unknown(id))?;
    Ok(document(&json!({"data": resource(&state, &run)})))
}

/// `POST /runs/{id}/cancel`: ends it, 202; 409 if it has ended.
pub(super) async fn cancel(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let run = state.runs.cancel(number(&id)?).await?;
    let body = json!({"data": resource(&state, &run)}).to_string();
    Ok(HttpResponse::Accepted().content_type(JSON_API).body(body))
}

/// `GET /runs/{id}/findings`: what a sweep or plan found; `page[size]` at most 500, `filter[kind]`,
/// `filter[held]=true`; `links.next` leads to the next page.
pub(super) async fn findings(
    id: Path<String>,
    query: Pairs,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let id = number(&id)?;
    let run = state.runs.get(id).ok_or(RunsFault::Unknown(id))?;
    let kind = query.get("filter[kind]").map(|word| {
        let words = || finding::Kind::ALL.map(finding::Kind::word).join(", ");
        finding::Kind::from_word(word).ok_or_else(|| {
            Problem::bad_request(format!("'{word}' is no kind of finding; there are {}.", words()))
        })
    });
    let held = match query.get("filter[held]").map(String::as_str) {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Problem::bad_request(format!("filter[held] is '{other}'; it is true or false.")));
        }
    };
    let size = query.get("page[size]").map_or(Ok(PAGE), |text| size_of(text))?;
    let after = query.get("page[after]").map_or(Ok(0), |text| {
        let faulty = || format!("'{text}' is no number of a finding; take links.next as it is.");
        text.parse().map_err(|_| Problem::bad_request(faulty()))
    })?;
    let filter = FindingFilter { kind: kind.transpose()?, held };
    let (data, next) = page(&state.runs, id, filter, after, size).await?;
    Ok(document(&json!({
        "data": data,
        "links": {"run": location(id), "next": next},
        "meta": {"run": id.to_string(), "findings": run.findings, "held": run.held},
    })))
}

/// A page, and where the next one is.
async fn page(
    runs: &Runs,
    id: u64,
    filter: FindingFilter,
    after: u64,
    size: usize,
) -> Result<(Vec<Value>, Option<String>), Problem> {
    // One more than fits tells whether there is a next page.
    let mut found = runs.findings(id, filter, after, size.saturating_add(1)).await?;
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|(last, _)| {
        let mut pairs = vec![("page[after]", last.to_string()), ("page[size]", size.to_string())];
        pairs.extend(filter.kind.map(|kind| ("filter[kind]", kind.word().to_owned())));
        pairs.extend(filter.held.then(|| ("filter[held]", "true".to_owned())));
        format!("{}/findings?{}", location(id), serde_urlencoded::to_string(pairs).unwrap_or_default())
    });
    Ok((found.iter().map(|(n, finding)| finding_resource(id, *n, finding)).collect(), next))
}

/// `GET /runs/{id}/events`: the run as a server-sent event, now and at each change, until it has ended.
pub(super) async fn events(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let id = number(&id)?;
    let (run, follow) = state.runs.follow(id).ok_or(RunsFault::Unknown(id))?;
    let stop = state.stop.clone();
    let stream = Stream { state, stop, first: Some(run), follow, last: Instant::now() };
    let events = stream::unfold(stream, |mut stream| async move {
        let text = stream.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), stream))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .streaming(events))
}

/// What one listener is told.
struct Stream {
    state: web::Data<State>,
    /// The service stops: an open stream would hold it up.
    stop: CancellationToken,
    first: Option<Run>,
    /// Nothing once the run has ended.
    follow: Option<Follow>,
    last: Instant,
}

impl Stream {
    /// The next event or sign of life; nothing at the end.
    async fn next(&mut self) -> Option<String> {
        if let Some(run) = self.first.take() {
            return Some(self.event(&run));
        }
        let follow = self.follow.as_mut()?;
        let stop = self.stop.clone();
        let next = async {
            // What changes meanwhile is told in one.
            sleep_until(self.last + BETWEEN_EVENTS).await;
            let more = follow.changed().await;
            (more, follow.run())
        };
        let (more, run) = tokio::select! {
            () = stop.cancelled() => return None,
            () = sleep(HEARTBEAT) => return Some(": still here\n\n".to_owned()),
            told = next => told,
        };
        let run = run?;
        if !more || run.state.is_ended() {
            self.follow = None;
        }
        Some(self.event(&run))
    }

    fn event(&mut self, run: &Run) -> String {
        self.last = Instant::now();
        format!("event: run\ndata: {}\n\n", resource(&self.state, run))
    }
}

fn resource(state: &State, run: &Run) -> Value {
    let location = location(run.id);
    let stand = &run.stand;
    json!({
        "type": "runs",
        "id": run.id.to_string(),
        "attributes": {
            "kind": run.task.kind().word(), "what": run.task.what(), "asked-by": run.asked_by.word(),
            "state": run.state.word(), "waits-for": run.waits_for.map(|id| id.to_string()),
            "phase": stand.phase, "done": stand.done, "total": stand.total, "counts": run.counts,
            "faults": stand.faults, "faults-in-all": stand.faults_in_all, "held": run.held,
            "findings": run.findings, "confirm": confirm(run), "asked": run.asked, "started": run.started,
            "ended": run.ended, "seconds": run.seconds(state.engine.clock.now()), "message": run.message,
        },
        "links": {
            "self": location, "findings": format!("{location}/findings"), "events": format!("{location}/events"),
        },
    })
}

fn confirm(run: &Run) -> Value {
    run.confirm
        .as_ref()
        .map_or(Value::Null, |confirm| json!({"key": confirm.key, "expires": confirm.expires}))
}

fn finding_resource(run: u64, n: u64, finding: &Finding) -> Value {
    json!({
        "type": "sweep-findings",
        "id": format!("{run}-{n}"),
        "attributes": {
            "kind": finding.kind.word(), "action": finding.action, "work-log": finding.work_log,
            "timesheets": finding.timesheets, "triplestore": finding.wanted, "kimai": finding.found,
            "reason": finding.reason, "held": finding.held.map(Hold::word),
            "held-because": finding.held.map(Hold::explain),
        },
    })
}

fn number(id: &str) -> Result<u64, Problem> {
    // `parse` alone takes a plus too.
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    id.parse().ok().filter(|_| digits).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(60).collect();
    let detail =
        format!("There is no run '{id}', or it is not kept any more. GET /runs shows the last ones.");
    Problem::new(StatusCode::NOT_FOUND, "No such run", detail)
}
