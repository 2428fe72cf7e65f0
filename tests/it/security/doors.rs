//! The doors, tried from outside: without the token, with odd requests, from other people's pages.

use std::net::TcpListener;

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::watched::Watched;
use super::{OPS_TOKEN, with_kimai};
use crate::process::{kimai, program, text, write_company};
use crate::support::stack::{Stack, TOKEN, answer};

/// Whoever has no token gets nowhere; commands and clients with the token do all they did before.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_the_stack_works_for_its_owner_and_for_the_delta_notifier_only() {
    let stack = Stack::embedded(&[("OPS_TOKEN", OPS_TOKEN)]).await;
    let work_log = stack.register("A", "2024-09-02", "PT1H").await;
    let stranger =
        kimai_sync::http_client::client_builder(std::time::Duration::from_mins(1)).build().unwrap();
    let url = |path: &str| format!("{}{path}", stack.base);
    stack.forget_calls();
    let before = stack.statements();
    for (method, path) in [
        ("POST", "/sync-from-kimai/customers"),
        ("POST", "/sync-to-kimai/work-logs"),
        ("POST", "/timesheets/lock"),
        ("POST", "/update-queue/work-logs/A"),
        ("PUT", "/kimai-timesheets/1"),
        ("POST", "/queue/retry-parked"),
        ("POST", "/sparql"),
        ("GET", "/sparql?query=ASK%7B%7D"),
        ("GET", "/queue"),
        ("GET", "/runs"),
        ("DELETE", "/"),
    ] {
        let request = stranger.request(method.parse().unwrap(), url(path)).body("update=CLEAR+ALL");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let (status, _, body) = answer(request).await;
        assert_eq!(status, 401, "{method} {path}: {body}");
    }
    assert_eq!((stack.statements(), stack.kimai.requests().0.len()), (before, 0), "nothing was done");
    for path in ["/delta", "/delta/"] {
        let told = stranger.post(url(path)).body(crate::support::stack::delta(&[&work_log]).to_string());
        assert_eq!(answer(told).await.0, 204, "{path}");
    }
    stack.quiet().await;
    assert_eq!(stack.timesheets().len(), 1);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{OPS_TOKEN}\n")).unwrap();
    let arguments = ["sweep", "--from", "2024-09-01", "--to", "2024-09-30", "--url", &stack.base];
    for (name, value, code) in [
        ("NOTHING", "", 2),
        ("OPS_TOKEN", "0123456789abcdef0123456789abcdef", 2),
        ("OPS_TOKEN", OPS_TOKEN, 0),
        ("OPS_TOKEN_FILE", file.to_str().unwrap(), 0),
    ] {
        let mut command = program(&arguments);
        let output = tokio::task::block_in_place(|| command.env(name, value).output().unwrap());
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert_eq!(said.contains("Set OPS_TOKEN or OPS_TOKEN_FILE"), code == 2, "{said}");
    }
}

