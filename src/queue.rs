//! What waits to be reconciled, as a pure state machine over the entries of work logs; [`crate::store::queue`] says what
//! the queue guarantees, and a store keeps the entries.

mod entry;
pub(crate) mod entry_state;
mod fair_schedule;
pub(crate) mod state_machine;

pub use entry::{Attempt, Counts, Ended, Entry, Filter, Lease, Outcome, Reason, State};
