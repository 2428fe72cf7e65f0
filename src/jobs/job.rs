//! A job: what is known of one run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::hours::RoundedMonth;
use crate::jobs::import::What;
use crate::jobs::lock::Month;
use crate::progress::Stand;
use crate::reconcile::sweep::Period;
use crate::text::{grouped, words};

/// How long a confirm key is valid.
pub const CONFIRM_WITHIN: Duration = Duration::from_hours(1);

/// The number of a run, as it stands in an address: digits only.
pub fn number(text: &str) -> Option<u64> {
    // `parse` alone takes a plus too.
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A sweep: compares a period and corrects the differences.
    Sweep,
    /// The dry run of a sweep.
    Plan,
    /// An import of Kimai's catalogue into the triplestore.
    Import,
    /// A lock: a month's timesheets become exported.
    Lock,
}
words!(Kind { Sweep => "sweep", Plan => "plan", Import => "import", Lock => "lock" });

/// What started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskedBy {
    /// The start of the service.
    Start,
    /// `FALLBACK_SYNC_CRON`.
    Cron,
    /// A request over HTTP.
    Request,
    /// The service itself, once the work logs of deltas can be saved again.
    Recovery,
}
words!(AskedBy { Start => "start", Cron => "cron", Request => "request", Recovery => "recovery" });

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Not started, or between two attempts.
    Waiting,
    /// In progress.
    Running,
    /// Completed.
    Done,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
}
words!(State {
    Waiting => "waiting", Running => "running", Done => "done", Failed => "failed", Cancelled => "cancelled",
});

impl State {
    /// Whether it has ended.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// The task of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub enum Task {
    /// Sweep a period.
    Sweep(Period),
    /// Plan a sweep.
    Plan(Period),
    /// Import.
    Import(What),
    /// Lock a month.
    Lock(Month),
}

/// A task as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    kind: Kind,
    what: String,
}

impl From<Task> for Written {
    fn from(task: Task) -> Self {
        Self { kind: task.kind(), what: task.what() }
    }
}

impl TryFrom<Written> for Task {
    type Error = String;

    fn try_from(Written { kind, what }: Written) -> Result<Self, String> {
        let period = || {
            let (first, last) = what.split_once(" to ")?;
            Some(Period { first: first.parse().ok()?, last: last.parse().ok()? })
        };
        let month = || {
            let (year, month) = what.split_once('-')?;
            Month::parse(month, year).ok()
        };
        let task = match kind {
            Kind::Sweep => period().map(Self::Sweep),
            Kind::Plan => period().map(Self::Plan),
            Kind::Import => What::ALL.into_iter().find(|one| one.to_string() == what).map(Self::Import),
            Kind::Lock => month().map(Self::Lock),
        };
        task.ok_or_else(|| format!("{what:?} is not valid for a run of kind {}", kind.word()))
    }
}

impl Task {
    /// Its kind.
    pub fn kind(self) -> Kind {
        match self {
            Self::Sweep(_) => Kind::Sweep,
            Self::Plan(_) => Kind::Plan,
            Self::Import(_) => Kind::Import,
            Self::Lock(_) => Kind::Lock,
        }
    }

    /// Its subject: a period, a list of Kimai, a month.
    pub fn what(self) -> String {
        match self {
            Self::Sweep(period) | Self::Plan(period) => period.to_string(),
            Self::Import(what) => what.to_string(),
            Self::Lock(month) => month.to_string(),
        }
    }

    /// The same for a sentence.
    pub fn words(self) -> String {
        let noun = match self.kind() {
            Kind::Sweep => "The sweep",
            Kind::Plan => "The plan",
            Kind::Import => "The import",
            Kind::Lock => "The lock",
        };
        format!("{noun} of {}", self.what())
    }

    /// The period, where it has one.
    pub fn period(self) -> Option<Period> {
        match self {
            Self::Sweep(period) | Self::Plan(period) => Some(period),
            Self::Import(_) | Self::Lock(_) => None,
        }
    }

