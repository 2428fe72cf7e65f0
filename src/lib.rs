//! Syncs work logs from a mu-semtech triplestore to Kimai timesheets, one way.
//!
//! A delta comes in at [`delta`], waits in [`queue`], is reconciled by [`reconcile`], and reaches [`trackers::kimai`].
//! Everything the service asks of the outside lies behind a trait in the module of that name;
//! [`domain`] does no I/O at all.
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
//! - [`cli`], [`settings`], [`app`], [`engine`], [`clock`], [`telemetry`], [`escape`]: start-up and wiring.
//! - [`http`]: the HTTP API; [`ui`]: the operator page. [`delta`]: from a message to work logs. [`queue`]: where they
//!   wait.
//! - [`domain`]: what the words mean, and what to do about a difference.
//! - [`store::sqlite`]: the file behind the queue and the reconciler's ledger.
//! - [`reconcile`]: reconciles one work log, or sweeps a whole period.
//! - [`json`], [`unreadable`]: what the neighbours send, with unreadable values replaced and named.
//! - [`work_logs`]: the port to work logs. [`trackers::kimai`], [`triplestore`]: the two adapters. [`http_client`]: the
//!   HTTP client of both.
//! - [`jobs`]: sweeps, dry runs, imports and locks, which can be followed and cancelled. [`jobs::import`]: Kimai's
//!   catalogue into the triplestore. [`jobs::lock`]: a month's timesheets exported. [`progress`]: how far a job is.
//! - [`explain`]: everything that is known of one work log, and a hint.
//! - [`doctor`]: checks everything that syncing needs.
//! - [`schedule`]: scheduled sweeps.
//! - [`failpoint`]: where tests inject faults.
//! - [`demo`], [`trackers::kimai::sandbox`]: the demo, with a fake Kimai inside.

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
