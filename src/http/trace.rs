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

/// Those who watch ask every few seconds, and nobody wants to read that. Nor of most deltas: they have a span of their
/// own once they turn out to matter (see [`delta::post`]).
const UNTOLD: [&str; 4] = ["/live", "/ready", "/metrics", delta::PATH];

const CALL_ID: HeaderName = HeaderName::from_static("mu-call-id");
const TRAIL: HeaderName = HeaderName::from_static("mu-call-id-trail");

/// Runs a request within its span and its call. The query string stays out of the span. It is the first to see a
/// request: the path is from here on as we spell it.
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

/// The span of a request of the present call.
pub(super) fn span(method: &Method, path: &str) -> Span {
    let span = info_span!("request", %method, path, mu_call_id = Empty, status = Empty);
    if let Some(call) = call_id::current() {
        span.record("mu_call_id", call.id());
    }
    span
}

/// Notes how a request was answered.
pub(super) fn answered(span: &Span, status: StatusCode) {
    span.record("status", status.as_u16());
}
