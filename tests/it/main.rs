//! The integration tests, in one binary so that it links once.

mod sandbox_faults;
mod sandbox_replay;
mod scripts;
#[cfg(test)]
mod support;
#[cfg(test)]
mod triplestores;
