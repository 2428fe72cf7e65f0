//! `/sparql`: the SPARQL 1.1 protocol over the embedded store, for the frontend's resource service and for people.
//! Answers like the mu stack's own endpoint; a change is queued before the response is sent.
//!
//! Mount it with [`configure`] and a `web::Data<Embedded>`. Every client can read and change everything, so protect it
//! if strangers can reach it.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use serde_json::json;

use super::endpoint::{self, Endpoint};
use super::problem::Problem;
use super::request::SparqlForm;
use super::response::fault::{BadRequest, TooLarge, Unavailable, UnknownMediaType};
use crate::triplestore::TriplestoreFault;
use crate::triplestore::embedded::{Answer, Embedded};

/// The largest statement, in bytes.
pub const BODY_LIMIT: usize = 64 * 1024 * 1024;

const REFUSED: &str = "Request refused";
const RESULTS_JSON: &str = "application/sparql-results+json";
const N_TRIPLES: &str = "application/n-triples; charset=utf-8";

/// Parameters that select graphs; the store would have to ignore them.
const DATASET: [&str; 4] =
    ["default-graph-uri", "named-graph-uri", "using-graph-uri", "using-named-graph-uri"];

/// Adds `GET` and `POST /sparql`.
pub fn configure(routes: &mut web::ServiceConfig) {
    endpoint::open(endpoints(), routes);
}

/// Its routes.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::new(__path_get, get), Endpoint::new(__path_post, post).body_limit(BODY_LIMIT)]
}

/// The statement of a request.
#[derive(Debug, PartialEq, Eq)]
enum Statement {
    Query(String),
    Update(String),
}

/// Queries the embedded triplestore
///
/// Only if the service runs with an embedded triplestore (`standalone`).
#[utoipa::path(get, path = "/sparql", tag = "SPARQL", operation_id = "sparqlQuery",
    params(("query" = String, Query, description = "A SPARQL 1.1 query.",
        example = "SELECT * WHERE { ?work ?is ?what } LIMIT 5")),
    responses(
        (status = 200, description = "Rows as SPARQL JSON results, or triples.", content(
            (serde_json::Value = "application/sparql-results+json"), (String = "application/n-triples"),
        )),
        BadRequest, Unavailable,
    ))]
async fn get(store: web::Data<Embedded>, request: HttpRequest) -> HttpResponse {
    match from_form(request.query_string().as_bytes()) {
        Ok(Statement::Query(query)) => run(&store, Statement::Query(query)).await,
        Ok(Statement::Update(_)) => bad_request("an update must be sent with POST"),
        Err(detail) => bad_request(&detail),
    }
}

/// Queries or updates the embedded triplestore
///
/// Only if the service runs with an embedded triplestore (`standalone`). A change is queued before the response is
/// sent.
#[utoipa::path(post, path = "/sparql", tag = "SPARQL", operation_id = "sparql",
    request_body(description = "A query or an update.", content(
        (SparqlForm = "application/x-www-form-urlencoded"),
        (String = "application/sparql-query", example = json!("SELECT * WHERE { ?work ?is ?what } LIMIT 5")),
        (String = "application/sparql-update",
            example = json!("INSERT DATA { GRAPH <http://x/g> { <http://x/s> <http://x/p> 1 } }")),
    )),
    responses(
        (status = 200, description = "Rows as SPARQL JSON results, or triples.", content(
            (serde_json::Value = "application/sparql-results+json"), (String = "application/n-triples"),
        )),
        BadRequest, TooLarge, UnknownMediaType, Unavailable,
    ))]
async fn post(
    store: web::Data<Embedded>,
    request: HttpRequest,
    body: Result<web::Bytes, actix_web::Error>,
) -> HttpResponse {
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            let status = error.as_response_error().status_code();
            let limit = BODY_LIMIT / 1024 / 1024;
            return problem(status, "Invalid request", &format!("{error}; the limit is {limit} MiB"));
        }
    };
    match from_body(&request, &body) {
        Ok(statement) => run(&store, statement).await,
        Err((status, detail)) => problem(status, REFUSED, &detail),
    }
}

