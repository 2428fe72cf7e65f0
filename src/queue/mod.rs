//! The queue: one entry per work log, waiting to be settled.
//!
//! # Laws
//! - **One entry per work log.** Ten deltas make one entry, due at the earliest time any of them asked.
//! - **One run per work log.** A lease is exclusive; a change during a run makes exactly one more run.
//! - **Nothing is dropped.** An entry leaves only by [`Outcome::Done`]; a failed one waits or is parked
//!   with its reason.
//!
//! # Caveats
//! [`Memory`] does not survive the process. What was queued when it ended is found again by the
//! sweep at the next start.

mod book;
mod entry;
mod memory;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::WorkLogUri;
pub use entry::{Counts, Lease, Outcome, Reason};
pub use memory::Memory;

/// Why the queue could not do what was asked; a delta is then answered with 503.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueFault {
    /// It holds as many work logs as it may.
    #[error("the queue is full: {0} work logs wait already")]
    Full(usize),
}

/// Where work logs wait to be settled. See the module's laws.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Makes each work log due at `due` (or earlier, if it was). All or none are taken.
    async fn put(&self, work_logs: &[WorkLogUri], reason: Reason, due: Timestamp) -> Result<(), QueueFault>;

    /// Waits for the next due entry and leases it. Dropping the future takes nothing.
    async fn lease(&self) -> Result<Lease, QueueFault>;

    /// Ends a lease.
    async fn settle(&self, lease: Lease, outcome: Outcome) -> Result<(), QueueFault>;

    /// Makes every parked entry due now; gives their number.
    async fn wake_parked(&self, reason: Reason) -> Result<usize, QueueFault>;

    /// How many entries stand where.
    async fn counts(&self) -> Result<Counts, QueueFault>;

    /// Waits until nothing runs and nothing is to be run by itself. Parked entries do not count.
    async fn quiet(&self) -> Result<(), QueueFault>;

    /// The parked entries with the reason of each.
    async fn parked(&self) -> Result<Vec<(WorkLogUri, String)>, QueueFault>;
}
