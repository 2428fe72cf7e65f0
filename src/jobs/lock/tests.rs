//! The rules of locking.

mod faults;

use super::*;
use crate::clock::Clock;
use crate::domain::Code;
use crate::queue::{Outcome as RunOutcome, Reason};
use crate::store::sqlite::{SqliteQueue, Storage};
use crate::triplestore::testing::Watched;
use crate::triplestore::vocabulary::{adms, skos};

const BASE: &str = "http://timekeeper.redpencil.io";

fn september() -> Month {
    Month::new(2025, 9).unwrap()
}

fn person(name: &str) -> String {
    format!("<{BASE}/persons/{name}> a foaf:Person ; foaf:name \"{name}\" .\n")
}

fn timesheet(id: &str, person: &str, first: &str, status: &str) -> String {
    format!(
        "<{BASE}/timesheets/{id}> a skos:Collection ; mu:uuid \"{id}\" ; time:hasBeginning {first} ;
           adms:status <{status}> ; prov:wasAssociatedWith <{BASE}/persons/{person}> .\n"
    )
}

fn date(day: &str) -> String {
    format!("\"{day}\"^^<http://www.w3.org/2001/XMLSchema#date>")
}

fn work_log(id: &str, person: &str, day: &str) -> String {
    work_log_at(id, person, &date(day))
}

fn work_log_at(id: &str, person: &str, day: &str) -> String {
    format!(
        "<{BASE}/work-logs/{id}> a cal:Vevent ; cal:dtstart {day} ; dct:identifier \"7\" ;
           prov:wasAssociatedWith <{BASE}/persons/{person}> .\n"
    )
}

fn member(timesheet: &str, work_log: &str) -> String {
    format!("<{BASE}/timesheets/{timesheet}> skos:member <{BASE}/work-logs/{work_log}> .\n")
}

fn sheet(id: &str, person: &str, status: &str) -> String {
    timesheet(id, person, &date("2025-09-01"), status)
}

async fn members(store: &Watched, timesheet: &str) -> Vec<String> {
    let members = store.objects(&format!("{BASE}/timesheets/{timesheet}"), skos::MEMBER).await;
    members.iter().map(|iri| iri.rsplit('/').next().unwrap().to_owned()).collect()
}

async fn status_of(store: &Watched, timesheet: &str) -> Vec<String> {
    store.objects(&format!("{BASE}/timesheets/{timesheet}"), adms::STATUS).await
}

async fn lock(store: &Arc<Watched>) -> LockReport {
    locker(store).lock(september(), &Progress::unwatched()).await.unwrap()
}

/// A locker beside an empty queue.
fn locker(store: &Arc<Watched>) -> Locker {
    Locker::new(Arc::clone(store) as Arc<dyn Triplestore>, queue())
}

fn queue() -> Arc<dyn Queue> {
    let clock = Clock::system(jiff::tz::TimeZone::UTC);
    Arc::new(SqliteQueue::open(Storage::in_memory().unwrap(), clock).unwrap())
}

fn exported(work_logs: usize, linked: usize) -> Outcome {
    Outcome::Exported { work_logs, linked, unsynced: Vec::new() }
}

fn outcome<'a>(report: &'a LockReport, timesheet: &str) -> &'a Outcome {
    let iri = format!("{BASE}/timesheets/{timesheet}");
    &report.timesheets.iter().find(|found| found.timesheet == iri).unwrap().outcome
}

