//! The response bodies, one file per resource: JSON:API documents, and their schemas for `/openapi.json`. These are
//! part of the public API.

pub(super) mod doctor;
pub(super) mod fault;
pub(super) mod finding;
pub(super) mod labels;
pub(super) mod queue;
pub(super) mod run;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError as _};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{JSON_API, Problem};
use crate::domain::{ActivityId, ProjectId, UserId};

/// 200 with a JSON:API document.
pub(super) fn ok(body: &impl Serialize) -> HttpResponse {
    with(StatusCode::OK, body)
}

/// 202 with a JSON:API document.
pub(super) fn accepted(body: &impl Serialize) -> HttpResponse {
    with(StatusCode::ACCEPTED, body)
}

fn with(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    match serde_json::to_string(body) {
        Ok(text) => HttpResponse::build(status).content_type(JSON_API).body(text),
        Err(fault) => {
            let detail = format!("The response cannot be serialised as JSON: {fault}.");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error", detail).error_response()
        }
    }
}

/// The values of a timesheet that this service manages.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TimesheetFields {
    /// Start.
    #[schema(value_type = String, format = DateTime, example = "2024-09-02T22:00:00Z")]
    pub(super) begin: jiff::Timestamp,
    /// End; none while the timesheet is running.
    #[schema(required, value_type = Option<String>, format = DateTime, example = "2024-09-03T06:00:00Z")]
    pub(super) end: Option<jiff::Timestamp>,
    /// Seconds of work. In Kimai, the time it counts: from begin to end without the break, rounded according to its
    /// settings.
    #[schema(example = 28800)]
    pub(super) duration: i32,
    /// Seconds of break.
    #[schema(example = 0)]
    pub(super) r#break: i32,
    /// The Kimai project.
    #[schema(required, value_type = Option<u64>, example = 3)]
    pub(super) project: Option<ProjectId>,
    /// The Kimai activity.
    #[schema(required, value_type = Option<u64>, example = 12)]
    pub(super) activity: Option<ActivityId>,
    /// The Kimai user whose hours they are.
    #[schema(required, value_type = Option<u64>, example = 4)]
    pub(super) user: Option<UserId>,
}

impl From<crate::domain::diff::ObservedEntry> for TimesheetFields {
    fn from(found: crate::domain::diff::ObservedEntry) -> Self {
        Self {
            begin: found.begin,
            end: found.end,
            duration: found.duration,
            r#break: found.pause,
            project: found.project,
            activity: found.activity,
            user: found.user,
        }
    }
}
