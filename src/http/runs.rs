//! Runs over HTTP: status, findings, cancellation. JSON:API, and a stream of events.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{self, Bytes, Path, Query};
use futures_util::stream;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::State;
use super::problem::Problem;
use super::queue::size_of;
use super::request::{FindingsQuery, RunsQuery, one_of};
use super::response;
use super::response::fault::{BadRequest, FindingsGone, MEDIA_TYPE, NoSuchRun, RunHasEnded, Unavailable};
use super::response::finding::{FindingMeta, FindingPage, FindingResource};
use super::response::run::{
    FindingLinks, PlanAnswer, RunAccepted, RunAcceptedMeta, RunAnswer, RunEvent, RunList, RunListLinks,
    RunResource, location,
};
use crate::domain::finding;
use crate::jobs::{Asked, AskedBy, End, FindingFilter, Follow, Job, Jobs, JobsFault, Kind, Order, Task};
use crate::reconcile::sweep::Period;

/// The default page size of findings.
const PAGE: usize = 50;
/// The minimum time between two events.
const BETWEEN_EVENTS: Duration = Duration::from_millis(100);
/// How often an idle stream sends a heartbeat, so that no proxy closes it.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// 202 with the run and its address.
pub(super) fn accepted(state: &State, asked: &Asked) -> HttpResponse {
    let meta = RunAcceptedMeta { joined: asked.joined };
    located(response::accepted(&RunAccepted { data: resource(state, &asked.run), meta }), asked.run.id)
}

/// 200 with what a sweep of `period` would do.
pub(super) async fn plan(state: &State, period: Period) -> Result<HttpResponse, Problem> {
    let task = Task::Plan(period);
    let asked = state.runs.ask(Order::new(task, AskedBy::Request)).await?;
    let id = asked.run.id;
    ended_well(asked).await?;
    let run = state.runs.get(id).ok_or(JobsFault::Unknown(id))?;
    let (data, next) = page(&state.runs, id, FindingFilter::default(), 0, PAGE).await?;
    Ok(located(response::ok(&PlanAnswer::new(&run, period, data, next)), id))
}

/// The response, with the address of run `id`.
fn located(mut answer: HttpResponse, id: u64) -> HttpResponse {
    if let Ok(value) = location(id).parse() {
        answer.headers_mut().insert(LOCATION, value);
    }
    answer
}

/// Waits for the end of a run. Returns an error if it failed, was cancelled (409), or was interrupted by a stop of the
/// service (503).
pub(super) async fn ended_well(asked: Asked) -> Result<(), Problem> {
    let Job { id, task, .. } = asked.run;
    match asked.ticket.end().await {
        Some(End::Done) => Ok(()),
        Some(End::Failed(trouble)) => Err(trouble.as_ref().into()),
        Some(End::Cancelled) => {
            let detail = format!("Run {id} was cancelled; request it again if it is still needed.");
            Err(Problem::new(StatusCode::CONFLICT, "The run was cancelled", detail))
        }
        None => {
            let cut_off =
                format!("{} was interrupted by a stop of the service; request it again.", task.words());
            Err(Problem::unavailable(cut_off))
        }
    }
}

/// Lists the stored runs, newest first
#[utoipa::path(get, path = "/runs", tag = "Runs", operation_id = "runs", params(RunsQuery), responses(
    (status = 200, description = "The runs.", body = RunList, content_type = MEDIA_TYPE),
    BadRequest,
))]
pub(super) async fn list(query: Query<RunsQuery>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let kind = query.kind.as_deref().map(|word| one_of(word, "kind of run", &Kind::ALL, Kind::word));
    let runs = state.runs.list(kind.transpose()?);
    let data = runs.iter().map(|run| resource(&state, run)).collect();
    Ok(response::ok(&RunList { data, links: RunListLinks { this: "/runs" } }))
}

/// Shows one run
#[utoipa::path(get, path = "/runs/{id}", tag = "Runs", operation_id = "run",
    params(("id" = u64, Path, description = "The ID of the run.", minimum = 1, example = 17)),
    responses(
        (status = 200, description = "The run.", body = RunAnswer, content_type = MEDIA_TYPE),
        NoSuchRun,
    ))]
pub(super) async fn show(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let id = number(&id)?;
    let run = state.runs.get(id).ok_or(JobsFault::Unknown(id))?;
    Ok(response::ok(&RunAnswer { data: resource(&state, &run) }))
}

/// Cancels a run
///
/// What it has done is not undone.
#[utoipa::path(post, path = "/runs/{id}/cancel", tag = "Runs", operation_id = "cancel",
    params(("id" = u64, Path, description = "The ID of the run.", minimum = 1, example = 17)),
    responses(
        (status = 202, description = "It is being cancelled.", body = RunAnswer, content_type = MEDIA_TYPE),
        NoSuchRun, RunHasEnded, Unavailable,
    ))]
