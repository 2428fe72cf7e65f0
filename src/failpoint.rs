//! Fault injection, so that tests prove that they detect faults. A release build has none.
//!
//! - [`crash`]: the process dies at a named place, for the tests of the real program. Debug builds only.
//! - `mutants`: a rule of the service is left out, for the simulation. Unit tests only.

pub mod crash;
pub(crate) mod mutants;
