//! The heartbeat of the workers: whether each of them still makes progress.
//!
//! A worker beats whenever it is polled: while it waits for the queue or for an outage to end, and while it runs a work
//! log, until its lease has ended. A worker that died, hangs, or whose thread is blocked stops beating.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The interval at which an idle worker beats.
const BEAT: Duration = Duration::from_secs(10);

/// The heartbeats of all workers. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat(Arc<Mutex<BTreeMap<usize, Beat>>>);

#[derive(Debug)]
struct Beat {
    last: Instant,
    /// The time by which its run has to end.
    ends: Option<Instant>,
}

impl Heartbeat {
    /// Lets worker `number` beat while `work` is in progress, which has to end within `limit`. Removes the worker when
    /// that has ended.
    pub(crate) async fn keep<T>(
        &self,
        number: usize,
        limit: Option<Duration>,
        work: impl Future<Output = T>,
    ) -> T {
        let now = Instant::now();
        self.beats().insert(number, Beat { last: now, ends: limit.map(|limit| now + limit) });
        let mut work = std::pin::pin!(work);
        let result = loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                () = tokio::time::sleep(BEAT) => self.beat(number),
            }
        };
        self.beats().remove(&number);
        result
    }

    fn beat(&self, number: usize) {
        if let Some(beat) = self.beats().get_mut(&number) {
            let now = Instant::now();
            if beat.ends.is_none_or(|ends| now <= ends) {
                beat.last = now;
            }
        }
    }

    /// The worker with the oldest heartbeat, and its age; none if there is no worker.
    pub fn silent(&self) -> Option<(usize, Duration)> {
        let beats = self.beats();
        let silent = beats.iter().map(|(number, beat)| (*number, beat.last.elapsed()));
        silent.max_by_key(|(_, silent)| *silent)
    }

    fn beats(&self) -> MutexGuard<'_, BTreeMap<usize, Beat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_or_runs_beats_and_one_that_overran_or_died_falls_silent() {
        let heartbeat = Heartbeat::default();
        assert_eq!(heartbeat.silent(), None);
        let waits = heartbeat.keep(0, None, std::future::pending::<()>());
        let overruns = heartbeat.keep(1, Some(Duration::from_mins(5)), std::future::pending::<()>());
        let watched = async {
            pass(299).await;
            assert!(heartbeat.silent().unwrap().1 <= BEAT, "{:?}", heartbeat.silent());
            pass(100).await;
            let (number, silent) = heartbeat.silent().unwrap();
            assert_eq!(number, 1);
            assert!(silent > Duration::from_mins(1), "{silent:?}");
        };
        tokio::select! {
            () = waits => {}
            () = overruns => {}
            () = watched => {}
        }
        // Both are gone now, as after a panic, without having ended properly.
        pass(61).await;
        assert!(heartbeat.silent().unwrap().1 > Duration::from_mins(1));
        heartbeat.keep(0, None, pass(1)).await;
        heartbeat.keep(1, None, pass(1)).await;
        assert_eq!(heartbeat.silent(), None, "these ended in good order");
    }
}
