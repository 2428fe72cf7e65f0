//! An adaptive concurrency limit for requests to Kimai, between two bounds. The pages of a list do not count: they have
//! their own limit, and whoever reads one has nothing else to do.
//!
//! # Guarantees
//! - Never more requests are in flight than [`AdaptiveLimiter::limit`]; waiting ones are served in order.
//! - At most twice as many runs hold a turn, so that the others can prepare their next request.
//! - A request that has its permit waits for no other.
//!
//! # Caveats
//! When the limit falls, requests in flight continue; it holds again once they have ended.

mod controller;
mod probe;
mod rise;

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tracing::debug;

use crate::trackers::{Fault, Operation, TrackerFault};
use controller::{Controller, PATIENCE};

/// How long a creation may wait for its place once it was announced: whoever looks for what became of it
/// has to know by when it was sent.
pub const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Runs that hold a turn for each request that may be under way: while the answer of one is saved, the next
/// one is sent.
const TURNS_A_PERMIT: usize = 2;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With an answer that took Kimai some work.
    Answered,
    /// With a refusal, or with the answer that there is no such thing.
    Refused,
    /// Kimai failed, was not there in time, or asked for a pause.
    Troubled,
}

impl How {
    /// How a request with this answer ended.
    pub fn of<T>(answer: &Result<T, TrackerFault>) -> Self {
        match answer.as_ref().map_err(|fault| &fault.fault) {
            Ok(_) => Self::Answered,
            Err(Fault::Transient | Fault::Limited(_) | Fault::Ambiguous) => Self::Troubled,
            Err(Fault::Permanent | Fault::Gone | Fault::Unauthorised) => Self::Refused,
        }
    }
}

/// A request that has ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    how: How,
    took: Duration,
    at: Instant,
    /// Whether all permits are in use.
    saturated: bool,
}

/// The pace of all requests to one Kimai.
#[derive(Debug)]
pub struct AdaptiveLimiter {
    controller: Mutex<Controller>,
    permits: Permits,
    turns: Permits,
    /// Notifies those who wait for a turn that there will be none soon.
    away: Notify,
}

/// Leave to prepare and send a change.
#[derive(Debug)]
pub struct Turn<'a> {
    _permit: Permit<'a>,
}

/// A request in flight, until this is dropped.
#[derive(Debug)]
pub struct Permit<'a> {
    permits: &'a Permits,
    permit: Option<SemaphorePermit<'a>>,
}

/// So many at a time; the number may change meanwhile.
#[derive(Debug)]
struct Permits {
    semaphore: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Places to be taken away as soon as they are given back.
    owed: usize,
}

impl AdaptiveLimiter {
    /// A pace within `bounds`.
    pub fn new(bounds: RangeInclusive<usize>) -> Self {
        let controller = Controller::new(bounds);
        let limit = controller.limit();
        Self {
            controller: Mutex::new(controller),
            permits: Permits::new(limit),
            turns: Permits::new(limit * TURNS_A_PERMIT),
            away: Notify::new(),
        }
    }

    /// How many requests may be in flight now.
    pub fn limit(&self) -> usize {
        self.controller().limit()
    }

    /// How many runs may hold a turn now.
    pub fn turns(&self) -> usize {
        self.limit() * TURNS_A_PERMIT
    }

    /// How many requests would be answered in `time` at this pace; none before the first answer.
    pub fn answers_within(&self, time: Duration) -> Option<usize> {
        self.controller().answers_within(time)
    }

