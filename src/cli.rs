//! The command line: subcommands and exit codes.
//!
//! Exit codes: 0 on success; 1 if the request failed (`demo --once`, `healthcheck`, `sweep`, `import`, `lock`) or a
//! problem was found (`explain`, `doctor`); 2 if it could not be started or requested.

mod client;
mod commands;
mod day;
mod doctor;
mod explain;
mod queue;
mod render;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::app::{self, Service};
use crate::clock::Clock;
use crate::demo;
use crate::limits;
use crate::settings::{self, Settings};
use crate::store::sqlite::Storage;
use crate::telemetry;
use crate::triplestore::embedded::Embedded;
use crate::triplestore::query_log::QueryLog;

/// How long the health check waits for an answer; Docker gives it 5 s.
const HEALTH_LIMIT: Duration = Duration::from_secs(4);

const EXIT_CODES: &str = "Exit codes:
  0    success
  1    the command failed at least in part, deletions were held back, or not everything that a sweep queued was synced
  2    the command could not be started, or the request could not be made (service not reachable, wrong arguments)
  130  interrupted with Ctrl-C; the run that was followed continues";

/// Syncs work logs from a mu-semtech triplestore to Kimai timesheets, one way.
#[derive(Debug, Parser)]
#[command(name = "kimai-sync", version, after_help = format!("{EXIT_CODES}\n\n{}", settings::help()))]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service in a mu-semtech stack, with the stack's triplestore and a real Kimai
    Serve,
    /// Run the service with an embedded triplestore, served at /sparql, and a real Kimai
    Standalone {
        /// Load these files at start (.ttl, .nt, .nq, .trig)
        #[arg(long, value_name = "FILE", num_args = 1..)]
        load: Vec<PathBuf>,
        /// Keep the data in this directory across restarts [default: in memory]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Run the demo: an embedded triplestore, a sandbox Kimai, and a small company at work
    Demo {
        /// Exit with a summary once everything is in sync; exit code 1 if that fails
        #[arg(long)]
        once: bool,
    },
    /// Ask a running service to compare a period and correct the differences, or only to show them
    Sweep(commands::Sweep),
    /// Ask a running service to import customers, tasks and accounts from Kimai
    Import(commands::Import),
    /// Ask a running service to set a month's submitted timesheets to exported
    Lock(commands::Lock),
    /// List, show and retry the work logs in the queue of a running service
    Queue(queue::Queue),
    /// Show why a work log is not in Kimai, and everything else known about it
    ///
    /// Exit code 1 if it is not in Kimai as it should be. Exit code 0 also while it is retried automatically, and if it
    /// is deleted on both sides.
    Explain(explain::Explain),
    /// Check everything that syncing needs, one line per check, and show how to fix what fails
    ///
    /// Reads the settings from the environment, so it also works when the service does not start. Asks the service at
    /// --url for what only a running service knows (queue, deltas). Exit codes: 0 no errors, possibly warnings; 1
    /// errors; 2 nothing could be checked.
    Doctor(doctor::Doctor),
    /// Print completions for a shell: `source <(kimai-sync completions bash)`
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Check whether the service on this machine is alive (for containers)
    Healthcheck,
}

/// Parses the command line and runs the subcommand.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    match Arguments::try_parse_from(&arguments) {
        Ok(arguments) => run(arguments).unwrap_or_else(|fault| {
            render::error(&format!("{fault:#}"), json);
            ExitCode::from(2)
        }),
        Err(wrong) if json && wrong.use_stderr() => {
            let words = wrong.render().to_string();
            render::error(words.trim().trim_start_matches("error: "), json);
            ExitCode::from(2)
        }
        Err(wrong) => wrong.exit(),
    }
}

/// Runs the subcommand.
fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if matches!(arguments.command, Command::Serve | Command::Standalone { .. } | Command::Demo { .. }) {
        limits::check()?;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Serve => Box::pin(serve()).await,
            Command::Standalone { load, data } => Box::pin(standalone(load, data)).await,
            Command::Demo { once } => Box::pin(demo::run(once, stop_on_signal()?)).await,
            Command::Sweep(arguments) => Box::pin(commands::sweep(arguments)).await,
            Command::Import(arguments) => Box::pin(commands::import(arguments)).await,
            Command::Lock(arguments) => Box::pin(commands::lock(arguments)).await,
            Command::Queue(arguments) => Box::pin(queue::queue(arguments)).await,
            Command::Explain(arguments) => Box::pin(explain::explain(arguments)).await,
            Command::Doctor(arguments) => Box::pin(doctor::doctor(arguments)).await,
            Command::Completions { shell } => Ok(completions(shell)),
            Command::Healthcheck => healthcheck().await,
        }
    });
    telemetry::stop();
    // A thread that is blocked in a read would delay the exit.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

