//! The queue: one entry per work log, waiting to be settled.
//!
//! # Laws
//! - **One entry per work log.** Ten deltas make one entry, due at the earliest time any of them asked.
//! - **One run per work log.** A lease is exclusive; a change during a run makes exactly one more run. A
//!   run that outlasts its lease has lost it: the work log is given out again, under a higher number,
//!   and the old lease settles nothing any more.
//! - **Fresh goes first.** A due entry that a delta or a request made ([`Reason::is_fresh`]) is leased before
//!   any of a sweep, an import or a day, which are background. The background does not starve: while some of
//!   it is due, one of eight leases in a row is of it. An entry that both asked for is fresh, until it has
//!   run; one whose run failed keeps its rank.
//! - **Separate deltas take turns.** What one delta named keeps what a later one named waiting for one lease, however
//!   many those are; likewise what was asked for in any other way.
//! - **What a delta named is looked at again.** The triplestore may show a change only after its delta has come and its
//!   run has looked. These looks are no entries: nobody waits for them.
//! - **Nothing is dropped.** An entry leaves only by [`Outcome::Done`]; a failed one waits or is parked
//!   with its reason.
//! - **Nothing is forgotten.** What [`Queue::put`] and [`Queue::complete`] report as done is on disk; what
//!   ran when the process died is due again. A run whose end could not be saved is run again.

mod durable;
mod entry;
mod entry_state;
mod fair_schedule;
mod future;
mod last_delta;
mod recheck;
mod rows;
mod state_machine;
mod throughput;

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{Code, WorkLogUri};
use crate::store::sqlite::StorageFault;
pub use durable::{Durable, LEASE, MOST_ENTRIES};
pub use entry::{Attempt, Counts, Ended, Entry, Filter, Lease, Outcome, Reason, State};
pub use last_delta::last_delta;
pub use recheck::Look;
pub(crate) use rows::is_removed;
pub use throughput::{SLOT, Slot};

/// Why the queue could not do what was asked; a delta is then answered with 503.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueFault {
    /// It holds as many work logs as it may.
    #[error("the queue is full: {0} work logs wait already")]
    Full(usize),
    /// It cannot be saved, or read.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The run took longer than its lease, and somebody else may have the work log by now.
    #[error("the run took longer than its lease, which ended at {0}; its outcome is left out")]
    Overrun(Timestamp),
}

/// Where work logs wait to be settled. See the module's laws.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Makes each work log due at `due` (or earlier, if it was). All or none are taken.
    async fn put(&self, work_logs: &[WorkLogUri], reason: Reason, due: Timestamp) -> Result<(), QueueFault>;

    /// The same for what a delta named: `true` where it told that the work log lost its class. That
    /// stays with the entry until a run has settled it (see [`crate::reconcile::ledger::Ledger::recall`]).
    async fn put_named(&self, named: &BTreeMap<WorkLogUri, bool>, due: Timestamp) -> Result<(), QueueFault>;

    /// Waits for the next due entry and leases it, fresh before background. Dropping the future takes nothing. Fails while
    /// nothing can be saved: what a run does could not be remembered.
    async fn lease(&self) -> Result<Lease, QueueFault>;

    /// Ends a lease. What a delta named is looked at again later, if its run saw it ([`Lease::seen`]) and it is not to
    /// be run again by itself.
    async fn complete(&self, lease: Lease, outcome: Outcome) -> Result<(), QueueFault>;

    /// Waits until some work logs are due for another look; gives at most `most` of them, until
    /// [`Queue::end_looks`] also to others. What is to be run anyway is left out.
    async fn looks(&self, most: usize) -> Result<Vec<Look>, QueueFault>;

    /// Ends looks, each with whether its work log has changed since its run: then it is run again. Gives how many are.
    async fn end_looks(&self, looks: Vec<(Look, bool)>) -> Result<usize, QueueFault>;

    /// Whether it is still to be looked at again.
    async fn has_look(&self, work_log: &WorkLogUri) -> Result<bool, QueueFault>;

    /// What was to be looked at again when the service was stopped gets all its looks anew, the first after the first
    /// pause; none where none are wanted now. How the clock has gone meanwhile is not known.
    async fn start_looks(&self) -> Result<(), QueueFault>;

    /// Makes every parked entry due now; gives their number.
    async fn wake_parked(&self, reason: Reason) -> Result<usize, QueueFault>;

    /// Makes a work log due now, with leave to overwrite its timesheet although it is exported: the next run that is
    /// not to be tried again uses it up. It outlives the process, as the entry does.
    async fn overwrite(&self, work_log: &WorkLogUri) -> Result<(), QueueFault>;

    /// The same for every entry that is parked with [`Code::TimesheetExported`]; gives their number.
    async fn overwrite_exported(&self) -> Result<usize, QueueFault>;

    /// How many entries are parked with each code.
    async fn parked_by_code(&self) -> Result<BTreeMap<Option<Code>, usize>, QueueFault>;

    /// How many entries stand where.
    async fn counts(&self) -> Result<Counts, QueueFault>;

    /// The earliest due time of all that wait; in the past while workers lag behind.
    async fn oldest_due(&self) -> Result<Option<Timestamp>, QueueFault>;

    /// Waits until nothing runs and nothing is to be run by itself. Parked entries do not count.
    async fn quiet(&self) -> Result<(), QueueFault>;

    /// The parked entries with the reason of each.
    async fn parked(&self) -> Result<Vec<(WorkLogUri, String)>, QueueFault>;

    /// At most `most` entries in the order of their IRIs, from behind `after` on; those that `filter` wants.
    /// The last of a page is the `after` of the next.
    async fn page(
        &self,
        filter: Filter,
        after: Option<&WorkLogUri>,
        most: usize,
    ) -> Result<Vec<Entry>, QueueFault>;

    /// The entry of a work log, if it has one.
    async fn entry(&self, work_log: &WorkLogUri) -> Result<Option<Entry>, QueueFault>;

    /// How the last runs of a work log ended, the latest first; at most 20. It may have some without an
    /// entry.
    async fn history(&self, work_log: &WorkLogUri) -> Result<Vec<Attempt>, QueueFault>;

    /// How the runs of each slot of [`SLOT`] ended, the earliest first, from the one that holds `since` on.
    /// Slots in which none ended are left out; what is older than two days is not kept.
    async fn throughput(&self, since: Timestamp) -> Result<Vec<Slot>, QueueFault>;
}
