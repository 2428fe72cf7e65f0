//! The queue in the file: a state machine in memory, of which every change is written before it counts.

mod future;
mod last_delta;
mod recheck;
mod rows;
mod throughput;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tokio::sync::Notify;
use tracing::warn;

use super::{Storage, TransactionHook};
use crate::clock::Clock;
use crate::domain::{Code, Sighting, WorkLogUri};
use crate::queue::entry_state::Request;
use crate::queue::state_machine::StateMachine;
use crate::queue::{Attempt, Counts, Entry, Filter, Lease, Outcome, Reason, State};
use crate::store::queue::{LEASE, MOST_ENTRIES};
use crate::store::{Look, Queue, QueueFault, Slot, StorageFault};
use recheck::Pauses;
pub(super) use rows::is_removed;

/// When a run whose end could not be saved is tried again.
const AFTER_UNSAVED: Duration = Duration::from_secs(5);

/// A step of the time that leases are put off by; what is less is how long it takes to ask.
const LEAST_STEP: SignedDuration = SignedDuration::from_secs(1);

/// A queue on a [`Storage`]: as durable as that is.
#[derive(Debug)]
pub struct SqliteQueue {
    shared: Arc<Shared>,
    storage: Storage,
    clock: Clock,
    lease: Duration,
    pauses: Arc<Pauses>,
    /// How far the time had gone ahead of what was counted when leases were last looked at.
    stepped: Mutex<SignedDuration>,
}

/// What the storage's writer shares with the callers.
#[derive(Debug, Default)]
struct Shared {
    machine: Mutex<StateMachine>,
    /// Tells waiting workers that an entry may be due earlier than they thought.
    changed: Notify,
    /// The same for looks, with when that is.
    looks: recheck::Alarm,
}

impl Shared {
    /// The book is only ever left whole, so a panic elsewhere does not spoil it.
    fn machine(&self) -> MutexGuard<'_, StateMachine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TransactionHook for Shared {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let changes = self.machine().changes();
        rows::save(connection, &changes)
    }

    fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let all = self.machine().rows();
        rows::save(connection, &all)
    }

    fn ended(&self, committed: bool) {
        self.machine().ended(committed);
        self.changed.notify_waiters();
    }
}

impl SqliteQueue {
    /// The queue that `storage` holds, with the time from `clock`. What ran when it was last open is due
    /// again. Reads all entries, blocking: a fraction of a second for 100 000.
    pub fn open(storage: Storage, clock: Clock) -> Result<Self, StorageFault> {
        let now = clock.now();
        let ahead = storage.write_now(move |connection| future::ahead(connection, now))?;
        if let Some(ahead) = ahead {
            warn!(
                "The queue's file holds times up to {} s in the future: the system clock was set back. They count as if it had not been.",
                ahead.as_secs()
            );
            clock.note_kept_ahead(ahead);
        }
        let load = move |connection: &Connection| rows::load(connection, |due| future::due(due, ahead, now));
        let machine = storage.write_now(load)?.map_err(|why| storage.damaged(&why))?;
        let shared = Arc::new(Shared { machine: Mutex::new(machine), ..Shared::default() });
        storage.attach(Arc::clone(&shared) as Arc<dyn TransactionHook>)?;
        Ok(Self { shared, storage, clock, lease: LEASE, pauses: Arc::default(), stepped: Mutex::default() })
    }

    /// The same queue, with another time that a run may take.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The same queue, whose entries are looked at again after each of `pauses` once the run of a delta has ended.
    #[must_use]
    pub fn with_rechecks(mut self, pauses: &[Duration]) -> Self {
        self.pauses = Arc::new(Pauses::new(pauses));
        self
    }

    async fn take(
        &self,
        work_logs: Vec<(WorkLogUri, bool)>,
        reason: Reason,
        overwrite: bool,
        due: Timestamp,
    ) -> Result<(), QueueFault> {
        let (shared, now) = (Arc::clone(&self.shared), self.clock.now());
        let taken = self.storage.write(move |connection| {
            let mut machine = shared.machine();
            let new = work_logs.iter().filter(|(work_log, _)| !machine.contains(work_log)).count();
            if machine.len() + new > MOST_ENTRIES {
                return Ok(Err(QueueFault::Full(machine.len())));
            }
            for (work_log, removed) in work_logs {
                machine.put(&work_log, Request { reason, removed, overwrite, due, now });
            }
            if reason == Reason::Delta {
                last_delta::note(connection, now)?;
            }
            Ok(Ok(()))
        });
        taken.await?
    }

