//! Do the faults of the sandbox look to a client as the real ones do?

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use std::net::TcpListener;
use std::time::Duration;

use jiff::tz::TimeZone;
use kimai_sync::clock::Clock;
use kimai_sync::domain::ids::{ActivityId, ProjectId};
use kimai_sync::trackers::kimai::sandbox::{Entity, Fault, Gate, Role, Sandbox, When};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A sandbox with one user, project and activity on a port of its own, and a client of it.
struct Kimai {
    sandbox: Sandbox,
    url: String,
    client: reqwest::Client,
    project: ProjectId,
    activity: ActivityId,
    /// Runs the server until the test ends.
    _server: JoinSet<std::io::Result<()>>,
}

impl Kimai {
    fn start() -> Self {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let sandbox = Sandbox::new(Clock::starting_at(now, TimeZone::UTC));
        sandbox.add_user("sync", "Europe/Brussels", Role::SuperAdmin, Some("brussels"));
        sandbox.add_user("far", "UTC", Role::SuperAdmin, Some("utc"));
        let project = sandbox.add_project("Mobile app", sandbox.add_customer("Acme"));
        let activity = sandbox.add_activity("Analysis", Some(project));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(sandbox.serve(listener).unwrap());
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self { sandbox, url, client, project, activity, _server: server }
    }

    fn call(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.call(Method::GET, path, "brussels")
    }

