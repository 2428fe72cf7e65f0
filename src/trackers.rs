//! Time trackers: what the engine needs of one, and a folder each.

pub mod adaptive_concurrency;
pub mod kimai;

use crate::domain::IdOrder;
use crate::domain::ids::IdSyntax;

/// What a tracker can do, and how it writes its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// How it writes its ids.
    pub syntax: IdSyntax,
    /// What the ids of its entries say about their order.
    pub order: IdOrder,
}
