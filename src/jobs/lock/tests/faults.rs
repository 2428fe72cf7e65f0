//! No fault leaves a timesheet exported without its work logs.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::triplestore::Row;
use crate::triplestore::testing::WAYS;

/// Two people with 150 work logs each, some of them in another timesheet: 3 updates a person.
async fn two_people() -> Arc<Watched> {
    let store = Watched::new();
    for name in ["ann", "bob"] {
        let mut turtle = person(name) + &sheet(name, name, status::SUBMITTED);
        turtle += &timesheet(&format!("old-{name}"), name, &date("2025-08-01"), status::EXPORTED);
        for log in 0..150 {
            turtle += &work_log(&format!("{name}-{log}"), name, "2025-09-10");
            if log % 3 == 0 {
                turtle += &member(&format!("old-{name}"), &format!("{name}-{log}"));
            }
        }
        store.add(&turtle).await;
    }
    Arc::new(store)
}

async fn is_whole(store: &Watched, name: &str) -> bool {
    members(store, name).await.len() == 150 && members(store, &format!("old-{name}")).await.is_empty()
}

#[tokio::test]
async fn no_failing_update_leaves_a_timesheet_exported_without_its_work_logs() {
    for way in WAYS {
        for at in 1..=6 {
            let store = two_people().await;
            store.fail_at(at, way);
            let report = lock(&store).await;
            for name in ["ann", "bob"] {
                let exported = matches!(outcome(&report, name), Outcome::Exported { .. });
                let failed = matches!(outcome(&report, name), Outcome::Failed(_));
                let case = format!("{way:?} at {at}, {name}: {}", outcome(&report, name));
                assert!(exported != failed, "{case}");
                let status = if exported { status::EXPORTED } else { status::SUBMITTED };
                assert_eq!(status_of(&store, name).await, [status], "{case}");
                assert!(!exported || is_whole(&store, name).await, "{case}");
                let mut held = members(&store, &format!("old-{name}")).await;
                held.extend(members(&store, name).await);
                let lost = (0..150).step_by(3).find(|log| !held.contains(&format!("{name}-{log}")));
                assert_eq!(lost, None, "{case}: a work log is in no timesheet any more");
            }
            assert!(report.exported() >= 1, "{way:?} at {at}: one must not stop the other");
            store.start_counting();
            assert_eq!(lock(&store).await.failed(), 0);
            assert!(is_whole(&store, "ann").await && is_whole(&store, "bob").await, "{way:?} at {at}");
        }
    }
    let store = two_people().await;
    lock(&store).await;
    assert_eq!(store.updates().len(), 6, "the faults above must have hit every update");
}

#[tokio::test]
async fn a_triplestore_that_cannot_be_read_is_an_error_and_one_that_falls_silent_later_is_reported() {
    for from in 1..=3 {
        let store = two_people().await;
        let before = store.triples().await;
        store.blind_from(from);
        let locker = locker(&store);
        let words = locker.lock(september(), &Progress::unwatched()).await.unwrap_err().to_string();
        assert!(
            words.contains("2025-09 cannot be locked") && words.contains("Nothing was changed"),
            "{words}"
        );
        assert_eq!(store.triples().await, before);
    }
    let store = two_people().await;
    store.blind_from(4);
    let report = lock(&store).await;
    assert_eq!(report.failed(), 2, "{report}");
    assert_eq!(status_of(&store, "ann").await, [status::SUBMITTED], "not read back, not exported");
    let store = two_people().await;
    store.blind_from(5);
    let report = lock(&store).await;
    assert_eq!(report.failed(), 2, "{report}");
    assert!(is_whole(&store, "ann").await);
    assert!(outcome(&report, "ann").to_string().contains("could not be read back"));
}

/// A triplestore in whose statement number `at` the lock is cancelled: a query then gets no answer any more.
struct Cancelling {
    inner: Arc<Watched>,
    at: usize,
    seen: AtomicUsize,
    stop: CancellationToken,
}

impl Cancelling {
    fn strikes(&self) -> bool {
        let strikes = self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.at;
        if strikes {
            self.stop.cancel();
        }
        strikes
    }
}

#[async_trait]
impl Triplestore for Cancelling {
    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        if self.strikes() {
            std::future::pending::<()>().await;
        }
        self.inner.select(query).await
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        self.strikes();
        self.inner.update(update).await
    }
}

#[tokio::test]
async fn a_cancelled_lock_waits_for_no_query_and_sends_nothing_more() {
    for at in 1.. {
        let (inner, stop) = (two_people().await, CancellationToken::new());
        let store =
            Cancelling { inner: Arc::clone(&inner), at, seen: AtomicUsize::new(0), stop: stop.clone() };
        let store = Arc::new(store);
        let locker = Locker::new(Arc::clone(&store) as _, queue());
        let progress = Progress::new(stop.clone());
        let ended = locker.lock(september(), &progress);
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.expect("it ends");
        if !stop.is_cancelled() {
            assert!(at > 10, "{at}");
            return;
        }
        let after = store.seen.load(Ordering::SeqCst) - at;
        assert_eq!(after, 0, "statement {at}: {ended:?}");
        for name in ["ann", "bob"] {
            let exported = status_of(&inner, name).await == [status::EXPORTED];
            assert!(!exported || is_whole(&inner, name).await, "statement {at}");
        }
    }
}
