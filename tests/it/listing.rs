//! Lists of many pages from a Kimai that is at work meanwhile.

use std::net::TcpListener;

use jiff::tz::TimeZone;
use kimai_sync::clock::Clock;
use kimai_sync::domain::KimaiId;
use kimai_sync::kimai::{Client, Listed, TimesheetFilter, Timesheets as _};
use kimai_sync::sandbox::{Fault, Gate, LoggedRequest, Role, Sandbox, When};
use kimai_sync::settings::Settings;
use tokio::task::JoinSet;

const LIST: &str = "/api/timesheets";

/// A Kimai with so many timesheets, and the service's client of it.
struct Kimai {
    sandbox: Sandbox,
    client: Client,
    add: Box<dyn Fn(&Sandbox) -> KimaiId>,
    /// Runs the server until the test ends.
    _server: JoinSet<std::io::Result<()>>,
}

impl Kimai {
    fn with(timesheets: usize) -> Self {
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
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let client = Client::new(&Settings::from_vars(vars).unwrap().kimai).unwrap();
        let mut server = JoinSet::new();
        server.spawn(sandbox.serve(listener).unwrap());
        Self { sandbox, client, add, _server: server }
    }

    /// Reads the list, and does `meanwhile` after the first page, before any other is looked up.
    async fn list(&self, meanwhile: impl AsyncFnOnce()) -> Listed {
        let gate = Gate::default();
        let others = |request: &LoggedRequest| !request.query.contains("page=1&");
        self.sandbox.fault(When::next("GET", LIST).only(others).times(4), Fault::hold(&gate));
        let filter = TimesheetFilter::default();
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
    listed.whole().unwrap().iter().map(|timesheet| timesheet.id.0).collect()
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
    let listed = kimai.list(async || assert!(kimai.sandbox.delete_timesheet(KimaiId(7)))).await;
    // Number 501 is on the first page now. What went meanwhile may still be shown.
    let ids: Vec<u64> = ids(listed).into_iter().filter(|id| *id != 7).collect();
    assert_eq!(ids, (1..=1_200).filter(|id| *id != 7).collect::<Vec<_>>());
    assert_eq!(kimai.asked(), 2 * 3, "twice, no more");
}

#[tokio::test]
async fn timesheets_made_meanwhile_are_in_the_list_which_is_not_read_again() {
    let kimai = Kimai::with(1_000);
    let listed = kimai.list(async || assert_eq!((kimai.add)(&kimai.sandbox), KimaiId(1_001))).await;
    assert_eq!(ids(listed), (1..=1_001).collect::<Vec<_>>());
    assert_eq!(kimai.asked(), 3);
}

#[tokio::test]
async fn a_page_that_went_away_meanwhile_is_no_fault() {
    let kimai = Kimai::with(501);
    let listed = kimai.list(async || assert!(kimai.sandbox.delete_timesheet(KimaiId(1)))).await;
    assert_eq!(ids(listed).last(), Some(&501));
}

#[tokio::test]
async fn what_changed_since_an_instant_can_be_asked_for_alone() {
    let kimai = Kimai::with(3);
    let later: jiff::Timestamp = "2026-11-21T12:10:00Z".parse().unwrap();
    kimai.sandbox.set_clock(Clock::starting_at(later, TimeZone::UTC));
    assert!(kimai.sandbox.edit_timesheet(KimaiId(2), |row| row.description = Some("changed".to_owned())));
    let filter = TimesheetFilter { modified_after: Some(later), ..TimesheetFilter::default() };
    assert_eq!(ids(kimai.client.timesheets(&filter).await.unwrap()), [2]);
}
