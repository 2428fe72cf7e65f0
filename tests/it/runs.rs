//! Runs over real HTTP: asked for, followed, listed, cancelled, confirmed, over restarts; and the commands
//! that steer them.

mod commands;
mod confirm;

use std::time::Duration;

use kimai_sync::domain::EntryId;
use kimai_sync::domain::finding::{Action, Finding, Hold, Kind};
use kimai_sync::store::jobs::{JobRecord, JobRecords};
use kimai_sync::store::sqlite::{SqliteJobs, Storage};
use kimai_sync::trackers::kimai::sandbox::{Fault, Gate, When};
use reqwest::Response;
use serde_json::{Value, json};

use crate::process::{Running, kimai, program, write_company};
use crate::support::stack::{Stack, TOKEN};

const JSON_API: &str = "application/vnd.api+json; charset=utf-8";

async fn get(stack: &Stack, path: &str) -> (u16, Value) {
    let answer = stack.http.get(format!("{}{path}", stack.base)).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn send(stack: &Stack, path: &str, body: &Value) -> Response {
    let request = stack.http.post(format!("{}{path}", stack.base));
    request.header("content-type", "application/vnd.api+json").body(body.to_string()).send().await.unwrap()
}

fn september() -> Value {
    json!({"start": "2024-09-01", "end": "2024-09-30"})
}

/// A sweep asks for a period's timesheets; the start of the service asks for the newest one.
fn listing() -> When {
    When::next("GET", "/api/timesheets").only(|request| request.query.contains("begin="))
}

/// Follows the events of a run to their end.
async fn events(base: &str, location: &str) -> Vec<Value> {
    let client = kimai_sync::http_client::client_builder(Duration::from_mins(1)).build().unwrap();
    let answer = client.get(format!("{base}{location}/events")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let text = answer.text().await.unwrap();
    let events = text.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
    events
        .map(|event| {
            let data = event.strip_prefix("event: run\ndata: ").unwrap_or_else(|| panic!("{event}"));
            serde_json::from_str(data).unwrap()
        })
        .collect()
}

fn location(answer: &Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_is_answered_with_its_run_which_can_be_followed_to_its_end_and_looked_at_after() {
    let stack = Stack::embedded(&[]).await;
    stack.register("A", "2024-09-02", "PT1H").await;
    let answer = send(&stack, "/sync-to-kimai/work-logs", &september()).await;
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["content-type"], JSON_API);
    let place = location(&answer);
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let id = body["data"]["id"].as_str().unwrap();
    assert_eq!(place, format!("/runs/{id}"));
    assert_eq!(body["meta"]["joined"], false);
    let told = &body["data"]["attributes"];
    assert_eq!(
        (&told["kind"], &told["what"], &told["asked-by"]),
        (&json!("sweep"), &json!("2024-09-01 to 2024-09-30"), &json!("request"))
    );

    let events = events(&stack.base, &place).await;
    let last = &events.last().unwrap()["attributes"];
    assert_eq!(last["state"], "done", "{last}");
    assert_eq!((&last["counts"]["work-logs"], &last["counts"]["queued"]), (&json!(1), &json!(1)));
    assert_eq!(last["counts"]["orphan"], 0, "kinds of which there is none are told too");
    assert!(last["message"].as_str().unwrap().contains("1 work log queued"), "{last}");
    assert!(last["started"].is_string() && last["ended"].is_string() && last["seconds"].is_number());

    let (status, shown) = get(&stack, &place).await;
    assert_eq!((status, &shown["data"]), (200, events.last().unwrap()));
    assert_eq!(shown["data"]["links"]["events"], format!("{place}/events"));
    let again = self::events(&stack.base, &place).await;
    assert_eq!(again.len(), 1, "of a run that has ended: one event, and the end");

    let (_, all) = get(&stack, "/runs").await;
    let kinds: Vec<&str> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["attributes"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["sweep", "import", "import", "import"], "the newest first");
    let (_, imports) = get(&stack, "/runs?filter[kind]=import").await;
    let counts = &imports["data"][1]["attributes"]["counts"];
    assert_eq!((&counts["projects-new"], &counts["activities-new"]), (&json!(2), &json!(3)), "{imports}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_about_runs_are_answered_in_words() {
    let stack = Stack::embedded(&[]).await;
    let table = [
        ("/runs/999", 404, "There is no run 999"),
        ("/runs/soon", 404, "There is no run 'soon'"),
        ("/runs/999/events", 404, "There is no run 999"),
        ("/runs/999/findings", 404, "There is no run 999"),
        ("/runs?filter[kind]=x", 400, "expected one of: sweep, plan, import, lock"),
        ("/runs/1/findings?filter[kind]=x", 400, "expected one of: missing, changed"),
        ("/runs/1/findings?filter[held]=x", 400, "expected true or false"),
        ("/runs/1/findings?page[size]=0", 400, "a number from 1 to 500"),
        ("/runs/1/findings?page[after]=x", 400, "use links.next unchanged"),
    ];
    for (path, status, words) in table {
        let (found, body) = get(&stack, path).await;
        let detail = body["errors"][0]["detail"].as_str().unwrap();
        assert!(found == status && detail.contains(words), "{path}: {found} {detail}");
    }
    let mut confirmed = september();
    confirmed["confirm"] = json!("7d444840-9dc0-11d1-b245-5ffdce74fad2");
    let posts = [
        ("/runs/999/cancel", json!({}), 404, "There is no run 999"),
        ("/runs/1/cancel", json!({}), 409, "Run 1 has ended already (done)"),
        ("/sync-to-kimai/work-logs?confirm=x", september(), 400, "The confirm key 'x' is not known"),
        ("/sync-to-kimai/work-logs", confirmed.clone(), 400, "is not known"),
        ("/sync-to-kimai/work-logs?dry-run=true", confirmed, 400, "nothing to confirm"),
        ("/sync-to-kimai/work-logs?dry-run=maybe", september(), 400, "expected true or false"),
    ];
    for (path, body, status, words) in posts {
        let answer = send(&stack, path, &body).await;
        let found = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let detail = body["errors"][0]["detail"].as_str().unwrap();
        assert!(found == status && detail.contains(words), "{path}: {found} {detail}");
    }
    let (_, all) = get(&stack, "/runs?filter[kind]=sweep").await;
    assert_eq!(all["data"], json!([]), "nothing of this is a run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sweep_waits_a_third_joins_it_and_both_can_be_cancelled() {
    let mut stack = Stack::embedded(&[]).await;
    let gate = Gate::default();
    stack.kimai.fault(listing(), Fault::hold(&gate));
    let ask = async |body: Value| {
        let answer = send(&stack, "/sync-to-kimai/work-logs", &body).await;
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (body["data"]["id"].as_str().unwrap().to_owned(), body)
    };
    let (first, _) = ask(september()).await;
    while get(&stack, &format!("/runs/{first}")).await.1["data"]["attributes"]["state"] != "running" {
        tokio::task::yield_now().await;
    }
    let (second, body) = ask(september()).await;
    let told = &body["data"]["attributes"];
    assert_eq!((&told["state"], &told["waits-for"]), (&json!("waiting"), &json!(first)), "{body}");
    let (third, body) = ask(september()).await;
    assert_eq!((&third, &body["meta"]["joined"]), (&second, &json!(true)));

    let answer = send(&stack, &format!("/runs/{second}/cancel"), &json!({})).await;
    assert_eq!(answer.status(), 202);
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["data"]["attributes"]["state"], "cancelled");
    assert_eq!(events(&stack.base, &format!("/runs/{second}")).await.len(), 1);
    let answer = send(&stack, &format!("/runs/{second}/cancel"), &json!({})).await;
    assert_eq!(answer.status(), 409);

    // The first one hangs in a call to Kimai; a listener does not hold up the stop.
    let client = kimai_sync::http_client::client_builder(Duration::from_mins(1)).build().unwrap();
    let url = format!("{}/runs/{first}/events", stack.base);
    let mut listening = client.get(url).send().await.unwrap();
    assert!(listening.chunk().await.unwrap().is_some());
    let before = std::time::Instant::now();
    let drained = async {
        while let Ok(Some(_)) = listening.chunk().await {}
        let taken = before.elapsed();
        gate.open();
        taken
    };
    let ((), taken) = tokio::join!(stack.halt(), drained);
    assert!(taken < Duration::from_secs(2), "the stream was open for {taken:?} after the stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_and_locks_keep_their_answers_and_tell_their_run() {
    let stack = Stack::embedded(&[]).await;
    let answer = send(&stack, "/sync-from-kimai/tasks", &json!({})).await;
    assert_eq!(answer.status(), 204);
    let (_, run) = get(&stack, &location(&answer)).await;
    let told = &run["data"]["attributes"];
    assert_eq!(
        (&told["kind"], &told["what"], &told["state"]),
        (&json!("import"), &json!("tasks"), &json!("done"))
    );
    assert_eq!(told["counts"]["projects-unchanged"], 2, "{told}");

    let answer = send(&stack, "/timesheets/lock", &json!({"month": 9, "year": 2024})).await;
    assert_eq!(answer.status(), 204);
    let (_, run) = get(&stack, &location(&answer)).await;
    let told = &run["data"]["attributes"];
    assert_eq!(
        (&told["kind"], &told["what"], &told["counts"]["exported"]),
        (&json!("lock"), &json!("2024-09"), &json!(0))
    );

    // Whoever would rather not wait is told where to look.
    let url = format!("{}/sync-from-kimai/customers", stack.base);
    let answer = stack.http.post(url).header("prefer", "respond-async").send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let place = location(&answer);
    assert_eq!(events(&stack.base, &place).await.last().unwrap()["attributes"]["state"], "done");

    // A failure is answered as before, and kept in words.
    stack.kimai.fault(When::next("GET", "/api/projects"), Fault::answer(500));
    let answer = send(&stack, "/sync-from-kimai/tasks", &json!({})).await;
    assert_eq!(answer.status(), 503);
    let (_, all) = get(&stack, "/runs").await;
    let told = &all["data"][0]["attributes"];
    assert_eq!(told["state"], "failed");
    assert!(told["message"].as_str().unwrap().contains("projects cannot be imported"), "{told}");
}

/// What a sweep would find stands in the file before the service runs: pages, filters and the key are the
/// routes' own.
#[tokio::test(flavor = "multi_thread")]
async fn findings_come_in_pages_with_both_sides_and_a_key_confirms_them() {
    let findings: Vec<Finding> = (1..=120)
        .map(|id| Finding {
            kind: if id % 40 == 0 { Kind::Dangling } else { Kind::Orphan },
            work_log: None,
            timesheets: vec![EntryId::number(id)],
            wanted: None,
            found: None,
            reason: format!("no work log is linked to timesheet {id}"),
            action: Action::Delete,
            held: (id % 10 == 0).then_some(Hold::Unconfirmed),
        })
        .collect();
    let key = "0b7e0f3c-5b0e-4c7e-9f53-0c2f4d2f6a11";
    let run = json!({
        "id": 7, "task": {"kind": "plan", "what": "2024-09-01 to 2024-09-30"}, "asked_by": "request", "state": "done",
        "stand": {"phase": "comparing", "done": 1, "total": 1, "faults": [], "faults_in_all": 0}, "waits_for": null,
        "counts": {"orphan": 117, "dangling": 3}, "held": 12, "findings": 120, "asked": "2024-09-30T00:00:00Z",
        "started": "2024-09-30T00:00:00Z", "ended": "2024-09-30T00:00:02.5Z", "message": "Found.",
        "confirm": {"key": key, "expires": "2999-01-01T00:00:00Z"},
    })
    .to_string();
    let storage = Storage::in_memory().unwrap();
    let jobs = SqliteJobs::new(storage.clone());
    jobs.save(vec![JobRecord { id: 7, body: run }]).await.unwrap();
    jobs.put_findings(7, &findings).await.unwrap();
    let stack = Stack::embedded_on(&[], storage).await;
    let (_, run) = get(&stack, "/runs/7").await;
    assert_eq!(run["data"]["attributes"]["seconds"], 2.5);
    assert_eq!(run["data"]["attributes"]["confirm"]["key"], key);

    let (mut next, mut ids) = (Some("/runs/7/findings".to_owned()), Vec::new());
    while let Some(path) = next {
        let (_, page) = get(&stack, &path).await;
        ids.extend(page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        next = page["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(ids, (1..=120).map(|n| format!("7-{n}")).collect::<Vec<_>>());
    let (_, held) = get(&stack, "/runs/7/findings?filter[held]=true&page[size]=5").await;
    let one = &held["data"][0]["attributes"];
    assert_eq!(
        (&one["kind"], &one["action"], &one["held"]),
        (&json!("orphan"), &json!("delete"), &json!("unconfirmed"))
    );
    assert!(one["held-because"].as_str().unwrap().contains("SWEEP_MAX_DELETIONS"));
    let (_, second) = get(&stack, held["links"]["next"].as_str().unwrap()).await;
    assert_eq!(second["data"][0]["id"], "7-60");
    let (_, dangling) = get(&stack, "/runs/7/findings?filter[kind]=dangling").await;
    assert_eq!((dangling["data"].as_array().unwrap().len(), &dangling["links"]["next"]), (3, &Value::Null));

    let mut body = json!({"start": "2024-10-01", "end": "2024-10-31", "confirm": key});
    assert_eq!(send(&stack, "/sync-to-kimai/work-logs", &body).await.status(), 409, "of another period");
    body["start"] = json!("2024-09-01");
    body["end"] = json!("2024-09-30");
    let answer = send(&stack, "/sync-to-kimai/work-logs", &body).await;
    assert_eq!(answer.status(), 202);
    assert_eq!(events(&stack.base, &location(&answer)).await.last().unwrap()["attributes"]["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_answers_with_the_plan_and_changes_nothing() {
    let stack = Stack::embedded(&[]).await;
    stack.register("A", "2024-09-02", "PT1H").await;
    stack.forget_calls();
    let answer = send(&stack, "/sync-to-kimai/work-logs?dry-run=true", &september()).await;
    assert_eq!(answer.status(), 200);
    let place = location(&answer);
    let plan: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(plan["meta"]["period"], json!({"start": "2024-09-01", "end": "2024-09-30"}));
    let counts = plan["meta"]["counts"].as_object().unwrap();
    assert_eq!(counts.len(), Kind::ALL.len(), "{counts:?}");
    assert!(plan["data"].is_array() && plan["meta"]["held"] == 0 && plan["meta"]["confirm"].is_null());
    assert_eq!(place, format!("/runs/{}", plan["meta"]["run"].as_str().unwrap()));
    assert_eq!(get(&stack, &place).await.1["data"]["attributes"]["kind"], "plan");
    stack.quiet().await;
    let changes = ["POST", "PATCH", "DELETE"].map(|method| stack.kimai_calls(method));
    assert_eq!((changes, stack.statements().1), ([0; 3], 0));
}

/// What waits for its turn is not lost with the process: killed, it goes on under its number.
#[test]
fn a_killed_service_takes_its_sweeps_up_again_under_their_numbers() {
    let (sandbox, endpoint) = kimai();
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("company.ttl"), folder.path().join("data"));
    write_company(&file);
    let start = |at_start: &str| {
        let mut command =
            program(&["standalone", "--data", data.to_str().unwrap(), "--load", file.to_str().unwrap()]);
        command.envs([
            ("API_TOKEN", TOKEN),
            ("KIMAI_ENDPOINT", &endpoint),
            ("SYNC_AT_START", at_start),
            ("CHECK_AT_START", "false"),
        ]);
        Running::start(command)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _within = runtime.enter();
    let client = kimai_sync::http_client::client_builder(Duration::from_mins(1)).build().unwrap();
    let first = start("false");
    // The first sweep hangs in its first call to Kimai, the second waits for it.
    sandbox.fault(listing(), Fault::hold(&Gate::default()));
    for year in [2023, 2024] {
        let body = json!({"start": format!("{year}-01-01"), "end": format!("{year}-12-31")}).to_string();
        let url = format!("http://{}/sync-to-kimai/work-logs", first.address);
        let answer = runtime.block_on(client.post(url).body(body).send()).unwrap();
        assert_eq!(answer.status(), 202);
    }
    assert_eq!(first.end("-KILL").0, None);

    let second = start("true");
    let base = format!("http://{}", second.address);
    for (id, year) in [(1, 2023), (2, 2024)] {
        let told = runtime.block_on(events(&base, &format!("/runs/{id}")));
        let last = &told.last().unwrap()["attributes"];
        assert_eq!(
            (&last["state"], &last["what"]),
            (&json!("done"), &json!(format!("{year}-01-01 to {year}-12-31")))
        );
        assert!(last["message"].as_str().unwrap().contains("restarted after a stop"), "{last}");
    }
    let (code, log) = second.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
}
