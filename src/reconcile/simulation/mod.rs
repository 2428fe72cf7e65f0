//! The whole service, less its sockets, simulated from a seed on paused time: both neighbours fail, the
//! process dies, deltas are lost and come again, and in the end everything has to be right.
//!
//! `KIMAI_SYNC_SEEDS=1000000 cargo test --lib simulation` tries that many histories;
//! `KIMAI_SYNC_SEED=12345 cargo test --lib simulation` plays one again and prints all that happened.

mod check;
pub(crate) mod dice;
mod engine;
mod faults;
mod history;
mod land;
mod matrix;
pub(crate) mod mutants;
mod people;
mod run;
mod scenario;
mod sheets;
mod state;
mod tests;
mod world;
