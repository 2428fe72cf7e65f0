//! The list of metrics: names, kinds, units, labels, meanings. All are present from the start, with the value zero.

use super::metrics::{Answer, Operation, Resolved, Side};
use crate::domain::Code;
use crate::domain::finding::Hold;

/// The prefix of every name.
pub const PREFIX: &str = "kimai_sync";

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A histogram.
    Histogram,
}

/// A label and all the values it can have.
pub type Label = (&'static str, &'static [&'static str]);

/// The description of a metric.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// Its name without [`PREFIX`].
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Its unit.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
    /// Its meaning.
    pub meaning: &'static str,
}

const fn counter(
    name: &'static str,
    unit: &'static str,
    labels: &'static [Label],
    meaning: &'static str,
) -> Described {
    Described { name, kind: Kind::Counter, unit, labels, meaning }
}

const fn gauge(
    name: &'static str,
    unit: &'static str,
    labels: &'static [Label],
    meaning: &'static str,
) -> Described {
    Described { name, kind: Kind::Gauge, unit, labels, meaning }
}

const fn seconds(name: &'static str, labels: &'static [Label], meaning: &'static str) -> Described {
    Described { name, kind: Kind::Histogram, unit: "seconds", labels, meaning }
}

/// The states of queue entries.
pub const STATES: &[&str] = &["queued", "scheduled", "running", "parked"];
/// The results of runs of work logs.
pub const RESULTS: &[&str] = &["created", "adopted", "updated", "deleted", "unchanged", "retry", "parked"];
/// The kinds of requests to Kimai.
pub const OPERATIONS: &[&str] = Operation::WORDS;
/// The status of Kimai's answers; `4xx` is any without its own value, `none` is no readable answer.
pub const STATUSES: &[&str] = &["2xx", "3xx", "400", "401", "403", "404", "429", "4xx", "5xx", "none"];
/// The outcomes of creations whose answer was lost.
pub const HOW: &[&str] = Resolved::WORDS;
/// Why a sweep holds a deletion back.
pub const HELD: &[&str] = Hold::WORDS;
/// The kinds of statements.
pub const STATEMENTS: &[&str] = &["query", "update"];
/// The results of statements.
pub const ANSWERS: &[&str] = Answer::WORDS;

/// The systems whose values could not be read.
pub const SIDES: &[&str] = Side::WORDS;

/// All metrics.
pub const TABLE: &[Described] = &[
    gauge("build_info", "1", &[("version", &[env!("CARGO_PKG_VERSION")])], "The running version"),
    counter(
        "deltas_received_total",
        "deltas",
        &[],
        "Deltas received, over HTTP or from the embedded triplestore",
    ),
    counter("deltas_refused_total", "deltas", &[], "Deltas that could not be read completely"),
    counter("delta_parts_skipped_total", "parts", &[], "Invalid parts of deltas, which were skipped"),
    counter("delta_work_logs_total", "work logs", &[], "Work logs named in deltas, each once per delta"),
    gauge("queue_entries", "work logs", &[("state", STATES)], "Work logs in the queue"),
    gauge("queue_parked", "work logs", &[("code", Code::WORDS)], "Parked work logs, by error code"),
    gauge(
        "queue_oldest_due_seconds",
        "seconds",
        &[],
        "How long the oldest due work log has been due; 0 if none is due",
    ),
    seconds("queue_enqueue_seconds", &[], "How long it took to write the work logs of a delta to disk"),
    gauge("queue_writable", "0 or 1", &[], "Whether the queue file can be written"),
    gauge(
        "worker_heartbeat_age_seconds",
        "seconds",
        &[],
        "The age of the oldest heartbeat among the workers; from 60 on, /live answers 503",
    ),
    counter("reconcile_total", "runs", &[("result", RESULTS)], "Runs of work logs, by result"),
    seconds("reconcile_seconds", &[], "How long runs of work logs took"),
    counter(
        "unreadable_values_total",
        "values",
        &[("neighbour", SIDES)],
        "Values in answers that could not be read and were replaced or skipped",
    ),
    counter(
        "kimai_requests_total",
        "requests",
        &[("operation", OPERATIONS), ("status", STATUSES)],
        "Requests to Kimai, by operation and status of the answer",
    ),
    seconds("kimai_request_seconds", &[("operation", OPERATIONS)], "How long requests to Kimai took"),
    counter(
        "kimai_limited_seconds_total",
        "seconds",
        &[],
        "Time in which nothing was sent because Kimai had asked for a pause",
    ),
    gauge(
        "kimai_requests_at_a_time",
        "requests",
        &[],
        "The current limit of concurrent requests to Kimai, between KIMAI_CONCURRENCY_MIN and KIMAI_CONCURRENCY",
    ),
    gauge(
        "kimai_breaker_open",
        "0 or 1",
        &[],
        "Whether Kimai is down, according to the last request of any part of the service or the circuit breaker",
    ),
    gauge(
        "kimai_lost_data",
        "0 or 1",
        &[],
        "Whether Kimai has lost timesheets, so that nothing is created until the links are rebuilt",
    ),
    gauge(
        "kimai_refuses_token",
        "0 or 1",
        &[],
        "Whether Kimai, or a proxy in front of it, refuses the token, according to the last request of any part \
         of the service",
    ),
    gauge(
        "kimai_last_answer_timestamp_seconds",
        "seconds since 1970",
        &[],
        "When Kimai last answered properly to any part of the service; 0 if not since the start",
    ),
    gauge(
        "triplestore_breaker_open",
        "0 or 1",
        &[],
        "Whether the triplestore is down, according to the last statement of any part of the service or the \
         circuit breaker",
    ),
    gauge(
        "triplestore_last_answer_timestamp_seconds",
        "seconds since 1970",
        &[],
        "When the triplestore last answered properly to any part of the service; 0 if not since the start",
    ),
    counter(
        "triplestore_requests_total",
        "statements",
        &[("operation", STATEMENTS), ("result", ANSWERS)],
        "Statements sent to the triplestore, by result",
    ),
    seconds(
        "triplestore_request_seconds",
        &[("operation", STATEMENTS)],
        "How long statements took in the triplestore",
    ),
    gauge("intents_open", "creations", &[], "Creations in Kimai whose outcome is not known yet"),
    gauge(
        "intent_oldest_seconds",
        "seconds",
        &[],
        "The age of the oldest creation whose outcome is not known yet; 0 if there is none",
    ),
    gauge(
        "rounded_timesheets",
        "timesheets",
        &[],
        "Timesheets for which Kimai counts other hours than were sent, because of rounding",
    ),
    gauge(
        "rounded_seconds",
        "seconds",
        &[],
        "How much more Kimai counts for them than was sent; negative if it counts less",
    ),
    gauge(
        "off_day_timesheets",
        "timesheets",
        &[],
        "Timesheets that Kimai's reports show on a different day than the work log",
    ),
    counter(
        "intents_resolved_total",
        "creations",
        &[("how", HOW)],
        "Creations whose answer was lost, by whether their timesheet was found in Kimai",
    ),
    gauge(
        "sweep_last_success_timestamp_seconds",
        "seconds since 1970",
        &[],
        "When a sweep that covered its own day last finished; 0 if none is known",
    ),
    counter(
        "sweep_deletions_held_total",
        "deletions",
        &[("reason", HELD)],
        "Deletions held back by sweeps, each counted again by every sweep",
    ),
];

/// The row of a metric.
pub(super) fn row(name: &str) -> Option<&'static Described> {
    TABLE.iter().find(|described| described.name == name)
}
