//! A company of 200 people, with 10 000 work logs a month: what an import, a sweep and a lock cost then, in
//! requests, statements and seconds. The figures are printed with `--nocapture`.

use std::time::Instant;

use jiff::SignedDuration;
use kimai_sync::domain::ids::EntryId;
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::Report;
use kimai_sync::trackers::kimai::sandbox::{Entity, Role};
use kimai_sync::triplestore::TriplestoreFault;
use kimai_sync::triplestore::vocabulary::status;
use serde_json::json;

use crate::support::company::{
    ACTIVITIES, CUSTOMERS, PAGE, PROJECTS, USERS, booking, found, hire, import, register, september,
};
use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack, TOKEN};

on_each_store!(
    an_import_of_a_company,
    an_import_of_a_catalogue_of_8_500,
    a_lock_of_20_people_with_200_work_logs_each,
    a_lock_of_200_people_with_20_work_logs_each
);

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

/// Beside what it takes at least: each list read once, and as many triples written in as large updates.
async fn an_import_of_a_catalogue_of_8_500(stack: Stack) {
    let kimai = &stack.kimai;
    let customers: Vec<_> = (0..1_000).map(|n| kimai.add_customer(&format!("Customer {n}"))).collect();
    let projects: Vec<_> =
        (0..2_000).map(|n| kimai.add_project(&format!("Project {n}"), customers[n % 1_000])).collect();
    let activities: Vec<_> =
        (0..5_000).map(|n| kimai.add_activity(&format!("Activity {n}"), Some(projects[n % 2_000]))).collect();
    for n in 0..500 {
        kimai.add_user(&format!("user{n:03}"), "UTC", Role::User, None);
    }
    let triples = async || {
        let rows = stack.select("SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }").await;
        rows[0]["n"].value().parse::<usize>().unwrap()
    };
    let mut before = triples().await;
    stack.forget_calls();
    let started = Instant::now();
    import(&stack).await;
    tell(&stack, "import of 8 500", started);
    let (took, written) = (started.elapsed(), triples().await - before);
    assert_eq!(stack.kimai.requests().0.len(), 4);
    let (selects, updates) = stack.statements();
    assert!(
        updates <= written / 80 && selects <= 40,
        "{selects} SELECTs, {updates} updates, {written} triples"
    );

    let floor = floor(&stack, written).await;
    println!(
        "  {written} triples; {:.2} times the floor of {floor:.2?}",
        took.as_secs_f64() / floor.as_secs_f64()
    );

    stack.forget_calls();
    let started = Instant::now();
    import(&stack).await;
    tell(&stack, "the same again", started);
    assert_eq!(stack.statements().1, 0);

    for n in 0..50 {
        kimai.rename(Entity::Activity(activities[n]), &format!("Renamed \"{n}\""));
        kimai.rename(Entity::Project(projects[n]), &format!("Umbenannt ä{n}"));
    }
    before = triples().await;
    stack.forget_calls();
    import(&stack).await;
    let updates = stack.statements().1;
    assert!(updates <= 6, "{updates} updates for 100 new names");
    assert_eq!(triples().await, before, "a new name takes the place of the old one");
}

/// How long it takes to read each list once, and to write so many triples.
async fn floor(stack: &Stack, triples: usize) -> std::time::Duration {
    let started = Instant::now();
    for list in ["customers", "projects", "activities", "users"] {
        let address = format!("{}/{list}", stack.kimai_api);
        let answer = stack.http.get(address).header("authorization", format!("Bearer {TOKEN}")).send().await;
        assert!(answer.unwrap().bytes().await.unwrap().len() > 1_000);
    }
    for batch in (0..triples).collect::<Vec<_>>().chunks(100) {
        let batch = batch
            .iter()
            .map(|n| format!("<http://floor/{}> rdfs:label \"the label of number {n}\" . ", n / 7));
        stack.update(&format!("INSERT DATA {{ {} }}", batch.collect::<String>())).await;
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_10_000_work_logs_in_sync_asks_for_20_pages_and_changes_nothing() {
    const WORK_LOGS: usize = 20 * PAGE;
    let stack = Stack::embedded(&[]).await;
    let staff = hire(&stack).await;
    let timesheets: Vec<EntryId> = (0..WORK_LOGS)
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
    let cut = stack.ask("SELECT ?s WHERE { ?s a cal:Vevent }").await;
    assert!(
        matches!(cut, Err(TriplestoreFault::Incomplete(_))),
        "the answer to a plain query is cut: {cut:?}"
    );
    // What is queued is to be counted, not pushed.
    stack.halt().await;
    stack.forget_calls();
    let started = Instant::now();
    let report = stack.engine.sweeper.sweep(september(), None, &Progress::unwatched()).await.unwrap();
    tell(&stack, "sweep of 10 200 without timesheet on Virtuoso", started);
    assert_eq!((report.work_logs, report.timesheets, report.queued), (WORK_LOGS, 0, WORK_LOGS));
    assert_eq!(stack.engine.queue.counts().await.unwrap().waiting(), WORK_LOGS);
    let (selects, updates) = stack.statements();
    assert!(selects <= 40 && updates == 0, "{selects} SELECTs, {updates} updates");
}

async fn a_lock_of_20_people_with_200_work_logs_each(stack: Stack) {
    lock(stack, 20, 200).await;
}

async fn a_lock_of_200_people_with_20_work_logs_each(stack: Stack) {
    lock(stack, USERS, 20).await;
}

async fn lock(stack: Stack, people: usize, each: usize) {
    let staff = hire(&stack).await;
    register(&stack, &staff, people * each, people, |_| None).await;
    let sheets = staff.company.users[..people].iter().map(|user| {
        format!(
            "<{BASE}/timesheets/{user}> a skos:Collection ; time:hasBeginning \"2024-09-01\"^^xsd:date ;
               adms:status <{}> ; prov:wasAssociatedWith <{BASE}/persons/{user}> .",
            status::SUBMITTED
        )
    });
    for batch in sheets.collect::<Vec<String>>().chunks(100) {
        stack.update(&format!("INSERT DATA {{ {} }}", batch.concat())).await;
    }
    stack.forget_calls();
    let started = Instant::now();
    assert_eq!(stack.post("/timesheets/lock", Some(json!({"month": 9, "year": 2024}))).await.0, 204);
    tell(&stack, &format!("lock of {people} x {each}"), started);
    assert_eq!(stack.kimai.requests().0.len(), 0);
    let (selects, updates) = stack.statements();
    // 100 members an update, and one for the status.
    assert!(
        selects <= 10 && updates <= people * (each.div_ceil(100) + 1),
        "{selects} SELECTs, {updates} updates"
    );
    let exported = format!("?sheet adms:status <{}>", status::EXPORTED);
    assert_eq!(stack.select(&format!("SELECT DISTINCT ?sheet WHERE {{ {exported} }}")).await.len(), people);
    let members = stack
        .select(
            "SELECT ?person (COUNT(DISTINCT ?log) AS ?logs) WHERE { ?sheet skos:member ?log ; prov:wasAssociatedWith
               ?person . ?log prov:wasAssociatedWith ?person } GROUP BY ?person",
        )
        .await;
    let members: Vec<&str> = members.iter().map(|row| row["logs"].value()).collect();
    assert_eq!(members, vec![each.to_string().as_str(); people]);
}
