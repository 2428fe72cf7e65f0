//! Deltas may name what nobody knows, by the ten thousand. That keeps no real change waiting.

use std::time::{Duration, Instant};

use crate::support::stack::{Stack, delta};

/// Waits until Kimai has a timesheet; gives how long that took.
async fn synced(stack: &Stack) -> Duration {
    let since = Instant::now();
    while stack.timesheets().is_empty() {
        assert!(since.elapsed() < Duration::from_mins(1), "it is not synced");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    since.elapsed()
}

/// With `KIMAI_SYNC_UNKNOWN=100000` it is played with so many, and has to take less than a second.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "the size of a test is no setting of the service")]
async fn a_real_change_does_not_wait_for_the_unknown_ones_before_it() {
    let asked = std::env::var("KIMAI_SYNC_UNKNOWN").ok().and_then(|number| number.parse().ok());
    let count: usize = asked.unwrap_or(3_000);
    let stack = Stack::embedded(&[]).await;
    let real = stack.register("real", "2024-09-02", "PT1H").await;
    stack.forget_calls();
    let unknown: Vec<String> = (0..count).map(|number| format!("http://x/unknown/{number:06}")).collect();
    let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    assert_eq!(stack.post("/delta", Some(delta(&unknown))).await.0, 204);
    assert_eq!(stack.post("/delta", Some(delta(&[&real]))).await.0, 204);
    let took = synced(&stack).await;
    let counts = stack.engine.queue.counts().await.unwrap();
    let left = counts.waiting() + counts.running;
    println!("behind {count} unknown ones a real one took {took:?}; {left} of them were left then");
    if asked.is_some() {
        assert!(took < Duration::from_secs(1), "{took:?}");
        return;
    }
    assert!(left > count / 2, "it came before most of them: {left} are left");
    stack.quiet().await;
    // Each read, a look whether it shows anything at all, and each read again: in batches, not three for each.
    let (selects, _) = stack.statements();
    println!("{count} unknown ones cost {selects} queries");
    assert!(selects < count / 4, "{selects} queries for {count} work logs that nobody knows");
}
