//! Deleted work logs of which something is left in the triplestore: their timesheets go, and nobody else's.

use kimai_sync::domain::WorkLogUri;
use kimai_sync::domain::finding::{Hold, Kind, Unconfirmed};
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::{Period, Report};
use serde_json::{Value, json};

use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack};

on_each_store!(
    a_deleted_work_log_takes_its_timesheet_along_whatever_else_it_had,
    the_sweep_finds_what_no_delta_told,
    whoever_else_carries_the_number_keeps_the_timesheet,
);

/// What a work log may have beside what mu-cl-resources knows of it and deletes.
const FURTHER: [&str; 6] = [
    "dct:modified \"2024-09-02T12:00:00Z\"^^xsd:dateTime",
    "dct:creator <http://x/persons/bob>",
    "a <http://x/Absence>",
    "a <http://x/Absence>, <http://x/Note> ; dct:modified \"2024-09-02T12:00:00Z\"",
    "cal:comment \"half an emoji\"",
    "skos:note \"a\", \"b\"@en ; dct:identifier \"undefined\"",
];

/// Deletes as mu-cl-resources does: what its model names goes, all else stays.
async fn delete(stack: &Stack, uri: &str) {
    for known in ["a cal:Vevent", "mu:uuid ?o", "cal:duration ?o", "cal:dtstart ?o", "dct:subject ?o"] {
        stack.update(&format!("DELETE {{ <{uri}> {known} }} WHERE {{ <{uri}> {known} }}")).await;
    }
    let person = "prov:wasAssociatedWith ?o";
    stack.update(&format!("DELETE {{ <{uri}> {person} }} WHERE {{ <{uri}> {person} }}")).await;
}

/// The delta that tells of it.
fn told(uri: &str) -> Value {
    let iri = |value: &str| json!({"type": "uri", "value": value});
    let gone = json!({"subject": iri(uri), "predicate": iri("http://www.w3.org/1999/02/22-rdf-syntax-ns#type"),
        "object": iri("http://www.w3.org/2002/12/cal/ical#Vevent")});
    json!([{"inserts": [], "deletes": [gone]}])
}

async fn hear(stack: &Stack, uri: &str) {
    assert_eq!(stack.post("/delta", Some(told(uri))).await.0, 204);
    stack.quiet().await;
}

async fn further(stack: &Stack, uri: &str, properties: &str) {
    stack.update(&format!("INSERT DATA {{ <{uri}> {properties} }}")).await;
}

async fn sweep(stack: &Stack, confirmed: Option<&Unconfirmed>) -> Report {
    let period = Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() };
    let swept = stack.engine.sweeper.sweep(period, confirmed, &Progress::unwatched()).await.unwrap();
    stack.quiet().await;
    swept
}

async fn a_deleted_work_log_takes_its_timesheet_along_whatever_else_it_had(stack: Stack) {
    let keeps = stack.register("keeps", "2024-09-02", "PT1H").await;
    stack.notify(&[&keeps]).await;
    for (n, properties) in FURTHER.into_iter().enumerate() {
        for known in [true, false] {
            let uri = stack.register(&format!("N{n}{known}"), "2024-09-03", "PT2H").await;
            stack.notify(&[&uri]).await;
            assert_eq!(stack.timesheets().len(), 2, "{properties}");
            further(&stack, &uri, properties).await;
            delete(&stack, &uri).await;
            if !known {
                // As after a loss of the service's data: the link alone tells.
                stack.engine.ledger.forget(&WorkLogUri::parse(&uri).unwrap()).await.unwrap();
            }
            hear(&stack, &uri).await;
            assert_eq!(stack.timesheets().len(), 1, "{properties}");
            assert_eq!(stack.links(&uri).await, [] as [&str; 0], "{properties}");
            let left = stack.select(&format!("SELECT ?p WHERE {{ <{uri}> ?p ?o }}")).await;
            assert!(!left.is_empty(), "what is not ours stays: {properties}");
        }
    }
    // Its link went too.
    let uri = stack.register("unlinked", "2024-09-03", "PT2H").await;
    stack.notify(&[&uri]).await;
    further(&stack, &uri, FURTHER[0]).await;
    delete(&stack, &uri).await;
    stack
        .update(&format!("DELETE {{ <{uri}> dct:identifier ?o }} WHERE {{ <{uri}> dct:identifier ?o }}"))
        .await;
    hear(&stack, &uri).await;
    assert_eq!((stack.timesheets().len(), stack.links(&keeps).await.len()), (1, 1));
}

async fn the_sweep_finds_what_no_delta_told(stack: Stack) {
    let keeps = stack.register("keeps", "2024-09-02", "PT1H").await;
    stack.notify(&[&keeps]).await;
    for (n, properties) in FURTHER.into_iter().enumerate() {
        let uri = stack.register(&format!("N{n}"), "2024-09-03", "PT2H").await;
        stack.notify(&[&uri]).await;
        further(&stack, &uri, properties).await;
        delete(&stack, &uri).await;
    }
    assert_eq!(stack.timesheets().len(), 1 + FURTHER.len());
    let swept = sweep(&stack, None).await;
    assert_eq!((swept.queued, swept.deleted, swept.held), (FURTHER.len(), 0, 0), "{:?}", swept.findings);
    assert_eq!(stack.timesheets().len(), 1);
    assert_eq!(sweep(&stack, None).await.findings, [], "no link is left");
}

