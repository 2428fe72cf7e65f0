//! A span for each request, with the ID of its call.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderName;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use super::{delta, trailing_slash};
use crate::telemetry::call_id::{self, Call};

/// Routes without a span: monitoring calls them every few seconds. Most deltas are irrelevant too; the others get a
/// span later (see [`delta::post`]).
const UNTOLD: [&str; 4] = ["/live", "/ready", "/metrics", delta::PATH];

const CALL_ID: HeaderName = HeaderName::from_static("mu-call-id");
const TRAIL: HeaderName = HeaderName::from_static("mu-call-id-trail");

/// Runs a request within its span and with its call ID. The query string is not part of the span. This is the outermost
/// middleware, so it also normalises the path.
pub async fn request(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    trailing_slash::trim(&mut request);
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let call = Call::of(header(CALL_ID), header(TRAIL));
    let told = !UNTOLD.contains(&request.path());
    call_id::within(call, async move {
        if !told {
            return next.call(request).await;
        }
        let span = span(request.method(), request.path());
        let answered = next.call(request).instrument(span.clone()).await;
        if let Ok(response) = &answered {
            self::answered(&span, response.status());
        }
        answered
    })
    .await
}

/// The span of a request.
pub(super) fn span(method: &Method, path: &str) -> Span {
    let span = info_span!("request", %method, path, mu_call_id = Empty, status = Empty);
    if let Some(call) = call_id::current() {
        span.record("mu_call_id", call.id());
    }
    span
}

/// Records the status of the response.
pub(super) fn answered(span: &Span, status: StatusCode) {
    span.record("status", status.as_u16());
}
