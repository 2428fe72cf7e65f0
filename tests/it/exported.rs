//! Timesheets that are exported in Kimai, and may be on an invoice: no change of a work log and no sweep overwrites
//! them, unless somebody asks for just that.

use std::time::Duration;

use jiff::SignedDuration;
use kimai_sync::domain::ids::EntryId;
use kimai_sync::trackers::kimai::sandbox::{Fault, LoggedRequest, Role, When};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::on_each_store;
use crate::support::stack::{Stack, TOKEN, answer};

const HOUR: i64 = 3600;

/// Status and body of a request to Kimai's own API.
async fn kimai(stack: &Stack, token: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let client = kimai_sync::http_client::client_builder(Duration::from_secs(30)).build().unwrap();
    let request = client.request(method, format!("{}{path}", stack.kimai_api)).bearer_auth(token);
    let request = if body.is_null() { request } else { request.json(body) };
    let (status, _, text) = answer(request).await;
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// Toggles the export mark as Kimai's page does.
async fn export(stack: &Stack, id: EntryId) -> bool {
    let path = format!("/timesheets/{id}/export");
    let (status, row) = kimai(stack, TOKEN, Method::PATCH, &path, &json!({})).await;
    assert_eq!(status, 200, "{row}");
    row["exported"].as_bool().unwrap()
}

/// A work log of five hours, in sync, and its timesheet.
async fn five_hours(stack: &Stack, id: &str) -> (String, EntryId) {
    let uri = stack.register(id, "2024-09-02", "PT5H").await;
    stack.notify(&[&uri]).await;
    (uri.clone(), EntryId::number(stack.links(&uri).await[0].parse().unwrap()))
}

/// The same, exported, and changed to two hours.
async fn kept(stack: &Stack, id: &str) -> (String, EntryId) {
    let (uri, timesheet) = five_hours(stack, id).await;
    assert!(export(stack, timesheet).await);
    stack.change(&uri, "cal:duration", "\"PT2H\"").await;
    stack.notify(&[&uri]).await;
    (uri, timesheet)
}

/// The hours that Kimai holds; none where it is deleted.
fn hours(stack: &Stack, id: EntryId) -> Option<i64> {
    let row = stack.kimai.timesheets().into_iter().find(|row| row.id == id.as_number().unwrap())?;
    Some(row.duration / HOUR)
}

async fn get(stack: &Stack, path: &str) -> Value {
    let (status, _, text) = answer(stack.http.get(format!("{}{path}", stack.base))).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// State, code and words of a work log's entry.
async fn entry(stack: &Stack, id: &str) -> (String, String, String) {
    let document = get(stack, &format!("/queue/{id}")).await;
    let attributes = &document["data"]["attributes"];
    let text = |name: &str| attributes[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("code"), text("last-error"))
}

/// Sweeps September; its findings.
async fn sweep(stack: &Stack) -> Vec<Value> {
    let (status, _, body) = stack
        .post("/sync-to-kimai/work-logs", Some(json!({"start": "2024-09-01", "end": "2024-09-30"})))
        .await;
    assert_eq!(status, 202, "{body}");
    let run: Value = serde_json::from_str(&body).unwrap();
    let run = run["data"]["id"].as_str().unwrap().to_owned();
    while get(stack, &format!("/runs/{run}")).await["data"]["attributes"]["ended"].is_null() {
        tokio::task::yield_now().await;
    }
    stack.quiet().await;
    get(stack, &format!("/runs/{run}/findings")).await["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_exports_and_guards_exported_records_as_kimai_does() {
    let stack = Stack::embedded(&[]).await;
    let (_, id) = five_hours(&stack, "A").await;
    stack.kimai.add_user("admin", "UTC", Role::Admin, Some("admin-token"));
    assert!(export(&stack, id).await);
    assert!(!export(&stack, id).await);
    assert!(export(&stack, id).await);
    let row = format!("/timesheets/{id}");
    let body = json!({"end": "2024-09-02T03:00:00Z"});
    // Nothing but the answer tells.
    let (status, answer) = kimai(&stack, TOKEN, Method::PATCH, &row, &body).await;
    assert_eq!((status, &answer["exported"], &answer["duration"]), (200, &json!(true), &json!(3 * HOUR)));
    assert_eq!(kimai(&stack, "admin-token", Method::PATCH, &row, &body).await.0, 200);
    stack.kimai.rules(|rules| rules.edit_exported = Role::SuperAdmin);
    for (method, path) in [
        (Method::PATCH, row.clone()),
        (Method::DELETE, row.clone()),
        (Method::PATCH, format!("{row}/export")),
    ] {
        assert_eq!(kimai(&stack, "admin-token", method, &path, &body).await.0, 403, "{path}");
    }
    let listed = kimai(&stack, TOKEN, Method::GET, "/timesheets?user=all&exported=1", &json!(null)).await.1;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(kimai(&stack, TOKEN, Method::DELETE, &row, &body).await.0, 204);
}

async fn a_change_a_deletion_and_a_sweep_leave_an_exported_timesheet_as_it_is(stack: Stack) {
    five_hours(&stack, "Z").await;
    let (uri, id) = kept(&stack, "A").await;
    assert_eq!(hours(&stack, id), Some(5));
    let (state, code, words) = entry(&stack, "A").await;
    assert_eq!((state.as_str(), code.as_str()), ("parked", "timesheet-exported"));
    assert_eq!(words, format!("timesheet {id} stays as it is: 5:00 in Kimai, exported; 2:00 here"));
    assert_eq!(stack.kimai_calls("PATCH"), 1, "only the export itself");

    // Retries, also of all, change nothing either.
    for path in ["/queue/A/retry", "/queue/retry-parked"] {
        assert_eq!(stack.post(path, None).await.0, 202);
        stack.quiet().await;
        assert_eq!((hours(&stack, id), entry(&stack, "A").await.1), (Some(5), code.clone()));
    }
    // A sweep finds it, holds it, and does not run it again and again.
    for _ in 0..3 {
        let found = sweep(&stack).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let attributes = &found[0]["attributes"];
        assert_eq!((&attributes["kind"], &attributes["held"]), (&json!("changed"), &json!("exported")));
        assert_eq!(attributes["reason"], "5:00 in Kimai, exported; 2:00 here");
    }
    let story = get(&stack, "/queue/A").await["data"]["attributes"]["story"].clone();
    assert_eq!(
        (&story["verdict"], &story["entry"]["code"]),
        (&json!("differs"), &json!("timesheet-exported"))
    );
    assert!(
        story["help"].to_string().contains(&format!("kimai-sync queue retry {uri} --exported")),
        "{story}"
    );
    let history = get(&stack, "/queue/A").await["data"]["attributes"]["history"].as_array().unwrap().len();
    assert_eq!((hours(&stack, id), history), (Some(5), 4), "created, parked and two retries");

    // Deleted: the timesheet stays, and so does the link.
    stack.take_back(&uri).await;
    stack.notify(&[&uri]).await;
    let (state, code, words) = entry(&stack, &uri).await;
    assert_eq!((state.as_str(), code.as_str()), ("parked", "timesheet-exported"));
    assert_eq!(words, format!("timesheet {id} stays as it is: 5:00 in Kimai, exported; deleted here"));
    assert_eq!((hours(&stack, id), stack.links(&uri).await), (Some(5), vec![id.to_string()]));
    let found = sweep(&stack).await;
    assert_eq!(found[0]["attributes"]["kind"], "dangling");
    assert_eq!(found[0]["attributes"]["held"], "exported");
    assert_eq!(stack.kimai_calls("DELETE"), 0);
    // The mark is taken back: what was asked for is done.
    assert!(!export(&stack, id).await);
    assert_eq!(stack.post("/queue/retry-parked", None).await.0, 202);
    stack.quiet().await;
    assert_eq!((hours(&stack, id), stack.links(&uri).await.len()), (None, 0));
}

on_each_store!(a_change_a_deletion_and_a_sweep_leave_an_exported_timesheet_as_it_is);

#[tokio::test(flavor = "multi_thread")]
async fn a_work_log_that_says_what_kimai_holds_again_is_in_sync() {
    let stack = Stack::embedded(&[]).await;
    let (uri, id) = kept(&stack, "A").await;
    stack.change(&uri, "cal:duration", "\"PT5H\"").await;
    stack.notify(&[&uri]).await;
    assert_eq!(entry(&stack, "A").await.0, "settled");
    assert_eq!(sweep(&stack).await, Vec::<Value>::new());
    // And one that nobody here remembers is not written just to be sure.
    assert_eq!(stack.post("/queue/A/retry", None).await.0, 202);
    stack.quiet().await;
    assert_eq!((entry(&stack, "A").await.0.as_str(), hours(&stack, id)), ("settled", Some(5)));
    assert_eq!(stack.kimai_calls("PATCH"), 1, "only the export itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sweep_finds_exported_is_parked_though_no_delta_told() {
    let stack = Stack::embedded(&[]).await;
    let (changed, first) = five_hours(&stack, "A").await;
    let (deleted, second) = five_hours(&stack, "B").await;
    let (vanished, third) = five_hours(&stack, "C").await;
    for id in [first, second, third] {
        export(&stack, id).await;
    }
    stack.change(&changed, "cal:duration", "\"PT2H\"").await;
    stack.take_back(&deleted).await;
    stack.update(&format!("DELETE {{ <{vanished}> ?p ?o }} WHERE {{ <{vanished}> ?p ?o }}")).await;
    let found = sweep(&stack).await;
    let held: Vec<(&str, &str)> = found
        .iter()
        .map(|one| (one["attributes"]["kind"].as_str().unwrap(), one["attributes"]["held"].as_str().unwrap()))
        .collect();
    assert_eq!(held, [("changed", "exported"), ("orphan", "exported"), ("dangling", "exported")]);
    let parked = get(&stack, "/queue?filter[state]=parked&filter[code]=timesheet-exported").await;
    let parked: Vec<&str> =
        parked["data"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(parked, [changed.as_str(), deleted.as_str()]);
    assert_eq!([first, second, third].map(|id| hours(&stack, id)), [Some(5); 3]);
    // Nor does a check of one timesheet delete it.
    assert_eq!(answer(stack.http.put(format!("{}/kimai-timesheets/{third}", stack.base))).await.0, 204);
    assert_eq!(hours(&stack, third), Some(5));
    let metrics = answer(stack.http.get(format!("{}/metrics", stack.base))).await.2;
    assert!(metrics.contains("kimai_sync_queue_parked{code=\"timesheet-exported\"} 2"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leave_to_overwrite_is_for_one_work_log_and_one_time() {
    let stack = Stack::embedded(&[]).await;
    let (uri, first) = kept(&stack, "A").await;
    let (_, second) = kept(&stack, "B").await;
    let (deleted, third) = kept(&stack, "C").await;
    stack.take_back(&deleted).await;
    stack.notify(&[&deleted]).await;
    assert_eq!(stack.post("/queue/A/overwrite", None).await.0, 202);
    stack.quiet().await;
    assert_eq!([first, second, third].map(|id| hours(&stack, id)), [Some(2), Some(5), Some(5)]);
    let story = get(&stack, "/queue/A").await["data"]["attributes"]["story"].clone();
    assert_eq!(story["verdict"], "in-sync");
    assert_eq!(story["history"][0]["message"], format!("overwrote timesheet {first}, which is exported"));
    // It is used up.
    stack.change(&uri, "cal:duration", "\"PT3H\"").await;
    stack.notify(&[&uri]).await;
    assert_eq!((hours(&stack, first), entry(&stack, "A").await.1.as_str()), (Some(2), "timesheet-exported"));
    // All of them, the deleted one too; what is parked for another reason stays so.
    let other = stack.register("D", "2024-09-02", "P1M").await;
    stack.notify(&[&other]).await;
    let (status, _, body) = stack.post("/queue/overwrite-exported", None).await;
    assert_eq!((status, body.as_str()), (202, r#"{"meta":{"retried":3}}"#));
    stack.quiet().await;
    assert_eq!([first, second, third].map(|id| hours(&stack, id)), [Some(3), Some(2), None]);
    assert_eq!(stack.links(&deleted).await, Vec::<String>::new());
    assert_eq!(stack.post("/queue/nobody/overwrite", None).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_setting_the_old_way_is_kept() {
    let stack = Stack::embedded(&[("SYNC_EXPORTED", "overwrite")]).await;
    let (uri, id) = kept(&stack, "A").await;
    assert_eq!(hours(&stack, id), Some(2));
    assert_eq!(stack.kimai_calls("GET"), 0, "nobody looks");
    stack.take_back(&uri).await;
    stack.notify(&[&uri]).await;
    assert_eq!(hours(&stack, id), None);
}

/// The next change of the timesheet meets with `fault`; right before it arrives, somebody exports the timesheet.
fn exported_before_the_change(stack: &Stack, id: EntryId, fault: Fault) {
    let kimai = stack.kimai.clone();
    let export = move |_: &LoggedRequest| kimai.edit_timesheet(id, |row| row.exported = true);
    stack.kimai.fault(When::next("PATCH", "/api/timesheets/*").only(export), fault);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_between_look_and_change_is_put_back() {
    let stack = Stack::embedded(&[]).await;
    let (uri, id) = five_hours(&stack, "A").await;
    let before = stack.kimai.timesheets();
    stack.change(&uri, "cal:duration", "\"PT2H\"").await;
    stack.change(&uri, "cal:dtstart", "\"2024-09-03\"^^xsd:date").await;
    stack.forget_calls();
    exported_before_the_change(&stack, id, Fault::wait(Duration::ZERO));
    stack.notify(&[&uri]).await;
    let now = stack.kimai.timesheets();
    assert_eq!((now[0].begin, now[0].end), (before[0].begin, before[0].end));
    assert_eq!(stack.kimai_calls("PATCH"), 2, "the change, and back");
    let (state, code, words) = entry(&stack, "A").await;
    assert_eq!((state.as_str(), code.as_str()), ("parked", "timesheet-exported"));
    assert!(
        words.contains("5:00 in Kimai, exported; 2:00 here; day 2024-09-02 in Kimai, 2024-09-03 here"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_back_is_reported_with_what_it_held() {
    let stack = Stack::embedded(&[]).await;
    let (uri, id) = five_hours(&stack, "A").await;
    stack.change(&uri, "cal:duration", "\"PT2H\"").await;
    stack.forget_calls();
    let refused = Fault::answer(403).body(r#"{"code":403,"message":"Forbidden"}"#);
    exported_before_the_change(&stack, id, Fault::wait(Duration::ZERO));
    stack.kimai.fault(When::next("PATCH", "/api/timesheets/*").after(1), refused);
    stack.notify(&[&uri]).await;
    let (state, code, words) = entry(&stack, "A").await;
    assert_eq!((state.as_str(), code.as_str()), ("parked", "timesheet-exported"));
    assert!(
        words.contains("could not be put back") && words.contains("5:00 in Kimai, exported; 2:00 here"),
        "{words}"
    );
    // It is not forgotten: the next try puts it back.
    assert_eq!(stack.post("/queue/A/retry", None).await.0, 202);
    stack.quiet().await;
    assert_eq!((hours(&stack, id), entry(&stack, "A").await.1.as_str()), (Some(5), "timesheet-exported"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_hides_no_overwritten_timesheet() {
    let stack = Stack::embedded(&[]).await;
    let (uri, id) = five_hours(&stack, "A").await;
    stack.change(&uri, "cal:duration", "\"PT2H\"").await;
    // Kimai takes the change of what was exported a moment before, and the answer never comes.
    exported_before_the_change(&stack, id, Fault::cut().applied());
    stack.notify(&[&uri]).await;
    // It may as well have been exported after the change: it is left alone, and reported.
    let (state, code, words) = entry(&stack, "A").await;
    assert_eq!((state.as_str(), code.as_str(), hours(&stack, id)), ("parked", "timesheet-exported", Some(2)));
    assert!(
        words.contains("is not known") && words.contains("5:00 in Kimai, exported; 2:00 here"),
        "{words}"
    );
    // Until somebody says that it is right, or corrects it in Kimai.
    assert_eq!(stack.post("/queue/A/retry", None).await.0, 202);
    stack.quiet().await;
    assert_eq!(entry(&stack, "A").await.2, words);
    let five = SignedDuration::from_hours(5);
    assert!(stack.kimai.edit_timesheet(id, |row| row.end = Some(row.begin + five)));
    assert_eq!(stack.post("/queue/A/retry", None).await.0, 202);
    stack.quiet().await;
    assert!(entry(&stack, "A").await.2.contains("stays as it is: 5:00 in Kimai, exported; 2:00 here"));
    assert_eq!(stack.post("/queue/A/overwrite", None).await.0, 202);
    stack.quiet().await;
    assert_eq!((entry(&stack, "A").await.0.as_str(), hours(&stack, id)), ("settled", Some(2)));
}

/// The page offers it, in a group of its own.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_lists_what_is_exported_apart_and_offers_to_overwrite_it() {
    let stack = Stack::embedded(&[]).await;
    let (uri, id) = kept(&stack, "A").await;
    let other = stack.register("B", "2024-09-02", "P1M").await;
    stack.notify(&[&other]).await;
    let page = async |path: &str| answer(stack.http.get(format!("{}{path}", stack.base))).await.2;
    let home = page("/").await;
    let (before, group) = home.split_once("Exported in Kimai: not changed").expect("a group of its own");
    assert!(before.contains(&other) && !before.contains(&uri), "{before}");
    assert!(group.contains(&uri) && group.contains("5:00 in Kimai, exported; 2:00 here"), "{group}");
    let list = page("/entries?state=parked&code=timesheet-exported").await;
    assert!(list.contains("Exported in Kimai: 1") && list.contains(&uri) && !list.contains(&other), "{list}");
    assert!(list.contains("Overwrite this one") && list.contains("action=\"/do/overwrite\""), "{list}");
    let story = page(&format!("/work-log?id={uri}")).await;
    assert!(story.contains("Overwrite this one"), "{story}");
    let send = async |path: &str, body: String| {
        let request = stack.http.post(format!("{}{path}", stack.base));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        answer(request).await.0
    };
    assert_eq!(send("/do/overwrite-exported", String::new()).await, 400, "not without a tick");
    assert_eq!(hours(&stack, id), Some(5));
    assert_eq!(send("/do/overwrite", format!("id={uri}")).await, 303);
    stack.quiet().await;
    assert_eq!(hours(&stack, id), Some(2));
}

/// What looks cost: one request for an update alone, one list for many.
#[tokio::test(flavor = "multi_thread")]
async fn many_updates_share_one_look() {
    let stack = Stack::embedded(&[]).await;
    let mut uris = Vec::new();
    for number in 0..60 {
        uris.push(stack.register(&format!("N{number:02}"), "2024-09-02", "PT5H").await);
    }
    let all: Vec<&str> = uris.iter().map(String::as_str).collect();
    stack.notify(&all).await;
    stack.forget_calls();
    stack.change(&uris[0], "cal:duration", "\"PT2H\"").await;
    stack.notify(&[&uris[0]]).await;
    assert_eq!((stack.kimai_calls("GET"), stack.kimai_calls("PATCH")), (1, 1));
    for uri in &uris {
        stack.change(uri, "cal:duration", "\"PT3H\"").await;
    }
    stack.forget_calls();
    stack.notify(&all).await;
    let (looks, changes) = (stack.kimai_calls("GET"), stack.kimai_calls("PATCH"));
    println!("{looks} looks for {changes} updates");
    assert_eq!(changes, 60);
    assert!(looks <= 20, "{looks} looks");
    assert!(
        stack.timesheets().iter().all(|row| row.2.contains("T01:00:00Z") || row.2.contains("T03:00:00Z"))
    );
}
