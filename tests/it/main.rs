//! The integration tests, in one binary so that it links once.

mod sandbox_faults;
mod sandbox_replay;
mod scripts;
mod support;
mod triplestores;
