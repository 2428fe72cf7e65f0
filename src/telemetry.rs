//! Logs: text for people or JSON for machines, on stderr.

use tracing_subscriber::EnvFilter;

use crate::settings::LogSettings;

/// The filter of the settings. actix and the scheduler tell of their threads at `info`,
/// which helps nobody here.
pub fn filter(settings: &LogSettings) -> EnvFilter {
    EnvFilter::new(format!("actix_server=warn,tokio_cron_scheduler=warn,{}", settings.filter))
}

/// Starts logging as the settings say. Once per process; a second call changes nothing.
pub fn start(settings: &LogSettings) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(settings))
        .with_writer(crate::lines::stderr)
        .with_target(false);
    // A subscriber that is there already serves as well.
    let _ = if settings.json { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
}
