//! What shows late is found, what does not costs little, and nothing keeps the rest from being looked at.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_util::task::TaskTracker;

use super::*;
use crate::domain::WorkLogUri;
use crate::queue::{Entry, Filter, Lease, Outcome, Reason};
use crate::store::Ledger;
use crate::store::sqlite::memory::Memory;
use crate::store::sqlite::{SqliteLedger, SqliteQueue, Storage};
use crate::triplestore::refusal::{Refusal, RefusalKind};
use crate::triplestore::statement::Iri;
use crate::triplestore::testing::Watched;
use crate::triplestore::work_logs::SparqlWorkLogs;
use crate::triplestore::{Row, Triplestore, TriplestoreFault};

const REFUSED: &str = "http://x/work-logs/refused";
const PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

/// A store that takes no statement with [`REFUSED`] in it.
struct Picky(Arc<Watched>);

#[async_trait]
impl Triplestore for Picky {
    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        if query.contains(&format!("<{REFUSED}>")) {
            return Err(TriplestoreFault::Refused(Refusal::of(RefusalKind::Other, "it says no")));
        }
        self.0.select(query).await
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        self.0.update(update).await
    }
}

struct Scene {
    store: Arc<Watched>,
    source: Arc<SparqlWorkLogs>,
    queue: Arc<SqliteQueue>,
    memory: Memory,
    storage: Storage,
    clock: Clock,
    stop: CancellationToken,
}

impl Scene {
    /// A service that has just started on `memory`.
    fn start(memory: Memory, store: Arc<Watched>, now: i64) -> Self {
        let clock = Clock::starting_at(Timestamp::from_second(now).unwrap(), TimeZone::UTC);
        let storage = memory.open();
        let queue = SqliteQueue::open(storage.clone(), clock.clone()).unwrap().with_rechecks(&PAUSES);
        let (queue, stop) = (Arc::new(queue), CancellationToken::new());
        let source =
            Arc::new(SparqlWorkLogs::new(Arc::new(Picky(store.clone())), Iri::new("http://kimai").unwrap()));
        let rechecks = Rechecks::new(queue.clone(), source.clone(), clock.clone());
        TaskTracker::new().spawn(rechecks.run(stop.clone()));
        Self { store, source, queue, memory, storage, clock, stop }
    }

    async fn holding(turtle: &str) -> Self {
        Self::start(Memory::fresh(), Arc::new(Watched::holding(turtle).await), 0)
    }

    /// Stopped in the middle, and started again.
    fn restart(self) -> Self {
        self.stop.cancel();
        Self::start(self.memory.copy(), self.store.clone(), self.clock.now().as_second())
    }

    /// A delta names it, and its run looks and ends well.
    async fn told(&self, work_log: &WorkLogUri, removed: bool) {
        let named = [(work_log.clone(), removed)].into();
        self.queue.put_named(&named, self.clock.now()).await.unwrap();
        self.run().await;
    }

    /// The next run looks and ends well.
    async fn run(&self) {
        let mut lease: Lease = self.queue.lease().await.unwrap();
        let subject = lease.work_log.clone();
        let (facts, directory) =
            batched_source::read(self.source.as_ref(), std::slice::from_ref(&subject)).await.unwrap();
        let wanted = DesiredEntry::resolve(&facts[0], &directory, self.clock.zone());
        lease.seen = Some(Sighting::of(&subject, &facts[0], &wanted));
        self.queue.complete(lease, Outcome::done()).await.unwrap();
    }

    async fn entries(&self) -> Vec<Entry> {
        self.queue.page(Filter::default(), None, usize::MAX).await.unwrap()
    }

    async fn after(&self, seconds: u64) -> Vec<Entry> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.entries().await
    }

    fn rows(&self) -> usize {
        self.storage.count("recheck")
    }
}

fn work_log(number: usize) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/work-logs/{number:04}")).unwrap()
}

fn live(number: usize, day: u32) -> String {
    format!("<{}> a cal:Vevent ; cal:dtstart \"2024-09-{day:02}\" .\n", work_log(number))
}

/// How its change shows: what was there, what happens then, and whether the delta told of a removal.
const CHANGES: [(&str, &str, &str, bool); 3] = [
    ("created", "", "INSERT DATA { <http://x/work-logs/0001> a cal:Vevent }", false),
    (
        "updated",
        "<http://x/work-logs/0001> a cal:Vevent .",
        "INSERT DATA { <http://x/work-logs/0001> cal:duration \"PT1H\" }",
        false,
    ),
    (
        "deleted",
        "<http://x/work-logs/0001> a cal:Vevent .",
        "DELETE WHERE { <http://x/work-logs/0001> ?p ?o }",
        true,
    ),
];