async fn serve() -> anyhow::Result<ExitCode> {
    let settings = started()?;
    let clock = Clock::system(settings.zone.clone());
    let storage = Storage::open(&settings.data_dir)?;
    let engine = app::engine(&settings, app::remote(&settings)?, clock, storage)?;
    let listener = app::bind(&settings, [0, 0, 0, 0], 80)?;
    info!("Listening on {}; triplestore {}", listener.local_addr()?, settings.triplestore.endpoint);
    let service =
        Service { engine, listener, store: None, guard: settings.guard, sweep: Some(settings.sweep) };
    service.run(stop_on_signal()?).await.map(|()| ExitCode::SUCCESS)
}

async fn standalone(load: Vec<PathBuf>, data: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let settings = started()?;
    let graph = &settings.triplestore.application_graph;
    let store = Embedded::open(data.as_deref(), graph)?.with_time_limit(settings.triplestore.time_limit);
    for file in &load {
        let added = store.load(file).await?;
        info!("Loaded {}: {added} new triples", file.display());
    }
    let clock = Clock::system(settings.zone.clone());
    let storage = match &data {
        Some(data) => Storage::open(data)?,
        None => Storage::in_memory()?,
    };
    let inside = Arc::new(store.clone().with_log(QueryLog::of(&settings.triplestore)));
    let engine = app::engine(&settings, inside, clock, storage)?;
    let listener = app::bind(&settings, [127, 0, 0, 1], 8080)?;
    let address = listener.local_addr()?;
    let kept = data.map_or_else(|| "in memory".to_owned(), |data| format!("stored in {}", data.display()));
    info!("Listening on {address}; embedded triplestore ({kept}) at http://{address}/sparql");
    let service =
        Service { engine, listener, store: Some(store), guard: settings.guard, sweep: Some(settings.sweep) };
    service.run(stop_on_signal()?).await.map(|()| ExitCode::SUCCESS)
}

/// Reads and checks the settings, starts logging, and logs which settings are risky.
fn started() -> anyhow::Result<Settings> {
    let settings = Settings::from_env()?;
    telemetry::start(&settings.log)?;
    let zone = settings.zone.iana_name().unwrap_or("UTC");
    info!(
        "kimai-sync {} for {}; work days begin at midnight in {zone}",
        env!("CARGO_PKG_VERSION"),
        settings.kimai.endpoint
    );
    for warning in &settings.warnings {
        warn!("{warning}");
    }
    if settings.guard.token.is_none() {
        info!("OPS_TOKEN is not set: anyone who can reach this port can sync, import and lock");
    }
    if settings.zone == TimeZone::UTC {
        info!("TZ is UTC; set it if the people whose work logs are synced are in another time zone");
    }
    Ok(settings)
}

fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut command = Arguments::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "kimai-sync", &mut script);
    render::print(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

async fn healthcheck() -> anyhow::Result<ExitCode> {
    let port = Settings::port_from_env()?.unwrap_or(80);
    let client = crate::http_client::client_builder(HEALTH_LIMIT).build()?;
    match client.get(format!("http://127.0.0.1:{port}/live")).send().await {
        Ok(answer) if answer.status().is_success() => Ok(ExitCode::SUCCESS),
        Ok(answer) => {
            eprintln!("kimai-sync on port {port} answered {}", answer.status());
            Ok(ExitCode::FAILURE)
        }
        Err(fault) => {
            eprintln!("kimai-sync on port {port} does not answer: {}", crate::http_client::explain(fault));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Whether this process was started with SIGHUP ignored, according to `/proc`, if there is one.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// A token that is cancelled by SIGTERM, Ctrl-C, or the end of the terminal (SIGHUP). A second signal ends the process
/// immediately.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Under nohup it is ignored, and has to stay ignored.
    let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    TaskTracker::new().spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                Some(()) = async { hangup.as_mut()?.recv().await } => {}
            }
            if first {
                info!("Stopping: finishing what is running; the rest resumes at the next start");
                stopping.cancel();
            } else {
                std::process::exit(130);
            }
        }
    });
    Ok(stop)
}
