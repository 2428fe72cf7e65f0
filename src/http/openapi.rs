//! The documentation of all routes: OpenAPI 3.1 for programs, and a page for people. Built once from the endpoints; a
//! new route is included by its line in the endpoint table.

mod example;
mod view;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;
use utoipa::openapi::schema::Components;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, OpenApiVersion, Paths, RefOr, SecurityRequirement,
    Server, Tag,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use super::auth::{self, Guard};
use super::endpoint::Endpoint;
use super::response::fault::{
    ErrorFields, ErrorSource, Errors, Forbidden, TooLarge, TooMany, TooSlow, Unauthorised,
};
use super::{State, sparql};
use crate::triplestore::embedded::Embedded;

const WHAT: &str = "Syncs work logs from a mu-semtech triplestore to Kimai timesheets, one way. Responses and \
    errors are JSON:API. If OPS_TOKEN is set, routes require it as a bearer token, or the session of a browser \
    that is logged in, except where noted. Otherwise no route requires anything.";

/// The groups of routes, in display order.
const TAGS: [(&str, &str); 8] = [
    ("Sync", "Deltas, and requests to sync."),
    ("Queue", "Work logs that are queued, running or parked."),
    ("Runs", "Sweeps, plans, imports and locks."),
    ("Health", "The status of the service."),
    ("Login", "For browsers, if OPS_TOKEN is set."),
    ("Page", "The operator page, for browsers."),
    ("SPARQL", "The embedded triplestore."),
    ("Documentation", "This documentation."),
];

/// The documentation in both formats.
struct Document {
    json: Bytes,
    page: Bytes,
}

impl Document {
    /// The documentation of the service that handles `request`: not every service has `/sparql` or requires a token.
    fn of(request: &HttpRequest, state: &State) -> &'static Self {
        static ALL: [[OnceLock<Document>; 2]; 2] = [const { [const { OnceLock::new() }; 2] }; 2];
        let sparql = request.app_data::<web::Data<Embedded>>().is_some();
        let token = request.app_data::<web::Data<Guard>>().is_some_and(|guard| guard.has_token());
        let [[neither, with_token], [with_sparql, both]] = &ALL;
        let place = match (sparql, token) {
            (false, false) => neither,
            (false, true) => with_token,
            (true, false) => with_sparql,
            (true, true) => both,
        };
        place.get_or_init(|| {
            let endpoints = super::endpoints(state.pages).into_iter();
            let document =
                value(endpoints.chain(sparql.then(sparql::endpoints).into_iter().flatten()), token);
            Self { json: document.to_string().into(), page: view::page(&document).into_string().into() }
        })
    }
}

/// The document, with an example of each body and, if a token is set, the security schemes.
fn value(endpoints: impl IntoIterator<Item = Endpoint>, token: bool) -> Value {
    let mut value = serde_json::to_value(describe(endpoints, token)).unwrap_or_default();
    example::complete(&mut value);
    value
}

fn describe(endpoints: impl IntoIterator<Item = Endpoint>, token: bool) -> OpenApi {
    let (mut paths, mut components) = (Paths::new(), Components::new());
    components.schemas.insert("Errors".to_owned(), Errors::schema());
    let mut schemas = vec![(ErrorFields::name().into_owned(), ErrorFields::schema())];
    schemas.push((ErrorSource::name().into_owned(), ErrorSource::schema()));
    for mut endpoint in endpoints {
        schemas.append(&mut endpoint.schemas);
        guarded(&mut endpoint);
        paths.add_path_operation(&endpoint.path, vec![endpoint.method], endpoint.operation);
    }
    components.schemas.extend(schemas);
    let cookie =
        ApiKey::Cookie(ApiKeyValue::with_description(auth::login::COOKIE_NAME, "Set by `POST /login`."));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The OPS_TOKEN."));
    components.security_schemes.insert("bearer".to_owned(), SecurityScheme::Http(bearer.build()).into());
    components.security_schemes.insert("session".to_owned(), SecurityScheme::ApiKey(cookie).into());
    let requirement = |name| SecurityRequirement::new(name, [""; 0]);
    let mut security = vec![requirement("bearer"), requirement("session")];
    if !token {
        security.insert(0, SecurityRequirement::default());
    }
    let info = InfoBuilder::new().title("kimai-sync").version(env!("CARGO_PKG_VERSION"));
    let used = |name: &&(&str, &str)| uses(&paths, name.0);
    let tags: Vec<Tag> = TAGS.iter().filter(used).map(|(name, what)| tag(name, what)).collect();
    OpenApiBuilder::new()
        .openapi(OpenApiVersion::Version31)
        .info(info.description(Some(WHAT)).build())
        .servers(Some([Server::new("/")]))
        .security(Some(security))
        .tags(Some(tags))
        .components(Some(components))
        .paths(paths)
        .build()
}

/// Adds the responses of the guard, or that the route requires no token.
fn guarded(endpoint: &mut Endpoint) {
    let asks = auth::asks(&endpoint.path);
    if !asks {
        endpoint.operation.security = Some(vec![SecurityRequirement::default()]);
    }
    let changes = endpoint.method != HttpMethod::Get;
    let takes_body = endpoint.operation.request_body.is_some();
    let faults = [
        asks.then_some(Unauthorised::FAULT),
        (changes || auth::reading_is_work(&endpoint.path)).then_some(Forbidden::FAULT),
        asks.then_some(TooMany::FAULT),
        takes_body.then_some(TooLarge::FAULT),
        takes_body.then_some(TooSlow::FAULT),
    ];
    for fault in faults.into_iter().flatten() {
        let response = RefOr::T(fault.response());
        endpoint.operation.responses.responses.entry(fault.status.to_string()).or_insert(response);
    }
}

fn tag(name: &str, what: &str) -> Tag {
    TagBuilder::new().name(name).description(Some(what)).build()
}

/// Whether a route has that tag.
fn uses(paths: &Paths, tag: &str) -> bool {
    let items = paths.paths.values();
    let mut operations = items.flat_map(|item| [&item.get, &item.post, &item.put, &item.delete]).flatten();
    operations.any(|operation| operation.tags.iter().flatten().any(|one| one == tag))
}

/// This documentation as OpenAPI 3.1
#[utoipa::path(get, path = "/openapi.json", tag = "Documentation", operation_id = "openapi", responses(
    (status = 200, description = "The document.", body = Value, content_type = "application/json"),
))]
pub(super) async fn document(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(Document::of(&request, &state).json.clone())
}

/// This documentation as a page
#[utoipa::path(get, path = "/docs", tag = "Documentation", operation_id = "docs", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(super) async fn docs(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(Document::of(&request, &state).page.clone())
}

/// The style sheet of the page.
pub(super) async fn style() -> HttpResponse {
    let mut answer =
        HttpResponse::Ok().content_type("text/css; charset=utf-8").body(include_str!("openapi/docs.css"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    answer
}