pub(super) async fn cancel(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let run = state.runs.cancel(number(&id)?).await?;
    Ok(response::accepted(&RunAnswer { data: resource(&state, &run) }))
}

/// Lists the findings of a sweep or plan
///
/// Returns one page; `links.next` is the next one.
#[utoipa::path(get, path = "/runs/{id}/findings", tag = "Runs", operation_id = "findings",
    params(("id" = u64, Path, description = "The ID of the run.", minimum = 1, example = 17), FindingsQuery),
    responses(
        (status = 200, description = "A page of findings.", body = FindingPage, content_type = MEDIA_TYPE),
        BadRequest, NoSuchRun, FindingsGone, Unavailable,
    ))]
pub(super) async fn findings(
    id: Path<String>,
    query: Query<FindingsQuery>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let id = number(&id)?;
    let run = state.runs.get(id).ok_or(JobsFault::Unknown(id))?;
    let kind = query
        .kind
        .as_deref()
        .map(|word| one_of(word, "kind of finding", &finding::Kind::ALL, finding::Kind::word));
    let held = match query.held.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Problem::bad_request(format!("filter[held] is '{other}'; expected true or false.")));
        }
    };
    let size = query.size.as_deref().map_or(Ok(PAGE), size_of)?;
    let after = query.after.as_deref().map_or(Ok(0), |text| {
        let faulty = || format!("'{text}' is not the number of a finding; use links.next unchanged.");
        text.parse::<u32>().map(u64::from).map_err(|_| Problem::bad_request(faulty()))
    })?;
    let filter = FindingFilter { kind: kind.transpose()?, held };
    let (data, next) = page(&state.runs, id, filter, after, size).await?;
    Ok(response::ok(&FindingPage {
        data,
        links: FindingLinks { run: location(id), next },
        meta: FindingMeta { run: id.to_string(), findings: run.findings, held: run.held },
    }))
}

/// A page, and the address of the next one.
async fn page(
    runs: &Jobs,
    id: u64,
    filter: FindingFilter,
    after: u64,
    size: usize,
) -> Result<(Vec<FindingResource>, Option<String>), Problem> {
    // One more than fits shows whether there is a next page.
    let mut found = runs.findings(id, filter, after, size.saturating_add(1)).await?;
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|(last, _)| {
        let mut pairs = vec![("page[after]", last.to_string()), ("page[size]", size.to_string())];
        pairs.extend(filter.kind.map(|kind| ("filter[kind]", kind.word().to_owned())));
        pairs.extend(filter.held.then(|| ("filter[held]", "true".to_owned())));
        format!("{}/findings?{}", location(id), serde_urlencoded::to_string(pairs).unwrap_or_default())
    });
    Ok((found.iter().map(|(n, finding)| FindingResource::new(id, *n, finding)).collect(), next))
}

/// Streams a run as server-sent events
///
/// Sends an event `run` immediately and at each change, until the run has ended. Its data is the run as in `GET
/// /runs/{id}`. Sends comments as heartbeats while nothing changes.
#[utoipa::path(get, path = "/runs/{id}/events", tag = "Runs", operation_id = "events",
    params(("id" = u64, Path, description = "The ID of the run.", minimum = 1, example = 17)),
    responses(
        (status = 200, description = "The events.", body = RunEvent, content_type = "text/event-stream"),
        NoSuchRun,
    ))]
pub(super) async fn events(id: Path<String>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let id = number(&id)?;
    let (run, follow) = state.runs.follow(id).ok_or(JobsFault::Unknown(id))?;
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

/// The state of one stream.
struct Stream {
    state: web::Data<State>,
    /// Cancelled when the service stops: an open stream would delay that.
    stop: CancellationToken,
    first: Option<Job>,
    /// None once the run has ended.
    follow: Option<Follow>,
    last: Instant,
}

impl Stream {
    /// The next event or heartbeat, or nothing at the end.
    async fn next(&mut self) -> Option<String> {
        if let Some(run) = self.first.take() {
            return Some(self.event(&run));
        }
        let follow = self.follow.as_mut()?;
        let stop = self.stop.clone();
        let next = async {
            // Changes meanwhile are sent as one event.
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

    fn event(&mut self, run: &Job) -> String {
        self.last = Instant::now();
        let run = serde_json::to_string(&resource(&self.state, run)).unwrap_or_default();
        format!("event: run\ndata: {run}\n\n")
    }
}

fn resource(state: &State, run: &Job) -> RunResource {
    RunResource::new(run, state.services.clock.now())
}

fn number(id: &str) -> Result<u64, Problem> {
    crate::jobs::number(id).ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(60).collect();
    let detail = format!("There is no run '{id}', or it is no longer stored. GET /runs lists the last ones.");
    Problem::new(StatusCode::NOT_FOUND, "No such run", detail)
}
