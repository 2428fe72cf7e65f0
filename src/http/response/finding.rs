//! The findings of a sweep or plan.

use serde::Serialize;
use utoipa::ToSchema;

use super::TimesheetFields;
use super::labels::{FindingAction, FindingHold, FindingKind};
use super::run::FindingLinks;
use crate::domain::EntryId;
use crate::domain::diff::ObservedEntry;
use crate::domain::finding::{Finding, Hold};

/// A page of findings.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FindingPage {
    pub(in crate::http) data: Vec<FindingResource>,
    pub(in crate::http) links: FindingLinks,
    pub(in crate::http) meta: FindingMeta,
}

/// All findings of the run.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FindingMeta {
    /// The ID of the run.
    #[schema(example = "17")]
    pub(in crate::http) run: String,
    /// How many findings are stored with it.
    #[schema(example = 3)]
    pub(in crate::http) findings: usize,
    /// How many deletions were held back.
    #[schema(example = 0)]
    pub(in crate::http) held: usize,
}

/// One difference between the two sides.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct FindingResource {
    #[schema(value_type = String, pattern = "^sweep-findings$", example = "sweep-findings")]
    r#type: &'static str,
    /// The ID of the run and the number of the finding.
    #[schema(example = "17-1")]
    id: String,
    attributes: FindingAttributes,
}

/// The attributes of a finding.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
struct FindingAttributes {
    kind: FindingKind,
    action: FindingAction,
    /// The IRI of its work log; an orphan has none.
    #[schema(required, example = "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001")]
    work_log: Option<String>,
    /// Its timesheets, lowest ID first.
    #[schema(value_type = Vec<u64>, example = json!([9182]))]
    timesheets: Vec<EntryId>,
    /// The timesheet according to the triplestore, if its data is complete.
    #[schema(required)]
    triplestore: Option<TimesheetFields>,
    /// The first of the timesheets in Kimai, if it was read.
    #[schema(required)]
    kimai: Option<TimesheetFields>,
    /// What differs, as text for people.
    #[schema(example = "end: Kimai has 2024-09-03T06:00:00Z, the work log says 2024-09-03T07:00:00Z")]
    reason: String,
    /// Why the deletion is held back.
    #[schema(required)]
    held: Option<FindingHold>,
    /// The same as text for people.
    #[schema(required, value_type = Option<String>, example = json!(null))]
    held_because: Option<&'static str>,
}

impl FindingResource {
    /// Finding number `n` of run `run`.
    pub(in crate::http) fn new(run: u64, n: u64, finding: &Finding) -> Self {
        let attributes = FindingAttributes {
            kind: finding.kind.into(),
            action: finding.action.into(),
            work_log: finding.work_log.as_ref().map(ToString::to_string),
            timesheets: finding.timesheets.clone(),
            triplestore: finding.wanted.map(|wanted| ObservedEntry::from(wanted).into()),
            kimai: finding.found.map(Into::into),
            reason: finding.reason.clone(),
            held: finding.held.map(Into::into),
            held_because: finding.held.map(Hold::explain),
        };
        Self { r#type: "sweep-findings", id: format!("{run}-{n}"), attributes }
    }
}
