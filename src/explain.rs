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

/// How long each side may take for one part of it: somebody waits for the page.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Who is asked for their part of a story. Cheap to clone.
#[derive(Clone)]
pub struct Witnesses {
    /// The triplestore, asked about work logs.
    pub work_logs: Arc<dyn WorkLogs>,
    /// Kimai's timesheets.
    pub kimai: Arc<dyn Tracker>,
    /// Where work logs wait.
    pub queue: Arc<dyn Queue>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// How the service stands.
    pub status: StatusSource,
    /// The time, and the zone of a work day.
    pub clock: Clock,
    /// What imports do to relations.
    pub relations: Relations,
    /// What sweeps may delete.
    pub limits: Limits,
}

/// What was asked for, or in words why it could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer<T> {
    /// What was asked for.
    Known(T),
    /// Who was asked did not tell.
    Unknown {
        /// Why not, in words for people.
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
    /// The same in one plain sentence, without full stop.
    pub says: String,
    /// The stable code of what stands in the way, if anything does.
    pub code: Option<Code>,
    /// How to fix it, a sentence each, the most important first. Empty if nothing has to be done.
    pub help: Vec<String>,
    /// What the triplestore says.
    pub triplestore: Answer<Told>,
    /// What Kimai says of each timesheet that has to do with it, its own one first.
    pub timesheets: Vec<Held>,
    /// Its entry in the queue; none when nothing is to be done for it.
    pub entry: Option<Waiting>,
    /// What we remember.
    pub memory: Answer<Memory>,
    /// What we did for it, the latest first; at most the last 20 runs.
    pub history: Answer<Vec<Done>>,
    /// Other work logs that are linked to one of its timesheets.
    pub sharing: Vec<WorkLogUri>,
}

/// What the triplestore says of a work log, as it stands there.
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
    /// `dct:identifier`, ids or not.
    pub identifiers: Vec<String>,
    /// The timesheet that follows from all this; none while it lacks something.
    pub wanted: Option<DesiredEntry>,
    /// What is missing, wrong or there twice, a clause each.
    pub complaints: Vec<String>,
    /// What keeps it from being synced.
    #[serde(skip)]
    pub obstacles: Vec<Obstacle>,
}

/// What a subject is, by what the triplestore says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A work log.
    WorkLog,
    /// The link of a deleted work log.
    LeftOver,
    /// Nothing is known of it.
    #[default]
    Absent,
    /// Something else: a task, a customer.
    Other,
}

/// A task that a work log names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Task {
    /// Its IRI.
    pub iri: String,
    /// Its label.
    pub name: Option<String>,
    /// Its Kimai ids, if it is an activity of Kimai.
    pub activities: Vec<String>,
    /// Those of its project.
    pub projects: Vec<String>,
}

/// A person that a work log names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Person {
    /// The IRI.
    pub iri: String,
    /// The name.
    pub name: Option<String>,
    /// The ids of the Kimai users whose accounts are linked.
    pub accounts: Vec<String>,
}

/// A timesheet that has to do with a work log, and what Kimai says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Held {
    /// Its id.
    pub id: EntryId,
    /// Whether the triplestore links the work log to it; else only we remember it.
    pub linked: bool,
    /// What Kimai holds; `null` when it is gone.
    pub kimai: Answer<Option<Holds>>,
    /// The stable code of why Kimai did not tell.
    #[serde(skip)]
    pub code: Option<Code>,
    /// Where it differs from the work log, a clause each. Also empty if that is unknown.
    pub differences: Vec<String>,
    /// What Kimai counts for what the work log says, where it rounds.
    pub rounding: Option<String>,
}

/// What Kimai holds in a timesheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Holds {
    /// Begin, end, and the ids of project, activity and user.
    #[serde(flatten)]
    pub found: ObservedEntry,
    /// Whether it is marked as exported, and may be on an invoice.
    pub exported: bool,
    /// The names of the IDs, as far as Kimai returns them.
    pub names: Names,
}

/// The names of what a timesheet is booked on.
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

/// The entry of a work log in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Waiting {
    /// Where it stands.
    pub state: State,
    /// When it is tried next; none when parked.
    pub due: Option<Timestamp>,
    /// Why it is in the queue.
    pub reason: Reason,
    /// How many runs failed since it last changed.
    pub attempts: u32,
    /// What stood in the way last.
    pub last_error: Option<String>,
    /// The stable code of that.
    pub code: Option<Code>,
    /// Since when it is in the queue.
    pub since: Timestamp,
}

/// What we remember of a work log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Memory {
    /// The timesheet that we made or updated for it last.
    pub timesheet: Option<EntryId>,
    /// Whether its id has yet to be written to the triplestore.
    pub link_unwritten: bool,
    /// What we sent there last, unless that is in doubt.
    pub pushed: Option<DesiredEntry>,
    /// What Kimai made of it: it may round.
    pub held: Option<ObservedEntry>,
    /// How many days the day that Kimai books it on in its reports is from its own; none where that is not known.
    pub days_off: Option<i32>,
    /// When we sent a new timesheet off whose answer we do not have: what became of it is looked up.
    pub creating_since: Option<Timestamp>,
    /// Whether a delta reported that the work log was deleted.
    pub removed: bool,
}

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Done {
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub result: Ended,
    /// What was done or stood in the way, in words.
    pub message: Option<String>,
    /// The stable code of what stood in the way.
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

    /// Whether anything knows it: either side, the queue, the ledger or the history.
    pub fn is_known(&self) -> bool {
        let told = self.triplestore.known().is_none_or(|told| told.kind != Subject::Absent);
        let memory = self.memory.known().copied().unwrap_or_default();
        let done = self.history.known().is_some_and(|history| !history.is_empty());
        told || self.entry.is_some() || done || memory != Memory::default()
    }

    /// Whether a timesheet of it stays as it is since it is exported in Kimai, though it holds something else.
    pub fn is_kept_exported(&self) -> bool {
        let parked = self.entry.as_ref().is_some_and(|entry| entry.code == Some(Code::TimesheetExported));
        let exported = |held: &Held| {
            let holds = held.kimai.known().and_then(Option::as_ref);
            holds.is_some_and(|holds| holds.exported) && !held.differences.is_empty()
        };
        parked || self.own().is_some_and(exported)
    }

    /// Its own timesheet: the one linked, or else the one we remember.
    pub fn own(&self) -> Option<&Held> {
        self.timesheets.first()
    }
}