#[tokio::test]
async fn only_submitted_timesheets_are_exported_and_the_others_are_named() {
    let mut turtle = String::new();
    for (name, status) in [
        ("ann", status::SUBMITTED),
        ("bob", status::DRAFT),
        ("cem", status::ABSENCE_SUBMITTED),
        ("dee", status::EXPORTED),
        ("eve", "http://timekeeper.redpencil.io/concepts/other"),
    ] {
        turtle += &sheet(name, name, status);
        turtle += &work_log(name, name, "2025-09-10");
        if name != "cem" {
            turtle += &person(name);
        }
    }
    let store = Arc::new(Watched::holding(&turtle).await);
    let before = store.triples().await;
    let report = lock(&store).await;
    assert_eq!(*outcome(&report, "ann"), exported(1, 1));
    assert_eq!(*outcome(&report, "bob"), Outcome::Draft);
    assert_eq!(*outcome(&report, "cem"), Outcome::AbsenceSubmitted);
    assert_eq!(*outcome(&report, "dee"), Outcome::ExportedBefore);
    assert!(matches!(outcome(&report, "eve"), Outcome::UnknownStatus(_)));
    assert_eq!(
        report.to_string(),
        "2025-09: 1 timesheets exported, 0 failed, 3 not submitted, 1 already exported"
    );
    let lines: Vec<String> = report.timesheets.iter().map(ToString::to_string).collect();
    assert!(
        lines.iter().any(|line| line.contains("of bob (") && line.contains("still a draft")),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.contains(&format!("of {BASE}/persons/cem ("))), "{lines:?}");
    assert_eq!(
        (status_of(&store, "ann").await, members(&store, "ann").await),
        (vec![status::EXPORTED.to_owned()], vec!["ann".to_owned()])
    );
    // Nothing else was touched.
    let after = store.triples().await;
    let changed: Vec<_> = before.symmetric_difference(&after).collect();
    assert_eq!(changed.len(), 3, "{changed:?}");
}

#[tokio::test]
async fn the_month_is_the_work_logs_own_and_its_persons_own() {
    let days = [
        ("august", "2025-08-31", false),
        ("first", "2025-09-01", true),
        ("zoned", "2025-09-01+14:00", true),
        ("last", "2025-09-30", true),
        ("late", "2025-09-30-11:00", true),
        ("october", "2025-10-01", false),
        ("early", "2025-10-01+14:00", false),
        ("other-year", "2024-09-15", false),
    ];
    let mut turtle = person("ann") + &person("bob");
    turtle += &(sheet("a", "ann", status::SUBMITTED) + &sheet("b", "bob", status::SUBMITTED));
    for (id, day, _) in days {
        turtle += &(work_log(id, "ann", day) + &work_log(&format!("bob-{id}"), "bob", day));
    }
    // Written by other tools: a plain string, and an instant.
    turtle += &work_log_at("plain", "ann", "\"2025-09-07\"");
    let instant = "\"2025-09-30T23:30:00-05:00\"^^<http://www.w3.org/2001/XMLSchema#dateTime>";
    turtle += &work_log_at("instant", "ann", instant);
    let store = Arc::new(Watched::holding(&turtle).await);
    lock(&store).await;
    let mut expected: Vec<&str> =
        days.iter().filter(|(_, _, within)| *within).map(|(id, _, _)| *id).collect();
    let mut of_bob: Vec<String> = expected.iter().map(|id| format!("bob-{id}")).collect();
    of_bob.sort();
    expected.extend(["plain", "instant"]);
    expected.sort_unstable();
    assert_eq!(members(&store, "a").await, expected);
    assert_eq!(members(&store, "b").await, of_bob);
}

#[tokio::test]
async fn a_timesheet_of_another_month_is_left_alone_whatever_its_zone() {
    let begins = [
        ("plain", "\"2025-09-01\"".to_owned(), true),
        ("zoned", date("2025-09-01Z"), true),
        ("brussels", date("2025-09-01+02:00"), true),
        ("august", date("2025-08-01"), false),
        ("october", date("2025-10-01"), false),
        ("mid", date("2025-09-15"), false),
    ];
    let mut turtle = String::new();
    for (id, begin, _) in &begins {
        turtle += &timesheet(id, id, begin, status::SUBMITTED);
    }
    let store = Arc::new(Watched::holding(&turtle).await);
    let report = lock(&store).await;
    for (id, _, within) in begins {
        let expected = if within { status::EXPORTED } else { status::SUBMITTED };
        assert_eq!(status_of(&store, id).await, [expected], "{id}");
    }
    assert_eq!((report.exported(), report.failed()), (3, 0));
}

