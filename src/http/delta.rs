//! `POST /delta`: what the delta-notifier calls. 204 once every work log it names is in the queue.
//!
//! The body is read as a stream and never held whole; a small one that arrives at once is read where
//! it is. What could be understood is queued even when the rest is rubbish: looking once too often is
//! harmless, a lost change is not.

use std::io::{self, Read};

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{self, Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tracing::{Instrument, info, warn};

use super::State;
use super::answer::fault::{BadRequest, TooLarge, Unavailable};
use super::ask::Delta;
use super::problem::Problem;
use super::trace;
use crate::crash;
use crate::delta::{DeltaFault, Found, message};

/// Where deltas come.
pub(super) const PATH: &str = "/delta";
/// The largest delta, in bytes: what the delta-notifier itself takes.
pub(super) const MOST_BYTES: usize = 500 * 1024 * 1024;
/// Up to here a body is collected and read in place.
const SMALL_BYTES: usize = 64 * 1024;
/// Chunks under way between the network and the reader of a large body.
const CHUNKS_AHEAD: usize = 8;

/// Takes what changed in the triplestore
///
/// Called by the delta-notifier. Every work log that the delta names is in the queue when this answers; what
/// was understood is queued even when the rest is rubbish (400).
#[utoipa::path(post, path = "/delta", tag = "Sync", operation_id = "delta",
    request_body(content = Delta, description = "Up to 500 MB.", content_type = "application/json",
        example = json!([{"inserts": [{
            "subject": {"type": "uri", "value": "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001"},
            "predicate": {"type": "uri", "value": "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"},
            "object": {"type": "uri", "value": "http://www.w3.org/2002/12/cal/ical#Vevent"},
        }], "deletes": []}])),
    responses((status = 204, description = "All of it is queued."), BadRequest, TooLarge, Unavailable))]
pub(super) async fn post(
    request: HttpRequest,
    body: Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let declared =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > MOST_BYTES) {
        state.intake.metrics().delta_refused();
        return Err(Problem::too_large(MOST_BYTES));
    }
    let (found, ended) = read(body, &state).await?;
    crash::point("delta parsed");
    if found.work_logs.is_empty() && found.skipped == 0 && ended.is_ok() {
        // As most are: of no concern, so there is nothing to tell.
        state.intake.accept(&found).await?;
        return Ok(HttpResponse::NoContent().finish());
    }
    let span = trace::span(request.method(), PATH);
    let answer = take(&request, &found, ended, &state).instrument(span.clone()).await;
    trace::answered(&span, answer.as_ref().map_or_else(ResponseError::status_code, HttpResponse::status));
    answer
}

/// Queues what was found, and answers.
async fn take(
    request: &HttpRequest,
    found: &Found,
    ended: Result<(), Cut>,
    state: &State,
) -> Result<HttpResponse, Problem> {
    if found.skipped > 0 {
        warn!("Left out {} parts of a delta that make no sense", found.skipped);
    }
    state.intake.accept(found).await?;
    crash::point("delta saved");
    if !found.work_logs.is_empty() {
        info!("Queued {} work logs of a delta", found.work_logs.len());
    }
    match ended {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(fault) => {
            state.intake.metrics().delta_refused();
            Err(refuse(request, found, fault))
        }
    }
}

/// Why a body could not be read to its end.
enum Cut {
    NotADelta(DeltaFault),
    TooLarge,
    Lost(String),
}

fn refuse(request: &HttpRequest, found: &Found, cut: Cut) -> Problem {
    let problem = match cut {
        Cut::TooLarge => Problem::too_large(MOST_BYTES),
        Cut::Lost(why) => Problem::bad_request(format!("The body ended early: {why}.")),
        Cut::NotADelta(fault) => Problem::bad_request(format!("The body is not a delta: {fault}.")),
    };
    let from = request.peer_addr().map_or_else(String::new, |address| format!(" from {address}"));
    let kept = found.work_logs.len();
    warn!("Refused a delta{from}: {problem} {kept} work logs named before the fault are queued.");
    problem
}

async fn read(mut body: Payload, state: &State) -> Result<(Found, Result<(), Cut>), Problem> {
    let mut start = Vec::new();
    while start.len() <= SMALL_BYTES {
        match body.next().await {
            Some(Ok(chunk)) => start.extend_from_slice(&chunk),
            Some(Err(fault)) => {
                let mut found = Found::default();
                // Cut short, so it cannot be whole; what came is still worth a look.
                let _ = message::read_slice(&start, &mut found);
                return Ok((found, Err(Cut::Lost(fault.to_string()))));
            }
            None => {
                let mut found = Found::default();
                let result = message::read_slice(&start, &mut found).map_err(Cut::NotADelta);
                return Ok((found, result));
            }
        }
    }
    read_large(start.into(), body, state).await
}

/// Reads a large body on a thread of its own, a few chunks at a time.
async fn read_large(
    start: Bytes,
    mut body: Payload,
    state: &State,
) -> Result<(Found, Result<(), Cut>), Problem> {
    let _turn =
        state.large_deltas.acquire().await.map_err(|_| Problem::unavailable("The service is stopping."))?;
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let reader = tokio::task::spawn_blocking(move || {
        let mut found = Found::default();
        let source = Chunks { receiver, current: start };
        let result = message::read(io::BufReader::new(source), &mut found);
        (found, result)
    });
    let mut bytes = 0;
    let mut cut = None;
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => {
                bytes += chunk.len();
                if bytes > MOST_BYTES {
                    cut = Some(Cut::TooLarge);
                    break;
                }
                // The reader is gone when it met a fault: the rest need not come.
                if sender.send(chunk).await.is_err() {
                    break;
                }
            }
            Err(fault) => {
                cut = Some(Cut::Lost(fault.to_string()));
                break;
            }
        }
    }
    drop(sender);
    let (found, result) = reader.await.map_err(|_| Problem::unavailable("The delta could not be read."))?;
    let ended = cut.map_or(result.map_err(Cut::NotADelta), Err);
    Ok((found, ended))
}

/// The chunks of a body, as something to read from.
struct Chunks {
    receiver: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let taken = self.current.split_to(buffer.len().min(self.current.len()));
        buffer.iter_mut().zip(taken.iter()).for_each(|(to, from)| *to = *from);
        Ok(taken.len())
    }
}
