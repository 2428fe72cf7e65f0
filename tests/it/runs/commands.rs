//! The commands that steer a running service: what they print, and their exit codes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output};

use kimai_sync::trackers::kimai::sandbox::{Fault, Gate, When};
use serde_json::Value;

use super::{get, listing};
use crate::process::program;
use crate::support::stack::Stack;

const SEPTEMBER: [&str; 4] = ["--from", "2024-09-01", "--to", "2024-09-30"];

/// Runs a command against the service; exit code, stdout and stderr.
fn command(stack: &Stack, arguments: &[&str]) -> (i32, String, String) {
    let mut command = program(arguments);
    command.args(["--url", &stack.base]);
    told(&tokio::task::block_in_place(|| command.output()).unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn sweep<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["sweep"], &SEPTEMBER[..], more].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_is_followed_to_its_summary() {
    let stack = Stack::embedded(&[]).await;
    stack.register("A", "2024-09-02", "PT1H").await;
    stack.forget_calls();
    let (code, out, err) = command(&stack, &sweep(&["--dry-run"]));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("Nothing was changed."), "{out}");
    let (code, out, _) = command(&stack, &sweep(&["--dry-run", "--json"]));
    let plan: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!((code, &plan["meta"]["period"]["end"]), (0, &Value::from("2024-09-30")));
    assert_eq!((stack.kimai_calls("POST"), stack.statements().1), (0, 0));

    let (code, out, err) = command(&stack, &sweep(&["--wait"]));
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("sweep of 2024-09-01 to 2024-09-30: done after"), "{out}");
    assert!(out.contains("1 work log queued") && out.contains("1 of 1 synced."), "{out}");
    assert!(err.contains("sweep of 2024-09-01 to 2024-09-30"), "progress as plain lines: {err}");
    assert_eq!(stack.timesheets().len(), 1, "it has come through by then");
    let (code, out, _) = command(&stack, &sweep(&["--json"]));
    let run: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &run["data"]["attributes"]["counts"]["queued"]), (0, &Value::from(0)));
}

/// Kimai's own words, so that nobody takes them for a proxy's.
const REFUSED: &str = r#"{"code":400,"message":"Validation Failed"}"#;

/// Kimai takes one of two: whoever waits is told, and whoever does not is gone before that.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_of_which_not_all_comes_through_ends_with_1() {
    let stack = Stack::embedded(&[]).await;
    for id in ["A", "B"] {
        stack.register(id, "2024-09-02", "PT1H").await;
    }
    let gate = Gate::default();
    let create = || When::next("POST", "/api/timesheets");
    stack.kimai.fault(create(), Fault::hold(&gate));
    stack.kimai.fault(create(), Fault::answer(400).body(REFUSED));
    let (code, out, err) = command(&stack, &sweep(&[]));
    // It may be parked by then.
    assert_eq!(code, i32::from(out.contains("1 parked")), "{out}{err}");
    assert!(out.contains("compared after") && out.contains("Use --wait to wait for it."), "{out}");
    let (_, runs) = get(&stack, "/runs?filter[kind]=sweep").await;
    let told = &runs["data"][0]["attributes"];
    assert_eq!(
        (&told["state"], &told["phase"]),
        (&"running".into(), &"syncing what was queued".into()),
        "{told}"
    );
    assert!(told["compared"].is_string() && told["queued"]["total"] == 2, "{told}");
    assert_eq!(told["queued"]["synced"], 0, "{told}");
    gate.open();

    let id = runs["data"][0]["id"].as_str().unwrap();
    let ended = super::events(&stack.base, &format!("/runs/{id}")).await.pop().unwrap();
    let told = &ended["attributes"];
    assert_eq!((&told["state"], &told["counts"]["queued"]), (&"done".into(), &2.into()), "{told}");
    let queued = serde_json::json!({"total": 2, "synced": 1, "parked": 1, "waiting": 0});
    assert_eq!(told["queued"], queued, "{told}");
    // The one that is parked differs still.
    stack.kimai.fault(create(), Fault::answer(400).body(REFUSED));
    let (code, out, err) = command(&stack, &sweep(&["--wait"]));
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("done after") && out.contains("0 of 1 synced, 1 parked."), "{out}");
}

