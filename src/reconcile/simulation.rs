//! Simulates the whole service, except its sockets, from a seed on paused time: Kimai and the triplestore fail, the
//! process dies, deltas are lost and repeated, and in the end everything has to be right.
//!
//! `KIMAI_SYNC_SEEDS=1000000 cargo test --lib simulation::tests` tries that many histories, `200000..400000` those of
//! a range, `0..5000,200000..200100` of several;
//! `KIMAI_SYNC_SEED=12345 cargo test --lib simulation::tests` plays one again and prints all that happened.

mod check;
mod counting;
mod effect;
mod engine;
mod excuses;
mod fake_tracker;
mod faults;
mod fixtures;
mod history;
mod lag;
mod listing;
mod matrix;
mod mutants;
mod pinned;
mod profile;
mod restore;
pub(crate) mod rng;
mod run;
mod scenario;
mod stand;
mod state;
mod tests;
mod workload;
mod world;
