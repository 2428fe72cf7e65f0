//! Runs: long work that somebody asked for and may look at.

pub mod progress;
