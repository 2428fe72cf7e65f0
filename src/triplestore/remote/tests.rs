//! What goes over the wire, and what each answer means.

use std::time::Duration;

use wiremock::matchers::{body_string_contains, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const EMPTY: &str = r#"{"head":{"vars":[]},"results":{"bindings":[]}}"#;

fn remote(endpoint: &str, time_limit: Duration) -> Remote {
    Remote::new(RemoteConfig {
        endpoint: endpoint.to_owned(),
        scope: Some("http://services.redpencil.io/timekeeper-kimai-sync-service".to_owned()),
        time_limit,
        log: QueryLog { queries: true, updates: true },
    })
    .expect("good settings")
}

async fn answering(status: u16, body: &str) -> (MockServer, Remote) {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(status).set_body_string(body);
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let remote = remote(&format!("{}/sparql", server.uri()), Duration::from_secs(20));
    (server, remote)
}

#[tokio::test]
async fn a_query_carries_the_scope_and_a_fresh_call_id_and_nobodys_session() {
    let (server, remote) = answering(200, EMPTY).await;
    remote.select("SELECT ?a WHERE { ?a ?b \"+&=é\" }").await.expect("answered");
    remote.select("SELECT ?a WHERE { ?a ?b ?c }").await.expect("answered");
    let requests = server.received_requests().await.expect("recorded");
    let header = |n: usize, name: &str| {
        requests[n].headers.get(name).map(|value| value.to_str().expect("text").to_owned())
    };
    assert_eq!(header(0, "accept").as_deref(), Some("application/sparql-results+json"));
    assert_eq!(header(0, "content-type").as_deref(), Some("application/x-www-form-urlencoded"));
    assert_eq!(
        header(0, "mu-auth-scope").as_deref(),
        Some("http://services.redpencil.io/timekeeper-kimai-sync-service")
    );
    let length = header(0, "content-length").expect("sparql-parser reads no chunked bodies");
    assert_eq!(length, requests[0].body.len().to_string());
    let id = header(0, "mu-call-id").expect("a call id");
    assert_eq!(uuid::Uuid::parse_str(&id).expect("a UUID").get_version_num(), 4);
    assert_ne!(header(1, "mu-call-id"), Some(id));
    for forbidden in ["mu-auth-sudo", "mu-session-id", "mu-auth-allowed-groups", "mu-call-id-trail"] {
        assert_eq!(header(0, forbidden), None, "{forbidden} must not be sent");
    }
    let form: Vec<(String, String)> = serde_urlencoded::from_bytes(&requests[0].body).expect("a form");
    let json = "application/sparql-results+json".to_owned();
    assert_eq!(
        form,
        [
            ("query".to_owned(), "SELECT ?a WHERE { ?a ?b \"+&=é\" }".to_owned()),
            ("format".to_owned(), json.clone()),
            ("content-type".to_owned(), json),
        ]
    );
}

#[tokio::test]
async fn an_update_goes_into_its_own_field() {
    let (server, remote) = answering(200, "whatever").await;
    remote.update("INSERT DATA { <a:a> <b:b> <c:c> }").await.expect("applied");
    let requests = server.received_requests().await.expect("recorded");
    assert!(requests[0].body.starts_with(b"update=INSERT"), "{:?}", requests[0].body);
}

#[tokio::test]
async fn without_a_scope_no_scope_header_is_sent() {
    let (server, _) = answering(200, EMPTY).await;
    for scope in [None, Some(String::new())] {
        let config = RemoteConfig {
            endpoint: server.uri(),
            scope,
            time_limit: Duration::from_secs(20),
            log: QueryLog::default(),
        };
        Remote::new(config).expect("good settings").select("SELECT").await.expect("answered");
    }
    for request in server.received_requests().await.expect("recorded") {
        assert!(!request.headers.contains_key("mu-auth-scope"));
    }
}

/// What each answer means is in the table of `refusal_tests`.
#[tokio::test]
async fn an_answer_that_is_no_success_is_judged_by_its_status_type_and_body() {
    let json = r#"{"status":500,"message":"Failed to process query.","internal-error":"No rule found at position 3"}"#;
    for (content_type, refused) in [("application/json", true), ("text/html", false)] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(500).set_body_raw(json, content_type);
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let remote = remote(&server.uri(), Duration::from_secs(20));
        let update = remote.update("INSERT DATA { <http://x/1> a 1 }").await.expect_err("500");
        let query = remote.select("SELECT ?a").await.expect_err("500");
        for (fault, statement) in [(update, "INSERT DATA { <http://x/1> a 1 }"), (query, "SELECT ?a")] {
            assert_eq!(matches!(fault, TriplestoreFault::Refused(_)), refused, "{fault}");
            assert_eq!(fault.to_string().contains(statement), refused, "{fault}");
        }
    }
    let (_server, remote) = answering(503, "checkpoint\n in progress").await;
    let words = "it answered 503: checkpoint in progress".to_owned();
    assert_eq!(remote.update("x").await, Err(TriplestoreFault::Transient(words)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = MockServer::start().await;
    let elsewhere = ResponseTemplate::new(302).insert_header("location", "/elsewhere");
    Mock::given(method("POST")).respond_with(elsewhere).expect(1).mount(&server).await;
    let fault = remote(&server.uri(), Duration::from_secs(20)).update("x").await.expect_err("refused");
    assert!(matches!(fault, TriplestoreFault::Transient(_)), "{fault}");
    assert!(fault.to_string().contains("MU_SPARQL_ENDPOINT"), "{fault}");
    assert_eq!(server.received_requests().await.expect("recorded").len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_marked_as_a_part_is_a_fault_and_no_fact() {
    let table = [
        (200, "X-SQL-State", "S1TAT", Some("S1TAT")),
        (200, "x-sql-state", "S1TAT", Some("S1TAT")),
        (200, "X-SPARQL-MaxRows", "5000", Some("cut at 5000 rows")),
        (206, "Content-Range", "bytes 0-100/1000", Some("206")),
        (200, "X-SQL-State", "", None),
        (200, "X-SPARQL-default-graph", "http://x/g", None),
    ];
    for (status, name, value, words) in table {
        let server = MockServer::start().await;
        let answer =
            ResponseTemplate::new(status).set_body_string(EMPTY).insert_header(name, value).insert_header(
                "X-SQL-Message",
                "RC...: Returning incomplete results, query interrupted by result timeout",
            );
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        let remote = remote(&server.uri(), Duration::from_secs(20));
        for result in [remote.select("SELECT").await.map(drop), remote.update("INSERT").await] {
            match (result, words) {
                (Ok(()), None) => {}
                (Err(TriplestoreFault::Incomplete(why)), Some(words)) => {
                    assert!(why.contains(words), "{why}");
                }
                other => panic!("{status} {name}: {value}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn html_with_a_200_is_a_fault_and_not_an_empty_answer() {
    let (_server, remote) = answering(200, "<html><body>Welcome</body></html>").await;
    let fault = remote.select("SELECT").await.expect_err("HTML");
    assert!(matches!(fault, TriplestoreFault::Unreadable(_)), "{fault}");
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let (_server, remote) = answering(200, &"x".repeat(ANSWER_LIMIT + 1)).await;
    let fault = remote.select("SELECT").await.expect_err("too large");
    assert!(fault.to_string().contains("32 MiB"), "{fault}");
}

#[tokio::test]
async fn a_silent_endpoint_is_left_after_the_time_limit() {
    let server = MockServer::start().await;
    let late = ResponseTemplate::new(200).set_body_string(EMPTY).set_delay(Duration::from_mins(10));
    Mock::given(body_string_contains("late")).respond_with(late).mount(&server).await;
    let remote = remote(&server.uri(), Duration::from_millis(200));
    let fault = remote.select("late").await.expect_err("late");
    assert_eq!(fault, TriplestoreFault::Transient("no answer within 200ms".to_owned()));
}

#[tokio::test]
async fn a_closed_port_is_transient_and_said_in_words() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}/sparql", listener.local_addr().expect("an address"));
    drop(listener);
    let fault = remote(&endpoint, Duration::from_secs(5)).select("SELECT").await.expect_err("closed");
    assert!(matches!(fault, TriplestoreFault::Transient(_)), "{fault}");
    assert!(fault.to_string().contains("refused"), "{fault}");
}

#[test]
fn settings_that_cannot_work_are_refused_at_once() {
    let config = |endpoint: &str, scope: &str| RemoteConfig {
        endpoint: endpoint.to_owned(),
        scope: Some(scope.to_owned()),
        time_limit: Duration::from_secs(1),
        log: QueryLog::default(),
    };
    for bad in ["", "database:8890/sparql", "file:///etc/passwd", "http://"] {
        assert!(Remote::new(config(bad, "http://x/")).is_err(), "{bad:?}");
    }
    assert!(Remote::new(config("http://database:8890/sparql", "a\nmu-auth-sudo: true")).is_err());
}