    /// A lease, or when to look again.
    fn try_lease(&self) -> Result<Lease, Option<Timestamp>> {
        let (now, steady) = (self.clock.now(), self.clock.steady());
        let mut machine = self.shared.machine();
        if let Some(forward) = self.stepped_forward(now.duration_since(steady)) {
            machine.put_off_expiry(forward);
        }
        for work_log in machine.expire(now) {
            warn!(%work_log, "The run of <{work_log}> takes longer than {:?}; it is run anew.", self.lease);
        }
        machine.lease(now, self.lease).ok_or_else(|| machine.next_event())
    }

    /// How far the time has been set forward since this was last asked.
    fn stepped_forward(&self, stepped: SignedDuration) -> Option<SignedDuration> {
        let mut last = self.stepped.lock().unwrap_or_else(PoisonError::into_inner);
        let by = stepped.saturating_sub(std::mem::replace(&mut *last, stepped));
        (by >= LEAST_STEP).then_some(by)
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn put(&self, work_logs: &[WorkLogUri], reason: Reason, due: Timestamp) -> Result<(), QueueFault> {
        let work_logs = work_logs.iter().map(|work_log| (work_log.clone(), false)).collect();
        self.take(work_logs, reason, false, due).await
    }

    async fn overwrite(&self, work_log: &WorkLogUri) -> Result<(), QueueFault> {
        self.take(vec![(work_log.clone(), false)], Reason::Request, true, self.clock.now()).await
    }

    async fn overwrite_exported(&self) -> Result<usize, QueueFault> {
        let (shared, now) = (Arc::clone(&self.shared), self.clock.now());
        Ok(self.storage.write(move |_| Ok(shared.machine().overwrite_exported(now))).await?)
    }

    async fn put_named(&self, named: &BTreeMap<WorkLogUri, bool>, due: Timestamp) -> Result<(), QueueFault> {
        let work_logs = named.iter().map(|(work_log, removed)| (work_log.clone(), *removed)).collect();
        self.take(work_logs, Reason::Delta, false, due).await
    }

    async fn lease(&self) -> Result<Lease, QueueFault> {
        loop {
            self.storage.probe().await?;
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable(); // before looking, so that no change between is missed
            match self.try_lease() {
                Ok(lease) => return Ok(lease),
                Err(Some(due)) => tokio::select! {
                    () = changed => {}
                    () = self.clock.sleep_until(due) => {}
                },
                Err(None) => changed.await,
            }
        }
    }

    async fn complete(&self, lease: Lease, outcome: Outcome) -> Result<(), QueueFault> {
        let (shared, now, steady) = (Arc::clone(&self.shared), self.clock.now(), self.clock.steady());
        let Lease { work_log, number, until, seen, .. } = lease;
        let (subject, pauses) = (work_log.clone(), Arc::clone(&self.pauses));
        let completed = self.storage.write(move |connection| {
            let shows_class = seen.is_some_and(Sighting::is_of_work_log);
            let completed = shared.machine().complete(&subject, number, &outcome, shows_class);
            let Some(completed) = completed else { return Ok(None) };
            rows::add_attempt(connection, &subject, now, &outcome)?;
            throughput::add(connection, now, &outcome, completed.asked)?;
            // A step of the clock makes no data visible: it is looked at again when as much time has passed.
            recheck::note(connection, &subject, completed, seen, &pauses, steady).map(Some)
        });
        match completed.await {
            Ok(Some(look)) => {
                self.shared.looks.is_due(look);
                Ok(())
            }
            Ok(None) => Err(QueueFault::Overrun(until)),
            Err(fault) => {
                self.shared.machine().give_back(&work_log, number, self.clock.after(AFTER_UNSAVED));
                self.shared.changed.notify_waiters();
                Err(fault.into())
            }
        }
    }

    async fn looks(&self, most: usize) -> Result<Vec<Look>, QueueFault> {
        loop {
            let earlier = self.shared.looks.earlier();
            tokio::pin!(earlier);
            earlier.as_mut().enable(); // before looking, so that none between is missed
            self.shared.looks.set(None);
            let (shared, pauses, steady) =
                (Arc::clone(&self.shared), Arc::clone(&self.pauses), self.clock.steady());
            let read = move |connection: &Connection| {
                let is_to_run = |work_log: &WorkLogUri| shared.machine().is_to_run(work_log);
                recheck::due(connection, is_to_run, most, &pauses, steady)
            };
            let (looks, next) = self.storage.write(read).await?;
            if !looks.is_empty() {
                return Ok(looks);
            }
            self.shared.looks.set(next);
            match next {
                Some(next) => tokio::select! {
                    () = earlier => {}
                    () = tokio::time::sleep(Duration::try_from(next.duration_since(steady)).unwrap_or_default()) => {}
                },
                None => earlier.await,
            }
        }
    }

    async fn end_looks(&self, looks: Vec<(Look, bool)>) -> Result<usize, QueueFault> {
        let (shared, pauses) = (Arc::clone(&self.shared), Arc::clone(&self.pauses));
        let (now, steady) = (self.clock.now(), self.clock.steady());
        let ended = self.storage.write(move |connection| {
            let mut machine = shared.machine();
            let mut changed = 0;
            for (look, has_changed) in looks {
                let new = has_changed && !machine.contains(&look.work_log);
                if new && machine.len() >= MOST_ENTRIES {
                    // It is looked at again.
                    return Ok(Err(QueueFault::Full(machine.len())));
                }
                if let Some(removed) =
                    recheck::end(connection, &look, &pauses, steady)?.filter(|_| has_changed)
                {
                    let request =
                        Request { reason: Reason::Recheck, removed, overwrite: false, due: now, now };
                    machine.put(&look.work_log, request);
                    changed += 1;
                }
            }
            Ok(Ok(changed))
        });
        ended.await?
    }

    async fn has_look(&self, work_log: &WorkLogUri) -> Result<bool, QueueFault> {
        let work_log = work_log.clone();
        Ok(self.storage.write(move |connection| recheck::has(connection, &work_log)).await?)
    }

    async fn start_looks(&self) -> Result<(), QueueFault> {
        let (pauses, steady) = (Arc::clone(&self.pauses), self.clock.steady());
        Ok(self.storage.write(move |connection| recheck::start(connection, &pauses, steady)).await?)
    }

    async fn wake_parked(&self, reason: Reason) -> Result<usize, QueueFault> {
        let (shared, now) = (Arc::clone(&self.shared), self.clock.now());
        Ok(self.storage.write(move |_| Ok(shared.machine().wake_parked(reason, now))).await?)
    }

    async fn parked_by_code(&self) -> Result<BTreeMap<Option<Code>, usize>, QueueFault> {
        Ok(self.shared.machine().parked_by_code())
    }

    async fn counts(&self) -> Result<Counts, QueueFault> {
        Ok(self.shared.machine().counts(self.clock.now()))
    }

    async fn oldest_due(&self) -> Result<Option<Timestamp>, QueueFault> {
        Ok(self.shared.machine().oldest_due())
    }

    async fn quiet(&self) -> Result<(), QueueFault> {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.shared.machine().is_quiet() {
                return Ok(());
            }
            changed.await;
        }
    }