#[tokio::test]
async fn a_work_log_is_moved_out_of_every_other_timesheet_and_one_in_place_is_not_written() {
    let mut turtle = sheet("here", "ann", status::SUBMITTED) + &sheet("draft", "ann", status::DRAFT);
    turtle += &timesheet("old", "ann", &date("2025-08-01"), status::EXPORTED);
    for id in ["in-place", "new", "moved", "both"] {
        turtle += &work_log(id, "ann", "2025-09-10");
    }
    turtle += &work_log("foreign", "bob", "2025-09-10");
    for (timesheet, work_log) in [
        ("here", "in-place"),
        ("draft", "moved"),
        ("old", "moved"),
        ("here", "both"),
        ("old", "both"),
        ("old", "foreign"),
    ] {
        turtle += &member(timesheet, work_log);
    }
    let store = Arc::new(Watched::holding(&turtle).await);
    let report = lock(&store).await;
    assert_eq!(*outcome(&report, "here"), exported(4, 3));
    assert_eq!(members(&store, "here").await, ["both", "in-place", "moved", "new"]);
    assert!(members(&store, "draft").await.is_empty());
    assert_eq!(members(&store, "old").await, ["foreign"]);
    assert_eq!(store.updates().len(), 2);
    assert!(!store.updates().concat().contains("in-place"), "{:?}", store.updates());
}

#[tokio::test]
async fn of_two_submitted_timesheets_of_a_person_each_work_log_is_in_one() {
    let mut turtle = sheet("one", "ann", status::SUBMITTED) + &sheet("two", "ann", status::SUBMITTED);
    turtle += &(work_log("new", "ann", "2025-09-10") + &work_log("kept", "ann", "2025-09-11"));
    turtle += &member("two", "kept");
    let store = Arc::new(Watched::holding(&turtle).await);
    assert_eq!(lock(&store).await.exported(), 2);
    assert_eq!(
        (members(&store, "one").await, members(&store, "two").await),
        (vec!["new".to_owned()], vec!["kept".to_owned()])
    );
}

#[tokio::test]
async fn a_timesheet_without_work_logs_is_exported_and_one_of_nobody_or_two_statuses_fails() {
    let (first, draft, submitted) = (date("2025-09-01"), status::DRAFT, status::SUBMITTED);
    let turtle = [
        sheet("empty", "ann", submitted),
        sheet("torn", "bob", submitted),
        format!("<{BASE}/timesheets/torn> adms:status <{draft}> .\n"),
        format!("<{BASE}/timesheets/stray> a skos:Collection ; time:hasBeginning {first} ; adms:status <{submitted}> .\n"),
        format!("<{BASE}/timesheets/bare> a skos:Collection ; time:hasBeginning {first} .\n"),
    ]
    .concat();
    let store = Arc::new(Watched::holding(&turtle).await);
    let report = lock(&store).await;
    assert_eq!(*outcome(&report, "empty"), exported(0, 0));
    assert_eq!(status_of(&store, "empty").await, [status::EXPORTED]);
    for (id, why) in [("torn", "several statuses"), ("stray", "has no person")] {
        assert!(outcome(&report, id).to_string().contains(why), "{}", outcome(&report, id));
        assert!(status_of(&store, id).await.contains(&status::SUBMITTED.to_owned()));
    }
    assert_eq!(*outcome(&report, "bare"), Outcome::UnknownStatus("it has no status".to_owned()));
}

#[tokio::test]
async fn a_second_lock_changes_nothing_and_an_empty_month_is_fine() {
    let turtle = sheet("a", "ann", status::SUBMITTED) + &work_log("1", "ann", "2025-09-10");
    let store = Arc::new(Watched::holding(&turtle).await);
    let locker = locker(&store);
    assert!(
        locker
            .lock(Month::new(2024, 1).unwrap(), &Progress::unwatched())
            .await
            .unwrap()
            .timesheets
            .is_empty()
    );
    // Two at once: the second finds nothing to do.
    let progress = Progress::unwatched();
    let (one, two) = tokio::join!(locker.lock(september(), &progress), locker.lock(september(), &progress));
    assert_eq!((one.unwrap().exported(), two.unwrap().exported()), (1, 0));
    store.start_counting();
    assert_eq!(*outcome(&lock(&store).await, "a"), Outcome::ExportedBefore);
    assert!(store.updates().is_empty());
}

