//! `kimai-sync doctor`: runs all checks, even if the service does not start.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::client::Service;
use super::commands::Reach;
use super::render::{self, at, attributes};
use crate::app;
use crate::clock::Clock;
use crate::doctor::{self, Health, Report};
use crate::http;
use crate::settings::Settings;
use crate::store::sqlite::Storage;

/// How long the running service may take to answer: the round in progress, the next one, and the transfer.
const LIMIT: Duration = doctor::LIMIT.saturating_mul(2).saturating_add(Duration::from_secs(5));

/// The checks that the running service can answer better.
const CONNECTIONS: [&str; 3] = ["triplestore", "kimai", "token"];

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    reach: Reach,
}

/// Runs the checks with the settings from the environment, asks the running service for the rest, and prints one line
/// per check.
pub(super) async fn doctor(arguments: Doctor) -> anyhow::Result<ExitCode> {
    let Doctor { reach } = arguments;
    let service = Service::at(reach.url())?;
    let running = tokio::time::timeout(LIMIT, service.post("/doctor", &json!({}))).await;
    let running = match running {
        Ok(answer) => answer.map_err(|refusal| refusal.to_string()),
        Err(_) => Err(format!("kimai-sync does not answer at {}.", service.address())),
    };
    let theirs = whole(&running);
    let report = match Settings::from_env() {
        // The triplestore is embedded: this process cannot reach it, and no setting names it.
        _ if theirs.standalone => theirs,
        Ok(settings) => Box::pin(examine(&settings, running.err(), &theirs)).await?,
        // A running service has valid settings; those of this shell may be for something else.
        Err(_) if running.is_ok() => theirs,
        Err(fault) => {
            let report = Report { checks: vec![doctor::of_faulty_settings(&fault.0)], ..theirs };
            print(&report, reach.json());
            if !reach.json() {
                render::print("The other checks cannot run until this is fixed.");
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    print(&report, reach.json());
    Ok(code(&report))
}

/// 0 without errors (there may be warnings), 1 with errors, 2 if nothing could be checked.
fn code(report: &Report) -> ExitCode {
    match report.worst() {
        Health::Trouble => ExitCode::FAILURE,
        // If any check was made, the worst result is not below `Well`.
        Health::Unknown if !report.checks.is_empty() => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    }
}

/// Runs the checks with `settings`. What only the running service can answer is taken from `theirs`, its report;
/// `silent` says why there is none.
async fn examine(settings: &Settings, silent: Option<String>, theirs: &Report) -> anyhow::Result<Report> {
    let clock = Clock::system(settings.zone.clone());
    let engine = app::engine(settings, app::remote(settings)?, clock.clone(), Storage::in_memory()?)?;
    let mut report = engine.doctor.examine().await;
    for check in &mut report.checks {
        let told = theirs.check(&check.id);
        // What the service itself observes counts, wherever this command runs.
        if let Some(told) =
            told.filter(|told| CONNECTIONS.contains(&told.id.as_str()) && told.verdict > check.verdict)
        {
            check.clone_from(told);
            continue;
        }
        if !doctor::SERVICE.contains(&check.id.as_str()) {
            continue;
        }
        if let Some(told) = told {
            check.clone_from(told);
            continue;
        }
        match check.id.as_str() {
            "queue-file" => *check = doctor::look_at_file(&settings.data_dir),
            "schedule" => *check = doctor::upcoming(&settings.sweep.cron, clock.now(), clock.zone()),
            _ => {
                if let Some(why) = &silent {
                    check.says = format!("Only the running service knows this. {why}");
                }
            }
        }
    }
    Ok(report)
}

/// The report of the running service, without checks if it gave none.
fn whole(answer: &Result<Value, String>) -> Report {
    let answer = answer.as_ref().unwrap_or(&Value::Null);
    let check = |resource: &Value| {
        let mut members = attributes(resource).clone();
        members.as_object_mut()?.insert("id".to_owned(), at(resource, "/id").clone());
        serde_json::from_value(members).ok()
    };
    Report {
        at: Clock::system(jiff::tz::TimeZone::UTC).now(),
        checks: render::list(at(answer, "/data")).iter().filter_map(check).collect(),
        standalone: at(answer, "/meta/standalone") == &Value::Bool(true),
    }
}

fn print(report: &Report, json: bool) {
    if json {
        return render::print(&http::report(report));
    }
    // Two short lines are easier to read for people, one line for programs.
    let terminal = std::io::stdout().is_terminal();
    for check in &report.checks {
        let sign = match check.verdict {
            Health::Well => "ok",
            Health::Warning => "WARNING",
            Health::Trouble => "ERROR",
            Health::Unknown => "?",
        };
        let gap = if terminal { "\n         " } else { " " };
        let help = check.help.as_ref().map(|help| format!("{gap}To do: {help}")).unwrap_or_default();
        render::print(&format!("{sign:<8} {}: {}{help}", check.name, check.says));
    }
    let [trouble, warnings, unknown] =
        [Health::Trouble, Health::Warning, Health::Unknown].map(|verdict| report.count(verdict));
    render::print(&format!("errors: {trouble}, warnings: {warnings}, unknown: {unknown}"));
}
