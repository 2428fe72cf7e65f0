//! Places where tests make the service go wrong on purpose, to show that they would notice. A release build has none.
//!
//! - [`crash`]: the process dies at a named place, for the tests of the real program. In debug builds only.
//! - `mutants`: a rule of the service is left out, for the simulation. In unit tests only.

pub mod crash;
pub(crate) mod mutants;
