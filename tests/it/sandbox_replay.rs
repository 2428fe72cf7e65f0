//! Is the sandbox a Kimai? All requests recorded from a real Kimai 2.65 are sent to it again, in order,
//! and its answers compared with the recorded ones: status, headers and body.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use kimai_sync::clock::Clock;
use kimai_sync::domain::ids::{ActivityId, EntryId, ProjectId, UserId};
use kimai_sync::trackers::kimai::sandbox::{Fault, Role, Sandbox, Snapshot, When};
use serde::Deserialize;
use serde_json::Value;

const EXCHANGES: &str = include_str!("../fixtures/kimai/exchanges.jsonl");
const SEED: &str = include_str!("../fixtures/kimai/seed_timesheets.jsonl");

/// When the recorded "now" was; each request is sent at that moment.
const RECORDED_AT: &str = "2026-11-21T17:33:30Z";

/// Recordings that the sandbox does not answer alike, and why it need not.
const LEFT_OUT: &[(RangeInclusive<u32>, &str)] = &[
    (1..=1, "/users/{id}/preferences is no route of ours; its effect, the zone, is seeded"),
    (394..=394, "the deprecated X-AUTH-USER login answers 400 after too many attempts; we use tokens only"),
];

#[derive(Deserialize)]
struct Exchange {
    n: u32,
    case: String,
    method: String,
    path: String,
    request_headers: BTreeMap<String, String>,
    request_body: Value,
    status: u16,
    response_headers: BTreeMap<String, String>,
    response_body: Value,
}

/// A timesheet that was in the recorded Kimai before the recording: id, user, project, activity, day,
/// minutes, description, tags. See `tests/fixtures/kimai/README.md`.
#[derive(Deserialize)]
struct Seeded(u64, u64, u64, u64, Date, i64, Option<String>, Vec<String>);

#[actix_web::test]
async fn the_sandbox_answers_as_the_recorded_kimai() {
    let clock = || Clock::starting_at(RECORDED_AT.parse().unwrap(), TimeZone::UTC);
    let sandbox = Sandbox::new(clock());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    let server = sandbox.serve(listener).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let client = client();

    let exchanges: Vec<Exchange> =
        EXCHANGES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut seeded = None;
    let (mut equal, mut wrong) = (0, Vec::new());
    seed_first_user(&sandbox);
    for exchange in &exchanges {
        prepare(exchange.n, &sandbox, &mut seeded);
        sandbox.set_clock(clock());
        let difference = difference(&client, &host, exchange).await;
        let reason = LEFT_OUT.iter().find(|(range, _)| range.contains(&exchange.n));
        match (difference, reason) {
            (None, None) => equal += 1,
            (Some(_), Some(_)) => {}
            (None, Some((_, reason))) => {
                wrong.push(format!("{} {}: is left out ({reason}) but equal", exchange.n, exchange.case));
            }
            (Some(difference), None) => wrong.push(format!("{} {}: {difference}", exchange.n, exchange.case)),
        }
    }
    handle.stop(false).await;

    let known = |n: u32| exchanges.iter().any(|exchange| exchange.n == n);
    let left_out: Vec<u32> = LEFT_OUT.iter().flat_map(|(range, _)| range.clone()).collect();
    println!("{equal} of {} recordings replayed equal, {} left out:", exchanges.len(), left_out.len());
    for (range, reason) in LEFT_OUT {
        println!("  {range:?}: {reason}");
    }
    assert!(left_out.iter().all(|n| known(*n)), "a recording that is left out does not exist");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(equal + left_out.len(), exchanges.len());
}

fn client() -> reqwest::Client {
    // Another test may have been first: one provider is as good as the other.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    client.timeout(Duration::from_secs(30)).build().unwrap()
}

