//! Both tokens are looked for, in every spelling, in everything that comes out.

use std::fmt::Write as _;

use kimai_sync::clock::Clock;
use kimai_sync::trackers::kimai::sandbox::{Fault, Role, Sandbox, When};
use serde_json::json;

use super::watched::Watched;
use super::{API_TOKEN, OPS_TOKEN, with_kimai};
use crate::process::{program, text, write_company};
use crate::support::stack::delta;

/// Every route that can be read, of this service or of a later one.
const READ: [&str; 31] = [
    "/",
    "/queue",
    "/queue?filter[state]=parked&page[size]=5",
    "/queue?filter[state]=nonsense",
    "/queue/http:%2F%2Fx%2Fwork-logs%2F1",
    "/queue/nobody",
    "/runs",
    "/runs/1",
    "/runs/1/findings",
    "/runs/1/events",
    "/runs/x",
    "/live",
    "/ready",
    "/metrics",
    "/login",
    "/login?next=/runs",
    "/docs",
    "/openapi.json",
    "/doctor",
    "/find?q=jane",
    "/work-log?id=http:%2F%2Fx%2Fwork-logs%2F1",
    "/entries?state=parked",
    "/run/1",
    "/updates",
    "/assets/style.css",
    "/sparql?query=SELECT%20*%20%7B%3Fs%20%3Fp%20%3Fo%7D",
    "/sparql?query=nonsense",
    "/delta",
    "/kimai-timesheets/1",
    "/logout",
    "/nothing",
];

/// base64, in the usual alphabet.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(number >> (18 - 6 * place)) & 63]));
        }
    }
    text
}

/// The spellings under which a secret could get out.
fn spellings(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned(), secret.chars().rev().collect()];
    all.push(serde_json::to_string(secret).unwrap().trim_matches('"').to_owned());
    all.push(format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).to_owned());
    all.push(serde_urlencoded::to_string([("", secret)]).unwrap().trim_start_matches('=').to_owned());
    for format in [false, true] {
        all.push(secret.bytes().fold(String::new(), |mut text, byte| {
            let _ = if format { write!(text, "%{byte:02X}") } else { write!(text, "{byte:02x}") };
            text
        }));
    }
    all.push(secret.replace('&', "&amp;"));
    // At each of the three places where it can begin, less what its neighbours have a part in.
    for before in 0..3 {
        let encoded = base64(format!("{}{secret}", "x".repeat(before)).as_bytes());
        let encoded = &encoded[if before == 0 { 0 } else { 4 }..encoded.len() - 3];
        all.extend([encoded.to_owned(), encoded.replace('+', "-").replace('/', "_")]);
    }
    all
}

/// Nothing of `secrets` is in `output`, in no spelling.
fn assert_untold(output: &str, secrets: &[&str], whence: &str) {
    for secret in secrets {
        for spelling in spellings(secret) {
            assert!(!output.contains(&spelling), "{whence} tells {spelling:?}");
        }
        // A part gives it away too.
        assert!(!output.contains(&secret[..12]), "{whence} tells the start of {secret:?}");
    }
}

#[test]
fn the_spellings_are_those_that_are_meant() {
    assert_eq!(
        ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
        ["", "Zg", "Zm8", "Zm9v", "Zm9vYg"]
    );
    for prefix in ["", "a", "ab", "abc", "Bearer "] {
        let inside = base64(format!("{prefix}{OPS_TOKEN}xyz").as_bytes());
        assert!(spellings(OPS_TOKEN).iter().any(|spelling| inside.contains(spelling)), "{prefix}");
    }
    assert!(spellings(OPS_TOKEN).contains(&"s3cret-ops%2Ftoken%2Bof%3Dus%260123%3B456".to_owned()));
}

/// A request's answer with its headers; of a stream that does not end only the start.
async fn whole(request: reqwest::RequestBuilder) -> (u16, String) {
    let mut answer = request.send().await.unwrap();
    let mut told = format!("{:?}\n", answer.headers());
    let endless = answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    while let Some(chunk) = answer.chunk().await.unwrap() {
        told.push_str(&String::from_utf8_lossy(&chunk));
        if endless {
            break;
        }
    }
    (answer.status().as_u16(), told)
}

