//! The queue as ops see and steer it, and the faults of the old service that this one must not have.

use kimai_sync::trackers::kimai::sandbox::{Entity, Fault, When};
use serde_json::Value;

use crate::support::stack::{Stack, answer, delta};

impl Stack {
    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, content_type, body) = answer(self.http.get(format!("{}{path}", self.base))).await;
        assert_eq!(content_type.as_deref(), Some("application/vnd.api+json; charset=utf-8"), "{body}");
        (status, serde_json::from_str(&body).unwrap())
    }
}

/// Quick enough that a test can wait for the ambiguity window.
async fn impatient() -> Stack {
    Stack::embedded(&[("KIMAI_TIMEOUT", "1")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_work_log_tells_its_whole_story_and_is_tried_again_by_hand() {
    let stack = Stack::embedded(&[]).await;
    let refused = stack.register("AB12", "2024-09-02", "PT8H").await;
    stack.kimai.hide(Entity::Project(stack.project));
    stack.notify(&[&refused]).await;
    let (status, all) = stack.get("/queue?filter[state]=parked").await;
    assert_eq!((status, &all["meta"]["parked"]), (200, &Value::from(1)));
    assert_eq!(all["data"][0]["id"], refused);
    let why = all["data"][0]["attributes"]["last-error"].as_str().unwrap();
    assert_eq!(all["data"][0]["attributes"]["code"], "project-hidden");
    assert!(why.contains("project 'Website' is hidden"), "{why}");
    assert!(why.contains("The selected choice is invalid."), "and Kimai's own words: {why}");

    for id in ["AB12".to_owned(), refused.replace(':', "%3A").replace('/', "%2F"), refused.clone()] {
        let (status, one) = stack.get(&format!("/queue/{id}")).await;
        assert_eq!((status, &one["data"]["attributes"]["state"]), (200, &Value::from("parked")), "{id}");
        assert_eq!(one["data"]["attributes"]["history"][0]["result"], "parked");
        assert_eq!(one["data"]["attributes"]["kimai-id"], Value::Null);
    }

    stack.kimai.show(Entity::Project(stack.project));
    assert_eq!(stack.post("/queue/AB12/retry", None).await.0, 202);
    stack.quiet().await;
    let (_, one) = stack.get("/queue/AB12").await;
    let attributes = &one["data"]["attributes"];
    assert_eq!(attributes["state"], "settled");
    assert_eq!(attributes["kimai"]["begin"], "2024-09-02T00:00:00Z");
    assert_eq!(attributes["history"][0]["result"], "done");
    assert_eq!(stack.timesheets().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_paged_and_bad_questions_are_told_what_to_ask() {
    let stack = Stack::embedded(&[]).await;
    let mut parked = Vec::new();
    for number in 0..7 {
        parked.push(stack.register(&format!("N{number}"), "2024-09-02", "P1M").await);
    }
    let uris: Vec<&str> = parked.iter().map(String::as_str).collect();
    stack.notify(&uris).await;
    let (mut seen, mut next) = (Vec::new(), Some("/queue?page[size]=3".to_owned()));
    while let Some(path) = next {
        let (_, page) = stack.get(&path).await;
        seen.extend(
            page["data"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap().to_owned()),
        );
        next = page["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, parked);
    let (status, _, body) = stack.post("/queue/retry-parked", None).await;
    assert_eq!((status, body.as_str()), (202, r#"{"meta":{"retried":7}}"#));
    stack.quiet().await;

    for (path, status, words) in [
        ("/queue?filter[state]=lost", 400, "expected one of: queued, scheduled, running, parked"),
        ("/queue?page[size]=0", 400, "a number from 1 to 500"),
        ("/queue?page[after]=x", 400, "is not an absolute IRI"),
        ("/queue/nope", 404, "There is no work log 'nope'"),
        ("/queue/http%3A%2F%2Fx%2F1", 404, "There is no work log"),
    ] {
        let (found, body) = stack.get(path).await;
        assert_eq!(found, status, "{path}");
        assert!(body["errors"][0]["detail"].as_str().unwrap().contains(words), "{path}: {body}");
    }
    assert_eq!(stack.post("/queue/nope/retry", None).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timesheet_whose_answer_was_lost_is_found_again_and_not_doubled() {
    let stack = impatient().await;
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    stack.kimai.fault(When::next("POST", "/api/timesheets"), Fault::cut().applied());
    stack.notify(&[&work_log]).await;
    assert_eq!((stack.timesheets().len(), stack.kimai_calls("POST")), (1, 1));
    assert_eq!(stack.links(&work_log).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_was_never_stored_is_sent_again() {
    let stack = impatient().await;
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    stack.kimai.fault(When::next("POST", "/api/timesheets"), Fault::cut());
    stack.kimai.fault(When::next("POST", "/api/timesheets"), Fault::bad_gateway());
    stack.notify(&[&work_log]).await;
    assert_eq!((stack.timesheets().len(), stack.kimai_calls("POST")), (1, 3));
}

/// Two people's equal work logs are two timesheets, even when both answers are lost.
#[tokio::test(flavor = "multi_thread")]
async fn twins_keep_two_timesheets() {
    let stack = impatient().await;
    let twins =
        [stack.register("A", "2024-09-02", "PT8H").await, stack.register("B", "2024-09-02", "PT8H").await];
    stack.kimai.fault(When::next("POST", "/api/timesheets").times(2), Fault::cut().applied());
    stack.notify(&[&twins[0], &twins[1]]).await;
    assert_eq!((stack.timesheets().len(), stack.kimai_calls("POST")), (2, 2));
    assert_ne!(stack.links(&twins[0]).await, stack.links(&twins[1]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_work_log_deleted_while_its_create_is_under_way_ends_with_no_timesheet() {
    for everything in [false, true] {
        let stack = impatient().await;
        let work_log = stack.register("A", "2024-09-02", "PT8H").await;
        let gate = kimai_sync::trackers::kimai::sandbox::Gate::default();
        stack.kimai.fault(When::next("POST", "/api/timesheets"), Fault::hold(&gate).applied());
        assert_eq!(stack.post("/delta", Some(delta(&[&work_log]))).await.0, 204);
        gate.reached().await;
        if everything {
            stack.update(&format!("DELETE WHERE {{ <{work_log}> ?p ?o }}")).await;
        } else {
            stack.take_back(&work_log).await;
        }
        assert_eq!(stack.post("/delta", Some(delta(&[&work_log]))).await.0, 204);
        gate.open();
        stack.quiet().await;
        assert_eq!(stack.timesheets(), [], "everything removed: {everything}");
        assert_eq!(stack.links(&work_log).await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_updates_in_a_second_end_with_the_last() {
    let stack = Stack::embedded(&[]).await;
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    for hours in 1..=5 {
        stack.change(&work_log, "cal:duration", &format!("\"PT{hours}H\"")).await;
        assert_eq!(stack.post("/delta", Some(delta(&[&work_log]))).await.0, 204);
    }
    stack.quiet().await;
    let ends: Vec<String> = stack.timesheets().into_iter().map(|row| row.2).collect();
    assert_eq!(ends, ["2024-09-02T05:00:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_stops_all_work_and_is_shown() {
    let stack = Stack::embedded(&[]).await;
    stack.kimai.expire_token(crate::support::stack::TOKEN);
    let mut uris = Vec::new();
    for number in 0..20 {
        uris.push(stack.register(&format!("N{number}"), "2024-09-02", "PT1H").await);
    }
    let names: Vec<&str> = uris.iter().map(String::as_str).collect();
    assert_eq!(stack.post("/delta", Some(delta(&names))).await.0, 204);
    let stopped = async {
        while stack.get("/queue").await.1["meta"]["down"].as_array().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), stopped).await.expect("it stops");
    let (_, all) = stack.get("/queue").await;
    assert!(all["meta"]["down"][0]["why"].as_str().unwrap().contains("token"), "{all}");
    let calls = stack.kimai_calls("POST");
    assert!(calls <= 8, "no more than what was under way: {calls}");
    assert_eq!(all["meta"]["parked"], 0, "nothing is given up");
}
