//! Entries of the queue, and the explanation of one work log.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::TimesheetFields;
use super::labels::{EntryReason, EntryState};
use crate::domain::status::{Load, Outage, Status};
use crate::domain::{Code, EntryId, WorkLogUri};
use crate::explain::{Answer, Explanation};
use crate::queue::{Attempt, Ended, Entry};

const TYPE: &str = "queue-entries";

/// A page of the queue.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct QueuePage {
    /// In the order of their IRIs.
    pub(in crate::http) data: Vec<EntryResource>,
    pub(in crate::http) links: PageLinks,
    pub(in crate::http) meta: QueueMeta,
}

/// Links to more.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PageLinks {
    /// The next page; null on the last one.
    #[schema(required, example = "/queue?page%5Bsize%5D=50&page%5Bafter%5D=http%3A%2F%2Fx%2F1")]
    pub(in crate::http) next: Option<String>,
}

/// The whole queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) struct QueueMeta {
    /// The time of these counts.
    #[schema(value_type = String, format = DateTime, example = "2024-09-02T08:00:05Z")]
    pub(in crate::http) at: Timestamp,
    /// Due: run as soon as a worker is free.
    #[schema(example = 2)]
    pub(in crate::http) queued: usize,
    /// Scheduled: run at their due time.
    #[schema(example = 1)]
    pub(in crate::http) scheduled: usize,
    /// Running.
    #[schema(example = 0)]
    pub(in crate::http) running: usize,
    /// Parked: not run again until something changes.
    #[schema(example = 1)]
    pub(in crate::http) parked: usize,
    /// Since when the oldest due entry has been waiting for a worker; null if none is due.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-09-02T08:00:00Z")]
    pub(in crate::http) oldest_due: Option<Timestamp>,
    /// Which systems are down.
    pub(in crate::http) down: Vec<Down>,
}

impl QueueMeta {
    /// From the status of the service.
    pub(in crate::http) fn of(status: &Status) -> Self {
        let Load { queued, scheduled, running, parked, oldest_due } = status.load;
        let neighbours = [("Kimai", &status.kimai), ("the triplestore", &status.triplestore)];
        let down = neighbours.into_iter().filter_map(|(name, neighbour)| {
            let Outage { why, code, since } = neighbour.outage()?.clone();
            Some(Down { name, why, code, since, answered: neighbour.contact.answered.map(|heard| heard.at) })
        });
        Self { at: status.at, queued, scheduled, running, parked, oldest_due, down: down.collect() }
    }
}

/// A system that is down.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Down {
    /// Its name.
    #[schema(value_type = String, example = "Kimai")]
    pub(in crate::http) name: &'static str,
    /// Its last error.
    #[schema(example = "cannot connect to http://kimai:8001")]
    pub(in crate::http) why: String,
    /// The stable code of the error.
    #[schema(value_type = String, example = "kimai-unavailable")]
    pub(in crate::http) code: Code,
    /// Since when.
    #[schema(value_type = String, format = DateTime, example = "2024-09-02T08:00:00Z")]
    pub(in crate::http) since: Timestamp,
    /// When it last answered; null if not since the service started.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-09-02T07:59:58Z")]
    pub(in crate::http) answered: Option<Timestamp>,
}

/// A work log in the queue.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EntryResource {
    #[schema(value_type = String, pattern = "^queue-entries$", example = "queue-entries")]
    r#type: &'static str,
    /// The work log's IRI.
    #[schema(example = "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001")]
    id: String,
    attributes: EntryAttributes,
}

/// The attributes of an entry.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) struct EntryAttributes {
    state: EntryState,
    /// When it will run; if it is running, when it was due. Null if parked.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-09-02T08:05:00Z")]
    due: Option<Timestamp>,
    reason: EntryReason,
    /// How many attempts have failed since it last changed.
    #[schema(example = 1)]
    attempts: u32,
    /// The error of the last failed attempt.
    #[schema(required, example = "Kimai cannot be reached: connection refused")]
    last_error: Option<String>,
    /// The stable code of that error; null before the first attempt.
    #[schema(required, value_type = Option<String>, example = "kimai-unavailable")]
    code: Option<Code>,
    /// Since when it has been in the queue.
    #[schema(value_type = String, format = DateTime, example = "2024-09-02T08:00:00Z")]
    since: Timestamp,
    /// When the lease of a running entry ends.
    #[schema(required, value_type = Option<String>, format = DateTime, example = json!(null))]
    leased_until: Option<Timestamp>,
}

impl From<&Entry> for EntryAttributes {
    fn from(entry: &Entry) -> Self {
        Self {
            state: entry.state.into(),
            due: entry.due,
            reason: entry.reason.into(),
            attempts: entry.attempts,
            last_error: entry.last_error.clone(),
            code: entry.code,
            since: entry.since,
            leased_until: entry.leased_until,
        }
    }
}