async fn whoever_else_carries_the_number_keeps_the_timesheet(stack: Stack) {
    let keeps = stack.register("keeps", "2024-09-02", "PT1H").await;
    stack.notify(&[&keeps]).await;
    let id = stack.links(&keeps).await.remove(0);
    let others = [
        ("persons/employee", "a foaf:Person ; foaf:name \"Bob\""),
        ("rooms/1", "cal:comment \"a room\""),
        // What the import makes, wherever it stands and whatever a delta says.
        ("work-logs/task", "a wf:Task, <http://x/Note>"),
        ("work-logs/account", "a foaf:OnlineAccount"),
        ("work-logs/customer", "a prov:Organization ; cal:comment \"a\""),
        ("tasks/bare", "cal:comment \"a task that lost its class\""),
    ];
    for (name, properties) in others {
        let uri = format!("{BASE}/{name}");
        further(&stack, &uri, &format!("dct:identifier \"{id}\" ; {properties}")).await;
        stack.notify(&[&uri]).await;
        if !matches!(name, "persons/employee" | "rooms/1") {
            hear(&stack, &uri).await;
        }
    }
    sweep(&stack, None).await;
    assert_eq!(stack.timesheets().len(), 1, "it has its work log");
    stack.update(&format!("DELETE {{ <{keeps}> ?p ?o }} WHERE {{ <{keeps}> ?p ?o }}")).await;
    let swept = sweep(&stack, None).await;
    assert_eq!(swept.deleted, 0, "the triplestore shows no work log at all: {:?}", swept.findings);
    assert_eq!(stack.timesheets().len(), 1);
    for (name, _) in others {
        assert_eq!(stack.links(&format!("{BASE}/{name}")).await, [id.as_str()], "{name}");
    }
}

/// A timesheet that no work log has.
fn orphan(stack: &Stack, day: u32) {
    let begin = format!("2024-09-{:02}T00:00:00Z", day % 28 + 1).parse().unwrap();
    let end = format!("2024-09-{:02}T01:00:00Z", day % 28 + 1).parse().unwrap();
    stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(end));
}

async fn deleted_while_away(stack: &Stack, count: u32) {
    let mut uris = Vec::new();
    for n in 0..count {
        uris.push(stack.register(&format!("N{n}"), &format!("2024-09-{:02}", n % 28 + 1), "PT2H").await);
    }
    stack.notify(&uris.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for uri in &uris {
        stack.take_back(uri).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_deleted_work_logs_than_orphans_may_be_are_deleted_and_the_orphans_held() {
    let stack = Stack::embedded(&[("SWEEP_GRACE", "0")]).await;
    let keeps = stack.register("keeps", "2024-09-02", "PT1H").await;
    stack.notify(&[&keeps]).await;
    deleted_while_away(&stack, 25).await;
    for day in 0..21 {
        orphan(&stack, day);
    }
    let swept = sweep(&stack, None).await;
    assert_eq!((swept.queued, swept.deleted, swept.held), (25, 0, 21));
    let held = |kind: Kind| (kind == Kind::Orphan).then_some(Hold::Unconfirmed);
    assert!(swept.findings.iter().all(|finding| finding.held == held(finding.kind)), "{:?}", swept.findings);
    assert_eq!(stack.timesheets().len(), 1 + 21);
    let confirmed = Unconfirmed::of(&swept.findings);
    assert_eq!(confirmed.len(), 21);
    // Somebody deletes one more meanwhile: that is no matter of what was confirmed.
    deleted_while_away(&stack, 1).await;
    let swept = sweep(&stack, Some(&confirmed)).await;
    assert_eq!((swept.queued, swept.deleted, swept.held), (1, 21, 0));
    assert_eq!(stack.timesheets().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_a_month_may_be_deleted_with_their_links_left() {
    let stack = Stack::embedded(&[]).await;
    deleted_while_away(&stack, 25).await;
    let swept = sweep(&stack, None).await;
    assert_eq!((swept.work_logs, swept.queued, swept.held), (0, 25, 0));
    assert_eq!(stack.timesheets().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_back_is_told_by_the_doctor_until_it_is_confirmed() {
    let stack = Stack::embedded(&[("SWEEP_MAX_TOMBSTONES", "2")]).await;
    let doctor = async || stack.engine.doctor.examine().await.check("held-back").cloned().unwrap();
    stack.engine.doctor.serves(true);
    assert!(doctor().await.help.is_none());
    let keeps = stack.register("keeps", "2024-09-02", "PT1H").await;
    stack.notify(&[&keeps]).await;
    deleted_while_away(&stack, 3).await;
    let body = |key: Option<&Value>| {
        let mut body = json!({"start": "2024-09-01", "end": "2024-09-30"});
        if let Some(key) = key {
            body["confirm"] = key.clone();
        }
        body
    };
    let run = async |body: Value| {
        let (status, _, answer) = stack.post("/sync-to-kimai/work-logs", Some(body)).await;
        assert_eq!(status, 202, "{answer}");
        let run: Value = serde_json::from_str(&answer).unwrap();
        let path = format!("{}/runs/{}", stack.base, run["data"]["id"].as_str().unwrap());
        loop {
            let run: Value = stack.http.get(&path).send().await.unwrap().json().await.unwrap();
            if run["data"]["attributes"]["state"] == "done" {
                return run["data"]["attributes"].clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let held = run(body(None)).await;
    assert_eq!(held["held"], 3, "{held}");
    assert_eq!(stack.timesheets().len(), 4);
    let check = doctor().await;
    let advice = check.help.clone().unwrap_or_default();
    assert!(check.says.contains("3 unconfirmed") && advice.contains("SWEEP_MAX_TOMBSTONES"), "{check}");
    let done = run(body(Some(&held["confirm"]["key"]))).await;
    stack.quiet().await;
    assert_eq!((&done["held"], stack.timesheets().len()), (&json!(0), 1), "{done}");
    assert!(doctor().await.help.is_none());
}
