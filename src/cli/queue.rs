//! `kimai-sync queue`: what waits or is parked, why, and retries.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::client::{Refusal, Service, path_of};
use super::commands::{Outcome, Reach, ended};
use super::explain;
use super::render::{self, at, attributes, text};

#[derive(Debug, Args)]
pub(super) struct Queue {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what is queued, scheduled, running or parked, with the reason
    List {
        /// Show only entries in this state
        #[arg(long, value_enum)]
        state: Option<State>,
        /// Show all of them, not only the first 50
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        reach: Reach,
    },
    /// Show everything known about one work log, as `explain` does
    Show(explain::Explain),
    /// Retry one work log now, or all that are parked
    #[command(group = ArgGroup::new("which").required(true).multiple(true))]
    Retry {
        /// The work log: its IRI, its ID (`mu:uuid`), or the ID of its timesheet in Kimai
        #[arg(value_name = "WORK_LOG", group = "which", conflicts_with = "parked")]
        work_log: Option<String>,
        /// Retry all parked work logs
        #[arg(long, group = "which", conflicts_with = "exported")]
        parked: bool,
        /// Overwrite the timesheet this once although it is exported in Kimai; without a work log, the timesheets of all
        /// work logs parked for that reason
        #[arg(long, group = "which")]
        exported: bool,
        #[command(flatten)]
        reach: Reach,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Queued,
    Scheduled,
    Running,
    Parked,
}

/// Runs `kimai-sync queue`.
pub(super) async fn queue(arguments: Queue) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::List { state, all, reach } => {
            let service = Service::at(reach.url())?;
            Ok(ended(list(&service, state, all, reach.json()).await, reach.json()))
        }
        Action::Show(arguments) => explain::explain(arguments).await,
        Action::Retry { work_log, exported, reach, .. } => {
            let service = Service::at(reach.url())?;
            Ok(ended(retry(&service, work_log.as_deref(), exported, reach.json()).await, reach.json()))
        }
    }
}

async fn list(service: &Service, state: Option<State>, all: bool, json: bool) -> Result<Outcome, Refusal> {
    let mut path = format!("/queue?page[size]={}", if all { 500 } else { 50 });
    if let Some(value) = state.and_then(|state| state.to_possible_value()) {
        path = format!("{path}&filter[state]={}", value.get_name());
    }
    let mut headed = false;
    loop {
        let page = service.get(&path).await?;
        let entries = render::list(at(&page, "/data"));
        if json {
            render::print(&page.to_string());
        } else {
            for entry in entries {
                if !std::mem::replace(&mut headed, true) {
                    render::print(&row(["work log", "state", "due", "attempts", "trigger", "code", "error"]));
                }
                render::print(&line(entry, &service.zone()));
            }
        }
        let next = at(&page, "/links/next").as_str().map(str::to_owned);
        if let Some(next) = next.filter(|_| all && !entries.is_empty()) {
            path = next;
            continue;
        }
        if !json {
            let more = !all && at(&page, "/links/next").is_string();
            render::print(&summary(&page, headed, more, &service.zone()));
        }
        return Ok(Outcome::Well);
    }
}

fn line(entry: &Value, zone: &TimeZone) -> String {
    let told = attributes(entry);
    let tries = at(told, "/attempts").to_string();
    row([
        text(at(entry, "/id")),
        text(at(told, "/state")),
        &render::moment(at(told, "/due"), zone),
        &tries,
        text(at(told, "/reason")),
        text(at(told, "/code")),
        text(at(told, "/last-error")),
    ])
}

fn row(cells: [&str; 7]) -> String {
    render::columns(&cells, &[46, 8, 20, 8, 8, 24])
}

fn summary(page: &Value, headed: bool, more: bool, zone: &TimeZone) -> String {
    let meta = at(page, "/meta");
    let count = |name: &str| at(meta, &format!("/{name}")).as_u64().unwrap_or_default();
    let mut lines = format!(
        "{}queued {} · scheduled {} · running {} · parked {}",
        if headed { "\n" } else { "" },
        count("queued"),
        count("scheduled"),
        count("running"),
        count("parked")
    );
    if more {
        lines.push_str("\nThere are more: --all shows them.");
    }
    for down in render::list(at(meta, "/down")) {
        let (name, why) = (text(at(down, "/name")), text(at(down, "/why")));
        let (since, answered) = (render::moment(at(down, "/since"), zone), at(down, "/answered"));
        let _ = write!(lines, "\nDown since {since}: {name}: {why}");
        if answered.is_string() {
            let _ = write!(lines, " (it last answered {})", render::moment(answered, zone));
        }
    }
    lines
}

async fn retry(
    service: &Service,
    work_log: Option<&str>,
    exported: bool,
    json: bool,
) -> Result<Outcome, Refusal> {
    let named = |what: &str| work_log.map(|work_log| format!("/queue/{}/{what}", path_of(work_log)));
    let (path, words) = if exported {
        let path = named("overwrite").unwrap_or_else(|| "/queue/overwrite-exported".to_owned());
        (path, "Retrying it now; its timesheet is overwritten although it is exported.")
    } else {
        let path = named("retry").unwrap_or_else(|| "/queue/retry-parked".to_owned());
        (path, "Retrying it now.")
    };
    let answer = service.send_off(&path).await?;
    if json {
        render::print(&if answer.is_null() { json!({"meta": {"retried": 1}}) } else { answer }.to_string());
        return Ok(Outcome::Well);
    }
    match at(&answer, "/meta/retried").as_u64() {
        Some(count) if exported => render::print(&format!(
            "Retrying {count} work logs now; their timesheets are overwritten although they are exported."
        )),
        Some(count) => render::print(&format!("Retrying {count} work logs now.")),
        None => render::print(words),
    }
    Ok(Outcome::Well)
}