fn from_body(request: &HttpRequest, body: &[u8]) -> Result<Statement, (StatusCode, String)> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    let bad = |detail: String| (StatusCode::BAD_REQUEST, detail);
    let text = || {
        no_dataset(request.query_string().as_bytes())?;
        String::from_utf8(body.to_vec()).map_err(|error| format!("the statement is not UTF-8: {error}"))
    };
    match essence.to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => from_form(body).map_err(bad),
        "application/sparql-query" => text().map(Statement::Query).map_err(bad),
        "application/sparql-update" => text().map(Statement::Update).map_err(bad),
        other => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!(
                "'{other}' is not one of application/x-www-form-urlencoded, application/sparql-query and \
                 application/sparql-update"
            ),
        )),
    }
}

/// The statement of a form or a query string.
fn from_form(form: &[u8]) -> Result<Statement, String> {
    no_dataset(form)?;
    let mut found = Vec::new();
    for (name, value) in pairs(form)? {
        match name.as_str() {
            "query" => found.push(Statement::Query(value)),
            "update" => found.push(Statement::Update(value)),
            // Clients of Virtuoso also send format, content-type, timeout and debug.
            _ => {}
        }
    }
    match found.pop() {
        Some(statement) if found.is_empty() => Ok(statement),
        Some(_) => Err("more than one query or update was sent".to_owned()),
        None => Err("there is neither a query nor an update parameter".to_owned()),
    }
}

fn no_dataset(form: &[u8]) -> Result<(), String> {
    match pairs(form)?.into_iter().find(|(name, value)| DATASET.contains(&name.as_str()) && !value.is_empty())
    {
        Some((name, _)) => Err(format!(
            "{name} is not supported; name the graphs in the statement, with FROM, USING or GRAPH"
        )),
        None => Ok(()),
    }
}

fn pairs(form: &[u8]) -> Result<Vec<(String, String)>, String> {
    serde_urlencoded::from_bytes(form).map_err(|error| format!("the form is invalid: {error}"))
}

async fn run(store: &Embedded, statement: Statement) -> HttpResponse {
    let result = match statement {
        Statement::Query(query) => store.query(&query).await.map(|answer| match answer {
            Answer::Results(json) => HttpResponse::Ok().content_type(RESULTS_JSON).body(json),
            Answer::Triples(triples) => HttpResponse::Ok().content_type(N_TRIPLES).body(triples),
        }),
        Statement::Update(update) => store.execute(&update).await.map(|()| {
            // The same answer as from sparql-parser, for clients that parse it.
            let value = json!({ "type": "literal", "value": "Executed update query" });
            HttpResponse::Ok().content_type(RESULTS_JSON).body(
                json!({
                    "head": { "link": [], "vars": ["callret-0"] },
                    "results": { "distinct": false, "ordered": true, "bindings": [{ "callret-0": value }] }
                })
                .to_string(),
            )
        }),
    };
    result.unwrap_or_else(|fault| match fault {
        TriplestoreFault::Refused(why) => bad_request(&why.to_string()),
        TriplestoreFault::Transient(why)
        | TriplestoreFault::Failed(why)
        | TriplestoreFault::Unreadable(why)
        | TriplestoreFault::Incomplete(why) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "The triplestore is not available", &why)
        }
    })
}

fn bad_request(detail: &str) -> HttpResponse {
    problem(StatusCode::BAD_REQUEST, REFUSED, detail)
}

fn problem(status: StatusCode, title: &'static str, detail: &str) -> HttpResponse {
    Problem::new(status, title, detail).error_response()
}