impl From<&Entry> for EntryResource {
    fn from(entry: &Entry) -> Self {
        Self { r#type: TYPE, id: entry.work_log.to_string(), attributes: entry.into() }
    }
}

/// One work log.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct WorkLogAnswer {
    data: WorkLogResource,
}

#[derive(Debug, Serialize, ToSchema)]
struct WorkLogResource {
    #[schema(value_type = String, pattern = "^queue-entries$", example = "queue-entries")]
    r#type: &'static str,
    /// The work log's IRI.
    #[schema(example = "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001")]
    id: String,
    attributes: WorkLogAttributes,
}

/// Its entry, if it has one, and its history.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) struct WorkLogAttributes {
    #[serde(flatten)]
    standing: Standing,
    /// The results of its last attempts, newest first.
    history: Vec<AttemptFields>,
    /// Its timesheet.
    #[schema(required, value_type = Option<u64>, example = 9182)]
    kimai_id: Option<EntryId>,
    /// What Kimai has for that timesheet; null if it does not exist.
    #[schema(required)]
    kimai: Option<Held>,
    /// Everything known about it: what the triplestore and Kimai have, what the service has recorded and done, a
    /// verdict, and how to fix it.
    // With `Object` the example would be lost.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>, example = json!({
        "verdict": "waits", "says": "Kimai cannot be reached", "help": ["Nothing: it is retried."]
    }))]
    story: Explanation,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Standing {
    Queued(EntryAttributes),
    Settled(Settled),
}

/// It is not in the queue.
#[derive(Debug, Serialize, ToSchema)]
struct Settled {
    #[schema(value_type = String, pattern = "^settled$", example = "settled")]
    state: &'static str,
}

/// The result of one attempt to sync a work log.
#[derive(Debug, Serialize, ToSchema)]
struct AttemptFields {
    /// When it ended.
    #[schema(value_type = String, format = DateTime, example = "2024-09-02T08:00:01Z")]
    at: Timestamp,
    /// `done`, `later` or `parked`.
    #[schema(value_type = String, example = "later")]
    result: Ended,
    /// The error.
    #[schema(required, example = "Kimai cannot be reached: connection refused")]
    message: Option<String>,
    /// The stable code of the error; null if it succeeded.
    #[schema(required, value_type = Option<String>, example = "kimai-unavailable")]
    code: Option<Code>,
}

/// What Kimai has, or why that is not known.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum Held {
    /// Its values.
    Timesheet(HeldTimesheet),
    /// Why it could not be read.
    Unknown(NotAsked),
}

/// A timesheet in Kimai.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct HeldTimesheet {
    #[serde(flatten)]
    fields: TimesheetFields,
    /// Whether it is exported, and so may be on an invoice.
    exported: bool,
}

/// Why Kimai could not be read.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct NotAsked {
    /// The error message.
    #[schema(example = "Kimai cannot be reached: connection refused")]
    pub(in crate::http) error: String,
}

impl Held {
    /// A timesheet in the explanation, or nothing if it no longer exists.
    fn of(held: &crate::explain::Held) -> Option<Self> {
        match &held.kimai {
            Answer::Known(holds) => holds.as_ref().map(|holds| {
                Self::Timesheet(HeldTimesheet { fields: holds.found.into(), exported: holds.exported })
            }),
            Answer::Unknown { error } => Some(Self::Unknown(NotAsked { error: error.clone() })),
        }
    }
}

impl WorkLogAnswer {
    /// The explanation of `work_log`.
    pub(in crate::http) fn new(
        work_log: &WorkLogUri,
        entry: Option<&Entry>,
        history: &[Attempt],
        explanation: Explanation,
    ) -> Self {
        let standing = entry
            .map_or(Standing::Settled(Settled { state: "settled" }), |entry| Standing::Queued(entry.into()));
        let history = history.iter().map(|Attempt { at, result, message, code }| AttemptFields {
            at: *at,
            result: *result,
            message: message.clone(),
            code: *code,
        });
        let attributes = WorkLogAttributes {
            standing,
            history: history.collect(),
            kimai_id: explanation.own().map(|held| held.id),
            kimai: explanation.own().and_then(Held::of),
            story: explanation,
        };
        Self { data: WorkLogResource { r#type: TYPE, id: work_log.to_string(), attributes } }
    }
}

/// How many entries are retried.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RetriedAnswer {
    meta: RetriedMeta,
}

#[derive(Debug, Serialize, ToSchema)]
struct RetriedMeta {
    /// Parked entries that are now retried.
    #[schema(example = 3)]
    retried: usize,
}

impl From<usize> for RetriedAnswer {
    fn from(retried: usize) -> Self {
        Self { meta: RetriedMeta { retried } }
    }
}
