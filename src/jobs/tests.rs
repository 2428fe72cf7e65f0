//! The rules: who waits, who joins, what a cancel, a stop and a crash lead to.

mod follow;
mod kept;
mod tries;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::clock::Clock;
use crate::domain::WorkLogUri;
use crate::domain::finding::{Finding, Unconfirmed};
use crate::jobs::import::What;
use crate::jobs::lock::Month;
use crate::progress::Progress;
use crate::reconcile::retry::Failure;
use crate::reconcile::sweep::Period;
use crate::store::sqlite::{SqliteJobs, Storage};
use crate::trackers::kimai;
use crate::trackers::{Fault, Operation, TrackerFault};

type Answer = Result<Done, Trouble>;

/// How long a run may take.
const LIMIT: Duration = Duration::from_hours(2);

/// Work that ends when the test says so.
struct Double {
    begun: mpsc::UnboundedSender<(Task, Option<Unconfirmed>)>,
    go: Semaphore,
    answers: Mutex<Vec<Answer>>,
    /// What is deleted on the way, one a time, the last first.
    deletes: Mutex<Vec<Finding>>,
    at_once: Mutex<BTreeMap<Kind, usize>>,
    most_at_once: AtomicUsize,
    /// How what a sweep queued stands; what is not here is settled.
    standing: Mutex<BTreeMap<WorkLogUri, Standing>>,
    /// Whether it ends early when it is told to.
    deaf: bool,
}

#[async_trait]
impl Work for Double {
    async fn perform(&self, task: Task, confirmed: Option<&Unconfirmed>, progress: &Progress) -> Answer {
        let now = {
            let mut at_once = self.at_once.lock().unwrap();
            let count = at_once.entry(task.kind()).or_default();
            *count += 1;
            *count
        };
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.begun.send((task, confirmed.cloned())).unwrap();
        if let Some(finding) = self.deletes.lock().unwrap().pop() {
            progress.deleted(&finding);
        }
        progress.phase("comparing", Some(2));
        progress.advance(1);
        let mut watch = progress.watch();
        loop {
            tokio::select! {
                permit = self.go.acquire() => { permit.unwrap().forget(); break }
                () = tokio::time::sleep(Duration::from_millis(50)), if !self.deaf => {}
            }
            if progress.is_stopped() {
                break;
            }
            watch.borrow_and_update();
        }
        *self.at_once.lock().unwrap().get_mut(&task.kind()).unwrap() -= 1;
        let answer = self.answers.lock().unwrap().pop();
        match answer {
            Some(Err(Trouble::Broken(words))) => panic!("{words}"),
            Some(answer) => answer,
            None => Ok(Done { message: "Done.".to_owned(), ..Done::default() }),
        }
    }

    async fn standing(&self, work_log: &WorkLogUri) -> Standing {
        self.standing.lock().unwrap().get(work_log).copied().unwrap_or(Standing::Synced)
    }

    fn time_limit(&self) -> Duration {
        LIMIT
    }
}