    /// Waits for leave to prepare and send a change; none when the waiting were sent away.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        let away = self.away.notified();
        tokio::select! {
            biased;
            permit = self.turns.take() => Some(Turn { _permit: permit }),
            () = away => None,
        }
    }

    /// Sends away all who wait for a turn now: Kimai is down, and each would only find that out again.
    pub fn send_away(&self) {
        self.away.notify_waiters();
    }

    /// Waits until a request may be sent. A creation does not wait for longer than [`LONGEST_WAIT`]: there is no
    /// place for it then.
    pub async fn permit(&self, operation: Operation) -> Option<Permit<'_>> {
        let permit = self.take();
        match operation {
            Operation::Create => tokio::time::timeout(LONGEST_WAIT, permit).await.ok(),
            _ => Some(permit.await),
        }
    }

    /// Takes a place. While nothing is known of Kimai, whoever waits says so.
    async fn take(&self) -> Permit<'_> {
        let permit = self.permits.take();
        tokio::pin!(permit);
        while self.controller().waits(Instant::now()) {
            tokio::select! {
                biased;
                permit = &mut permit => return permit,
                () = tokio::time::sleep(PATIENCE) => {
                    self.change(|controller| controller.waited(Instant::now()));
                }
            }
        }
        permit.await
    }

    /// A request has ended. Lists count only when they fail: they need no place.
    pub fn ended(&self, operation: Operation, how: How, took: Duration) {
        if operation == Operation::Read && how != How::Troubled {
            return;
        }
        let (at, saturated) = (Instant::now(), self.permits.are_taken());
        self.change(|controller| controller.ended(Ended { how, took, at, saturated }));
    }

    fn change(&self, change: impl FnOnce(&mut Controller)) {
        let mut controller = self.controller();
        let before = controller.limit();
        change(&mut controller);
        let limit = controller.limit();
        if limit != before {
            debug!("Kimai gets {limit} requests at a time, {before} before");
            self.permits.set(limit);
            self.turns.set(limit * TURNS_A_PERMIT);
        }
    }

    fn controller(&self) -> MutexGuard<'_, Controller> {
        // Numbers: a panic elsewhere spoils nothing.
        self.controller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permits {
    fn new(limit: usize) -> Self {
        Self { semaphore: Semaphore::new(limit), state: Mutex::new(State { limit, owed: 0 }) }
    }

    async fn take(&self) -> Permit<'_> {
        // It is never closed; a place without permit is one too many, not one too few.
        Permit { permits: self, permit: self.semaphore.acquire().await.ok() }
    }

    fn are_taken(&self) -> bool {
        self.semaphore.available_permits() == 0
    }

    fn set(&self, limit: usize) {
        let mut state = self.state();
        if limit < state.limit {
            let fewer = state.limit - limit;
            state.owed += fewer - self.semaphore.forget_permits(fewer);
        } else {
            let more = limit - state.limit;
            let paid = more.min(state.owed);
            state.owed -= paid;
            self.semaphore.add_permits(more - paid);
        }
        state.limit = limit;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.permits.state();
        if state.owed > 0
            && let Some(permit) = self.permit.take()
        {
            state.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod throughput_tests;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const CREATE: Operation = Operation::Create;

    fn troubled(limiter: &AdaptiveLimiter) {
        limiter.ended(CREATE, How::Troubled, Duration::from_millis(20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_creation_does_not_wait_for_ever_and_an_update_does() {
        let limiter = AdaptiveLimiter::new(1..=1);
        let _held = limiter.permit(CREATE).await;
        assert!(limiter.permit(CREATE).await.is_none());
        let waits = limiter.permit(Operation::Update);
        assert!(tokio::time::timeout(LONGEST_WAIT * 2, waits).await.is_err());
    }

    #[tokio::test]
    async fn a_lower_limit_holds_once_what_is_under_way_has_ended() {
        let limiter = AdaptiveLimiter::new(1..=4);
        let limit = limiter.limit();
        let mut held = Vec::new();
        for _ in 0..limit {
            held.push(limiter.permit(CREATE).now_or_never().flatten().unwrap());
        }
        assert!(limiter.permit(CREATE).now_or_never().is_none());
        for _ in 0..4 {
            troubled(&limiter);
        }
        let lower = limiter.limit();
        assert!(lower < limit);
        while held.len() > lower {
            assert!(limiter.permit(CREATE).now_or_never().is_none());
            held.pop();
        }
        assert!(limiter.permit(CREATE).now_or_never().is_none(), "{lower} are still under way");
        held.pop();
        assert!(limiter.permit(CREATE).now_or_never().is_some());
    }

    #[tokio::test]
    async fn those_who_wait_for_a_turn_can_be_sent_away_and_come_again() {
        let limiter = AdaptiveLimiter::new(1..=1);
        let held = [limiter.turn().await, limiter.turn().await];
        let mut waits = Box::pin(limiter.turn());
        assert!(waits.as_mut().now_or_never().is_none());
        limiter.send_away();
        assert!(waits.await.is_none());
        let mut again = Box::pin(limiter.turn());
        assert!(again.as_mut().now_or_never().is_none());
        drop(held);
        assert!(again.await.is_some());
    }
}
