//! Logs, traces and metrics.
//!
//! - Logs: text for people or JSON for machines (`LOG_FORMAT`), on stderr. One span per work log
//!   (`work_log`), request (`request`) and run (`run`); the IDs of the calls that led to them are in
//!   [`call_id`].
//! - Traces: the same spans by OTLP, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set ([`otlp`]).
//! - Metrics: [`metrics`], listed in [`table`], for `GET /metrics`.

pub mod call_id;
pub mod metrics;
pub mod otlp;
pub mod table;

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::settings::{self, LogSettings};
pub use metrics::Metrics;

/// The time limit for sending the last traces at the stop; Docker waits 10 s in total.
const TRACES_AT_STOP: Duration = Duration::from_secs(2);

/// The trace provider of the process, if traces are sent.
static TRACES: OnceLock<SdkTracerProvider> = OnceLock::new();

/// The log filter of the settings, without what actix and the scheduler log about their threads at `info`. Statements
/// are logged at any level if that is enabled.
pub fn filter(settings: &LogSettings) -> EnvFilter {
    let directives = format!("actix_server=warn,tokio_cron_scheduler=warn,sparql=info,{}", settings.filter);
    settings::filter_builder().parse_lossy(directives)
}

/// Starts logs and traces according to the settings. Once per process; a second call does nothing.
pub fn start(settings: &LogSettings) -> Result<(), otlp::OtlpFault> {
    let lines = tracing_subscriber::fmt::layer().with_writer(crate::escape::stderr).with_target(false);
    let lines = if settings.json { lines.json().boxed() } else { lines.with_ansi(false).boxed() };
    let traces = settings.traces.as_ref().map(otlp::provider).transpose()?;
    let traces = traces.map(|provider| {
        let source = TRACES.get_or_init(|| provider).tracer("kimai-sync");
        // Everything that is logged, except by the libraries that send the traces.
        let ours = Targets::new().with_target("kimai_sync", LevelFilter::INFO);
        tracing_opentelemetry::layer().with_tracer(source).with_target(false).with_filter(ours)
    });
    let all = tracing_subscriber::registry().with(lines.with_filter(filter(settings))).with(traces);
    // An existing subscriber is fine.
    let _ = all.try_init();
    Ok(())
}

/// Sends the last traces. Blocks for a moment.
pub fn stop() {
    if let Some(provider) = TRACES.get() {
        // The exporter has logged what could not be sent.
        let _ = provider.shutdown_with_timeout(TRACES_AT_STOP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_shown_at_every_level_unless_the_filter_names_them() {
        for (level, statements) in [("warn", true), ("kimai_sync=error", true), ("info,sparql=off", false)] {
            let settings = LogSettings { filter: level.to_owned(), json: false, traces: None };
            let shown = tracing_subscriber::registry().with(filter(&settings));
            tracing::subscriber::with_default(shown, || {
                assert_eq!(tracing::enabled!(target: "sparql", tracing::Level::INFO), statements, "{level}");
            });
        }
    }
}
