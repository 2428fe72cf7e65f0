//! The output of the demo: one line per event, and a summary.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::time::Duration;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer, debug_fn};
use tracing_subscriber::registry::LookupSpan;

use super::Life;
use crate::escape;
use crate::reconcile::effect::Effect;
use crate::settings::LogSettings;
use crate::telemetry;

/// Prints messages only: no time, no level, no fields.
pub(super) fn start(settings: &LogSettings) {
    let fields = debug_fn(
        |writer, field, value| {
            if field.name() == "message" { write!(writer, "{value:?}") } else { Ok(()) }
        },
    );
    let builder = tracing_subscriber::fmt()
        .with_env_filter(telemetry::filter(settings))
        .fmt_fields(fields)
        .event_format(Plain)
        .with_writer(escape::stdout);
    // An existing subscriber is fine.
    let _ = builder.try_init();
}

struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// A table of the data on both sides, what was done, and how long it took.
pub(super) fn summary(life: &Life, taken: Duration) -> String {
    let tally = life.engine.workers.tally();
    let count = |effect: Effect| tally.get(&effect).copied().unwrap_or_default().to_string();
    let rows = [
        ("work logs", life.entries.len().to_string()),
        ("timesheets in Kimai", life.kimai.timesheets().len().to_string()),
        ("created", count(Effect::Created)),
        ("updated", count(Effect::Updated)),
        ("deleted", count(Effect::Deleted)),
        ("time taken", format!("{:.1} s", taken.as_secs_f64())),
    ];
    let mut table = String::from("\n");
    for (name, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "  {name:<20} {value:>8}");
    }
    table
}

/// Prints to stdout, like the lines before.
pub(super) fn print(summary: &str) -> io::Result<()> {
    io::stdout().write_all(summary.as_bytes())
}
