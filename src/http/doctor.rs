//! The doctor's report: each check, its result, and the fix. JSON:API.

use actix_web::{HttpResponse, web};

use super::State;
use super::problem::Problem;
use super::response;
use super::response::doctor::ReportAnswer;
use super::response::fault::{MEDIA_TYPE, Unavailable};
use crate::doctor::Report;

/// `report` as the document that `GET /doctor` answers with.
pub(crate) fn document(report: &Report) -> String {
    serde_json::to_string(&ReportAnswer::from(Some(report))).unwrap_or_default()
}

/// Shows the last check of everything that syncing needs
///
/// Connections, the queue and its file are current; the rest is from the last check. The list is empty while the first
/// checks are running.
#[utoipa::path(get, path = "/doctor", tag = "Health", operation_id = "doctor", responses(
    (status = 200, description = "The latest report.", body = ReportAnswer, content_type = MEDIA_TYPE),
    Unavailable,
))]
pub(super) async fn latest(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let report = state.services.doctor.report(&state.status().await?).await;
    Ok(response::ok(&ReportAnswer::from(report.as_ref())))
}

/// Checks everything that syncing needs now
///
/// Answers within 40 seconds. Requests that arrive while checks are running wait for them, and share the next ones.
#[utoipa::path(post, path = "/doctor", tag = "Health", operation_id = "examine", responses(
    (status = 200, description = "The report.", body = ReportAnswer, content_type = MEDIA_TYPE),
    Unavailable,
))]
pub(super) async fn examine(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.services.doctor.examine().await;
    latest(state).await
}
