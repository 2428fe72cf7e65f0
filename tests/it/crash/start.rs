//! The start after a crash with much to do.

use kimai_sync::clock::Clock;
use kimai_sync::domain::WorkLogUri;
use kimai_sync::queue::Reason;
use kimai_sync::store::Queue as _;
use kimai_sync::store::sqlite::{SqliteQueue, Storage};

use super::company::Mode;
use super::trial::Trial;
use super::world::Change;
use super::{PATIENCE, until};

/// What waits.
const ENTRIES: usize = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_on_soon_after_a_crash_with_100_000_entries_waiting() {
    let mut trial = Trial::new("start", 0, Mode::Stack).await;
    fill(&trial.company.folder.path().join("data")).await;
    let settings = [("LOG_LEVEL", "kimai_sync=debug"), ("SYNC_AT_START", "false")];
    for turn in ["after an orderly end", "after kill -9"] {
        let mut life = trial.live(turn, &settings).await;
        let listening = life.started.elapsed();
        let settled = until(PATIENCE, async || trial.log.has("Settled <").then(|| life.started.elapsed()));
        let settled = settled.await.expect("something is settled");
        let (resident, _) = life.resources().unwrap();
        println!(
            "{turn}: listening after {listening:?}, first entry settled after {settled:?}, {resident} KiB"
        );
        // It takes changes all the while.
        assert!(trial.single_step(&life, Change::Create).await);
        life.kill().await;
    }
    let left = trial.leftovers().await;
    assert!(left.parked.is_empty() && left.waiting > ENTRIES / 2, "{left:?}");
}

/// Queues work logs that are not there any more.
async fn fill(data: &std::path::Path) {
    let clock = Clock::system(jiff::tz::TimeZone::UTC);
    let queue = SqliteQueue::open(Storage::open(data).unwrap(), clock.clone()).unwrap();
    let uri = |number: usize| format!("http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A00{number:08}");
    let all: Vec<WorkLogUri> = (0..ENTRIES).map(|number| WorkLogUri::parse(&uri(number)).unwrap()).collect();
    for part in all.chunks(10_000) {
        queue.put(part, Reason::Delta, clock.now()).await.unwrap();
    }
    assert_eq!(queue.counts().await.unwrap().waiting(), ENTRIES);
}
