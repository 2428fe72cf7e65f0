//! Closes the event streams of a session when it ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::{Bytes, Data};
use tokio::time::Instant;

use super::Guard;

/// The same body, which ends at its next part once the session `id` is closed or has expired. Streams send something at
/// least every 15 seconds.
pub(super) fn until_logout(body: BoxBody, guard: Data<Guard>, id: String) -> BoxBody {
    match body.size() {
        BodySize::Stream => BoxBody::new(UntilLogout { body, guard, id }),
        BodySize::None | BodySize::Sized(_) => body,
    }
}

struct UntilLogout {
    body: BoxBody,
    guard: Data<Guard>,
    id: String,
}

impl MessageBody for UntilLogout {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let part = Pin::new(&mut this.body).poll_next(context);
        if part.is_ready() && !this.guard.sessions.is_open(&this.id, Instant::now()) {
            return Poll::Ready(None);
        }
        part
    }
}
