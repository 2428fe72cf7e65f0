//! Reconciles work logs: makes Kimai match the triplestore.
//!
//! # Guarantees
//! - Level-triggered: a run reads the current state of both sides and updates Kimai. Which change caused the run, or
//!   how many, does not matter.
//! - One run per work log at a time, enforced by the queue's lease.
//! - A timesheet is deleted only on positive evidence (see [`crate::domain::plan`]).
//!
//! # Assumptions
//! This is the only process that syncs between this triplestore and this Kimai.

pub(crate) mod admission;
mod batched_source;
mod batcher;
pub mod breaker;
pub mod effect;
mod exported;
pub mod heartbeat;
mod in_flight;
mod losses;
pub mod recheck;
pub mod reconciler;
pub mod references;
pub mod refusals;
pub mod requests;
pub mod retry;
#[cfg(test)]
pub(crate) mod simulation;
pub mod sweep;
mod visibility;
pub mod worker;
