//! Syncs work logs from a mu-semtech triplestore to Kimai timesheets.
//!
//! A delta arrives at [`delta`] and waits in [`queue`]. [`reconcile`] then updates the timesheet through
//! [`trackers::kimai`].
//! Each external system is behind a trait in the module of that name. [`domain`] does no I/O.
//!
//! ```text
//! delta-notifier ──POST /delta──▶ delta ──IRIs──▶ queue (one entry per work log)
//!                                                   │ lease
//! cron, ops, start-up ──▶ jobs ─▶ sweep ──IRIs──▶   ▼
//!                                               worker ─▶ reconcile: read both sides ▶ plan ▶ act ▶ record
//!                                                   │                  │
//!                                           triplestore (SPARQL)   Kimai (REST)
//! ```
//!
//! # Layout, in the order the data flows
//! - [`cli`], [`settings`], [`app`], [`engine`], [`clock`], [`telemetry`], [`escape`]: start-up and basics.
//! - [`http`]: the endpoints; [`ui`]: the operator page. [`delta`]: from a message to work logs. [`queue`]: where they
//!   wait.
//! - [`domain`]: the types, and the decision what to do about a difference.
//! - [`store`]: what is kept over a restart: a trait for each part, and [`store::sqlite`], which keeps them in a file.
//! - [`reconcile`]: syncs one work log, and sweeps whole periods.
//! - [`json`], [`unreadable`]: parse external data; unreadable values are replaced and reported.
//! - [`work_logs`]: queries about work logs. [`trackers::kimai`], [`triplestore`]: the two sides. [`http_client`]: the
//!   HTTP client for both.
//! - [`jobs::import`], [`jobs::lock`]: import Kimai's catalogue into the triplestore; mark a month's timesheets as
//!   exported.
//! - [`jobs`]: sweeps, plans, imports and locks as resources with a status. [`progress`]: how such a job reports its
//!   progress.
//! - [`explain`]: everything known about one work log, and how to fix it.
//! - [`doctor`]: checks everything that syncing needs.
//! - [`schedule`]: when sweeps run automatically.
//! - [`failpoint`]: fault injection for tests.
//! - [`demo`], [`trackers::kimai::sandbox`]: the whole service to try, with a fake Kimai server.

pub mod app;
pub mod cli;
pub mod clock;
pub mod contact;
pub mod delta;
pub mod demo;
pub mod doctor;
pub mod domain;
#[cfg(test)]
mod effort;
pub mod engine;
pub mod escape;
pub mod explain;
pub mod failpoint;
#[cfg(test)]
mod fuzz;
pub mod http;
pub mod http_client;
pub mod jobs;
pub mod json;
pub mod limits;
pub mod progress;
pub mod queue;
pub mod reconcile;
pub mod schedule;
pub mod settings;
pub mod status;
pub mod store;
pub mod telemetry;
mod text;
pub mod trackers;
pub mod triplestore;
pub mod ui;
pub mod unreadable;
pub mod work_logs;
