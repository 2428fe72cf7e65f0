//! Records the metrics, and renders them for Prometheus.
//!
//! There is one [`Metrics`] per service, created at start-up and passed to its parts; it is not global.
//! [`super::table::TABLE`] lists all metrics. Gauges such as those of the queue are set when the metrics are requested
//! ([`crate::http`]).

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use tokio::time::Instant;

use super::table::{self, Described, Kind, PREFIX, TABLE};
use crate::domain::finding::Hold;
use crate::text::words;

type Labels = Vec<(&'static str, &'static str)>;
type Fraction = Gauge<f64, AtomicU64>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Histogram buckets for disk writes, in seconds.
const DISK: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Histogram buckets for requests to Kimai and the triplestore, in seconds: from a loopback to the timeouts.
const NEIGHBOUR: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// The exposition formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The kind of request to Kimai.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A list.
    List,
    /// A single resource.
    Look,
    /// Creates a timesheet.
    Create,
    /// Updates a timesheet.
    Update,
    /// Deletes a timesheet.
    Delete,
}

words!(Operation {
    List => "list", Look => "look", Create => "create", Update => "update", Delete => "delete",
});

/// The outcome of a creation whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// Its timesheet was found in Kimai.
    Adopted,
    /// It was never stored.
    Absent,
}

words!(Resolved { Adopted => "adopted", Absent => "absent" });

/// The result of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It succeeded.
    Ok,
    /// It was refused.
    Refused,
    /// There was no readable answer.
    Failed,
}

words!(Answer { Ok => "ok", Refused => "refused", Failed => "failed" });

/// The system whose values could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Kimai.
    Kimai,
    /// The triplestore.
    Triplestore,
}

words!(Side { Kimai => "kimai", Triplestore => "triplestore" });

/// All metrics of one service. Cheap to clone; clones share them. The default counts nothing, since simulations create
/// thousands of services.
#[derive(Clone, Default)]
pub struct Metrics(Option<Arc<Inner>>);

struct Inner {
    registry: Registry,
    counters: BTreeMap<&'static str, Family<Labels, Counter>>,
    gauges: BTreeMap<&'static str, Family<Labels, Fraction>>,
    histograms: BTreeMap<&'static str, Histograms>,
    limited: Counter<f64, AtomicU64>,
    limits: Mutex<Limits>,
}

/// The pauses that Kimai asked for.
#[derive(Default)]
struct Limits {
    until: Option<Instant>,
    /// The total of all pauses, including the rest of the current one.
    asked: Duration,
    /// The part that is already counted.
    told: Duration,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// A counter of seconds that accepts fractions.
const LIMITED: &str = "kimai_limited_seconds_total";

impl Metrics {
    /// All of [`TABLE`], at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let (mut counters, mut gauges, mut histograms) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let limited = Counter::default();
        for row in TABLE {
            match row.kind {
                Kind::Counter if row.name == LIMITED => add(&mut registry, row, limited.clone()),
                Kind::Counter => {
                    counters.insert(row.name, filled(&mut registry, row, Family::default()));
                }
                Kind::Gauge => {
                    gauges.insert(row.name, filled(&mut registry, row, Family::default()));
                }
                Kind::Histogram => {
                    let make: fn() -> Histogram = if row.name == "queue_enqueue_seconds" {
                        || Histogram::new(DISK)
                    } else {
                        || Histogram::new(NEIGHBOUR)
                    };
                    let family = Histograms::new_with_constructor(make);
                    histograms.insert(row.name, filled(&mut registry, row, family));
                }
            }
        }
        let limits = Mutex::default();
        let inner = Inner { registry, counters, gauges, histograms, limited, limits };
        let metrics = Self(Some(Arc::new(inner)));
        metrics.set("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        metrics.set("queue_writable", &[], 1.0);
        metrics
    }

    fn count(&self, name: &'static str, labels: &[(&'static str, &'static str)], by: u64) {
        // Every series exists from the start. Most deltas name no work log.
        if by == 0 {
            return;
        }
        if let Some(family) = self.0.as_ref().and_then(|inner| inner.counters.get(name)) {
            family.get_or_create(&labels.to_vec()).inc_by(by);
        }
    }

    fn took(&self, name: &'static str, labels: &[(&'static str, &'static str)], time: Duration) {
        if let Some(family) = self.0.as_ref().and_then(|inner| inner.histograms.get(name)) {
            family.get_or_create(&labels.to_vec()).observe(time.as_secs_f64());
        }
    }

    fn gauge(&self, name: &str) -> Option<&Family<Labels, Fraction>> {
        self.0.as_ref()?.gauges.get(name)
    }

    /// Sets the gauge `name` of [`TABLE`].
    pub(crate) fn set(&self, name: &'static str, labels: &[(&'static str, &'static str)], value: f64) {
        if let Some(family) = self.gauge(name) {
            family.get_or_create(&labels.to_vec()).set(value);
        }
    }

    /// Counts a delta that names `work_logs` work logs and has `skipped` invalid parts.
    pub fn delta(&self, work_logs: usize, skipped: u64) {
        self.count("deltas_received_total", &[], 1);
        self.count("delta_work_logs_total", &[], work_logs as u64);
        self.count("delta_parts_skipped_total", &[], skipped);
    }

