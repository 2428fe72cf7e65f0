//! How a queue looks again at what deltas named.

use std::sync::Arc;
use std::time::Duration;

use super::{Home, Open, Options, at, work_log};
use crate::domain::{Code, Sighting};
use crate::queue::{Lease, Outcome, Reason};
use crate::store::{Look, Queue};

/// With looks 5 s after a run and 30 s after that.
fn options() -> Options {
    Options { rechecks: [5, 30].map(Duration::from_secs).into(), ..Options::at(0) }
}

/// What a run saw.
fn seen(bits: i64) -> Sighting {
    Sighting::from_bits(bits)
}

/// A delta names a work log, and its run sees this and ends well.
async fn told(queue: &Arc<dyn Queue>, number: u8, removed: bool, saw: Sighting) {
    queue.put_named(&[(work_log(number), removed)].into(), at(0)).await.unwrap();
    run(queue, saw).await;
}

async fn run(queue: &Arc<dyn Queue>, saw: Sighting) {
    let lease = queue.lease().await.unwrap();
    queue.complete(Lease { seen: Some(saw), ..lease }, Outcome::done()).await.unwrap();
}

/// The looks that are due within this many seconds.
async fn looks_within(queue: &Arc<dyn Queue>, seconds: u64) -> Vec<Look> {
    let looks = tokio::time::timeout(Duration::from_secs(seconds), queue.looks(100)).await;
    looks.map(Result::unwrap).unwrap_or_default()
}

async fn end(queue: &Arc<dyn Queue>, looks: Vec<Look>, changed: bool) -> usize {
    queue.end_looks(looks.into_iter().map(|look| (look, changed)).collect()).await.unwrap()
}

pub(crate) async fn a_look_comes_after_each_pause_and_over_a_restart(home: impl Home) {
    let options = options();
    let open = home.open(&options);
    told(&open.queue, 1, false, seen(7)).await;
    assert_eq!(open.queue.has_look(&work_log(1)).await, Ok(true));
    assert_eq!(looks_within(&open.queue, 4).await, []);
    let killed = home.killed();
    drop(open);
    let Open { queue, .. } = killed.open(&options);
    let looks = looks_within(&queue, 2).await;
    let found: Vec<_> = looks.iter().map(|look| (look.work_log.clone(), look.seen)).collect();
    assert_eq!(found, [(work_log(1), seen(7))]);
    assert_eq!(looks_within(&queue, 1).await, looks, "until it is ended");
    assert_eq!(end(&queue, looks, false).await, 0);
    assert_eq!(looks_within(&queue, 28).await, []);
    let looks = looks_within(&queue, 3).await;
    assert_eq!(looks.len(), 1, "the second pause");
    end(&queue, looks, false).await;
    assert_eq!(queue.has_look(&work_log(1)).await, Ok(false));
    assert_eq!(looks_within(&queue, 10_000).await, []);
    assert_eq!(queue.entry(&work_log(1)).await, Ok(None), "nothing has changed");
}

pub(crate) async fn what_has_changed_is_queued_with_what_the_delta_removed(home: impl Home) {
    let options = options();
    let Open { queue, .. } = home.open(&options);
    // What is gone before its run sees it needs no look that says so; what still shows its class does.
    told(&queue, 1, true, Sighting::ABSENT).await;
    told(&queue, 2, true, seen(-1)).await;
    let looks = looks_within(&queue, 6).await;
    assert_eq!(end(&queue, looks, true).await, 2);
    let killed = home.killed();
    let Open { ledger, .. } = killed.open(&options);
    for (number, removed) in [(1, false), (2, true)] {
        let entry = queue.entry(&work_log(number)).await.unwrap().unwrap();
        assert_eq!(entry.reason, Reason::Recheck);
        assert_eq!(ledger.recall(&work_log(number)).await.unwrap().removed, removed, "{number}");
    }
    // Its run goes on with the series.
    run(&queue, seen(8)).await;
    run(&queue, seen(8)).await;
    assert_eq!(looks_within(&queue, 29).await, [], "the first pause is over");
    let looks = looks_within(&queue, 2).await;
    assert_eq!(looks.len(), 2);
    assert_eq!(end(&queue, looks, false).await, 0);
    assert_eq!(looks_within(&queue, 10_000).await, []);
}