#[cfg(test)]
mod tests {
    use super::super::problem::JSON_API;
    use super::*;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, http::Method};
    use serde_json::Value;

    /// Sends one request and returns status, content type and body.
    async fn send(store: &Embedded, request: TestRequest) -> (u16, String, String) {
        let app = init_service(App::new().app_data(web::Data::new(store.clone())).configure(configure)).await;
        let answer = call_service(&app, request.to_request()).await;
        let status = answer.status().as_u16();
        let kind =
            answer.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().expect("text").to_owned());
        let body = String::from_utf8(read_body(answer).await.to_vec()).expect("UTF-8");
        (status, kind.unwrap_or_default(), body)
    }

    fn form(pairs: &[(&str, &str)]) -> TestRequest {
        TestRequest::post().uri("/sparql").set_form(pairs)
    }

    fn direct(kind: &str, body: &str) -> TestRequest {
        TestRequest::post().uri("/sparql").insert_header(("content-type", kind)).set_payload(body.to_owned())
    }

    #[actix_web::test]
    async fn each_way_to_ask_and_to_change_works() {
        let store = Embedded::in_memory().expect("a store");
        let insert = |n: u8| format!("INSERT DATA {{ <http://x/é+&> <http://x/p> {n} }}");
        let (one, two) = (insert(1), insert(2));
        for request in [
            form(&[("update", one.as_str()), ("format", RESULTS_JSON), ("content-type", RESULTS_JSON)]),
            direct("application/sparql-update; charset=utf-8", &two),
        ] {
            let (status, kind, body) = send(&store, request).await;
            assert_eq!((status, kind.as_str()), (200, RESULTS_JSON), "{body}");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(body["results"]["bindings"][0]["callret-0"]["value"], "Executed update query");
        }
        let ask = "SELECT ?o { <http://x/é+&> ?p ?o } ORDER BY ?o";
        let encoded = serde_urlencoded::to_string([("query", ask)]).expect("encoded");
        for request in [
            TestRequest::get().uri(&format!("/sparql?{encoded}")),
            form(&[("query", ask)]),
            direct("application/sparql-query", ask),
        ] {
            let (status, kind, body) = send(&store, request).await;
            assert_eq!((status, kind.as_str()), (200, RESULTS_JSON), "{body}");
            let rows = crate::triplestore::results::parse(body.as_bytes()).expect("SPARQL JSON results").rows;
            assert_eq!(rows.iter().map(|row| row["o"].value()).collect::<Vec<_>>(), ["1", "2"]);
        }
        let (_, _, body) = send(&store, form(&[("query", "ASK { ?s ?p 1 }")])).await;
        assert_eq!(serde_json::from_str::<Value>(&body).expect("JSON")["boolean"], true);
        let (_, kind, body) = send(&store, form(&[("query", "CONSTRUCT WHERE { ?s ?p 1 }")])).await;
        assert_eq!(kind, N_TRIPLES);
        assert!(body.starts_with("<http://x/é+&> <http://x/p> \"1\"^^"), "{body}");
        let (_, _, body) = send(&store, form(&[("query", "DESCRIBE <http://x/é+&>")])).await;
        assert_eq!(body.lines().count(), 2, "{body}");
    }

    #[actix_web::test]
    async fn what_cannot_be_done_says_why_and_changes_nothing() {
        let store = Embedded::in_memory().expect("a store");
        let update = "INSERT DATA { <http://x/s> <http://x/p> 1 }";
        let encoded = serde_urlencoded::to_string([("update", update)]).expect("encoded");
        let table = [
            (TestRequest::get().uri("/sparql"), 400, "neither a query nor an update"),
            (TestRequest::get().uri(&format!("/sparql?{encoded}")), 400, "POST"),
            (form(&[("query", "SELECT * {"), ("update", update)]), 400, "more than one"),
            (form(&[("update", update), ("using-graph-uri", "http://x/g")]), 400, "using-graph-uri"),
            (
                direct("application/sparql-update", update).uri("/sparql?using-graph-uri=a"),
                400,
                "using-graph-uri",
            ),
            (form(&[("query", "SELECT *\nWHERE { ?a ?b }")]), 400, "2:"),
            (form(&[("query", update)]), 400, "syntax error"),
            (form(&[("update", "LOAD <http://x/f>")]), 400, "LOAD"),
            (direct("application/sparql-query", ""), 400, "syntax error"),
            (direct("text/plain", update), 415, "text/plain"),
            (TestRequest::post().uri("/sparql"), 415, "application/sparql-update"),
            (TestRequest::default().method(Method::DELETE).uri("/sparql"), 405, "GET or POST"),
        ];
        for (request, wanted, words) in table {
            let (status, kind, body) = send(&store, request).await;
            assert_eq!((status, kind.as_str()), (wanted, JSON_API), "{words}: {body}");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let error = &body["errors"][0];
            assert_eq!(error["status"], wanted.to_string());
            assert!(error["detail"].as_str().expect("a detail").contains(words), "{words}: {body}");
        }
        assert!(store.is_empty().expect("counted"));
        let broken = TestRequest::post()
            .uri("/sparql")
            .insert_header(("content-type", "application/sparql-update"))
            .set_payload(vec![0xff, 0xfe]);
        assert_eq!(send(&store, broken).await.0, 400);
    }

    #[actix_web::test]
    async fn a_statement_beyond_the_limit_is_refused_with_413() {
        let store = Embedded::in_memory().expect("a store");
        let huge = direct("application/sparql-update", &" ".repeat(BODY_LIMIT + 1));
        let (status, kind, body) = send(&store, huge).await;
        assert_eq!((status, kind.as_str()), (413, JSON_API), "{body}");
        assert!(body.contains("64 MiB"), "{body}");
    }
}
