//! The integration tests, in one binary so that it links once.

// `cfg(test)` on each: clippy then knows that helpers outside a test function may unwrap too.
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod exported;
#[cfg(test)]
mod hours;
#[cfg(test)]
mod http;
#[cfg(test)]
mod identifiers;
#[cfg(test)]
mod incomplete;
#[cfg(test)]
mod late;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod notes;
#[cfg(test)]
mod page;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod process;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod references;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod runs;
mod sandbox_faults;
mod sandbox_replay;
#[cfg(test)]
mod scale;
mod scripts;
#[cfg(test)]
mod seams;
#[cfg(test)]
mod security;
#[cfg(test)]
mod sentences;
#[cfg(test)]
mod service;
#[cfg(test)]
mod statement_refusals;
#[cfg(test)]
mod status;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod tombstones;
#[cfg(test)]
mod triplestores;
#[cfg(test)]
mod unknown;