    /// Whether the two must not run at the same time.
    pub(super) fn excludes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Import(one), Self::Import(other)) => one == other,
            _ => self.kind() == other.kind(),
        }
    }

    /// Whether it is started again after a stop of the process interrupted it.
    pub(super) fn goes_on(self) -> bool {
        self.kind() == Kind::Sweep
    }

    /// Whether it is cancelled when the process stops. The others are better completed.
    pub(super) fn ends_at_stop(self) -> bool {
        matches!(self.kind(), Kind::Sweep | Kind::Plan)
    }
}

/// The key that confirms deletions held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// The key to send back.
    pub key: Uuid,
    /// When it expires.
    pub expires: Timestamp,
}

/// The progress of the work logs that a sweep queued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// How many it queued.
    pub total: u64,
    /// How many of them are synced.
    pub synced: u64,
    /// How many are parked.
    pub parked: u64,
}

impl Queued {
    /// How many will still run.
    pub fn waiting(self) -> u64 {
        self.total.saturating_sub(self.synced).saturating_sub(self.parked)
    }

    /// The same for people: `353 of 3 000 synced, 2 parked, 2 645 waiting`.
    pub fn in_words(self) -> String {
        let mut words = format!("{} of {} synced", grouped(self.synced), grouped(self.total));
        for (count, what) in [(self.parked, "parked"), (self.waiting(), "waiting")] {
            if count > 0 {
                let _ = write!(words, ", {} {what}", grouped(count));
            }
        }
        words
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number, from 1.
    pub id: u64,
    /// What it does.
    pub task: Task,
    /// What started it.
    pub asked_by: AskedBy,
    /// Its state.
    pub state: State,
    /// The run that it waits for.
    pub waits_for: Option<u64>,
    /// How far it is.
    pub stand: Stand,
    /// What it found and did, as counts.
    pub counts: BTreeMap<String, u64>,
    /// The progress of what it queued: for a sweep that has compared both sides and acted.
    #[serde(default)]
    pub queued: Option<Queued>,
    /// When a sweep had compared both sides and acted: from then on it only follows what it queued.
    #[serde(default)]
    pub compared: Option<Timestamp>,
    /// Deletions that were held back.
    pub held: usize,
    /// The key for those that only wait for confirmation.
    pub confirm: Option<Confirm>,
    /// How many findings are kept with it, once it has ended.
    pub findings: usize,
    /// Whether its findings were removed to make room.
    #[serde(default)]
    pub findings_removed: bool,
    /// What Kimai rounded, by month: of sweeps and plans.
    #[serde(default)]
    pub rounded: Vec<RoundedMonth>,
    /// When it was requested.
    pub asked: Timestamp,
    /// When it first started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why it failed or has to wait, or what it did, as a sentence.
    pub message: Option<String>,
    /// Whether a stop of the process interrupted it, and it was started again.
    #[serde(default)]
    pub resumed: bool,
}

impl Job {
    /// Whether it has compared and acted, and follows what it queued.
    pub fn is_following(&self) -> bool {
        self.state == State::Running && self.compared.is_some()
    }

    /// Whether its findings are known: it has ended, or only follows what it queued.
    pub fn has_result(&self) -> bool {
        self.state.is_ended() || self.is_following()
    }

    /// How long it took or takes up to `now`, in seconds.
    pub fn seconds(&self, now: Timestamp) -> f64 {
        let until = self.ended.unwrap_or(now);
        self.started.map_or(0.0, |started| until.duration_since(started).as_secs_f64().max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_back_as_it_was_written() {
        let period = Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() };
        let mut tasks =
            vec![Task::Sweep(period), Task::Plan(period), Task::Lock(Month::new(2024, 9).unwrap())];
        tasks.extend(What::ALL.map(Task::Import));
        for task in tasks {
            let written = serde_json::to_string(&task).unwrap();
            assert_eq!(serde_json::from_str::<Task>(&written).unwrap(), task, "{written}");
        }
        for bad in [r#"{"kind":"sweep","what":"soon"}"#, r#"{"kind":"import","what":"all"}"#] {
            assert!(serde_json::from_str::<Task>(bad).unwrap_err().to_string().contains("is not valid"));
        }
    }
}
