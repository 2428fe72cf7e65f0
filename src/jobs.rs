//! Runs: long work that somebody asked for and may look at.
//!
//! # Guarantees
//! - Never two sweeps, two plans, two imports of one kind or two locks at once. What is asked for
//!   meanwhile waits for its turn, in the order in which it was asked for; the same thing asked for
//!   again while it still waits is one run.
//! - A sweep that a stop or crash of the process cut off is begun again under its number, unless
//!   `SYNC_AT_START` is false. An import or lock is not: whoever asked for it was told.
//! - A sweep is done when the work logs that it queued have come through, are parked, or wait for somebody; meanwhile it
//!   is in nobody's way, and a stop or crash only interrupts the look at them.
//! - The newest [`MOST_RUNS`] are kept, over restarts too.

mod fault;
mod follow;
mod handlers;
mod held;
pub mod import;
mod job;
mod lifecycle;
pub mod lock;
mod schedule;
mod service;
mod store;
mod work;

#[cfg(test)]
mod tests;

pub use fault::JobsFault;
pub use follow::Standing;
pub use handlers::{Handlers, Imports};
pub use held::HeldBack;
pub use job::{AskedBy, CONFIRM_WITHIN, Confirm, Job, Kind, Queued, State, Task, number};
pub use schedule::{MOST_RUNS, MOST_WAITING};
pub use service::{Asked, End, Follow, Jobs, Order, Ticket};
pub use store::FindingFilter;
pub use work::{Done, Trouble, Work};
