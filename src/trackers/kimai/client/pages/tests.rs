//! Pages that come, come late, come twice or never.

use serde_json::{Value, json};
use wiremock::matchers::{path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::tests::{kimai, row};
use super::*;
use crate::domain::EntryId;
use crate::trackers::Gap;
use crate::trackers::Tracker;

/// The timesheets 1 to `rows`, in pages of 500. Any other page is 404, as in Kimai.
async fn serve(server: &MockServer, rows: usize) {
    let pages = rows.div_ceil(PAGE_SIZE).max(1);
    for page in 1..=pages {
        let ids = (page - 1) * PAGE_SIZE + 1..=rows.min(page * PAGE_SIZE);
        let answer = ResponseTemplate::new(200)
            .insert_header("X-Total-Pages", pages.to_string())
            .insert_header("X-Total-Count", rows.to_string())
            .set_body_json(ids.map(row).collect::<Vec<Value>>());
        answers(page).respond_with(answer).with_priority(9).mount(server).await;
    }
}

fn answers(page: usize) -> wiremock::MockBuilder {
    Mock::given(path("/api/timesheets"))
        .and(query_param("page", page.to_string()))
        .and(query_param("user", "all"))
        .and(query_param("orderBy", "id"))
        .and(query_param("order", "ASC"))
}

/// Lets a page fail, so many times.
async fn fail(server: &MockServer, page: usize, status: u16, times: u64) {
    let body = json!({ "code": status });
    let failing = answers(page).respond_with(ResponseTemplate::new(status).set_body_json(body));
    failing.up_to_n_times(times).mount(server).await;
}

async fn all(client: &Client) -> Result<Listed, TrackerFault> {
    client.timesheets(&EntryFilter::default()).await
}

async fn asked(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

fn ids(listed: &Listed) -> Vec<usize> {
    listed
        .timesheets
        .iter()
        .map(|timesheet| usize::try_from(timesheet.id.as_number().unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn every_page_is_read_once_and_none_past_the_last() {
    for rows in [0, 499, 500, 501, 1000, 3_001] {
        let (server, client) = kimai().await;
        serve(&server, rows).await;
        let listed = all(&client).await.unwrap();
        assert_eq!((ids(&listed), &listed.gaps), ((1..=rows).collect(), &vec![]));
        assert_eq!(asked(&server).await, rows.div_ceil(PAGE_SIZE).max(1));
    }
}

#[tokio::test]
async fn a_list_without_kimais_headers_is_read_to_its_end_too() {
    let (server, client) = kimai().await;
    for (page, ids) in [(1, 1..=500), (2, 501..=1_000), (3, 1_001..=1_001)] {
        let answer = ResponseTemplate::new(200).set_body_json(ids.map(row).collect::<Vec<Value>>());
        answers(page).respond_with(answer).expect(1).mount(&server).await;
    }
    assert_eq!(all(&client).await.unwrap().whole().unwrap().len(), 1_001);
}

#[tokio::test]
async fn a_page_that_fails_for_a_moment_costs_nothing() {
    let (server, client) = kimai().await;
    serve(&server, 2_000).await;
    fail(&server, 1, 502, 1).await;
    fail(&server, 3, 502, 2).await;
    assert_eq!(all(&client).await.unwrap().whole().unwrap().len(), 2_000);
    assert_eq!(asked(&server).await, 4 + 3);
}

#[tokio::test]
async fn a_page_that_cannot_be_read_costs_its_own_timesheets_only() {
    let (server, client) = kimai().await;
    serve(&server, 3_200).await;
    fail(&server, 3, 500, u64::MAX).await;
    fail(&server, 4, 403, u64::MAX).await;
    fail(&server, 7, 500, u64::MAX).await;
    let listed = all(&client).await.unwrap();
    assert_eq!(ids(&listed), (1..=1_000).chain(2_001..=3_000).collect::<Vec<_>>());
    let bounds = |gap: &Gap| (gap.above, gap.below);
    let wanted =
        [(Some(EntryId::number(1_000)), Some(EntryId::number(2_001))), (Some(EntryId::number(3_000)), None)];
    assert_eq!(listed.gaps.iter().map(bounds).collect::<Vec<_>>(), wanted);
    for (id, lacking) in [(1_000, false), (1_001, true), (2_000, true), (2_001, false), (3_201, true)] {
        assert_eq!(listed.may_lack(EntryId::number(id)), lacking, "{id}");
    }
    // Three times what may pass by itself, once what will not.
    assert_eq!(asked(&server).await, 4 + 3 + 1 + 3);
    assert_eq!(listed.whole().unwrap_err().fault, Fault::Transient, "who needs all has none");
}

#[tokio::test]
async fn where_nothing_can_be_read_nothing_is_taken_for_empty() {
    for (page, status, fault, tries) in
        [(1, 500, Fault::Transient, 3), (1, 403, Fault::Permanent, 1), (2, 401, Fault::Unauthorised, 2)]
    {
        let (server, client) = kimai().await;
        serve(&server, 1_000).await;
        fail(&server, page, status, u64::MAX).await;
        assert_eq!(all(&client).await.unwrap_err().fault, fault);
        assert_eq!(asked(&server).await, tries);
    }
}

#[tokio::test]
async fn a_kimai_that_goes_down_in_the_middle_is_not_asked_for_each_page_in_turn() {
    let (server, client) = kimai().await;
    serve(&server, 20_000).await;
    for page in 2..=40 {
        fail(&server, page, 403, u64::MAX).await;
    }
    all(&client).await.unwrap_err();
    let asked = asked(&server).await;
    assert!((5..12).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_short_pause_that_kimai_asks_for_is_kept_and_a_long_one_ends_the_list() {
    let (server, client) = kimai().await;
    serve(&server, 1_000).await;
    let busy = |seconds: &str| ResponseTemplate::new(429).insert_header("Retry-After", seconds);
    answers(2).respond_with(busy("1")).up_to_n_times(1).mount(&server).await;
    assert_eq!(all(&client).await.unwrap().whole().unwrap().len(), 1_000);
    answers(2).respond_with(busy("3600")).mount(&server).await;
    assert_eq!(all(&client).await.unwrap_err().fault, Fault::Limited(Duration::from_hours(1)));
    assert_eq!(asked(&server).await, 3 + 2);
}

#[tokio::test]
async fn bounds_are_sent_in_the_one_form_that_kimai_takes() {
    let (server, client) = kimai().await;
    serve(&server, 0).await;
    let filter = EntryFilter {
        begin: Some("2024-08-31T00:00:00".parse().unwrap()),
        end: Some("2024-10-02T23:59:59".parse().unwrap()),
        modified_after: Some("2024-09-02T10:00:00.75+02:00".parse().unwrap()),
        user: None,
    };
    client.timesheets(&filter).await.unwrap();
    let sent = server.received_requests().await.unwrap().remove(0).url;
    let sent: std::collections::BTreeMap<_, _> = sent.query_pairs().collect();
    let bounds = ["begin", "end", "modified_after"].map(|name| sent[name].as_ref());
    assert_eq!(bounds, ["2024-08-31T00:00:00", "2024-10-02T23:59:59", "2024-09-02T08:00:00"]);
}
