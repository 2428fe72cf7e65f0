//! Error responses: one type for each way in which a route can fail. Used in the `responses(…)` of a handler, it adds
//! status, schema, headers and an example.

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

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Errors {
    /// One error.
    pub(in crate::http) errors: Vec<ErrorFields>,
}

/// What went wrong, why, and what to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(in crate::http) struct ErrorFields {
    /// The status of the answer.
    #[schema(pattern = "^[45][0-9][0-9]$", example = "400")]
    pub(in crate::http) status: String,
    /// What kind of error it is, in a few words.
    #[schema(value_type = String, example = "The request cannot be understood")]
    pub(in crate::http) title: &'static str,
    /// The stable code of what this service, Kimai or the triplestore ran into, as `docs/errors.md` lists it; absent
    /// where the request is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = String, required = false, example = "kimai-unavailable")]
    pub(in crate::http) code: Option<Code>,
    /// What went wrong here, and what to do.
    #[schema(example = "'start' is missing; put there a day like 2024-09-02.")]
    pub(in crate::http) detail: String,
    /// What of the request is to blame, where that is one thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(in crate::http) source: Option<ErrorSource>,
}

/// The part of the request that is to blame.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ErrorSource {
    /// A JSON pointer into the body.
    #[schema(example = "/start")]
    pub(in crate::http) pointer: String,
}

/// A way to fail.
pub(in crate::http) struct Fault {
    /// The status of the answer.
    pub(in crate::http) status: u16,
    /// When that happens.
    when: &'static str,
    title: &'static str,
    detail: &'static str,
    /// A header that comes with it, and what it says.
    header: Option<(&'static str, &'static str)>,
}

impl Fault {
    /// As a documented answer.
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
            /// As it is told.
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
    BadRequest: 400, "The request cannot be understood; the error names what of it is to blame.",
        "The request cannot be understood", "'start' is missing; put there a day like 2024-09-02.";
    Unauthorised: 401, "OPS_TOKEN is set, and neither it nor a session came with the request. A browser is sent to \
        /login instead (303).",
        "Not allowed without the token",
        "This needs the service's OPS_TOKEN: send it as 'Authorization: Bearer …', or log in at /login.",
        "WWW-Authenticate": "`Bearer`.";
    TooSlow: 408, "The body did not come in time.",
        "The body did not come in time",
        "The body did not come in time: nothing for 10 s, or less than 16 kB a second in all. Send it again.";
    Forbidden: 403, "The request comes from a page of another site.",
        "Refused for a page of another site",
        "A page of another site tried to change or ask something here. Open this service's own page instead.";
    TooMany: 429, "Too many wrong tokens were sent.",
        "Too many wrong tokens", "Too many wrong tokens were sent. The right one is OPS_TOKEN of the service.",
        "Retry-After": "After how many seconds to try again.";
    NoSuchWorkLog: 404, "Nothing is known of such a work log.",
        "No such work log",
        "Nothing is known of a work log 'x'. Give its IRI, its id (mu:uuid), or the number of its timesheet.";
    NoSuchRun: 404, "There is no such run, or it is not kept any more.",
        "No such run", "There is no run 999, or it is not kept any more. GET /runs shows the last ones.";
    NotTheOnlyOne: 409, "Several work logs are linked to that timesheet.",
        "Not the only one", "Several work logs are linked to timesheet 9182: <http://x/1>, <http://x/2>. Give the IRI of one.";
    RunHasEnded: 409, "The run has ended.",
        "The run has ended", "Run 17 is done; there is nothing to cancel.";
    Cancelled: 409, "Somebody cancelled the run meanwhile.",
        "The run was cancelled", "Somebody cancelled run 17; ask for it again if it is wanted.";
    NotConfirmed: 409, "The confirm key is too old, or of another period.",
        "The confirm key does not fit", "The confirm key has expired; plan again.";
    FindingsGone: 410, "Its findings were removed to make room.",
        "Not kept any more", "The findings of run 2 are not kept any more; plan again.";
    TooLarge: 413, "The body is larger than the route takes.",
        "The body is too large", "This route takes at most 1048576 bytes.";
    UnknownMediaType: 415, "The body is of a type that the route does not read.",
        "The request was refused", "'text/plain' is not one of application/sparql-query and application/sparql-update";
    Broken: 500, "A fault in this service; its log says more.",
        "A fault in this service", "The run broke off by a fault in the service; its log says more.";
    Refused: 502, "Kimai or the triplestore refused, and will refuse again.",
        "Refused by a service behind this one", "Kimai answered 403: Access denied.";
    Unavailable: 503, "Kimai, the triplestore or the queue does not answer now; try again later.",
        "Not possible now", "The triplestore cannot be reached: connection refused.",
        "Retry-After": "After how many seconds to try again.";
}
