//! `kimai-sync explain`: everything known about one work log, for a person.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::client::{Refusal, Service, path_of};
use super::commands::{Outcome, Reach, ended};
use super::render::{self, at, attributes, list, text};

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The work log: its IRI, its ID (`mu:uuid`), or the ID of its timesheet in Kimai
    #[arg(value_name = "WORK_LOG")]
    work_log: String,
    #[command(flatten)]
    reach: Reach,
}

/// Asks the service for an explanation and prints it. Exit code 1 if the work log is not as it should be.
pub(super) async fn explain(arguments: Explain) -> anyhow::Result<ExitCode> {
    let Explain { work_log, reach } = arguments;
    let service = Service::at(reach.url())?;
    Ok(ended(tell(&service, &work_log, reach.json()).await, reach.json()))
}

async fn tell(service: &Service, work_log: &str, json: bool) -> Result<Outcome, Refusal> {
    let answer = service.get(&format!("/queue/{}", path_of(work_log))).await?;
    let explanation = at(attributes(at(&answer, "/data")), "/story");
    if json {
        render::print(&answer.to_string());
    } else if explanation.is_null() {
        return Err(Refusal::NotAsked("The service is an older version without explanations.".to_owned()));
    } else {
        render::print(&words(explanation, &service.zone()));
    }
    let well = ["in-sync", "waits", "deleted"].contains(&text(at(explanation, "/verdict")));
    Ok(if well { Outcome::Well } else { Outcome::NotWell })
}

/// The explanation in lines, with times in `zone`: the verdict, then the data of both sides, then what was done.
pub(super) fn words(explanation: &Value, zone: &TimeZone) -> String {
    let mut lines = format!("{}\n{}.", text(at(explanation, "/work-log")), text(at(explanation, "/says")));
    for help in list(at(explanation, "/help")) {
        let _ = write!(lines, "\n  → {}", text(help));
    }
    if let Some(code) = at(explanation, "/code").as_str() {
        let _ = write!(lines, "\n  code {code}, see docs/errors.md#{code}");
    }
    lines.push_str("\n\nIn the triplestore");
    told(at(explanation, "/triplestore"), &mut lines);
    lines.push_str("\n\nIn Kimai");
    let timesheets = list(at(explanation, "/timesheets"));
    if timesheets.is_empty() {
        line(&mut lines, "timesheet", "none known");
    }
    for timesheet in timesheets {
        kimai(timesheet, zone, &mut lines);
    }
    lines.push_str("\n\nWe");
    ours(explanation, zone, &mut lines);
    lines
}

fn line(lines: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = write!(lines, "\n  {name:<12} {value}");
    }
}

fn joined(value: &Value) -> String {
    list(value).iter().map(text).collect::<Vec<_>>().join(", ")
}

fn told(told: &Value, lines: &mut String) {
    if let Some(error) = at(told, "/error").as_str() {
        return line(lines, "nothing", error);
    }
    match text(at(told, "/kind")) {
        "work-log" => {}
        "left-over" => line(lines, "kind", "a deleted work log, of which only the link is left"),
        "absent" => line(lines, "kind", "not found"),
        _ => line(lines, "kind", "not a work log"),
    }
    line(lines, "day", &joined(at(told, "/days")));
    line(lines, "duration", &joined(at(told, "/durations")));
    for task in list(at(told, "/tasks")) {
        let ids = (joined(at(task, "/activities")), joined(at(task, "/projects")));
        let ids = match &ids {
            (activity, project) if !activity.is_empty() => {
                format!(" (activity {activity} of project {project})")
            }
            _ => " (not a Kimai activity)".to_owned(),
        };
        line(lines, "task", &format!("{}{ids}", named(task)));
    }
    for person in list(at(told, "/persons")) {
        let accounts = joined(at(person, "/accounts"));
        let accounts = if accounts.is_empty() {
            " (no Kimai account)".to_owned()
        } else {
            format!(" (Kimai user {accounts})")
        };
        line(lines, "person", &format!("{}{accounts}", named(person)));
    }
    line(lines, "timesheet", &joined(at(told, "/identifiers")));
    for complaint in list(at(told, "/complaints")) {
        line(lines, "but", text(complaint));
    }
}

/// The name, or the IRI if there is none.
fn named(value: &Value) -> String {
    at(value, "/name").as_str().map_or_else(|| format!("<{}>", text(at(value, "/iri"))), str::to_owned)
}

fn kimai(timesheet: &Value, zone: &TimeZone, lines: &mut String) {
    let id = at(timesheet, "/id").to_string();
    let held = at(timesheet, "/kimai");
    let linked =
        if at(timesheet, "/linked") == &Value::Bool(true) { "" } else { " (not linked in the triplestore)" };
    if let Some(error) = at(held, "/error").as_str() {
        return line(lines, &format!("timesheet {id}"), error);
    }
    if held.is_null() {
        return line(lines, &format!("timesheet {id}"), &format!("no longer exists{linked}"));
    }
    let exported = if at(held, "/exported") == &Value::Bool(true) { ", exported" } else { "" };
    let times = format!(
        "{} to {}{exported}{linked}",
        render::moment(at(held, "/begin"), zone),
        at(held, "/end")
            .as_str()
            .map_or_else(|| "… (still running)".to_owned(), |_| render::moment(at(held, "/end"), zone))
    );
    line(lines, &format!("timesheet {id}"), &times);
    for name in ["customer", "project", "activity", "user"] {
        let id = at(held, &format!("/{name}")).as_u64().map(|id| id.to_string());
        let label = at(held, &format!("/names/{name}")).as_str();
        let words = match (label, id) {
            (Some(label), Some(id)) => format!("{label} ({id})"),
            (Some(label), None) => label.to_owned(),
            (None, id) => id.unwrap_or_default(),
        };
        line(lines, name, &words);
    }
    for difference in list(at(timesheet, "/differences")) {
        line(lines, "but", text(difference));
    }
}

