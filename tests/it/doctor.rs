//! Everything that the doctor knows about, broken one by one: does its line say so and name the mend?

mod commands;
mod story;

use std::sync::Arc;

use async_trait::async_trait;
use kimai_sync::app;
use kimai_sync::clock::Clock;
use kimai_sync::doctor::{Health, Report};
use kimai_sync::settings::Settings;
use kimai_sync::store::sqlite::Storage;
use kimai_sync::trackers::kimai::sandbox::{Fault, Role, When};
use kimai_sync::triplestore::refusal::RefusalKind;
use kimai_sync::triplestore::{Refusal, Row, Triplestore, TriplestoreFault};
use serde_json::Value;

use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack, TOKEN, answer};

/// How a triplestore is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    Not,
    /// It cannot be reached.
    Down,
    /// A wrong scope: every query finds nothing, and nothing may be written.
    Blind,
    /// Writing is refused as sparql-parser refuses it.
    ReadOnly,
    /// Writing is acknowledged, and nothing is stored.
    Forgetful,
    /// What is removed stays.
    Sticky,
}

struct Broken(Arc<dyn Triplestore>, Break);

#[async_trait]
impl Triplestore for Broken {
    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        match self.1 {
            Break::Down => Err(TriplestoreFault::Transient("connection refused".to_owned())),
            Break::Blind => Ok(Vec::new()),
            _ => self.0.select(query).await,
        }
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        match self.1 {
            Break::Down => Err(TriplestoreFault::Transient("connection refused".to_owned())),
            Break::Blind | Break::ReadOnly => {
                let kind = RefusalKind::NotWritable { subject: None, removal: false };
                Err(TriplestoreFault::Refused(Refusal::of(kind, "it answered 500: #<UNWRITTEN-DATA-ERROR")))
            }
            Break::Forgetful => Ok(()),
            Break::Sticky if update.contains("DELETE") => Ok(()),
            _ => self.0.update(update).await,
        }
    }
}

/// A report on the stack's Kimai and store, with these settings, the store broken like this.
async fn report(stack: &Stack, vars: &[(&str, &str)], how: Break) -> Report {
    examine(stack, vars, how, Storage::in_memory().unwrap()).await
}

async fn examine(stack: &Stack, vars: &[(&str, &str)], how: Break, storage: Storage) -> Report {
    let given = [("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", stack.kimai_api.as_str()), ("KIMAI_TIMEOUT", "2")];
    let vars = given.iter().chain(vars).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Settings::from_vars(vars).unwrap();
    let store: Arc<dyn Triplestore> = Arc::new(Broken(stack.store.clone(), how));
    let clock = Clock::system(settings.zone.clone());
    let engine = app::engine(&settings, store, clock, storage).unwrap();
    engine.doctor.serves(true);
    let report = engine.doctor.examine().await;
    let told = format!("{report:?}");
    assert!(!told.contains(TOKEN), "the token is told: {told}");
    report
}

#[track_caller]
fn expect(report: &Report, id: &str, verdict: Health, words: &str) {
    let check = report.check(id).unwrap_or_else(|| panic!("no check {id} in {report:?}"));
    assert_eq!(check.verdict, verdict, "{check}");
    assert!(check.to_string().contains(words), "{words:?} is not in {check}");
    assert!(!check.to_string().contains('\n'), "one line: {check}");
    assert_eq!(check.help.is_none(), verdict == Health::Well, "what is not well says what to do: {check}");
}

/// A work log of today.
async fn work_today(stack: &Stack, id: &str) -> String {
    stack.register(id, &stack.engine.clock.today().to_string(), "PT8H").await
}

async fn a_whole_stack_is_well_and_is_left_as_it_was(stack: Stack) {
    let uri = work_today(&stack, "AB12").await;
    stack.notify(&[&uri]).await;
    let everything = || stack.select("SELECT ?s ?p ?o WHERE { ?s ?p ?o } ORDER BY ?s ?p ?o");
    let (before, timesheets) = (everything().await, stack.timesheets());
    stack.forget_calls();
    let report = report(&stack, &[], Break::Not).await;
    for id in [
        "settings",
        "triplestore",
        "view",
        "write",
        "kimai",
        "token",
        "rights",
        "zone",
        "owners",
        "hours",
        "rules",
        "kimai-data",
        "persons",
        "activities",
        "queue",
        "held-back",
        "schedule",
        "clock",
    ] {
        expect(&report, id, Health::Well, "");
    }
    expect(&report, "kimai", Health::Well, "version 2.65.0");
    expect(&report, "token", Health::Well, "'sync' (user 1), ROLE_SUPER_ADMIN");
    expect(&report, "schedule", Health::Well, "'0 0 */2 * * *'");
    // This one has a queue of its own, in memory, to which no delta came.
    expect(&report, "queue-file", Health::Warning, "--data");
    expect(&report, "deltas", Health::Warning, "config/delta-rules.js");
    assert_eq!(report.worst(), Health::Warning);
    assert_eq!((everything().await, stack.timesheets()), (before, timesheets));
    let stored =
        stack.kimai.requests().0.iter().filter(|one| one.method != "GET" && one.status != Some(400)).count();
    assert_eq!(stored, 0, "{:?}", stack.kimai.requests());
}

