//! What goes over the wire to Kimai, against what the service this one replaces sent, as measured.

use kimai_sync::app;
use kimai_sync::domain::ids::{ActivityId, EntryId, ProjectId, UserId};
use kimai_sync::domain::timesheet::DesiredEntry;
use kimai_sync::settings::Settings;
use kimai_sync::telemetry::Metrics;
use kimai_sync::trackers::kimai::{Listings as _, Rows};
use kimai_sync::trackers::{EntryFilter, Tracker as _};
use serde_json::{Value, json};
use wiremock::matchers::{any, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::requests;
use crate::support::on_each_store;
use crate::support::stack::{Stack, TOKEN, answer};

on_each_store!(
    a_new_a_changed_and_a_deleted_work_log_are_sent_to_the_byte_as_before,
    a_work_log_that_someone_asks_for_is_sent_again,
    a_timesheet_that_someone_asks_about_is_kept_or_deleted,
);

/// But for the looks whether a timesheet is exported.
async fn a_new_a_changed_and_a_deleted_work_log_are_sent_to_the_byte_as_before(stack: Stack) {
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&work_log]).await;
    stack.change(&work_log, "cal:duration", "\"PT7H30M\"").await;
    stack.notify(&[&work_log]).await;
    stack.take_back(&work_log).await;
    stack.notify(&[&work_log]).await;
    assert_eq!(
        requests(&stack),
        [
            r#"POST /api/timesheets {"begin":"2024-09-02T00:00:00.000Z","end":"2024-09-02T08:00:00.000Z","project":2,"activity":3,"user":2}"#,
            "GET /api/timesheets/1",
            r#"PATCH /api/timesheets/1 {"begin":"2024-09-02T00:00:00.000Z","end":"2024-09-02T07:30:00.000Z","project":2,"activity":3,"user":2}"#,
            "GET /api/timesheets/1",
            "DELETE /api/timesheets/1",
        ]
    );
}

async fn a_work_log_that_someone_asks_for_is_sent_again(stack: Stack) {
    stack.register("67BF1C2E9F3B7A0009000001", "2024-09-02", "PT8H").await;
    for _ in 0..2 {
        let path = "/update-queue/work-logs/67BF1C2E9F3B7A0009000001";
        assert_eq!(stack.post(path, None).await.0, 202);
        stack.quiet().await;
    }
    let body = r#"{"begin":"2024-09-02T00:00:00.000Z","end":"2024-09-02T08:00:00.000Z","project":2,"activity":3,"user":2}"#;
    assert_eq!(
        requests(&stack),
        [
            format!("POST /api/timesheets {body}"),
            "GET /api/timesheets/1".to_owned(),
            format!("PATCH /api/timesheets/1 {body}")
        ]
    );
}

async fn a_timesheet_that_someone_asks_about_is_kept_or_deleted(stack: Stack) {
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&work_log]).await;
    let begin = "2024-09-02T00:00:00Z".parse().unwrap();
    stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    stack.forget_calls();
    for (id, asked) in [(1, &[][..]), (2, &["GET /api/timesheets/2", "DELETE /api/timesheets/2"])] {
        let url = format!("{}/kimai-timesheets/{id}", stack.base);
        assert_eq!(answer(stack.http.put(url)).await.0, 204);
        assert_eq!(requests(&stack), asked);
    }
}

/// Begin and end of what is sent for a work log, if anything is.
pub(super) async fn times(stack: &Stack, day: &str, duration: &str) -> Option<(String, String)> {
    stack.forget_calls();
    let id = format!("{}-{duration}", day.replace([':', '"', '^', '+'], ""));
    let uri = stack.register(&id, "2000-01-01", "PT1H").await;
    stack.change(&uri, "cal:duration", &format!("\"{duration}\"")).await;
    stack.change(&uri, "cal:dtstart", day).await;
    stack.notify(&[&uri]).await;
    let sent = stack.kimai.requests();
    let body: Value = serde_json::from_str(&sent.0.first()?.body).unwrap();
    let text = |field: &str| body[field].as_str().unwrap().to_owned();
    Some((text("begin"), text("end")))
}

