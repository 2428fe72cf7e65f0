//! The error page.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, ResponseError};
use maud::{Markup, html};

use super::labels;
use super::layout::head;
use crate::escape::for_page;
use crate::jobs::JobsFault;
use crate::store::QueueFault;

/// The error of a page or form.
#[derive(Debug, thiserror::Error)]
#[error("{title}: {detail}")]
pub(super) struct Fault {
    status: StatusCode,
    title: &'static str,
    detail: String,
}

impl Fault {
    /// The request is invalid (400).
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, title: "Invalid request", detail: detail.into() }
    }

    /// It does not exist (404).
    pub(super) fn unknown(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, title: "Not found", detail: detail.into() }
    }

    /// Not available at the moment (503).
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, title: "Not available", detail: detail.into() }
    }

    fn page(&self) -> Markup {
        html! {
            (maud::DOCTYPE)
            html lang="en" {
                head { (head(self.title)) }
                body {
                    main id="content" class="lonely" {
                        h1 { (self.title) }
                        p { (labels::sentence(&self.detail)) }
                        p { a href="/" { "Back to the overview" } }
                    }
                }
            }
        }
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status)
            .content_type("text/html; charset=utf-8")
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(for_page(&self.page().into_string()).into_owned())
    }
}

impl From<QueueFault> for Fault {
    fn from(fault: QueueFault) -> Self {
        Self::unavailable(fault.to_string())
    }
}

impl From<JobsFault> for Fault {
    fn from(fault: JobsFault) -> Self {
        let detail = fault.to_string();
        match fault {
            JobsFault::Full(_) | JobsFault::Stopping | JobsFault::Storage(_) => Self::unavailable(detail),
            JobsFault::Unknown(_) | JobsFault::FindingsGone(_) => Self::unknown(detail),
            JobsFault::Ended { .. }
            | JobsFault::UnknownKey(_)
            | JobsFault::Expired(_)
            | JobsFault::OtherPeriod { .. } => Self { status: StatusCode::CONFLICT, ..Self::bad(detail) },
        }
    }
}
