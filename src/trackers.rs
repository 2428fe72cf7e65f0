//! The time trackers that hold the timesheets, and what they have in common.

pub mod adaptive_concurrency;
pub mod kimai;
