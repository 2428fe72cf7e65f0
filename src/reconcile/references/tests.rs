//! Nothing that was noted is lost, and nothing starves.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::tz::TimeZone;

use super::*;
use crate::domain::WorkLogUri;
use crate::queue::Outcome;
use crate::store::sqlite::{SqliteQueue, SqliteReferences, Storage};
use crate::triplestore::statement::Iri;
use crate::triplestore::testing::Watched;
use crate::triplestore::work_logs::SparqlWorkLogs;
use crate::triplestore::{Row, Triplestore, TriplestoreFault};

struct Scene {
    store: Arc<Watched>,
    queue: Arc<SqliteQueue>,
    references: References,
}

/// A store that takes no statement with this in it.
struct Picky(Arc<Watched>);

const REFUSED: &str = "<http://x/refused>";

#[async_trait]
impl Triplestore for Picky {
    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        if query.contains(REFUSED) {
            return Err(TriplestoreFault::Refused("it says no".into()));
        }
        self.0.select(query).await
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        self.0.update(update).await
    }
}

async fn scene(turtle: &str) -> Scene {
    let store = Arc::new(Watched::holding(turtle).await);
    let (storage, clock) = (Storage::in_memory().unwrap(), Clock::system(TimeZone::UTC));
    let queue = Arc::new(SqliteQueue::open(storage.clone(), clock.clone()).unwrap());
    let source =
        Arc::new(SparqlWorkLogs::new(Arc::new(Picky(store.clone())), Iri::new("http://kimai").unwrap()));
    let references = References::new(Arc::new(SqliteReferences::new(storage)), source, queue.clone(), clock);
    Scene { store, queue, references }
}

fn work_logs(count: usize, task: &str) -> String {
    let one = |number| {
        format!("<http://x/work-logs/{task}{number:04}> a cal:Vevent ; dct:subject <http://x/{task}> .\n")
    };
    (0..count).map(one).collect()
}

#[tokio::test]
async fn what_is_noted_is_followed_once_and_outlives_a_triplestore_that_is_down() {
    let scene = scene(&work_logs(3, "a")).await;
    let references = &scene.references;
    references.note(["http://x/a", "http://x/a", "http://x/none"].into_iter()).await.unwrap();
    assert_eq!(references.waiting().await, Ok(2));
    scene.store.blind_from(1);
    references.follow().await.unwrap_err();
    assert_eq!(references.waiting().await, Ok(2), "it waits");
    scene.store.start_counting();
    assert_eq!(references.follow().await, Ok(3));
    assert_eq!(references.follow().await, Ok(0));
    assert_eq!((references.waiting().await, scene.store.selects()), (Ok(0), 2));
    assert_eq!(scene.queue.counts().await.unwrap().waiting(), 3);
}

#[tokio::test]
async fn hundreds_are_looked_for_together() {
    let scene = scene(&(0..250).map(|n| work_logs(1, &format!("t{n}-"))).collect::<String>()).await;
    let noted: Vec<String> = (0..250).map(|n| format!("http://x/t{n}-")).collect();
    scene.references.note(noted.iter().map(String::as_str)).await.unwrap();
    assert_eq!(scene.references.follow().await, Ok(250));
    assert_eq!(scene.store.selects(), 6, "a page and the end of it, for each hundred");
}

#[tokio::test]
async fn what_the_triplestore_refuses_costs_only_itself() {
    let scene = scene(&work_logs(3, "a")).await;
    let noted = ["http://x/none", "http://x/refused", "http://x/a"];
    scene.references.note(noted.into_iter()).await.unwrap();
    assert_eq!(scene.references.follow().await, Ok(3));
    assert_eq!(scene.references.waiting().await, Ok(0));
}

#[tokio::test]
async fn a_fresh_change_goes_before_thousands() {
    let scene = scene(&work_logs(2_000, "a")).await;
    scene.references.note(std::iter::once("http://x/a")).await.unwrap();
    assert_eq!(scene.references.follow().await, Ok(2_000));
    let fresh = WorkLogUri::parse("http://x/work-logs/fresh").unwrap();
    scene.queue.put(std::slice::from_ref(&fresh), Reason::Delta, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let lease = scene.queue.lease().await.unwrap();
    assert_eq!(lease.work_log, fresh);
    scene.queue.complete(lease, Outcome::done()).await.unwrap();
    assert_eq!(scene.queue.lease().await.unwrap().reason, Reason::Reference);
}
