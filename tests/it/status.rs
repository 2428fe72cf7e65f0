//! One status: whatever state the service is in, the page, `/ready`, `/queue`, `/metrics`, `/doctor` and the commands
//! say the same of it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use kimai_sync::contact;
use kimai_sync::domain::WorkLogUri;
use kimai_sync::domain::status::Part;
use kimai_sync::queue::Reason;
use kimai_sync::store::sqlite::{FILE, Storage};
use kimai_sync::trackers::kimai::sandbox::{Fault, LoggedRequest, Sandbox, When};
use serde_json::{Value, json};

use crate::process::{Running, program};
use crate::support::stack::{Stack, TOKEN, answer, delta};

/// How the screens of a neighbour can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Unknown,
    Answers,
    Paused,
    Down,
}

/// What all screens say at one moment.
#[derive(Debug)]
struct Screens {
    title: String,
    headline: String,
    links: BTreeMap<String, String>,
    tiles: Vec<u64>,
    ready: (u16, String),
    meta: Value,
    metrics: String,
    checks: BTreeMap<String, (String, String)>,
    list: String,
}

/// What stands between two texts, behind each other.
fn between<'a>(html: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    html.split(start).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

fn number(text: &str) -> u64 {
    text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

impl Screens {
    async fn of(base: &str) -> Self {
        let http = kimai_sync::http_client::client_builder(Duration::from_mins(1)).build().unwrap();
        let get = async |path: &str| answer(http.get(format!("{base}{path}"))).await;
        let json = async |path: &str| serde_json::from_str::<Value>(&get(path).await.2).unwrap();
        let (_, _, html) = get("/").await;
        let state = between(&html, "id=\"state\"", "</h1>")[0];
        let health = between(&html, "id=\"health\"", "</section>")[0];
        let links = between(health, "<li>", "</li>").into_iter().map(|line| {
            let name = between(line, "class=\"name\">", "<")[0];
            let said = between(line, "</svg><span>", "<")[0];
            (name.to_owned(), said.to_owned())
        });
        let tiles = between(&html, "tile-number\">", "<").into_iter().map(number);
        let (links, tiles) = (links.collect(), tiles.collect());
        let doctor = json("/doctor").await;
        let checks = doctor["data"].as_array().unwrap().iter().map(|check| {
            let told = |name: &str| check["attributes"][name].as_str().unwrap().to_owned();
            (check["id"].as_str().unwrap().to_owned(), (told("verdict"), told("says")))
        });
        let mut command = program(&["queue", "list", "--state", "running", "--url", base]);
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        let (ready, _, why) = get("/ready").await;
        Self {
            title: between(&html, "<title>", "<")[0].to_owned(),
            headline: between(state, "<span>", "<")[0].to_owned(),
            links,
            tiles,
            ready: (ready, why),
            metrics: get("/metrics").await.2,
            checks: checks.collect(),
            list: String::from_utf8(output.stdout).unwrap(),
            // The last one, so that what moved between the page and this shows.
            meta: json("/queue").await["meta"].clone(),
        }
    }

    /// What shows whether something moves.
    fn stand(&self) -> (&[u64], Vec<&Value>, &BTreeMap<String, String>) {
        let meta = ["queued", "scheduled", "running", "parked", "down"].map(|name| &self.meta[name]);
        (&self.tiles, meta.into(), &self.links)
    }

    fn metric(&self, series: &str) -> u64 {
        let line = self.metrics.lines().find_map(|line| line.strip_prefix(&format!("kimai_sync_{series} ")));
        let value: f64 = line.unwrap_or_else(|| panic!("no {series}")).parse().unwrap();
        format!("{value:.0}").parse().unwrap()
    }

    fn link(&self, name: &str) -> Link {
        match self.links[name].as_str() {
            "Not contacted yet" => Link::Unknown,
            "Answers" => Link::Answers,
            "Asked for a pause" => Link::Paused,
            "Unavailable" => Link::Down,
            other => panic!("{name}: {other}"),
        }
    }

    /// Compares all with each other; gives what differs.
    fn agree(&self) -> Result<(), String> {
        for (name, told, metric, check) in [
            ("Kimai", "Kimai", "kimai_breaker_open", "kimai"),
            ("Triplestore", "the triplestore", "triplestore_breaker_open", "triplestore"),
        ] {
            let down = self.link(name) == Link::Down;
            let listed = self.meta["down"].as_array().unwrap().iter().any(|down| down["name"] == told);
            same(&format!("/queue on {name}"), &listed, &down)?;
            same(&format!("/metrics on {name}"), &self.metric(metric), &u64::from(down))?;
            same(&format!("the command on {name}"), &self.list.contains(&format!(": {told}: ")), &down)?;
            if let Some((verdict, _)) = self.checks.get(check) {
                same(&format!("/doctor on {name}"), &(verdict == "trouble"), &down)?;
            }
            let named = self.headline.to_lowercase().contains(&name.to_lowercase());
            let silent = down && !named && !self.headline.contains("cannot be saved");
            let alarmed = !down && named && self.headline.ends_with("down");
            same(&format!("the headline on {name}"), &(silent, alarmed), &(false, false))?;
        }
        let refuses = self.metric("kimai_refuses_token") == 1;
        same("Kimai refuses and answers", &(refuses && self.link("Kimai") != Link::Down), &false)?;
        if let Some((verdict, _)) = self.checks.get("token") {
            same("the check of the token", &(verdict == "trouble"), &refuses)?;
        }
        if let Some((_, held)) = self.headline.split_once("The last sweep held ") {
            let count = held.split(' ').next().unwrap();
            let (verdict, says) = &self.checks["held-back"];
            let told = says.contains(&format!("held {count} back"));
            same("the check of deletions", &(verdict.as_str(), told), &("warning", true))?;
        }
        self.agree_on_the_queue()
    }

    fn agree_on_the_queue(&self) -> Result<(), String> {
        let saved = self.links["Queue file"] == "Writable";
        same("/metrics on the file", &self.metric("queue_writable"), &u64::from(saved))?;
        same("the headline on the file", &self.headline.contains("cannot be saved"), &!saved)?;
        same("/ready on the file", &self.ready.1.contains("Nothing can be saved"), &!saved)?;
        if let Some((verdict, _)) = self.checks.get("queue-file") {
            same("/doctor on the file", &(verdict == "trouble"), &!saved)?;
        }
        let states = ["queued", "scheduled", "running", "parked"];
        let counts: Vec<u64> = states.iter().map(|state| self.meta[state].as_u64().unwrap()).collect();
        same("tiles", &self.tiles, &counts)?;
        let measured = states.map(|state| self.metric(&format!("queue_entries{{state=\"{state}\"}}")));
        same("/metrics on the queue", &measured.to_vec(), &counts)?;
        let line: Vec<String> =
            states.iter().zip(&counts).map(|(state, count)| format!("{state} {count}")).collect();
        same("the command on the queue", &self.list.contains(&line.join(" · ")), &true)?;
        if let Some((_, says)) = self.checks.get("queue") {
            same("/doctor on the queue", &says.to_lowercase().contains(&line.join(", ")), &true)?;
        }
        same("the title", &(self.title.contains("parked") && counts[3] == 0), &false)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, told: &T, wanted: &T) -> Result<(), String> {
    if told == wanted { Ok(()) } else { Err(format!("{what}: {told:?}, not {wanted:?}")) }
}

/// All screens of a moment in which nothing moved. They agree then: what comes and goes between two of them is no
/// contradiction, one that stays is.
async fn screens(base: &str) -> Screens {
    let mut before = Screens::of(base).await;
    let mut last = String::new();
    for _ in 0..100 {
        let seen = Screens::of(base).await;
        match seen.agree() {
            Ok(()) if before.stand() == seen.stand() => return seen,
            Ok(()) => last = format!("{:?}, then {:?}", before.stand(), seen.stand()),
            Err(why) => last = format!("{why} in {seen:#?}"),
        }
        before = seen;
    }
    panic!("they never agree: {last}");
}

/// Every request to Kimai that passes this test meets with this.
fn all_that(kimai: &Sandbox, fault: &Fault, test: fn(&LoggedRequest) -> bool) {
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        for path in ["/api/*", "/api/*/*", "/api/*/*/*"] {
            kimai.fault(When::next(method, path).times(usize::MAX).only(test), fault.clone());
        }
    }
}

/// Every request to Kimai meets with this.
fn every(kimai: &Sandbox, fault: &Fault) {
    all_that(kimai, fault, |_| true);
}

async fn notify(stack: &Stack, uris: &[String]) {
    let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
    assert_eq!(stack.post("/delta", Some(delta(&uris))).await.0, 204);
}

/// Waits until the page has this headline.
async fn told(stack: &Stack, headline: &str) -> Screens {
    let wait = async {
        loop {
            let seen = Screens::of(&stack.base).await;
            if seen.headline == headline {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let late = tokio::time::timeout(Duration::from_mins(1), wait).await.is_err();
    assert!(!late, "never {headline:?}: {:#?}", Screens::of(&stack.base).await);
    let seen = screens(&stack.base).await;
    assert_eq!(seen.headline, headline, "{seen:#?}");
    seen
}

/// One request of a sweep that fails is all that anybody has learned: no run for a work log has.
async fn ask_kimai(stack: &Stack) {
    let _ = contact::within(Part::Sweep, stack.engine.kimai.me()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kimai_down_refusing_or_failing_is_told_alike_and_so_is_its_return() {
    let stack = Stack::embedded(&[("KIMAI_TIMEOUT", "2")]).await;
    let uri = stack.register("A", "2024-09-02", "PT1H").await;
    stack.notify(&[&uri]).await;
    stack.engine.doctor.examine().await;
    let seen = told(&stack, "Everything is synced").await;
    assert_eq!((seen.title.as_str(), seen.ready.0), ("All synced · kimai-sync", 200), "{seen:#?}");
    assert!(seen.checks["kimai"].1.contains("version 2.65.0"), "{seen:#?}");

    // Nothing listens there any more, which only a sweep has met with: the checks of before do not hide it.
    every(&stack.kimai, &Fault::cut());
    ask_kimai(&stack).await;
    let seen = told(&stack, "Kimai is down").await;
    assert_eq!((seen.meta["down"][0]["code"].as_str(), seen.ready.0), (Some("kimai-unavailable"), 200));
    assert!(seen.meta["down"][0]["answered"].is_string() && seen.meta["down"][0]["since"].is_string());
    stack.kimai.clear_faults();
    ask_kimai(&stack).await;
    told(&stack, "Everything is synced").await;

    // What it cannot do once is no outage; when it can do nothing, it is one.
    all_that(&stack.kimai, &Fault::database_down(), |request| request.path != "/api/users/me");
    let _ = contact::within(Part::Sweep, stack.engine.kimai.newest()).await;
    told(&stack, "Everything is synced").await;
    stack.kimai.clear_faults();
    every(&stack.kimai, &Fault::database_down());
    for _ in 0..5 {
        ask_kimai(&stack).await;
    }
    told(&stack, "Kimai is down").await;
    stack.kimai.clear_faults();

    // Six work logs: the breaker opens. Then it is back.
    all_that(&stack.kimai, &Fault::bad_gateway(), |request| request.path != "/api/users/me");
    let mut uris = Vec::new();
    for id in ["B", "C", "D", "E", "F", "G"] {
        uris.push(stack.register(id, "2024-09-02", "PT1H").await);
    }
    notify(&stack, &uris).await;
    let opens = async {
        while stack.engine.workers.down().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), opens).await.expect("the breaker opens");
    // An answer to somebody else does not mean that work goes on: the breaker still holds it.
    ask_kimai(&stack).await;
    told(&stack, "Kimai is down").await;
    stack.kimai.clear_faults();
    stack.quiet().await;
    told(&stack, "Everything is synced").await;
    assert_eq!(stack.timesheets().len(), 7);

    stack.kimai.expire_token(TOKEN);
    ask_kimai(&stack).await;
    let seen = told(&stack, "Kimai refuses access").await;
    assert_eq!(seen.meta["down"][0]["code"], "token-invalid");
    assert_eq!(seen.checks["token"].0, "trouble", "the checks of before do not hide it: {seen:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kimai_that_asks_for_a_pause_is_not_down() {
    let stack = Stack::embedded(&[]).await;
    every(&stack.kimai, &Fault::answer(429).header("Retry-After", "600"));
    ask_kimai(&stack).await;
    let seen = told(&stack, "Kimai has asked for a pause").await;
    assert_eq!((seen.link("Kimai"), seen.ready.0), (Link::Paused, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_triplestore_that_is_down_alone_or_with_kimai_is_told_alike() {
    let stack = Stack::embedded(&[]).await;
    stack.engine.doctor.examine().await;
    stack.store.breaks(true);
    let _ = stack.engine.work_logs.has_any().await;
    let seen = told(&stack, "The triplestore is down").await;
    assert_eq!(seen.meta["down"][0]["code"], "triplestore-unavailable");
    assert_eq!(seen.ready.0, 200, "it has answered since the start, and deltas are kept");
    every(&stack.kimai, &Fault::cut());
    ask_kimai(&stack).await;
    told(&stack, "Kimai and the triplestore are down").await;
    // Whoever asks first hears that it is back, and by itself within 15 seconds.
    stack.store.breaks(false);
    stack.kimai.clear_faults();
    told(&stack, "Everything is synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_waits_or_was_held_back_is_counted_alike() {
    let stack = Stack::embedded(&[("SWEEP_MAX_DELETIONS", "1")]).await;
    stack.engine.doctor.examine().await;
    // A long queue.
    let later = stack.engine.clock.after(Duration::from_hours(1));
    let many: Vec<WorkLogUri> = (0..2_002)
        .map(|number| WorkLogUri::parse(&format!("http://x/work-logs/{number}")).unwrap())
        .collect();
    stack.engine.queue.put(&many, Reason::Sweep, later).await.unwrap();
    let seen = told(&stack, "2\u{202f}002 work logs are being synced").await;
    assert_eq!(seen.tiles, [0, 2_002, 0, 0]);
    // A sweep that held deletions back.
    stack.register("A", "2024-09-02", "PT1H").await;
    for _ in 0..2 {
        let begin = "2024-09-10T00:00:00Z".parse().unwrap();
        stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    }
    let days = json!({"start": "2024-09-01", "end": "2024-09-30"});
    assert_eq!(stack.post("/sync-to-kimai/work-logs", Some(days)).await.0, 202);
    told(&stack, "The last sweep held 2 deletions back").await;
    // Some that are parked; the checks were made before.
    let mut uris = Vec::new();
    for id in ["X", "Y"] {
        uris.push(stack.register(id, "2024-09-02", "8 hours").await);
    }
    notify(&stack, &uris).await;
    let seen = told(&stack, "2 work logs need attention").await;
    assert_eq!((seen.title.as_str(), seen.tiles[3]), ("2 parked · kimai-sync", 2), "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_is_told_alike_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    let stack = Stack::embedded_on(&[], storage).await;
    stack.engine.doctor.examine().await;
    told(&stack, "Everything is synced").await;
    let (file, aside) = (folder.path().join(FILE), folder.path().join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    assert_eq!(stack.post("/delta", Some(delta(&["http://x/work-logs/1"]))).await.0, 503);
    let seen = told(&stack, "The queue cannot be saved").await;
    assert_eq!(seen.ready.0, 503, "{seen:#?}");
    std::fs::rename(&aside, &file).unwrap();
    let ready = async {
        while answer(stack.http.get(format!("{}/ready", stack.base))).await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), ready).await.expect("it can be saved again");
    stack.quiet().await;
    let seen = screens(&stack.base).await;
    assert!(!seen.headline.contains("saved"), "{seen:#?}");
}

/// Nobody has asked the triplestore yet, and Kimai keeps silent: nothing is known, and nothing is called well.
#[tokio::test(flavor = "multi_thread")]
async fn right_after_the_start_nothing_is_called_well_that_nobody_has_asked() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/api", silent.local_addr().unwrap());
    let mut command = program(&["standalone"]);
    let settings = [("SYNC_AT_START", "false"), ("CHECK_AT_START", "false"), ("KIMAI_TIMEOUT", "60")];
    command.envs(settings).envs([("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", &endpoint)]);
    let running = tokio::task::block_in_place(|| Running::start(command));
    let seen = Screens::of(&format!("http://{}", running.address)).await;
    assert_eq!((seen.link("Kimai"), seen.link("Triplestore")), (Link::Unknown, Link::Unknown), "{seen:#?}");
    assert_eq!(seen.headline, "Starting: Kimai and the triplestore have not both been contacted yet");
    assert_eq!(seen.agree(), Ok(()), "{seen:#?}");
}
