//! The commands that control a running service: sweep, import, lock.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use reqwest::Url;
use serde_json::{Value, json};

use super::client::{Refusal, Service};
use super::day::Day;
use super::render::{self, Meter, at, attributes, text};
use crate::clock::Clock;
use crate::settings::Settings;

/// How to reach the service, and what to print.
#[derive(Debug, Args)]
pub(super) struct Reach {
    /// The address of the service [default: this machine, at PORT or 80]
    #[arg(long, value_name = "URL", value_parser = address)]
    url: Option<Url>,
    /// Print JSON:API documents, one per line, instead of text
    #[arg(long)]
    json: bool,
}

impl Reach {
    /// The address that was given.
    pub(super) fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }

    /// Whether to print documents instead of text.
    pub(super) fn json(&self) -> bool {
        self.json
    }
}

#[derive(Debug, Args)]
pub(super) struct Sweep {
    /// The first day: 2024-09-01, today, yesterday, -7d, or a month: 2024-09
    #[arg(long, value_name = "DAY", allow_hyphen_values = true)]
    from: Day,
    /// The last day, inclusive [default: the day or month of --from]
    #[arg(long, value_name = "DAY", allow_hyphen_values = true)]
    to: Option<Day>,
    /// Only show what would be done; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete exactly what an earlier sweep or dry run held back, if that is still the same
    #[arg(long, value_name = "KEY", conflicts_with = "dry_run")]
    confirm: Option<String>,
    /// Wait until everything it queues is synced; with --wait=false, only until it is queued [default: true on a
    /// terminal]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    wait: Option<bool>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// What to import; tasks are projects and activities
    #[arg(value_enum, default_value_t = Imported::All)]
    what: Imported,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Imported {
    Customers,
    Tasks,
    Accounts,
    All,
}

#[derive(Debug, Args)]
pub(super) struct Lock {
    /// The month, like 2024-09
    #[arg(value_parser = month)]
    month: (u16, u8),
    #[command(flatten)]
    reach: Reach,
}

/// `localhost:8080` is a URL too, of the scheme "localhost".
fn address(text: &str) -> Result<Url, String> {
    let url = text.parse::<Url>().ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    url.ok_or_else(|| "expected a URL like http://127.0.0.1:8080".to_owned())
}

fn month(text: &str) -> Result<(u16, u8), String> {
    let parts = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2);
    let numbers = parts.and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
    numbers
        .filter(|(_, month)| (1..=12).contains(month))
        .ok_or_else(|| "expected a month like 2024-09".to_owned())
}

/// `kimai-sync sweep`.
pub(super) async fn sweep(arguments: Sweep) -> anyhow::Result<ExitCode> {
    let Sweep { from, to, dry_run, confirm, wait, reach } = arguments;
    let wait = wait.unwrap_or_else(|| std::io::stdout().is_terminal());
    let until = if wait { Until::Ended } else { Until::Queued };
    let today = Clock::system(Settings::zone_from_env()?).today();
    let (from, to) = (from.first(today)?, to.unwrap_or(from).last(today)?);
    let service = Service::at(reach.url.as_ref())?;
    let mut body = json!({"start": from, "end": to});
    if dry_run {
        return Ok(ended(plan(&service, &body, &reach).await, reach.json));
    }
    if let (Some(key), Some(members)) = (confirm, body.as_object_mut()) {
        members.insert("confirm".to_owned(), key.into());
    }
    Ok(ended(run(&service, "/sync-to-kimai/work-logs", &body, until, &reach).await, reach.json))
}

/// `kimai-sync import`.
pub(super) async fn import(arguments: Import) -> anyhow::Result<ExitCode> {
    let Import { what, reach } = arguments;
    let service = Service::at(reach.url.as_ref())?;
    let mut code = ExitCode::SUCCESS;
    for (one, path) in [
        (Imported::Customers, "/sync-from-kimai/customers"),
        (Imported::Tasks, "/sync-from-kimai/tasks"),
        (Imported::Accounts, "/sync-from-kimai/accounts"),
    ] {
        if what != Imported::All && what != one {
            continue;
        }
        // One that Kimai refuses, say for want of a role, keeps none of the others away.
        match run(&service, path, &json!({}), Until::Ended, &reach).await {
            Ok(Outcome::Well) => {}
            Ok(Outcome::NotWell) => code = ExitCode::FAILURE,
            Err(refusal) if refusal.was_asked() => code = ended(Err(refusal), reach.json),
            other => return Ok(ended(other, reach.json)),
        }
    }
    Ok(code)
}

/// `kimai-sync lock`.
pub(super) async fn lock(arguments: Lock) -> anyhow::Result<ExitCode> {
    let Lock { month: (year, month), reach } = arguments;
    let service = Service::at(reach.url.as_ref())?;
    let body = json!({"year": year, "month": month});
    Ok(ended(run(&service, "/timesheets/lock", &body, Until::Ended, &reach).await, reach.json))
}

/// How a command ended.
pub(super) enum Outcome {
    /// It succeeded.
    Well,
    /// It failed at least in part, or held deletions back.
    NotWell,
    /// Ctrl-C was pressed.
    Left,
}

/// The exit code for an outcome. Prints a refusal, with `json` as a JSON:API document.
pub(super) fn ended(result: Result<Outcome, Refusal>, json: bool) -> ExitCode {
    match result {
        Ok(Outcome::Well) => ExitCode::SUCCESS,
        Ok(Outcome::NotWell) => ExitCode::FAILURE,
        Ok(Outcome::Left) => ExitCode::from(130),
        Err(refusal) => {
            match refusal.document() {
                Some(document) if json => render::print(&document.to_string()),
                _ => render::error(&refusal.to_string(), json),
            }
            ExitCode::from(if refusal.was_asked() { 1 } else { 2 })
        }
    }
}

