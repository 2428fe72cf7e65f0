//! Deltas that arrive before the triplestore shows what they tell of, over HTTP and in real time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::stack::{Stack, delta};

/// A delta that says of a subject that it lost the class of a work log.
fn deletion(uri: &str) -> Value {
    let mut deletion = delta(&[uri]);
    let inserts = deletion[0]["inserts"].take();
    deletion[0] = json!({ "inserts": [], "deletes": inserts });
    deletion
}

/// The hours of each day that Kimai has.
fn days(stack: &Stack) -> Vec<(String, String)> {
    stack.timesheets().into_iter().map(|(_, begin, end, ..)| (begin, end)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shows_a_moment_after_its_delta_reaches_kimai_without_a_sweep() {
    let stack = Stack::embedded(&[("SETTLE_RECHECK", "1,1")]).await;
    let changed = stack.register("changed", "2024-09-02", "PT1H").await;
    let deleted = stack.register("deleted", "2024-09-03", "PT1H").await;
    let erased = stack.register("erased", "2024-09-04", "PT1H").await;
    stack.notify(&[&changed, &deleted, &erased]).await;
    assert_eq!(days(&stack).len(), 3);
    // Told of, and not to be seen yet.
    let created = "http://timekeeper.redpencil.io/work-logs/created";
    for told in [delta(&[created, &changed]), deletion(&deleted), deletion(&erased)] {
        assert_eq!(stack.post("/delta", Some(told)).await.0, 204);
    }
    stack.quiet().await;
    assert_eq!(days(&stack).len(), 3, "nothing to do");
    assert_eq!(stack.register("created", "2024-09-05", "PT1H").await, created);
    stack.change(&changed, "cal:duration", "\"PT2H\"").await;
    stack.take_back(&deleted).await;
    stack.update(&format!("DELETE WHERE {{ <{erased}> ?p ?o }}")).await;
    let since = Instant::now();
    let hours = |day: &str, from: &str, to: &str| (format!("{day}T{from}:00Z"), format!("{day}T{to}:00Z"));
    let wanted = [hours("2024-09-02", "00:00", "02:00"), hours("2024-09-05", "00:00", "01:00")];
    while days(&stack) != wanted {
        assert!(since.elapsed() < Duration::from_secs(30), "{:?} instead of {wanted:?}", days(&stack));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
