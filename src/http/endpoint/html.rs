//! The routes of the operator page: HTML, forms and files, each documented by the line that defines it.

use actix_web::{FromRequest, Handler, Responder, web};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, ContentBuilder, HttpMethod, Required};

use super::{Endpoint, Schemas, method_of};

const HTML: &str = "text/html";
/// The errors of a page or form, which are shown as a page.
const FAULTS: [(&str, &str); 5] = [
    ("400", "The request is invalid."),
    ("404", "It does not exist."),
    ("409", "It conflicts with the current state."),
    ("502", "Kimai or the triplestore refused."),
    ("503", "Kimai, the triplestore or the queue is not available."),
];

impl Endpoint {
    /// A page. `query` names its query parameters, all of which are optional.
    pub(crate) fn page<F, Args>(path: &str, what: &str, query: &[&str], handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let shown = ResponseBuilder::new().description("The page.").content(HTML, text());
        let operation = reads(operation(path, "page", what), query);
        let sent_on = leads("Redirects to the page that shows it.");
        let operation = operation.response("200", shown.build()).response("303", sent_on);
        Self::made(path, HttpMethod::Get, faults(operation), handler)
    }

    /// Server-sent events that keep a page up to date. `query` names its query parameters.
    pub(crate) fn stream<F, Args>(path: &str, what: &str, query: &[&str], handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let events = ResponseBuilder::new().description("The events.");
        let events = events.content("text/event-stream", ContentBuilder::new().build());
        let operation = operation(path, "stream", what).response("200", events.build());
        Self::made(path, HttpMethod::Get, faults(reads(operation, query)), handler)
    }

    /// The action of a form with these `fields`. The response is 303 to the page that shows the result.
    pub(crate) fn form<F, Args>(path: &str, what: &str, fields: &[&str], handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let shape = fields.iter().fold(ObjectBuilder::new().schema_type(Type::Object), |shape, name| {
            shape.property(*name, ObjectBuilder::new().schema_type(Type::String))
        });
        let body = ContentBuilder::new().schema(Some(shape)).build();
        let body = RequestBodyBuilder::new().content("application/x-www-form-urlencoded", body);
        let operation = operation(path, "form", what).request_body(Some(body.build()));
        let operation =
            operation.response("303", leads("Done; redirects to the page that shows the result."));
        Self::made(path, HttpMethod::Post, faults(operation), handler)
    }

    /// A file used by pages.
    pub(crate) fn file<F, Args>(path: &str, what: &str, media_type: &str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let whole = ResponseBuilder::new().description("The file.").content(media_type, text()).build();
        let kept = ResponseBuilder::new().description("The file has not changed (`If-None-Match`).").build();
        let operation = operation(path, "file", what).response("200", whole).response("304", kept);
        Self::made(path, HttpMethod::Get, operation.build(), handler)
    }

    fn made<F, Args>(path: &str, method: HttpMethod, operation: Operation, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = web::method(method_of(&method)).to(handler);
        let (path, schemas) = (path.to_owned(), Schemas::new());
        Self { path, method, operation, schemas, pattern: None, body_limit: None, route }
    }
}

fn operation(path: &str, kind: &str, what: &str) -> OperationBuilder {
    let names = path.split(['/', '.', '{', '}']).filter(|name| !name.is_empty());
    let id = std::iter::once(kind).chain(names).collect::<Vec<_>>().join("-");
    let parameters = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(what)).tag("Page");
    parameters.fold(operation, |operation, name| operation.parameter(parameter(name, ParameterIn::Path)))
}

fn reads(operation: OperationBuilder, query: &[&str]) -> OperationBuilder {
    query.iter().fold(operation, |operation, name| operation.parameter(parameter(name, ParameterIn::Query)))
}

fn parameter(name: &str, place: ParameterIn) -> ParameterBuilder {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    let text = ObjectBuilder::new().schema_type(Type::String);
    ParameterBuilder::new().name(name).parameter_in(place).required(required).schema(Some(text))
}

fn faults(operation: OperationBuilder) -> Operation {
    let fault = |why: &str| ResponseBuilder::new().description(why).content(HTML, text()).build();
    FAULTS.iter().fold(operation, |operation, (status, why)| operation.response(*status, fault(why))).build()
}

fn leads(why: &str) -> Response {
    let place = HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String)));
    let place = place.description(Some("Where the browser is redirected to.")).build();
    ResponseBuilder::new().description(why).header("Location", place).build()
}

fn text() -> Content {
    ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build()
}