/// How long to follow a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Until a sweep has queued what differs.
    Queued,
    /// Until it has ended.
    Ended,
}

impl Until {
    /// Whether `run` has reached this point.
    fn is_reached(self, run: &Value) -> bool {
        let told = attributes(run);
        !at(told, "/ended").is_null() || (self == Self::Queued && !at(told, "/compared").is_null())
    }
}

/// Requests a run and follows it until then.
async fn run(
    service: &Service,
    path: &str,
    body: &Value,
    until: Until,
    reach: &Reach,
) -> Result<Outcome, Refusal> {
    let asked = service.post(path, body).await?;
    let first = asked.get("data").cloned().unwrap_or_default();
    let id = text(at(&first, "/id")).to_owned();
    let mut events = service.events(&id).await?;
    let (mut meter, mut last) = (Meter::new(), first);
    let followed = async {
        while let Some(run) = events.next().await {
            meter.tell(&run);
            last = run;
            if until.is_reached(&last) {
                break;
            }
        }
    };
    let left = tokio::select! {
        // First of all, so that Ctrl-C is heeded before anything is printed.
        biased;
        _ = tokio::signal::ctrl_c() => true,
        () = followed => false,
    };
    meter.end();
    if left {
        let address = service.address();
        eprintln!(
            "Run {id} continues. To cancel it: curl -X POST {address}/runs/{id}/cancel{}",
            service.curl_more()
        );
        return Ok(Outcome::Left);
    }
    let told = attributes(&last);
    if !until.is_reached(&last) {
        let address = service.address();
        return Err(Refusal::Failed(format!(
            "The service stopped, or the connection was lost, before run {id} ended. See {address}/runs/{id} \
             when the service runs again: a sweep resumes (unless SYNC_AT_START=false); anything else has to be \
             started again."
        )));
    }
    if reach.json {
        render::print(&json!({"data": last}).to_string());
    } else {
        render::print(&render::summary(&last));
        hint(service, text(at(told, "/what")), at(told, "/confirm"), reach);
    }
    let held = at(told, "/held").as_u64().unwrap_or_default();
    let ended_well = at(told, "/state") == "done" || at(told, "/ended").is_null();
    let [parked, waiting] =
        ["parked", "waiting"].map(|what| at(told, &format!("/queued/{what}")).as_u64().unwrap_or_default());
    let all_through = parked == 0 && (waiting == 0 || at(told, "/ended").is_null());
    let well = ended_well && held == 0 && all_through && at(told, "/faults-in-all") == 0;
    Ok(if well { Outcome::Well } else { Outcome::NotWell })
}

/// Prints what a sweep would do, page by page.
async fn plan(service: &Service, body: &Value, reach: &Reach) -> Result<Outcome, Refusal> {
    let what = format!("{} to {}", text(at(body, "/start")), text(at(body, "/end")));
    let meter = Meter::waiting(format!("comparing {what}; nothing is changed"));
    let first = service.post("/sync-to-kimai/work-logs?dry-run=true", body).await;
    meter.end();
    let first = first?;
    let (meta, zone) = (at(&first, "/meta"), service.zone());
    let mut page = first.clone();
    let mut headed = false;
    loop {
        if reach.json {
            render::print(&page.to_string());
        } else {
            for finding in at(&page, "/data").as_array().into_iter().flatten() {
                if !headed {
                    render::print(&render::head());
                    headed = true;
                }
                render::print(&render::finding(finding, &zone));
            }
        }
        let Some(next) = at(&page, "/links/next").as_str().map(str::to_owned) else { break };
        page = service.get(&next).await?;
    }
    let held = at(meta, "/held").as_u64().unwrap_or_default();
    let faults = at(meta, "/faults-in-all").as_u64().unwrap_or_default();
    if !reach.json {
        if headed {
            let zone = zone.iana_name().unwrap_or("UTC");
            render::print(&format!("Begin and end ({zone}), then the IDs of project, activity and user.\n"));
        }
        render::print(&format!(
            "Found: {}. Nothing was changed.{}",
            render::counts(at(meta, "/counts")),
            render::rounded(at(meta, "/rounded"))
        ));
        if held > 0 {
            render::print(&format!("{held} deletions would be held back."));
        }
        for fault in at(meta, "/faults").as_array().into_iter().flatten() {
            render::print(&format!("Failed: {}", text(fault)));
        }
        hint(service, &what, at(meta, "/confirm"), reach);
    }
    Ok(if held == 0 && faults == 0 { Outcome::Well } else { Outcome::NotWell })
}

/// How to confirm the deletions that were held back.
fn hint(service: &Service, what: &str, confirm: &Value, reach: &Reach) {
    let (Some(key), Some((from, to))) = (at(confirm, "/key").as_str(), what.split_once(" to ")) else {
        return;
    };
    let expires = render::moment(at(confirm, "/expires"), &service.zone());
    let url = reach.url.as_ref().map(|_| format!(" --url {}", service.address())).unwrap_or_default();
    render::print(&format!(
        "To delete those that need confirmation (until {expires}, if they are still the same):\n  kimai-sync \
         sweep --from {from} --to {to} --confirm {key}{url}"
    ));
}
