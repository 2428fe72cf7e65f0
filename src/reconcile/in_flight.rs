//! The runs in flight, and a barrier that waits for those that have begun so far.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The runs in flight, by number.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    runs: Mutex<Runs>,
    /// Notified when a run has ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Runs {
    /// The number of the last run that began.
    last: u64,
    numbers: BTreeSet<u64>,
}

/// A run in flight until this is dropped, however it ends.
#[derive(Debug)]
pub(super) struct Run<'a> {
    all: &'a InFlight,
    number: u64,
}

impl InFlight {
    /// A run begins.
    pub(super) fn begin(&self) -> Run<'_> {
        let mut runs = self.runs();
        runs.last += 1;
        let number = runs.last;
        runs.numbers.insert(number);
        Run { all: self, number }
    }

    /// Waits until every run has ended that began before the first poll. Runs that begin later neither wait nor are
    /// waited for.
    pub(super) async fn barrier(&self) {
        let last = self.runs().last;
        self.until(|numbers| numbers.first().is_none_or(|oldest| *oldest > last)).await;
    }

    /// Waits until fewer than `most` runs are in flight.
    pub(super) async fn fewer_than(&self, most: usize) {
        self.until(|numbers| numbers.len() < most).await;
    }

    async fn until(&self, holds: impl Fn(&BTreeSet<u64>) -> bool) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable(); // before looking, so that no end between is missed
            if holds(&self.runs().numbers) {
                return;
            }
            ended.await;
        }
    }

    /// The map is never left in an inconsistent state, so a panic elsewhere does not matter.
    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.all.runs().numbers.remove(&self.number);
        self.all.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_is_under_way_is_waited_for_and_what_begins_later_is_not() {
        let all = InFlight::default();
        all.barrier().await;
        let (first, second) = (all.begin(), all.begin());
        let mut barrier = Box::pin(all.barrier());
        assert_eq!(barrier.as_mut().now_or_never(), None);
        // Nothing delays a new run, and a new run does not delay the barrier.
        let third = all.begin();
        let mut later = Box::pin(all.barrier());
        assert_eq!(later.as_mut().now_or_never(), None);
        drop(second);
        assert_eq!(barrier.as_mut().now_or_never(), None, "the longest one counts");
        drop(first);
        assert_eq!(barrier.now_or_never(), Some(()));
        assert_eq!(later.as_mut().now_or_never(), None, "of those that began meanwhile too");
        drop(third);
        assert_eq!(later.now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_for_one_more_when_one_has_ended() {
        let all = InFlight::default();
        let first = all.begin();
        assert_eq!(all.fewer_than(2).now_or_never(), Some(()));
        let _second = all.begin();
        let mut room = Box::pin(all.fewer_than(2));
        assert_eq!(room.as_mut().now_or_never(), None);
        drop(first);
        assert_eq!(room.now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn a_run_that_panics_or_is_given_up_is_over() {
        let all = InFlight::default();
        let dies = async {
            let _run = all.begin();
            panic!("on purpose");
        };
        AssertUnwindSafe(dies).catch_unwind().await.unwrap_err();
        let mut hangs = Box::pin(async {
            let _run = all.begin();
            std::future::pending::<()>().await;
        });
        assert_eq!(hangs.as_mut().now_or_never(), None);
        let mut barrier = Box::pin(all.barrier());
        assert_eq!(barrier.as_mut().now_or_never(), None);
        drop(hangs);
        assert_eq!(barrier.now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn a_barrier_is_woken_by_the_end_of_the_last_run() {
        let all = InFlight::default();
        let run = all.begin();
        let (waits, ends) = (all.barrier(), async {
            tokio::task::yield_now().await;
            drop(run);
        });
        tokio::join!(waits, ends);
    }
}
