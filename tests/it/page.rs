//! The operator page over HTTP: its routes, its assets and its stream.

use futures_util::StreamExt as _;
use reqwest::{Response, StatusCode};

use crate::support::stack::Stack;

async fn get(stack: &Stack, path: &str) -> (StatusCode, String) {
    let answer = stack.http.get(format!("{}{path}", stack.base)).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8", "{path}");
    assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
    (answer.status(), answer.text().await.unwrap())
}

async fn send(stack: &Stack, path: &str, fields: &[(&str, &str)]) -> Response {
    stack.http.post(format!("{}{path}", stack.base)).form(fields).send().await.unwrap()
}

fn location(answer: &Response) -> &str {
    assert_eq!(answer.status(), 303);
    answer.headers()["location"].to_str().unwrap()
}

/// What stands between two texts, behind each other, for all of them.
fn between<'a>(html: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    html.split(start).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_do_what_they_say_and_lead_to_where_it_shows() {
    let stack = Stack::embedded(&[]).await;
    let uri = stack.register("A", "2024-09-02", "8 hours").await;
    stack.notify(&[&uri]).await;
    stack.change(&uri, "cal:duration", "\"PT1H\"").await;
    let answer = send(&stack, "/do/retry", &[("id", &uri), ("back", "/entries?state=parked")]).await;
    assert_eq!(location(&answer), "/entries?state=parked&said=retried#said");
    stack.quiet().await;
    assert_eq!(stack.timesheets().len(), 1);

    let answer = send(&stack, "/do/import", &[("what", "tasks")]).await;
    assert!(location(&answer).starts_with("/run/4?said=asked"), "{}", location(&answer));
    let answer = send(&stack, "/do/lock", &[("month", "2024-09"), ("sure", "yes")]).await;
    assert!(location(&answer).starts_with("/run/5?"));
    let answer = send(&stack, "/do/plan", &[("preset", "last-month")]).await;
    assert!(location(&answer).starts_with("/run/6?"));
    let (status, page) = get(&stack, "/run/5").await;
    assert_eq!(status, 200);
    assert!(page.contains("Lock of 2024-09"), "{page}");
    assert_eq!(
        location(&send(&stack, "/do/retry-parked", &[("back", "//evil.example")]).await),
        "/?said=retried-all#said"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_answered_with_a_page_in_words() {
    let stack = Stack::embedded(&[]).await;
    for (path, status, words) in [
        ("/run/999", 404, "There is no run 999"),
        ("/run/%3Cscript%3E", 404, "This run does not exist"),
        ("/entries?state=%3Cscript%3E", 400, "This list does not exist"),
        ("/entries?after=%3Cscript%3E", 400, "is not an absolute IRI"),
        ("/work-log?id=%3Cscript%3E", 400, "is not an absolute IRI"),
        ("/work-log", 400, "is not an absolute IRI"),
        ("/updates?page=x", 400, "no live updates"),
        ("/updates?page=work-log&id=x", 400, "is not an absolute IRI"),
        ("/find?q=%3Cscript%3E", 200, "Nothing found"),
        ("/find", 200, "Invalid search"),
    ] {
        let (found, page) = get(&stack, path).await;
        assert_eq!(found.as_u16(), status, "{path}: {page}");
        assert!(page.contains(words) && !page.contains("<script>"), "{path}: {page}");
    }
    for (path, fields, status, words) in [
        ("/do/plan", vec![("start", "soon"), ("end", "2024-09-01")], 400, "“soon” is not a day"),
        ("/do/plan", vec![("start", "2024-09-02"), ("end", "2024-09-01")], 400, "before it begins"),
        ("/do/plan", vec![("start", "2024-09-02")], 400, "The last day is missing"),
        (
            "/do/sweep",
            vec![("start", "2024-09-01"), ("end", "2024-09-02"), ("confirm", "x")],
            409,
            "confirm key",
        ),
        ("/do/lock", vec![("month", "2024-13"), ("sure", "yes")], 400, "is not a month"),
        ("/do/lock", vec![("month", "2024-09")], 400, "confirm that the month is complete"),
        ("/do/import", vec![("what", "all")], 400, "This import does not exist"),
        ("/do/cancel", vec![("run", "1")], 409, "has ended already"),
        ("/do/retry", vec![("id", "<x>")], 400, "is not an absolute IRI"),
    ] {
        let answer = send(&stack, path, &fields).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(words), "{path}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_kept_while_they_are_the_same() {
    let stack = Stack::embedded(&[]).await;
    let (_, home) = get(&stack, "/").await;
    let addresses: Vec<&str> =
        ["href=\"/assets/", "src=\"/assets/"].iter().flat_map(|start| between(&home, start, "\"")).collect();
    assert!(addresses.len() >= 4, "{addresses:?}");
    for address in addresses {
        let request = || stack.http.get(format!("{}/assets/{address}", stack.base));
        let answer = request().send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap();
        let wanted = match address.split_once('?').unwrap().0 {
            "style.css" => "text/css; charset=utf-8",
            "live.js" => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(kind, wanted, "{address}");
        assert!(answer.headers()["cache-control"].to_str().unwrap().contains("immutable"));
        let tag = answer.headers()["etag"].clone();
        assert_eq!(request().header("if-none-match", tag).send().await.unwrap().status(), 304);
        let old =
            stack.http.get(format!("{}/assets/{}?v=old", stack.base, address.split('?').next().unwrap()));
        assert_eq!(old.send().await.unwrap().headers()["cache-control"], "no-cache");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_tells_what_changed_and_ends_with_the_service() {
    let mut stack = Stack::embedded(&[]).await;
    let answer = stack.http.get(format!("{}/updates?page=home", stack.base)).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.bytes_stream();
    let first = String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(
        first.contains(r#""id":"queue"}"#) && first.contains(r#"data: {"title":"All synced"}"#),
        "{first}"
    );

    let uri = stack.register("A", "2024-09-02", "8 hours").await;
    stack.notify(&[&uri]).await;
    let mut told = String::new();
    while !told.contains("1 parked") {
        told += std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap();
    }
    assert!(told.contains(r#""id":"attention"}"#), "{told}");
    assert!(!told.contains(r#""id":"health"}"#), "what did not change is not sent: {told}");
    assert!(told.lines().all(|line| line.is_empty()
        || line.starts_with("event: ")
        || line.starts_with("data: ")
        || line.starts_with(':')));

    let began = std::time::Instant::now();
    stack.halt().await;
    while let Some(Ok(_)) = events.next().await {}
    assert!(began.elapsed().as_secs() < 3, "an open page does not hold up the stop");
}

/// What opens it and what changes later, each of them whole.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_pages_are_kept_up_to_date_at_once() {
    let stack = Stack::embedded(&[]).await;
    let mut pages = Vec::new();
    for _ in 0..20 {
        let answer = stack.http.get(format!("{}/updates?page=home", stack.base)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        pages.push(answer.bytes_stream());
    }
    let uri = stack.register("A", "2024-09-02", "8 hours").await;
    stack.notify(&[&uri]).await;
    for page in &mut pages {
        let mut told = String::new();
        while !told.contains("1 parked") {
            told += std::str::from_utf8(&page.next().await.unwrap().unwrap()).unwrap();
        }
        assert!(told.contains(r#""id":"attention"}"#), "{told}");
    }
    assert_eq!(get(&stack, "/").await.0, 200, "and there is room for more");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_pages_than_can_be_kept_up_to_date_are_told_so_and_free_their_place() {
    let stack = Stack::embedded(&[]).await;
    let listen = || stack.http.get(format!("{}/updates?page=runs", stack.base)).send();
    let mut open = Vec::new();
    for _ in 0..100 {
        let answer = listen().await.unwrap();
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    assert_eq!(listen().await.unwrap().status(), 503);
    drop(open);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while listen().await.unwrap().status() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "a place is free again");
        tokio::task::yield_now().await;
    }
}
