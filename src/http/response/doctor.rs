//! What the doctor found.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::labels::CheckVerdict;
use crate::doctor::{Check, Report};

/// The latest checks.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ReportAnswer {
    /// Always all of them, in the same order; empty while the first checks are running.
    data: Vec<CheckResource>,
    links: ReportLinks,
    meta: ReportMeta,
}

/// A check of one thing that syncing needs.
#[derive(Debug, Serialize, ToSchema)]
struct CheckResource {
    #[schema(value_type = String, pattern = "^checks$", example = "checks")]
    r#type: &'static str,
    /// A stable name for programs.
    #[schema(example = "queue-file")]
    id: String,
    attributes: CheckAttributes,
}

/// The result.
#[derive(Debug, Serialize, ToSchema)]
struct CheckAttributes {
    /// What was checked, for people.
    #[schema(example = "Queue file")]
    name: String,
    verdict: CheckVerdict,
    /// What was found, in one line.
    #[schema(example = "It can be written.")]
    says: String,
    /// How to fix it; none if everything is fine.
    #[schema(required, example = json!(null))]
    help: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ReportLinks {
    #[serde(rename = "self")]
    #[schema(value_type = String, example = "/doctor")]
    this: &'static str,
}

/// The whole report; null while the first checks are running.
#[derive(Debug, Serialize, ToSchema)]
struct ReportMeta {
    /// When the checks were made.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-09-02T08:00:00Z")]
    at: Option<Timestamp>,
    /// The worst result.
    #[schema(required)]
    verdict: Option<CheckVerdict>,
    /// Whether the service has an embedded triplestore and no stack around it.
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
