//! Deletions beyond the bound, over HTTP: found by a dry run, held back, confirmed while they are the same.

use kimai_sync::domain::EntryId;
use serde_json::{Value, json};

use super::{events, get, location, send, september};
use crate::support::stack::Stack;

/// A timesheet that no work log has.
fn orphan(stack: &Stack, day: u8) -> EntryId {
    let begin = format!("2024-09-{day:02}T00:00:00Z").parse().unwrap();
    let end = format!("2024-09-{day:02}T01:00:00Z").parse().unwrap();
    stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(end))
}

/// Sweeps September with this key; the run at its end.
async fn confirm(stack: &Stack, key: &Value) -> Value {
    let mut body = september();
    body["confirm"] = key.clone();
    let answer = send(stack, "/sync-to-kimai/work-logs", &body).await;
    assert_eq!(answer.status(), 202);
    let run = events(&stack.base, &location(&answer)).await.pop().unwrap();
    stack.quiet().await;
    assert_eq!(run["attributes"]["state"], "done", "{run}");
    run
}

/// What a run deleted and held back, and the key that it gave.
fn outcome(run: &Value) -> (u64, u64, Value) {
    let told = &run["attributes"];
    let number = |value: &Value| value.as_u64().unwrap();
    (number(&told["counts"]["deleted"]), number(&told["held"]), told["confirm"]["key"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dry_run_found_is_deleted_with_its_key_while_it_is_just_that() {
    let stack = Stack::embedded(&[("SWEEP_MAX_DELETIONS", "2")]).await;
    let right = stack.register("right", "2024-09-02", "PT8H").await;
    stack.notify(&[&right]).await;
    stack.register("new", "2024-09-03", "PT8H").await;
    let orphans = [10, 11, 12].map(|day| orphan(&stack, day));
    stack.forget_calls();

    let answer = send(&stack, "/sync-to-kimai/work-logs?dry-run=true", &september()).await;
    let place = location(&answer);
    let plan: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let (meta, found) = (&plan["meta"], plan["data"].as_array().unwrap());
    assert_eq!((&meta["counts"]["missing"], &meta["counts"]["orphan"]), (&json!(1), &json!(3)), "{plan}");
    assert_eq!((&meta["held"], found.len()), (&json!(3), 4));
    let held: Vec<&Value> = found.iter().filter(|one| one["attributes"]["held"] == "unconfirmed").collect();
    assert_eq!(held[0]["attributes"]["timesheets"], json!([orphans[0]]));
    assert_eq!(held[0]["attributes"]["kimai"]["begin"], "2024-09-10T00:00:00Z");
    let (_, page) = get(&stack, &format!("{place}/findings?filter[held]=true")).await;
    assert_eq!(page["data"].as_array().unwrap().iter().collect::<Vec<_>>(), held);
    let writes = ["POST", "PATCH", "DELETE"].map(|method| stack.kimai_calls(method));
    assert_eq!((writes, stack.statements().1), ([0; 3], 0), "a dry run changes nothing");
    let first = meta["confirm"]["key"].clone();

    // One more meanwhile: nothing is deleted, all else is done, and there is a key for the four.
    let late = orphan(&stack, 20);
    let (deleted, held, second) = outcome(&confirm(&stack, &first).await);
    assert_eq!((deleted, held, stack.timesheets().len()), (0, 4, 6), "the missing one is there");
    assert!(second.is_string() && second != first);

    // So many less that a sweep without a key could delete them: with a key it is those or none.
    for id in [orphans[0], late] {
        stack.kimai.delete_timesheet(id);
    }
    let run = confirm(&stack, &second).await;
    let (deleted, held, third) = outcome(&run);
    assert_eq!((deleted, held), (0, 2), "{run}");
    assert!(third.is_string() && third != second);
    let (deleted, held, none) = outcome(&confirm(&stack, &third).await);
    assert_eq!((deleted, held, none), (2, 0, Value::Null));

    // More than the bound, and just what the dry run saw.
    let _more = [10, 11, 12].map(|day| orphan(&stack, day));
    let plan = send(&stack, "/sync-to-kimai/work-logs?dry-run=true", &september()).await;
    let plan: Value = serde_json::from_str(&plan.text().await.unwrap()).unwrap();
    let key = plan["meta"]["confirm"]["key"].clone();
    assert_eq!(outcome(&confirm(&stack, &key).await), (3, 0, Value::Null));
    assert_eq!(stack.timesheets().len(), 2, "the two that work logs have");
    // A key is good for one set: once that is gone, it does nothing.
    assert_eq!(outcome(&confirm(&stack, &key).await), (0, 0, Value::Null));
}
