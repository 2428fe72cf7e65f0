//! The documentation as a page: rendered from the OpenAPI document, without scripts or external resources.

use maud::{DOCTYPE, Markup, html};
use serde_json::{Map, Value};

use super::example::type_of;

/// The methods, in display order.
const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// The whole page.
pub(super) fn page(document: &Value) -> Markup {
    let info = |name| text(document, &format!("/info/{name}"));
    let tags: Vec<&Value> = document.get("tags").and_then(Value::as_array).into_iter().flatten().collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Routes of " (info("title")) }
                link rel="stylesheet" href="/assets/docs.css";
            }
            body.docs {
                header {
                    h1 { "Routes of " (info("title")) " " small { (info("version")) } }
                    p { (info("description")) }
                    p { a href="/" { "Back to the overview" } }
                    p { a href="/openapi.json" { "This documentation as OpenAPI 3.1" } }
                }
                nav aria-label="Routes" {
                    @for tag in &tags {
                        h2 { (text(tag, "/name")) }
                        ul {
                            @for route in routes(document, text(tag, "/name")) {
                                li { a href={ "#" (route.id()) } { (route.heading()) } }
                            }
                        }
                    }
                    h2 { a href="#shapes" { "Schemas" } }
                }
                main {
                    @for tag in &tags {
                        section {
                            h2 { (text(tag, "/name")) }
                            p { (text(tag, "/description")) }
                            @for route in routes(document, text(tag, "/name")) { (route.article()) }
                        }
                    }
                    (shapes(document))
                }
            }
        }
    }
}

/// One method of one path.
struct Route<'a> {
    path: &'a str,
    method: &'a str,
    operation: &'a Value,
}

/// The routes with that tag, in the order of their paths.
fn routes<'a>(document: &'a Value, tag: &str) -> Vec<Route<'a>> {
    let paths = members(document.get("paths"));
    let all = paths.flat_map(|(path, item)| {
        let of = |method: &&'static str| Some(Route { path, method, operation: item.get(*method)? });
        METHODS.iter().filter_map(of).collect::<Vec<_>>()
    });
    let tagged = |route: &Route<'_>| {
        route.operation.get("tags").and_then(Value::as_array).into_iter().flatten().any(|one| one == tag)
    };
    all.filter(tagged).collect()
}

impl Route<'_> {
    fn id(&self) -> &str {
        text(self.operation, "/operationId")
    }

    fn heading(&self) -> Markup {
        html! { span.method { (self.method.to_uppercase()) } " " code { (self.path) } }
    }

    fn article(&self) -> Markup {
        let operation = self.operation;
        let parameters: Vec<&Value> =
            operation.get("parameters").and_then(Value::as_array).into_iter().flatten().collect();
        html! {
            article id=(self.id()) {
                h3 { a href={ "#" (self.id()) } { (self.heading()) } }
                p.summary { (text(operation, "/summary")) }
                @let more = text(operation, "/description");
                @if !more.is_empty() { p { (more) } }
                @if operation.get("security").is_some() { p.open { "Needs no token." } }
                @if !parameters.is_empty() {
                    h4 { "Parameters" }
                    dl { @for parameter in parameters { (named(parameter)) } }
                }
                @if let Some(body) = operation.get("requestBody") {
                    h4 { "Body" }
                    p { (text(body, "/description")) }
                    (contents(body))
                }
                h4 { "Try it" }
                pre tabindex="0" { code { (self.curl()) } }
                h4 { "Responses" }
                dl {
                    @for (status, answer) in members(operation.get("responses")) {
                        dt { code.status { (status) } }
                        dd {
                            p { (text(answer, "/description")) }
                            @for (header, what) in members(answer.get("headers")) {
                                p { "Header " code { (header) } ": " (text(what, "/description")) }
                            }
                            (contents(answer))
                        }
                    }
                }
            }
        }
    }

    /// A shell command for the route.
    fn curl(&self) -> String {
        let mut words = vec!["curl -i".to_owned()];
        if self.method != "get" {
            words.push(format!("-X {}", self.method.to_uppercase()));
        }
        if self.operation.get("security").is_none() {
            words.push("-H \"Authorization: Bearer $OPS_TOKEN\"".to_owned());
        }
        if let Some((media_type, content)) = members(self.operation.pointer("/requestBody/content")).next() {
            let example = match content.get("example") {
                Some(Value::String(text)) => text.clone(),
                Some(example) => form(media_type, example),
                None => String::new(),
            };
            words.push(format!("-H 'Content-Type: {media_type}' -d '{}'", example.replace('\'', "'\\''")));
        }
        words.push(format!("\"$KIMAI_SYNC{}\"", self.example_path()));
        words.join(" ")
    }

    /// The path with an example for each parameter.
    fn example_path(&self) -> String {
        let parameters = self.operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
        parameters.fold(self.path.to_owned(), |path, parameter| match parameter.get("example") {
            Some(example) if text(parameter, "/in") == "path" => {
                let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
                path.replace(&format!("{{{}}}", text(parameter, "/name")), &example)
            }
            _ => path,
        })
    }
}

