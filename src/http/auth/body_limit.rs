//! Limits the size of a body by route, whether its length is declared or not.

use actix_web::HttpMessage as _;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use futures_util::StreamExt as _;

use crate::http::problem::Problem;

/// Refuses a body declared larger than `most` bytes, and cuts off a body of undeclared length there. Without `most`,
/// the route has its own limit.
pub(super) fn set(request: &mut ServiceRequest, most: Option<usize>) -> Result<(), Problem> {
    let Some(most) = most else { return Ok(()) };
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.is_some_and(|text| text.parse::<usize>().map_or(true, |bytes| bytes > most)) {
        return Err(Problem::too_large(most));
    }
    if request.headers().contains_key(TRANSFER_ENCODING) {
        let mut left = most;
        let bounded = request.take_payload().map(move |chunk| {
            let chunk = chunk?;
            left = left.checked_sub(chunk.len()).ok_or(PayloadError::Overflow)?;
            Ok(chunk)
        });
        request.set_payload(Payload::Stream { payload: Box::pin(bounded) });
    }
    Ok(())
}
