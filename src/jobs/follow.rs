//! Follows the work logs that a sweep queued until they are synced or parked: only then is the sweep done.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::job::Queued;
use super::service::{End, Jobs};
use crate::domain::{Code, WorkLogUri};
use crate::progress::Progress;
use crate::queue::{Entry, State};

/// The shortest and the longest interval for polling the queue.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How often the row of the run is written at most.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// How many attempts of an incomplete work log may fail before the sweep stops waiting for it: a frontend that writes
/// it in several steps has finished by then.
const RUNS_WHILE_INCOMPLETE: u32 = 3;
/// The phase of such a run.
const PHASE: &str = "syncing what was queued";

/// The state of a work log that a sweep queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is synced.
    Synced,
    /// It is parked.
    Parked,
    /// It is retried automatically, but will only succeed once somebody has changed something.
    Stuck,
    /// It will be synced automatically.
    Pending,
}

impl Standing {
    /// By its entry in the queue; a work log without an entry is synced.
    pub fn of(entry: Option<&Entry>) -> Self {
        let Some(entry) = entry else { return Self::Synced };
        let needs_somebody = entry.attempts >= RUNS_WHILE_INCOMPLETE && !entry.code.is_some_and(passes);
        match entry.state {
            State::Parked => Self::Parked,
            State::Scheduled if needs_somebody => Self::Stuck,
            State::Queued | State::Scheduled | State::Running => Self::Pending,
        }
    }
}

/// Whether the obstacle ends without a change of the work log.
fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::KimaiUnavailable
            | Code::ProxyAnswered
            | Code::KimaiBusy
            | Code::TokenInvalid
            | Code::AuthorizationStripped
            | Code::ProxyLogin
            | Code::AnswerLost
            | Code::TriplestoreUnavailable
            | Code::TriplestoreFailed
            | Code::TriplestoreUnreadable
            | Code::TriplestoreIncomplete
            | Code::TurnedAway
            | Code::StorageUnavailable
    )
}

impl Jobs {
    /// Follows what run `id` queued until nothing more will be synced automatically, or until the time limit of a run;
    /// then ends the run. If the process stops, the next start continues.
    pub(super) async fn follow_up(
        &self,
        id: u64,
        queued: BTreeSet<WorkLogUri>,
        progress: &Progress,
        stop: &CancellationToken,
    ) {
        let began = Instant::now();
        let (mut open, mut told) = (queued, Queued::default());
        told.total = open.len() as u64;
        let (mut pause, mut written) = (PAUSES.0, began);
        loop {
            let pending;
            (open, told, pending) = self.look(open, told.total).await;
            self.schedule().tell_queued(id, told);
            progress.stands(PHASE, told.synced + told.parked, told.total);
            if pending == 0 || began.elapsed() >= self.inner.work.time_limit() {
                break;
            }
            if written.elapsed() >= WRITE_EVERY {
                self.write(id).await;
                written = Instant::now();
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.inner.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
            let cancelled = self.schedule().live_of(id).is_some_and(|live| live.cancelled);
            if cancelled {
                break;
            }
            if stop.is_cancelled() || self.inner.stop.is_cancelled() {
                return self.schedule().cut_off(id);
            }
            pause = (pause * 2).min(PAUSES.1);
        }
        let cancelled = self.schedule().live_of(id).is_some_and(|live| live.cancelled);
        let before = self.get(id).and_then(|run| run.message).unwrap_or_default();
        let end = if cancelled { End::Cancelled } else { End::Done };
        let more = if cancelled { " It was cancelled; what it queued continues." } else { "" };
        self.end(id, end, |run| run.message = Some(format!("{before}{more} {}.", told.in_words()))).await;
        if let Err(fault) = self.inner.store.remove_queued(id).await {
            warn!("The list of what run {id} queued could not be removed: {fault}");
        }
    }

    /// Those of `open` that are not synced, the count of all `total`, and how many will be synced automatically.
    async fn look(&self, open: BTreeSet<WorkLogUri>, total: u64) -> (BTreeSet<WorkLogUri>, Queued, u64) {
        let (mut still, mut parked, mut pending) = (BTreeSet::new(), 0, 0);
        for work_log in open {
            match self.inner.work.standing(&work_log).await {
                Standing::Synced => continue,
                Standing::Parked => parked += 1,
                Standing::Stuck => {}
                Standing::Pending => pending += 1,
            }
            still.insert(work_log);
        }
        let synced = total.saturating_sub(still.len() as u64);
        (still, Queued { total, synced, parked }, pending)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::queue::Reason;

    #[test]
    fn only_what_comes_through_by_itself_is_waited_for() {
        let entry = |state, attempts, code| Entry {
            work_log: WorkLogUri::parse("http://x/1").unwrap(),
            state,
            due: None,
            reason: Reason::Sweep,
            attempts,
            last_error: None,
            code,
            since: Timestamp::UNIX_EPOCH,
            leased_until: None,
        };
        assert_eq!(Standing::of(None), Standing::Synced);
        let table = [
            (State::Queued, 9, Some(Code::NoAccount), Standing::Pending),
            (State::Running, 9, Some(Code::KimaiLostData), Standing::Pending),
            (State::Scheduled, 0, None, Standing::Pending),
            (State::Scheduled, 99, Some(Code::KimaiUnavailable), Standing::Pending),
            (State::Scheduled, 99, Some(Code::TokenInvalid), Standing::Pending),
            // mu-cl-resources writes a work log in three updates.
            (State::Scheduled, 2, Some(Code::WorkLogIncomplete), Standing::Pending),
            (State::Scheduled, 3, Some(Code::WorkLogIncomplete), Standing::Stuck),
            // They wait for somebody to confirm a sweep, and that one may be this.
            (State::Scheduled, 3, Some(Code::KimaiLostData), Standing::Stuck),
            (State::Parked, 0, Some(Code::TimesheetExported), Standing::Parked),
        ];
        for (state, attempts, code, wanted) in table {
            assert_eq!(Standing::of(Some(&entry(state, attempts, code))), wanted, "{state:?} {code:?}");
        }
    }
}
