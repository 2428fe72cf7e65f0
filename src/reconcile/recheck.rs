//! Rechecks the work logs of deltas: a delta may arrive before its data is visible, because of a lagging replica or a
//! cache.
//!
//! # Guarantees
//! - If a change becomes visible after the run of its delta, another run follows, provided it shows before the last
//!   recheck.
//! - A look is one row of a statement for up to a hundred, one statement at a time, and while there are many it is busy
//!   half of the time at most. Where some are not found, it asks twice more: whether the triplestore shows anything at
//!   all, and whether it knows any of them. It asks nothing of Kimai, and no entry of the queue stands for it.
//! - A refused statement is halved until the bad one is found; after other failures, rechecks are repeated with fewer
//!   at a time. One that fails alone is left to a run, which finds out why.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::batched_source;
use super::retry::Failure;
use super::visibility::Visibility;
use crate::clock::Clock;
use crate::domain::Sighting;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::Kind;
use crate::store::{Look, Queue};
use crate::triplestore::statement::BATCH;
use crate::work_logs::{SourceFault, WorkLogs};

/// The pause after a failed recheck, doubled with each, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Rechecks work logs.
pub struct Rechecks {
    queue: Arc<dyn Queue>,
    source: Arc<dyn WorkLogs>,
    visibility: Visibility,
    clock: Clock,
}

impl Rechecks {
    /// Rechecks in `source` what `queue` schedules, in the zone of `clock`.
    pub fn new(queue: Arc<dyn Queue>, source: Arc<dyn WorkLogs>, clock: Clock) -> Self {
        let visibility = Visibility::new(Arc::clone(&source));
        Self { queue, source, visibility, clock }
    }

    /// Rechecks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled_owned(async {
            let (mut most, mut pause, mut started) = (BATCH, PAUSES.0, false);
            loop {
                let looked = if started { self.look(most).await } else { self.start().await };
                match looked {
                    Ok(took) => {
                        started = true;
                        (most, pause) = ((most * 2).min(BATCH), PAUSES.0);
                        tokio::time::sleep(took).await;
                    }
                    Err(failure) => {
                        debug!("Some work logs cannot be looked at again now: {failure}");
                        // One of them may still be the cause.
                        most = most.div_ceil(2);
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSES.1);
                    }
                }
            }
        })
        .await;
    }

    /// Schedules anew what is left from before the start.
    async fn start(&self) -> Result<Duration, Failure> {
        self.queue.start_looks().await?;
        Ok(Duration::ZERO)
    }

    /// One recheck of up to `most`, once some are due. Returns how long it took.
    async fn look(&self, most: usize) -> Result<Duration, Failure> {
        let looks = self.queue.looks(most).await?;
        let since = Instant::now();
        let (mut parts, mut ended) = (vec![looks], Vec::new());
        while let Some(mut part) = parts.pop() {
            match self.compare(&part).await {
                Ok(changed) => ended.extend(part.into_iter().zip(changed)),
                // Its run reports the problem, or waits for the triplestore.
                Err(_) if part.len() == 1 => ended.extend(part.into_iter().map(|look| (look, true))),
                Err(fault) if fault.is_of_statement() => {
                    let half = part.split_off(part.len() / 2);
                    parts.extend([part, half]);
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        let changed = self.queue.end_looks(ended).await?;
        if changed > 0 {
            info!("{changed} work logs changed after the run of their delta had looked; running them again");
        }
        Ok(since.elapsed())
    }

    /// Whether each has changed since its run.
    async fn compare(&self, looks: &[Look]) -> Result<Vec<bool>, SourceFault> {
        let subjects: Vec<_> = looks.iter().map(|look| look.work_log.clone()).collect();
        let (facts, directory) = batched_source::read(self.source.as_ref(), &subjects).await?;
        let absent =
            subjects.iter().zip(&facts).filter(|(subject, facts)| facts.kind(subject) == Kind::Absent);
        let absent: Vec<_> = absent.map(|(subject, _)| subject.clone()).collect();
        // A triplestore that shows nothing at all for a while proves nothing about them.
        let late =
            if absent.is_empty() { BTreeMap::new() } else { self.visibility.again_of(&absent).await? };
        let is_late = |subject| late.get(subject).is_some_and(|facts| facts.kind(subject) != Kind::Absent);
        let changed = looks.iter().zip(facts).map(|(look, facts)| {
            let wanted = DesiredEntry::resolve(&facts, &directory, self.clock.zone());
            let shows = Sighting::of(&look.work_log, &facts, &wanted);
            shows != look.seen || is_late(&look.work_log)
        });
        Ok(changed.collect())
    }
}

#[cfg(test)]
mod tests;
