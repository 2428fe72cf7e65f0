//! The note of a work log and the description of its timesheet.

use kimai_sync::domain::diff::ObservedEntry;
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::{Period, Report};
use kimai_sync::trackers::kimai::sandbox::{Fault, LoggedRequest, When};
use kimai_sync::triplestore::vocabulary::cal;
use serde_json::{Value, json};

use crate::support::on_each_store;
use crate::support::stack::{Stack, answer};

on_each_store!(
    with &[("KIMAI_DESCRIPTION", "note")];
    a_description_follows_the_note_and_its_end,
    a_sweep_puts_a_description_right_and_then_finds_nothing,
    a_timesheet_is_adopted_only_with_the_same_text,
);

/// Tells the service that a note changed, as the delta-notifier does.
async fn notify(stack: &Stack, uri: &str) {
    let iri = |value: &str| json!({"type": "uri", "value": value});
    let triple = json!({"subject": iri(uri), "predicate": iri(cal::COMMENT),
        "object": {"type": "literal", "value": "new"}, "graph": iri("http://mu.semte.ch/graphs/redpencil")});
    let (status, ..) = stack.post("/delta", Some(json!([{"inserts": [triple], "deletes": []}]))).await;
    assert_eq!(status, 204);
    stack.quiet().await;
}

fn descriptions(stack: &Stack) -> Vec<Option<String>> {
    stack.kimai.timesheets().into_iter().map(|timesheet| timesheet.description).collect()
}

async fn sweep(stack: &Stack) -> Report {
    let period = Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() };
    let report = stack.engine.sweeper.sweep(period, None, &Progress::unwatched()).await.unwrap();
    stack.quiet().await;
    report
}

async fn a_description_follows_the_note_and_its_end(stack: Stack) {
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.change(&uri, "cal:comment", "\" Ünïcode \\\"note\\\"\\nin two lines\\n\"").await;
    stack.notify(&[&uri]).await;
    let first = Some("Ünïcode \"note\"\nin two lines".to_owned());
    assert_eq!(descriptions(&stack), [first]);
    assert_eq!(stack.kimai_calls("POST") + stack.kimai_calls("PATCH"), 1, "in one request");
    // The same once more costs nothing.
    notify(&stack, &uri).await;
    assert_eq!(stack.kimai_calls("PATCH"), 0);
    for (note, wanted) in
        [("\"Another\"", Some("Another".to_owned())), ("\"\"", None), ("\"Again\"", Some("Again".to_owned()))]
    {
        stack.change(&uri, "cal:comment", note).await;
        notify(&stack, &uri).await;
        assert_eq!(descriptions(&stack), [wanted], "{note}");
    }
    stack
        .update(&format!("DELETE {{ <{uri}> cal:comment ?note }} WHERE {{ <{uri}> cal:comment ?note }}"))
        .await;
    notify(&stack, &uri).await;
    assert_eq!(descriptions(&stack), [None]);
    // Nothing but its note is left: that is no tombstone, as before.
    stack.change(&uri, "cal:comment", "\"left\"").await;
    stack.take_back(&uri).await;
    stack.notify(&[&uri]).await;
    assert!(descriptions(&stack).is_empty());
}

async fn a_sweep_puts_a_description_right_and_then_finds_nothing(stack: Stack) {
    for (id, day) in [("A", "2024-09-02"), ("B", "2024-09-03")] {
        let uri = stack.register(id, day, "PT8H").await;
        if id == "A" {
            stack.change(&uri, "cal:comment", "\"Note\"").await;
        }
        stack.notify(&[&uri]).await;
    }
    let ids: Vec<_> = stack.timesheets().into_iter().map(|(id, ..)| id).collect();
    assert!(stack.kimai.edit_timesheet(ids[0], |row| row.description = None));
    assert!(stack.kimai.edit_timesheet(ids[1], |row| row.description = Some("by hand".to_owned())));
    let report = sweep(&stack).await;
    assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
    assert!(report.findings.iter().all(|finding| finding.reason.starts_with("description: ")));
    assert_eq!(descriptions(&stack), [Some("Note".to_owned()), None]);
    assert_eq!(sweep(&stack).await.findings.len(), 0);
}

