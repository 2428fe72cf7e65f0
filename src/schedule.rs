//! When to sweep by itself.

/// Whether `pattern` (six fields, seconds first) is one the scheduler takes.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    tokio_cron_scheduler::Job::new(pattern, |_, _| {}).map(drop).map_err(|fault| fault.to_string())
}
