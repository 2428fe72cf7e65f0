//! Lists of many pages from a Kimai that is at work meanwhile.

use std::net::TcpListener;

use jiff::tz::TimeZone;
use kimai_sync::clock::Clock;
use kimai_sync::domain::{Code, EntryId};
use kimai_sync::settings::Settings;
use kimai_sync::telemetry::Metrics;
use kimai_sync::trackers::kimai::Client;
use kimai_sync::trackers::kimai::sandbox::{Fault, Gate, LoggedRequest, Proxy, Role, Sandbox, When};
use kimai_sync::trackers::{EntryFilter, Tracker as _};
use kimai_sync::trackers::{Listed, TrackerFault};
use serde_json::json;
use tokio::task::JoinSet;

const LIST: &str = "/api/timesheets";

/// A Kimai with so many timesheets, and the service's client of it.
struct Kimai {
    sandbox: Sandbox,
    client: Client,
    add: Box<dyn Fn(&Sandbox) -> EntryId>,
    /// Runs the server until the test ends.
    _server: JoinSet<std::io::Result<()>>,
}

impl Kimai {
    fn with(timesheets: usize) -> Self {
        Self::within(timesheets, &[])
    }

    fn within(timesheets: usize, settings: &[(&str, &str)]) -> Self {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let sandbox = Sandbox::new(Clock::starting_at(now, TimeZone::UTC));
        let user = sandbox.add_user("sync", "Europe/Brussels", Role::SuperAdmin, Some("token"));
        let project = sandbox.add_project("Mobile app", sandbox.add_customer("Acme"));
        let activity = sandbox.add_activity("Analysis", Some(project));
        let add =
            Box::new(move |sandbox: &Sandbox| sandbox.add_timesheet(user, (project, activity), now, None));
        for _ in 0..timesheets {
            add(&sandbox);
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/api", listener.local_addr().unwrap());
        let vars = [("API_TOKEN", "token"), ("KIMAI_ENDPOINT", endpoint.as_str())];
        let vars = vars.iter().chain(settings);
        let vars = vars.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let client = Client::new(&Settings::from_vars(vars).unwrap().kimai, Metrics::default()).unwrap();
        let mut server = JoinSet::new();
        server.spawn(sandbox.serve(listener).unwrap());
        Self { sandbox, client, add, _server: server }
    }

    /// Reads the list, and does `meanwhile` after the first page, before any other is looked up.
    async fn list(&self, meanwhile: impl AsyncFnOnce()) -> Listed {
        let gate = Gate::default();
        let others = |request: &LoggedRequest| !request.query.contains("page=1&");
        self.sandbox.fault(When::next("GET", LIST).only(others).times(4), Fault::hold(&gate));
        let filter = EntryFilter::default();
        let (listed, ()) = tokio::join!(self.client.timesheets(&filter), async {
            gate.reached().await;
            meanwhile().await;
            gate.open();
        });
        listed.unwrap()
    }

    fn asked(&self) -> usize {
        self.sandbox.requests().count("GET", LIST)
    }
}

fn ids(listed: Listed) -> Vec<u64> {
    listed.whole().unwrap().iter().map(|timesheet| timesheet.id.as_number().unwrap()).collect()
}

#[tokio::test]
async fn four_pages_are_asked_for_at_a_time() {
    let kimai = Kimai::with(3_001);
    let listed = kimai.list(async || {
        while kimai.asked() < 5 {
            tokio::task::yield_now().await;
        }
        // Time enough for a fifth to come as well.
        kimai.client.me().await.unwrap();
        assert_eq!(kimai.asked(), 1 + 4);
    });
    assert_eq!(ids(listed.await), (1..=3_001).collect::<Vec<_>>());
    assert_eq!(kimai.asked(), 7);
}

#[tokio::test]
async fn a_timesheet_that_slips_to_a_page_read_before_is_not_taken_for_gone() {
    let kimai = Kimai::with(1_200);
    let listed = kimai.list(async || assert!(kimai.sandbox.delete_timesheet(EntryId::number(7)))).await;
    // Number 501 is on the first page now. What went meanwhile may still be shown.
    let ids: Vec<u64> = ids(listed).into_iter().filter(|id| *id != 7).collect();
    assert_eq!(ids, (1..=1_200).filter(|id| *id != 7).collect::<Vec<_>>());
    assert_eq!(kimai.asked(), 2 * 3, "twice, no more");
}

#[tokio::test]
async fn timesheets_made_meanwhile_are_in_the_list_which_is_not_read_again() {
    let kimai = Kimai::with(1_000);
    let listed = kimai.list(async || assert_eq!((kimai.add)(&kimai.sandbox), EntryId::number(1_001))).await;
    assert_eq!(ids(listed), (1..=1_001).collect::<Vec<_>>());
    assert_eq!(kimai.asked(), 3);
}

#[tokio::test]
async fn a_page_that_went_away_meanwhile_is_no_fault() {
    let kimai = Kimai::with(501);
    let listed = kimai.list(async || assert!(kimai.sandbox.delete_timesheet(EntryId::number(1)))).await;
    assert_eq!(ids(listed).last(), Some(&501));
}

#[tokio::test]
async fn what_changed_since_an_instant_can_be_asked_for_alone() {
    let kimai = Kimai::with(3);
    let later: jiff::Timestamp = "2026-11-21T12:10:00Z".parse().unwrap();
    kimai.sandbox.set_clock(Clock::starting_at(later, TimeZone::UTC));
    assert!(
        kimai.sandbox.edit_timesheet(EntryId::number(2), |row| row.description = Some("changed".to_owned()))
    );
    let filter = EntryFilter { modified_after: Some(later), ..EntryFilter::default() };
    assert_eq!(ids(kimai.client.timesheets(&filter).await.unwrap()), [2]);
}

impl Kimai {
    /// Reads the list through a proxy that spoils each of its pages.
    async fn through(&self, proxy: Proxy) -> Result<Listed, TrackerFault> {
        self.sandbox.fault(When::next("GET", LIST).times(usize::MAX), Fault::through(proxy));
        self.client.timesheets(&EntryFilter::default()).await
    }
}

#[tokio::test]
async fn a_list_that_brings_nothing_new_is_not_read_on_and_may_lack_what_comes_after() {
    let table = [
        // The last page is full: without headers nobody knows that it is the last.
        (1_000, Proxy::RepeatsLastPage, 1_000, 3, EntryId::number(1_001)),
        (1_001, Proxy::RepeatsOneRow, 1, 2, EntryId::number(8)),
        (1_001, Proxy::IgnoresQuery, 50, 1, EntryId::number(7)),
    ];
    for (rows, proxy, read, asked, lacking) in table {
        let kimai = Kimai::with(rows);
        let listed = kimai.through(proxy.clone()).await.unwrap();
        assert_eq!((listed.timesheets.len(), kimai.asked()), (read, asked), "{proxy:?}");
        assert!(listed.may_lack(lacking), "{proxy:?}");
        let fault = listed.whole().unwrap_err();
        assert_eq!(fault.code, Code::KimaiListFaulty, "{fault}");
        assert!(fault.message.contains("proxy"), "{fault}");
    }
}

#[tokio::test]
async fn a_list_without_headers_ends_where_kimai_says_so() {
    for rows in [0, 499, 500, 1_000, 1_001] {
        let kimai = Kimai::with(rows);
        let listed = kimai.through(Proxy::StripsHeaders).await.unwrap();
        assert_eq!(ids(listed), (1..=rows as u64).collect::<Vec<_>>());
        assert_eq!(kimai.asked(), rows / 500 + 1);
    }
    // A last page that is not full ends it too.
    let kimai = Kimai::with(501);
    assert_eq!(ids(kimai.through(Proxy::RepeatsLastPage).await.unwrap()).len(), 501);
    assert_eq!(kimai.asked(), 2);
}

#[tokio::test]
async fn an_absurd_number_of_pages_ends_where_the_pages_do() {
    for (header, value) in [("X-Total-Pages", "1000000000000"), ("X-Total-Pages", "18446744073709551615")] {
        let kimai = Kimai::with(1_200);
        let proxy = Proxy::Header(header, value.to_owned());
        kimai.sandbox.fault(When::next("GET", LIST), Fault::through(proxy.clone()));
        let listed = kimai.client.timesheets(&EntryFilter::default()).await.unwrap();
        assert_eq!(ids(listed), (1..=1_200).collect::<Vec<_>>(), "one absurd answer costs nothing");
        let always = kimai.through(proxy).await.unwrap();
        assert_eq!(ids(always), (1..=1_200).collect::<Vec<_>>());
        // Each list once more, since a page that was told of is not there; four at a time.
        assert!(kimai.asked() <= 4 * 7, "{}", kimai.asked());
    }
    // Nonsense in the headers counts as none, and a number of rows that never came as a fault.
    for (header, value) in [("X-Total-Pages", "-1"), ("X-Total-Pages", "soon"), ("X-Total-Count", "")] {
        let kimai = Kimai::with(600);
        let listed = kimai.through(Proxy::Header(header, value.to_owned())).await.unwrap();
        assert_eq!(ids(listed).len(), 600, "{header}: {value}");
    }
    for proxy in [
        Proxy::Header("X-Total-Pages", "1".to_owned()),
        Proxy::Header("X-Total-Count", "1000000000000".to_owned()),
        Proxy::DropsRows,
    ] {
        let kimai = Kimai::with(600);
        let listed = kimai.through(proxy.clone()).await.unwrap();
        assert!(listed.may_lack(EntryId::number(2)) && listed.may_lack(EntryId::number(599)), "{proxy:?}");
        assert_eq!(listed.whole().unwrap_err().code, Code::KimaiListFaulty, "{proxy:?}");
        assert!(kimai.asked() <= 2 * 3, "{proxy:?}: {}", kimai.asked());
    }
}

#[tokio::test]
async fn a_list_without_end_is_given_up_at_the_bound_for_rows_or_pages() {
    for (name, bound, most) in [("KIMAI_LIST_MAX_ROWS", "2000", 5), ("KIMAI_LIST_MAX_PAGES", "3", 4)] {
        let kimai = Kimai::within(0, &[(name, bound)]);
        let fault = kimai.through(Proxy::Endless).await.unwrap_err();
        assert_eq!(fault.code, Code::KimaiListFaulty, "{fault}");
        assert!(fault.message.contains(&format!("{name} ({bound})")), "{fault}");
        assert_eq!(kimai.asked(), most);
    }
}

#[tokio::test]
async fn a_row_that_is_odd_costs_itself_alone_and_no_creation() {
    let row = |id: serde_json::Value, end: &str| json!({"id": id, "activity": 1, "project": 1, "user": 1, "begin": "2026-11-21T08:00:00+0100", "end": end});
    let (well, never) = ("2026-11-21T09:00:00+0100", "9999-12-31T23:59:59+0000");
    let table = [
        (row(json!(-7), well), None),
        (row(json!("7"), well), Some(EntryId::number(7))),
        (row(json!(0), well), None),
        (row(json!(7), never), Some(EntryId::number(7))),
        (json!("not a row"), None),
    ];
    for (odd, id) in table {
        let kimai = Kimai::with(3);
        let listed = kimai.through(Proxy::Row(odd.clone())).await.unwrap();
        assert_eq!((listed.timesheets.len(), listed.odd.count, &listed.gaps), (3, 1, &vec![]), "{odd}");
        assert_eq!(listed.may_lack(EntryId::number(7)), id.is_some(), "{odd}");
        assert!(!listed.may_lack(EntryId::number(8)), "{odd}");
        // Before each creation the newest id is asked for.
        let newest = kimai.client.newest().await.unwrap();
        assert_eq!(newest.map(|newest| newest.0), id.unwrap_or(EntryId::number(3)).as_number(), "{odd}");
    }
}
