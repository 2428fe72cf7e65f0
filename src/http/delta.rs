//! `POST /delta`, called by the delta-notifier. Answers 204 once every work log it names is in the queue.
//!
//! The body is parsed as it arrives and never buffered. Everything parsed is queued even if the rest is invalid: an
//! unnecessary check is harmless, a lost change is not.

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use futures_util::StreamExt;
use tracing::{Instrument, Span, info, warn};

use super::State;
use super::coding;
use super::problem::Problem;
use super::request::Delta;
use super::response::fault::{BadRequest, TooLarge, Unavailable, UnknownMediaType};
use super::trace;
use crate::delta::{DeltaFault, Found, message};
use crate::failpoint::crash;
use crate::store::queue::MOST_ENTRIES;

/// The path for deltas.
pub(super) const PATH: &str = "/delta";
/// The largest delta, in bytes: the limit of the delta-notifier itself.
pub(super) const MOST_BYTES: usize = 500 * 1024 * 1024;

/// The limits for one delta.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    bytes: usize,
    /// The number of work logs: their IRIs take memory.
    work_logs: usize,
}

const BOUNDS: Bounds = Bounds { bytes: MOST_BYTES, work_logs: MOST_ENTRIES };
/// An invalid body up to this size is read to its end.
const SMALL_BYTES: usize = 64 * 1024;

/// Accepts a delta: changes in the triplestore
///
/// Called by the delta-notifier. When this answers, every work log that the delta names is in the queue, and the
/// changed tasks, persons and accounts are saved so that their work logs will be queued. What could be parsed is queued
/// even if the rest is invalid (400).
#[utoipa::path(post, path = "/delta", tag = "Sync", operation_id = "delta",
    request_body(content = Delta, description = "Up to 500 MB, with up to a million work logs.", content_type = "application/json",
        example = json!([{"inserts": [{
            "subject": {"type": "uri", "value": "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001"},
            "predicate": {"type": "uri", "value": "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"},
            "object": {"type": "uri", "value": "http://www.w3.org/2002/12/cal/ical#Vevent"},
        }], "deletes": []}])),
    responses((status = 204, description = "Everything is queued."), BadRequest, TooLarge, UnknownMediaType,
        Unavailable))]
pub(super) async fn post(
    request: HttpRequest,
    body: Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    receive(&request, body, &state, BOUNDS).await
}

/// Accepts a delta within `bounds`.
async fn receive(
    request: &HttpRequest,
    body: Payload,
    state: &State,
    bounds: Bounds,
) -> Result<HttpResponse, Problem> {
    let declared =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let (found, ended) = if let Some(problem) = coding::refused(request.headers()) {
        (Found::default(), Err(Cut::Coded(problem)))
    } else if declared.is_some_and(|bytes| bytes > bounds.bytes) {
        (Found::default(), Err(Cut::TooLarge(bounds.bytes)))
    } else {
        read(body, bounds).await
    };
    crash::point("delta parsed");
    // Most deltas concern no work log and are not logged.
    let concerns = found.named() > 0 || found.skipped > 0 || ended.is_err();
    let span = if concerns { trace::span(request.method(), PATH) } else { Span::none() };
    let answer = take(request, &found, ended, state).instrument(span.clone()).await;
    trace::answered(&span, answer.as_ref().map_or_else(ResponseError::status_code, HttpResponse::status));
    answer
}

/// Queues what was found, and responds.
async fn take(
    request: &HttpRequest,
    found: &Found,
    ended: Result<(), Cut>,
    state: &State,
) -> Result<HttpResponse, Problem> {
    if found.skipped > 0 {
        warn!("Skipped {} invalid parts of a delta", found.skipped);
    }
    state.services.intake.accept(found).await?;
    crash::point("delta saved");
    if !found.work_logs.is_empty() {
        info!("Queued {} work logs of a delta", found.work_logs.len());
    }
    if !found.references.is_empty() {
        info!("Looking for the work logs of {} changed tasks, persons or accounts", found.references.len());
    }
    match ended {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(fault) => {
            state.services.intake.metrics().delta_refused();
            Err(refuse(request, found, fault))
        }
    }
}

/// Why a body could not be read completely.
enum Cut {
    Coded(Problem),
    Empty,
    NotADelta(DeltaFault),
    TooLarge(usize),
    TooMany(usize),
    Lost(String),
}

fn refuse(request: &HttpRequest, found: &Found, cut: Cut) -> Problem {
    let problem = match cut {
        Cut::Coded(problem) => problem,
        Cut::Empty => Problem::bad_request(
            "The body is empty; set the option resourceFormat to 'v0.0.1' in the rules of the delta-notifier.",
        ),
        Cut::TooLarge(most) => Problem::too_large(most),
        Cut::TooMany(most) => Problem::too_many(most),
        Cut::Lost(why) => Problem::bad_request(format!("The body ended early: {why}.")),
        Cut::NotADelta(fault) => Problem::bad_request(format!("The body is not a delta: {fault}.")),
    };
    let from = request.peer_addr().map_or_else(String::new, |address| format!(" from {address}"));
    let kept = found.work_logs.len();
    warn!("Refused a delta{from}: {problem} {kept} work logs named before the error are queued.");
    problem
}