/// Runs that are done by a double.
struct Scene {
    runs: Jobs,
    work: Arc<Double>,
    begun: mpsc::UnboundedReceiver<(Task, Option<Unconfirmed>)>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Scene {
    fn on(storage: &Storage) -> Self {
        Self::with(storage, false)
    }

    fn with(storage: &Storage, deaf: bool) -> Self {
        Self::resuming(storage, deaf, true)
    }

    fn resuming(storage: &Storage, deaf: bool, resume: bool) -> Self {
        let (sender, begun) = mpsc::unbounded_channel();
        let work = Arc::new(Double {
            begun: sender,
            go: Semaphore::new(0),
            answers: Mutex::default(),
            deletes: Mutex::default(),
            standing: Mutex::default(),
            at_once: Mutex::default(),
            most_at_once: AtomicUsize::new(0),
            deaf,
        });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let doer = Arc::clone(&work) as Arc<dyn Work>;
        let runs = Jobs::open(
            Arc::new(SqliteJobs::new(storage.clone())),
            resume,
            clock,
            doer,
            tasks.clone(),
            stop.clone(),
        )
        .unwrap();
        Self { runs, work, begun, tasks, stop }
    }

    fn new() -> Self {
        Self::on(&Storage::in_memory().unwrap())
    }

    async fn ask(&self, task: Task) -> Asked {
        self.runs.ask(Order::new(task, AskedBy::Request)).await.unwrap()
    }

    /// Lets one run end.
    fn go(&self) {
        self.work.go.add_permits(1);
    }

    fn answer(&self, answer: Answer) {
        self.work.answers.lock().unwrap().insert(0, answer);
    }

    /// The next `times` attempts meet a neighbour that is down.
    fn fail(&self, times: usize) {
        (0..times).for_each(|_| self.answer(trouble()));
    }

    /// Waits for the next beginning.
    async fn begins(&mut self) -> Task {
        self.begun.recv().await.unwrap().0
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn state(&self, id: u64) -> State {
        self.runs.get(id).unwrap().state
    }
}

fn period(month: i8) -> Period {
    let first = jiff::civil::date(2024, month, 1);
    Period { first, last: first.last_of_month() }
}

fn sweep(month: i8) -> Task {
    Task::Sweep(period(month))
}

fn trouble() -> Answer {
    Err(Failure::Kimai(TrackerFault::new(kimai::NAME, Operation::Create, Fault::Transient, "down")).into())
}

fn found(findings: Vec<Finding>) -> Done {
    Done { held: findings.len(), findings, message: "Found.".to_owned(), ..Done::default() }
}

#[tokio::test(start_paused = true)]
async fn the_same_period_is_joined_while_it_waits_and_others_wait_for_their_turn() {
    let mut scene = Scene::new();
    let first = scene.ask(sweep(1)).await;
    assert_eq!(scene.begins().await, sweep(1));
    let second = scene.ask(sweep(1)).await;
    let third = scene.ask(sweep(2)).await;
    let joined = scene.ask(sweep(2)).await;
    assert_eq!((first.joined, second.joined, third.joined, joined.joined), (false, false, false, true));
    assert_eq!(joined.run.id, third.run.id);
    let (first, second, third) = (first.run.id, second.run.id, third.run.id);
    let waits = |id| scene.runs.get(id).unwrap().waits_for;
    assert_eq!((waits(first), waits(second), waits(third)), (None, Some(first), Some(second)));
    assert_eq!(scene.state(third), State::Waiting);
    // A plan, an import and a lock do not wait for sweeps, nor for each other.
    let month = Month::new(2024, 9).unwrap();
    for task in
        [Task::Plan(period(1)), Task::Import(What::Tasks), Task::Import(What::Customers), Task::Lock(month)]
    {
        scene.ask(task).await;
        assert_eq!(scene.begins().await, task);
    }
    // Of one kind only one at a time.
    let import = scene.ask(Task::Import(What::Tasks)).await;
    assert_eq!((import.run.state, import.run.waits_for), (State::Waiting, Some(5)));
    scene.work.go.add_permits(100);
    for ticket in [joined.ticket, import.ticket] {
        assert_eq!(ticket.end().await, Some(End::Done));
    }
    let order: Vec<Task> = scene.runs.list(Some(Kind::Sweep)).iter().rev().map(|run| run.task).collect();
    assert_eq!(order, [sweep(1), sweep(1), sweep(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_and_the_one_behind_it_begins_only_when_it_may() {
    let mut scene = Scene::new();
    let first = scene.ask(sweep(1)).await.run.id;
    assert_eq!(scene.begins().await, sweep(1));
    let (second, third) = (scene.ask(sweep(2)).await.run.id, scene.ask(sweep(3)).await.run.id);
    let cancelled = scene.runs.cancel(second).await.unwrap();
    assert_eq!((cancelled.state, cancelled.started), (State::Cancelled, None), "one that waits ends at once");
    // It waits for the first one now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.runs.get(third).unwrap().waits_for, Some(first));
    let again = scene.ask(sweep(2)).await;
    assert!(!again.joined, "nobody joins what was cancelled");
    scene.runs.cancel(first).await.unwrap();
    assert_eq!(scene.begins().await, sweep(3));
    let first = scene.runs.get(first).unwrap();
    assert_eq!(first.state, State::Cancelled);
    assert!(first.message.unwrap().contains("is not undone"));
    let fault = scene.runs.cancel(first.id).await.unwrap_err().to_string();
    assert!(fault.contains("has ended already (cancelled)"), "{fault}");
    assert_eq!(scene.runs.cancel(99).await, Err(JobsFault::Unknown(99)));
}

#[tokio::test(start_paused = true)]
async fn sweeps_go_on_after_a_stop_under_their_number_and_the_others_have_failed() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let mut scene = Scene::on(&storage);
    let import = Task::Import(What::Accounts);
    for task in [sweep(1), import] {
        scene.ask(task).await;
        scene.begins().await;
    }
    let waiting =
        [scene.ask(sweep(2)).await, scene.ask(import).await, scene.ask(Task::Plan(period(3))).await];
    let cancelled = scene.ask(sweep(3)).await.run.id;
    scene.runs.cancel(cancelled).await.unwrap();
    let runs = scene.runs.clone();
    scene.stop.cancel();
    assert_eq!(runs.ask(Order::new(sweep(4), AskedBy::Cron)).await.unwrap_err(), JobsFault::Stopping);
    // The sweep heeds the stop; the import that is under way may end.
    scene.work.go.add_permits(2);
    scene.stop().await;
    for asked in waiting {
        assert_eq!(asked.ticket.end().await, None, "whoever waits is told");
    }
    drop(runs);

    let mut scene = Scene::on(&storage);
    let states: Vec<State> = (1..=6).map(|id| scene.state(id)).collect();
    let (waiting, failed) = (State::Waiting, State::Failed);
    assert_eq!(states, [waiting, State::Done, waiting, failed, failed, State::Cancelled]);
    assert!(
        scene
            .runs
            .get(4)
            .unwrap()
            .message
            .unwrap()
            .contains("interrupted by a stop of the service; request it again")
    );
    scene.work.go.add_permits(2);
    assert_eq!((scene.begins().await, scene.begins().await), (sweep(1), sweep(2)));
    let ticket = scene.ask(sweep(2)).await.ticket;
    scene.go();
    ticket.end().await.unwrap();
    let run = scene.runs.get(1).unwrap();
    assert!(
        run.state == State::Done && run.resumed && run.message.unwrap().contains("restarted after a stop")
    );
    scene.stop().await;

    let scene = Scene::on(&storage);
    assert!(scene.runs.list(None).iter().all(|run| run.state.is_ended()), "nothing is begun a third time");
}

/// kill -9: the rows are what they were, also of a run whose work heeds nothing.
#[tokio::test(start_paused = true)]
async fn a_crash_leaves_a_sweep_to_be_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let mut scene = Scene::with(&storage, true);
    scene.ask(sweep(1)).await;
    scene.begins().await;
    // A second process on the same file: all that the first one still holds is memory.
    let mut after = Scene::on(&storage);
    assert_eq!(after.begins().await, sweep(1));
    assert!(after.runs.is_under_way(|run| run.task == sweep(1) && run.resumed));
    assert_eq!(after.ask(sweep(2)).await.run.id, 2, "numbers go on");
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_sweep_that_is_begun_again_gives_up_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let mut scene = Scene::with(&storage, true);
    scene.runs.ask(Order::new(sweep(1), AskedBy::Cron)).await.unwrap();
    scene.begins().await;
    let mut after = Scene::on(&storage);
    after.fail(3);
    for _ in 0..3 {
        after.begins().await;
        after.go();
    }
    // The next one comes after it.
    let next = after.ask(sweep(1)).await;
    after.begins().await;
    after.go();
    assert_eq!(next.ticket.end().await, Some(End::Done));
    assert_eq!(after.state(1), State::Failed);
}

/// Before restored data are looked at, nothing may be put right by them.
#[tokio::test(start_paused = true)]
async fn where_nothing_is_to_be_swept_at_start_nothing_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let mut scene = Scene::with(&storage, true);
    scene.ask(sweep(1)).await;
    scene.begins().await;
    let after = Scene::resuming(&storage, false, false);
    let run = after.runs.get(1).unwrap();
    assert!(run.state == State::Failed && run.message.unwrap().contains("request it again"));
    assert!(!after.runs.is_under_way(|_| true));
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_is_told_of_each_step_and_of_the_end() {
    let mut scene = Scene::with(&Storage::in_memory().unwrap(), true);
    scene.ask(sweep(1)).await;
    let (_, follow) = scene.runs.follow(1).unwrap();
    let mut follow = follow.unwrap();
    let mut seen = vec![];
    scene.begins().await;
    while scene.runs.get(1).unwrap().stand.done == 0 {
        assert!(follow.changed().await);
    }
    scene.go();
    while follow.changed().await {
        seen.push(follow.run().unwrap().state);
    }
    assert_eq!(follow.run().unwrap().state, State::Done);
    assert!(scene.runs.follow(1).unwrap().1.is_none(), "there is nothing more to follow");
    assert!(seen.len() <= 3, "{seen:?}");
}
