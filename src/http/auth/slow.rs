//! Timeouts for slow bodies: a client that sends only half of one would occupy a connection that others need.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use crate::http::problem::Problem;

/// The longest pause between two pieces of a body.
pub(super) const PAUSE: Duration = Duration::from_secs(10);
/// The time limit for a small body.
const GRACE: Duration = Duration::from_secs(30);
/// The minimum rate in bytes per second, which extends the limit for larger bodies: 500 MB may take nearly nine hours.
const RATE: u64 = 16 * 1024;

/// Whether reading a body was aborted.
pub(super) type GivenUp = Rc<Cell<bool>>;

/// Ends the body of `request` if its sender pauses for longer than `pause`, or is too slow overall.
pub(super) fn bound(request: &mut ServiceRequest, pause: Duration) -> GivenUp {
    let given_up = GivenUp::default();
    let headers = request.headers();
    let none = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    if none && !headers.contains_key(TRANSFER_ENCODING) {
        return given_up;
    }
    let (given_up_too, began) = (Rc::clone(&given_up), Instant::now());
    let body = (Some(request.take_payload()), 0_u64);
    let timed = stream::unfold(body, move |(payload, read)| {
        let given_up = Rc::clone(&given_up_too);
        async move {
            let mut payload = payload?;
            let end = began + GRACE + Duration::from_secs(read / RATE);
            match timeout_at(end.min(Instant::now() + pause), payload.next()).await {
                Ok(None) => None,
                Ok(Some(Err(fault))) => Some((Err(fault), (None, read))),
                Ok(Some(Ok(piece))) => {
                    let read = read.saturating_add(piece.len().try_into().unwrap_or(u64::MAX));
                    Some((Ok::<Bytes, PayloadError>(piece), (Some(payload), read)))
                }
                Err(_) => {
                    given_up.set(true);
                    let fault = io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the rest of the body did not arrive in time",
                    );
                    Some((Err(PayloadError::Io(fault)), (None, read)))
                }
            }
        }
    });
    request.set_payload(Payload::Stream { payload: Box::pin(timed) });
    given_up
}

/// The response to the client, if it still listens.
pub(super) fn refused() -> Problem {
    let pause = PAUSE.as_secs();
    let detail = format!(
        "The body did not arrive in time: nothing for {pause} s, or less than {} kB per second overall. Send it again.",
        RATE / 1024
    );
    Problem::new(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time", detail)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    /// Sends pieces of these sizes, each after a pause; returns what was read, and whether reading was aborted.
    async fn read(pieces: usize, bytes: usize, between: Duration) -> (u64, bool) {
        let mut request = TestRequest::post().insert_header((TRANSFER_ENCODING, "chunked")).to_srv_request();
        let pieces = stream::unfold(pieces, move |left| async move {
            let left = left.checked_sub(1)?;
            tokio::time::sleep(between).await;
            Some((Ok::<_, PayloadError>(Bytes::from(vec![0; bytes])), left))
        });
        request.set_payload(Payload::Stream { payload: Box::pin(pieces) });
        let given_up = bound(&mut request, PAUSE);
        let (mut body, mut read) = (request.take_payload(), 0);
        while let Some(Ok(piece)) = body.next().await {
            read += piece.len() as u64;
        }
        (read, given_up.get())
    }

    #[tokio::test(start_paused = true)]
    async fn who_pauses_or_drips_is_given_up_and_who_is_slow_is_not() {
        let (second, mb) = (Duration::from_secs(1), 1024 * 1024);
        assert_eq!(read(1, 1, 11 * second).await, (0, true), "a pause");
        let (dripped, given_up) = read(1_000, 1, 9 * second).await;
        assert!(given_up && dripped <= 4, "a drip: {dripped}");
        assert_eq!(read(3, 1, 9 * second).await, (3, false), "a slow small one");
        // 500 MB at 32 kB a second, four hours long.
        assert!(!read(500, mb, Duration::from_millis(9_900)).await.1, "in large pieces");
        assert_eq!(read(16_000, 32 * 1024, second).await, (500 * mb as u64, false), "a slow large one");
        let (read, given_up) = read(16_000, 8 * 1024, second).await;
        assert!(given_up && read < mb as u64, "slower than that: {read}");
    }
}