fn ours(explanation: &Value, zone: &TimeZone, lines: &mut String) {
    let entry = at(explanation, "/entry");
    if entry.is_null() {
        line(lines, "queue", "not in the queue");
    } else {
        let state = text(at(entry, "/state"));
        let due =
            at(entry, "/due").as_str().map(|_| format!(", due {}", render::moment(at(entry, "/due"), zone)));
        line(
            lines,
            "queue",
            &format!(
                "{state}{} (trigger {}, {} failed attempts)",
                due.unwrap_or_default(),
                text(at(entry, "/reason")),
                at(entry, "/attempts")
            ),
        );
        line(lines, "last error", &coded(text(at(entry, "/last-error")), at(entry, "/code")));
    }
    let memory = at(explanation, "/memory");
    line(lines, "records", text(at(memory, "/error")));
    if let Some(id) = at(memory, "/timesheet").as_u64() {
        let unwritten = at(memory, "/link-unwritten") == &Value::Bool(true);
        let more = if unwritten { ", the link still has to be written to the triplestore" } else { "" };
        line(lines, "recorded", &format!("timesheet {id}{more}"));
    }
    if at(memory, "/creating-since").is_string() {
        let since = render::moment(at(memory, "/creating-since"), zone);
        line(
            lines,
            "sent",
            &format!("a new timesheet at {since}; the answer was lost, checking whether Kimai stored it"),
        );
    }
    for other in list(at(explanation, "/sharing")) {
        line(lines, "shared", &format!("<{}> is linked to the same timesheet", text(other)));
    }
    let history = at(explanation, "/history");
    line(lines, "history", text(at(history, "/error")));
    for done in list(history) {
        let message = at(done, "/message").as_str().unwrap_or_default();
        let result = match text(at(done, "/result")) {
            "done" => "done",
            "later" => "scheduled",
            _ => "parked",
        };
        let colon = if message.is_empty() { "" } else { ": " };
        line(
            lines,
            &render::moment(at(done, "/at"), zone),
            &coded(&format!("{result}{colon}{message}"), at(done, "/code")),
        );
    }
}

/// A message with its code, if it has one.
fn coded(message: &str, code: &Value) -> String {
    code.as_str().map_or_else(|| message.to_owned(), |code| format!("{message} [{code}]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_story_is_told_verdict_first() {
        let explanation = json!({
            "work-log": "http://x/work-logs/1", "verdict": "not-in-kimai",
            "says": "Not in Kimai: the user 'Jane' has no Kimai account linked", "help": ["Link 'Jane'."],
            "code": "no-account",
            "triplestore": {
                "kind": "work-log", "days": ["2024-09-02"], "durations": ["PT8H"], "identifiers": [],
                "tasks": [{"iri": "http://x/t", "name": "Analysis", "activities": ["3"], "projects": ["2"]}],
                "persons": [{"iri": "http://x/p", "name": "Jane", "accounts": []}],
                "complaints": ["the user 'Jane' has no Kimai account linked"],
            },
            "timesheets": [
                {"id": 12, "linked": false, "kimai": null, "differences": []},
                {"id": 13, "linked": true, "differences": [],
                    "kimai": {"begin": "2024-09-01T22:00:00Z", "end": "2024-09-02T06:00:30Z"}},
            ],
            "entry": {"state": "parked", "due": null, "reason": "delta", "attempts": 10, "last-error": "no account",
                "code": "no-account"},
            "memory": {"timesheet": 12, "link-unwritten": false, "creating-since": null},
            "history": [{"at": "2024-09-02T12:00:00Z", "result": "parked", "message": "no account",
                "code": "no-account"}],
            "sharing": [],
        });
        let zone = TimeZone::get("Europe/Brussels").unwrap();
        let told = words(&explanation, &zone);
        let in_order = [
            "http://x/work-logs/1\nNot in Kimai: the user 'Jane' has no Kimai account linked.\n  → Link 'Jane'.",
            "\n  code no-account, see docs/errors.md#no-account\n",
            "task         Analysis (activity 3 of project 2)",
            "person       Jane (no Kimai account)",
            "timesheet 12 no longer exists (not linked in the triplestore)",
            "timesheet 13 2024-09-02 00:00 to 2024-09-02 08:00:30",
            "queue        parked (trigger delta, 10 failed attempts)",
            "last error   no account [no-account]",
            "2024-09-02 14:00 parked: no account [no-account]",
        ];
        let mut rest = told.as_str();
        for words in in_order {
            let place = rest.find(words).unwrap_or_else(|| panic!("{words:?} is not in {told}"));
            rest = &rest[place + words.len()..];
        }
        let silent = json!({"triplestore": {"error": "refused"}, "memory": {}, "history": {"error": "disk"}});
        let told = words(&silent, &zone);
        assert!(told.contains("refused") && told.contains("disk"));
    }
}
