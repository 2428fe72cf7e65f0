//! Time trackers: what the engine needs of one, and a folder each.

pub mod adaptive_concurrency;
pub mod error;
pub mod kimai;
pub mod listing;

use crate::domain::IdOrder;
use crate::domain::ids::IdSyntax;
pub use adaptive_concurrency::AdaptiveLimiter;
pub use error::{Fault, Operation, TrackerFault};
pub use listing::{Gap, Lenient, Listed, OddRow, OddRows};

/// What a tracker can do, and how it writes its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Its name, for people.
    pub name: &'static str,
    /// How it writes its ids.
    pub syntax: IdSyntax,
    /// What the ids of its entries say about their order.
    pub order: IdOrder,
}