async fn people_and_tasks_that_lead_nowhere_are_named(stack: Stack) {
    let today = stack.engine.clock.today();
    stack
        .update(&format!(
            "INSERT DATA {{ <{BASE}/persons/bob> a foaf:Person ; foaf:name \"Bob\" . <{BASE}/tasks/own> a wf:Task ; rdfs:label \"Own\" .
               <{BASE}/work-logs/B> a cal:Vevent ; mu:uuid \"B\" ; cal:duration \"PT1H\" ; cal:dtstart \"{today}\"^^xsd:date ;
               dct:subject <{BASE}/tasks/own> ; prov:wasAssociatedWith <{BASE}/persons/bob> }}"
        ))
        .await;
    let second = format!(
        "INSERT {{ <{BASE}/persons/jane> foaf:account ?account }}
         WHERE {{ ?account foaf:accountName ?login . FILTER (STR(?login) = \"sync\") }}"
    );
    stack.update(&second).await;
    work_today(&stack, "A").await;
    let report = report(&stack, &[], Break::Not).await;
    expect(&report, "persons", Health::Warning, "1 of 2 people with work logs have no Kimai account: 'Bob'.");
    expect(
        &report,
        "persons",
        Health::Warning,
        "1 of 2 people with work logs have several Kimai accounts: 'Jane'.",
    );
    expect(&report, "activities", Health::Warning, "'Own' is not an activity of Kimai. To do: Import tasks");
}

on_each_store!(a_whole_stack_is_well_and_is_left_as_it_was, people_and_tasks_that_lead_nowhere_are_named);

#[tokio::test(flavor = "multi_thread")]
async fn each_way_a_triplestore_breaks_has_its_line() {
    let stack = Stack::embedded(&[]).await;
    work_today(&stack, "A").await;
    let scope = [("DEFAULT_MU_AUTH_SCOPE", "http://wrong")];
    let table = [
        (Break::Down, "triplestore", Health::Trouble, "MU_SPARQL_ENDPOINT"),
        (Break::Down, "view", Health::Unknown, "Fix the check of the triplestore"),
        (Break::Blind, "triplestore", Health::Well, "answers"),
        (Break::Blind, "view", Health::Trouble, "DEFAULT_MU_AUTH_SCOPE, which is 'http://wrong'"),
        (Break::ReadOnly, "view", Health::Well, ""),
        (Break::ReadOnly, "write", Health::Trouble, "add-type-for-prefix"),
        (Break::Forgetful, "write", Health::Trouble, "did not store it"),
        (Break::Sticky, "write", Health::Trouble, "did not remove it"),
    ];
    for (how, id, verdict, words) in table {
        expect(&report(&stack, &scope, how).await, id, verdict, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_kimai_breaks_has_its_line() {
    let stack = Stack::embedded(&[]).await;
    let ask = async |vars: &[(&str, &str)]| report(&stack, vars, Break::Not).await;
    let wrong = ask(&[("API_TOKEN", "wr0ng-token")]).await;
    expect(&wrong, "kimai", Health::Trouble, "API_TOKEN");
    expect(&wrong, "token", Health::Trouble, "API_TOKEN");
    assert!(!format!("{wrong:?}").contains("wr0ng-token"));
    let nowhere = ask(&[("KIMAI_ENDPOINT", "http://127.0.0.1:9/api")]).await;
    expect(&nowhere, "kimai", Health::Trouble, "KIMAI_ENDPOINT");
    for id in ["token", "rights", "zone", "rules"] {
        expect(&nowhere, id, Health::Unknown, "Fix the checks of Kimai");
    }
    stack.kimai.fault(When::next("GET", "/api/version"), Fault::bad_gateway());
    expect(&ask(&[]).await, "kimai", Health::Trouble, "502");
    stack.kimai.fault(When::next("GET", "/api/version"), Fault::wait(std::time::Duration::from_secs(5)));
    expect(&ask(&[]).await, "kimai", Health::Trouble, "KIMAI_TIMEOUT");

    stack.kimai.rules(|rules| rules.allow_overlapping = false);
    expect(&ask(&[]).await, "rules", Health::Trouble, "allow overlapping entries");
    stack.kimai.rules(|rules| (rules.allow_overlapping, rules.allow_future_times) = (true, false));
    expect(&ask(&[]).await, "rules", Health::Warning, "allow times in the future");
    stack.kimai.rules(|rules| rules.allow_future_times = true);

    let brussels = ask(&[("TZ", "Europe/Brussels")]).await;
    expect(&brussels, "zone", Health::Trouble, "Give 'sync' the time zone of the people");
    stack.kimai.add_user("belgian", "Europe/Brussels", Role::Admin, Some("belgian-token"));
    let zoned = ask(&[("API_TOKEN", "belgian-token")]).await;
    expect(&zoned, "zone", Health::Warning, "Set TZ to Europe/Brussels");
    expect(
        &ask(&[("API_TOKEN", "belgian-token"), ("TZ", "Europe/Brussels")]).await,
        "zone",
        Health::Well,
        "same day",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_role_lacks_is_found_out_without_changing_anything() {
    let stack = Stack::embedded(&[]).await;
    let uri = work_today(&stack, "A").await;
    stack.notify(&[&uri]).await;
    let before = stack.timesheets();
    let table = [
        (Role::SuperAdmin, Health::Well, "cannot be tested"),
        (Role::Admin, Health::Warning, "the role Super administrator"),
        (Role::Teamlead, Health::Warning, "delete_other_timesheet: it does not have"),
        (Role::User, Health::Trouble, "create_other_timesheet missing"),
    ];
    for (number, (role, verdict, words)) in table.into_iter().enumerate() {
        let token = format!("token-{number}");
        stack.kimai.add_user(&format!("user-{number}"), "UTC", role, Some(&token));
        let report = report(&stack, &[("API_TOKEN", &token)], Break::Not).await;
        expect(&report, "rights", verdict, words);
    }
    assert_eq!(stack.timesheets(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kimai_that_takes_what_none_takes_is_trouble_and_names_what_it_may_have_made() {
    let stack = Stack::embedded(&[]).await;
    let uri = work_today(&stack, "A").await;
    stack.notify(&[&uri]).await;
    let id = stack.timesheets()[0].0;
    let made = Fault::answer(200).header("Content-Type", "application/json").body(r#"{"id":77}"#);
    stack.kimai.fault(When::next("POST", "/api/timesheets"), made);
    let report_of = async || report(&stack, &[], Break::Not).await;
    expect(&report_of().await, "rights", Health::Trouble, "timesheet 77 was made.");
    stack.kimai.fault(When::next("PATCH", "/api/timesheets/*"), Fault::answer(204));
    let words =
        format!("the begin of timesheet {id} may have been changed. To do: Undo their effects in Kimai");
    expect(&report_of().await, "rights", Health::Trouble, &words);
    expect(&report_of().await, "rights", Health::Well, "");
}

#[tokio::test]
async fn all_who_ask_while_checks_are_made_share_the_next_ones() {
    let stack = Stack::embedded(&[]).await;
    let doctor = &stack.engine.doctor;
    stack.forget_calls();
    // Each begins before the first has ended: requests take a while, and this is one thread.
    let reports = tokio::join!(doctor.examine(), doctor.examine(), doctor.examine(), doctor.examine());
    let versions = || stack.kimai.requests().0.iter().filter(|one| one.path == "/api/version").count();
    assert_eq!(versions(), 2, "{reports:?}");
    assert!(reports.1 == reports.2 && reports.2 == reports.3, "{reports:?}");
    // Who asks afterwards gets new ones.
    doctor.examine().await;
    assert_eq!(versions(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_tells_of_its_queue_and_of_deltas() {
    let stack = Stack::embedded(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).unwrap();
    let file = examine(&stack, &[], Break::Not, storage.clone()).await;
    expect(&file, "queue-file", Health::Well, "queue.sqlite3 can be written");
    // Over HTTP, of the running service: a delta comes, and a work log that cannot be synced.
    let uri = work_today(&stack, "A").await;
    stack.kimai.rules(|rules| rules.allow_zero_duration = false);
    stack.change(&uri, "cal:duration", "\"PT0S\"").await;
    stack.notify(&[&uri]).await;
    let (status, none) = document(stack.http.get(format!("{}/doctor", stack.base))).await;
    assert_eq!((status, &none["data"], &none["meta"]["at"]), (200, &Value::Array(vec![]), &Value::Null));
    let (status, told) = document(stack.http.post(format!("{}/doctor", stack.base))).await;
    assert_eq!(status, 200);
    let check = |id: &str| {
        let all = told["data"].as_array().unwrap();
        all.iter().find(|one| one["id"] == id).unwrap()["attributes"].clone()
    };
    assert_eq!(check("deltas")["verdict"], "well", "{}", check("deltas"));
    assert_eq!(check("queue")["verdict"], "warning");
    assert!(check("queue")["help"].as_str().unwrap().contains("--state parked"));
    let rules = check("rules");
    assert_eq!(rules["verdict"], "trouble", "what the API hides shows by what it refused");
    assert!(
        rules["says"]
            .as_str()
            .unwrap()
            .contains("Empty durations are not allowed (1 work log parked because of this)"),
        "{rules}"
    );
    assert_eq!(told["meta"]["verdict"], "trouble");
    let (_, again) = document(stack.http.get(format!("{}/doctor", stack.base))).await;
    assert_eq!(again["data"], told["data"]);
}

async fn document(request: reqwest::RequestBuilder) -> (u16, Value) {
    let (status, content_type, body) = answer(request).await;
    assert_eq!(content_type.as_deref(), Some("application/vnd.api+json; charset=utf-8"), "{body}");
    (status, serde_json::from_str(&body).unwrap())
}
