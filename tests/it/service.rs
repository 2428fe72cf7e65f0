//! The whole service, as its neighbours see it: work logs become timesheets. Every story is told twice,
//! with the embedded store and with a real Virtuoso.

use std::sync::atomic::Ordering;

use kimai_sync::progress::Progress;
use kimai_sync::trackers::kimai::sandbox::{Entity, Fault, Role, When};
use serde_json::json;

use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack, delta};

on_each_store!(
    a_work_log_becomes_a_timesheet_and_follows_its_changes,
    five_identical_deltas_on_five_connections_make_one_sync,
    a_timesheet_that_is_gone_from_kimai_is_recreated_or_left_alone,
    what_is_not_a_work_log_costs_few_reads_and_never_a_timesheet,
    an_incomplete_work_log_waits_and_is_never_deleted,
    a_work_log_that_cannot_be_mapped_is_parked_with_its_reason_until_an_import,
    an_identifier_is_found_whatever_its_datatype,
    a_sweep_finds_what_no_delta_told,
    a_sweep_with_an_empty_triplestore_deletes_nothing,
    an_outage_of_kimai_loses_nothing,
);

async fn a_work_log_becomes_a_timesheet_and_follows_its_changes(stack: Stack) {
    let work_log = stack.register("67BF1C2E9F3B7A0009000001", "2024-09-02", "PT8H").await;
    stack.notify(&[&work_log]).await;
    let id = stack.timesheets()[0].0;
    let ids = (
        stack.project.as_number().unwrap(),
        stack.activity.as_number().unwrap(),
        stack.user.as_number().unwrap(),
    );
    let wanted = |end: &str| (id, "2024-09-02T00:00:00Z".to_owned(), end.to_owned(), ids.0, ids.1, ids.2);
    assert_eq!(stack.timesheets(), [wanted("2024-09-02T08:00:00Z")]);
    assert_eq!(stack.links(&work_log).await, [id.to_string()]);
    let requests = stack.kimai.requests();
    let created = &requests.0[0];
    assert_eq!((requests.0.len(), created.method.as_str()), (1, "POST"));
    assert_eq!(
        created.body,
        format!(
            r#"{{"begin":"2024-09-02T00:00:00.000Z","end":"2024-09-02T08:00:00.000Z","project":{},"activity":{},"user":{}}}"#,
            ids.0, ids.1, ids.2
        )
    );

    stack.change(&work_log, "cal:duration", "\"PT7H30M\"").await;
    stack.notify(&[&work_log]).await;
    assert_eq!(stack.timesheets(), [wanted("2024-09-02T07:30:00Z")]);
    assert_eq!(stack.kimai_calls("PATCH"), 1);

    stack.notify(&[&work_log]).await;
    assert_eq!(stack.kimai_calls("PATCH"), 1, "nothing changed, nothing is sent");

    stack.take_back(&work_log).await;
    stack.notify(&[&work_log]).await;
    assert_eq!(stack.timesheets(), []);
    assert_eq!(stack.links(&work_log).await, [""; 0]);
}

/// The very bytes that a real delta-notifier sent for one creation.
async fn five_identical_deltas_on_five_connections_make_one_sync(stack: Stack) {
    let work_log = stack.register("67BF1C2E9F3B7A0009000001", "2025-02-26", "PT8H").await;
    let log = include_str!("../fixtures/deltas/raw-create.log");
    let bodies: Vec<&str> = log.lines().filter(|line| line.starts_with("[{")).collect();
    assert_eq!(bodies.len(), 5);
    let sent = bodies.into_iter().map(|body| {
        // A client of its own is a connection of its own.
        let client =
            kimai_sync::http_client::client_builder(std::time::Duration::from_secs(10)).build().unwrap();
        let request = client
            .post(format!("{}/delta", stack.base))
            .header("content-type", "application/json")
            .header("mu-session-id", "undefined")
            .header("mu-call-id-trail", "[null]")
            .header("mu-bundled-call-id-trails", "")
            .body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    });
    assert_eq!(futures_util::future::join_all(sent).await, [204; 5]);
    stack.quiet().await;
    assert_eq!((stack.kimai_calls("POST"), stack.kimai_calls("PATCH")), (1, 0));
    assert_eq!(stack.links(&work_log).await.len(), 1);
}

async fn a_timesheet_that_is_gone_from_kimai_is_recreated_or_left_alone(stack: Stack) {
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&work_log]).await;
    let first = stack.timesheets()[0].0;
    assert!(stack.kimai.delete_timesheet(first));
    stack.change(&work_log, "cal:duration", "\"PT4H\"").await;
    stack.notify(&[&work_log]).await;
    let second = stack.timesheets()[0].0;
    assert_ne!(first, second);
    assert_eq!(stack.links(&work_log).await, [second.to_string()], "the old link is gone");

    assert!(stack.kimai.delete_timesheet(second));
    stack.take_back(&work_log).await;
    stack.notify(&[&work_log]).await;
    assert_eq!(stack.kimai_calls("DELETE"), 0, "the look before has shown that it is gone");
    assert_eq!(stack.links(&work_log).await, [""; 0]);
}

