//! Sets the gauges that are computed when the metrics are requested.

use std::time::Duration;

use jiff::Timestamp;

use super::Services;
use crate::domain::Code;
use crate::domain::status::{Neighbour, Status};
use crate::queue::State;
use crate::telemetry::Metrics;

/// The time limit for reading the open intents; after that, metrics are rendered without them.
const FILE_LIMIT: Duration = Duration::from_secs(2);

/// Sets the gauges of the current status. A value that is not available keeps its last value.
pub(super) async fn look(services: &Services, status: Option<&Status>) {
    let metrics = &services.metrics;
    let age = |since: Option<Timestamp>| {
        let age = since.map(|since| services.clock.now().duration_since(since).as_secs_f64());
        age.unwrap_or_default().max(0.0)
    };
    if let Some(status) = status {
        stand(metrics, status);
        metrics.set("queue_oldest_due_seconds", &[], age(status.load.oldest_due));
    }
    if let Ok(parked) = services.queue.parked_by_code().await {
        for code in Code::ALL {
            let number = parked.get(&Some(code)).copied().unwrap_or_default();
            metrics.set("queue_parked", &[("code", code.word())], of(number));
        }
    }
    metrics.set("kimai_requests_at_a_time", &[], of(services.kimai.limiter().limit()));
    let silent = services.workers.silent().map(|(_, silent)| silent).unwrap_or_default();
    metrics.set("worker_heartbeat_age_seconds", &[], silent.as_secs_f64());
    if let Ok(Ok((open, oldest))) = tokio::time::timeout(FILE_LIMIT, services.ledger.open_intents()).await {
        metrics.set("intents_open", &[], of(open));
        metrics.set("intent_oldest_seconds", &[], age(oldest));
    }
    if let Ok(Ok(counted)) = tokio::time::timeout(FILE_LIMIT, services.ledger.counted()).await {
        metrics.set("rounded_timesheets", &[], of(counted.rounded));
        metrics.set("rounded_seconds", &[], of_signed(counted.seconds));
        metrics.set("off_day_timesheets", &[], of(counted.off_day));
    }
}

/// Sets the metrics of the status.
fn stand(metrics: &Metrics, status: &Status) {
    for state in State::ALL {
        let number = match state {
            State::Queued => status.load.queued,
            State::Scheduled => status.load.scheduled,
            State::Running => status.load.running,
            State::Parked => status.load.parked,
        };
        metrics.set("queue_entries", &[("state", state.word())], of(number));
    }
    let truth = |is: bool| of(usize::from(is));
    metrics.set("kimai_breaker_open", &[], truth(status.kimai.outage().is_some()));
    metrics.set("triplestore_breaker_open", &[], truth(status.triplestore.outage().is_some()));
    metrics.set("kimai_refuses_token", &[], truth(status.kimai.refuses()));
    let answered = |neighbour: &Neighbour| {
        neighbour.contact.answered.map_or(0.0, |heard| of_signed(heard.at.as_second()))
    };
    metrics.set("kimai_last_answer_timestamp_seconds", &[], answered(&status.kimai));
    metrics.set("triplestore_last_answer_timestamp_seconds", &[], answered(&status.triplestore));
    metrics.set("kimai_lost_data", &[], truth(status.lost.is_some()));
    metrics.set("queue_writable", &[], truth(status.storage.is_none()));
}

#[expect(clippy::cast_precision_loss, reason = "there are never 2^53 work logs")]
fn of(number: impl TryInto<u64>) -> f64 {
    number.try_into().unwrap_or_default() as f64
}

#[expect(clippy::cast_precision_loss, reason = "nor 2^53 seconds")]
fn of_signed(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::table;

    #[test]
    fn entries_are_counted_in_every_state_there_is() {
        assert_eq!(table::STATES, State::WORDS);
    }
}