/// What is answered to these bytes, as far as it comes in one piece.
async fn raw(base: &str, bytes: &[u8]) -> String {
    let mut socket = tokio::net::TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    // The service may hang up on what it will not read.
    let _ = socket.write_all(bytes).await;
    let mut answer = vec![0; 8192];
    let read = socket.read(&mut answer).await.unwrap_or_default();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_are_refused_and_leave_the_service_alive() {
    let stack = Stack::embedded(&[]).await;
    let many = (0..200).map(|n| format!("x-{n}: 1")).collect::<Vec<_>>().join("\r\n");
    let long = "x".repeat(200_000);
    let table = [
        ("200 headers", format!("GET /live HTTP/1.1\r\nhost: x\r\n{many}\r\n\r\n")),
        ("a header of 200 kB", format!("GET /live HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n")),
        ("a path of 200 kB", format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n")),
        ("two lengths", "POST /delta HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n[]".to_owned()),
        (
            "a length and chunks",
            "POST /delta HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        ),
        ("a length below nothing", "POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_owned()),
        ("a line in a header", "GET /live HTTP/1.1\r\nhost: x\r\nx: a\nb\r\n\r\n".to_owned()),
        ("NUL in the path", "GET /live\0 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()),
        ("no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03\r\n\r\n".to_owned()),
    ];
    for (what, bytes) in table {
        let answer = raw(&stack.base, bytes.as_bytes()).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{what}: {answer}");
        assert_eq!(answer_of(&stack, "/live").await.0, 200, "after {what}");
    }
    // Longer than it takes, without a word of its length beforehand.
    let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(65_536))).take(64);
    let lock =
        stack.http.post(format!("{}/timesheets/lock", stack.base)).body(reqwest::Body::wrap_stream(chunks));
    if let Ok(refused) = lock.send().await {
        assert_eq!(refused.status().as_u16(), 413);
    }
    assert_eq!(answer_of(&stack, "/live").await.0, 200);
    let deep = "[".repeat(100_000);
    for path in ["/delta", "/timesheets/lock", "/sync-to-kimai/work-logs"] {
        let request = stack.http.post(format!("{}{path}", stack.base)).body(deep.clone());
        assert_eq!(answer(request).await.0, 400, "{path}");
    }
}

async fn answer_of(stack: &Stack, path: &str) -> (u16, Option<String>, String) {
    answer(stack.http.get(format!("{}{path}", stack.base))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_digits_and_nothing_else() {
    let stack = Stack::embedded(&[]).await;
    for id in [
        "+1",
        "%2B1",
        "-1",
        "0x1",
        "1e3",
        "1%20",
        "%201",
        "1.0",
        "١",
        "1%00",
        "1;2",
        "99999999999999999999999",
    ] {
        for (method, path, status) in [
            ("GET", format!("/runs/{id}"), 404),
            ("GET", format!("/runs/{id}/findings"), 404),
            ("GET", format!("/runs/{id}/events"), 404),
            ("POST", format!("/runs/{id}/cancel"), 404),
            ("PUT", format!("/kimai-timesheets/{id}"), 400),
        ] {
            let request = stack.http.request(method.parse().unwrap(), format!("{}{path}", stack.base));
            let (found, _, body) = answer(request).await;
            assert_eq!(found, status, "{method} {path}: {body}");
            assert!(serde_json::from_str::<Value>(&body).is_ok(), "{method} {path}: {body}");
        }
    }
    assert_eq!(stack.kimai.requests().0.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_change_nothing_and_every_answer_keeps_browsers_strict() {
    let stack = Stack::embedded(&[]).await;
    let url = |path: &str| format!("{}{path}", stack.base);
    for (name, value) in
        [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")]
    {
        for path in ["/sparql", "/queue/retry-parked", "/sync-from-kimai/tasks", "/timesheets/lock"] {
            let request = stack.http.post(url(path)).header(name, value).form(&[("update", "CLEAR ALL")]);
            let (status, _, body) = answer(request).await;
            assert!(status == 403 && body.contains("page of another site"), "{path} {name}: {status} {body}");
        }
    }
    let ours = stack.http.post(url("/queue/retry-parked")).header("origin", &stack.base);
    assert_eq!(answer(ours).await.0, 202);
    assert!(!stack.links("http://nothing").await.iter().any(|_| true));

    for (request, status) in [
        (stack.http.get(url("/live")), 200),
        (stack.http.get(url("/queue")), 200),
        (stack.http.get(url("/queue?filter[state]=x")), 400),
        (stack.http.get(url("/nothing")), 404),
        (stack.http.get(url("/runs/7")), 404),
        (stack.http.delete(url("/sparql")), 405),
        (stack.http.post(url("/delta")).body("[]"), 204),
        (stack.http.post(url("/delta")).body("{"), 400),
        (stack.http.post(url("/timesheets/lock")).body("x".repeat(2_000_000)), 413),
        (stack.http.post(url("/queue/retry-parked")).header("origin", "null"), 403),
        (stack.http.get(url("/login")), 303),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        let header =
            |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        // A 204 has nothing that a browser could show or run.
        if status != 204 {
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{status}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{status}");
            assert_eq!(header("x-frame-options"), "DENY", "{status}");
        }
        assert_eq!(header("cache-control"), "no-store", "{status}");
        assert_eq!(header("access-control-allow-origin"), "", "{status}");
    }
}

/// A proxy of the environment's would see what we send, and the token where Kimai has no https.
#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_of_the_environment_is_asked() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let (sandbox, endpoint) = kimai();
    let folder = tempfile::tempdir().unwrap();
    let company = folder.path().join("company.ttl");
    write_company(&company);
    let mut command = with_kimai(&["standalone", "--load", company.to_str().unwrap()], &endpoint);
    command.env("API_TOKEN", TOKEN);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &address);
    }
    tokio::task::block_in_place(|| {
        let mut service = Watched::start(command);
        service.until("Created timesheet ");
        service.end();
    });
    assert!(!sandbox.timesheets().is_empty());
    assert_eq!(proxy.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// Whoever writes work logs writes parts of our messages: they stay within their line.
#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_breaks_no_line_of_the_log() {
    let (_sandbox, endpoint) = kimai();
    let folder = tempfile::tempdir().unwrap();
    let company = folder.path().join("company.ttl");
    write_company(&company);
    let text = std::fs::read_to_string(&company).unwrap();
    let today = kimai_sync::clock::Clock::system(jiff::tz::TimeZone::UTC).today();
    let text = format!(
        "{text}\n<http://x/work-logs/forger> a cal:Vevent ; cal:dtstart \"{today}\"^^xsd:date ; dct:subject <http://x/tasks/a> ;
           cal:duration \"PT1H\\n2026-01-01T00:00:00Z ERROR forged\\r\\u001B[31mred\\u0007\\u0085\\u2028\\u202E<script>\" ;
           prov:wasAssociatedWith <http://x/persons/j> ."
    );
    std::fs::write(&company, text).unwrap();
    for format in ["text", "json"] {
        let mut command = with_kimai(&["standalone", "--load", company.to_str().unwrap()], &endpoint);
        command.env("API_TOKEN", TOKEN).env("LOG_FORMAT", format);
        let log = tokio::task::block_in_place(|| {
            let mut service = Watched::start(command);
            service.until("Cannot sync <http://x/work-logs/forger>");
            service.end()
        });
        assert!(log.contains("forged"), "it is told: {log}");
        for line in log.lines() {
            assert!(
                !line.starts_with("2026-01-01")
                    && !line.contains(['\u{1b}', '\r', '\u{7}', '\u{85}', '\u{2028}', '\u{202e}']),
                "{line:?}"
            );
            match format {
                "json" => assert!(serde_json::from_str::<Value>(line).is_ok(), "{line:?}"),
                _ => assert!(
                    line.split_whitespace().next().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok()),
                    "{line:?}"
                ),
            }
        }
    }
}
