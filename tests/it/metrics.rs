//! What those who watch over the service see: `/metrics`, `/live`, `/ready`, the alerts and the board.

#![expect(clippy::float_cmp, reason = "what is counted here is exact")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp};
use kimai_sync::telemetry::table::{Kind, PREFIX, TABLE};
use kimai_sync::trackers::kimai::sandbox::{Fault, When};
use serde_json::{Value, json};

use crate::support::not_covered;
use crate::support::stack::{Stack, TOKEN, answer, delta};

/// The text of all metrics.
async fn metrics(stack: &Stack) -> String {
    let (status, content_type, text) = answer(stack.http.get(format!("{}/metrics", stack.base))).await;
    assert_eq!((status, content_type.as_deref()), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    text
}

/// The value of a series.
fn value(text: &str, series: &str) -> f64 {
    let line =
        text.lines().find_map(|line| line.strip_prefix(PREFIX)?.strip_prefix('_')?.strip_prefix(series));
    let line = line.unwrap_or_else(|| panic!("no {series} in:\n{text}"));
    line.trim().parse().unwrap()
}

/// Runs promtool with `input`; nothing where it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    let spawned = Command::new("promtool")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        not_covered("promtool (apt-get install prometheus)");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = crate::process::text(&output);
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    Some(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let stack = Stack::embedded(&[]).await;
    let before = metrics(&stack).await;
    assert_eq!(value(&before, "reconcile_total{result=\"created\"}"), 0.0);
    let since = |text: &str, series: &str| value(text, series) - value(&before, series);

    let a = stack.register("A", "2024-09-02", "PT1H").await;
    let b = stack.register("B", "2024-09-02", "P1M").await; // cannot be booked
    stack.notify(&[&a, &b]).await;
    stack.change(&a, "cal:duration", "\"PT2H\"").await;
    stack.notify(&[&a]).await;
    stack.notify(&[&a]).await;
    assert_eq!(stack.post("/delta", Some(json!({"no": "delta"}))).await.0, 400);
    stack.take_back(&a).await;
    stack.notify(&[&a]).await;

    let after = metrics(&stack).await;
    for (series, wanted) in [
        ("deltas_received_total", 5.0),
        ("deltas_refused_total", 1.0),
        ("delta_work_logs_total", 5.0),
        ("queue_enqueue_seconds_count", 4.0),
        ("reconcile_total{result=\"created\"}", 1.0),
        ("reconcile_total{result=\"updated\"}", 1.0),
        ("reconcile_total{result=\"unchanged\"}", 1.0),
        ("reconcile_total{result=\"deleted\"}", 1.0),
        ("reconcile_total{result=\"parked\"}", 1.0),
        ("reconcile_seconds_count", 5.0),
        ("kimai_requests_total{operation=\"create\",status=\"2xx\"}", 1.0),
        ("kimai_requests_total{operation=\"update\",status=\"2xx\"}", 1.0),
        ("kimai_requests_total{operation=\"delete\",status=\"2xx\"}", 1.0),
        ("kimai_request_seconds_count{operation=\"create\"}", 1.0),
        ("queue_entries{state=\"parked\"}", 1.0),
        ("queue_entries{state=\"queued\"}", 0.0),
    ] {
        assert_eq!(since(&after, series), wanted, "{series} in:\n{after}");
    }
    assert!(since(&after, "triplestore_requests_total{operation=\"query\",result=\"ok\"}") > 5.0);
    assert!(since(&after, "triplestore_requests_total{operation=\"update\",result=\"ok\"}") >= 2.0);
    assert!(value(&after, "reconcile_seconds_sum") > 0.0);
    assert!(!after.contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kimai_that_fails_shows_and_a_lost_answer_is_followed_to_its_end() {
    let stack = Stack::embedded(&[("KIMAI_TIMEOUT", "1")]).await;
    let work_log = stack.register("A", "2024-09-02", "PT1H").await;
    stack.kimai.fault(When::next("POST", "/api/timesheets"), Fault::cut().applied());
    assert_eq!(stack.post("/delta", Some(delta(&[&work_log]))).await.0, 204);
    let open = async {
        while value(&metrics(&stack).await, "intent_oldest_seconds") == 0.0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), open).await.expect("its intent is open");
    stack.quiet().await;
    let text = metrics(&stack).await;
    for (series, wanted) in [
        ("kimai_requests_total{operation=\"create\",status=\"none\"}", 1.0),
        ("intents_resolved_total{how=\"adopted\"}", 1.0),
        ("intents_resolved_total{how=\"absent\"}", 0.0),
        ("intents_open", 0.0),
        ("intent_oldest_seconds", 0.0),
        ("reconcile_total{result=\"adopted\"}", 1.0),
    ] {
        assert_eq!(value(&text, series), wanted, "{series} in:\n{text}");
    }
    assert!(value(&text, "reconcile_total{result=\"retry\"}") >= 1.0);

    // A wrong token takes everything down at once; a pause is counted.
    stack.kimai.expire_token(TOKEN);
    stack.change(&work_log, "cal:duration", "\"PT2H\"").await;
    assert_eq!(stack.post("/delta", Some(delta(&[&work_log]))).await.0, 204);
    let down = async {
        while value(&metrics(&stack).await, "kimai_breaker_open") == 0.0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), down).await.expect("the breaker opens");
    let text = metrics(&stack).await;
    assert!(value(&text, "kimai_requests_total{operation=\"look\",status=\"401\"}") >= 1.0, "{text}");
    let (ready, ..) = answer(stack.http.get(format!("{}/ready", stack.base))).await;
    assert_eq!(ready, 200, "deltas are still taken while Kimai is down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_tells_when_it_ended_and_what_it_held_back() {
    let stack = Stack::embedded(&[("SWEEP_DELETE_ORPHANS", "false")]).await;
    let today = stack.engine.clock.today().to_string();
    stack.register("A", &today, "PT1H").await; // without any the sweep would not believe it
    let begin: Timestamp = format!("{today}T00:00:00Z").parse().unwrap();
    let theirs = (stack.project, stack.activity);
    stack.kimai.add_timesheet(stack.user, theirs, begin, Some(begin + SignedDuration::from_hours(3)));
    assert_eq!(value(&metrics(&stack).await, "sweep_last_success_timestamp_seconds"), 0.0);
    let sweep = async |first: &str| {
        let body = json!({"start": first, "end": first});
        let request = stack.post("/sync-to-kimai/work-logs", Some(body)).await;
        let run: Value = serde_json::from_str(&request.2).unwrap();
        let id = run["data"]["id"].as_str().unwrap().to_owned();
        let events = stack.http.get(format!("{}/runs/{id}/events", stack.base));
        assert!(answer(events).await.2.contains("\"done\""));
        metrics(&stack).await
    };
    let text = sweep("2001-01-01").await;
    assert_eq!(value(&text, "sweep_last_success_timestamp_seconds"), 0.0, "one of long ago is no proof");
    let text = sweep(&today).await;
    let swept = value(&text, "sweep_last_success_timestamp_seconds");
    assert!((stack.engine.clock.now().as_duration().as_secs_f64() - swept).abs() < 60.0, "{swept}");
    assert_eq!(value(&text, "sweep_deletions_held_total{reason=\"turned-off\"}"), 1.0, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_are_what_prometheus_reads() {
    let stack = Stack::embedded(&[]).await;
    let text = metrics(&stack).await;
    if let Some(said) = promtool(&["check", "metrics"], &text) {
        assert_eq!(said, "", "promtool has something to say");
    }
    let request = stack.http.get(format!("{}/metrics", stack.base));
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let (status, content_type, open) = answer(request.header("accept", accept)).await;
    let wanted = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((status, content_type.as_deref()), (200, Some(wanted)));
    assert!(open.ends_with("# EOF\n"));
    for row in TABLE {
        let (name, kind) = (format!("{PREFIX}_{}", row.name), format!("{:?}", row.kind).to_lowercase());
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
        let bare = name.trim_end_matches("_total");
        assert!(open.contains(&format!("# TYPE {bare} {kind}\n")), "{bare}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_board_ask_for_nothing_that_is_not_there() {
    let stack = Stack::embedded(&[]).await;
    let text = metrics(&stack).await;
    let there: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let (alerts, board) = (file("config/alerts.yml"), file("config/dashboard.json"));
    for (place, words) in [("alerts.yml", &alerts), ("dashboard.json", &board)] {
        let names = words.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let asked: BTreeSet<&str> = names.filter(|name| name.starts_with("kimai_sync_")).collect();
        assert!(asked.len() > 5, "{place}: {asked:?}");
        let missing: Vec<&&str> = asked.difference(&there).collect();
        assert!(missing.is_empty(), "{place} asks for {missing:?}");
    }
    // Nothing is measured that nobody can see.
    for row in TABLE {
        let suffix = if row.kind == Kind::Histogram { "_bucket" } else { "" };
        let name = format!("{PREFIX}_{}{suffix}", row.name);
        assert!(board.contains(&name), "{name} is not on the board");
    }
}

#[test]
fn the_board_can_be_imported() {
    let board: Value = serde_json::from_str(&file("config/dashboard.json")).unwrap();
    let variables = board["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|variable| variable["type"] == "datasource"));
    let panels = board["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{}", panel["title"]);
        assert!(!panel["targets"].as_array().unwrap().is_empty() && panel["description"].is_string());
    }
}

#[test]
fn each_alert_fires_when_it_should_and_never_when_all_is_well() {
    promtool(&["check", "rules", "config/alerts.yml"], "");
    promtool(&["test", "rules", "tests/fixtures/alerts/rules.yml"], "");
    let tried = file("tests/fixtures/alerts/rules.yml");
    for alert in alerts() {
        assert!(tried.contains(&format!("alertname=\"{alert}\"")), "{alert} is not tried");
    }
}

/// Whoever is woken by an alert finds what to do.
#[test]
fn the_handbook_has_a_section_for_each_alert_and_a_row_for_each_metric() {
    let (handbook, rules) = (file("docs/operations.md"), file("config/alerts.yml"));
    for alert in alerts() {
        let (_, section) =
            handbook.split_once(&format!("\n### {alert}\n")).unwrap_or_else(|| panic!("{alert}"));
        let section = section.split("\n##").next().unwrap();
        for part in ["**Meaning.**", "**Look here.**", "**Do this.**"] {
            assert!(section.contains(part), "{alert} lacks {part}");
        }
        let anchor = format!("runbook_url: docs/operations.md#{}\n", alert.to_lowercase());
        assert_eq!(rules.matches(&anchor).count(), 1, "{anchor}");
    }
    let (_, listed) = handbook.split_once("<!-- metrics -->\n").unwrap();
    let (listed, _) = listed.split_once("<!-- /metrics -->").unwrap();
    let rows = TABLE.iter().map(|row| {
        let label = |(name, values): &(&str, &[&str])| {
            let values = if *name == "version" { "…".to_owned() } else { values.join(", ") };
            format!("`{name}`: {values}")
        };
        let labels: Vec<String> = row.labels.iter().map(label).collect();
        format!("| `{}` | {} | {} | {} |\n", row.name, row.unit, labels.join("; "), row.meaning)
    });
    let header = "| metric | unit | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    assert_eq!(listed, std::iter::once(header).chain(rows).collect::<String>());
}

fn alerts() -> Vec<String> {
    let rules = file("config/alerts.yml");
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}
