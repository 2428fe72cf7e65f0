//! Explains one work log: its data in the triplestore and in Kimai, its history, whether it is in Kimai, and if not,
//! why and how to fix it. Page, JSON route and command line show this one value.
//!
//! # Guarantees
//! [`Explanation::of`] never fails and changes nothing: a section that could not be read says so. It ends within three
//! times [`PATIENCE`], [`find`] within twice.

mod collect;
mod format;
#[cfg(test)]
mod handbook;
mod hints;
mod lookup;
mod loose;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::clock::Clock;
use crate::domain::diff::ObservedEntry;
use crate::domain::status::Status;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::Obstacle;
use crate::domain::{Code, EntryId, WorkLogUri};
use crate::queue::{Ended, Reason, State};
use crate::reconcile::breaker::{Down, Neighbour};
use crate::settings::{Limits, Relations};
use crate::status::StatusSource;
use crate::store::{Ledger, Queue};
use crate::trackers::Tracker;
use crate::work_logs::WorkLogs;
pub(crate) use hints::for_code;
pub use lookup::{Found, find};
pub use loose::Loose;
pub use verdict::Verdict;
use verdict::{Evidence, judge};

/// The time limit for each request: somebody is waiting for the page.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The services that an explanation is collected from. Cheap to clone.
#[derive(Clone)]
pub struct Witnesses {
    /// Queries work logs in the triplestore.
    pub work_logs: Arc<dyn WorkLogs>,
    /// Kimai's timesheets.
    pub kimai: Arc<dyn Tracker>,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The status of the service.
    pub status: StatusSource,
    /// The time, and the time zone of work days.
    pub clock: Clock,
    /// How imports treat relations.
    pub relations: Relations,
    /// What sweeps may delete.
    pub limits: Limits,
}

/// A value, or why it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer<T> {
    /// The value.
    Known(T),
    /// It could not be read.
    Unknown {
        /// Why not, as a message for people.
        error: String,
    },
}

impl<T> Answer<T> {
    /// The value, if it was returned.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Unknown { .. } => None,
        }
    }

    /// Why it could not be read.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unknown { error } => Some(error),
        }
    }
}

impl<T, E: ToString> From<Result<T, E>> for Answer<T> {
    fn from(result: Result<T, E>) -> Self {
        result.map_or_else(|fault| Self::Unknown { error: fault.to_string() }, Self::Known)
    }
}

/// The explanation of one work log, as of now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The work log.
    pub work_log: WorkLogUri,
    /// The verdict.
    pub verdict: Verdict,
    /// The same as a sentence, without a full stop.
    pub says: String,
    /// The stable code of the problem, if any.
    pub code: Option<Code>,
    /// How to fix it, a sentence each, the most important first. Empty if nothing has to be done.
    pub help: Vec<String>,
    /// Its data in the triplestore.
    pub triplestore: Answer<Told>,
    /// The related timesheets in Kimai, its own first.
    pub timesheets: Vec<Held>,
    /// Its queue entry, if it has one.
    pub entry: Option<Waiting>,
    /// The service's records.
    pub memory: Answer<Memory>,
    /// Its last 20 runs at most, latest first.
    pub history: Answer<Vec<Done>>,
    /// Other work logs that are linked to one of its timesheets.
    pub sharing: Vec<WorkLogUri>,
}

/// The data of a work log as stored in the triplestore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Told {
    /// What the subject is: `work-log`, `left-over` (a deleted one's link), `absent` or `other`.
    pub kind: Subject,
    /// `cal:dtstart`.
    pub days: Vec<String>,
    /// `cal:duration`, ISO 8601.
    pub durations: Vec<String>,
    /// `dct:subject`.
    pub tasks: Vec<Task>,
    /// `prov:wasAssociatedWith`.
    pub persons: Vec<Person>,
    /// `dct:identifier`, valid IDs or not.
    pub identifiers: Vec<String>,
    /// The resulting timesheet; none while something is missing.
    pub wanted: Option<DesiredEntry>,
    /// What is missing, invalid or duplicated, one clause each.
    pub complaints: Vec<String>,
    /// What keeps it from being synced.
    #[serde(skip)]
    pub obstacles: Vec<Obstacle>,
}

/// What a subject is, according to the triplestore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A work log.
    WorkLog,
    /// The link of a deleted work log.
    LeftOver,
    /// It does not exist.
    #[default]
    Absent,
    /// Something else: a task, a customer.
    Other,
}

/// A task of a work log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Task {
    /// Its IRI.
    pub iri: String,
    /// Its label.
    pub name: Option<String>,
    /// Its Kimai IDs, if it is a Kimai activity.
    pub activities: Vec<String>,
    /// Those of its project.
    pub projects: Vec<String>,
}

/// A person of a work log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Person {
    /// The IRI.
    pub iri: String,
    /// The name.
    pub name: Option<String>,
    /// The IDs of the Kimai users whose accounts are linked.
    pub accounts: Vec<String>,
}