/// `example` as a body: a form or JSON.
fn form(media_type: &str, example: &Value) -> String {
    if media_type != "application/x-www-form-urlencoded" {
        return example.to_string();
    }
    let pairs: Vec<(&str, String)> = members(Some(example))
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    serde_urlencoded::to_string(pairs).unwrap_or_default()
}

/// A parameter.
fn named(parameter: &Value) -> Markup {
    let schema = parameter.get("schema").unwrap_or(&Value::Null);
    html! {
        dt {
            code { (text(parameter, "/name")) } " "
            small {
                (text(parameter, "/in")) ", " (kind(schema))
                @if parameter.get("required") == Some(&Value::Bool(true)) { ", required" }
                @if let Some(default) = schema.get("default") { ", default " (default) }
            }
        }
        dd { (text(parameter, "/description")) }
    }
}

/// The bodies of a request or response: media types, schema and example. Identical bodies are shown once.
fn contents(holder: &Value) -> Markup {
    let all: Vec<(&str, &Value)> = members(holder.get("content")).collect();
    let mut told: Vec<(&Value, Vec<&str>)> = Vec::new();
    for (media_type, content) in all {
        match told.iter_mut().find(|(one, _)| *one == content) {
            Some((_, types)) => types.push(media_type),
            None => told.push((content, vec![media_type])),
        }
    }
    html! {
        @for (content, types) in told {
            p.types {
                @for (n, media_type) in types.iter().enumerate() {
                    @if n > 0 { ", " }
                    code { (media_type) }
                }
                @if let Some(schema) = content.get("schema") { ": " (kind(schema)) }
            }
            @if let Some(example) = content.get("example") {
                details {
                    summary { "Example" }
                    pre tabindex="0" { code { (pretty(example)) } }
                }
            }
        }
    }
}

fn pretty(example: &Value) -> String {
    match example {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

/// The type in a schema, in a few words, with links to named schemas.
fn kind(schema: &Value) -> Markup {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return html! { a href={ "#shape-" (name) } { (name) } };
    }
    let list = |name: &str| schema.get(name).and_then(Value::as_array);
    if let Some(words) = list("enum") {
        return html! { @for (n, word) in words.iter().enumerate() {
            @if n > 0 { " or " }
            code { (word.as_str().unwrap_or_default()) }
        } };
    }
    if let Some(choices) = list("oneOf").or_else(|| list("anyOf")) {
        return html! { @for (n, choice) in choices.iter().enumerate() {
            @if n > 0 { " or " }
            (kind(choice))
        } };
    }
    if let Some(parts) = list("allOf") {
        return html! { @for (n, part) in parts.iter().enumerate() {
            @if n > 0 { " and " }
            (kind(part))
        } };
    }
    let null =
        schema.get("type").and_then(Value::as_array).is_some_and(|types| types.contains(&"null".into()));
    html! {
        @match type_of(schema) {
            Some("array") => { "list of " (kind(schema.get("items").unwrap_or(&Value::Null))) }
            Some("string") => { (schema.get("format").and_then(Value::as_str).unwrap_or("text")) }
            Some("object") => {
                @if schema.get("properties").is_some() { (fields(schema)) } @else { "object" }
            }
            Some("null") => { "null" }
            Some(other) => { (other) }
            None => { "anything" }
        }
        @if null { " or null" }
        @match (schema.get("minimum"), schema.get("maximum")) {
            (Some(least), Some(most)) => { " from " (least) " to " (most) }
            _ => {}
        }
    }
}

/// The members of an object.
fn fields(schema: &Value) -> Markup {
    html! {
        dl {
            @for (name, field) in members(schema.get("properties")) {
                dt { code { (name) } " " small { (kind(field)) } }
                dd { (text(field, "/description")) }
            }
        }
    }
}

/// The named schemas.
fn shapes(document: &Value) -> Markup {
    html! {
        section id="shapes" {
            h2 { "Schemas" }
            @for (name, schema) in members(document.pointer("/components/schemas")) {
                article id={ "shape-" (name) } {
                    h3 { (name) }
                    @let what = text(schema, "/description");
                    @if !what.is_empty() { p { (what) } }
                    div.shape { (kind(schema)) }
                }
            }
        }
    }
}

fn members(object: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    let members = object.and_then(Value::as_object).into_iter().flat_map(Map::iter);
    members.map(|(name, value)| (name.as_str(), value))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
