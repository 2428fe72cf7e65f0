//! Runs, and the plan of a sweep.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Ref, Type};
use utoipa::openapi::{ContentBuilder, RefOr};
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use super::fault::{Broken, Cancelled, MEDIA_TYPE, Refused, Unavailable};
use super::finding::FindingResource;
use super::labels::{RunAskedBy, RunKind, RunState};
use crate::domain::finding;
use crate::domain::hours::RoundedMonth;
use crate::jobs::{Confirm, Job, Queued};
use crate::reconcile::sweep::Period;

/// The address of a run.
pub(in crate::http) fn location(id: u64) -> String {
    format!("/runs/{id}")
}

/// The stored runs.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RunList {
    /// Newest first.
    pub(in crate::http) data: Vec<RunResource>,
    pub(in crate::http) links: RunListLinks,
}

#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RunListLinks {
    #[serde(rename = "self")]
    #[schema(value_type = String, example = "/runs")]
    pub(in crate::http) this: &'static str,
}

/// One run.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RunAnswer {
    pub(in crate::http) data: RunResource,
}

/// One event of `text/event-stream`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it is written as text; this says what it is")]
pub(in crate::http) struct RunEvent {
    #[schema(pattern = "^run$", example = "run")]
    event: String,
    /// The run, as a resource in JSON.
    #[schema(content_media_type = "application/json", example = "{\"type\":\"runs\",\"id\":\"17\",…}")]
    data: String,
}

/// A run that was requested.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RunAccepted {
    pub(in crate::http) data: RunResource,
    pub(in crate::http) meta: RunAcceptedMeta,
}

#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RunAcceptedMeta {
    /// Whether an identical run had been requested already and not started yet; both requests share it.
    #[schema(example = false)]
    pub(in crate::http) joined: bool,
}

/// A long task: a sweep, plan, import or lock.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RunResource {
    #[schema(value_type = String, pattern = "^runs$", example = "runs")]
    r#type: &'static str,
    /// Its number.
    #[schema(example = "17", pattern = "^[0-9]+$")]
    id: String,
    attributes: RunAttributes,
    links: RunLinks,
}

/// The attributes of a run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct RunAttributes {
    kind: RunKind,
    /// Its subject: a period, a list of Kimai's, or a month.
    #[schema(example = "2024-09-01 to 2024-09-30")]
    what: String,
    asked_by: RunAskedBy,
    state: RunState,
    /// The run that has to end before this one starts.
    #[schema(required, example = json!(null))]
    waits_for: Option<String>,
    /// What it is doing now, as text.
    #[schema(value_type = String, example = "comparing")]
    phase: Cow<'static, str>,
    /// How much of this phase is done.
    #[schema(example = 120)]
    done: u64,
    /// How much there is to do in this phase, if known.
    #[schema(required, example = 400)]
    total: Option<u64>,
    /// Counts of what it found and did.
    #[schema(example = json!({"missing": 2, "changed": 1}))]
    counts: BTreeMap<String, u64>,
    /// The progress of the work logs that a sweep queued. Null before it has compared both sides, and for other kinds.
    /// The sweep is done when each of them is synced or parked.
    #[schema(required)]
    queued: Option<QueuedFields>,
    /// What Kimai rounded, by month (sweeps and plans). Rounding is not a difference.
    rounded: Vec<RoundedFields>,
    /// What failed without ending the run: the first hundred.
    faults: Vec<String>,
    /// How many failed in total.
    #[schema(example = 0)]
    faults_in_all: u64,
    /// Deletions that were held back.
    #[schema(example = 0)]
    held: usize,
    /// How many findings are stored with it, once it has ended.
    #[schema(example = 3)]
    findings: usize,
    /// The key for those deletions that only need confirmation.
    #[schema(required)]
    confirm: Option<ConfirmFields>,
    /// When it was requested.
    #[schema(value_type = String, format = DateTime, example = "2024-10-01T01:00:00Z")]
    asked: Timestamp,
    /// When it first started.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-10-01T01:00:00Z")]
    started: Option<Timestamp>,
    /// When a sweep had compared both sides and acted; since then it only tracks what it queued. Null before that, and
    /// if nothing was queued.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-10-01T01:00:03Z")]
    compared: Option<Timestamp>,
    /// When it ended.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-10-01T01:00:04Z")]
    ended: Option<Timestamp>,
    /// How long it took, or has taken so far, in seconds.
    #[schema(example = 4.2)]
    seconds: f64,
    /// Why it failed or has to wait, or what it did, as a sentence.
    #[schema(required, example = "3 differences found, 3 corrected.")]
    message: Option<String>,
}