/// It is locked as before, but an invoice made now would lack them.
#[tokio::test]
async fn work_logs_that_are_not_in_kimai_are_named_with_their_reason() {
    let mut turtle = sheet("a", "ann", status::SUBMITTED);
    for name in ["fine", "parked", "waits"] {
        turtle += &work_log(name, "ann", "2025-09-10");
    }
    let lost = work_log("lost", "ann", "2025-09-11").replace("dct:identifier \"7\" ;", "");
    let store = Arc::new(Watched::holding(&(turtle + &lost)).await);
    let queue = queue();
    let uri = |name: &str| WorkLogUri::parse(&format!("{BASE}/work-logs/{name}")).unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    queue.put(&[uri("parked")], Reason::Request, now).await.unwrap();
    let lease = queue.lease().await.unwrap();
    queue
        .complete(lease, RunOutcome::Parked { code: Code::NoAccount, why: "it has no person".to_owned() })
        .await
        .unwrap();
    queue.put(&[uri("waits")], Reason::Request, "2999-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
    let locker = Locker::new(Arc::clone(&store) as Arc<dyn Triplestore>, queue);
    let report = locker.lock(september(), &Progress::unwatched()).await.unwrap();
    let Outcome::Exported { work_logs: 4, unsynced, .. } = outcome(&report, "a") else { panic!("{report}") };
    let said = unsynced.join("\n").replace(&format!("{BASE}/work-logs/"), "");
    assert_eq!(said, "<lost> has no Kimai id\n<parked> is parked: it has no person\n<waits> is scheduled");
    assert_eq!(report.unsynced(), 1);
    assert!(
        report.to_string().ends_with("1 of them with work logs that are not in sync with Kimai"),
        "{report}"
    );
}

/// The old service needed 21 queries and 4 020 updates for this.
#[tokio::test]
async fn twenty_people_with_two_hundred_work_logs_take_few_statements() {
    let store = Arc::new(Watched::new());
    for someone in 0..20 {
        let name = format!("p{someone}");
        let mut turtle = person(&name) + &sheet(&name, &name, status::SUBMITTED);
        for log in 0..200 {
            turtle += &work_log(&format!("{name}-{log}"), &name, &format!("2025-09-{:02}", log % 30 + 1));
        }
        store.add(&turtle).await;
    }
    let report = lock(&store).await;
    assert_eq!((report.exported(), report.failed()), (20, 0));
    assert_eq!(members(&store, "p7").await.len(), 200);
    assert_eq!((store.selects(), store.updates().len()), (5, 60));
    for update in store.updates() {
        assert!(update.matches("skos/core#member> <").count() <= 100);
    }
}

#[tokio::test]
async fn more_work_logs_than_one_answer_holds_are_all_linked() {
    let store = Arc::new(Watched::holding(&sheet("a", "ann", status::SUBMITTED)).await);
    for part in 0..11 {
        let logs = (0..1000).map(|log| work_log(&format!("{part}-{log}"), "ann", "2025-09-10"));
        store.add(&logs.collect::<String>()).await;
    }
    assert_eq!(*outcome(&lock(&store).await, "a"), exported(11_000, 11_000));
    assert_eq!(members(&store, "a").await.len(), 11_000);
}

/// sparql-parser makes a SELECT of each WHERE, and some stores refuse one without a variable.
#[tokio::test]
async fn each_where_has_a_variable() {
    let turtle = sheet("ann", "ann", status::SUBMITTED) + &work_log("ann", "ann", "2025-09-10");
    let store = Arc::new(Watched::holding(&turtle).await);
    assert_eq!(*outcome(&lock(&store).await, "ann"), exported(1, 1));
    let mut patterns = 0;
    for update in store.updates() {
        for operation in spargebra::SparqlParser::new().parse_update(&update).unwrap().operations {
            if let spargebra::GraphUpdateOperation::DeleteInsert { pattern, .. } = operation {
                let mut variables = 0;
                pattern.on_in_scope_variable(|_| variables += 1);
                assert!(variables > 0, "{update}");
                patterns += 1;
            }
        }
    }
    assert!(patterns > 0);
}
