//! The integration tests, in one binary.

mod sandbox_faults;
mod sandbox_replay;