/// Hours of last year are locked late: their projects have ended, and people have left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_hidden_ended_or_disabled_is_imported_where_that_is_wanted() {
    for (wanted, more) in [("false", 0), ("true", 1)] {
        let stack = Stack::embedded(&[("IMPORT_HIDDEN", wanted)]).await;
        let kimai = &stack.kimai;
        let hidden = kimai.add_customer("Hidden");
        kimai.hide(Entity::Customer(hidden));
        let ended = kimai.add_project("Ended", kimai.add_customer("Shown"));
        kimai.set_project_dates(ended, None, Some("2020-12-31".parse().unwrap()));
        let activity = kimai.add_activity("Hidden", Some(ended));
        kimai.hide(Entity::Activity(activity));
        let left = kimai.add_user("left", "UTC", Role::User, None);
        kimai.hide(Entity::User(left));
        let count = async || {
            let mut counts = Vec::new();
            for class in ["prov:Organization", "doap:Project", "ext:KimaiActivity", "foaf:OnlineAccount"] {
                counts
                    .push(stack.select(&format!("SELECT DISTINCT ?s WHERE {{ ?s a {class} }}")).await.len());
            }
            counts
        };
        let before = count().await;
        for what in ["customers", "tasks", "accounts"] {
            assert_eq!(stack.post(&format!("/sync-from-kimai/{what}"), None).await.0, 204);
        }
        let came: Vec<usize> =
            count().await.iter().zip(before).map(|(after, before)| after - before).collect();
        assert_eq!(came, [1 + more, more, more, more], "IMPORT_HIDDEN={wanted}");
    }
}

async fn what_is_not_a_work_log_costs_few_reads_and_never_a_timesheet(stack: Stack) {
    let activity = stack.task(stack.activity).await;
    let id = stack.activity;
    // A timesheet that carries the same number as the activity.
    for _ in 0..id.as_number().unwrap() {
        let begin = "2024-09-02T00:00:00Z".parse().unwrap();
        stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    }
    let before = stack.timesheets();
    stack.update(&format!("INSERT DATA {{ <{activity}> dct:subject <{BASE}/concepts/1> }}")).await;
    let timesheet = format!("{BASE}/timesheets/1");
    stack
        .update(&format!(
            "INSERT DATA {{ <{timesheet}> a skos:Collection ; prov:wasAssociatedWith <{BASE}/persons/jane> }}"
        ))
        .await;
    // Nothing at all is believed only of a triplestore that shows something else, on a second look; that something
    // else is no work log any more, only when its properties are counted.
    for (subject, reads) in [(activity.as_str(), 1), (timesheet.as_str(), 3), ("http://x/unknown", 3)] {
        stack.store.selects.store(0, Ordering::Relaxed);
        stack.notify(&[subject]).await;
        assert_eq!(stack.store.selects.load(Ordering::Relaxed), reads, "{subject}");
    }
    // What is left of a deleted task is bare, but still no work log.
    stack
        .update(&format!(
            "DELETE {{ <{activity}> ?p ?o }} WHERE {{ <{activity}> ?p ?o . FILTER (?p != dct:identifier) }}"
        ))
        .await;
    stack.notify(&[&activity]).await;
    assert_eq!(stack.timesheets(), before);
    assert_eq!((stack.kimai.requests().0.len(), stack.store.updates.load(Ordering::Relaxed)), (0, 0));
}

async fn an_incomplete_work_log_waits_and_is_never_deleted(stack: Stack) {
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&work_log]).await;
    let before = stack.timesheets();
    // As mu-cl-resources changes a relation: it is gone for a moment.
    stack.update(&format!("DELETE WHERE {{ <{work_log}> dct:subject ?task }}")).await;
    assert_eq!(stack.post("/delta", Some(delta(&[&work_log]))).await.0, 204);
    let waiting = async {
        while stack.engine.queue.counts().await.unwrap().scheduled == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.expect("it waits for its task");
    assert_eq!(stack.timesheets(), before);
    let task = stack.task(stack.activity).await;
    stack.change(&work_log, "cal:duration", "\"PT1H\"").await;
    stack.update(&format!("INSERT DATA {{ <{work_log}> dct:subject <{task}> }}")).await;
    stack.quiet().await; // no further delta: it is tried again by itself
    assert_eq!(stack.timesheets()[0].2, "2024-09-02T01:00:00Z");
}

async fn a_work_log_that_cannot_be_mapped_is_parked_with_its_reason_until_an_import(stack: Stack) {
    let work_log = stack.register("A", "2024-09-02", "P1M").await;
    stack.notify(&[&work_log]).await;
    let parked = stack.engine.queue.parked().await.unwrap();
    assert_eq!(parked.len(), 1);
    assert!(parked[0].1.contains("years, months and weeks cannot be booked"), "{parked:?}");
    assert_eq!(stack.kimai.requests().0.len(), 0);
    // An import wakes what is parked; by now the duration is right.
    stack.change(&work_log, "cal:duration", "\"PT1H\"").await;
    assert_eq!(stack.post("/sync-from-kimai/customers", None).await.0, 204);
    stack.quiet().await;
    assert_eq!(stack.timesheets().len(), 1);
}

