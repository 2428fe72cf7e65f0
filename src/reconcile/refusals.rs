//! Why Kimai refused, in more words than its own: looked up once, then remembered for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::domain::ids::{ActivityId, ProjectId, UserId};
use crate::domain::timesheet::WantedTimesheet;
use crate::kimai::choices::INVALID_CHOICE;
use crate::kimai::{Fault, KimaiFault, Timesheets};

/// How long an explanation holds: a month of refused work logs costs one look, and what was mended in
/// Kimai is not called broken for long.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Explanations kept at most; they are cheap to get again.
const MOST: usize = 1_000;

type Key = (ProjectId, ActivityId, UserId);

/// Explains refusals. Shared by the runs.
pub struct Refusals {
    kimai: Arc<dyn Timesheets>,
    clock: Clock,
    known: Mutex<HashMap<Key, (Timestamp, String)>>,
}

impl Refusals {
    /// Looks things up in `kimai`.
    pub fn new(kimai: Arc<dyn Timesheets>, clock: Clock) -> Self {
        Self { kimai, clock, known: Mutex::default() }
    }

    /// `fault` with the reason why `wanted` was refused, if it is one that Kimai does not explain.
    pub async fn explain(&self, fault: KimaiFault, wanted: &WantedTimesheet) -> KimaiFault {
        if fault.fault != Fault::Permanent || !fault.message.contains(INVALID_CHOICE) {
            return fault;
        }
        let key = (wanted.project, wanted.activity, wanted.user);
        let why = match self.remembered(&key) {
            Some(why) => why,
            None => match self.kimai.choices(wanted).await {
                Ok(choices) => self.remember(key, choices.why_invalid(wanted, self.clock.today())),
                Err(unknown) => format!("the reason could not be looked up ({})", unknown.message),
            },
        };
        KimaiFault { message: format!("{why} (Kimai says: {})", fault.message), ..fault }
    }

    fn remembered(&self, key: &Key) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(until, _)| self.clock.now() < *until).map(|(_, why)| why.clone())
    }

    fn remember(&self, key: Key, why: String) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, (self.clock.after(REMEMBERED), why.clone()));
        why
    }
}