/// The progress of the work logs that a sweep queued.
#[derive(Debug, Serialize, ToSchema)]
struct QueuedFields {
    /// How many it queued.
    #[schema(example = 3000)]
    total: u64,
    /// How many of them are synced.
    #[schema(example = 353)]
    synced: u64,
    /// How many are parked.
    #[schema(example = 2)]
    parked: u64,
    /// How many are still waiting.
    #[schema(example = 2645)]
    waiting: u64,
}

impl From<Queued> for QueuedFields {
    fn from(queued: Queued) -> Self {
        let Queued { total, synced, parked } = queued;
        Self { total, synced, parked, waiting: queued.waiting() }
    }
}

/// What Kimai rounded in one month.
#[derive(Debug, Serialize, ToSchema)]
struct RoundedFields {
    /// The month of the work logs' days.
    #[schema(example = "2024-09", pattern = "^[0-9]{4}-[0-9]{2}$")]
    month: String,
    /// How many timesheets it rounded.
    #[schema(example = 2)]
    timesheets: u64,
    /// Seconds according to their work logs.
    #[schema(example = 54720)]
    said: i64,
    /// Seconds that Kimai counts for them.
    #[schema(example = 55800)]
    counted: i64,
}

impl RoundedFields {
    fn of(rounded: &RoundedMonth) -> Self {
        let RoundedMonth { month, timesheets, said, counted } = rounded;
        Self { month: month.clone(), timesheets: *timesheets, said: *said, counted: *counted }
    }
}

/// A key that confirms deletions.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ConfirmFields {
    /// Send it back as `confirm`.
    #[schema(value_type = String, format = Uuid, example = "9d2f8a3e-5a0c-4d6c-9a51-2f1f6f0c1f11")]
    key: Uuid,
    /// Until when it is valid.
    #[schema(value_type = String, format = DateTime, example = "2024-10-01T02:00:04Z")]
    expires: Timestamp,
}

impl ConfirmFields {
    fn of(confirm: &Confirm) -> Self {
        Self { key: confirm.key, expires: confirm.expires }
    }
}

/// Links to more.
#[derive(Debug, Serialize, ToSchema)]
struct RunLinks {
    #[serde(rename = "self")]
    #[schema(example = "/runs/17")]
    this: String,
    #[schema(example = "/runs/17/findings")]
    findings: String,
    #[schema(example = "/runs/17/events")]
    events: String,
}

impl RunResource {
    /// `run`, as of `now`.
    pub(in crate::http) fn new(run: &Job, now: Timestamp) -> Self {
        let (this, stand) = (location(run.id), &run.stand);
        Self {
            r#type: "runs",
            id: run.id.to_string(),
            attributes: RunAttributes {
                kind: run.task.kind().into(),
                what: run.task.what(),
                asked_by: run.asked_by.into(),
                state: run.state.into(),
                waits_for: run.waits_for.map(|id| id.to_string()),
                phase: stand.phase.clone(),
                done: stand.done,
                total: stand.total,
                counts: run.counts.clone(),
                queued: run.queued.map(Into::into),
                rounded: run.rounded.iter().map(RoundedFields::of).collect(),
                faults: stand.faults.clone(),
                faults_in_all: stand.faults_in_all,
                held: run.held,
                findings: run.findings,
                confirm: run.confirm.as_ref().map(ConfirmFields::of),
                asked: run.asked,
                started: run.started,
                compared: run.compared,
                ended: run.ended,
                seconds: run.seconds(now),
                message: run.message.clone(),
            },
            links: RunLinks { findings: format!("{this}/findings"), events: format!("{this}/events"), this },
        }
    }
}

