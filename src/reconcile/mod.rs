//! A work log is settled.

pub mod ledger;
