//! Where the status comes from, and who finds out whether a neighbour is back.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::contact;
use crate::domain::status::{Facts, Link, Load, Neighbour, Outage, Part, Status, Undone};
use crate::engine::Engine;
use crate::queue::{Counts, QueueFault};
use crate::reconcile::breaker;
use crate::runs::{Kind, Run, State};

/// How long the last word of a neighbour counts, if it was no answer.
const ASK_EVERY: Duration = Duration::from_secs(15);
/// How often it is looked whether that is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What the answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

impl Engine {
    /// How the service stands now. `undone`: what its newest sweep left undone; `stopping`: whether it stops.
    pub async fn status(&self, undone: Option<Undone>, stopping: bool) -> Result<Status, QueueFault> {
        let Counts { queued, scheduled, running, parked } = self.queue.counts().await?;
        let now = self.clock.now();
        let oldest_due = self.queue.oldest_due().await?.filter(|due| *due <= now);
        let load = Load { queued, scheduled, running, parked, oldest_due };
        Ok(Status::of(Facts { stopping, undone, ..self.facts(load) }))
    }

    fn facts(&self, load: Load) -> Facts {
        let (triplestore, kimai) = (self.triplestore.record().contact(), self.kimai.contact().contact());
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

/// What the newest sweep of `runs` that has compared both sides left undone. One that somebody cancelled tells
/// nothing. `runs`: the newest first.
pub fn undone(runs: &[Run]) -> Option<Undone> {
    let told = |run: &&Run| run.has_result() && run.state != State::Cancelled;
    let last = runs.iter().filter(|run| run.task.kind() == Kind::Sweep).find(told)?;
    match last.state {
        State::Failed => Some(Undone { run: last.id, held: None }),
        _ => {
            (last.held > 0 && needs_somebody(last)).then_some(Undone { run: last.id, held: Some(last.held) })
        }
    }
}

/// Whether one of the deletions held back waits for somebody's word, or should not have come up: what is exported,
/// was changed a moment ago or is left alone by the settings may stay like that for ever.
fn needs_somebody(sweep: &Run) -> bool {
    let no_work_logs = sweep.counts.get("work-logs").is_none_or(|count| *count == 0);
    sweep.confirm.is_some() || no_work_logs || sweep.stand.faults_in_all > 0
}

/// Asks a neighbour that is down, whose last word was a failure, or that nobody has asked yet, every 15 seconds, until
/// `stop`: nobody else may have anything to ask it. When one is back, the checks are made again. While nothing can be
/// saved, tries that too: perhaps no delta comes to find out.
pub async fn keep_asking(engine: Engine, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = contact::within(Part::Service, ask_for_ever(&engine)) => {}
    }
}

async fn ask_for_ever(engine: &Engine) {
    let mut before = (false, false);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Status { at, triplestore, kimai, storage, .. } = Status::of(engine.facts(Load::default()));
        let down = (triplestore.outage().is_some(), kimai.outage().is_some());
        tell("The triplestore", before.0, &triplestore);
        tell("Kimai", before.1, &kimai);
        let is_back = (before.0 && !down.0) || (before.1 && !down.1);
        before = down;
        if is_back {
            engine.doctor.look_again().await;
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
        // What comes of it, their clients note; so does the file.
        let ask_file = async {
            if storage.is_some() {
                let _ = timeout(ANSWER_LIMIT, engine.storage.probe()).await;
            }
        };
        let ask_triplestore = async {
            if is_due(&triplestore) {
                let _ = timeout(ANSWER_LIMIT, engine.work_logs.has_any()).await;
            }
        };
        let ask_kimai = async {
            if is_due(&kimai) {
                let _ = timeout(ANSWER_LIMIT, engine.kimai.me()).await;
            }
        };
        tokio::join!(ask_file, ask_triplestore, ask_kimai);
    }
}

/// Logs that a neighbour went down or is back.
fn tell(name: &str, was_down: bool, neighbour: &Neighbour) {
    match neighbour.outage() {
        Some(Outage { why, code, .. }) if !was_down => {
            let part = neighbour.contact.last().map_or(Part::Service, |heard| heard.part).noun();
            warn!(code = code.word(), "{name} does not answer as it should, {part} has found: {why}");
        }
        None if was_down => info!("{name} answers again"),
        _ => {}
    }
}