    async fn parked(&self) -> Result<Vec<(WorkLogUri, String)>, QueueFault> {
        let parked = self.page(State::Parked.into(), None, usize::MAX).await?;
        Ok(parked.into_iter().map(|entry| (entry.work_log, entry.last_error.unwrap_or_default())).collect())
    }

    async fn page(
        &self,
        filter: Filter,
        after: Option<&WorkLogUri>,
        most: usize,
    ) -> Result<Vec<Entry>, QueueFault> {
        Ok(self.shared.machine().page(filter, after, most, self.clock.now()))
    }

    async fn entry(&self, work_log: &WorkLogUri) -> Result<Option<Entry>, QueueFault> {
        Ok(self.shared.machine().entry(work_log, self.clock.now()))
    }

    async fn history(&self, work_log: &WorkLogUri) -> Result<Vec<Attempt>, QueueFault> {
        let work_log = work_log.clone();
        Ok(self.storage.write(move |connection| rows::attempts(connection, &work_log)).await?)
    }

    async fn throughput(&self, since: Timestamp) -> Result<Vec<Slot>, QueueFault> {
        Ok(self.storage.write(move |connection| throughput::read(connection, since)).await?)
    }

    async fn last_delta(&self) -> Result<Option<Timestamp>, QueueFault> {
        Ok(self.storage.write(last_delta::read).await?)
    }
}

#[cfg(test)]
mod tests;
