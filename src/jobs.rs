//! Jobs: long-running work that was requested and has a status to look at.
//!
//! # Guarantees
//! - Two sweeps, two plans, two imports of one kind or two locks never run at the same time. Further requests wait in
//!   order; an identical request joins the one that waits.
//! - A sweep that was interrupted by a stop or crash starts again under the same number, unless `SYNC_AT_START` is
//!   false. Imports and locks do not: the caller got an error.
//! - A sweep is done when the work logs that it queued are synced, parked, or wait for somebody. Until then it blocks
//!   no other job, and a stop or crash only interrupts its progress report.
//! - The newest [`MOST_RUNS`] are kept, also across restarts.

mod fault;
mod follow;
mod handlers;
mod held;
pub mod import;
mod job;
mod lifecycle;
pub mod lock;
mod records;
mod schedule;
mod service;
mod work;

#[cfg(test)]
mod tests;

pub use crate::store::jobs::FindingFilter;
pub use fault::JobsFault;
pub use follow::Standing;
pub use handlers::{Handlers, Imports};
pub use held::HeldBack;
pub use job::{AskedBy, CONFIRM_WITHIN, Confirm, Job, Kind, Queued, State, Task, number};
pub use schedule::{MOST_RUNS, MOST_WAITING};
pub use service::{Asked, End, Follow, Jobs, Order, Ticket};
pub use work::{Done, Trouble, Work};
