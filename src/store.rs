//! What is kept over a restart: traits of what is kept, and a folder for each way to keep it.

pub mod jobs;
pub mod queue;
pub mod sqlite;

use std::sync::Arc;

pub use queue::{Look, Queue, QueueFault, Slot};

/// Why the file cannot be used, as text with the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue's file {file} cannot be used: {why}")]
pub struct StorageFault {
    /// The file.
    pub file: Arc<str>,
    /// What is wrong, and how to fix it.
    pub why: String,
}
