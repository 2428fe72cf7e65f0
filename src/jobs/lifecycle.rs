//! The lifecycle of a run: its turn, its work, its end.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info_span, warn};
use uuid::Uuid;

use super::job::{AskedBy, CONFIRM_WITHIN, Confirm, Job, Kind, Queued};
use super::records::{MOST_FINDINGS, record};
use super::service::{End, Jobs, Order};
use super::work::{Done, Trouble};
use crate::domain::EntryId;
use crate::domain::finding::Unconfirmed;
use crate::progress::Progress;
use crate::store::StorageFault;

/// The first and the longest pause before a sweep is retried, in seconds.
const PAUSES: (u64, u64) = (2, 60);
/// How many attempts a requested sweep gets, so that one dropped connection does not fail it.
const TRIES: u32 = 3;
/// How long a run may take to react to its cancellation: as long as one request may take by default.
const LONGEST_STOP: Duration = Duration::from_mins(1);
/// How often progress within a phase is written to the file at most.
const WRITE_EVERY: Duration = Duration::from_secs(1);

impl Jobs {
    /// Takes a run from its place in the line to its end.
    pub(super) async fn drive(&self, id: u64, order: Order) {
        let told = self.schedule().live_of(id).map(|live| (live.progress.clone(), live.stop.clone()));
        let Some((progress, stop)) = told else { return };
        let (mut pause, mut tries) = (PAUSES.0, 0);
        while self.turn(id, &stop).await {
            progress.restart();
            self.write(id).await;
            let result = self.perform(id, &order, &progress, &stop).await;
            tries += 1;
            match result {
                result if stop.is_cancelled() => {
                    let done = result.ok().map(|done| with_earlier(done, &progress));
                    return self.stopped(id, done, &progress).await;
                }
                Ok(done) => return self.done(id, with_earlier(done, &progress), &progress, &stop).await,
                Err(trouble)
                    if (order.patient && !trouble.is_final()) || (tries < TRIES && trouble.may_pass()) =>
                {
                    self.rest(id, &trouble, pause, &progress, &stop).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                Err(trouble) => return self.failed(id, order.asked_by, trouble, &progress).await,
            }
        }
        self.stopped(id, None, &progress).await;
    }

    /// Waits until all before it have ended, and begins. Says whether it did: not if it is to stop.
    async fn turn(&self, id: u64, stop: &CancellationToken) -> bool {
        loop {
            if stop.is_cancelled() || self.inner.stop.is_cancelled() {
                return false;
            }
            let ahead = self.schedule().before(id);
            let Some(mut ahead) = ahead else {
                if self.schedule().begin(id, self.inner.clock.now()) {
                    return true;
                }
                continue;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.inner.stop.cancelled() => {}
                // Gone, or out of the way: both show when looked at again.
                _ = ahead.wait_for(|now| now.state.is_ended() || now.resting) => {}
            }
        }
    }

    /// Does the work, and writes how far it is on the way.
    async fn perform(
        &self,
        id: u64,
        order: &Order,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<Done, Trouble> {
        let confirmed: Option<&Unconfirmed> = order.confirmed.as_ref().map(|(_, set)| set.as_ref());
        let work = self.inner.work.perform(order.task, confirmed, progress);
        // A panic must not block the runs that follow.
        let span = info_span!("run", id, kind = order.task.kind().word());
        let work = AssertUnwindSafe(work).catch_unwind().instrument(span);
        tokio::select! {
            result = work => result.unwrap_or_else(|panic| Err(Trouble::Broken(words(panic.as_ref())))),
            () = self.record(id, progress) => Err(Trouble::Broken("its progress is no longer recorded".to_owned())),
            () = overdue(self.inner.work.time_limit(), stop) => Err(Trouble::TimeLimit(self.inner.work.time_limit())),
        }
    }

    /// Writes the row at each change of phase, and from time to time. Never returns.
    async fn record(&self, id: u64, progress: &Progress) {
        let mut stand = progress.watch();
        let (mut phase, mut written) = (stand.borrow_and_update().phase.clone(), Instant::now());
        while stand.changed().await.is_ok() {
            let now = stand.borrow_and_update().phase.clone();
            if now != phase || written.elapsed() >= WRITE_EVERY {
                self.write(id).await;
                (phase, written) = (now, Instant::now());
            }
        }
        std::future::pending::<()>().await;
    }

    /// Lets others run until the next attempt, which starts immediately if somebody requests the same.
    async fn rest(
        &self,
        id: u64,
        trouble: &Trouble,
        pause: u64,
        progress: &Progress,
        stop: &CancellationToken,
    ) {
        let asked = trouble.pause();
        let pause = pause.max(asked.as_secs() + u64::from(asked.subsec_nanos() > 0));
        let run = self.get(id);
        let words = run.map_or_else(String::new, |run| match run.asked_by {
            AskedBy::Start => "The sweep at start".to_owned(),
            AskedBy::Cron | AskedBy::Request | AskedBy::Recovery => run.task.words(),
        });
        warn!("{words} has to wait: {trouble}. Retrying in {pause} s.");
        progress.phase(format!("waiting, retrying in {pause} s"), None);
        let woken = self.schedule().live_of(id).map(|live| Arc::clone(&live.woken));
        self.schedule().rest(id, trouble.to_string());
        self.write(id).await;
        let Some(woken) = woken else { return };
        tokio::select! {
            () = stop.cancelled() => {}
            () = woken.notified() => {}
            () = tokio::time::sleep(Duration::from_secs(pause)) => {}
        }
        self.schedule().line_up(id);
    }

    async fn done(&self, id: u64, done: Done, progress: &Progress, stop: &CancellationToken) {
        let (kept, confirm) = self.keep_findings(id, &done).await;
        let Done { counts, held, rounded, mut message, queued, .. } = done;
        if let Err(fault) = &kept {
            let _ = write!(message, " Its findings could not be stored: {fault}.");
        }
        let total = queued.len() as u64;
        let change = |run: &mut Job| {
            (run.counts, run.held, run.confirm, run.rounded) = (counts, held, confirm, rounded);
            run.findings = kept.unwrap_or(0);
            if run.resumed {
                message += " It was restarted after a stop of the service; anything that it deleted before is \
                    in the log.";
            }
            run.message = Some(message);
            run.queued = (run.task.kind() == Kind::Sweep).then_some(Queued { total, ..Queued::default() });
        };
        if queued.is_empty() {
            return self.end(id, End::Done, change).await;
        }
        if let Err(fault) = self.inner.store.put_queued(id, &queued).await {
            warn!("If the service stops now, it will not track what run {id} queued: {fault}");
        }
        self.schedule().follow(id, self.inner.clock.now(), change);
        self.write(id).await;
        self.follow_up(id, queued, progress, stop).await;
    }

    async fn failed(&self, id: u64, asked_by: AskedBy, trouble: Trouble, progress: &Progress) {
        let words = self.get(id).map(|run| run.task.words()).unwrap_or_default();
        if asked_by == AskedBy::Cron {
            error!("The scheduled sweep failed: {trouble}. The next one will retry.");
        } else {
            error!("{words} failed: {trouble}.");
        }
        let (kept, deleted) = self.deleted(id, progress).await;
        self.end(id, End::Failed(Arc::new(trouble)), |run| {
            run.findings = kept;
            if let Some(told) = &mut run.message {
                *told += &deleted;
            }
        })
        .await;
    }

    /// It was cancelled, by a request or because the process stops.
    async fn stopped(&self, id: u64, done: Option<Done>, progress: &Progress) {
        let cancelled = self.schedule().live_of(id).is_some_and(|live| live.cancelled);
        if !cancelled {
            return self.schedule().cut_off(id);
        }
        let kept = match &done {
            Some(done) => self.keep_findings(id, done).await.0.unwrap_or(0),
            None => self.deleted(id, progress).await.0,
        };
        self.end(id, End::Cancelled, |run| {
            run.findings = kept;
            let begun = if run.started.is_some() { "What was done until then is not undone." } else { "" };
            run.message = Some(format!("It was cancelled. {begun}").trim_end().to_owned());
            if let Some(done) = done {
                (run.counts, run.held, run.rounded) = (done.counts, done.held, done.rounded);
            }
        })
        .await;
    }

    /// Keeps what was deleted before it ended otherwise than it should. Gives how many findings are kept, and a
    /// sentence to be added.
    async fn deleted(&self, id: u64, progress: &Progress) -> (usize, String) {
        let done = Done { findings: progress.deletions(), ..Done::default() };
        let count = done.findings.len();
        match self.keep_findings(id, &done).await.0 {
            Ok(0) => (0, String::new()),
            Ok(kept) => (kept, format!(" Timesheets deleted by then: {count}; its findings list them.")),
            Err(fault) => (0, format!(" Timesheets deleted by then: {count}; the log lists them ({fault}).")),
        }
    }

    /// Writes the findings, and returns their number, with a key if deletions wait for confirmation.
    async fn keep_findings(&self, id: u64, done: &Done) -> (Result<usize, StorageFault>, Option<Confirm>) {
        if done.findings.is_empty() {
            return (Ok(0), None);
        }
        if let Err(fault) = self.inner.store.put_findings(id, &done.findings).await {
            return (Err(fault), None);
        }
        let confirm = (!Unconfirmed::of(&done.findings).is_empty())
            .then(|| Confirm { key: Uuid::new_v4(), expires: self.inner.clock.after(CONFIRM_WITHIN) });
        (Ok(done.findings.len()), confirm)
    }

    /// Ends a run in memory, which notifies its waiters, then in the file.
    pub(super) async fn end(&self, id: u64, end: End, change: impl FnOnce(&mut Job)) {
        let message = match &end {
            End::Failed(trouble) => Some(format!("{trouble}.")),
            End::Done | End::Cancelled => None,
        };
        let stale = {
            let mut schedule = self.schedule();
            let now = self.inner.clock.now();
            schedule.end(id, end, now, |run| {
                run.message = message;
                change(run);
            });
            schedule.forget_findings(MOST_FINDINGS)
        };
        self.write(id).await;
        for run in stale {
            let removed = self.inner.store.remove_findings(run.id).await;
            if let Err(fault) = removed.and(self.inner.store.save(vec![record(&run)]).await) {
                warn!("Old findings could not be removed: {fault}");
            }
        }
    }

    /// Writes a new run, and removes those that make room for it.
    pub(super) async fn keep(&self, id: u64, removed: &[u64]) -> Result<(), StorageFault> {
        let run = self.get(id);
        self.inner.store.save(run.iter().map(record).collect()).await?;
        self.inner.store.remove(removed).await
    }

    /// Writes the current state of a run. If that fails, it is still in memory.
    pub(super) async fn write(&self, id: u64) {
        let Some(run) = self.get(id) else { return };
        if let Err(fault) = self.inner.store.save(vec![record(&run)]).await {
            warn!("Run {id} goes on, but how far it is could not be saved: {fault}");
        }
    }
}

/// Waits until a run has exceeded `limit`, or has ignored `stop` for long: from then on it would only block the next
/// one.
async fn overdue(limit: Duration, stop: &CancellationToken) {
    let unheeded = async {
        stop.cancelled().await;
        tokio::time::sleep(LONGEST_STOP).await;
    };
    tokio::select! {
        () = tokio::time::sleep(limit) => {}
        () = unheeded => {}
    }
}

/// The message of a panic.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".to_owned())
}

/// With what earlier attempts deleted: nothing of that is found any more.
fn with_earlier(mut done: Done, progress: &Progress) -> Done {
    let mut findings = progress.deletions();
    let now: BTreeSet<&[EntryId]> = done.findings.iter().map(|found| found.timesheets.as_slice()).collect();
    findings.retain(|earlier| !now.contains(earlier.timesheets.as_slice()));
    if !findings.is_empty() {
        let _ = write!(done.message, " Timesheets deleted by earlier attempts: {}.", findings.len());
        done.findings.splice(0..0, findings);
    }
    done
}
