//! `GET /live`, `GET /ready` and `GET /metrics`: for monitoring.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::time::timeout;

use super::State;
use super::metrics;
use super::problem::Problem;
use super::response::fault::Unavailable;
use crate::domain::status::NotReady;
use crate::telemetry::metrics::Format;

/// After this long without a heartbeat, a worker will not recover by itself.
const SILENCE: Duration = Duration::from_mins(1);
/// The time limit for probing the triplestore or the queue file; the caller's own timeout is short.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// Whether the process is alive
///
/// 503 if a worker has had no heartbeat for a minute.
#[utoipa::path(get, path = "/live", tag = "Health", operation_id = "live",
    responses((status = 200, description = "It is."), Unavailable))]
pub(super) async fn live(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    match state.services.workers.silent() {
        Some((number, silent)) if silent >= SILENCE => {
            let seconds = silent.as_secs();
            Err(refuse(
                "Not alive",
                format!("Worker {number} has had no heartbeat for {seconds} s. Restart the service."),
            ))
        }
        _ => Ok(HttpResponse::Ok().finish()),
    }
}

/// Whether deltas can be accepted and processed
///
/// 503 until the triplestore has answered once, while nothing can be saved, and once the service is stopping. If Kimai
/// is down, the service is still ready: deltas are queued.
#[utoipa::path(get, path = "/ready", tag = "Health", operation_id = "ready",
    responses((status = 200, description = "They can."), Unavailable))]
pub(super) async fn ready(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let services = &state.services;
    // The last known state may be outdated, so probe again, unless the service is stopping.
    if !state.stop.is_cancelled() {
        let save = async {
            let _ = timeout(LOOK_LIMIT, services.storage.look()).await;
        };
        let ask = async {
            if services.triplestore.contact().answered.is_none() {
                let _ = timeout(LOOK_LIMIT, services.work_logs.has_any()).await;
            }
        };
        tokio::join!(save, ask);
    }
    let status = state.status().await?;
    let detail = match status.not_ready() {
        None => return Ok(HttpResponse::Ok().finish()),
        Some(NotReady::Stopping) => "The service is stopping.".to_owned(),
        Some(NotReady::CannotSave(why)) => format!("Nothing can be saved: {why}."),
        Some(NotReady::TriplestoreNeverAnswered(Some(why))) => {
            format!("The triplestore has not answered since the start: {why}.")
        }
        Some(NotReady::TriplestoreNeverAnswered(None)) => format!(
            "The triplestore has not answered since the start, and not within {} s now.",
            LOOK_LIMIT.as_secs()
        ),
    };
    Err(refuse("Not ready", detail))
}

/// All metrics, for Prometheus
///
/// In the `OpenMetrics` format if `Accept` requests it. Needs the token if `METRICS_PROTECTED` is set.
#[utoipa::path(get, path = "/metrics", tag = "Health", operation_id = "metrics", responses(
    (status = 200, description = "The metrics.", content(
        (String = "text/plain", example = json!("# TYPE kimai_sync_queue_entries gauge\n…")),
        (String = "application/openmetrics-text"),
    )),
))]
pub(super) async fn metrics(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    metrics::look(&state.services, state.status().await.ok().as_ref()).await;
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let openmetrics = accepted.contains("application/openmetrics-text");
    let format = if openmetrics { Format::OpenMetrics } else { Format::Prometheus };
    HttpResponse::Ok().content_type(format.content_type()).body(state.services.metrics.text(format))
}

fn refuse(title: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, title, detail)
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;
    use futures_util::FutureExt;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::http::testing;
    use crate::store::sqlite::Storage;
    use crate::triplestore::embedded::Embedded;

    fn state(storage: Storage, stop: &CancellationToken) -> web::Data<State> {
        testing::state(storage, &Embedded::in_memory().unwrap(), stop)
    }

    async fn told(answer: Result<HttpResponse, Problem>) -> (u16, String) {
        let response = answer.unwrap_or_else(|problem| problem.error_response());
        let status = response.status().as_u16();
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_is_ready_until_the_stop_begins() {
        let stop = CancellationToken::new();
        let state = state(Storage::in_memory().unwrap(), &stop);
        let asked = || state.services.triplestore.contact().answered.is_some();
        assert!(!asked(), "nobody has asked it");
        assert_eq!(told(ready(state.clone()).await).await, (200, String::new()));
        assert!(asked());
        stop.cancel();
        let (status, body) = told(ready(state.clone()).await).await;
        assert!(status == 503 && body.contains("The service is stopping."), "{body}");
        assert_eq!(told(live(state).await).await.0, 200, "it still turns");
    }

    #[tokio::test]
    async fn it_is_not_ready_while_nothing_can_be_saved() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open_single(folder.path()).unwrap();
        let state = state(storage.clone(), &CancellationToken::new());
        let (file, aside) = (folder.path().join(crate::store::sqlite::FILE), folder.path().join("aside"));
        std::fs::rename(&file, &aside).unwrap();
        storage.look().await.unwrap_err();
        let (status, body) = told(ready(state.clone()).await).await;
        assert!(status == 503 && body.contains("Nothing can be saved: the queue file"), "{body}");
        std::fs::rename(&aside, &file).unwrap();
        assert_eq!(told(ready(state.clone()).await).await.0, 200, "without anybody writing");
        std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(5_000).unwrap();
        let (status, body) = told(ready(state).await).await;
        assert!(status == 503 && body.contains("it is damaged") && body.contains(".rescued"), "{body}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_alive_until_a_worker_has_not_moved_for_a_minute() {
        let state = state(Storage::in_memory().unwrap(), &CancellationToken::new());
        assert_eq!(told(live(state.clone()).await).await.0, 200, "before the workers begin");
        let heartbeat = state.services.workers.heartbeat().unwrap().clone();
        // A worker that is no longer polled.
        let mut stuck = Box::pin(heartbeat.keep(3, None, std::future::pending::<()>()));
        assert!(stuck.as_mut().now_or_never().is_none());
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(told(live(state.clone()).await).await.0, 200);
        tokio::time::advance(Duration::from_secs(1)).await;
        let (status, body) = told(live(state).await).await;
        assert!(status == 503 && body.contains("Worker 3 has had no heartbeat for 60 s."), "{body}");
    }
}