async fn read(mut body: Payload, bounds: Bounds) -> (Found, Result<(), Cut>) {
    let mut reader = message::Reader::default();
    let (mut bytes, mut fault) = (0, None);
    let cut = loop {
        match body.next().await {
            Some(Ok(piece)) => {
                if bytes == 0 && piece.starts_with(&coding::GZIP) {
                    break Some(Cut::Coded(coding::unsupported("gzip")));
                }
                bytes += piece.len();
                if bytes > bounds.bytes {
                    break Some(Cut::TooLarge(bounds.bytes));
                }
                if fault.is_none() {
                    fault = reader.read(&piece).err();
                }
                if reader.named() > bounds.work_logs {
                    break Some(Cut::TooMany(bounds.work_logs));
                }
                // A small rest is read, so that the connection can be reused.
                if fault.is_some() && bytes > SMALL_BYTES {
                    break fault.map(Cut::NotADelta);
                }
            }
            Some(Err(fault)) => break Some(Cut::Lost(fault.to_string())),
            None if bytes == 0 => break Some(Cut::Empty),
            None => break fault.or_else(|| reader.end().err()).map(Cut::NotADelta),
        }
    };
    // If the queue cannot hold all work logs of a delta, none is queued.
    let found = if matches!(cut, Some(Cut::TooMany(_))) { Found::default() } else { reader.found() };
    (found, cut.map_or(Ok(()), Err))
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::http::header::{HeaderValue, TRANSFER_ENCODING};
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::http::testing;
    use crate::store::sqlite::Storage;
    use crate::telemetry::metrics::Format;
    use crate::triplestore::embedded::Embedded;
    use crate::triplestore::vocabulary::cal;

    const SMALL: Bounds = Bounds { bytes: 2_000, work_logs: 3 };

    async fn small(
        request: HttpRequest,
        body: Payload,
        state: web::Data<State>,
    ) -> Result<HttpResponse, Problem> {
        receive(&request, body, &state, SMALL).await
    }

    fn state() -> web::Data<State> {
        let store = Embedded::in_memory().unwrap();
        testing::state(Storage::in_memory().unwrap(), &store, &CancellationToken::new())
    }

    fn refused(state: &State, times: usize) -> bool {
        let counted = format!("\nkimai_sync_deltas_refused_total {times}\n");
        state.services.metrics.text(Format::Prometheus).contains(&counted)
    }

    /// Its change is lost, so it must be logged.
    #[tokio::test]
    async fn one_that_is_too_large_is_counted_whether_its_length_was_declared_or_not() {
        let state = state();
        let app = App::new().app_data(state.clone()).route(PATH, web::post().to(small));
        let app = init_service(app).await;
        let mut times = 0;
        for chunked in [false, true] {
            for (bytes, status) in [(SMALL.bytes, 204), (SMALL.bytes + 1, 413)] {
                let mut body = b"[]".to_vec();
                body.resize(bytes, b' ');
                let mut request = TestRequest::post().uri(PATH).set_payload(body).to_request();
                let (length, headers) = (HeaderValue::from(bytes), request.headers_mut());
                headers.remove(CONTENT_LENGTH);
                if chunked {
                    headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
                } else {
                    headers.insert(CONTENT_LENGTH, length);
                }
                let answer = call_service(&app, request).await;
                assert_eq!(answer.status(), status, "{bytes} {chunked}");
                if status == 413 {
                    times += 1;
                    let told = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
                    assert!(told.contains("at most 2000 bytes"), "{told}");
                }
                assert!(refused(&state, times), "{bytes} {chunked}");
            }
        }
        assert_eq!(times, 2);
    }

    #[tokio::test]
    async fn one_that_is_compressed_or_empty_is_refused_in_words_and_counted() {
        let state = state();
        let app = App::new().app_data(state.clone()).route(PATH, web::post().to(small));
        let app = init_service(app).await;
        let gzip = [
            &coding::GZIP[..],
            &[8, 0, 0, 0, 0, 0, 0, 3, 0x8B, 0x8E, 5, 0, 0x29, 0xBB, 0x4C, 0x0D, 2, 0, 0, 0],
        ]
        .concat();
        let table = [
            (gzip.clone(), Some("gzip"), 415, "(gzip)"),
            (gzip, None, 415, "(gzip)"),
            (b"[]".to_vec(), Some("br"), 415, "(br)"),
            (Vec::new(), None, 400, "resourceFormat"),
            (b"[]".to_vec(), Some("identity"), 204, ""),
        ];
        let mut times = 0;
        for (body, coding, status, words) in table {
            let mut request = TestRequest::post().uri(PATH).set_payload(body);
            if let Some(coding) = coding {
                request = request.insert_header(("content-encoding", coding));
            }
            let answer = call_service(&app, request.to_request()).await;
            assert_eq!(answer.status(), status, "{coding:?}");
            let told = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
            assert!(told.contains(words), "{told}");
            times += usize::from(status != 204);
            assert!(refused(&state, times), "{coding:?}");
        }
    }

    #[tokio::test]
    async fn one_that_names_more_work_logs_than_the_queue_holds_is_cut_off_and_told() {
        let state = state();
        let app = App::new().app_data(state.clone()).route(PATH, web::post().to(small));
        let app = init_service(app).await;
        for (named, status) in [(3, 204), (4, 413)] {
            let triple = |n| {
                format!(
                    r#"{{"subject":{{"value":"http://x/{n}"}},"predicate":{{"value":"{}"}},"object":{{"value":"PT1H"}}}}"#,
                    cal::DURATION
                )
            };
            let triples = (0..named).map(triple).collect::<Vec<_>>().join(",");
            let body = format!(r#"[{{"inserts":[{triples}],"deletes":[]}}]"#);
            let answer =
                call_service(&app, TestRequest::post().uri(PATH).set_payload(body).to_request()).await;
            assert_eq!(answer.status(), status, "{named}");
        }
        assert!(refused(&state, 1));
        assert_eq!(state.services.queue.counts().await.unwrap().waiting(), 3, "those of the first");
    }
}
