//! The queue: one entry per work log that waits to be reconciled.
//!
//! # Invariants
//! - **One entry per work log.** Ten deltas make one entry, due at the earliest time that any of them requested.
//! - **One run per work log.** A lease is exclusive; a change during a run causes exactly one more run. A run that
//!   outlives its lease loses it: the work log is leased again under a higher number, and the old lease can no longer
//!   complete anything.
//! - **Fresh before background.** A due entry from a delta or a request ([`Reason::is_fresh`]) is leased before entries
//!   from a sweep, an import or the daily retry, which are background. Background entries do not starve: while some are
//!   due, one in eight leases is for them. An entry requested by both is fresh until it has run; one whose run failed
//!   keeps its priority.
//! - **Deltas take turns.** The entries of one delta delay those of a later one by at most one lease, however many
//!   there are. The same holds for other requests.
//! - **Entries of deltas are rechecked.** The triplestore may show a change only after its delta has arrived and its
//!   run has read the data. These rechecks are not entries, so nothing waits for them.
//! - **Nothing is dropped.** An entry leaves only by [`Outcome::Done`]; a failed one waits, or is parked with its
//!   reason.
//! - **Durable.** What [`Queue::put`] and [`Queue::complete`] acknowledge is on disk. Entries that were running when
//!   the process died are due again, as are runs whose result could not be saved.

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

/// Why the queue failed. A delta is then answered with 503.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueFault {
    /// The queue has reached its maximum size.
    #[error("the queue is full: {0} work logs are waiting already")]
    Full(usize),
    /// The queue cannot be saved or read.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The run outlived its lease, so another run may have the work log by now.
    #[error("the run took longer than its lease, which ended at {0}; its result is ignored")]
    Overrun(Timestamp),
}

/// Where work logs wait to be reconciled. See the invariants in the module's documentation.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Makes each work log due at `due`, or earlier if it already was. Accepts all of them or none.
    async fn put(&self, work_logs: &[WorkLogUri], reason: Reason, due: Timestamp) -> Result<(), QueueFault>;

    /// Like [`Queue::put`], for the work logs of a delta: `true` if the delta removed its class. This is kept with the
    /// entry until a run has completed it (see [`crate::reconcile::ledger::Ledger::recall`]).
    async fn put_named(&self, named: &BTreeMap<WorkLogUri, bool>, due: Timestamp) -> Result<(), QueueFault>;

    /// Waits for the next due entry and leases it, fresh before background. Cancel safe. Fails while nothing can be
    /// saved, since the result of a run could not be recorded.
    async fn lease(&self) -> Result<Lease, QueueFault>;

    /// Ends a lease. An entry from a delta is rechecked later if its run read the data ([`Lease::seen`]), unless it
    /// will run again automatically.
    async fn complete(&self, lease: Lease, outcome: Outcome) -> Result<(), QueueFault>;

    /// Waits until some work logs are due for a recheck, and returns at most `most` of them. Until
    /// [`Queue::end_looks`], others may get them too. Entries that will run anyway are left out.
    async fn looks(&self, most: usize) -> Result<Vec<Look>, QueueFault>;

    /// Ends rechecks, each with whether its work log has changed since its run; those that have run again. Returns
    /// their number.
    async fn end_looks(&self, looks: Vec<(Look, bool)>) -> Result<usize, QueueFault>;

    /// Whether a recheck of this work log is still to come.
    async fn has_look(&self, work_log: &WorkLogUri) -> Result<bool, QueueFault>;

    /// After a restart, schedules all rechecks of pending work logs anew, the first after the first pause, since it is
    /// unknown how the clock has changed meanwhile. Drops them if rechecks are disabled.
    async fn start_looks(&self) -> Result<(), QueueFault>;

    /// Makes every parked entry due now. Returns their number.
    async fn wake_parked(&self, reason: Reason) -> Result<usize, QueueFault>;

    /// Makes a work log due now, with permission to overwrite its timesheet although it is exported. The next run that
    /// is not retried uses the permission up. It survives a restart, as the entry does.
    async fn overwrite(&self, work_log: &WorkLogUri) -> Result<(), QueueFault>;

    /// The same for every entry that is parked with [`Code::TimesheetExported`]. Returns their number.
    async fn overwrite_exported(&self) -> Result<usize, QueueFault>;

    /// The number of parked entries by code.
    async fn parked_by_code(&self) -> Result<BTreeMap<Option<Code>, usize>, QueueFault>;

    /// The number of entries by state.
    async fn counts(&self) -> Result<Counts, QueueFault>;

    /// The earliest due time of all waiting entries; in the past while workers lag behind.
    async fn oldest_due(&self) -> Result<Option<Timestamp>, QueueFault>;

    /// Waits until nothing runs and nothing will run automatically. Parked entries do not count.
    async fn quiet(&self) -> Result<(), QueueFault>;

    /// The parked entries with their reasons.
    async fn parked(&self) -> Result<Vec<(WorkLogUri, String)>, QueueFault>;

    /// At most `most` entries that `filter` accepts, ordered by IRI, starting after `after`. The last one of a page is
    /// the `after` of the next.
    async fn page(
        &self,
        filter: Filter,
        after: Option<&WorkLogUri>,
        most: usize,
    ) -> Result<Vec<Entry>, QueueFault>;

    /// The entry of a work log, if it has one.
    async fn entry(&self, work_log: &WorkLogUri) -> Result<Option<Entry>, QueueFault>;

    /// The results of the last runs of a work log, latest first, at most 20. Available even without an entry.
    async fn history(&self, work_log: &WorkLogUri) -> Result<Vec<Attempt>, QueueFault>;

    /// The results of runs in each slot of [`SLOT`], earliest first, starting with the slot that contains `since`.
    /// Empty slots are left out. Kept for two days.
    async fn throughput(&self, since: Timestamp) -> Result<Vec<Slot>, QueueFault>;
}
