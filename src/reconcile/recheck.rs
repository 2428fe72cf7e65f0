//! Looks again at what deltas named: a delta may come before its data is visible, from a replica that lags or a cache.
//!
//! # Guarantees
//! - Of what was visible too late for the run of its delta, a run comes once it shows, if that is before the last look.
//! - A look is one row of a statement for up to a hundred, one statement at a time, and while there are many it is busy
//!   half of the time at most. Where some are not found, it asks twice more: whether the triplestore shows anything at
//!   all, and whether it knows any of them. It asks nothing of Kimai, and no entry of the queue stands for it.
//! - A statement that is refused is halved until the one to blame is found; a look that fails otherwise is made again, by
//!   fewer at a time. One that fails alone is left to a run, which finds out why.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::batched_source;
use super::retry::Failure;
use super::visibility::Visibility;
use crate::clock::Clock;
use crate::domain::Sighting;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::Kind;
use crate::queue::{Look, Queue};
use crate::triplestore::statement::BATCH;
use crate::work_logs::{SourceFault, WorkLogs};

/// The pause after a look that failed, doubled with each, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Looks again.
pub struct Rechecks {
    queue: Arc<dyn Queue>,
    source: Arc<dyn WorkLogs>,
    visibility: Visibility,
    clock: Clock,
}

impl Rechecks {
    /// Looks in `source` at what `queue` says, in the zone of `clock`.
    pub fn new(queue: Arc<dyn Queue>, source: Arc<dyn WorkLogs>, clock: Clock) -> Self {
        let visibility = Visibility::new(Arc::clone(&source));
        Self { queue, source, visibility, clock }
    }

    /// Looks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled_owned(async {
            if let Err(fault) = self.queue.start_looks().await {
                warn!("Some work logs may be looked at again too early: {fault}");
            }
            let (mut most, mut pause) = (BATCH, PAUSES.0);
            loop {
                match self.look(most).await {
                    Ok(took) => {
                        (most, pause) = ((most * 2).min(BATCH), PAUSES.0);
                        tokio::time::sleep(took).await;
                    }
                    Err(failure) => {
                        debug!("Some work logs cannot be looked at again now: {failure}");
                        // One of them may be to blame all the same.
                        most = most.div_ceil(2);
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSES.1);
                    }
                }
            }
        })
        .await;
    }

    /// One look at up to `most`, once some are due; gives how long it took.
    async fn look(&self, most: usize) -> Result<Duration, Failure> {
        let looks = self.queue.looks(most).await?;
        let since = Instant::now();
        let (mut parts, mut ended) = (vec![looks], Vec::new());
        while let Some(mut part) = parts.pop() {
            match self.compare(&part).await {
                Ok(changed) => ended.extend(part.into_iter().zip(changed)),
                // Its run tells people, or waits for the triplestore.
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

    /// Whether each says something else than its run saw.
    async fn compare(&self, looks: &[Look]) -> Result<Vec<bool>, SourceFault> {
        let subjects: Vec<_> = looks.iter().map(|look| look.work_log.clone()).collect();
        let (facts, directory) = batched_source::read(self.source.as_ref(), &subjects).await?;
        let absent =
            subjects.iter().zip(&facts).filter(|(subject, facts)| facts.kind(subject) == Kind::Absent);
        let absent: Vec<_> = absent.map(|(subject, _)| subject.clone()).collect();
        // A triplestore that shows nothing at all for a while says nothing about them.
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