/// Whatever zone the shell is in that asks.
#[tokio::test(flavor = "multi_thread")]
async fn plans_keys_and_stories_tell_times_in_the_zone_of_the_service() {
    let stack = Stack::embedded(&[("TZ", "Europe/Brussels"), ("SWEEP_MAX_DELETIONS", "0")]).await;
    let id = stack.kimai.add_timesheet(
        stack.user,
        (stack.project, stack.activity),
        "2024-09-01T22:00:00Z".parse().unwrap(),
        Some("2024-09-02T05:30:00Z".parse().unwrap()),
    );
    let uri = stack.register("A", "2024-09-10", "PT1H").await;
    stack.notify(&[&uri]).await;
    let (_, out, err) = command(&stack, &sweep(&["--dry-run"]));
    assert!(
        out.contains("2024-09-02 00:00-07:30") && out.contains("Begin and end (Europe/Brussels)"),
        "{out}{err}"
    );
    let (_, expires) = out.split_once("need confirmation (until ").unwrap();
    let expires: jiff::civil::DateTime = expires[..16].replace(' ', "T").parse().unwrap();
    let now = stack.engine.clock.now().to_zoned(stack.engine.clock.zone().clone()).datetime();
    assert!(expires > now, "{out}");
    assert!(!out.contains('Z') && !out.contains("22:00"), "{out}");
    let (_, out, _) = command(&stack, &["explain", &uri]);
    assert!(out.contains("2024-09-10 00:00 to 2024-09-10 01:00"), "{out}");
    let (code, _, err) = command(&stack, &["explain", &id.to_string()]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("2024-09-02 00:00 to 2024-09-02 07:30 (7:30 hours)"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_that_are_held_back_are_said_and_end_with_1() {
    let stack = Stack::embedded(&[("SWEEP_MAX_DELETIONS", "1")]).await;
    stack.register("A", "2024-09-02", "PT1H").await;
    for _ in 0..2 {
        let begin = "2024-09-10T00:00:00Z".parse().unwrap();
        stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    }
    let (code, out, err) = command(&stack, &sweep(&[]));
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("2 deletions held back"), "{out}");
    assert_eq!(stack.kimai_calls("DELETE"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_and_a_lock_tell_what_they_did() {
    let stack = Stack::embedded(&[]).await;
    stack.kimai.add_customer("Novum");
    let (code, out, err) = command(&stack, &["import"]);
    assert_eq!(code, 0, "{out}{err}");
    for words in ["customers: 1 new, 0 changed, 1 unchanged", "activities: 0 new", "import of accounts: done"]
    {
        assert!(out.contains(words), "{words:?} is not in {out}");
    }
    let (code, out, _) = command(&stack, &["import", "customers"]);
    assert!(code == 0 && out.contains("customers: 0 new") && !out.contains("projects"), "{out}");
    let (code, out, _) = command(&stack, &["lock", "2024-09"]);
    assert!(code == 0 && out.contains("2024-09: 0 timesheets exported"), "{out}");

    // What fails keeps nothing else away, and is told in words.
    stack.kimai.fault(When::next("GET", "/api/customers"), Fault::answer(500));
    let (code, out, _) = command(&stack, &["import", "all"]);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("import of customers: failed") && out.contains("customers cannot be imported"),
        "{out}"
    );
    assert!(out.contains("import of accounts: done"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_ends_with_2_and_says_why() {
    let stack = Stack::embedded(&[]).await;
    let table: [(&[&str], &str); 6] = [
        (&["sweep", "--from", "soon", "--to", "2024-09-30"], "soon"),
        (&["sweep", "--from", "2024-09-30", "--to", "2024-09-01"], "ends (2024-09-01) before it starts"),
        (&sweep(&["--confirm", "x"]), "The confirm key 'x' is not known"),
        (&sweep(&["--confirm", "x", "--dry-run"]), "cannot be used with"),
        (&["lock", "2024-13"], "expected a month like 2024-09"),
        (&["import", "everything"], "everything"),
    ];
    for (arguments, words) in table {
        let (code, out, err) = command(&stack, arguments);
        assert!(code == 2 && out.is_empty() && err.contains(words), "{arguments:?}: {code} {out}{err}");
        assert!(!err.contains('{'), "a sentence, no document: {err}");
    }
    let mut schemeless = program(&["import", "--url", "localhost:8080"]);
    let mut misset = program(&["lock", "2024-09"]);
    misset.env("PORT", "x");
    for (command, words) in [
        (&mut schemeless, "expected a URL like http://127.0.0.1:8080"),
        (&mut misset, "kimai-sync: the settings are invalid"),
    ] {
        let (code, _, err) = told(&tokio::task::block_in_place(|| command.output()).unwrap());
        assert!(code == 2 && err.contains(words), "{code} {err}");
    }
    // Nobody listens there; the port is that of the environment.
    let mut unreachable = program(&["lock", "2024-09"]);
    unreachable.env("PORT", "9");
    let (code, _, err) = told(&tokio::task::block_in_place(|| unreachable.output()).unwrap());
    assert!(code == 2 && err.contains("does not answer at http://127.0.0.1:9"), "{code} {err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_looking_leaves_the_run_going_and_is_told_how_to_cancel_it() {
    let stack = Stack::embedded(&[]).await;
    let gate = Gate::default();
    stack.kimai.fault(listing(), Fault::hold(&gate));
    let mut command = program(&sweep(&["--url", &stack.base]));
    let mut child = command.spawn().unwrap();
    gate.reached().await;
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let (code, said) = tokio::task::block_in_place(|| {
        let mut said = String::new();
        err.read_line(&mut said).unwrap();
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        err.read_to_string(&mut said).unwrap();
        (child.wait().unwrap().code(), said)
    });
    assert_eq!(code, Some(130), "{said}");
    let (_, runs) = get(&stack, "/runs?filter[kind]=sweep").await;
    let run = &runs["data"][0];
    assert_eq!(run["attributes"]["state"], "running");
    let hint = format!("curl -X POST {}/runs/{}/cancel", stack.base, run["id"].as_str().unwrap());
    assert!(said.contains(&hint), "{said}");
    gate.open();
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_taken_as_people_type_them() {
    let stack = Stack::embedded(&[]).await;
    let (code, out, err) = command(&stack, &["sweep", "--from", "2024-02", "--dry-run", "--json"]);
    assert_eq!(code, 0, "{err}");
    let plan: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    let period = &plan["meta"]["period"];
    assert_eq!((&period["start"], &period["end"]), (&Value::from("2024-02-01"), &Value::from("2024-02-29")));
    let (code, out, err) = command(&stack, &["sweep", "--from", "-7d", "--to", "yesterday", "--dry-run"]);
    assert_eq!(code, 0, "{out}{err}");
    let (code, _, err) = command(&stack, &["sweep", "--from", "2024-02-30"]);
    assert!(code == 2 && err.contains("there is no day 2024-02-30"), "{err}");
    assert_eq!(stack.kimai_calls("POST"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_json_an_error_is_a_document_too() {
    let stack = Stack::embedded(&[]).await;
    let document = |out: &str| -> Value { serde_json::from_str(out).unwrap() };
    let (code, out, err) = command(&stack, &["explain", "nobody", "--json"]);
    assert_eq!((code, err.as_str()), (2, ""), "{out}");
    let refused = document(&out);
    let detail = refused["errors"][0]["detail"].as_str().unwrap();
    assert_eq!(refused["errors"][0]["status"], "404");
    assert!(detail.contains("'nobody'") && !detail.contains("percent"), "{detail}");
    let (code, out, _) = command(&stack, &["sweep", "--form", "2024-09-01", "--json"]);
    assert_eq!(code, 2);
    assert!(document(&out)["errors"][0]["detail"].as_str().unwrap().contains("--from"), "{out}");
    let none = program(&["queue", "list", "--json", "--url", "http://127.0.0.1:9"]).output().unwrap();
    assert_eq!(none.status.code(), Some(2));
    let (_, out, _) = told(&none);
    assert!(document(&out)["errors"][0]["detail"].as_str().unwrap().contains("does not answer"), "{out}");
}

#[test]
fn a_wrong_word_is_answered_with_the_right_one() {
    for (arguments, wanted) in [
        (&["explian", "x"][..], "'explain'"),
        (&["sweep", "--form", "2024-09-01"], "'--from'"),
        (&["import", "custmers"], "'customers'"),
        (&["queue", "retry"], "<WORK_LOG|--parked|--exported>"),
    ] {
        let (code, _, err) = told(&program(arguments).output().unwrap());
        assert!(code == 2 && err.contains(wanted), "{arguments:?}: {err}");
    }
}