/// The user that Kimai's installer made, and the tokens that were made by hand for users to come.
fn seed_first_user(sandbox: &Sandbox) {
    let admin = sandbox.add_user("admin", "Europe/Brussels", Role::SuperAdmin, Some("<ADMIN>"));
    let tokens = [
        (2, "<SYNC>"),
        (3, "<TEAMLEAD>"),
        (4, "<USER>"),
        (10, "<NY>"),
        (11, "<UTC>"),
        (12, "<DISABLED>"),
        (13, "<OFFICE>"),
    ];
    for (user, token) in tokens {
        sandbox.add_token(UserId::number(user), token);
    }
    sandbox.add_token(admin, "<EXPIRED>");
    sandbox.expire_token("<EXPIRED>");
}

/// What the recorder did between two recordings other than by the API: loading timesheets, going back to
/// the database as seeded, changing settings, and stopping the database and php-fpm.
fn prepare(n: u32, sandbox: &Sandbox, seeded: &mut Option<Snapshot>) {
    let back = || sandbox.restore(seeded.clone().unwrap());
    match n {
        84 => load_timesheets(sandbox),
        85 => *seeded = Some(sandbox.snapshot()),
        395 | 504 => back(),
        428 => sandbox.rules(|rules| rules.allow_zero_duration = false),
        431 => sandbox.rules(|rules| (rules.allow_zero_duration, rules.allow_overlapping) = (true, false)),
        437 => sandbox.rules(|rules| (rules.allow_overlapping, rules.allow_future_times) = (true, false)),
        438 => sandbox.rules(|rules| {
            (rules.allow_future_times, rules.longest) = (true, Some(Duration::from_hours(8)));
        }),
        440 => sandbox.rules(|rules| (rules.longest, rules.require_activity) = (None, false)),
        441 => sandbox.rules(|rules| (rules.require_activity, rules.breaks) = (true, true)),
        443 => sandbox.rules(|rules| {
            (rules.breaks, rules.tracking_mode, rules.times_in_punch) = (false, "punch".to_owned(), true);
        }),
        445 => sandbox.rules(|rules| {
            "duration_fixed_begin".clone_into(&mut rules.tracking_mode);
            "08:00".clone_into(&mut rules.default_begin);
        }),
        447 => sandbox.rules(|rules| rules.rounding = Duration::from_mins(15)),
        448 => sandbox.rules(|rules| rules.rounding = Duration::ZERO),
        449 => sandbox.rules(|rules| {
            rules.rounding = Duration::from_mins(1);
            rules.locked_before = Some("2026-10-01T00:00:00Z".parse().unwrap());
        }),
        454 => sandbox.rules(|rules| (rules.locked_before, rules.allow_overbooking) = (None, false)),
        456 => sandbox.rules(|rules| rules.allow_overbooking = true),
        477 => {
            back();
            sandbox.rules(|rules| rules.meta_fields = vec!["external_id".to_owned()]);
        }
        495..=498 => every(sandbox, &Fault::database_down()),
        500..=502 => every(sandbox, &Fault::bad_gateway()),
        499 | 503 => sandbox.clear_faults(),
        520 => post_unrecorded(sandbox),
        _ => {}
    }
}

/// The recorder made timesheet 356 without recording it. Its times do not show: the first recorded call
/// that touches it sets them.
fn post_unrecorded(sandbox: &Sandbox) {
    let (begin, end) = ("2026-11-17T23:00:00Z".parse().unwrap(), "2026-11-18T00:00:00Z".parse().unwrap());
    let given = sandbox.add_timesheet(
        UserId::number(4),
        (ProjectId::number(2), ActivityId::number(5)),
        begin,
        Some(end),
    );
    assert_eq!(given, EntryId::number(356));
}

fn every(sandbox: &Sandbox, fault: &Fault) {
    for method in ["GET", "POST", "DELETE"] {
        for path in ["/api/*", "/api/*/*"] {
            sandbox.fault(When::next(method, path).times(usize::MAX), fault.clone());
        }
    }
}

