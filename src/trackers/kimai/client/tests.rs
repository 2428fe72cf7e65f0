//! What goes over the wire, and what each answer becomes.

use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::domain::Code;
use crate::domain::ids::{ActivityId, ProjectId, UserId};
use crate::settings::Description;

const TOKEN: &str = "s3cret-token";
/// Of lists: enough for 40 full pages.
pub(super) const LIMITS: ListLimits = ListLimits { rows: 20_000, pages: 60 };

pub(super) async fn kimai() -> (MockServer, Client) {
    let server = MockServer::start().await;
    let client = client_of(&format!("{}/api", server.uri()));
    (server, client)
}

fn client_of(endpoint: &str) -> Client {
    let settings = KimaiSettings {
        endpoint: endpoint.parse().unwrap(),
        token: SecretString::from(TOKEN),
        concurrency: 1..=1,
        time_limit: Duration::from_millis(500),
        description: Description::Keep,
        import_hidden: false,
        list: LIMITS,
    };
    Client::new(&settings, Metrics::default()).unwrap()
}

fn wanted() -> DesiredEntry {
    DesiredEntry {
        begin: "2024-09-02T00:00:00Z".parse().unwrap(),
        end: "2024-09-02T08:00:00Z".parse().unwrap(),
        project: ProjectId::number(32),
        activity: ActivityId::number(33),
        user: UserId::number(1),
        note: None,
    }
}

pub(super) fn row(id: usize) -> Value {
    json!({"id": id, "activity": 33, "project": 32, "user": 1, "begin": "2024-09-02T02:00:00+0200",
        "end": "2024-09-02T10:00:00+0200", "exported": false})
}

#[tokio::test]
async fn a_create_is_sent_as_the_old_service_sent_it() {
    let (server, client) = kimai().await;
    Mock::given(method("POST"))
        .and(path("/api/timesheets"))
        .and(header("authorization", "Bearer s3cret-token"))
        .and(header("accept", "application/json"))
        .and(header("content-type", "application/json"))
        .and(body_json(json!({"begin": "2024-09-02T00:00:00.000Z", "end": "2024-09-02T08:00:00.000Z",
            "project": 32, "activity": 33, "user": 1})))
        .respond_with(ResponseTemplate::new(200).set_body_json(row(7)))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(client.create(&wanted(), None).await.unwrap().id, EntryId::number(7));
}

#[tokio::test]
async fn unpaged_lists_are_asked_for_once() {
    let (server, client) = kimai().await;
    let all: Vec<Value> =
        (1..=2042).map(|id| json!({"id": id, "name": "x", "project": null, "color": null})).collect();
    Mock::given(path("/api/activities"))
        .respond_with(ResponseTemplate::new(200).set_body_json(all))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(client.activities(Rows::Imported).await.unwrap().rows.len(), 2042);
}

#[tokio::test]
async fn a_redirect_is_an_outage_and_the_token_goes_nowhere() {
    let (elsewhere, _) = kimai().await;
    for status in [301, 302, 303, 307, 308] {
        let (server, client) = kimai().await;
        let target = format!("{}/api/users/me", elsewhere.uri());
        Mock::given(wiremock::matchers::any())
            .respond_with(ResponseTemplate::new(status).insert_header("Location", target))
            .mount(&server)
            .await;
        for fault in [
            client.me().await.unwrap_err(),
            client.create(&wanted(), None).await.unwrap_err(),
            client.update(EntryId::number(1), &wanted(), None).await.unwrap_err(),
            client.delete(EntryId::number(1)).await.unwrap_err(),
        ] {
            let waits = matches!(fault.fault, Fault::Transient | Fault::Ambiguous);
            let code = matches!(fault.code, Code::ProxyAnswered | Code::AnswerLost);
            assert!(waits && code, "{status}: {fault:?}");
            assert!(fault.message.contains("KIMAI_ENDPOINT"), "{fault}");
        }
        assert_eq!(server.received_requests().await.unwrap().len(), 4, "asked once each");
    }
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_beyond_32_mib_is_not_read_to_its_end() {
    let (server, _) = kimai().await;
    let settings = KimaiSettings {
        endpoint: format!("{}/api", server.uri()).parse().unwrap(),
        token: SecretString::from(TOKEN),
        concurrency: 1..=1,
        time_limit: Duration::from_mins(1),
        description: Description::Keep,
        import_hidden: false,
        list: LIMITS,
    };
    let client = Client::new(&settings, Metrics::default()).unwrap();
    let json = |bytes: usize| format!("[{}]", " ".repeat(bytes - 2));
    for (bytes, fits) in [(heard::MOST_BYTES, true), (heard::MOST_BYTES + 1, false)] {
        server.reset().await;
        Mock::given(wiremock::matchers::any())
            .respond_with(ResponseTemplate::new(200).set_body_string(json(bytes)))
            .mount(&server)
            .await;
        let read = client.customers(Rows::Imported).await;
        assert_eq!(read.is_ok(), fits, "{read:?}");
        if !fits {
            let fault = client.customers(Rows::Imported).await.unwrap_err();
            assert_eq!(fault.fault, Fault::Transient);
            assert!(fault.message.contains("larger than 32 MiB"), "{fault}");
            let fault = client.create(&wanted(), None).await.unwrap_err();
            assert_eq!(fault.fault, Fault::Ambiguous, "it may have been stored: {fault}");
        }
    }
}

#[tokio::test]
async fn a_missing_timesheet_is_none_and_a_forbidden_one_is_a_fault() {
    let (server, client) = kimai().await;
    for (id, status) in [(1, 404), (2, 403)] {
        Mock::given(path(format!("/api/timesheets/{id}")))
            .respond_with(ResponseTemplate::new(status).set_body_json(json!({"code": status})))
            .mount(&server)
            .await;
    }
    assert_eq!(client.timesheet(EntryId::number(1)).await.unwrap(), None);
    assert_eq!(client.timesheet(EntryId::number(2)).await.unwrap_err().fault, Fault::Permanent);
    assert_eq!(client.delete(EntryId::number(1)).await.unwrap_err().fault, Fault::Gone);
}

#[tokio::test]
async fn an_answer_that_never_comes_or_makes_no_sense_leaves_a_create_ambiguous() {
    let (server, client) = kimai().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_mins(1)))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_string("<html>maintenance</html>"))
        .mount(&server)
        .await;
    for wanted_words in ["time limit", "could not be read"] {
        let fault = client.create(&wanted(), None).await.unwrap_err();
        assert_eq!(fault.fault, Fault::Ambiguous, "{fault}");
        assert!(fault.message.contains(wanted_words), "{fault}");
    }
    let refused = client_of("http://127.0.0.1:9/api").create(&wanted(), None).await.unwrap_err();
    assert_eq!(refused.fault, Fault::Transient, "never sent: {refused}");
}

