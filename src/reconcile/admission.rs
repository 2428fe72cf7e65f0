//! Limits the runs in progress between the queue and Kimai: enough to keep Kimai busy, and few enough that their data
//! does not get stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::retry::Failure;
use crate::trackers::adaptive_concurrency::{AdaptiveLimiter, Turn};

/// How much of Kimai's time may be prepared in advance. Work log data is no older than that when it is sent.
const AHEAD: Duration = Duration::from_secs(1);
/// The upper limit, however fast Kimai is. Their statements are sent a hundred at a time.
const MOST_AHEAD: usize = 128;

/// The longest wait for a turn. If Kimai has become slow since many runs began, the last of them give up: the data they
/// read is old by then, and their lease must outlive them.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// The denominator of the share of runs that send something.
const ALL: usize = 1_024;
/// The share is averaged over roughly this many runs.
const REMEMBERED: usize = 32;

/// All runs in progress.
#[derive(Debug)]
pub(super) struct Admission {
    limiter: Arc<AdaptiveLimiter>,
    /// Runs that have begun and have no answer from Kimai yet.
    ahead: AtomicUsize,
    /// Those of them that know what to send.
    ready: AtomicUsize,
    /// How many of the last [`ALL`] runs had something to send. The others are no work for Kimai.
    needed: AtomicUsize,
    /// Notified when a run has got through.
    through: Notify,
}

/// A run in progress, until this is dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    admission: &'a Admission,
    ready: bool,
    /// Whether it is temporarily not counted as in progress.
    aside: bool,
    turn: Option<Turn<'a>>,
    heard: Heard,
}

/// Reports whether Kimai did what the run requested, even after the run has got through.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    /// Whether Kimai did.
    pub(super) fn kimai(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Admission {
    /// Admits runs at the pace of `pace`.
    pub(super) fn new(limiter: Arc<AdaptiveLimiter>) -> Self {
        Self {
            limiter,
            ahead: AtomicUsize::new(0),
            ready: AtomicUsize::new(0),
            needed: AtomicUsize::new(ALL),
            through: Notify::new(),
        }
    }

    /// Kimai's pace.
    pub(super) fn limiter(&self) -> &AdaptiveLimiter {
        &self.limiter
    }

    /// Waits until one more may begin.
    pub(super) async fn room(&self) {
        loop {
            let through = self.through.notified();
            tokio::pin!(through);
            through.as_mut().enable(); // before looking, so that none between is missed
            let limit = self.limiter.limit();
            let most = MOST_AHEAD.max(limit);
            let ahead = self.limiter.answers_within(AHEAD).unwrap_or(limit).clamp(limit, most);
            let ahead = self.of_which_needed(ahead).min(most);
            if self.ahead.load(Ordering::Acquire) < self.limiter.turns() + ahead {
                return;
            }
            through.await;
        }
    }

    /// A run begins.
    pub(super) fn begin(&self) -> Permit<'_> {
        self.ahead.fetch_add(1, Ordering::AcqRel);
        Permit { admission: self, ready: false, aside: false, turn: None, heard: Heard::default() }
    }

    /// How many runs are needed so that about `needed` of them have something to send.
    fn of_which_needed(&self, needed: usize) -> usize {
        let share = self.needed.load(Ordering::Relaxed).max(1);
        needed.saturating_mul(ALL) / share
    }

    /// Records whether a run that got through had something to send. Two at once may count as one.
    fn learn(&self, had: bool) {
        let known = self.needed.load(Ordering::Relaxed);
        let new = known - known.div_ceil(REMEMBERED) + if had { ALL / REMEMBERED } else { 0 };
        self.needed.store(new.min(ALL), Ordering::Relaxed);
    }

    /// Whether Kimai may soon be idle, for lack of runs that know what to send.
    pub(super) fn is_thin(&self) -> bool {
        self.ready.load(Ordering::Acquire) < self.limiter.limit()
    }

    /// Whether no more than one is on its way.
    pub(super) fn is_alone(&self) -> bool {
        self.ahead.load(Ordering::Acquire) <= 1
    }

    /// Whether nothing is on its way.
    pub(super) fn is_dry(&self) -> bool {
        self.ahead.load(Ordering::Acquire) == 0
    }
}