#[tokio::test(start_paused = true)]
async fn what_shows_after_the_run_of_its_delta_is_run_again_whenever_that_is_and_over_a_restart() {
    for (what, before, change, removed) in CHANGES {
        for (late, restarted, found_after) in [(1, false, 6), (20, false, 36), (20, true, 36), (60, false, 0)]
        {
            let mut scene = Scene::holding(&format!("{before} {}", live(2, 2))).await;
            scene.told(&work_log(1), removed).await;
            assert!(scene.entries().await.is_empty(), "nothing waits");
            scene.after(late).await;
            scene.store.write(change).await;
            if restarted {
                scene = scene.restart();
            }
            let entries = scene.after(100 - late).await;
            let found: Vec<_> = entries.iter().map(|entry| (entry.work_log.clone(), entry.reason)).collect();
            let wanted = if found_after > 0 { vec![(work_log(1), Reason::Recheck)] } else { vec![] };
            assert_eq!(found, wanted, "{what}, {late} s late");
            if let [entry] = entries.as_slice() {
                assert!(entry.since.as_second() <= found_after, "{what}: {}", entry.since);
                let ledger = SqliteLedger::open(scene.storage.clone()).unwrap();
                assert_eq!(ledger.recall(&work_log(1)).await.unwrap().removed, removed, "{what}");
                scene.run().await;
                assert!(scene.after(100).await.is_empty(), "{what}: it shows no more than that");
            }
            assert_eq!(scene.rows(), 0, "{what}, {late} s late");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_change_costs_a_few_reads_for_hundreds() {
    let turtle: String = (0..250).map(|number| live(number, 2)).collect();
    let scene = Scene::holding(&turtle).await;
    for number in 0..500 {
        scene.told(&work_log(number), false).await;
    }
    scene.store.start_counting();
    assert!(scene.after(3_600).await.is_empty());
    // Two looks at five hundreds each, and two more reads for those of which nothing is found.
    assert_eq!((scene.store.selects(), scene.rows()), (2 * 5 * 3, 0));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_told_of_just_now_is_not_looked_at_again() {
    let scene = Scene::holding(&live(1, 2)).await;
    for reason in [Reason::Sweep, Reason::Import, Reason::Daily] {
        scene.queue.put(&[work_log(1)], reason, scene.clock.now()).await.unwrap();
        scene.run().await;
        assert_eq!(scene.rows(), 0, "{reason}");
    }
    // What is told while it runs is for the run after it.
    scene.queue.put(&[work_log(1)], Reason::Sweep, scene.clock.now()).await.unwrap();
    let lease = scene.queue.lease().await.unwrap();
    scene.queue.put(&[work_log(1)], Reason::Delta, scene.clock.now()).await.unwrap();
    scene.queue.complete(Lease { seen: Some(Sighting::ABSENT), ..lease }, Outcome::done()).await.unwrap();
    assert_eq!(scene.rows(), 0);
    scene.run().await;
    assert_eq!(scene.rows(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_triplestore_that_says_one_thing_and_then_another_costs_two_runs_a_delta() {
    let scene = Scene::holding(&live(1, 2)).await;
    scene.told(&work_log(1), false).await;
    let mut runs = 0;
    for number in 0..30 {
        let what = if number % 2 == 0 { "INSERT" } else { "DELETE" };
        scene.store.write(&format!("{what} DATA {{ <{}> cal:duration \"PT1H\" }}", work_log(1))).await;
        if !scene.after(40).await.is_empty() {
            scene.run().await;
            runs += 1;
        }
    }
    assert_eq!((runs, scene.rows()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_read_costs_itself_and_the_rest_is_looked_at_once_the_triplestore_is_back() {
    let turtle: String = (0..150).map(|number| live(number, 2)).collect();
    let scene = Scene::holding(&turtle).await;
    for number in 0..150 {
        scene.told(&work_log(number), false).await;
    }
    let refused = WorkLogUri::parse(REFUSED).unwrap();
    scene.queue.put(std::slice::from_ref(&refused), Reason::Delta, scene.clock.now()).await.unwrap();
    let lease = scene.queue.lease().await.unwrap();
    scene.queue.complete(Lease { seen: Some(Sighting::ABSENT), ..lease }, Outcome::done()).await.unwrap();
    scene.store.blind_from(1);
    scene.after(10).await;
    scene.store.write(&format!("INSERT DATA {{ <{}> cal:duration \"PT1H\" }}", work_log(77))).await;
    scene.store.start_counting();
    let mut late: Vec<_> = scene.after(1_800).await.into_iter().map(|entry| entry.work_log).collect();
    late.retain(|work_log| *work_log != refused);
    assert_eq!(late, [work_log(77)]);
    // Each of these is in the queue, and not looked at while it is.
    assert_eq!(scene.rows(), 2);
}
