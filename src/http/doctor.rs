//! The doctor's report: what was checked, how it is, and what to do. JSON:API.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::State;
use super::queue::document;
use crate::doctor::Report;

/// `GET /doctor`: the latest report. Without one, while the first checks are still made, no checks.
pub(super) async fn latest(state: web::Data<State>) -> HttpResponse {
    document(&body(state.engine.doctor.latest().as_ref()))
}

/// `POST /doctor`: makes all checks now and answers with their report, within half a minute.
pub(super) async fn examine(state: web::Data<State>) -> HttpResponse {
    document(&body(Some(&state.engine.doctor.examine().await)))
}

fn body(report: Option<&Report>) -> Value {
    let checks = report.map(|report| report.checks.as_slice()).unwrap_or_default();
    let data = checks.iter().map(|check| {
        json!({
            "type": "checks",
            "id": check.id,
            "attributes": {
                "name": check.name, "verdict": check.verdict.word(), "says": check.says, "help": check.help,
            },
        })
    });
    json!({
        "data": data.collect::<Vec<_>>(),
        "links": {"self": "/doctor"},
        "meta": {
            "at": report.map(|report| report.at),
            "verdict": report.map(|report| report.worst().word()),
        },
    })
}