pub(crate) async fn a_look_that_was_replaced_ends_nothing(home: impl Home) {
    let Open { queue, .. } = home.open(&options());
    told(&queue, 1, false, seen(7)).await;
    let looks = looks_within(&queue, 6).await;
    told(&queue, 1, false, seen(8)).await;
    assert_eq!(end(&queue, looks, true).await, 0);
    assert_eq!(queue.entry(&work_log(1)).await, Ok(None));
    let looks = looks_within(&queue, 6).await;
    assert_eq!(looks.iter().map(|look| look.seen).collect::<Vec<_>>(), [seen(8)]);
}

pub(crate) async fn what_will_run_anyway_is_not_looked_at(home: impl Home) {
    let Open { queue, .. } = home.open(&options());
    told(&queue, 1, false, seen(7)).await;
    told(&queue, 2, false, seen(7)).await;
    queue.put(&[work_log(1)], Reason::Sweep, at(1_000)).await.unwrap();
    let looks = looks_within(&queue, 6).await;
    assert_eq!(looks.iter().map(|look| look.work_log.clone()).collect::<Vec<_>>(), [work_log(2)]);
}

pub(crate) async fn only_what_may_show_late_is_looked_at(home: impl Home) {
    let Open { queue, .. } = home.open(&options());
    for (number, reason) in (0..).zip(Reason::ALL) {
        queue.put(&[work_log(number)], reason, at(0)).await.unwrap();
    }
    for _ in Reason::ALL {
        run(&queue, seen(7)).await;
    }
    // Nor what a run did not read, or what is parked and runs again by itself.
    told(&queue, 101, false, seen(7)).await;
    queue.put(&[work_log(102), work_log(103)], Reason::Delta, at(0)).await.unwrap();
    let lease = queue.lease().await.unwrap();
    queue.complete(lease, Outcome::done()).await.unwrap();
    let lease = queue.lease().await.unwrap();
    let later =
        Outcome::Later { at: at(500), code: Code::KimaiUnavailable, why: "down".into(), counts: true };
    queue.complete(Lease { seen: Some(seen(7)), ..lease }, later).await.unwrap();
    let mut looked: Vec<_> = looks_within(&queue, 6).await.into_iter().map(|look| look.work_log).collect();
    looked.sort();
    let late = [Reason::Delta, Reason::Request, Reason::Reference];
    let mut wanted: Vec<_> = (0..)
        .zip(Reason::ALL)
        .filter(|(_, reason)| late.contains(reason))
        .map(|(n, _)| work_log(n))
        .collect();
    wanted.push(work_log(101));
    wanted.sort();
    assert_eq!(looked, wanted);
}

pub(crate) async fn a_start_begins_all_looks_anew_or_drops_them(home: impl Home) {
    let options = options();
    let Open { queue, .. } = home.open(&options);
    told(&queue, 1, false, seen(7)).await;
    let looks = looks_within(&queue, 6).await;
    end(&queue, looks, false).await;
    queue.start_looks().await.unwrap();
    assert_eq!(looks_within(&queue, 4).await, []);
    let looks = looks_within(&queue, 2).await;
    assert_eq!(looks.len(), 1, "after the first pause again");
    end(&queue, looks, false).await;
    assert_eq!(queue.has_look(&work_log(1)).await, Ok(true), "and the second is still to come");
    drop(queue);
    let Open { queue, .. } = home.open(&Options { rechecks: Vec::new(), ..options });
    queue.start_looks().await.unwrap();
    assert_eq!(queue.has_look(&work_log(1)).await, Ok(false), "looks are turned off");
}
