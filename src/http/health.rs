//! `GET /live`, `GET /ready` and `GET /metrics`: for those who watch over the service.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};

use super::State;
use super::problem::Problem;
use crate::telemetry::metrics::Format;
use crate::telemetry::scrape;

/// A worker that is silent for this long will not speak again by itself.
const SILENCE: Duration = Duration::from_mins(1);
/// What a look at the triplestore or the file may take: whoever asks has little patience.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// Whether the process turns: 503 once a worker has given no sign of life for a minute.
pub(super) async fn live(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    match state.engine.workers.silent() {
        Some((number, silent)) if silent >= SILENCE => {
            let seconds = silent.as_secs();
            Err(refuse(
                "Not alive",
                format!("Worker {number} has not moved for {seconds} s. Start the service again."),
            ))
        }
        _ => Ok(HttpResponse::Ok().finish()),
    }
}

/// Whether deltas can be taken and acted upon: 503 until the triplestore has answered once, while
/// nothing can be saved, and from the moment the stop begins. Kimai being down does not count: deltas are
/// kept meanwhile.
pub(super) async fn ready(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let not_ready = |detail: String| Err(refuse("Not ready", detail));
    if state.stop.is_cancelled() {
        return not_ready("The service is stopping.".to_owned());
    }
    let storage = &state.engine.storage;
    if let Some(trouble) = storage.trouble() {
        // It may be over, and nobody has written since.
        match tokio::time::timeout(LOOK_LIMIT, storage.probe()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => return not_ready(format!("Nothing can be saved: {fault}.")),
            Err(_) => return not_ready(format!("Nothing can be saved: {trouble}.")),
        }
    }
    if !state.engine.triplestore.has_answered() {
        // Perhaps nobody has asked it yet.
        match tokio::time::timeout(LOOK_LIMIT, state.engine.work_logs.has_any()).await {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => {
                return not_ready(format!("The triplestore has not answered since the start: {fault}."));
            }
            Err(_) => {
                let limit = LOOK_LIMIT.as_secs();
                return not_ready(format!(
                    "The triplestore has not answered since the start, and not within {limit} s now."
                ));
            }
        }
    }
    Ok(HttpResponse::Ok().finish())
}

/// All metrics, in the text format that is asked for.
pub(super) async fn metrics(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    scrape::look(&state.engine).await;
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let openmetrics = accepted.contains("application/openmetrics-text");
    let format = if openmetrics { Format::OpenMetrics } else { Format::Prometheus };
    HttpResponse::Ok().content_type(format.content_type()).body(state.engine.metrics.text(format))
}

fn refuse(title: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, title, detail)
}
