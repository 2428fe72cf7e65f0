//! The runs in memory: which waits for which, and which requests join. No I/O; time is a parameter.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::job::{AskedBy, CONFIRM_WITHIN, Job, Kind, Queued, State, Task};
use super::service::End;
use crate::progress::{Progress, Stand};

/// How many runs are kept.
pub const MOST_RUNS: usize = 100;
/// How many runs may wait: fewer than are kept, so that ended ones stay visible.
pub const MOST_WAITING: usize = 50;

/// What others wait for.
#[derive(Debug, Clone)]
pub(super) struct Now {
    pub(super) state: State,
    /// Between two attempts, so it blocks no other run.
    pub(super) resting: bool,
    /// How it ended.
    pub(super) end: Option<End>,
}

/// A run that has not ended.
#[derive(Debug)]
pub(super) struct Live {
    /// Its position among those that exclude each other: the lowest goes first.
    ticket: u64,
    /// The confirm key it was asked with.
    key: Option<Uuid>,
    pub(super) cancelled: bool,
    pub(super) progress: Progress,
    pub(super) stop: CancellationToken,
    /// Notified when a request joins it between two attempts.
    pub(super) woken: Arc<Notify>,
    pub(super) now: watch::Sender<Now>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) run: Job,
    /// Not of one that has ended.
    pub(super) live: Option<Live>,
}

impl Entry {
    /// As it is now.
    pub(super) fn snapshot(&self) -> Job {
        let mut run = self.run.clone();
        if let Some(live) = &self.live {
            run.stand = live.progress.stand();
        }
        run
    }

    /// Whether it is before `other` among those that exclude each other, and blocks it.
    fn is_before(&self, task: Task, ticket: u64) -> bool {
        let Some(live) = &self.live else { return false };
        let resting = live.now.borrow().resting;
        !resting && live.ticket < ticket && self.run.task.excludes(task)
    }
}

/// A request for a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) task: Task,
    pub(super) key: Option<Uuid>,
    pub(super) asked_by: AskedBy,
}

/// All runs that are kept.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    entries: BTreeMap<u64, Entry>,
    tickets: u64,
}

