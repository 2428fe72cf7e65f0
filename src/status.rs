//! Collects the status, and probes whether a system that was down is back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::contact::{self, Record};
use crate::domain::status::{Facts, Link, Load, Neighbour, Outage, Part, Status, Undone};
use crate::jobs::{Job, Kind, State};
use crate::queue::Counts;
use crate::reconcile::breaker;
use crate::reconcile::worker::Workers;
use crate::store::sqlite::Storage;
use crate::store::{Ledger, Queue, QueueFault};
use crate::trackers::Tracker;
use crate::work_logs::WorkLogs;

/// How long the last failure of a system counts.
const ASK_EVERY: Duration = Duration::from_secs(15);
/// How often to check whether that is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The time limit for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Collects the status of the service. Cheap to clone.
#[derive(Clone)]
pub struct StatusSource {
    /// How the triplestore last answered.
    pub triplestore: Record,
    /// How Kimai last answered.
    pub kimai: Record,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The circuit breakers.
    pub workers: Arc<Workers>,
    /// Detects whether Kimai has lost timesheets.
    pub ledger: Arc<dyn Ledger>,
    /// The queue file.
    pub storage: Storage,
    /// The time.
    pub clock: Clock,
}

impl StatusSource {
    /// The current status. `undone`: what the newest sweep left undone; `stopping`: whether the service is stopping.
    pub async fn status(&self, undone: Option<Undone>, stopping: bool) -> Result<Status, QueueFault> {
        let Counts { queued, scheduled, running, parked } = self.queue.counts().await?;
        let now = self.clock.now();
        let oldest_due = self.queue.oldest_due().await?.filter(|due| *due <= now);
        let load = Load { queued, scheduled, running, parked, oldest_due };
        Ok(Status::of(Facts { stopping, undone, ..self.facts(load) }))
    }

    fn facts(&self, load: Load) -> Facts {
        let (triplestore, kimai) = (self.triplestore.contact(), self.kimai.contact());
        let outages = self.workers.outages();
        let breaker = |neighbour| {
            let breaker::Down { code, why, since, .. } =
                outages.iter().find(|down| down.neighbour == neighbour)?.clone();
            Some(Outage { why, code, since })
        };
        Facts {
            now: self.clock.now(),
            stopping: false,
            triplestore,
            kimai,
            triplestore_breaker: breaker(breaker::Neighbour::Triplestore),
            kimai_breaker: breaker(breaker::Neighbour::Kimai),
            storage: self.storage.trouble().map(|fault| fault.to_string()),
            lost: self.ledger.loss().map(|loss| loss.to_string()),
            load,
            undone: None,
        }
    }
}

/// What the newest sweep in `runs` that has compared both sides left undone. Cancelled sweeps are ignored. `runs` is
/// sorted newest first.
pub fn undone(runs: &[Job]) -> Option<Undone> {
    let told = |run: &&Job| run.has_result() && run.state != State::Cancelled;
    let last = runs.iter().filter(|run| run.task.kind() == Kind::Sweep).find(told)?;
    match last.state {
        State::Failed => Some(Undone { run: last.id, held: None }),
        _ => {
            (last.held > 0 && needs_somebody(last)).then_some(Undone { run: last.id, held: Some(last.held) })
        }
    }
}

/// Whether one of the deletions held back needs confirmation or is unexpected: exported, recently changed, or excluded
/// by the settings are normal reasons.
fn needs_somebody(sweep: &Job) -> bool {
    let no_work_logs = sweep.counts.get("work-logs").is_none_or(|count| *count == 0);
    sweep.confirm.is_some() || no_work_logs || sweep.stand.faults_in_all > 0
}

/// Probes Kimai and the triplestore while they are down.
pub struct Asking {
    /// How the service stands.
    pub status: StatusSource,
    /// Queries work logs in the triplestore.
    pub work_logs: Arc<dyn WorkLogs>,
    /// Kimai.
    pub kimai: Arc<dyn Tracker>,
}

impl Asking {
    /// Probes a system that is down, whose last answer was a failure, or that has not been contacted yet, every 15
    /// seconds until `stop`, since there may be no other requests. When one is back, calls `is_back`. While nothing can
    /// be saved, also tests the file, since there may be no delta to do so.
    pub async fn keep_on<B: Future<Output = ()>>(self, is_back: impl Fn() -> B, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = contact::within(Part::Service, ask_for_ever(&self, is_back)) => {}
        }
    }
}

async fn ask_for_ever<B: Future<Output = ()>>(asking: &Asking, is_back: impl Fn() -> B) {
    let Asking { status, work_logs, kimai: kimai_itself } = asking;
    let mut before = (false, false);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Status { at, triplestore, kimai, storage, .. } = Status::of(status.facts(Load::default()));
        let down = (triplestore.outage().is_some(), kimai.outage().is_some());
        tell("The triplestore", before.0, &triplestore);
        tell("Kimai", before.1, &kimai);
        let one_is_back = (before.0 && !down.0) || (before.1 && !down.1);
        before = down;
        if one_is_back {
            is_back().await;
            continue;
        }
        let is_due = |neighbour: &Neighbour| {
            let long_ago = |then| at.duration_since(then).unsigned_abs() >= ASK_EVERY;
            let silent = neighbour.contact.last().is_none_or(|heard| long_ago(heard.at));
            let in_doubt = match neighbour.link {
                Link::Unknown | Link::Down(_) => true,
                Link::Answers => neighbour.contact.failures > 0,
                Link::Paused { .. } => false,
            };
            silent && in_doubt
        };
        // The clients and the file record the results themselves.
        let ask_file = async {
            if storage.is_some() {
                let _ = timeout(ANSWER_LIMIT, status.storage.probe()).await;
            }
        };
        let ask_triplestore = async {
            if is_due(&triplestore) {
                let _ = timeout(ANSWER_LIMIT, work_logs.has_any()).await;
            }
        };
        let ask_kimai = async {
            if is_due(&kimai) {
                let _ = timeout(ANSWER_LIMIT, kimai_itself.me()).await;
            }
        };
        tokio::join!(ask_file, ask_triplestore, ask_kimai);
    }
}

/// Logs that a system went down or is back.
fn tell(name: &str, was_down: bool, neighbour: &Neighbour) {
    match neighbour.outage() {
        Some(Outage { why, code, .. }) if !was_down => {
            let part = neighbour.contact.last().map_or(Part::Service, |heard| heard.part).noun();
            warn!(code = code.word(), "{name} is down, according to {part}: {why}");
        }
        None if was_down => info!("{name} answers again"),
        _ => {}
    }
}
