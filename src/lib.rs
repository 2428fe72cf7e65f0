//! Keeps the work logs of a mu-semtech triplestore and the timesheets of Kimai the same.

pub mod clock;
pub mod delta;
pub mod domain;
pub mod http;
pub mod import;
pub mod kimai;
pub mod lock;
pub mod queue;
pub mod reconcile;
pub mod schedule;
pub mod settings;

pub mod sandbox;
pub mod tls;
pub mod triplestore;
