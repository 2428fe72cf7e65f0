//! A fake Kimai server: it answers our requests as Kimai 2.65 does, quirks included, and keeps everything in memory.
//! The demo and the tests use it; `tests/it/sandbox_replay.rs` verifies it against recorded responses of a real Kimai.
//!
//! ```no_run
//! # async fn example(clock: kimai_sync::clock::Clock) -> std::io::Result<()> {
//! use kimai_sync::trackers::kimai::sandbox::{Fault, Role, Sandbox, When};
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
mod latency;
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

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use answer::Answer;
pub use auth::Role;
use faults::Script;
pub use faults::{Fault, Gate, When};
pub use latency::Latency;
pub(crate) use latency::Machine;
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
    machine: Mutex<Arc<Machine>>,
}

/// The requests since `first`, counted from the start.
#[derive(Debug, Default)]
struct Log {
    first: usize,
    requests: Requests,
}

/// The state of a sandbox at one moment.
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
            machine: Mutex::new(Machine::new(Duration::ZERO.into())),
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

    /// Makes every answer take its time: a fixed one, or as a [`Latency`] says. It begins anew: the next request is
    /// its first.
    pub fn set_latency(&self, latency: impl Into<Latency>) {
        *lock(&self.0.machine) = Machine::new(latency.into());
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

    /// Logs a request; returns its number, and the fault injected into it.
    fn receive(&self, request: LoggedRequest) -> (usize, Option<Fault>) {
        let fault = lock(&self.0.script).strike(&request);
        let mut log = lock(&self.0.log);
        log.requests.0.push(request);
        (log.first + log.requests.0.len() - 1, fault)
    }

    /// Takes the time that an answer takes.
    async fn work(&self) {
        let machine = Arc::clone(&lock(&self.0.machine));
        machine.work().await;
    }

    fn answered(&self, number: usize, status: Option<u16>) {
        let mut log = lock(&self.0.log);
        let place = number.checked_sub(log.first);
        if let Some(request) = place.and_then(|place| log.requests.0.get_mut(place)) {
            request.status = status;
        }
    }
}

/// A panic elsewhere leaves no half-made change behind: every change is made in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
