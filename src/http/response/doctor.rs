//! What the doctor found.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::labels::CheckVerdict;
use crate::doctor::{Check, Report};

/// The latest checks.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ReportAnswer {
    /// Always all, in the same order; none while the first are still made.
    data: Vec<CheckResource>,
    links: ReportLinks,
    meta: ReportMeta,
}

/// One thing that syncing needs.
#[derive(Debug, Serialize, ToSchema)]
struct CheckResource {
    #[schema(value_type = String, pattern = "^checks$", example = "checks")]
    r#type: &'static str,
    /// A word for programs.
    #[schema(example = "queue-file")]
    id: String,
    attributes: CheckAttributes,
}

/// How it is.
#[derive(Debug, Serialize, ToSchema)]
struct CheckAttributes {
    /// What was looked at, for people.
    #[schema(example = "Queue file")]
    name: String,
    verdict: CheckVerdict,
    /// What was found, in one line.
    #[schema(example = "It can be written.")]
    says: String,
    /// What to do about it; none when it is well.
    #[schema(required, example = json!(null))]
    help: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReportLinks {
    #[serde(rename = "self")]
    #[schema(value_type = String, example = "/doctor")]
    this: &'static str,
}

/// The checks as a whole; null while the first are still made.
#[derive(Debug, Serialize, ToSchema)]
struct ReportMeta {
    /// When they were made.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-09-02T08:00:00Z")]
    at: Option<Timestamp>,
    /// The worst of them.
    #[schema(required)]
    verdict: Option<CheckVerdict>,
    /// Whether they are of a service with the triplestore inside, without a stack around it.
    #[schema(required, example = false)]
    standalone: Option<bool>,
}

impl From<&Check> for CheckResource {
    fn from(check: &Check) -> Self {
        let Check { id, name, verdict, says, help } = check.clone();
        Self {
            r#type: "checks",
            id,
            attributes: CheckAttributes { name, verdict: verdict.into(), says, help },
        }
    }
}

impl From<Option<&Report>> for ReportAnswer {
    fn from(report: Option<&Report>) -> Self {
        let checks = report.map(|report| report.checks.as_slice()).unwrap_or_default();
        Self {
            data: checks.iter().map(Into::into).collect(),
            links: ReportLinks { this: "/doctor" },
            meta: ReportMeta {
                at: report.map(|report| report.at),
                verdict: report.map(|report| report.worst().into()),
                standalone: report.map(|report| report.standalone),
            },
        }
    }
}
