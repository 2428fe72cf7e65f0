//! The doctor's report: what was checked, how it is, and what to do. JSON:API.

use actix_web::{HttpResponse, web};

use super::State;
use super::queue::document;
use crate::doctor::Report;

/// `GET /doctor`: the latest report. Without one, while the first checks are still made, no checks.
pub(super) async fn latest(state: web::Data<State>) -> HttpResponse {
    document(&Report::document(state.engine.doctor.latest().as_ref()))
}

/// `POST /doctor`: makes all checks now and answers with their report, within half a minute.
pub(super) async fn examine(state: web::Data<State>) -> HttpResponse {
    document(&Report::document(Some(&state.engine.doctor.examine().await)))
}
