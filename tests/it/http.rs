//! Every route as a caller sees it: status, headers, body, and what bad input is told.

use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::stack::{BASE, Stack, TOKEN, answer, delta};

const JSON_API: &str = "application/vnd.api+json; charset=utf-8";

/// Asserts a JSON:API error and gives its detail.
fn detail(answer: &(u16, Option<String>, String), status: u16) -> String {
    let (found, content_type, body) = answer;
    assert_eq!((*found, content_type.as_deref()), (status, Some(JSON_API)), "{body}");
    let body: Value = serde_json::from_str(body).unwrap();
    let error = &body["errors"][0];
    assert_eq!(error["status"], status.to_string());
    assert!(error["title"].as_str().is_some_and(|title| !title.is_empty()));
    assert!(!body.to_string().contains(TOKEN));
    error["detail"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn success_is_answered_to_the_byte_as_before() {
    let stack = Stack::embedded(&[]).await;
    stack.register("AB12", "2024-09-02", "PT1H").await;
    let accepted = (202, Some(JSON_API.to_owned()), String::new());
    let no_content = (204, None, String::new());
    let posts = [
        ("/delta", Some(json!([])), &no_content),
        ("/delta", Some(delta(&["http://x/1"])), &no_content),
        ("/delta/", Some(delta(&["http://x/1"])), &no_content),
        ("/update-queue/work-logs/AB12", None, &accepted),
        ("/update-queue/work-logs/AB12/", None, &accepted),
        ("/sync-from-kimai/customers", None, &no_content),
        ("/sync-from-kimai/tasks", None, &no_content),
        ("/sync-from-kimai/accounts", None, &no_content),
        ("/sync-from-kimai/accounts/", None, &no_content),
        ("/timesheets/lock", Some(json!({"month": "9", "year": "2024"})), &no_content),
        ("/timesheets/lock", Some(json!({"month": 9, "year": 2024})), &no_content),
        ("/timesheets/lock", Some(json!({"month": 9.0, "year": 2024.0})), &no_content),
        ("/timesheets/lock/", Some(json!({"month": "09", "year": "2024"})), &no_content),
    ];
    for (path, body, wanted) in posts {
        assert_eq!(stack.post(path, body.clone()).await, *wanted, "{path} {body:?}");
    }
    for url in ["/kimai-timesheets/12345", "/kimai-timesheets/12345/"] {
        let url = format!("{}{url}", stack.base);
        assert_eq!(answer(stack.http.put(url)).await, no_content);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_taken_under_every_content_type_that_was_sent() {
    let stack = Stack::embedded(&[]).await;
    for (content_type, body) in [
        (Some("application/json"), r#"{"month":"9","year":"2024"}"#),
        (Some("application/json; charset=utf-8"), r#"{"month":9,"year":2024}"#),
        (Some("application/vnd.api+json"), r#"{"month":"9","year":"2024"}"#),
        (Some("application/x-www-form-urlencoded"), "month=9&year=2024"),
        // What curl -d says of all it sends.
        (Some("application/x-www-form-urlencoded"), r#" {"month":9,"year":2024}"#),
        (None, r#"{"month":"9","year":"2024"}"#),
    ] {
        let mut request = stack.http.post(format!("{}/timesheets/lock", stack.base)).body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        assert_eq!(answer(request).await.0, 204, "{content_type:?}");
    }
    let form = stack.http.post(format!("{}/sync-to-kimai/work-logs", stack.base));
    assert_eq!(
        answer(form.form(&[("start", "2024-09-01"), ("end", "2024-09-02T10:00:00.000Z")])).await.0,
        202
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_keeps_its_code_and_is_told_what_to_do() {
    let stack = Stack::embedded(&[]).await;
    let table = [
        ("/update-queue/work-logs/nope", None, "'nope' is not the ID of a work log"),
        ("/update-queue/work-logs/%22%20%7D%20;%20DROP%20ALL", None, "is not the ID of a work log"),
        ("/timesheets/lock", Some(json!({"month": "9; DROP", "year": "2024"})), "'9; DROP' is not a month"),
        ("/timesheets/lock", Some(json!({"month": 9, "year": "2024-old"})), "'2024-old' is not a year"),
        ("/timesheets/lock", Some(json!({"month": 9.5, "year": 2024})), "'9.5' is not a month"),
        ("/sync-to-kimai/work-logs", None, "The body is not JSON"),
        ("/sync-to-kimai/work-logs", Some(json!([])), "must be a JSON object"),
        (
            "/sync-to-kimai/work-logs",
            Some(json!({"start": "2024-09-01"})),
            "'end' is missing; set it to a day like 2024-09-02",
        ),
        (
            "/sync-to-kimai/work-logs",
            Some(json!({"start": "soon", "end": "2024-09-01"})),
            "'start' is 'soon'; expected a day",
        ),
        (
            "/sync-to-kimai/work-logs",
            Some(json!({"start": {}, "end": 1})),
            "'start' must be a string or a number",
        ),
        (
            "/sync-to-kimai/work-logs",
            Some(json!({"start": "2024-09-02", "end": "2024-09-01"})),
            "ends (2024-09-01) before it starts",
        ),
        ("/timesheets/lock", Some(json!({"month": "September", "year": "2024"})), "September"),
        ("/timesheets/lock", Some(json!({"month": 13, "year": 2024})), "13"),
        ("/timesheets/lock", Some(json!({"month": 9, "year": 24})), "24"),
        ("/timesheets/lock", Some(json!({"year": 2024})), "'month' is missing"),
        ("/delta", Some(json!({})), "an object without \"delta\" or \"changeSets\""),
        ("/delta", Some(json!("text")), "The body is not a delta"),
        ("/delta", None, "The body is empty"),
    ];
    for (path, body, wanted) in table {
        let said = detail(&stack.post(path, body.clone()).await, 400);
        assert!(said.contains(wanted), "{path} {body:?}: {said}");
    }
    for id in ["..%2Fcustomers%2F1", "abc", "0", "-1", "1.5", "%00"] {
        let url = format!("{}/kimai-timesheets/{id}", stack.base);
        assert!(detail(&answer(stack.http.put(url)).await, 400).contains("is not a Kimai ID"), "{id}");
    }
    assert_eq!(stack.kimai.requests().0.len(), 0, "nothing of this reaches Kimai");
    assert_eq!(stack.store.updates.load(Ordering::Relaxed), 0);
    let unknown = answer(stack.http.get(format!("{}/nope", stack.base))).await;
    assert!(detail(&unknown, 404).contains("GET /nope"));
    let browser = stack.http.get(format!("{}/nope", stack.base)).header("accept", "text/html,*/*;q=0.8");
    let page = browser.send().await.unwrap();
    assert_eq!(page.status().as_u16(), 404);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = page.text().await.unwrap();
    assert!(
        page.contains("There is no page <code>/nope</code>") && page.contains("href=\"/entries"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broken_delta_says_before_its_fault_is_not_lost() {
    let stack = Stack::embedded(&[]).await;
    let work_log = stack.register("A", "2024-09-02", "PT1H").await;
    let whole = delta(&[&work_log]).to_string();
    let broken = format!("{},{{\"inserts\":[}}]", whole.trim_end_matches(']'));
    let request = stack.http.post(format!("{}/delta", stack.base)).body(broken);
    assert!(detail(&answer(request).await, 400).contains("at line 1 column"));
    stack.quiet().await;
    assert_eq!(stack.timesheets().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_delta_is_read_as_a_stream_and_a_too_huge_one_refused_at_once() {
    let stack = Stack::embedded(&[]).await;
    let work_log = stack.register("A", "2024-09-02", "PT1H").await;
    let note = json!({"subject": {"type": "uri", "value": "http://x/1"}, "predicate": {"type": "uri", "value": "http://x/note"},
        "object": {"type": "literal", "value": "n".repeat(10_000)}})
    .to_string();
    // 60 MB in chunks, with the one triple that counts at the very end.
    let filler = futures_util::stream::repeat_with(move || format!("{note},"))
        .map(Ok::<_, std::io::Error>)
        .take(6_000);
    let last = delta(&[&work_log])[0]["inserts"][0].to_string();
    let parts = futures_util::stream::once(async { Ok("[{\"inserts\":[".to_owned()) })
        .chain(filler)
        .chain(futures_util::stream::once(async move { Ok(format!("{last}]}}]")) }));
    let request = stack.http.post(format!("{}/delta", stack.base)).body(reqwest::Body::wrap_stream(parts));
    assert_eq!(answer(request).await.0, 204);
    stack.quiet().await;
    assert_eq!(stack.timesheets().len(), 1);

    let refused = raw(&stack, "POST /delta HTTP/1.1\r\nhost: x\r\ncontent-length: 600000000\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
    let metrics = answer(stack.http.get(format!("{}/metrics", stack.base))).await.2;
    assert!(metrics.contains("\nkimai_sync_deltas_refused_total 1\n"), "what is lost is told: {metrics}");
    let too_large = stack.post("/timesheets/lock", Some(json!({"month": "9".repeat(2_000_000)}))).await;
    assert!(detail(&too_large, 413).contains("at most 1048576 bytes"));
}

/// What is answered to these bytes.
async fn raw(stack: &Stack, bytes: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(stack.base.trim_start_matches("http://")).await.unwrap();
    socket.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = socket.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kimai_that_refuses_is_reported_in_its_words_and_never_with_the_token() {
    let stack = Stack::embedded(&[]).await;
    stack.kimai.expire_token(TOKEN);
    let said = detail(&stack.post("/sync-from-kimai/customers", None).await, 502);
    assert!(said.contains("the API token is wrong or expired"), "{said}");
    stack.kimai.fault(
        kimai_sync::trackers::kimai::sandbox::When::next("GET", "/api/projects"),
        kimai_sync::trackers::kimai::sandbox::Fault::answer(200).body("<html>maintenance</html>"),
    );
    let said = detail(&stack.post("/sync-from-kimai/tasks", None).await, 503);
    assert!(said.contains("could not be read"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_through_sparql_reach_kimai_as_deltas_do() {
    let stack = Stack::embedded(&[]).await;
    let task = stack.task(stack.activity).await;
    let prefix = "PREFIX cal: <http://www.w3.org/2002/12/cal/ical#> PREFIX dct: <http://purl.org/dc/terms/>
        PREFIX prov: <http://www.w3.org/ns/prov#>";
    let sparql = async |update: &str| {
        let request = stack.http.post(format!("{}/sparql", stack.base));
        let (status, _, body) = answer(request.form(&[("update", format!("{prefix}{update}"))])).await;
        assert_eq!(status, 200, "{body}");
        stack.quiet().await;
        stack.timesheets().iter().map(|row| row.2[11..13].to_owned()).collect::<Vec<_>>()
    };
    let work_log = format!("{BASE}/work-logs/A");
    let all = format!(
        "INSERT DATA {{ GRAPH <http://g/1> {{ <{work_log}> a cal:Vevent ; cal:duration \"PT1H\" ; cal:dtstart \"2024-09-02\" ;
           dct:subject <{task}> ; prov:wasAssociatedWith <{BASE}/persons/jane> }} }}"
    );
    assert_eq!(sparql(&all).await, ["01"]);
    assert_eq!(
        sparql(
            "DELETE { ?s cal:duration ?d } INSERT { ?s cal:duration \"PT2H\" } WHERE { ?s cal:duration ?d }"
        )
        .await,
        ["02"]
    );
    let twice = format!(
        "DELETE WHERE {{ <{work_log}> cal:duration ?d }} ; INSERT DATA {{ <{work_log}> cal:duration \"PT3H\" }}"
    );
    assert_eq!(sparql(&twice).await, ["03"]);
    // Everything goes, the link as well: the delta said that it was a work log.
    assert_eq!(sparql(&format!("DELETE WHERE {{ <{work_log}> ?p ?o }}")).await, [""; 0]);
}