/// A related timesheet, and its data in Kimai.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Held {
    /// Its id.
    pub id: EntryId,
    /// Whether the triplestore links the work log to it; otherwise only the service's records do.
    pub linked: bool,
    /// Its data in Kimai; `null` if it no longer exists.
    pub kimai: Answer<Option<Holds>>,
    /// The stable code of the error, if it could not be read.
    #[serde(skip)]
    pub code: Option<Code>,
    /// How it differs from the work log, one clause each. Also empty if that is unknown.
    pub differences: Vec<String>,
    /// What Kimai counts for the hours of the work log, if it rounds.
    pub rounding: Option<String>,
}

/// The data of a timesheet in Kimai.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Holds {
    /// Begin, end, and the ids of project, activity and user.
    #[serde(flatten)]
    pub found: ObservedEntry,
    /// Whether it is marked as exported, and so may be on an invoice.
    pub exported: bool,
    /// The names of the IDs, as far as Kimai returns them.
    pub names: Names,
}

/// The names of a timesheet's project, activity and user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Names {
    /// The project's.
    pub project: Option<String>,
    /// Its customer's.
    pub customer: Option<String>,
    /// The activity's.
    pub activity: Option<String>,
    /// The user's login.
    pub user: Option<String>,
}

/// The queue entry of a work log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Waiting {
    /// Its state.
    pub state: State,
    /// When the next attempt is; none if parked.
    pub due: Option<Timestamp>,
    /// Why it is in the queue.
    pub reason: Reason,
    /// How many attempts have failed since it last changed.
    pub attempts: u32,
    /// The last error.
    pub last_error: Option<String>,
    /// The stable code of that error.
    pub code: Option<Code>,
    /// Since when it has been in the queue.
    pub since: Timestamp,
}

/// The service's records of a work log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Memory {
    /// The timesheet that was last created or updated for it.
    pub timesheet: Option<EntryId>,
    /// Whether its link still has to be written to the triplestore.
    pub link_unwritten: bool,
    /// The values last sent, unless they are uncertain.
    pub pushed: Option<DesiredEntry>,
    /// What Kimai stored for them: it may round.
    pub held: Option<ObservedEntry>,
    /// How many days the day in Kimai's reports is from its own; none if that is not known.
    pub days_off: Option<i32>,
    /// When a creation was sent whose answer was lost; the service looks up whether it was stored.
    pub creating_since: Option<Timestamp>,
    /// Whether a delta reported that the work log was deleted.
    pub removed: bool,
}

/// The result of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Done {
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
    pub result: Ended,
    /// What was done, or the error.
    pub message: Option<String>,
    /// The stable code of the error.
    pub code: Option<Code>,
}

/// The systems that are down.
fn downs(status: &Status) -> Vec<Down> {
    let neighbours = [(Neighbour::Kimai, &status.kimai), (Neighbour::Triplestore, &status.triplestore)];
    let down = neighbours.into_iter().filter_map(|(neighbour, told)| {
        let outage = told.outage()?;
        Some(Down { neighbour, code: outage.code, why: outage.why.clone(), since: outage.since })
    });
    down.collect()
}

impl Waiting {
    /// Whether nothing is retried automatically any more.
    fn is_parked(&self) -> bool {
        self.state == State::Parked
    }
}

impl Explanation {
    /// Explains `work_log` as of now. See the module's guarantees.
    pub async fn of(witnesses: &Witnesses, work_log: &WorkLogUri) -> Self {
        let mut explanation = collect::explanation(witnesses, work_log).await;
        let (now, zone) = (witnesses.clock.now(), witnesses.clock.zone());
        let outages =
            witnesses.status.status(None, false).await.map_or_else(|_| Vec::new(), |status| downs(&status));
        let relations = witnesses.relations;
        let judged = judge(&Evidence { explanation: &explanation, outages: &outages, now, zone, relations });
        (explanation.verdict, explanation.says) = (judged.verdict, judged.says);
        (explanation.code, explanation.help) = (judged.code, judged.help);
        explanation
    }

    /// Whether it is known to either side, the queue, the ledger or the history.
    pub fn is_known(&self) -> bool {
        let told = self.triplestore.known().is_none_or(|told| told.kind != Subject::Absent);
        let memory = self.memory.known().copied().unwrap_or_default();
        let done = self.history.known().is_some_and(|history| !history.is_empty());
        told || self.entry.is_some() || done || memory != Memory::default()
    }

    /// Whether one of its timesheets differs but is not changed because it is exported in Kimai.
    pub fn is_kept_exported(&self) -> bool {
        let parked = self.entry.as_ref().is_some_and(|entry| entry.code == Some(Code::TimesheetExported));
        let exported = |held: &Held| {
            let holds = held.kimai.known().and_then(Option::as_ref);
            holds.is_some_and(|holds| holds.exported) && !held.differences.is_empty()
        };
        parked || self.own().is_some_and(exported)
    }

    /// Its own timesheet: the linked one, otherwise the recorded one.
    pub fn own(&self) -> Option<&Held> {
        self.timesheets.first()
    }
}
