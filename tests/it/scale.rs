//! A company of 200 people, with 10 000 work logs a month: what an import, a sweep and a lock cost then, in
//! requests, statements and seconds. The figures are printed with `--nocapture`.

use std::time::Instant;

use jiff::SignedDuration;
use kimai_sync::domain::ids::KimaiId;
use kimai_sync::reconcile::sweep::Report;
use kimai_sync::runs::progress::Progress;
use kimai_sync::triplestore::vocabulary::status;
use serde_json::json;

use crate::support::company::{
    ACTIVITIES, CUSTOMERS, PAGE, PROJECTS, USERS, booking, found, hire, import, register, september,
};
use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack};

on_each_store!(an_import_of_a_company, a_lock_of_20_people_with_200_work_logs_each);

/// Says what something cost.
fn tell(stack: &Stack, what: &str, started: Instant) {
    let (selects, updates) = stack.statements();
    let (requests, took) = (stack.kimai.requests().0.len(), started.elapsed());
    println!("{what}: {requests} requests to Kimai, {selects} SELECTs, {updates} updates, {took:.2?}");
}

/// Every list has 100 rows or more but that of the customers: there the old service never ended.
async fn an_import_of_a_company(stack: Stack) {
    found(&stack);
    for (round, most_updates) in [("first import", 220), ("second import", 0)] {
        stack.forget_calls();
        let started = Instant::now();
        import(&stack).await;
        tell(&stack, round, started);
        let requests = stack.kimai.requests();
        for list in ["customers", "projects", "activities", "users"] {
            assert_eq!(requests.count("GET", &format!("/api/{list}")), 1, "{list}");
        }
        assert_eq!(requests.0.len(), 4);
        let (selects, updates) = stack.statements();
        assert!(updates <= most_updates && selects <= 25, "{selects} SELECTs, {updates} updates");
    }
    let count = async |class: &str| {
        stack.select(&format!("SELECT DISTINCT ?s WHERE {{ ?s a {class} ; mu:uuid ?id }}")).await.len()
    };
    // What every stack begins with comes on top.
    assert_eq!(count("prov:Organization").await, CUSTOMERS + 1);
    assert_eq!(count("doap:Project").await, PROJECTS + 2);
    assert_eq!(count("ext:KimaiActivity").await, ACTIVITIES + 3);
    assert_eq!(count("foaf:OnlineAccount").await, USERS + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_10_000_work_logs_in_sync_asks_for_20_pages_and_changes_nothing() {
    const WORK_LOGS: usize = 20 * PAGE;
    let stack = Stack::embedded(&[]).await;
    let staff = hire(&stack).await;
    let timesheets: Vec<KimaiId> = (0..WORK_LOGS)
        .map(|number| {
            let (user, activity, begin) = booking(number, USERS);
            let end = begin + SignedDuration::from_hours(8);
            let (user, activity) = (staff.company.users[user], staff.company.activities[activity]);
            stack.kimai.add_timesheet(user, activity, begin, Some(end))
        })
        .collect();
    let started = Instant::now();
    register(&stack, &staff, WORK_LOGS, USERS, |number| Some(timesheets[number])).await;
    println!("registering {WORK_LOGS} work logs: {:.2?}", started.elapsed());
    stack.forget_calls();
    let started = Instant::now();
    let report = stack.engine.sweeper.sweep(september(), None, &Progress::unwatched()).await.unwrap();
    tell(&stack, "sweep of 10 000 in sync", started);
    assert_eq!(report, Report { work_logs: WORK_LOGS, timesheets: WORK_LOGS, ..Report::default() });
    // An exact multiple of the page size: the page after the last would be 404.
    let requests = stack.kimai.requests();
    assert_eq!(requests.count("GET", "/api/timesheets"), WORK_LOGS / PAGE);
    assert_eq!(requests.0.len(), WORK_LOGS / PAGE);
    assert!(requests.0.iter().all(|request| request.status == Some(200)));
    let (selects, updates) = stack.statements();
    assert!(selects <= 40 && updates == 0, "{selects} SELECTs, {updates} updates");
}

/// Virtuoso ends every answer after 10 000 rows without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_10_200_work_logs_misses_none_on_a_virtuoso_that_cuts_its_answers() {
    const WORK_LOGS: usize = 10_200;
    let Some(mut stack) = Stack::virtuoso(&[]).await else { return };
    let staff = hire(&stack).await;
    let started = Instant::now();
    register(&stack, &staff, WORK_LOGS, USERS, |_| None).await;
    println!("registering {WORK_LOGS} work logs: {:.2?}", started.elapsed());
    let cut = stack.select("SELECT ?s WHERE { ?s a cal:Vevent }").await;
    assert_eq!(cut.len(), 10_000, "the answer to a plain query is cut");
    // What is queued is to be counted, not pushed.
    stack.halt().await;
    stack.forget_calls();
    let started = Instant::now();
    let report = stack.engine.sweeper.sweep(september(), None, &Progress::unwatched()).await.unwrap();
    tell(&stack, "sweep of 10 200 without timesheet on Virtuoso", started);
    assert_eq!((report.work_logs, report.timesheets, report.queued), (WORK_LOGS, 0, WORK_LOGS));
    assert_eq!(stack.engine.queue.counts().await.unwrap().waiting, WORK_LOGS);
    let (selects, updates) = stack.statements();
    assert!(selects <= 40 && updates == 0, "{selects} SELECTs, {updates} updates");
}

async fn a_lock_of_20_people_with_200_work_logs_each(stack: Stack) {
    const PEOPLE: usize = 20;
    const EACH: usize = 200;
    let staff = hire(&stack).await;
    register(&stack, &staff, PEOPLE * EACH, PEOPLE, |_| None).await;
    let sheets = staff.company.users[..PEOPLE].iter().map(|user| {
        format!(
            "<{BASE}/timesheets/{user}> a skos:Collection ; time:hasBeginning \"2024-09-01\"^^xsd:date ;
               adms:status <{}> ; prov:wasAssociatedWith <{BASE}/persons/{user}> .",
            status::SUBMITTED
        )
    });
    stack.update(&format!("INSERT DATA {{ {} }}", sheets.collect::<String>())).await;
    stack.forget_calls();
    let started = Instant::now();
    assert_eq!(stack.post("/timesheets/lock", Some(json!({"month": 9, "year": 2024}))).await.0, 204);
    tell(&stack, "lock of 20 x 200", started);
    assert_eq!(stack.kimai.requests().0.len(), 0);
    let (selects, updates) = stack.statements();
    // 100 members an update, and one for the status.
    assert!(selects <= 10 && updates <= PEOPLE * 3, "{selects} SELECTs, {updates} updates");
    let exported = format!("?sheet adms:status <{}>", status::EXPORTED);
    assert_eq!(stack.select(&format!("SELECT DISTINCT ?sheet WHERE {{ {exported} }}")).await.len(), PEOPLE);
    let members = stack
        .select(
            "SELECT ?person (COUNT(DISTINCT ?log) AS ?logs) WHERE { ?sheet skos:member ?log ; prov:wasAssociatedWith
               ?person . ?log prov:wasAssociatedWith ?person } GROUP BY ?person",
        )
        .await;
    let members: Vec<&str> = members.iter().map(|row| row["logs"].value()).collect();
    assert_eq!(members, [EACH.to_string().as_str(); PEOPLE]);
}