async fn a_timesheet_is_adopted_only_with_the_same_text(stack: Stack) {
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.change(&uri, "cal:comment", "\"Note\"").await;
    let begin = "2024-09-02T00:00:00Z".parse().unwrap();
    let end = Some("2024-09-02T08:00:00Z".parse().unwrap());
    for text in ["Other", "Note"] {
        let id = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, end);
        assert!(stack.kimai.edit_timesheet(id, |row| row.description = Some(text.to_owned())));
    }
    let report = sweep(&stack).await;
    assert_eq!((report.adopted, stack.links(&uri).await), (1, vec!["2".to_owned()]));
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.found.is_some_and(|found: ObservedEntry| found.note.is_some()))
    );
}

/// By default the two have nothing to do with each other, and that costs nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_description_is_left_alone_unless_that_is_wanted() {
    let stack = Stack::embedded(&[]).await;
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.change(&uri, "cal:comment", "\"Note\"").await;
    stack.notify(&[&uri]).await;
    assert_eq!(descriptions(&stack), [None]);
    let id = stack.timesheets()[0].0;
    assert!(stack.kimai.edit_timesheet(id, |row| row.description = Some("by hand".to_owned())));
    stack.forget_calls();
    notify(&stack, &uri).await;
    assert_eq!((stack.statements(), stack.kimai.requests().0.len()), ((0, 0), 0), "a note is no change");
    assert_eq!(sweep(&stack).await.findings.len(), 0);
    stack.change(&uri, "cal:duration", "\"PT1H\"").await;
    stack.notify(&[&uri]).await;
    assert_eq!(descriptions(&stack), [Some("by hand".to_owned())]);
}

/// What is said of a parked work log.
async fn parked(stack: &Stack) -> String {
    let (status, _, text) = answer(stack.http.get(format!("{}/queue/A", stack.base))).await;
    assert_eq!(status, 200, "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    let entry = &body["data"]["attributes"];
    assert_eq!(entry["state"], "parked", "{text}");
    entry["last-error"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exported_description_stays() {
    let stack = Stack::embedded(&[("KIMAI_DESCRIPTION", "note")]).await;
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.change(&uri, "cal:comment", "\"Note\"").await;
    stack.notify(&[&uri]).await;
    let id = stack.timesheets()[0].0;
    assert!(stack.kimai.edit_timesheet(id, |row| row.exported = true));
    stack.change(&uri, "cal:comment", "\"Other\"").await;
    notify(&stack, &uri).await;
    assert_eq!(descriptions(&stack), [Some("Note".to_owned())]);
    let words = parked(&stack).await;
    assert!(words.ends_with("8:00 here; description in Kimai is not the note here"), "{words}");
    sweep(&stack).await;
    assert_eq!(descriptions(&stack), [Some("Note".to_owned())]);
    // Exported only when the change is on its way: hours can be put back, but the text is not known any more.
    assert!(stack.kimai.edit_timesheet(id, |row| row.exported = false));
    let kimai = stack.kimai.clone();
    let export = move |_: &LoggedRequest| kimai.edit_timesheet(id, |row| row.exported = true);
    let next = When::next("PATCH", "/api/timesheets/*").only(export);
    stack.kimai.fault(next, Fault::wait(std::time::Duration::ZERO));
    stack.change(&uri, "cal:duration", "\"PT1H\"").await;
    stack.notify(&[&uri]).await;
    let row = stack.kimai.timesheets().remove(0);
    assert_eq!((row.duration, row.description.as_deref()), (8 * 3600, Some("Other")));
    let words = parked(&stack).await;
    assert!(words.contains("all but its description"), "{words}");
}
