//! Where the queue, the ledger and the jobs are kept.

pub mod sqlite;