    fn post(&self, token: &str) -> RequestBuilder {
        let body = json!({
            "begin": "2026-11-18T23:00:00.000Z", "end": "2026-11-19T01:00:00.000Z",
            "project": self.project, "activity": self.activity,
        });
        self.call(Method::POST, "/timesheets", token).json(&body)
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_a_record_and_a_lost_request_does_not() {
    let kimai = Kimai::start();
    kimai.sandbox.fault(When::next("POST", "/api/timesheets"), Fault::cut());
    kimai.sandbox.fault(When::next("POST", "/api/timesheets").after(1), Fault::cut().applied());

    for stored in [0, 1] {
        let lost = kimai.post("brussels").send().await.unwrap_err();
        assert!(lost.is_request() && lost.status().is_none() && !lost.is_timeout(), "{lost:?}");
        assert_eq!(kimai.sandbox.timesheets().len(), stored);
    }
    assert_eq!(kimai.post("brussels").send().await.unwrap().status(), 200);

    assert_eq!(kimai.sandbox.timesheets().len(), 2);
    let requests = kimai.sandbox.requests();
    assert_eq!(
        (requests.count("POST", "/api/timesheets"), requests.writes()),
        (3, 3),
        "the client repeats none"
    );
    let answers: Vec<Option<u16>> = requests.of("POST", "/api/*").map(|request| request.status).collect();
    assert_eq!(answers, [None, None, Some(200)]);
}

#[tokio::test]
async fn a_torn_answer_has_a_head_and_no_end() {
    let kimai = Kimai::start();
    kimai.sandbox.fault(When::next("POST", "/api/timesheets"), Fault::torn());
    let answer = kimai.post("brussels").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.is_err());
    assert_eq!(kimai.sandbox.timesheets().len(), 1);
}

#[tokio::test]
async fn another_answer_comes_as_often_as_asked_and_only_where_asked() {
    let kimai = Kimai::start();
    let busy = Fault::answer(429).header("Retry-After", "2").body("slow down");
    kimai.sandbox.fault(When::next("GET", "/api/timesheets").after(1).times(2), busy);
    let late =
        |request: &kimai_sync::trackers::kimai::sandbox::LoggedRequest| request.query.contains("visible=3");
    kimai.sandbox.fault(When::next("GET", "/api/*").only(late), Fault::bad_gateway());

    let mut statuses = Vec::new();
    for path in ["/timesheets", "/users", "/timesheets", "/timesheets", "/timesheets", "/projects?visible=3"]
    {
        let answer = kimai.get(path).send().await.unwrap();
        let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
        statuses.push((answer.status().as_u16(), wait));
    }
    let busy = (429, Some("2".to_owned()));
    assert_eq!(statuses, [(200, None), (200, None), busy.clone(), busy, (200, None), (502, None)]);

    kimai.sandbox.fault(When::next("GET", "/api/ping").times(usize::MAX), Fault::database_down());
    assert_eq!(kimai.get("/ping").send().await.unwrap().status(), 500);
    kimai.sandbox.clear_faults();
    assert_eq!(kimai.get("/ping").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_held_request_is_applied_when_let_go_and_holds_up_nobody_else() {
    let kimai = Kimai::start();
    let (before, after) = (Gate::default(), Gate::default());
    kimai.sandbox.fault(When::next("POST", "/api/timesheets"), Fault::hold(&before));
    kimai.sandbox.fault(When::next("DELETE", "/api/timesheets/*"), Fault::hold(&after).applied());

    let (answer, ()) = tokio::join!(kimai.post("brussels").send(), async {
        before.reached().await;
        assert!(kimai.sandbox.timesheets().is_empty(), "held before it is applied");
        assert_eq!(kimai.get("/ping").send().await.unwrap().status(), 200);
        before.open();
    });
    assert_eq!(answer.unwrap().status(), 200);

    let (answer, ()) = tokio::join!(kimai.call(Method::DELETE, "/timesheets/1", "brussels").send(), async {
        after.reached().await;
        assert!(kimai.sandbox.timesheets().is_empty(), "held after it was applied");
        after.open();
    });
    assert_eq!(answer.unwrap().status(), 204);
}

#[tokio::test]
async fn a_request_whose_client_gave_up_is_applied_all_the_same() {
    let kimai = Kimai::start();
    let gate = Gate::default();
    kimai.sandbox.fault(When::next("POST", "/api/timesheets"), Fault::hold(&gate));
    tokio::select! {
        answer = kimai.post("brussels").send() => panic!("held, but answered {answer:?}"),
        () = gate.reached() => {}
    }
    // Time for the server to see that the connection is gone.
    for _ in 0..20 {
        assert_eq!(kimai.get("/ping").send().await.unwrap().status(), 200);
    }
    assert!(kimai.sandbox.timesheets().is_empty());

    gate.open();
    let applied = async {
        while kimai.sandbox.timesheets().is_empty() {
            assert_eq!(kimai.get("/ping").send().await.unwrap().status(), 200);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), applied).await.unwrap();
}

#[tokio::test]
async fn a_slow_kimai_is_slow() {
    let kimai = Kimai::start();
    kimai.sandbox.set_latency(Duration::from_millis(30));
    kimai.sandbox.fault(When::next("GET", "/api/version"), Fault::wait(Duration::from_millis(30)));
    let started = std::time::Instant::now();
    assert_eq!(kimai.get("/version").send().await.unwrap().status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn a_token_of_another_zone_books_on_the_day_before() {
    let kimai = Kimai::start();
    for token in ["brussels", "utc"] {
        let body = kimai.post(token).send().await.unwrap().json::<Value>().await.unwrap();
        assert_eq!(body["duration"], 7200);
    }
    let booked: Vec<String> = kimai.sandbox.timesheets().iter().map(|row| row.day.to_string()).collect();
    assert_eq!(booked, ["2026-11-19", "2026-11-18"]);
}

#[tokio::test]
async fn what_someone_changes_in_kimai_shows() {
    let kimai = Kimai::start();
    let ids = async |path: &str| -> Vec<u64> {
        let list = kimai.get(path).send().await.unwrap().json::<Vec<Value>>().await.unwrap();
        list.iter().map(|one| one["id"].as_u64().unwrap()).collect()
    };
    let ended = kimai.sandbox.add_project("Over", kimai.sandbox.add_customer("Bird"));
    kimai.sandbox.set_project_dates(ended, None, Some("2026-06-30".parse().unwrap()));
    assert_eq!(ids("/projects").await, [1]);
    assert_eq!(ids("/projects?ignoreDates=1").await, [1, 2]);

    let begin = "2026-11-18T23:00:00Z".parse().unwrap();
    let made = kimai.sandbox.add_timesheet(
        kimai_sync::domain::ids::UserId::number(1),
        (kimai.project, kimai.activity),
        begin,
        None,
    );
    assert_eq!(ids("/timesheets?user=all&active=1").await, [1]);
    assert!(kimai.sandbox.edit_timesheet(made, |row| row.exported = true));
    assert_eq!(ids("/timesheets?user=all&exported=1").await, [1]);

    kimai.sandbox.hide(Entity::Project(kimai.project));
    assert_eq!(ids("/activities").await, [0_u64; 0]);
    assert_eq!(ids("/timesheets?user=all").await, [1], "records of hidden projects stay");
    kimai.sandbox.delete(Entity::Project(kimai.project));
    assert_eq!(ids("/timesheets?user=all").await, [0_u64; 0]);
    assert!(!kimai.sandbox.delete_timesheet(made), "it went with its project");
}

/// As Kimai's own form offers it: another project of the same customer, or none; and a global one stays global.
#[tokio::test]
async fn an_activity_moves_within_its_customer_or_becomes_a_global_one_for_good() {
    let kimai = Kimai::start();
    let near = kimai.sandbox.add_project("Shop", kimai_sync::domain::ids::CustomerId::number(1));
    let hidden = kimai.sandbox.add_project("Hidden", kimai_sync::domain::ids::CustomerId::number(1));
    kimai.sandbox.hide(Entity::Project(hidden));
    let far = kimai.sandbox.add_project("Elsewhere", kimai.sandbox.add_customer("Beta"));
    let path = format!("/activities/{}", kimai.activity);
    let table = [
        (json!(far), 400, "The selected choice is invalid."),
        (json!(hidden), 400, "The selected choice is invalid."),
        (json!(near), 200, "\"parentTitle\":\"Shop\""),
        (Value::Null, 200, "\"project\":null"),
        (json!(near), 400, "This form should not contain extra fields."),
    ];
    for (project, status, said) in table {
        let request = kimai.call(Method::PATCH, &path, "brussels").json(&json!({"project": project}));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{project}");
        let body = answer.text().await.unwrap();
        assert!(body.contains(said), "{project}: {body}");
    }
}
