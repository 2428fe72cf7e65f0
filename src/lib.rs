//! Keeps the work logs of a mu-semtech triplestore and the timesheets of Kimai the same.
//!
//! A delta comes in at [`delta`], waits in [`queue`], is settled by [`reconcile`], and reaches [`trackers::kimai`].
//! Everything the service asks of the outside lies behind a trait in the module of that name;
//! [`domain`] does no I/O at all.
//!
//! ```text
//! delta-notifier ──POST /delta──▶ delta ──IRIs──▶ queue (one entry per work log)
//!                                                   │ lease
//! cron, ops, start-up ──▶ reconcile::sweep ──IRIs──▶▼
//!                                               reconcile::worker ─▶ settle: read both sides ▶ plan ▶ act ▶ record
//!                                                   │                        │
//!                                              triplestore (SPARQL)     kimai (REST)
//! ```
//!
//! # Layout, in the order the data flows
//! - [`cli`], [`settings`], [`app`], [`engine`], [`clock`], [`telemetry`], [`escape`]: how it starts.
//! - [`http`]: the doors; [`ui`]: the one for people. [`delta`]: from a message to work logs. [`queue`]: where they wait.
//! - [`domain`]: what the words mean, and what to do about a difference.
//! - [`store::sqlite`]: the one file behind the queue and the reconciler's memory.
//! - [`reconcile`]: one work log settled, whole periods swept.
//! - [`json`], [`unreadable`]: what the neighbours send, with unreadable values replaced and named.
//! - [`work_logs`]: what is asked about work logs. [`trackers::kimai`], [`triplestore`]: the two sides. [`http_client`]: the HTTP client for both.
//! - [`jobs::import`], [`jobs::lock`]: Kimai's catalogue into the triplestore; a month's timesheets exported.
//! - [`jobs`]: sweeps, plans, imports and locks as things that can be looked at.
//!   [`progress`]: what such work tells while it goes on.
//! - [`explain`]: everything that is known of one work log, and what would help.
//! - [`doctor`]: everything that syncing needs, tried.
//! - [`schedule`]: when to sweep by itself.
//! - [`failpoint`]: where tests make the service go wrong on purpose.
//! - [`demo`], [`trackers::kimai::sandbox`]: the whole thing to try, with a Kimai inside.

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
