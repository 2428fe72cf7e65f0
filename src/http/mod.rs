//! The doors.

pub mod sparql;
