//! Storage of the queue, the ledger and the jobs.

pub mod sqlite;
