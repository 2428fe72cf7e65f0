//! A Kimai that is not one: it answers what our service asks as a real Kimai 2.65 does, traps included,
//! and keeps everything in memory. The demo and the tests run against it; `tests/it/sandbox_replay.rs`
//! proves it against answers recorded from the real one.
//!
//! ```no_run
//! # async fn example(clock: kimai_sync::clock::Clock) -> std::io::Result<()> {
//! use kimai_sync::sandbox::{Fault, Role, Sandbox, When};
//!
//! let sandbox = Sandbox::new(clock);
//! let jan = sandbox.add_user("jan", "Europe/Brussels", Role::SuperAdmin, Some("secret"));
//! let project = sandbox.add_project("Mobile app", sandbox.add_customer("Acme"));
//! sandbox.add_activity("Analysis", Some(project));
//!
//! // The second POST is stored, but its answer is lost.
//! sandbox.fault(When::next("POST", "/api/timesheets").after(1), Fault::cut().applied());
//!
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let server = sandbox.serve(listener)?;
//! server.await
//! # }
//! ```

mod answer;
mod auth;
mod booking;
mod catalogue;
mod checks;
mod colours;
mod faults;
mod filter;
mod forms;
mod log;
mod proxy;
mod request;
mod route;
mod rules;
mod seed;
mod server;
mod shapes;
mod state;
mod teams;
mod time;
mod timesheets;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use answer::Answer;
pub use auth::Role;
use faults::Script;
pub use faults::{Fault, Gate, When};
pub use log::{LoggedRequest, Requests};
pub use proxy::Proxy;
use request::Request;
pub use rules::{Rounding, Rules};
pub use seed::Entity;
use state::State;
pub use state::StoredTimesheet;

/// A handle to one sandbox. Cheap to clone: all clones are the same Kimai.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Mutex<Clock>,
    state: Mutex<State>,
    script: Mutex<Script>,
    log: Mutex<Log>,
    /// Requests that are being answered.
    under_way: AtomicU32,
}

/// The requests since `first`, counted from the start.
#[derive(Debug, Default)]
struct Log {
    first: usize,
    requests: Requests,
}

/// All that a sandbox remembered at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot(State);

impl Sandbox {
    /// An empty Kimai with default settings and not even a user.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner {
            clock: Mutex::new(clock),
            state: Mutex::default(),
            script: Mutex::default(),
            log: Mutex::default(),
            under_way: AtomicU32::new(0),
        }))
    }

    /// Sets another clock.
    pub fn set_clock(&self, clock: Clock) {
        *lock(&self.0.clock) = clock;
    }

    /// Changes Kimai's settings.
    pub fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.state().rules);
    }

    /// Remembers everything, settings and tokens too.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.state().clone())
    }

    /// Goes back to a snapshot, as from a backup: ids given since may be given again.
    pub fn restore(&self, Snapshot(state): Snapshot) {
        *self.state() = state;
    }

    /// Lets a fault befall some requests. The first that fits counts; each is forgotten once used up.
    pub fn fault(&self, when: When, fault: Fault) {
        lock(&self.0.script).add(when, fault);
    }

    /// Forgets all faults still to come.
    pub fn clear_faults(&self) {
        lock(&self.0.script).clear();
    }

    /// Makes every answer so much slower.
    pub fn set_latency(&self, latency: Duration) {
        lock(&self.0.script).latency = latency;
    }

    /// Lets more than so many requests at a time get into each other's way: with twice as many, each takes four
    /// times as long.
    pub fn set_side_by_side(&self, requests: u32) {
        lock(&self.0.script).side_by_side = Some(requests.max(1));
    }

    /// What was asked so far, oldest first.
    pub fn requests(&self) -> Requests {
        lock(&self.0.log).requests.clone()
    }

    /// Forgets what was asked so far.
    pub fn clear_requests(&self) {
        let mut log = lock(&self.0.log);
        log.first += log.requests.0.len();
        log.requests.0.clear();
    }

    fn now(&self) -> Timestamp {
        lock(&self.0.clock).now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    fn answer(&self, request: &Request) -> Answer {
        let now = self.now();
        route::answer(&mut self.state(), now, request)
    }

    /// Logs a request; tells its number, what befalls it, and how long everything takes.
    fn receive(&self, request: LoggedRequest) -> (usize, Option<Fault>, Duration) {
        let (fault, latency) = {
            let mut script = lock(&self.0.script);
            let crowd = self.0.under_way.load(Ordering::Relaxed).max(1);
            let times = script.side_by_side.map_or(1.0, |most| f64::from(crowd.max(most)) / f64::from(most));
            (script.strike(&request), script.latency.mul_f64(times * times))
        };
        let mut log = lock(&self.0.log);
        log.requests.0.push(request);
        (log.first + log.requests.0.len() - 1, fault, latency)
    }

    /// A request is being answered until what this gives is dropped.
    fn begin(&self) -> UnderWay<'_> {
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.0.under_way)
    }

    fn answered(&self, number: usize, status: Option<u16>) {
        let mut log = lock(&self.0.log);
        let place = number.checked_sub(log.first);
        if let Some(request) = place.and_then(|place| log.requests.0.get_mut(place)) {
            request.status = status;
        }
    }
}

/// One more request under way.
struct UnderWay<'a>(&'a AtomicU32);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A panic elsewhere leaves no half-made change behind: every change is made in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
