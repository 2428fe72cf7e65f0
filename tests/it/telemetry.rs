//! The real program, as its log, its collector and its neighbours see it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::process::{Running, kimai, program};
use crate::support::stack::{TOKEN, delta};

/// Longer than anything here takes that works.
const PATIENCE: Duration = Duration::from_mins(1);

/// A triplestore in which nothing stands.
async fn empty_triplestore() -> MockServer {
    let server = MockServer::start().await;
    let nothing = json!({"head": {"vars": []}, "results": {"bindings": []}});
    let answer = ResponseTemplate::new(200).set_body_json(nothing);
    Mock::given(method("POST")).and(path("/sparql")).respond_with(answer).mount(&server).await;
    server
}

/// `serve` between a Kimai that is not there and this triplestore.
fn serve(data: &std::path::Path, triplestore: &str) -> std::process::Command {
    let mut command = program(&["serve"]);
    command.env("DATA_DIR", data).env("MU_SPARQL_ENDPOINT", triplestore);
    command.envs([
        ("API_TOKEN", TOKEN),
        ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api"),
        ("SYNC_AT_START", "false"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ]);
    command
}

/// Status and body of what `address` answers.
async fn ask(address: &str, path: &str) -> (u16, String) {
    let http = kimai_sync::http_client::client_builder(PATIENCE).build().unwrap();
    let (status, _, body) = crate::support::stack::answer(http.get(format!("http://{address}{path}"))).await;
    (status, body)
}

/// Waits for a request that `fits`.
async fn until(server: &MockServer, fits: impl Fn(&Request) -> bool) -> Request {
    let found = async {
        loop {
            let requests = server.received_requests().await.unwrap();
            if let Some(request) = requests.into_iter().find(|request| fits(request)) {
                return request;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("it comes")
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name)?.to_str().ok()
}

#[test]
fn json_logs_are_objects_line_by_line_and_carry_the_span_of_the_work_log() {
    let (_kimai, endpoint) = kimai();
    let mut command = program(&["standalone"]);
    command.envs([("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", &endpoint)]);
    command.envs([("LOG_FORMAT", "json"), ("LOG_LEVEL", "debug"), ("SYNC_AT_START", "false")]);
    let mut running = Running::start(command);
    let update = "INSERT DATA { <http://x/1> a <http://www.w3.org/2002/12/cal/ical#Vevent> ;
        <http://www.w3.org/2002/12/cal/ical#dtstart> \"soon\" }";
    let mut listener = TcpStream::connect(&running.address).unwrap();
    write!(
        listener,
        "POST /sparql HTTP/1.1\r\nhost: x\r\nconnection: close\r\nmu-call-id: call-7\r\n\
         mu-session-id: http://mu.semte.ch/sessions/s3cret\r\n\
         content-type: application/sparql-update\r\ncontent-length: {}\r\n\r\n{update}",
        update.len()
    )
    .unwrap();
    let mut answer = String::new();
    listener.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    running.until("Cannot sync <http://x/1>");
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}")))
        .collect();
    let told = |line: &&Value| line["fields"]["message"].as_str().unwrap_or_default().contains("Cannot sync");
    let line = lines.iter().find(told).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["fields"]["work_log"], "http://x/1");
    let span = line["spans"].as_array().unwrap().iter().find(|span| span["name"] == "work_log").unwrap();
    assert_eq!((&span["uri"], &span["reason"]), (&json!("http://x/1"), &json!("delta")));
    assert_eq!(span["mu_call_id"], "call-7");
    assert!(!log.contains(TOKEN) && !log.contains("s3cret"), "{log}");
}

/// Also where the triplestore is inside, and where the filter names nothing but ourselves.
#[test]
fn statements_are_logged_for_whoever_asks_for_them() {
    let (_kimai, endpoint) = kimai();
    let mut command = program(&["standalone"]);
    command.envs([("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", &endpoint), ("CHECK_AT_START", "false")]);
    command.envs([("LOG_LEVEL", "kimai_sync=info"), ("LOG_SPARQL_QUERIES", "true")]);
    let mut running = Running::start(command);
    // The sweep at the start asks.
    running.until("Query: ");
    let (_, log) = running.end("-TERM");
    assert!(!log.contains("Update: "), "updates were not asked for: {log}");
}

/// One delta from the door to the collector: its call id goes along, its session does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_delta_is_followed_to_the_triplestore_and_to_the_collector() {
    let (triplestore, collector) = (empty_triplestore().await, MockServer::start().await);
    Mock::given(method("POST"))
        .and(path("/v1/traces"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&collector)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path(), &format!("{}/sparql", triplestore.uri()));
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.uri().as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=hours"),
        ("OTEL_SERVICE_NAME", "timekeeper-sync"),
    ]);
    let running = Running::start(command);
    let http = kimai_sync::http_client::client_builder(PATIENCE).build().unwrap();
    let request =
        http.post(format!("http://{}/delta", running.address)).json(&delta(&["http://x/work-logs/1"]));
    let request = request.header("mu-call-id", "call-2").header("mu-call-id-trail", "[\"call-1\"]");
    let status = request.header("mu-session-id", "http://mu.semte.ch/sessions/s3cret").send().await.unwrap();
    assert_eq!(status.status().as_u16(), 204);

    let about_it = |request: &Request| String::from_utf8_lossy(&request.body).contains("work-logs%2F1");
    let asked = until(&triplestore, about_it).await;
    assert_eq!(header(&asked, "mu-call-id-trail"), Some("[\"call-1\",\"call-2\"]"));
    assert!(header(&asked, "mu-call-id").is_some_and(|id| id.len() == 36), "a fresh one");
    assert_eq!(header(&asked, "mu-session-id"), None);

    let said = |request: &Request, words: &str| {
        request.body.windows(words.len()).any(|part| part == words.as_bytes())
    };
    let traced = until(&collector, |request| said(request, "work_log")).await;
    assert_eq!(header(&traced, "content-type"), Some("application/x-protobuf"));
    assert_eq!(header(&traced, "x-tenant"), Some("hours"));
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    let all = collector.received_requests().await.unwrap();
    for words in ["timekeeper-sync", "http://x/work-logs/1", "call-2", "request", "/delta", "sparql"] {
        assert!(all.iter().any(|request| said(request, words)), "{words} is in no trace");
    }
    for secret in [TOKEN, "s3cret"] {
        assert!(!all.iter().any(|request| said(request, secret)), "{secret} is in a trace");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_costs_a_line_of_the_log_and_nothing_else() {
    let triplestore = empty_triplestore().await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path(), &format!("{}/sparql", triplestore.uri()));
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let mut running = Running::start(command);
    for _ in 0..3 {
        assert_eq!(ask(&running.address, "/queue").await.0, 200);
    }
    running.until("Traces cannot be sent to OTEL_EXPORTER_OTLP_ENDPOINT");
    for _ in 0..3 {
        assert_eq!(ask(&running.address, "/queue").await.0, 200);
    }
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("Traces cannot be sent").count(), 1, "{log}");
}

/// Whoever waits for /ready before sending deltas must get there without a delta.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_once_the_triplestore_has_answered_and_stays_so() {
    let triplestore = MockServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(serve(folder.path(), &format!("{}/sparql", triplestore.uri())));
    let (status, body) = ask(&running.address, "/ready").await;
    assert_eq!(status, 503);
    let body: Value = serde_json::from_str(&body).unwrap();
    let detail = body["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("The triplestore has not answered since the start: "), "{detail}");
    assert_eq!(ask(&running.address, "/live").await.0, 200);

    let nothing = json!({"head": {"vars": []}, "results": {"bindings": []}});
    Mock::given(method("POST"))
        .and(body_string_contains("query="))
        .respond_with(ResponseTemplate::new(200).set_body_json(nothing))
        .mount(&triplestore)
        .await;
    assert_eq!(ask(&running.address, "/ready").await, (200, String::new()));
    triplestore.reset().await; // 404 from now on
    assert_eq!(ask(&running.address, "/ready").await.0, 200, "a delta is still taken");
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
}
