//! How close the service comes to what its neighbours and its machine allow.
//!
//! `cargo bench` measures all and prints a table; `cargo bench -- sweep import` only what is named. Every
//! figure stands beside a floor of the same run: what Kimai's own latency allows, what it takes to read both
//! sides once, what a handler takes that does nothing. Without `--bench` each is run once with little to do, to
//! see that it works.

#![expect(clippy::print_stdout, reason = "a benchmark reports")]
#![expect(clippy::disallowed_methods, reason = "what is spawned ends with the benchmark")]
#![expect(clippy::indexing_slicing, reason = "a benchmark may stop at a mistake of its own")]

mod burst;
mod delta;
mod import;
mod latency;
mod pace;
mod program;
mod rest;
mod rounds;
mod sparql;
mod stack;
mod sweep;
mod table;

use table::Table;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// As the figures in `docs/performance.md`.
    Full,
    /// Enough to see that it works.
    Trial,
}

impl Size {
    /// The one or the other.
    pub(crate) fn of<T>(self, full: T, trial: T) -> T {
        match self {
            Self::Full => full,
            Self::Trial => trial,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == program::DRAIN) {
        return program::serve_drain();
    }
    let size = if arguments.iter().any(|argument| argument == "--bench") { Size::Full } else { Size::Trial };
    let named: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|name| !name.starts_with('-')).collect();
    let wanted = |name: &str| named.is_empty() || named.contains(&name);
    let runtime = tokio::runtime::Runtime::new()?;
    let mut table = Table::default();
    if wanted("burst") {
        runtime.block_on(burst::measure(size, &mut table))?;
    }
    if wanted("latency") {
        runtime.block_on(latency::measure(size, &mut table))?;
    }
    if wanted("pace") {
        runtime.block_on(pace::measure(size, &mut table))?;
    }
    if wanted("sweep") {
        runtime.block_on(sweep::measure(size, &mut table))?;
    }
    if wanted("import") {
        runtime.block_on(import::measure(size, &mut table))?;
    }
    if wanted("delta") {
        delta::measure(size, &mut table)?;
    }
    if wanted("sparql") {
        runtime.block_on(sparql::measure(size, &mut table))?;
    }
    if wanted("rest") {
        runtime.block_on(rest::measure(size, &mut table))?;
    }
    println!("\n{table}");
    Ok(())
}
