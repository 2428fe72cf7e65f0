//! What is looked up when somebody asks for the metrics: how things stand now.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::Code;
use crate::engine::Engine;
use crate::queue::State;
use crate::reconcile::breaker::Neighbour;

/// How long the file may take to tell of open intents; the rest is told without.
const FILE_LIMIT: Duration = Duration::from_secs(2);

/// Sets the gauges of how `engine` stands now. What cannot be found out stays as it was.
pub async fn look(engine: &Engine) {
    let metrics = &engine.metrics;
    if let Ok(counts) = engine.queue.counts().await {
        for state in State::ALL {
            let number = match state {
                State::Queued => counts.queued,
                State::Scheduled => counts.scheduled,
                State::Running => counts.running,
                State::Parked => counts.parked,
            };
            metrics.set("queue_entries", &[("state", state.word())], of(number));
        }
    }
    if let Ok(parked) = engine.queue.parked_by_code().await {
        for code in Code::ALL {
            let number = parked.get(&Some(code)).copied().unwrap_or_default();
            metrics.set("queue_parked", &[("code", code.word())], of(number));
        }
    }
    let age = |since: Option<Timestamp>| {
        let age = since.map(|since| engine.clock.now().duration_since(since).as_secs_f64());
        age.unwrap_or_default().max(0.0)
    };
    if let Ok(oldest) = engine.queue.oldest_due().await {
        metrics.set("queue_oldest_due_seconds", &[], age(oldest));
    }
    let down = engine.workers.down();
    let is_down = |wanted| down.iter().any(|(neighbour, _)| *neighbour == wanted);
    metrics.set("kimai_breaker_open", &[], of(usize::from(is_down(Neighbour::Kimai))));
    metrics.set("kimai_lost_data", &[], of(usize::from(engine.ledger.loss().is_some())));
    metrics.set("triplestore_breaker_open", &[], of(usize::from(is_down(Neighbour::Triplestore))));
    metrics.set("kimai_requests_at_a_time", &[], of(engine.kimai.pace().limit()));
    metrics.set("queue_writable", &[], of(usize::from(engine.storage.trouble().is_none())));
    let silent = engine.workers.silent().map(|(_, silent)| silent).unwrap_or_default();
    metrics.set("worker_heartbeat_age_seconds", &[], silent.as_secs_f64());
    if let Ok(Ok((open, oldest))) = tokio::time::timeout(FILE_LIMIT, engine.ledger.open_intents()).await {
        metrics.set("intents_open", &[], of(open));
        metrics.set("intent_oldest_seconds", &[], age(oldest));
    }
    if let Ok(Ok(counted)) = tokio::time::timeout(FILE_LIMIT, engine.ledger.counted()).await {
        metrics.set("rounded_timesheets", &[], of(counted.rounded));
        metrics.set("rounded_seconds", &[], of_signed(counted.seconds));
        metrics.set("off_day_timesheets", &[], of(counted.off_day));
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 work logs")]
fn of(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or_default() as f64
}

#[expect(clippy::cast_precision_loss, reason = "nor seconds")]
fn of_signed(number: i64) -> f64 {
    number as f64
}
