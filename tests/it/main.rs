//! The integration tests, in one binary so that it links once.

mod http;
mod process;
mod sandbox_faults;
mod sandbox_replay;
mod scripts;
mod service;
#[cfg(test)]
mod support;
#[cfg(test)]
mod triplestores;
