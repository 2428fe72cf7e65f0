//! Named places where a debug build can be made to die as by kill -9, so that tests can check the state left behind.
//!
//! `KIMAI_SYNC_CRASH_AT=name` ends the process when it first reaches that place, `name:3` at the third time. A release
//! build has none of this.

#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicUsize, Ordering};

/// All places, in the order in which a change reaches them. `post sent` is when Kimai has answered, but nothing of the
/// answer is read.
pub const POINTS: [&str; 14] = [
    "delta parsed",
    "delta saved",
    "leased",
    "read",
    "intent saved",
    "post sent",
    "post answered",
    "ledger saved",
    "linked",
    "patched",
    "deleted",
    "acked",
    "sweep half way",
    "stopping",
];

/// Dies here if requested.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    static WANTED: OnceLock<Option<(String, usize)>> = OnceLock::new();
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var_os("KIMAI_SYNC_CRASH_AT")?.into_string().ok()?;
        let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), times.parse().ok()?))
    });
    if let Some((wanted, times)) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        // No destructor runs and nothing is flushed.
        std::process::abort();
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub fn point(_: &str) {}
