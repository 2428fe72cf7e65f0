//! A span for each request, with the id of the call that it belongs to.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::telemetry::call::{self, Call};

/// Those who watch ask every few seconds, and nobody wants to read that.
const UNTOLD: [&str; 3] = ["/live", "/ready", "/metrics"];

/// Runs a request within its span and its call. The query string stays out of the span.
pub async fn request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let call = Call::of(header("mu-call-id"), header("mu-call-id-trail"));
    let span = if UNTOLD.contains(&request.path()) {
        Span::none()
    } else {
        info_span!("request", method = %request.method(), path = request.path(), mu_call_id = Empty, status = Empty)
    };
    if let Some(call) = &call {
        span.record("mu_call_id", call.id());
    }
    let answered = call::within(call, next.call(request)).instrument(span.clone()).await;
    if let Ok(response) = &answered {
        span.record("status", response.status().as_u16());
    }
    answered
}