#[tokio::test]
async fn a_proxys_page_is_no_deletion() {
    let (server, client) = kimai().await;
    Mock::given(method("DELETE"))
        .respond_with(ResponseTemplate::new(200).set_body_string("<html>maintenance</html>"))
        .mount(&server)
        .await;
    let fault = client.delete(EntryId::number(1)).await.unwrap_err();
    assert_eq!(fault.fault, Fault::Transient, "{fault}");
}

#[tokio::test]
async fn a_pause_that_is_asked_for_holds_for_the_whole_client() {
    let (server, client) = kimai().await;
    Mock::given(path("/api/users/me"))
        .respond_with(ResponseTemplate::new(429).insert_header("Retry-After", "1"))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(path("/api/customers"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
        .mount(&server)
        .await;
    let before = Instant::now();
    assert_eq!(client.me().await.unwrap_err().fault, Fault::Limited(Duration::from_secs(1)));
    client.customers(Rows::Imported).await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(1));
}

/// A run that slept for an hour would lose its lease, and an intent its age.
#[tokio::test]
async fn a_long_pause_is_told_at_once_and_a_creation_waits_for_none() {
    let (server, client) = kimai().await;
    let busy = |seconds: &str| ResponseTemplate::new(429).insert_header("Retry-After", seconds);
    Mock::given(path("/api/users/me")).respond_with(busy("2")).up_to_n_times(1).mount(&server).await;
    Mock::given(path("/api/users/me")).respond_with(busy("3600")).mount(&server).await;
    client.me().await.unwrap_err();
    let rest = |fault: Fault| match fault {
        Fault::Limited(rest) => rest.as_secs(),
        other => panic!("{other:?}"),
    };
    assert!(rest(client.create(&wanted(), None).await.unwrap_err().fault) < 2);
    assert_eq!(rest(client.me().await.unwrap_err().fault), 3600);
    let before = Instant::now();
    let fault = client.timesheet(EntryId::number(1)).await.unwrap_err();
    assert!(fault.to_string().contains("asked for a pause"), "{fault}");
    assert!(rest(fault.fault) > 3590 && before.elapsed() < Duration::from_secs(2));
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_token_is_in_no_message() {
    let (server, client) = kimai().await;
    Mock::given(path("/api/users/me")).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let faults =
        [client.me().await.unwrap_err(), client_of("http://127.0.0.1:9/api").me().await.unwrap_err()];
    assert_eq!(faults[0].fault, Fault::Unauthorised);
    assert!(!format!("{client:?} {faults:?}").contains(TOKEN));
}

#[tokio::test]
async fn one_odd_text_of_the_catalogue_is_replaced_and_named() {
    let (server, client) = kimai().await;
    let body = r##"[{"id":1,"name":"ACME","color":"#ff0000"},{"id":2,"name":"Jane \uD83D"},{"id":"7","name":"Text for a number"},
        {"id":4,"name":"a\u0000b"},{"id":5,"name":"\ud83d\ude00"}]"##;
    let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
    Mock::given(path("/api/customers")).respond_with(answer).mount(&server).await;
    for total in [1, 2] {
        let customers = client.customers(Rows::All).await.unwrap();
        let found: Vec<(u64, &str)> = customers.rows.iter().map(|one| (one.id, one.name.as_str())).collect();
        assert_eq!(found, [(1, "ACME"), (2, "Jane \u{FFFD}"), (4, "a\u{FFFD}b"), (5, "\u{1F600}")]);
        assert_eq!(customers.odd.count, 1);
        let told = client.unreadable.recent();
        assert!(told.len() == 1 && told[0].contains("id 2, name \"Jane \u{FFFD}\""), "{told:?}");
        assert_eq!(client.unreadable.total(), total, "it is named once");
    }
}