pub(super) fn date(day: &str) -> String {
    format!("\"{day}\"^^xsd:date")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_work_day_begins_at_midnight_in_brussels_on_the_days_the_clocks_change_too() {
    let stack = Stack::embedded(&[("TZ", "Europe/Brussels")]).await;
    for (day, duration, begin, end) in [
        ("2024-09-02", "PT8H", "2024-09-01T22:00:00.000Z", "2024-09-02T06:00:00.000Z"),
        ("2024-10-27", "PT8H", "2024-10-26T22:00:00.000Z", "2024-10-27T06:00:00.000Z"),
        ("2024-10-27", "PT2H30M", "2024-10-26T22:00:00.000Z", "2024-10-27T00:30:00.000Z"),
        ("2024-10-27", "P1D", "2024-10-26T22:00:00.000Z", "2024-10-27T23:00:00.000Z"),
        ("2025-03-30", "PT2H30M", "2025-03-29T23:00:00.000Z", "2025-03-30T01:30:00.000Z"),
    ] {
        let sent = times(&stack, &date(day), duration).await;
        assert_eq!(sent, Some((begin.to_owned(), end.to_owned())), "{duration} on {day}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_durations_and_days_that_were_understood_still_are_and_no_others() {
    let stack = Stack::embedded(&[]).await;
    let monday = date("2024-09-02");
    for (duration, end) in [
        ("P1D", "2024-09-03T00:00:00.000Z"),
        ("PT90M", "2024-09-02T01:30:00.000Z"),
        ("PT0S", "2024-09-02T00:00:00.000Z"),
        ("PT1.5H", "2024-09-02T01:30:00.000Z"),
        ("PT25H", "2024-09-03T01:00:00.000Z"),
        ("P1DT2H", "2024-09-03T02:00:00.000Z"),
        ("PT8H30M15S", "2024-09-02T08:30:15.000Z"),
    ] {
        let sent = times(&stack, &monday, duration).await;
        assert_eq!(sent, Some(("2024-09-02T00:00:00.000Z".to_owned(), end.to_owned())), "{duration}");
    }
    for duration in ["", "PT", "8h", "pt8h"] {
        assert_eq!(times(&stack, &monday, duration).await, None, "{duration:?}");
    }
    for day in [
        "\"2024-09-02\"",
        "\"2024-09-02\"^^xsd:date",
        "\"2024-09-02Z\"^^xsd:date",
        "\"2024-09-02T00:00:00Z\"^^xsd:dateTime",
    ] {
        let sent = times(&stack, day, "PT1H").await.map(|(begin, _)| begin);
        assert_eq!(sent.as_deref(), Some("2024-09-02T00:00:00.000Z"), "{day}");
    }
}

/// The headers that mean something to Kimai, of every call the service makes, by method.
pub(super) async fn headers() -> Vec<(String, Vec<String>)> {
    let server = MockServer::start().await;
    let timesheet =
        json!({"id": 1, "activity": 3, "project": 2, "user": 2, "begin": "2024-09-02T00:00:00+0000"});
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([])))
        .mount(&server)
        .await;
    Mock::given(method("DELETE")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_json(timesheet)).mount(&server).await;
    let vars = [("API_TOKEN", TOKEN.to_owned()), ("KIMAI_ENDPOINT", format!("{}/api", server.uri()))];
    let settings = Settings::from_vars(vars.map(|(name, value)| (name.to_owned(), value))).unwrap();
    let kimai = app::kimai(&settings, &Metrics::default()).unwrap();
    let begin = "2024-09-02T00:00:00Z".parse().unwrap();
    let (project, activity, user) = (ProjectId::number(2), ActivityId::number(3), UserId::number(2));
    let wanted = DesiredEntry { begin, end: begin, project, activity, user, note: None };
    kimai.create(&wanted, None).await.unwrap();
    kimai.update(EntryId::number(1), &wanted, None).await.unwrap();
    kimai.delete(EntryId::number(1)).await.unwrap();
    kimai.customers(Rows::Imported).await.unwrap();
    kimai.timesheets(&EntryFilter::default()).await.unwrap();
    let sent = server.received_requests().await.unwrap().into_iter();
    sent.map(|request| {
        let headers = ["authorization", "accept", "content-type"].into_iter().filter_map(|name| {
            let value = request.headers.get(name)?.to_str().unwrap();
            Some(format!("{name}: {value}"))
        });
        (request.method.to_string(), headers.collect())
    })
    .collect()
}

#[tokio::test]
async fn the_headers_are_as_before() {
    let bearer = format!("authorization: Bearer {TOKEN}");
    let read = [bearer.as_str(), "accept: application/json"];
    let write = [bearer.as_str(), "accept: application/json", "content-type: application/json"];
    let sent = headers().await;
    for (method, headers) in &sent {
        match method.as_str() {
            "POST" | "PATCH" => assert_eq!(headers[..], write, "{method}"),
            "GET" => assert_eq!(headers[..], read, "{method}"),
            // See the table of differences.
            _ => assert_eq!(headers[..2], read, "{method}"),
        }
    }
    let methods: Vec<&str> = sent.iter().map(|(method, _)| method.as_str()).collect();
    assert_eq!(methods, ["POST", "PATCH", "DELETE", "GET", "GET"]);
}
