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

/// What was last checked of all that syncing needs
///
/// Connections, queue and its file as they are now, the rest as it was checked last. While the first checks are still
/// made there are none.
#[utoipa::path(get, path = "/doctor", tag = "Health", operation_id = "doctor", responses(
    (status = 200, description = "The latest report.", body = ReportAnswer, content_type = MEDIA_TYPE),
    Unavailable,
))]
pub(super) async fn latest(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let report = state.services.doctor.report(&state.status().await?).await;
    Ok(response::ok(&ReportAnswer::from(report.as_ref())))
}

/// Checks all that syncing needs now
///
/// Answers within 40 seconds: while checks are made that began before, all who ask wait for them and share the
/// next ones.
#[utoipa::path(post, path = "/doctor", tag = "Health", operation_id = "examine", responses(
    (status = 200, description = "The report.", body = ReportAnswer, content_type = MEDIA_TYPE),
    Unavailable,
))]
pub(super) async fn examine(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    state.services.doctor.examine().await;
    latest(state).await
}