impl Schedule {
    /// With what the file held. What was under way waits again if it can go on and `resume` is wished for, or
    /// has failed. Gives the runs that this changes.
    pub(super) fn of(
        runs: Vec<Job>,
        resume: bool,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> (Self, Vec<Job>) {
        let mut schedule = Self::default();
        let mut changed = Vec::new();
        for mut run in runs {
            let id = run.id;
            if end_in_time(&mut run, now) {
                changed.push(run.clone());
            }
            if run.state.is_ended() {
                schedule.entries.insert(id, Entry { run, live: None });
                continue;
            }
            run.waits_for = None;
            if run.is_following() {
                let live = schedule.begun(run.task, None, stop);
                live.now.send_modify(|now| (now.state, now.resting) = (State::Running, true));
                schedule.entries.insert(id, Entry { run, live: Some(live) });
                continue;
            }
            if resume && run.task.goes_on() {
                run.state = State::Waiting;
                run.resumed = true;
                run.stand = Stand::default();
                run.message =
                    Some("It was interrupted by a stop of the service, and is restarted.".to_owned());
                let live = schedule.begun(run.task, None, stop);
                schedule.entries.insert(id, Entry { run: run.clone(), live: Some(live) });
            } else {
                run.state = State::Failed;
                run.ended = Some(now);
                run.message =
                    Some("It was interrupted by a stop of the service; request it again.".to_owned());
                schedule.entries.insert(id, Entry { run: run.clone(), live: None });
            }
            changed.push(run);
        }
        (schedule, changed)
    }

    fn begun(&mut self, task: Task, key: Option<Uuid>, stop: &CancellationToken) -> Live {
        self.tickets += 1;
        let stop = if task.ends_at_stop() { stop.child_token() } else { CancellationToken::new() };
        Live {
            ticket: self.tickets,
            key,
            cancelled: false,
            progress: Progress::new(stop.clone()),
            stop,
            woken: Arc::default(),
            now: watch::Sender::new(Now { state: State::Waiting, resting: false, end: None }),
        }
    }

    /// The run that satisfies the request, and whether it existed already; nothing if too many wait.
    pub(super) fn ask(
        &mut self,
        request: Request,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Option<(u64, bool)> {
        let joined = self.entries.iter().find(|(_, Entry { run, live })| {
            let fits = |live: &Live| !live.cancelled && (request.key.is_none() || live.key == request.key);
            run.state == State::Waiting && run.task == request.task && live.as_ref().is_some_and(fits)
        });
        if let Some((id, entry)) = joined {
            entry.live.iter().for_each(|live| live.woken.notify_one());
            return Some((*id, true));
        }
        let waiting = self.entries.values().filter(|entry| entry.run.state == State::Waiting).count();
        if waiting >= MOST_WAITING {
            return None;
        }
        let id = self.entries.last_key_value().map_or(1, |(last, _)| last + 1);
        let live = self.begun(request.task, request.key, stop);
        let run = Job {
            id,
            task: request.task,
            asked_by: request.asked_by,
            state: State::Waiting,
            waits_for: None,
            stand: Stand::default(),
            counts: BTreeMap::new(),
            queued: None,
            compared: None,
            held: 0,
            confirm: None,
            findings: 0,
            findings_removed: false,
            rounded: Vec::new(),
            asked: now,
            started: None,
            ended: None,
            message: None,
            resumed: false,
        };
        self.entries.insert(id, Entry { run, live: Some(live) });
        self.before(id);
        Some((id, false))
    }

    /// What blocks `id`: the last of those before it, to be waited for.
    pub(super) fn before(&mut self, id: u64) -> Option<watch::Receiver<Now>> {
        let entry = self.entries.get(&id)?;
        let (task, ticket) = (entry.run.task, entry.live.as_ref()?.ticket);
        let ahead = self.entries.values().filter(|other| other.is_before(task, ticket));
        let last = ahead.max_by_key(|other| other.live.as_ref().map(|live| live.ticket));
        let found = last.and_then(|other| Some((other.run.id, other.live.as_ref()?.now.subscribe())));
        let waits_for = found.as_ref().map(|(other, _)| *other);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.run.waits_for = waits_for;
        }
        found.map(|(_, now)| now)
    }

    /// Starts `id`, unless it was cancelled (its token says so too) or has to wait.
    pub(super) fn begin(&mut self, id: u64, now: Timestamp) -> bool {
        if self.before(id).is_some() {
            return false;
        }
        let Some(Entry { run, live: Some(live) }) = self.entries.get_mut(&id) else { return false };
        if live.cancelled {
            return false;
        }
        run.state = State::Running;
        run.started.get_or_insert(now);
        live.now.send_modify(|now| now.state = State::Running);
        true
    }

    /// `id` waits for a later attempt, and blocks no other run meanwhile.
    pub(super) fn rest(&mut self, id: u64, why: String) {
        if let Some(Entry { run, live: Some(live) }) = self.entries.get_mut(&id) {
            run.state = State::Waiting;
            run.message = Some(why);
            live.now.send_modify(|now| {
                now.state = State::Waiting;
                now.resting = true;
            });
        }
    }

    /// `id` takes its position behind those that were added while it waited.
    pub(super) fn line_up(&mut self, id: u64) {
        self.tickets += 1;
        if let Some(Entry { live: Some(live), .. }) = self.entries.get_mut(&id) {
            live.ticket = self.tickets;
            live.now.send_modify(|now| now.resting = false);
        }
    }

    /// `id` has compared and acted, and from now on follows what it queued without blocking others; `change` records
    /// the result.
    pub(super) fn follow(&mut self, id: u64, now: Timestamp, change: impl FnOnce(&mut Job)) {
        if let Some(Entry { run, live: Some(live) }) = self.entries.get_mut(&id) {
            change(run);
            run.compared = Some(now);
            live.now.send_modify(|now| now.resting = true);
        }
    }

    /// The progress of what `id` queued.
    pub(super) fn tell_queued(&mut self, id: u64, queued: Queued) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.run.queued = Some(queued);
        }
    }

    /// `id` has ended; `change` records the result.
    pub(super) fn end(&mut self, id: u64, end: End, now: Timestamp, change: impl FnOnce(&mut Job)) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let Some(live) = entry.live.take() else { return };
        let run = &mut entry.run;
        run.stand = live.progress.stand();
        run.state = end.state();
        run.waits_for = None;
        run.ended = Some(now);
        change(run);
        live.now.send_modify(|now| {
            now.state = end.state();
            now.end = Some(end);
        });
    }

    /// The process stops: waiters for `id` are notified that nothing more follows. Its row stays as it is.
    pub(super) fn cut_off(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id)
            && let Some(live) = entry.live.take()
        {
            entry.run.stand = live.progress.stand();
        }
    }

    /// Cancels `id`. Returns whether that was possible.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        let Some(Entry { live: Some(live), .. }) = self.entries.get_mut(&id) else { return false };
        live.cancelled = true;
        live.stop.cancel();
        true
    }

    /// Removes the oldest ones that ended, beyond those that are kept.
    pub(super) fn prune(&mut self) -> Vec<u64> {
        let surplus = self.entries.len().saturating_sub(MOST_RUNS);
        let ended = self.entries.values().filter(|entry| entry.live.is_none() && entry.run.state.is_ended());
        let oldest: Vec<u64> = ended.map(|entry| entry.run.id).take(surplus).collect();
        for id in &oldest {
            self.entries.remove(id);
        }
        oldest
    }

    /// Notes that the findings of the oldest runs are to go, so that at most `most` are left; never those
    /// of the newest run that has some.
    pub(super) fn forget_findings(&mut self, most: usize) -> Vec<Job> {
        let mut kept = 0;
        let mut gone = Vec::new();
        for entry in self.entries.values_mut().rev().filter(|entry| entry.run.findings > 0) {
            let first = kept == 0;
            kept += entry.run.findings;
            if kept > most && !first {
                entry.run.findings = 0;
                entry.run.findings_removed = true;
                entry.run.confirm = None;
                gone.push(entry.run.clone());
            }
        }
        gone
    }

    pub(super) fn get(&self, id: u64) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(super) fn live_of(&self, id: u64) -> Option<&Live> {
        self.entries.get(&id)?.live.as_ref()
    }

    /// The newest first.
    pub(super) fn list(&self, kind: Option<Kind>) -> Vec<Job> {
        let fits = |entry: &&Entry| kind.is_none_or(|kind| entry.run.task.kind() == kind);
        self.entries.values().rev().filter(fits).map(Entry::snapshot).collect()
    }

    /// Those that have not ended.
    pub(super) fn live(&self) -> impl Iterator<Item = &Job> {
        self.entries.values().filter(|entry| entry.live.is_some()).map(|entry| &entry.run)
    }

    /// The run that issued `key`.
    pub(super) fn with_key(&self, key: &Uuid) -> Option<&Job> {
        let given = |run: &&Job| run.confirm.as_ref().is_some_and(|confirm| confirm.key == *key);
        self.entries.values().map(|entry| &entry.run).find(given)
    }
}

/// Where the system clock was set back since a confirm key was given, it is good for as long as one that is given
/// `now`. Says whether it was.
fn end_in_time(run: &mut Job, now: Timestamp) -> bool {
    let latest = now.checked_add(CONFIRM_WITHIN).unwrap_or(Timestamp::MAX);
    let confirm = run.confirm.as_mut().filter(|confirm| confirm.expires > latest);
    confirm.map(|confirm| confirm.expires = latest).is_some()
}
