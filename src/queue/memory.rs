//! The queue in memory: quick, and gone with the process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::book::Book;
use super::{Counts, Lease, Outcome, Queue, QueueFault, Reason};
use crate::clock::Clock;
use crate::domain::WorkLogUri;

/// The most work logs that may wait: about 200 bytes each.
const MOST_ENTRIES: usize = 1_000_000;

/// A queue that lives as long as the process.
#[derive(Debug)]
pub struct Memory {
    book: Mutex<Book>,
    /// Tells waiting workers that an entry may be due earlier than they thought.
    changed: Notify,
    clock: Clock,
}

impl Memory {
    /// An empty queue that reads the time from `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { book: Mutex::default(), changed: Notify::new(), clock }
    }

    /// The book is only ever left whole, so a panic elsewhere does not spoil it.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease, or when to look again.
    fn take(&self) -> Result<Lease, Option<Timestamp>> {
        let mut book = self.book();
        book.lease(self.clock.now()).ok_or_else(|| book.next_due())
    }
}

#[async_trait]
impl Queue for Memory {
    async fn put(&self, work_logs: &[WorkLogUri], reason: Reason, due: Timestamp) -> Result<(), QueueFault> {
        let mut book = self.book();
        if book.len() + work_logs.len() > MOST_ENTRIES {
            return Err(QueueFault::Full(book.len()));
        }
        for work_log in work_logs {
            book.put(work_log, reason, due);
        }
        drop(book);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn lease(&self) -> Result<Lease, QueueFault> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable(); // before looking, so that no change between is missed
            match self.take() {
                Ok(lease) => return Ok(lease),
                Err(Some(due)) => tokio::select! {
                    () = changed => {}
                    () = self.clock.sleep_until(due) => {}
                },
                Err(None) => changed.await,
            }
        }
    }

    async fn settle(&self, lease: Lease, outcome: Outcome) -> Result<(), QueueFault> {
        self.book().settle(&lease, outcome);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn wake_parked(&self, reason: Reason) -> Result<usize, QueueFault> {
        let woken = self.book().wake_parked(reason, self.clock.now());
        self.changed.notify_waiters();
        Ok(woken)
    }

    async fn counts(&self) -> Result<Counts, QueueFault> {
        Ok(self.book().counts())
    }

    async fn quiet(&self) -> Result<(), QueueFault> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.book().is_quiet() {
                return Ok(());
            }
            changed.await;
        }
    }

    async fn parked(&self) -> Result<Vec<(WorkLogUri, String)>, QueueFault> {
        Ok(self.book().parked())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_waits_is_woken_by_an_earlier_entry() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC);
        let queue = Arc::new(Memory::new(clock.clone()));
        let [late, early] =
            ["late", "early"].map(|name| WorkLogUri::parse(&format!("http://x/{name}")).unwrap());
        queue.put(&[late], Reason::Delta, clock.after(Duration::from_hours(1))).await.unwrap();
        let add = async {
            tokio::task::yield_now().await;
            queue.put(std::slice::from_ref(&early), Reason::Delta, clock.after(Duration::from_secs(2))).await
        };
        let (lease, added) = tokio::join!(queue.lease(), add);
        added.unwrap();
        assert_eq!(lease.unwrap().work_log, early);
        assert_eq!(clock.now().as_second(), 2, "not before it is due, and not an hour later");
    }
}
