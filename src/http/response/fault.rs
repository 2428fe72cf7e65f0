//! Error responses, one type for each way a route can fail. Used in the `responses(…)` of a handler, it adds status,
//! schema, headers and an example.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Ref, Type};
use utoipa::openapi::{ContentBuilder, RefOr};
use utoipa::{IntoResponses, ToSchema};

use crate::domain::Code;

/// The media type of JSON:API.
pub(in crate::http) const MEDIA_TYPE: &str = "application/vnd.api+json";

/// An error document.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Errors {
    /// One error.
    pub(in crate::http) errors: Vec<ErrorFields>,
}

/// What went wrong, why, and how to fix it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(in crate::http) struct ErrorFields {
    /// The status of the response.
    #[schema(pattern = "^[45][0-9][0-9]$", example = "400")]
    pub(in crate::http) status: String,
    /// The kind of error, in a few words.
    #[schema(value_type = String, example = "Invalid request")]
    pub(in crate::http) title: &'static str,
    /// The stable code of a problem of this service, Kimai or the triplestore, as listed in `docs/errors.md`; absent if
    /// the request is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = String, required = false, example = "kimai-unavailable")]
    pub(in crate::http) code: Option<Code>,
    /// What went wrong in this case, and how to fix it.
    #[schema(example = "'start' is missing; set it to a day like 2024-09-02.")]
    pub(in crate::http) detail: String,
    /// The invalid part of the request, if it is a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(in crate::http) source: Option<ErrorSource>,
}

/// The invalid part of the request.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ErrorSource {
    /// A JSON pointer into the body.
    #[schema(example = "/start")]
    pub(in crate::http) pointer: String,
}

/// A documented error response.
pub(in crate::http) struct Fault {
    /// The status of the response.
    pub(in crate::http) status: u16,
    /// When it is sent.
    when: &'static str,
    title: &'static str,
    detail: &'static str,
    /// A header of the response, and its meaning.
    header: Option<(&'static str, &'static str)>,
}

impl Fault {
    /// The response in the OpenAPI document.
    pub(in crate::http) fn response(&self) -> Response {
        let Self { status, when, title, detail, .. } = *self;
        let example = json!({"errors": [{"status": status.to_string(), "title": title, "detail": detail}]});
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Errors")))
            .example(Some(example))
            .build();
        let response = ResponseBuilder::new().description(when).content(MEDIA_TYPE, content);
        let Some((name, what)) = self.header else { return response.build() };
        let text = ObjectBuilder::new().schema_type(Type::String);
        response.header(name, HeaderBuilder::new().schema(Some(text)).description(Some(what)).build()).build()
    }
}

macro_rules! faults {
    ($($name:ident: $status:literal, $when:literal, $title:literal, $detail:literal
        $(, $header:literal: $says:literal)?;)*) => {$(
        #[doc = $when]
        pub(in crate::http) struct $name;

        impl $name {
            /// The error document for a problem.
            pub(in crate::http) const FAULT: Fault = Fault {
                status: $status,
                when: $when,
                title: $title,
                detail: $detail,
                header: [$(Some(($header, $says)),)? None::<(&str, &str)>][0],
            };
        }

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([(Self::FAULT.status.to_string(), RefOr::T(Self::FAULT.response()))])
            }
        }
    )*};
}

faults! {
    BadRequest: 400, "The request is invalid; the error names the invalid part.",
        "Invalid request", "'start' is missing; set it to a day like 2024-09-02.";
    Unauthorised: 401, "OPS_TOKEN is set, and the request has neither the token nor a session. Browsers are \
        redirected to /login (303) instead.",
        "Token required",
        "This requires the OPS_TOKEN of the service: send it as 'Authorization: Bearer …', or log in at /login.",
        "WWW-Authenticate": "`Bearer`.";
    TooSlow: 408, "The body did not arrive in time.",
        "The body did not arrive in time",
        "The body did not arrive in time: nothing for 10 s, or less than 16 kB per second overall. Send it again.";
    Forbidden: 403, "The request comes from a page of another site.",
        "Cross-site request refused",
        "A page of another site made this request. Open this service's own page instead.";
    TooMany: 429, "Too many wrong tokens were sent.",
        "Too many wrong tokens", "Too many wrong tokens were sent. The right one is the OPS_TOKEN of the service.",
        "Retry-After": "After how many seconds to try again.";
    NoSuchWorkLog: 404, "The work log is not known.",
        "No such work log",
        "There is no work log 'x'. Give its IRI, its ID (mu:uuid), or the ID of its timesheet.";
    NoSuchRun: 404, "The run does not exist, or is no longer stored.",
        "No such run", "There is no run 999, or it is no longer stored. GET /runs lists the last ones.";
    NotTheOnlyOne: 409, "Several work logs are linked to that timesheet.",
        "Ambiguous timesheet", "Several work logs are linked to timesheet 9182: <http://x/1>, <http://x/2>. Give the IRI of one.";
    RunHasEnded: 409, "The run has ended.",
        "The run has ended", "Run 17 is done; there is nothing to cancel.";
    Cancelled: 409, "The run was cancelled.",
        "The run was cancelled", "Run 17 was cancelled; request it again if it is still needed.";
    NotConfirmed: 409, "The confirm key has expired, or is for another period.",
        "Invalid confirm key", "The confirm key has expired; make a new plan.";
    FindingsGone: 410, "Its findings were removed to make room for newer ones.",
        "No longer stored", "The findings of run 2 are no longer stored; make a new plan.";
    TooLarge: 413, "The body is larger than the route accepts.",
        "The body is too large", "This route accepts at most 1048576 bytes.";
    UnknownMediaType: 415, "The route does not accept this type of body.",
        "Request refused", "'text/plain' is not one of application/sparql-query and application/sparql-update";
    Broken: 500, "A bug in this service; its log has details.",
        "Internal error", "The run was aborted by a bug in this service; its log has details.";
    Refused: 502, "Kimai or the triplestore refused the request, and will refuse it again.",
        "Refused by an upstream service", "Kimai answered 403: Access denied.";
    Unavailable: 503, "Kimai, the triplestore or the queue is not available; try again later.",
        "Not available", "The triplestore cannot be reached: connection refused.",
        "Retry-After": "After how many seconds to try again.";
}
