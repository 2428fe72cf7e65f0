//! Statements that would overflow a stack or fill the memory, sent to the real program: each is refused in words, and
//! the program lives.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::with_kimai;
use crate::process::Running;

fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

async fn sparql(base: &str, form: &[(&str, &str)]) -> (u16, String) {
    let client = kimai_sync::http_client::client_builder(Duration::from_mins(2)).build().unwrap();
    let answer = client.post(format!("{base}/sparql")).form(form).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn detail(base: &str, kind: &str, statement: &str) -> (u16, String) {
    let (status, body) = sparql(base, &[(kind, statement)]).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    (status, body["errors"][0]["detail"].as_str().unwrap_or_default().to_owned())
}

/// A started `standalone`, and its address.
fn started() -> (Running, String) {
    let mut command = with_kimai(&["standalone"], "http://127.0.0.1:9/api");
    command.envs([("SYNC_AT_START", "false"), ("CHECK_AT_START", "false")]);
    let running = Running::start(command);
    let base = format!("http://{}", running.address.trim_start_matches("http://").trim_end_matches('/'));
    (running, base)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_ends_the_process() {
    let (_running, base) = started();
    let x = "<http://x/p>";
    let deep = [
        ("query", format!("SELECT * {}", nested("{", "", "}", 700))),
        ("query", format!("SELECT * {{ FILTER({}) }}", nested("(", "1", ")", 1_000))),
        ("query", format!("SELECT * {{ {{}} {} }}", "UNION {}".repeat(1_500))),
        ("query", format!("SELECT * {{ FILTER(1{}) }}", "+1".repeat(3_000))),
        ("query", format!("SELECT * {{ {} {x} 1 }}", nested("(", "1", ")", 200))),
        ("query", format!("SELECT * {{ ?s {} ?o }}", nested("(", x, "/a)", 1_000))),
        ("query", format!("SELECT * {{ ?s {x} {} }}", nested(&format!("[{x} "), "1", "]", 1_000))),
        ("query", format!("SELECT * {{ FILTER({}1) }}", "!".repeat(3_000))),
        ("query", format!("SELECT * {{ FILTER({}) }}", nested("!(", "1", ")", 40))),
        ("query", format!("SELECT * {{ FILTER({}1) }}", "- ".repeat(3_000))),
        ("query", nested("SELECT * {{ ", "?s ?p ?o", " }}", 500)),
        ("query", format!("SELECT * {{ {} }}", "OPTIONAL { ?s ?p ?o }".repeat(1_000))),
        ("query", format!("SELECT * {{ {} }}", nested("OPTIONAL { ?s ?p ?o ", "", "}", 40))),
        ("query", format!("SELECT * {{ FILTER({}) }}", nested("REGEX(", "'a'", ",'a')", 40))),
        ("query", format!("SELECT * {{ {} }}", nested("<< ", "?s ?p ?o", " >> ?p ?o", 1_000))),
        ("update", format!("INSERT DATA {{ {} {x} 1 }}", nested("(", "1", ")", 1_000))),
        ("update", format!("DELETE WHERE {{ {} }}", "?s ?p ?o . ".repeat(3_000))),
        ("update", format!("DELETE {{ ?s ?p ?o }} WHERE {}", nested("{", "?s ?p ?o", "}", 700))),
    ];
    for (kind, statement) in &deep {
        let beginning: String = statement.chars().take(60).collect();
        let began = Instant::now();
        let (status, why) = detail(&base, kind, statement).await;
        assert_eq!(status, 400, "{beginning}: {why}");
        assert!(!why.is_empty(), "{beginning}");
        assert!(began.elapsed() < Duration::from_secs(5), "{beginning} took {:?}", began.elapsed());
    }
    let (status, body) = sparql(&base, &[("query", "ASK {}")]).await;
    assert_eq!(status, 200, "it lives: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_cannot_ask_a_query() {
    let (_running, base) = started();
    let client = kimai_sync::http_client::client_builder(Duration::from_mins(1)).build().unwrap();
    let ask = |site: &'static str| {
        let request = client.get(format!("{base}/sparql?query=ASK%7B%7D"));
        if site.is_empty() { request } else { request.header("sec-fetch-site", site) }
    };
    for (site, status) in
        [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200), ("", 200)]
    {
        assert_eq!(ask(site).send().await.unwrap().status().as_u16(), status, "{site:?}");
    }
}

/// A cross join that would take gigabytes, while others ask and change.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_would_fill_the_memory_is_refused_while_others_go_on() {
    let (_running, base) = started();
    let triples =
        (0..400).map(|n| format!("<http://x/{n}> <http://x/p> {n} . ")).collect::<Vec<_>>().concat();
    let filled = format!("INSERT DATA {{ {triples} }}");
    assert_eq!(sparql(&base, &[("update", filled.as_str())]).await.0, 200);
    let hostile = async {
        let cross = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?a";
        let (status, why) = detail(&base, "query", cross).await;
        assert_eq!(status, 400, "{why}");
        assert!(why.contains("MiB of memory"), "{why}");
    };
    let others = async {
        for n in 0..20 {
            let update = format!("INSERT DATA {{ <http://x/o{n}> <http://x/q> {n} }}");
            assert_eq!(sparql(&base, &[("update", update.as_str())]).await.0, 200);
            assert_eq!(sparql(&base, &[("query", "ASK {}")]).await.0, 200);
        }
    };
    tokio::join!(hostile, others);
    assert_eq!(sparql(&base, &[("query", "ASK {}")]).await.0, 200, "it lives");
}
