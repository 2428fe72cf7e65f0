//! doctor, explain, queue and completions: what they print, and their exit codes.

use kimai_sync::trackers::kimai::sandbox::Entity;
use serde_json::Value;

use super::work_today;
use crate::process::{Running, program};
use crate::support::stack::{Stack, TOKEN};

/// Runs a command with these settings; exit code, stdout and stderr.
fn command(arguments: &[&str], vars: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = program(arguments);
    command.envs(vars.iter().copied());
    let output = tokio::task::block_in_place(|| command.output()).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!format!("{out}{err}").contains(TOKEN), "the token is told: {out}{err}");
    (output.status.code().unwrap(), out, err)
}

#[track_caller]
fn has(text: &str, all: &[&str]) {
    for words in all {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_checks_by_itself_and_asks_the_service_for_the_rest() {
    let stack = Stack::embedded(&[]).await;
    let uri = work_today(&stack, "A").await;
    stack.notify(&[&uri]).await;
    let sparql = format!("{}/sparql", stack.base);
    let vars = [("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", &stack.kimai_api), ("MU_SPARQL_ENDPOINT", &sparql)];
    let (code, out, err) = command(&["doctor", "--url", &stack.base], &vars);
    assert_eq!(code, 0, "{out}{err}");
    has(
        &out,
        &[
            "ok       Kimai: It answers, version 2.65.0.",
            "ok       Deltas: The last one was received",
            "ok       Sweeps: ",
        ],
    );
    assert_eq!(out.lines().count(), 23, "a line each: {out}");
    let (code, out, _) = command(&["doctor", "--json", "--url", &stack.base], &vars);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, report["data"].as_array().unwrap().len()), (0, 22));

    // The service is down, and Kimai too.
    let folder = tempfile::tempdir().unwrap();
    let down = [
        ("API_TOKEN", TOKEN),
        ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api"),
        ("MU_SPARQL_ENDPOINT", &sparql),
        ("DATA_DIR", folder.path().to_str().unwrap()),
    ];
    let (code, out, _) = command(&["doctor", "--url", "http://127.0.0.1:9"], &down);
    assert_eq!(code, 1, "{out}");
    has(
        &out,
        &[
            "ERROR    Kimai: ",
            "KIMAI_ENDPOINT",
            "?        Deltas: Only the running service knows this. kimai-sync does not answer",
        ],
    );
    has(
        &out,
        &[
            "ok       Queue file: ",
            "ok       Sweeps: With '0 0 */2 * * *'",
            "ok       View of the triplestore",
        ],
    );

    // It does not start for its settings.
    let (code, out, _) =
        command(&["doctor", "--url", "http://127.0.0.1:9"], &[("API_TOKEN", TOKEN), ("PORT", "many")]);
    assert_eq!(code, 1, "{out}");
    has(&out, &["ERROR    Settings: ", "KIMAI_ENDPOINT is missing", "PORT is 'many'"]);
    // A shell without settings still gets what the service knows.
    let (code, out, _) = command(&["doctor", "--url", &stack.base], &[]);
    assert_eq!(code, 0, "{out}");
    has(&out, &["ok       Kimai: It answers"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_is_it_not_in_kimai_is_answered_by_iri_id_and_number() {
    let stack = Stack::embedded(&[]).await;
    let (here, hidden) = (work_today(&stack, "77").await, work_today(&stack, "AB12").await);
    stack.notify(&[&here]).await;
    stack.kimai.hide(Entity::Project(stack.project));
    stack.notify(&[&hidden]).await;
    let explain = |what: &str| command(&["explain", what, "--url", &stack.base], &[]);
    let id = stack.timesheets()[0].0.to_string();
    for what in ["77", &here, &format!("<{here}>"), &id] {
        let (code, out, err) = explain(what);
        assert_eq!(code, 0, "{what}: {out}{err}");
        has(
            &out,
            &[&here, &format!("In sync: timesheet {id} matches the work log."), "project      Website (2)"],
        );
    }
    let (code, out, _) = explain("AB12");
    assert_eq!(code, 1, "{out}");
    has(
        &out,
        &[
            "Not in Kimai: ",
            "project 'Website' is hidden",
            "→ Make it visible in Kimai",
            "person       Jane (Kimai user 2)",
            "parked",
        ],
    );
    let (code, _, err) = explain("nobody");
    assert_eq!(code, 2, "{err}");
    has(&err, &["There is no work log 'nobody'"]);
    let (code, _, err) = command(&["explain", "A", "--url", "http://127.0.0.1:9"], &[]);
    assert_eq!(code, 2, "{err}");
    let (code, out, _) = command(&["queue", "show", "AB12", "--json", "--url", &stack.base], &[]);
    let story: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &story["data"]["attributes"]["story"]["verdict"]), (1, &Value::from("not-in-kimai")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_listed_and_tried_again() {
    let stack = Stack::embedded(&[]).await;
    let queue = |arguments: &[&str]| command(&[&["queue"], arguments, &["--url", &stack.base]].concat(), &[]);
    let (code, out, _) = queue(&["list"]);
    assert_eq!((code, out.trim()), (0, "queued 0 · scheduled 0 · running 0 · parked 0"));
    stack.kimai.hide(Entity::Project(stack.project));
    let mut uris = Vec::new();
    for number in 0..60 {
        uris.push(stack.register(&format!("N{number:02}"), "2024-09-02", "PT1H").await);
    }
    stack.notify(&uris.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (code, out, _) = queue(&["list", "--state", "parked"]);
    assert_eq!((code, out.matches("project 'Website' is hidden").count()), (0, 50), "{out}");
    has(&out, &["work log", "parked 60", "There are more: --all shows them."]);
    let (_, out, _) = queue(&["list", "--state", "parked", "--all"]);
    assert_eq!(out.matches("project 'Website' is hidden").count(), 60, "{out}");
    let (_, out, _) = queue(&["list", "--state", "queued"]);
    assert!(!out.contains("Website"), "{out}");

    stack.kimai.show(Entity::Project(stack.project));
    let (code, out, _) = queue(&["retry", "N07"]);
    assert_eq!((code, out.trim()), (0, "Retrying it now."));
    stack.quiet().await;
    assert_eq!(stack.timesheets().len(), 1);
    let (code, out, _) = queue(&["retry", "--parked"]);
    assert_eq!((code, out.trim()), (0, "Retrying 59 work logs now."));
    stack.quiet().await;
    assert_eq!(stack.timesheets().len(), 60);
    let (code, _, err) = queue(&["retry", "nobody"]);
    assert_eq!(code, 2, "{err}");
    let (code, _, err) = queue(&["retry"]);
    assert_eq!(code, 2, "{err}");
    has(&err, &["WORK_LOG"]);
}

#[test]
fn the_service_checks_at_its_start_and_logs_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(&["serve"]);
    command.env("DATA_DIR", folder.path()).envs([
        ("API_TOKEN", TOKEN),
        ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api"),
        ("MU_SPARQL_ENDPOINT", "http://127.0.0.1:9/sparql"),
    ]);
    let mut running = Running::start(command);
    let line = running.until("Check: Triplestore: ");
    assert!(
        line.contains("ERROR") && line.contains("To do: ") && line.contains("MU_SPARQL_ENDPOINT"),
        "{line}"
    );
    let line = running.until("Check: Kimai: ");
    assert!(line.contains("To do: ") && line.contains("KIMAI_ENDPOINT"), "{line}");
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(TOKEN), "the token is told: {log}");
}

#[test]
fn completions_know_the_commands_of_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = program(&["completions", shell]).output().unwrap();
        let script = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && script.contains("explain") && script.contains("parked"),
            "{shell}"
        );
    }
}
