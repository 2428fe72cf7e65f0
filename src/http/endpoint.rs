//! An endpoint: a route together with its documentation, so that neither exists without the other.

mod html;

use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError as _, Route,
};
// What `utoipa::path` writes for its own bindings; there is no other way to the schemas of one route.
use utoipa::__dev::{SchemaReferences, Tags};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{HttpMethod, RefOr, Schema};

use super::problem::Problem;

/// The schemas that an operation refers to, by name.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// One route: what answers it, and how it is documented.
pub(crate) struct Endpoint {
    /// As documented, with `{parameters}`.
    pub(super) path: String,
    /// As documented.
    pub(super) method: HttpMethod,
    /// The documentation.
    pub(super) operation: Operation,
    /// What the documentation refers to.
    pub(super) schemas: Schemas,
    /// The path as it is matched, where that is another than the documented one.
    pattern: Option<&'static str>,
    body_limit: Option<usize>,
    route: Route,
}

impl Endpoint {
    /// A route for `handler`, whose `#[utoipa::path]` made `documentation`: path and method are said
    /// there, and nowhere else.
    pub(super) fn new<D, F, Args>(_documentation: D, handler: F) -> Self
    where
        D: utoipa::Path + SchemaReferences + Tags<'static>,
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let method = D::methods().into_iter().next().unwrap_or(HttpMethod::Get);
        let mut schemas = Schemas::new();
        D::schemas(&mut schemas);
        let mut operation = D::operation();
        operation.tags = Some(D::tags().into_iter().map(str::to_owned).collect());
        let route = web::method(method_of(&method)).to(handler);
        Self { path: D::path(), method, operation, schemas, pattern: None, body_limit: None, route }
    }

    /// Matches by another pattern than the documented path, such as one whose parameter takes slashes.
    pub(super) fn matching(self, pattern: &'static str) -> Self {
        Self { pattern: Some(pattern), ..self }
    }

    /// Takes a body up to `bytes`.
    pub(super) fn body_limit(self, bytes: usize) -> Self {
        Self { body_limit: Some(bytes), ..self }
    }

    fn pattern(&self) -> &str {
        self.pattern.unwrap_or(&self.path)
    }
}

/// Registers the endpoints. The first with a matching path answers; if only the method does not match, that is 405 with
/// the supported ones. Endpoints of one path are listed together.
pub(super) fn open(endpoints: Vec<Endpoint>, config: &mut ServiceConfig) {
    let mut endpoints = endpoints.into_iter().peekable();
    while let Some(first) = endpoints.next() {
        let pattern = first.pattern().to_owned();
        let mut resource: Resource = web::resource(pattern.as_str());
        let (mut methods, mut next) = (Vec::new(), Some(first));
        while let Some(endpoint) = next {
            methods.push(method_of(&endpoint.method).to_string());
            if let Some(bytes) = endpoint.body_limit {
                resource = resource.app_data(web::PayloadConfig::new(bytes));
            }
            resource = resource.route(endpoint.route);
            next = endpoints.next_if(|endpoint| endpoint.pattern() == pattern);
        }
        let refuse = move |request: HttpRequest| std::future::ready(not_allowed(&request, &methods));
        config.service(resource.default_service(web::to(refuse)));
    }
}

fn not_allowed(request: &HttpRequest, methods: &[String]) -> HttpResponse {
    let detail =
        format!("There is no {} {}; use {}.", request.method(), request.path(), methods.join(" or "));
    let mut answer =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", detail).error_response();
    if let Ok(allowed) = HeaderValue::from_str(&methods.join(", ")) {
        answer.headers_mut().insert(ALLOW, allowed);
    }
    answer
}

fn method_of(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}