fn load_timesheets(sandbox: &Sandbox) {
    let brussels = TimeZone::get("Europe/Brussels").unwrap();
    for line in SEED.lines() {
        let Seeded(id, user, project, activity, day, minutes, description, tags) =
            serde_json::from_str(line).unwrap();
        let begin = brussels.to_timestamp(day.at(0, 0, 0, 0)).unwrap();
        let end = begin + jiff::SignedDuration::from_mins(minutes);
        let work = (ProjectId::number(project), ActivityId::number(activity));
        let given = sandbox.add_timesheet(UserId::number(user), work, begin, Some(end));
        assert_eq!(given, EntryId::number(id));
        sandbox.edit_timesheet(given, |row| (row.description, row.tags) = (description, tags));
    }
}

/// Sends a recorded request; tells how the answer differs from the recorded one, if it does.
async fn difference(client: &reqwest::Client, host: &str, exchange: &Exchange) -> Option<String> {
    let method = exchange.method.parse().unwrap();
    let mut request = client.request(method, format!("{host}{}", exchange.path));
    for (name, value) in &exchange.request_headers {
        request = request.header(name, value);
    }
    request = match &exchange.request_body {
        Value::Null => request,
        Value::String(text) => request.body(text.clone()),
        json => request.body(json.to_string()),
    };
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.text().await.unwrap();
    if status != exchange.status {
        return Some(format!("status {status} instead of {}: {body}", exchange.status));
    }
    for name in COMPARED_HEADERS {
        let sent = headers.get(*name).map(|value| value.to_str().unwrap().to_lowercase());
        let recorded = exchange.response_headers.get(*name).map(|value| own_host(value, host).to_lowercase());
        if sent != recorded {
            return Some(format!("header {name} is {sent:?} instead of {recorded:?}"));
        }
    }
    let (sent, recorded) = match &exchange.response_body {
        Value::Null => (body, String::new()),
        Value::String(text) => (body, own_host(text, host)),
        json => match serde_json::from_str(&body) {
            Ok(sent) => (comparable(sent).to_string(), comparable(json.clone()).to_string()),
            Err(_) => (body, json.to_string()),
        },
    };
    (sent.trim_end() != recorded.trim_end()).then(|| format!("\n  sent     {sent}\n  recorded {recorded}"))
}

const COMPARED_HEADERS: &[&str] = &[
    "access-control-allow-origin",
    "allow",
    "cache-control",
    "content-language",
    "content-type",
    "location",
    "vary",
    "www-authenticate",
    "x-page",
    "x-per-page",
    "x-total-count",
    "x-total-pages",
];

/// Redirects name the host that was asked: the recorded Kimai was at another one than the sandbox.
fn own_host(text: &str, host: &str) -> String {
    text.replace("http://127.0.0.1:8001", host)
}

/// A body without what need not be equal:
/// - `color-safe` where no colour is set: Kimai computes it from the name by a palette of its own, which
///   nothing of ours reads. It only has to be a colour.
/// - four `preferences` that Kimai adds to some users as its pages are used; nothing of ours reads any.
fn comparable(mut json: Value) -> Value {
    match &mut json {
        Value::Object(fields) => {
            let computed = fields.get("color").is_some_and(Value::is_null);
            for (name, value) in fields.iter_mut() {
                *value = match value.as_str() {
                    Some(colour) if computed && name == "color-safe" && is_colour(colour) => {
                        "computed".into()
                    }
                    _ => comparable(value.take()),
                };
            }
        }
        Value::Array(items) => {
            items.retain(|item| !PAGES_PREFERENCES.iter().any(|name| item["name"] == *name));
            for item in items {
                *item = comparable(item.take());
            }
        }
        _ => {}
    }
    json
}

const PAGES_PREFERENCES: &[&str] = &["hourly_rate", "internal_rate", "first_weekday", "favorite_routes"];

fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
