//! Keeps the work logs of a mu-semtech triplestore and the timesheets of Kimai the same.
//!
//! A delta comes in at [`delta`], waits in [`queue`], is settled by [`reconcile`], and reaches [`kimai`].
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
//! - [`cli`], [`settings`], [`app`], [`engine`], [`clock`], [`telemetry`], [`lines`]: how it starts.
//! - [`http`]: the doors; [`page`]: the one for people. [`delta`]: from a message to work logs. [`queue`]: where they wait.
//! - [`domain`]: what the words mean, and what to do about a difference.
//! - [`storage`]: the one file behind the queue and the reconciler's memory.
//! - [`reconcile`]: one work log settled, whole periods swept.
//! - [`json`], [`unreadable`]: what the neighbours send, with unreadable values replaced and named.
//! - [`source`]: what is asked about work logs. [`kimai`], [`triplestore`]: the two sides. [`tls`]: the HTTP client for both.
//! - [`import`], [`lock`]: Kimai's catalogue into the triplestore; a month's timesheets exported.
//! - [`runs`]: sweeps, plans, imports and locks as things that can be looked at.
//!   [`progress`]: what such work tells while it goes on.
//! - [`story`]: everything that is known of one work log, and what would help.
//! - [`doctor`]: everything that syncing needs, tried.
//! - [`schedule`]: when to sweep by itself.
//! - [`failpoint`]: where tests make the service go wrong on purpose.
//! - [`demo`], [`sandbox`]: the whole thing to try, with a Kimai inside.

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
pub mod failpoint;
#[cfg(test)]
mod fuzz;
pub mod http;
pub mod import;
pub mod json;
pub mod kimai;
pub mod limits;
pub mod lines;
pub mod lock;
pub mod page;
pub mod progress;
pub mod queue;
pub mod reconcile;
pub mod runs;
pub mod sandbox;
pub mod schedule;
pub mod settings;
pub mod source;
pub mod status;
pub mod storage;
pub mod story;
pub mod telemetry;
pub mod tls;
pub mod triplestore;
pub mod unreadable;
mod words;
