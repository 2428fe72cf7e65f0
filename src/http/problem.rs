//! Errors as JSON:API, the format of mu services. Internals are never exposed: details are messages for people, written
//! by the module that detects the error.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};

use super::response::fault::{ErrorFields, ErrorSource, Errors};
use crate::domain::Code;
use crate::jobs::import::ImportFault;
use crate::jobs::lock::LockFault;
use crate::jobs::{JobsFault, Trouble};
use crate::reconcile::retry::Failure;
use crate::store::{LedgerFault, QueueFault, StorageFault};
use crate::text::capitalised;
use crate::trackers::{Fault, TrackerFault};
use crate::work_logs::SourceFault;

/// The content type of JSON:API, as the old service sent it.
pub(super) const JSON_API: &str = "application/vnd.api+json; charset=utf-8";

/// An error response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{title}: {detail}")]
pub(super) struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: String,
    /// The stable code of the problem, unless the request itself is invalid.
    code: Option<Code>,
    /// A JSON pointer into the request's body, if any.
    pointer: Option<String>,
}

impl Problem {
    /// Invalid request (400).
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Invalid request", detail)
    }

    /// The body is larger than the route accepts (413).
    pub(super) fn too_large(most: usize) -> Self {
        let detail = format!("This route accepts at most {most} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large", detail)
    }

    /// The body names more work logs than the queue can hold (413).
    pub(super) fn too_many(most: usize) -> Self {
        let detail = format!("It names more than {most} work logs, which is more than the queue can hold.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large", detail)
    }

    /// Something this service needs is not available; the same request may work later (503).
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not available", detail)
    }

    /// Something this service needs refused, and would refuse again (502).
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "Refused by an upstream service", detail)
    }

    /// Any other problem.
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into(), code: None, pointer: None }
    }

    fn of_kimai(fault: &TrackerFault, detail: String) -> Self {
        let problem = match fault.fault {
            Fault::Transient | Fault::Limited(_) | Fault::Ambiguous => Self::unavailable(detail),
            Fault::Permanent | Fault::Gone | Fault::Unauthorised => Self::refused(detail),
        };
        problem.because(fault.code)
    }

    fn of_source(fault: &SourceFault, detail: String) -> Self {
        let problem = match fault {
            SourceFault::Refused { .. } => Self::refused(detail),
            SourceFault::Transient(_)
            | SourceFault::Failed { .. }
            | SourceFault::Unreadable(_)
            | SourceFault::Incomplete(_) => Self::unavailable(detail),
        };
        problem.because(fault.code())
    }

    fn because(self, code: Code) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Names the invalid member of the body.
    #[must_use]
    pub(super) fn at(mut self, member: &str) -> Self {
        self.pointer = Some(format!("/{member}"));
        self
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let error = ErrorFields {
            status: self.status.as_u16().to_string(),
            title: self.title,
            code: self.code,
            detail: self.detail.clone(),
            source: self.pointer.clone().map(|pointer| ErrorSource { pointer }),
        };
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, "5"));
        }
        let body = serde_json::to_string(&Errors { errors: vec![error] }).unwrap_or_default();
        response.content_type(JSON_API).body(body)
    }
}

impl From<QueueFault> for Problem {
    fn from(fault: QueueFault) -> Self {
        Self::unavailable(fault.to_string())
    }
}

impl From<LedgerFault> for Problem {
    fn from(fault: LedgerFault) -> Self {
        Self::unavailable(fault.to_string()).because(fault.code())
    }
}

impl From<SourceFault> for Problem {
    fn from(fault: SourceFault) -> Self {
        Self::of_source(&fault, fault.to_string())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let (detail, code) = (failure.to_string(), failure.code());
        match failure {
            Failure::Kimai(fault) => Self::of_kimai(&fault, detail),
            Failure::Triplestore(fault) => Self::of_source(&fault, detail),
            Failure::Queue(fault) => fault.into(),
            Failure::Ledger(fault) => fault.into(),
            _ => Self::refused(detail).because(code),
        }
    }
}

impl From<StorageFault> for Problem {
    fn from(fault: StorageFault) -> Self {
        Self::unavailable(fault.to_string()).because(Code::StorageUnavailable)
    }
}

impl From<JobsFault> for Problem {
    fn from(fault: JobsFault) -> Self {
        let detail = format!("{}.", capitalised(&fault.to_string()));
        let conflict = |title| Self::new(StatusCode::CONFLICT, title, detail.clone());
        match fault {
            JobsFault::Full(_) | JobsFault::Stopping | JobsFault::Storage(_) => Self::unavailable(detail),
            JobsFault::Unknown(_) => Self::new(StatusCode::NOT_FOUND, "No such run", detail),
            JobsFault::FindingsGone(_) => Self::new(StatusCode::GONE, "No longer stored", detail),
            JobsFault::Ended { .. } => conflict("The run has ended"),
            JobsFault::UnknownKey(_) => Self::bad_request(detail).at("confirm"),
            JobsFault::Expired(_) | JobsFault::OtherPeriod { .. } => conflict("Invalid confirm key"),
        }
    }
}

impl From<&Trouble> for Problem {
    fn from(trouble: &Trouble) -> Self {
        match trouble {
            Trouble::Sweep(failure) => failure.clone().into(),
            Trouble::Import(fault) => fault.clone().into(),
            Trouble::Lock(fault) => fault.clone().into(),
            Trouble::Storage(fault) => fault.clone().into(),
            Trouble::TimeLimit(_) => Self::unavailable(format!("{}.", capitalised(&trouble.to_string()))),
            Trouble::Broken(_) => {
                let detail = format!("{}.", capitalised(&trouble.to_string()));
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error", detail)
            }
        }
    }
}

impl From<ImportFault> for Problem {
    fn from(fault: ImportFault) -> Self {
        let detail = fault.to_string();
        match fault {
            ImportFault::Kimai { fault, .. } => Self::of_kimai(&fault, detail),
            ImportFault::Triplestore { fault, .. } => Self::of_source(&fault.into(), detail),
            ImportFault::Queue { .. } => Self::unavailable(detail),
            ImportFault::Stopped | ImportFault::Statement(_) => Self::refused(detail),
        }
    }
}

impl From<LockFault> for Problem {
    fn from(fault: LockFault) -> Self {
        match &fault {
            LockFault::Triplestore { fault: cause, .. } => {
                Self::of_source(&cause.clone().into(), fault.to_string())
            }
            LockFault::Stopped => Self::refused(fault.to_string()),
        }
    }
}