fn kimai() -> (Sandbox, String) {
    let sandbox = Sandbox::new(Clock::system(jiff::tz::TimeZone::UTC));
    sandbox.add_user("sync", "UTC", Role::SuperAdmin, Some(API_TOKEN));
    sandbox.add_user("jane", "UTC", Role::User, None);
    let project = sandbox.add_project("Website", sandbox.add_customer("ACME"));
    sandbox.add_activity("Analysis", Some(project));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/api", listener.local_addr().unwrap());
    let served = sandbox.clone();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move { served.serve(listener).unwrap().await })
    });
    (sandbox, address)
}

/// Everything that is answered to whoever has the token, has none, or has a wrong one.
async fn traffic(base: &str, sandbox: &Sandbox) -> Vec<(String, String)> {
    let http = kimai_sync::http_client::client_builder(std::time::Duration::from_mins(1)).build().unwrap();
    let mut told = Vec::new();
    let mut cookie = String::new();
    let login = |token: &str, next: &str| {
        http.post(format!("{base}/login")).form(&[("token", token), ("next", next)])
    };
    for (token, next) in [("wrong", "/"), (OPS_TOKEN, "//evil.example"), (OPS_TOKEN, "/runs")] {
        let answer = login(token, next).send().await.unwrap();
        if let Some(set) = answer.headers().get("set-cookie") {
            cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        let headers = format!("{:?}", answer.headers());
        told.push((format!("login {next}"), format!("{headers}{}", answer.text().await.unwrap())));
    }
    assert_eq!(cookie.len(), "kimai-sync-session=".len() + 64);
    let sent = |request: reqwest::RequestBuilder, how: &str| match how {
        "token" => request.bearer_auth(OPS_TOKEN),
        "wrong" => request.bearer_auth(&OPS_TOKEN[1..]),
        "kimai" => request.bearer_auth(API_TOKEN),
        "browser" => request.header("accept", "text/html").header("cookie", &cookie),
        "stranger" => request.header("accept", "text/html"),
        _ => request,
    };
    let month = json!({"month": "9", "year": "2024"});
    let period = json!({"start": "2020-01-01", "end": "2030-01-01"});
    for fault in [None, Some(401), Some(500), Some(429)] {
        sandbox.clear_faults();
        if let Some(status) = fault {
            // As a proxy that is being mended might answer: with all that it was sent.
            let echo = json!({"message": format!("refused: Authorization: Bearer {API_TOKEN}")});
            for (method, path) in [
                ("GET", "/api/users"),
                ("GET", "/api/users/me"),
                ("GET", "/api/timesheets"),
                ("GET", "/api/timesheets/*"),
                ("POST", "/api/timesheets"),
            ] {
                let answer = Fault::answer(status).header("Retry-After", "1").body(&echo.to_string());
                sandbox.fault(When::next(method, path).times(3), answer);
            }
        }
        for how in ["token", "browser", "wrong", "kimai", "stranger", "nothing"] {
            for path in READ {
                let (_, answer) = whole(sent(http.get(format!("{base}{path}")), how)).await;
                told.push((format!("GET {path} {how} {fault:?}"), answer));
            }
            for (path, body) in [
                ("/delta", delta(&["http://x/work-logs/1", "http://x/work-logs/2"])),
                ("/delta", json!("nonsense")),
                ("/sync-to-kimai/work-logs?dry-run=true", period.clone()),
                ("/sync-to-kimai/work-logs", period.clone()),
                ("/sync-to-kimai/work-logs", json!({"start": OPS_TOKEN.len()})),
                ("/timesheets/lock", month.clone()),
                ("/sync-from-kimai/accounts", json!(null)),
                ("/queue/retry-parked", json!(null)),
                ("/runs/1/cancel", json!(null)),
                ("/nothing", json!(null)),
            ] {
                let request = sent(http.post(format!("{base}{path}")).body(body.to_string()), how);
                let request = request.header("content-type", "application/json");
                told.push((format!("POST {path} {how} {fault:?}"), whole(request).await.1));
            }
        }
    }
    // The session as good as the token: what names it may be told to its owner only.
    let (_, session) = cookie.split_once('=').unwrap();
    told.push(("session".to_owned(), session.to_owned()));
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_and_no_log_tells_a_token() {
    let (sandbox, endpoint) = kimai();
    let folder = tempfile::tempdir().unwrap();
    let company = folder.path().join("company.ttl");
    write_company(&company);
    for format in ["text", "json"] {
        let mut command = with_kimai(&["standalone", "--load", company.to_str().unwrap()], &endpoint);
        command.envs([("OPS_TOKEN", OPS_TOKEN), ("METRICS_PROTECTED", "true"), ("LOG_FORMAT", format)]);
        command.envs([("LOG_LEVEL", "trace"), ("LOG_SPARQL_ALL", "true"), ("SWEEP_GRACE", "0")]);
        let mut service = tokio::task::block_in_place(|| Watched::start(command));
        tokio::task::block_in_place(|| service.until(" timesheet "));
        let mut told = traffic(&service.base, &sandbox).await;
        let (_, session) = told.pop().unwrap();
        let log = tokio::task::block_in_place(|| service.end());
        assert!(log.len() > 100_000 && log.contains("TRACE"), "that was everything: {}", log.len());
        assert!(log.contains("wrong OPS_TOKEN"), "a wrong token is told of");
        assert_untold(&log, &[API_TOKEN, OPS_TOKEN, &session], "the log");
        let all: String = told.iter().map(|(_, answer)| answer.as_str()).collect();
        for words in [
            "(the API token)",
            "a proxy before it asks for a login",
            "not OPS_TOKEN",
            "Too many wrong tokens",
        ] {
            assert!(all.contains(words), "{words:?} was to be provoked");
        }
        for (whence, answer) in &told {
            assert_untold(answer, &[API_TOKEN, OPS_TOKEN], whence);
            assert!(whence.starts_with("login") || !answer.contains(&session), "{whence} tells the session");
        }
        if format == "json" {
            for line in log.lines() {
                let line: Result<serde_json::Value, _> = serde_json::from_str(line);
                assert!(line.is_ok(), "each line is JSON");
            }
        }
    }
}

#[test]
fn no_complaint_about_settings_tells_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, OPS_TOKEN).unwrap();
    let file = file.to_str().unwrap();
    let with_space = format!("{OPS_TOKEN} {OPS_TOKEN}");
    let at_kimai = format!("https://jane:{API_TOKEN}@kimai.example.com/api");
    let table: [&[(&str, &str)]; 8] = [
        &[("PORT", "x"), ("OPS_TOKEN", OPS_TOKEN)],
        &[("OPS_TOKEN", OPS_TOKEN), ("OPS_TOKEN_FILE", file)],
        &[("API_TOKEN_FILE", file)],
        &[("OPS_TOKEN", &with_space)],
        &[("OPS_TOKEN", &OPS_TOKEN[..13])],
        &[("API_TOKEN", &with_space)],
        &[("KIMAI_ENDPOINT", &at_kimai)],
        &[
            ("OPS_TOKEN", OPS_TOKEN),
            ("KIMAI_REQUIRE_HTTPS", "true"),
            ("KIMAI_ENDPOINT", "http://kimai.example.com/api"),
        ],
    ];
    for vars in table {
        for arguments in [&["serve"][..], &["standalone"]] {
            let mut command = with_kimai(arguments, "http://127.0.0.1:9/api");
            let output = command.envs(vars.iter().copied()).env("LOG_LEVEL", "trace").output().unwrap();
            let said = text(&output);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains("the settings are invalid"), "{said}");
            assert_untold(&said, &[API_TOKEN, OPS_TOKEN], &format!("{vars:?}"));
        }
    }
    for arguments in [&["--help"][..], &["serve", "--help"], &["--version"], &["nonsense"], &["healthcheck"]]
    {
        let mut command = with_kimai(arguments, "http://127.0.0.1:9/api");
        let said = text(&command.env("OPS_TOKEN", OPS_TOKEN).env("PORT", "9").output().unwrap());
        assert_untold(&said, &[API_TOKEN, OPS_TOKEN], &format!("{arguments:?}"));
    }
    for (name, token) in [("OPS_TOKEN", with_space.as_str()), ("OPS_TOKEN_FILE", "/nonexistent")] {
        let output = program(&["import"]).env(name, token).output().unwrap();
        assert!(output.status.code() == Some(2) && text(&output).contains(name), "{}", text(&output));
        assert_untold(&text(&output), &[OPS_TOKEN], name);
    }
}
