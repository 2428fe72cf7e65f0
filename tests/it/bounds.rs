//! Lists that are wrong, and work that hangs: bounded, reported, cancelled at once, nothing deleted.

use std::time::{Duration, Instant};

use kimai_sync::doctor::Health;
use kimai_sync::domain::EntryId;
use kimai_sync::jobs::import::What;
use kimai_sync::jobs::{State, Task};
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::{Period, Report};
use kimai_sync::trackers::kimai::sandbox::{Fault, Gate, Proxy, When};
use serde_json::{Value, json};

use crate::support::stack::Stack;

const LIST: &str = "/api/timesheets";

fn september() -> Period {
    Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() }
}

fn spoil(stack: &Stack, proxy: Proxy) {
    stack.kimai.clear_faults();
    stack.kimai.fault(When::next("GET", LIST).times(usize::MAX), Fault::through(proxy));
}

/// A sweep, and what failed in it and cost itself only.
async fn sweep(stack: &Stack) -> (Report, Vec<String>) {
    let progress = Progress::unwatched();
    let report = stack.engine.sweeper.sweep(september(), None, &progress).await.unwrap();
    stack.quiet().await;
    (report, progress.stand().faults)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_row_is_neither_orphan_nor_gone_and_is_counted_and_named() {
    let stack = Stack::embedded(&[("SWEEP_DAYS", "3660")]).await;
    let mut uris = Vec::new();
    for day in 2..5 {
        uris.push(stack.register(&format!("w{day}"), &format!("2024-09-0{day}"), "PT8H").await);
    }
    stack.notify(&uris.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let linked: u64 = stack.links(&uris[1]).await[0].parse().unwrap();
    let begin = "2024-09-06T08:00:00Z".parse().unwrap();
    let orphan = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    let before = stack.kimai.timesheets();
    let spoilt = |id, field, value: Value| Proxy::Spoils(EntryId::number(id), field, value);
    let table = [
        spoilt(linked, "end", json!("9999-12-31T23:59:59+0000")),
        spoilt(linked, "project", json!("none")),
        spoilt(linked, "id", json!(linked.to_string())),
        spoilt(linked, "id", json!(-7)),
        spoilt(linked, "id", json!(0)),
        spoilt(linked, "begin", json!(null)),
    ];
    for proxy in table {
        // The orphan is as odd: it is not deleted either.
        stack.kimai.clear_faults();
        spoil(
            &stack,
            Proxy::Both(
                Box::new(proxy.clone()),
                Box::new(spoilt(orphan.as_number().unwrap(), "user", json!("jane"))),
            ),
        );
        let (report, faults) = sweep(&stack).await;
        assert_eq!((report.unreadable, report.deleted, report.queued), (2, 0, 0), "{proxy:?}: {report:?}");
        assert_eq!((report.findings, faults.len()), (vec![], 2), "{proxy:?}: {faults:?}");
        assert_eq!(stack.kimai.timesheets(), before, "{proxy:?}");
        let check = stack.engine.doctor.examine().await.check("timesheets").unwrap().clone();
        assert_eq!(check.verdict, Health::Warning, "{check}");
        assert!(check.says.contains("2 of 4 rows"), "{check}");
    }
    // What is odd beside them costs them nothing.
    spoil(&stack, Proxy::Row(json!({"id": 0, "begin": "2024-09-06T08:00:00+0200"})));
    let (report, _) = sweep(&stack).await;
    assert_eq!((report.unreadable, report.deleted, report.queued), (1, 1, 0), "{report:?}");
    assert_eq!(stack.kimai.requests().count("DELETE", "/api/timesheets/0"), 0);
    assert_eq!(stack.kimai.timesheets().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_run_tells_what_could_not_be_read() {
    let stack = Stack::embedded(&[]).await;
    let uri = stack.register("w1", "2024-09-02", "PT8H").await;
    stack.notify(&[&uri]).await;
    spoil(&stack, Proxy::Row(json!({"id": -7})));
    let path = "/sync-to-kimai/work-logs?dry-run=true";
    let body = json!({"start": "2024-09-01", "end": "2024-09-30"});
    let (status, _, _) = stack.post(path, Some(body)).await;
    assert_eq!(status, 200);
    let told = &newest_run(&stack).await["attributes"];
    assert_eq!(told["counts"]["unreadable-rows"], 1, "{told}");
    assert!(told["message"].as_str().unwrap().contains("1 row from Kimai could not be read"), "{told}");
    assert!(told["faults"][0].as_str().unwrap().contains("row with id -7"), "{told}");
}

/// Asks for `task`, waits until it hangs before `gate`, and cancels it. Says how long it took then.
async fn cancel(stack: &Stack, task: Task, gate: &Gate) -> Duration {
    let path = match task {
        Task::Import(what) => format!("/sync-from-kimai/{what}"),
        Task::Plan(_) => "/sync-to-kimai/work-logs?dry-run=true".to_owned(),
        _ => "/sync-to-kimai/work-logs".to_owned(),
    };
    let body = json!({"start": "2024-09-01", "end": "2024-09-30"});
    let cancelled = async {
        gate.reached().await;
        let before = Instant::now();
        let place = format!("/runs/{}", newest_run(stack).await["id"].as_str().unwrap());
        assert_eq!(stack.post(&format!("{place}/cancel"), Some(json!({}))).await.0, 202);
        while newest_run(stack).await["attributes"]["state"] != State::Cancelled.word() {
            tokio::task::yield_now().await;
        }
        before.elapsed()
    };
    tokio::join!(stack.post(&path, Some(body)), cancelled).1
}

async fn newest_run(stack: &Stack) -> Value {
    let runs = stack.http.get(format!("{}/runs", stack.base)).send().await.unwrap();
    let runs: Value = serde_json::from_str(&runs.text().await.unwrap()).unwrap();
    runs["data"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_waits_for_no_answer_of_kimai() {
    let stack = Stack::embedded(&[("KIMAI_TIMEOUT", "60")]).await;
    let import = |what, path| (Task::Import(what), path);
    let table = [
        (Task::Sweep(september()), LIST),
        (Task::Plan(september()), LIST),
        import(What::Customers, "/api/customers"),
        import(What::Tasks, "/api/activities"),
        import(What::Accounts, "/api/users"),
    ];
    for (task, path) in table {
        let gate = Gate::default();
        stack.kimai.fault(When::next("GET", path).times(usize::MAX), Fault::hold(&gate));
        let taken = cancel(&stack, task, &gate).await;
        assert!(taken < Duration::from_secs(5), "{task:?} took {taken:?}");
        stack.kimai.clear_faults();
        gate.open();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_the_end_of_a_list_that_has_none() {
    let mut stack = Stack::embedded(&[]).await;
    spoil(&stack, Proxy::Endless);
    let body = json!({"start": "2024-09-01", "end": "2024-09-30"});
    assert_eq!(stack.post("/sync-to-kimai/work-logs", Some(body)).await.0, 202);
    while stack.kimai.requests().count("GET", LIST) < 5 {
        tokio::task::yield_now().await;
    }
    let before = Instant::now();
    stack.halt().await;
    assert!(before.elapsed() < Duration::from_secs(2), "it took {:?}", before.elapsed());
}
