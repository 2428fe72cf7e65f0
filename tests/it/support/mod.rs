//! What the integration tests stand on.

pub(crate) mod stack;
pub(crate) mod virtuoso;