    /// Counts a delta that could not be read completely.
    pub fn delta_refused(&self) {
        self.count("deltas_refused_total", &[], 1);
    }

    /// Records how long it took to write the work logs of a delta to disk.
    pub fn enqueued(&self, time: Duration) {
        self.took("queue_enqueue_seconds", &[], time);
    }

    /// Counts a run of a work log with `result`, one of [`table::RESULTS`].
    pub fn reconciled(&self, result: &'static str, time: Duration) {
        self.count("reconcile_total", &[("result", result)], 1);
        self.took("reconcile_seconds", &[], time);
    }

    /// Counts a request to Kimai, with the `status` of the answer, if any.
    pub fn kimai_answered(&self, operation: Operation, status: Option<u16>, time: Duration) {
        let operation = ("operation", operation.word());
        self.count("kimai_requests_total", &[operation, ("status", status_word(status))], 1);
        self.took("kimai_request_seconds", &[operation], time);
    }

    /// Records that Kimai asked for a pause until then.
    pub fn limited(&self, until: Instant) {
        let Some(inner) = &self.0 else { return };
        let mut limits = inner.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let since = limits.until.map_or_else(Instant::now, |earlier| earlier.max(Instant::now()));
        limits.asked += until.saturating_duration_since(since);
        limits.until = Some(since.max(until));
    }

    /// Counts a statement to the triplestore, with its result.
    pub fn triplestore_answered(&self, update: bool, answer: Answer, time: Duration) {
        let operation = ("operation", if update { "update" } else { "query" });
        self.count("triplestore_requests_total", &[operation, ("result", answer.word())], 1);
        self.took("triplestore_request_seconds", &[operation], time);
    }

    /// Counts values of a system that could not be read.
    pub fn unreadable(&self, side: Side, count: u64) {
        self.count("unreadable_values_total", &[("neighbour", side.word())], count);
    }

    /// Counts a creation whose answer was lost and whose outcome is now known.
    pub fn intent_resolved(&self, how: Resolved) {
        self.count("intents_resolved_total", &[("how", how.word())], 1);
    }

    /// Records that a sweep that covered its own day finished.
    pub fn swept(&self, at: Timestamp) {
        if let Some(family) = self.gauge("sweep_last_success_timestamp_seconds") {
            let last = family.get_or_create(&Labels::new());
            last.set(last.get().max(at.as_duration().as_secs_f64()));
        }
    }

    /// Counts a deletion that a sweep held back.
    pub fn deletion_held(&self, hold: Hold) {
        self.count("sweep_deletions_held_total", &[("reason", hold.word())], 1);
    }

    /// Renders all metrics.
    pub fn text(&self, format: Format) -> String {
        let Some(inner) = &self.0 else { return String::new() };
        inner.tell_limits();
        let mut all = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut all, &inner.registry);
        // Without labels there are no braces.
        let all = all.replace("{} ", " ");
        match format {
            Format::OpenMetrics => all,
            Format::Prometheus => older(&all),
        }
    }
}

impl Inner {
    /// The part of the pauses that is already over.
    fn tell_limits(&self) {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = limits.until.map(|until| until.saturating_duration_since(Instant::now()));
        let spent = limits.asked.saturating_sub(ahead.unwrap_or_default());
        self.limited.inc_by(spent.saturating_sub(limits.told).as_secs_f64());
        limits.told = limits.told.max(spent);
    }
}

fn add(registry: &mut Registry, row: &Described, metric: impl Metric) {
    // The text format adds the suffix to counters again.
    registry.register(row.name.trim_end_matches("_total"), row.meaning, metric);
}

/// The same, with every combination of labels from the start.
fn filled<M, C>(
    registry: &mut Registry,
    row: &Described,
    family: Family<Labels, M, C>,
) -> Family<Labels, M, C>
where
    C: MetricConstructor<M> + Clone,
    Family<Labels, M, C>: Metric + Clone,
{
    for labels in combinations(row) {
        drop(family.get_or_create(&labels));
    }
    add(registry, row, family.clone());
    family
}

/// Every combination of the values of its labels.
fn combinations(row: &Described) -> Vec<Labels> {
    row.labels.iter().fold(vec![Labels::new()], |all, (label, values)| {
        let each = |labels: &Labels| {
            let labels = labels.clone();
            values.iter().map(move |value| [labels.as_slice(), &[(*label, *value)]].concat())
        };
        all.iter().flat_map(each).collect()
    })
}

/// Converts `OpenMetrics` to the older text format: counters are described under the name of their samples, and there
/// is no end mark.
fn older(all: &str) -> String {
    let mut text = String::with_capacity(all.len());
    for line in all.lines().filter(|line| *line != "# EOF") {
        let described = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
        let name = described.and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        let bare = name.strip_prefix(PREFIX).and_then(|name| name.strip_prefix('_')).unwrap_or_default();
        if !bare.is_empty() && table::row(&format!("{bare}_total")).is_some() {
            text += &line.replacen(name, &format!("{name}_total"), 1);
        } else {
            text += line;
        }
        text.push('\n');
    }
    text
}

fn status_word(status: Option<u16>) -> &'static str {
    match status {
        Some(400) => "400",
        Some(401) => "401",
        Some(403) => "403",
        Some(404) => "404",
        Some(429) => "429",
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..) => "5xx",
        _ => "none",
    }
}

#[cfg(test)]
mod tests;