impl Permit<'_> {
    /// Lets the caller report later whether Kimai answered.
    pub(super) fn heard(&self) -> Heard {
        self.heard.clone()
    }

    /// The run will probably send nothing but has to be checked: others may begin meanwhile.
    pub(super) fn step_aside(&mut self) {
        if !self.aside {
            self.aside = true;
            self.admission.ahead.fetch_sub(1, Ordering::AcqRel);
            self.admission.through.notify_waiters();
        }
    }

    /// It has something to send after all.
    fn step_back(&mut self) {
        if self.aside {
            self.aside = false;
            self.admission.ahead.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Kimai did what was requested, so the next run may begin.
    pub(super) fn answered(self) {
        self.heard.0.store(true, Ordering::Relaxed);
    }

    /// Waits until a change may be prepared and sent. Fails if Kimai goes down meanwhile, or if it takes too long. Hold
    /// the result until Kimai has answered.
    pub(super) async fn turn(&mut self) -> Result<(), Failure> {
        self.step_back();
        if self.turn.is_none() {
            if !self.ready {
                self.ready = true;
                self.admission.ready.fetch_add(1, Ordering::AcqRel);
            }
            let turn =
                tokio::time::timeout(LONGEST_WAIT, self.admission.limiter.turn()).await.unwrap_or_default();
            self.turn = Some(turn.ok_or(Failure::TurnedAway)?);
        }
        Ok(())
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.ready {
            self.admission.ready.fetch_sub(1, Ordering::AcqRel);
        }
        if !self.aside {
            self.admission.ahead.fetch_sub(1, Ordering::AcqRel);
        }
        self.admission.learn(self.ready);
        self.admission.through.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::trackers::Operation;
    use crate::trackers::adaptive_concurrency::How;

    #[tokio::test]
    async fn there_is_room_for_what_kimai_answers_in_a_second_and_no_more() {
        for (took, ahead) in
            [(Duration::from_millis(1), MOST_AHEAD), (Duration::from_millis(100), 10), (AHEAD, 1)]
        {
            let limiter = Arc::new(AdaptiveLimiter::new(1..=1));
            for _ in 0..20 {
                limiter.ended(Operation::Create, How::Answered, took);
            }
            let admission = Admission::new(limiter);
            let mut permits = Vec::new();
            while admission.room().now_or_never().is_some() {
                permits.push(admission.begin());
            }
            assert_eq!(permits.len(), 2 + ahead, "{took:?}");
            let mut waits = Box::pin(admission.room());
            assert!(waits.as_mut().now_or_never().is_none());
            permits.pop();
            assert!(waits.now_or_never().is_some(), "one has come through");
        }
    }

    #[tokio::test]
    async fn of_runs_that_have_nothing_to_send_more_may_be_on_their_way() {
        let admission = Admission::new(Arc::new(AdaptiveLimiter::new(1..=1)));
        let begin_all = || {
            let mut permits = Vec::new();
            while admission.room().now_or_never().is_some() {
                permits.push(admission.begin());
            }
            permits
        };
        assert_eq!(begin_all().len(), 3);
        for _ in 0..200 {
            drop(admission.begin());
        }
        let mut permits = begin_all();
        assert_eq!(permits.len(), 2 + MOST_AHEAD);
        permits[0].step_aside();
        permits[0].step_aside();
        assert!(admission.room().now_or_never().is_some());
        permits[0].step_back();
        assert!(admission.room().now_or_never().is_none());
        drop(permits);
        assert!(admission.is_dry());
        for _ in 0..200 {
            assert_eq!(admission.begin().turn().await, Ok(()));
        }
        assert_eq!(begin_all().len(), 3, "they do have again");
    }

    #[tokio::test(start_paused = true)]
    async fn no_run_waits_for_its_turn_for_ever() {
        let admission = Admission::new(Arc::new(AdaptiveLimiter::new(1..=1)));
        let (mut first, mut second, mut third) = (admission.begin(), admission.begin(), admission.begin());
        assert_eq!((first.turn().await, second.turn().await), (Ok(()), Ok(())));
        let since = tokio::time::Instant::now();
        assert_eq!(third.turn().await, Err(Failure::TurnedAway));
        assert_eq!(since.elapsed().as_secs(), LONGEST_WAIT.as_secs());
    }

    #[tokio::test]
    async fn it_is_thin_until_enough_know_what_to_send_and_dry_when_all_have_come_through() {
        let admission = Admission::new(Arc::new(AdaptiveLimiter::new(2..=2)));
        assert!(admission.is_dry());
        let mut permits = [admission.begin(), admission.begin(), admission.begin()];
        assert!(admission.is_thin() && !admission.is_dry());
        for permit in &mut permits {
            assert_eq!(permit.turn().await, Ok(()));
        }
        assert!(!admission.is_thin());
        drop(permits);
        assert!(admission.is_thin() && admission.is_dry());
    }
}
