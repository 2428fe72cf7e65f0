//! Databases that were restored from older backups, over HTTP: what the service notices by itself, what it waits for,
//! and that nothing is doubled.

use std::collections::BTreeSet;
use std::time::Duration;

use kimai_sync::domain::EntryId;
use kimai_sync::trackers::kimai::sandbox::{Fault, When};
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::stack::{BASE, Stack, delta};

/// Longer than the answer to a creation may stay lost.
const PATIENCE: Duration = Duration::from_mins(1);

/// Registers work logs of September with these numbers and waits until they are settled.
async fn work(stack: &Stack, numbers: std::ops::RangeInclusive<usize>) -> Vec<String> {
    let mut uris = Vec::new();
    for number in numbers {
        uris.push(register(stack, number).await);
    }
    stack.notify(&uris.iter().map(String::as_str).collect::<Vec<_>>()).await;
    uris
}

async fn register(stack: &Stack, number: usize) -> String {
    let (day, hours) = (number % 30 + 1, number / 30 + 1);
    stack.register(&format!("{number:02}"), &format!("2024-09-{day:02}"), &format!("PT{hours}H")).await
}

async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}"));
}

async fn get(stack: &Stack, path: &str) -> (u16, String) {
    let answer = stack.http.get(format!("{}{path}", stack.base)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn sweep(stack: &Stack, query: &str, confirm: Option<&Value>) -> Value {
    let mut body = json!({"start": "2024-09-01", "end": "2024-09-30"});
    if let Some(key) = confirm {
        body["confirm"] = key.clone();
    }
    let request = stack.http.post(format!("{}/sync-to-kimai/work-logs{query}", stack.base));
    let answer: Response = request
        .header("content-type", "application/vnd.api+json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let Some(run) = answer.headers().get("location").filter(|_| answer.status() == 202) else {
        return serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    };
    let (run, mut ended) = (run.to_str().unwrap().to_owned(), Value::Null);
    wait_until("the sweep ends", async || {
        ended = serde_json::from_str(&get(stack, &run).await.1).unwrap();
        ended["data"]["attributes"]["state"] == "done"
    })
    .await;
    ended
}

/// The code that the entry of a work log carries, if it waits.
async fn code(stack: &Stack, uri: &str) -> Option<&'static str> {
    let entry = stack.engine.queue.entry(&uri.parse_work_log()).await.unwrap();
    entry.and_then(|entry| entry.code).map(kimai_sync::domain::Code::word)
}

trait ParseWorkLog {
    fn parse_work_log(&self) -> kimai_sync::domain::WorkLogUri;
}

impl ParseWorkLog for str {
    fn parse_work_log(&self) -> kimai_sync::domain::WorkLogUri {
        kimai_sync::domain::WorkLogUri::parse(self).unwrap()
    }
}

/// Each of these is linked to one timesheet of its own, and there are no others.
async fn expect_one_each(stack: &Stack, uris: &[&[String]]) {
    let mut linked = BTreeSet::new();
    for uri in uris.iter().copied().flatten() {
        let links = stack.links(uri).await;
        assert_eq!(links.len(), 1, "{uri} is linked to {links:?}");
        assert!(
            linked.insert(EntryId::number(links[0].parse().unwrap())),
            "{uri} shares timesheet {links:?}"
        );
    }
    let timesheets: BTreeSet<EntryId> = stack.timesheets().into_iter().map(|row| row.0).collect();
    assert_eq!(timesheets, linked);
}

/// The timesheets that no work log is linked to.
async fn unlinked(stack: &Stack) -> usize {
    let rows = stack.select("SELECT DISTINCT ?id WHERE { ?s a cal:Vevent ; dct:identifier ?id }").await;
    let links: BTreeSet<&str> = rows.iter().map(|row| row["id"].value()).collect();
    stack.timesheets().iter().filter(|row| !links.contains(row.0.to_string().as_str())).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kimai_that_was_put_back_is_recognised_and_its_links_are_rebuilt_once_confirmed() {
    let stack = Stack::embedded(&[]).await;
    let older = work(&stack, 1..=30).await;
    let backup = stack.kimai.snapshot();
    let newer = work(&stack, 31..=50).await;
    stack.kimai.restore(backup);

    // Several at once: whoever was on its way gets its timesheet, and nobody after that.
    let new = [register(&stack, 51).await, register(&stack, 52).await, register(&stack, 53).await];
    assert_eq!(stack.post("/delta", Some(delta(&new.each_ref().map(String::as_str)))).await.0, 204);
    wait_until("the loss is noticed", async || stack.engine.ledger.loss().is_some()).await;
    let late = register(&stack, 54).await;
    assert_eq!(stack.post("/delta", Some(delta(&[&late]))).await.0, 204);
    wait_until("it waits", async || code(&stack, &late).await == Some("kimai-lost-data")).await;
    assert_eq!(stack.links(&late).await, Vec::<String>::new());
    // A work log whose timesheet is lost waits too; one that Kimai still has is updated.
    stack.change(&newer[19], "cal:duration", "\"PT3H30M\"").await;
    stack.change(&older[0], "cal:duration", "\"PT3H30M\"").await;
    assert_eq!(stack.post("/delta", Some(delta(&[&newer[19], &older[0]]))).await.0, 204);
    wait_until("it waits", async || code(&stack, &newer[19]).await == Some("kimai-lost-data")).await;
    wait_until("it is updated", async || {
        let ends = stack.timesheets().into_iter().map(|row| row.2);
        ends.into_iter().any(|end| end.ends_with(":30:00Z"))
    })
    .await;

    // It is told everywhere, and is no outage.
    let told = get(&stack, "/queue").await.1;
    assert!(told.contains("kimai-lost-data") && told.contains("probably because an older backup"), "{told}");
    let told = get(&stack, "/metrics").await.1;
    assert!(told.contains("\nkimai_sync_kimai_lost_data 1.0\n"), "{told}");
    assert!(told.contains("\nkimai_sync_kimai_breaker_open 0.0\n"), "{told}");
    assert!(stack.post("/doctor", None).await.2.contains("kimai-lost-data"));
    assert!(get(&stack, "/").await.1.contains("Kimai has lost timesheets"));
    assert_eq!(get(&stack, "/ready").await.0, 200, "deltas are taken");
    let made = stack.timesheets().len();
    assert!(made <= 33, "{made}: no more than were on their way");
    assert_eq!(unlinked(&stack).await, 0);

    // A sweep by itself does nothing; its plan tells everything, and is confirmed.
    stack.forget_calls();
    let run = sweep(&stack, "", None).await;
    let writes = ["PATCH", "DELETE"].map(|method| stack.kimai_calls(method));
    assert_eq!((writes, stack.timesheets().len()), ([0; 2], made), "{run}");
    let plan = sweep(&stack, "?dry-run=true", None).await;
    assert_eq!(plan["meta"]["counts"]["gone"], 20, "{plan}");
    let held: Vec<&Value> =
        plan["data"].as_array().unwrap().iter().map(|one| &one["attributes"]["held"]).collect();
    assert!(held.iter().all(|held| *held == "kimai-lost-data"), "{held:?}");
    let key = &plan["meta"]["confirm"]["key"];
    assert!(key.is_string(), "{plan}");
    sweep(&stack, "", Some(key)).await;
    assert_eq!(stack.engine.ledger.loss(), None);
    stack.quiet().await;
    expect_one_each(&stack, &[&older, &newer, &new, std::slice::from_ref(&late)]).await;

    // And so it goes on.
    let next = work(&stack, 55..=57).await;
    expect_one_each(&stack, &[&older, &newer, &new, &[late], &next]).await;
    assert!(get(&stack, "/metrics").await.1.contains("\nkimai_sync_kimai_lost_data 0.0\n"));
    let plan = sweep(&stack, "?dry-run=true", None).await;
    assert_eq!(plan["data"], json!([]), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_both_databases_were_put_back_and_our_file_kept_work_goes_on_by_itself() {
    let stack = Stack::embedded(&[]).await;
    let empty = stack.kimai.snapshot();
    let forgotten = work(&stack, 1..=50).await;
    assert_eq!(stack.timesheets().len(), 50);
    stack.kimai.restore(empty);
    for uri in &forgotten {
        stack.update(&format!("DELETE {{ <{uri}> ?p ?o }} WHERE {{ <{uri}> ?p ?o }}")).await;
    }
    let new = work(&stack, 51..=52).await;
    expect_one_each(&stack, &[&new]).await;
    assert_eq!(stack.engine.ledger.loss(), None, "nobody has lost anything");
    // A restored work log that comes back under its IRI is pushed, whatever we remember of it.
    let again = work(&stack, 7..=8).await;
    expect_one_each(&stack, &[&new, &again]).await;
    let plan = sweep(&stack, "?dry-run=true", None).await;
    assert_eq!(plan["data"], json!([]), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_again_below_the_mark_and_despite_an_absurd_id() {
    // The id stands in a list; taken for the highest one, it would hide what is created after it.
    let stack = Stack::embedded(&[]).await;
    let first = work(&stack, 1..=1).await;
    let absurd = format!(
        r#"[{{"id":{},"activity":1,"project":1,"user":1,"begin":"2024-09-02T00:00:00+0200","end":"2024-09-02T01:00:00+0200","tags":[]}}]"#,
        1_u64 << 62
    );
    let listing = When::next("GET", "/api/timesheets").only(|request| request.query.contains("begin="));
    stack.kimai.fault(listing, Fault::answer(200).header("X-Total-Pages", "1").body(&absurd));
    sweep(&stack, "?dry-run=true", None).await;

    // And another stack, where both databases were put back while an answer was lost.
    let both = Stack::embedded(&[]).await;
    let empty = both.kimai.snapshot();
    let forgotten = work(&both, 1..=5).await;
    both.kimai.restore(empty);
    for uri in &forgotten {
        both.update(&format!("DELETE {{ <{uri}> ?p ?o }} WHERE {{ <{uri}> ?p ?o }}")).await;
    }
    let lost = async |stack: &Stack| {
        let uri = register(stack, 2).await;
        stack.kimai.fault(When::next("POST", "/api/timesheets"), Fault::cut().applied());
        stack.notify(&[&uri]).await;
        uri
    };
    let (one, other) = tokio::join!(lost(&stack), lost(&both));
    expect_one_each(&stack, &[&first, &[one]]).await;
    expect_one_each(&both, &[&[other]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newest_timesheet_that_somebody_deleted_is_no_loss() {
    let stack = Stack::embedded(&[]).await;
    let uris = work(&stack, 1..=3).await;
    let newest = stack.timesheets().last().unwrap().0;
    let mut owner = None;
    for uri in &uris {
        if stack.links(uri).await == [newest.to_string()] {
            owner = Some(uri);
        }
    }
    let owner = owner.unwrap();
    assert!(stack.kimai.delete_timesheet(newest));
    let next = work(&stack, 4..=4).await;
    assert_eq!((stack.engine.ledger.loss(), stack.links(&next[0]).await), (None, vec!["4".to_owned()]));
    stack.change(owner, "cal:duration", "\"PT5H\"").await;
    stack.notify(&[owner]).await;
    expect_one_each(&stack, &[&uris, &next]).await;
    assert!(owner.starts_with(BASE));
}