/// What a sweep would do.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PlanAnswer {
    /// The first page of the findings.
    data: Vec<FindingResource>,
    links: FindingLinks,
    meta: PlanMeta,
}

/// The run of a page of findings, and the next page.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FindingLinks {
    #[schema(example = "/runs/17")]
    pub(in crate::http) run: String,
    /// The next page; null on the last one.
    #[schema(required, example = "/runs/17/findings?page%5Bafter%5D=50&page%5Bsize%5D=50")]
    pub(in crate::http) next: Option<String>,
}

/// The whole plan.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct PlanMeta {
    period: PeriodFields,
    /// The ID of its run.
    #[schema(example = "17")]
    run: String,
    /// How many findings there are of each kind.
    #[schema(example = json!({"missing": 2, "changed": 1, "orphan": 0}))]
    counts: BTreeMap<&'static str, u64>,
    /// How many findings there are in total.
    #[schema(example = 3)]
    findings: usize,
    /// Deletions that would be held back.
    #[schema(example = 0)]
    held: usize,
    /// The key for those deletions that only need confirmation.
    #[schema(required)]
    confirm: Option<ConfirmFields>,
    /// What Kimai rounded, by month. Rounding is not a difference.
    rounded: Vec<RoundedFields>,
    /// What was found, as a sentence.
    #[schema(required, example = "3 differences found.")]
    message: Option<String>,
    /// What failed without ending the run: the first hundred.
    faults: Vec<String>,
    /// How many failed in total.
    #[schema(example = 0)]
    faults_in_all: u64,
}

/// The first and last day, inclusive.
#[derive(Debug, Serialize, ToSchema)]
struct PeriodFields {
    #[schema(value_type = String, format = Date, example = "2024-09-01")]
    start: Date,
    #[schema(value_type = String, format = Date, example = "2024-09-30")]
    end: Date,
}

impl PlanAnswer {
    /// The plan that `run` made for `period`, with the first page of its findings.
    pub(in crate::http) fn new(
        run: &Job,
        period: Period,
        data: Vec<FindingResource>,
        next: Option<String>,
    ) -> Self {
        let of_kind =
            |kind: finding::Kind| (kind.word(), run.counts.get(kind.word()).copied().unwrap_or_default());
        Self {
            data,
            links: FindingLinks { run: location(run.id), next },
            meta: PlanMeta {
                period: PeriodFields { start: period.first, end: period.last },
                run: run.id.to_string(),
                counts: finding::Kind::ALL.into_iter().map(of_kind).collect(),
                findings: run.findings,
                held: run.held,
                confirm: run.confirm.as_ref().map(ConfirmFields::of),
                rounded: run.rounded.iter().map(RoundedFields::of).collect(),
                message: run.message.clone(),
                faults: run.stand.faults.clone(),
                faults_in_all: run.stand.faults_in_all,
            },
        }
    }
}

/// The responses of a route that waits: 204 at the end, or 202 immediately with the run.
pub(in crate::http) struct Ended;

impl IntoResponses for Ended {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let seen = HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        let seen = seen.description(Some("The run, with its result.")).build();
        let run = ContentBuilder::new().schema(Some(Ref::from_schema_name("RunAccepted"))).build();
        let done = ResponseBuilder::new().description("Done.").header("Location", seen.clone());
        let begun = ResponseBuilder::new().description("Started, if requested with `Prefer: respond-async`.");
        let begun = begun.header("Location", seen).content(MEDIA_TYPE, run);
        let mut all = BTreeMap::from([("204".to_owned(), RefOr::T(done.build()))]);
        all.insert("202".to_owned(), RefOr::T(begun.build()));
        for fault in [Cancelled::FAULT, Broken::FAULT, Refused::FAULT, Unavailable::FAULT] {
            all.insert(fault.status.to_string(), RefOr::T(fault.response()));
        }
        all
    }
}
