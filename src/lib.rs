//! Keeps the work logs of a mu-semtech triplestore and the timesheets of Kimai the same.

pub mod clock;
pub mod domain;
pub mod http;
pub mod kimai;
pub mod tls;
pub mod triplestore;
