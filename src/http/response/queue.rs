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

/// Where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PageLinks {
    /// The next page; null on the last one.
    #[schema(required, example = "/queue?page%5Bsize%5D=50&page%5Bafter%5D=http%3A%2F%2Fx%2F1")]
    pub(in crate::http) next: Option<String>,
}

/// The queue as a whole.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) struct QueueMeta {
    /// When this was so.
    #[schema(value_type = String, format = DateTime, example = "2024-09-02T08:00:05Z")]
    pub(in crate::http) at: Timestamp,
    /// Due: run as soon as a worker is free.
    #[schema(example = 2)]
    pub(in crate::http) queued: usize,
    /// To be run later, at their due time.
    #[schema(example = 1)]
    pub(in crate::http) scheduled: usize,
    /// Running.
    #[schema(example = 0)]
    pub(in crate::http) running: usize,
    /// Not run again until something changes.
    #[schema(example = 1)]
    pub(in crate::http) parked: usize,
    /// Since when the oldest due entry waits for a worker; null when none does.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-09-02T08:00:00Z")]
    pub(in crate::http) oldest_due: Option<Timestamp>,
    /// What does not answer as it should.
    pub(in crate::http) down: Vec<Down>,
}

impl QueueMeta {
    /// As the service stands.
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

/// A service behind this one that does not answer.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Down {
    /// Which.
    #[schema(value_type = String, example = "Kimai")]
    pub(in crate::http) name: &'static str,
    /// What it last said.
    #[schema(example = "cannot connect to http://kimai:8001")]
    pub(in crate::http) why: String,
    /// The stable code of that.
    #[schema(value_type = String, example = "kimai-unavailable")]
    pub(in crate::http) code: Code,
    /// Since when.
    #[schema(value_type = String, format = DateTime, example = "2024-09-02T08:00:00Z")]
    pub(in crate::http) since: Timestamp,
    /// When it last answered; null if not since the service began.
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

/// What is known of an entry.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) struct EntryAttributes {
    state: EntryState,
    /// When it is to be run, or was to be run that is running. Null when parked.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-09-02T08:05:00Z")]
    due: Option<Timestamp>,
    reason: EntryReason,
    /// How many runs have failed since it last changed.
    #[schema(example = 1)]
    attempts: u32,
    /// What the last failed run said.
    #[schema(required, example = "Kimai cannot be reached: connection refused")]
    last_error: Option<String>,
    /// The stable code of that; null before the first run.
    #[schema(required, value_type = Option<String>, example = "kimai-unavailable")]
    code: Option<Code>,
    /// Since when it is in the queue.
    #[schema(value_type = String, format = DateTime, example = "2024-09-02T08:00:00Z")]
    since: Timestamp,
    /// When the turn of a running one ends.
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

/// Its entry, if it has one, and what became of it so far.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) struct WorkLogAttributes {
    #[serde(flatten)]
    standing: Standing,
    /// How its last runs ended, the newest first.
    history: Vec<AttemptFields>,
    /// Its timesheet.
    #[schema(required, value_type = Option<u64>, example = 9182)]
    kimai_id: Option<EntryId>,
    /// What Kimai holds there; null when it has no such timesheet.
    #[schema(required)]
    kimai: Option<Held>,
    /// All that is known of it: what the triplestore and Kimai say, what we remember and did, how it stands in
    /// plain words, and what would help.
    // Of an `Object` the example would be left out.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>, example = json!({
        "verdict": "waits", "says": "Kimai cannot be reached", "help": ["Nothing: it is tried again."]
    }))]
    story: Explanation,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Standing {
    Queued(EntryAttributes),
    Settled(Settled),
}

/// Nothing is to be done for it.
#[derive(Debug, Serialize, ToSchema)]
struct Settled {
    #[schema(value_type = String, pattern = "^settled$", example = "settled")]
    state: &'static str,
}

/// How one run of a work log ended.
#[derive(Debug, Serialize, ToSchema)]
struct AttemptFields {
    /// When it ended.
    #[schema(value_type = String, format = DateTime, example = "2024-09-02T08:00:01Z")]
    at: Timestamp,
    /// `done`, `later` or `parked`.
    #[schema(value_type = String, example = "later")]
    result: Ended,
    /// What stood in the way.
    #[schema(required, example = "Kimai cannot be reached: connection refused")]
    message: Option<String>,
    /// The stable code of what stood in the way; null where it ended well.
    #[schema(required, value_type = Option<String>, example = "kimai-unavailable")]
    code: Option<Code>,
}

/// What Kimai holds, or why it cannot be asked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum Held {
    /// What it holds.
    Timesheet(HeldTimesheet),
    /// Why it cannot be asked.
    Unknown(NotAsked),
}

/// A timesheet in Kimai.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct HeldTimesheet {
    #[serde(flatten)]
    fields: TimesheetFields,
    /// Whether it is exported: it may be on an invoice.
    exported: bool,
}

/// Why Kimai cannot be asked.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct NotAsked {
    /// In words.
    #[schema(example = "Kimai cannot be reached: connection refused")]
    pub(in crate::http) error: String,
}

impl Held {
    /// What the story tells of a timesheet; none where it is gone.
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
    /// The story of `work_log`.
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

/// How many entries were woken.
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