async fn an_identifier_is_found_whatever_its_datatype(stack: Stack) {
    let begin = "2024-09-02T00:00:00Z".parse().unwrap();
    let end = "2024-09-02T08:00:00Z".parse().unwrap();
    let forms = ["\"{}\"", "\"{}\"^^xsd:string", "\"{}\"^^xsd:integer", "\"{}\"@en"];
    for (number, form) in forms.into_iter().enumerate() {
        let id = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(end));
        let work_log = stack.register(&number.to_string(), "2024-09-02", "PT8H").await;
        stack
            .update(&format!(
                "INSERT DATA {{ <{work_log}> dct:identifier {} }}",
                form.replace("{}", &id.to_string())
            ))
            .await;
        let url = format!("{}/kimai-timesheets/{id}", stack.base);
        assert_eq!(stack.http.put(url).send().await.unwrap().status(), 204);
        stack.change(&work_log, "cal:duration", "\"PT1H\"").await;
        stack.notify(&[&work_log]).await;
    }
    assert_eq!(stack.timesheets().len(), forms.len(), "none was taken for an orphan");
    assert_eq!((stack.kimai_calls("POST"), stack.kimai_calls("PATCH")), (0, forms.len()));
}

async fn a_sweep_finds_what_no_delta_told(stack: Stack) {
    let right = stack.register("right", "2024-09-01", "PT1H").await;
    let changed = stack.register("changed", "2024-09-02", "PT2H").await;
    let lost = stack.register("lost", "2024-09-30", "PT3H").await;
    let deleted = stack.register("deleted", "2024-09-15", "PT4H").await;
    stack.notify(&[&right, &changed, &lost, &deleted]).await;
    let id_of = |begin: &str| stack.timesheets().iter().find(|row| row.1.starts_with(begin)).unwrap().0;
    stack.change(&changed, "cal:duration", "\"PT5H\"").await;
    stack.kimai.delete_timesheet(id_of("2024-09-30"));
    stack.take_back(&deleted).await;
    stack.register("new", "2024-09-20", "PT6H").await;
    stack.register("outside", "2024-10-01", "PT7H").await;
    let begin = "2024-09-10T00:00:00Z".parse().unwrap();
    stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    stack.kimai.clear_requests();

    let body = json!({"start": "2024-09-01", "end": "2024-09-30"});
    let (status, content_type, text) = stack.post("/sync-to-kimai/work-logs", Some(body)).await;
    assert_eq!(status, 202, "{text}");
    assert_eq!(content_type.as_deref(), Some("application/vnd.api+json; charset=utf-8"));
    let swept = async {
        while stack.timesheets().len() != 4 || !stack.links(&deleted).await.is_empty() {
            stack.quiet().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), swept).await.expect("the sweep ends");
    stack.quiet().await;
    let days: Vec<(String, String)> = stack.timesheets().into_iter().map(|row| (row.1, row.2)).collect();
    let mut hours: Vec<(&str, &str)> =
        days.iter().map(|(begin, end)| (&begin[5..10], &end[11..13])).collect();
    hours.sort_unstable();
    assert_eq!(hours, [("09-01", "01"), ("09-02", "05"), ("09-20", "06"), ("09-30", "03")]);
    assert_eq!(stack.kimai_calls("DELETE"), 2, "the deleted one and the orphan");
    assert_eq!(stack.kimai.requests().count("GET", "/api/timesheets"), 1);
}

async fn a_sweep_with_an_empty_triplestore_deletes_nothing(stack: Stack) {
    let begin = "2024-09-10T00:00:00Z".parse().unwrap();
    stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    let period = kimai_sync::reconcile::sweep::Period {
        first: "2024-09-01".parse().unwrap(),
        last: "2024-09-30".parse().unwrap(),
    };
    let report = stack.engine.sweeper.sweep(period, None, &Progress::unwatched()).await.unwrap();
    assert_eq!((report.work_logs, report.timesheets, report.deleted, report.held), (0, 1, 0, 1));
    // One work log more, and it is an orphan among others; but 21 of them are more than the bound.
    stack.register("A", "2024-09-11", "PT1H").await;
    for _ in 0..20 {
        stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    }
    let report = stack.engine.sweeper.sweep(period, None, &Progress::unwatched()).await.unwrap();
    assert_eq!((report.deleted, report.held), (0, 21));
}

async fn an_outage_of_kimai_loses_nothing(stack: Stack) {
    let first = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&first]).await;
    let second = stack.register("B", "2024-09-03", "PT8H").await;
    stack.change(&first, "cal:duration", "\"PT1H\"").await;
    stack.kimai.fault(When::next("PATCH", "/api/*/*").times(2), Fault::answer(500));
    stack
        .kimai
        .fault(When::next("POST", "/api/timesheets").times(2), Fault::answer(429).header("Retry-After", "1"));
    stack.notify(&[&first, &second]).await;
    let hours: Vec<String> = stack.timesheets().into_iter().map(|row| row.2).collect();
    assert_eq!(hours, ["2024-09-02T01:00:00Z", "2024-09-03T08:00:00Z"]);
}
