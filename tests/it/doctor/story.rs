//! The story of one work log, as it changes with what becomes of it on both sides.

use kimai_sync::domain::EntryId;
use kimai_sync::trackers::kimai::sandbox::{Fault, When};
use serde_json::Value;

use super::{document, work_today};
use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack};

/// The story at `GET /queue/{id}`.
async fn story(stack: &Stack, id: &str) -> Value {
    let (status, body) = document(stack.http.get(format!("{}/queue/{id}", stack.base))).await;
    assert_eq!(status, 200, "{body}");
    body["data"]["attributes"]["story"].clone()
}

#[track_caller]
fn expect(story: &Value, verdict: &str, says: &str) {
    assert_eq!(story["verdict"], verdict, "{story}");
    assert!(story["says"].as_str().unwrap().contains(says), "{says:?} is not in {story}");
}

async fn a_work_log_tells_where_it_stands_from_its_making_to_its_end(stack: Stack) {
    let uri = work_today(&stack, "AB12").await;
    let untold = story(&stack, "AB12").await;
    expect(&untold, "not-in-kimai", "the service has not been notified of it");
    assert_eq!(untold["triplestore"]["persons"][0]["name"], "Jane");
    stack.notify(&[&uri]).await;
    let id = stack.timesheets()[0].0;
    stack.forget_calls();
    let synced = story(&stack, "AB12").await;
    let looks =
        stack.kimai.requests().0.iter().filter(|one| one.path == format!("/api/timesheets/{id}")).count();
    assert_eq!(looks, 1, "who waits for the page waits for one answer of Kimai");
    expect(&synced, "in-sync", &format!("timesheet {id} matches the work log"));
    assert_eq!(synced["history"][0]["result"], "done");
    assert_eq!(synced["timesheets"][0]["kimai"]["names"]["project"], "Website");
    assert_eq!(story(&stack, &id.to_string()).await["work-log"], uri.as_str());

    // Somebody changes it in Kimai.
    assert!(
        stack
            .kimai
            .edit_timesheet(id, |row| row.end = row.end.map(|end| end - jiff::SignedDuration::from_hours(1)))
    );
    let changed = story(&stack, "AB12").await;
    expect(&changed, "differs", "07:00 in Kimai");
    assert_eq!(changed["timesheets"][0]["differences"].as_array().unwrap().len(), 1, "{changed}");
    stack.kimai.edit_timesheet(id, |row| row.exported = true);
    assert!(story(&stack, "AB12").await["help"].to_string().contains("--exported"));
    assert!(stack.kimai.delete_timesheet(id));
    expect(&story(&stack, "AB12").await, "not-in-kimai", "no longer exists");
    assert_eq!(stack.post("/queue/AB12/retry", None).await.0, 202);
    stack.quiet().await;
    expect(&story(&stack, "AB12").await, "in-sync", "");

    // It is deleted, and nobody tells.
    stack.take_back(&uri).await;
    let left = story(&stack, &uri).await;
    expect(&left, "left-over", "is still in Kimai");
    stack.notify(&[&uri]).await;
    expect(&story(&stack, &uri).await, "deleted", "has no known timesheet");
    let (status, _) = document(stack.http.get(format!("{}/queue/{BASE}/work-logs/never", stack.base))).await;
    assert_eq!(status, 404);
}

on_each_store!(a_work_log_tells_where_it_stands_from_its_making_to_its_end);

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_kimai_is_told_and_spoils_nothing_else() {
    let stack = Stack::embedded(&[]).await;
    let synced = work_today(&stack, "A").await;
    stack.notify(&[&synced]).await;
    stack.kimai.expire_token(crate::support::stack::TOKEN);
    let waits = work_today(&stack, "B").await;
    assert_eq!(stack.post("/delta", Some(crate::support::stack::delta(&[&waits]))).await.0, 204);
    let outage = async {
        while stack.engine.workers.down().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), outage).await.expect("the token is refused");
    let b = story(&stack, "B").await;
    expect(&b, "waits", "Kimai has been down since");
    assert!(b["help"].to_string().contains("API_TOKEN"), "{b}");
    let a = story(&stack, "A").await;
    expect(&a, "unclear", "the API token is wrong");
    assert_eq!(a["triplestore"]["kind"], "work-log");
    assert!(a["timesheets"][0]["kimai"]["error"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_timesheet_names_those_who_share_it() {
    let stack = Stack::embedded(&[]).await;
    let (a, b) = (work_today(&stack, "A").await, work_today(&stack, "B").await);
    stack.notify(&[&a]).await;
    let id: EntryId = stack.timesheets()[0].0;
    stack.update(&format!("INSERT DATA {{ <{b}> dct:identifier \"{id}\" }}")).await;
    assert_eq!(story(&stack, "A").await["sharing"], serde_json::json!([b]));
    let (status, problem) = document(stack.http.get(format!("{}/queue/{id}", stack.base))).await;
    assert_eq!(status, 409);
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains(&a) && detail.contains(&b), "{detail}");
    // One page of a proxy in between costs that part only.
    stack.kimai.fault(When::next("GET", "/api/timesheets/*"), Fault::bad_gateway());
    assert!(story(&stack, "A").await["timesheets"][0]["kimai"]["error"].as_str().unwrap().contains("502"));
}
