//! Hours as Kimai counts them, on the days it books them on: what it rounds, breaks that somebody entered, and the time
//! zones of the token's user and of those whose hours they are.

use std::time::Duration;

use kimai_sync::doctor::Health;
use kimai_sync::domain::finding::{Hold, Kind};
use kimai_sync::domain::ids::UserId;
use kimai_sync::domain::{EntryId, WorkLogUri};
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::Report;
use kimai_sync::trackers::kimai::sandbox::{Rounding, StoredTimesheet};
use serde_json::{Value, json};

use crate::support::company::september;
use crate::support::stack::{Stack, answer};

const QUARTER: Duration = Duration::from_mins(15);
const SYNC: UserId = UserId::number(1);

async fn sweep(stack: &Stack) -> Report {
    let report = stack.engine.sweeper.sweep(september(), None, &Progress::unwatched()).await.unwrap();
    stack.quiet().await;
    report
}

async fn plan(stack: &Stack) -> Report {
    stack.engine.sweeper.plan(september(), &Progress::unwatched()).await.unwrap()
}

fn kinds(report: &Report) -> Vec<Kind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

fn sheet(stack: &Stack, id: EntryId) -> StoredTimesheet {
    stack.kimai.timesheets().into_iter().find(|row| row.id == id.as_number().unwrap()).unwrap()
}

/// The timesheet of the work log that was just made.
fn newest(stack: &Stack) -> EntryId {
    EntryId::number(stack.kimai.timesheets().iter().map(|row| row.id).max().unwrap())
}

async fn story(stack: &Stack, id: &str) -> Value {
    let (status, _, body) = answer(stack.http.get(format!("{}/queue/{id}", stack.base))).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["data"]["attributes"].clone()
}

/// How a work log stands: its verdict and the code it is parked with.
async fn stands(stack: &Stack, id: &str) -> (String, Option<String>) {
    let told = story(stack, id).await;
    let verdict = told["story"]["verdict"].as_str().unwrap().to_owned();
    (verdict, told["story"]["entry"]["code"].as_str().map(str::to_owned))
}

fn verdict(word: &str, code: Option<&str>) -> (String, Option<String>) {
    (word.to_owned(), code.map(str::to_owned))
}

async fn retry(stack: &Stack, id: &str) {
    assert_eq!(stack.post(&format!("/queue/{id}/retry"), None).await.0, 202);
    stack.quiet().await;
}

async fn metric(stack: &Stack, name: &str) -> String {
    let (_, _, text) = answer(stack.http.get(format!("{}/metrics", stack.base))).await;
    let line = text.lines().find_map(|line| line.strip_prefix("kimai_sync_")?.strip_prefix(name));
    line.unwrap().trim().to_owned()
}

async fn check(stack: &Stack, id: &str) -> (Health, String) {
    let report = stack.engine.doctor.examine().await;
    let check = report.check(id).unwrap();
    (check.verdict, check.to_string())
}

/// Work logs whose midnight is 22:00 or 23:00 the day before in UTC.
async fn in_brussels() -> Stack {
    let stack = Stack::embedded(&[("TZ", "Europe/Brussels")]).await;
    stack.kimai.set_zone(SYNC, "Europe/Brussels");
    stack
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kimai_rounds_is_right_and_shown_everywhere() {
    let stack = Stack::embedded(&[]).await;
    stack.kimai.rules(|rules| rules.rounding = QUARTER);
    for (id, day, duration) in [("A", "2024-09-02", "PT7H36M"), ("B", "2024-09-03", "PT50M")] {
        let uri = stack.register(id, day, duration).await;
        stack.notify(&[&uri]).await;
    }
    let counted: Vec<i64> = stack.kimai.timesheets().iter().map(|row| row.duration / 60).collect();
    assert_eq!(counted, [465, 60]);
    let told = story(&stack, "A").await;
    assert_eq!(told["story"]["verdict"], "in-sync");
    let says = told["story"]["says"].as_str().unwrap();
    assert!(says.ends_with("Kimai counts 7:45 for 7:36, rounding"), "{says}");
    assert_eq!((&told["kimai"]["duration"], &told["kimai"]["break"]), (&json!(27_900), &json!(0)));

    let report = sweep(&stack).await;
    assert_eq!(kinds(&report), [], "Kimai answered so when it was created");
    let said: Vec<String> = report.rounded.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["2024-09: Kimai counts 8:45 for 8:26 in 2 timesheets, rounding (+0:19)"]);
    assert_eq!(
        (metric(&stack, "rounded_timesheets").await, metric(&stack, "rounded_seconds").await),
        ("2.0".to_owned(), "1140.0".to_owned())
    );
    let (health, words) = check(&stack, "hours").await;
    assert_eq!(health, Health::Warning);
    assert!(words.contains("begin and end to 15 min (timesheet.rounding.default.begin"), "{words}");

    // The same over HTTP.
    let period = json!({"start": "2024-09-01", "end": "2024-09-30"});
    let (status, _, body) = stack.post("/sync-to-kimai/work-logs?dry-run=true", Some(period)).await;
    assert_eq!(status, 200, "{body}");
    let plan: Value = serde_json::from_str(&body).unwrap();
    let months = json!([{"month": "2024-09", "timesheets": 2, "said": 30_360, "counted": 31_500}]);
    assert_eq!(plan["meta"]["rounded"], months, "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_that_became_none_are_parked_found_and_counted_anew_once_kimai_rounds_less() {
    let stack = Stack::embedded(&[]).await;
    stack.kimai.rules(|rules| {
        (rules.duration_rounding, rules.rounding_mode) = (QUARTER, Rounding::Closest);
    });
    let (short, long) =
        (stack.register("A", "2024-09-02", "PT7M").await, stack.register("B", "2024-09-03", "PT7H36M").await);
    stack.notify(&[&short, &long]).await;
    assert_eq!(stands(&stack, "A").await, verdict("differs", Some("rounded-to-zero")));
    assert_eq!(stands(&stack, "B").await, verdict("in-sync", None));
    let told = story(&stack, "A").await.to_string();
    assert!(told.contains("Kimai counts 0:00 for 0:07") && told.contains("Change the rounding"), "{told}");
    assert_eq!(check(&stack, "hours").await.0, Health::Trouble);
    // A delta of no change does not hide it.
    stack.notify(&[&short]).await;
    assert_eq!(stands(&stack, "A").await, verdict("differs", Some("rounded-to-zero")));

    for _ in 0..2 {
        assert_eq!(kinds(&sweep(&stack).await), [Kind::ZeroHours], "it is found each time");
        assert_eq!(stands(&stack, "A").await.1.as_deref(), Some("rounded-to-zero"));
    }
    // A PATCH that changes nothing makes Kimai count nothing anew.
    stack.kimai.rules(|rules| rules.duration_rounding = Duration::ZERO);
    retry(&stack, "A").await;
    assert_eq!(stands(&stack, "A").await, verdict("in-sync", None));
    retry(&stack, "B").await;
    let counted: Vec<i64> = stack.kimai.timesheets().iter().map(|row| row.duration / 60).collect();
    assert_eq!((counted.iter().sum::<i64>(), counted.len()), (7 + 456, 2));
    assert!(sweep(&stack).await.rounded.is_empty());
    assert_eq!(check(&stack, "hours").await.0, Health::Well);
}

/// Without memory nothing says whether it is rounding: it is sent once, and what Kimai answers to that is remembered.
#[tokio::test(flavor = "multi_thread")]
async fn rounding_that_nothing_is_remembered_of_is_sent_once() {
    for duration_only in [false, true] {
        let stack = Stack::embedded(&[]).await;
        let step = |of: bool, otherwise| if of { QUARTER } else { otherwise };
        stack.kimai.rules(|rules| {
            rules.duration_rounding = step(duration_only, Duration::ZERO);
            rules.rounding = step(!duration_only, rules.rounding);
        });
        let uri = stack.register("A", "2024-09-02", "PT7H36M").await;
        stack.notify(&[&uri]).await;
        stack.engine.ledger.forget(&WorkLogUri::parse(&uri).unwrap()).await.unwrap();
        stack.forget_calls();
        assert_eq!(kinds(&sweep(&stack).await), [Kind::Changed]);
        assert_eq!((stack.kimai_calls("PATCH"), stack.kimai_calls("POST")), (1, 0));
        let report = sweep(&stack).await;
        assert_eq!((kinds(&report), stack.kimai_calls("PATCH")), (vec![], 1));
        assert_eq!(report.rounded.len(), 1);
        // What somebody changes by hand is another matter, also where it looks like rounding.
        stack.kimai.edit_timesheet(newest(&stack), |row| row.duration = 7 * 3_600);
        assert_eq!(kinds(&sweep(&stack).await), [Kind::Changed]);
        assert_eq!(sheet(&stack, newest(&stack)).duration, 27_900);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_that_somebody_entered_is_removed_or_reported() {
    let stack = Stack::embedded(&[]).await;
    stack.kimai.rules(|rules| rules.breaks = true);
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&uri]).await;
    let id = newest(&stack);
    let pause = || assert!(stack.kimai.edit_timesheet(id, |row| row.break_seconds = 3_600));
    pause();
    assert_eq!(sheet(&stack, id).duration, 7 * 3_600);
    let told = story(&stack, "A").await;
    assert_eq!(told["story"]["verdict"], "differs");
    assert!(told.to_string().contains("break: Kimai has 1:00"), "{told}");
    let report = plan(&stack).await;
    assert_eq!(
        (kinds(&report), &*report.findings[0].reason),
        (vec![Kind::Changed], "break: Kimai has 1:00, the work log says none")
    );
    sweep(&stack).await;
    assert_eq!((sheet(&stack, id).break_seconds, sheet(&stack, id).duration), (0, 8 * 3_600));

    // Kimai has no field for it while breaks are turned off.
    pause();
    stack.kimai.rules(|rules| rules.breaks = false);
    stack.change(&uri, "cal:duration", "\"PT6H\"").await;
    stack.notify(&[&uri]).await;
    assert_eq!(stands(&stack, "A").await, verdict("differs", Some("break-kept")));
    assert!(story(&stack, "A").await.to_string().contains("Turn on breaks in Kimai"));
    assert_eq!(sheet(&stack, id).duration, 5 * 3_600, "the rest is right");
    assert_eq!(kinds(&sweep(&stack).await), [Kind::Changed]);
    assert_eq!(stands(&stack, "A").await.1.as_deref(), Some("break-kept"));
    assert_eq!(check(&stack, "hours").await.0, Health::Trouble);
    stack.kimai.rules(|rules| rules.breaks = true);
    retry(&stack, "A").await;
    assert_eq!(stands(&stack, "A").await, verdict("in-sync", None));
    assert_eq!((sheet(&stack, id).break_seconds, sheet(&stack, id).duration), (0, 6 * 3_600));
}

/// What was made while the zone of the token's user was wrong stays on the day before when that is corrected.
#[tokio::test(flavor = "multi_thread")]
async fn days_are_made_right_after_the_zone_of_the_token_was_corrected() {
    let stack = in_brussels().await;
    stack.kimai.set_zone(SYNC, "America/New_York");
    let mut ids = Vec::new();
    for (id, day) in [("A", "2024-09-02"), ("B", "2024-09-03"), ("C", "2024-09-04"), ("D", "2024-09-05")] {
        let uri = stack.register(id, day, "PT8H").await;
        stack.notify(&[&uri]).await;
        ids.push((newest(&stack), day));
    }
    let booked = || ids.iter().map(|(id, _)| sheet(&stack, *id).day.to_string()).collect::<Vec<_>>();
    assert_eq!(booked(), ["2024-09-01", "2024-09-02", "2024-09-03", "2024-09-04"]);
    assert_eq!(metric(&stack, "off_day_timesheets").await, "4.0");
    stack.kimai.set_zone(SYNC, "Europe/Brussels");
    // The owner of two has another zone; one is on an invoice; one has its work log changed meanwhile.
    stack.kimai.edit_timesheet(ids[2].0, |row| row.exported = true);
    let told = story(&stack, "A").await;
    assert_eq!(told["story"]["verdict"], "differs");
    assert!(
        told.to_string().contains("day: 2024-09-01 in Kimai's reports, 2024-09-02 in the work log"),
        "{told}"
    );
    assert_eq!(check(&stack, "hours").await.0, Health::Trouble);

    let shown = plan(&stack).await;
    assert_eq!(kinds(&shown), [Kind::WrongDay; 4]);
    let held: Vec<Option<Hold>> = shown.findings.iter().map(|finding| finding.held).collect();
    assert_eq!(held, [None, None, Some(Hold::Exported), None]);
    assert_eq!(
        shown.findings[0].reason,
        "Kimai books it on 2024-09-01 in its reports, the work log says 2024-09-02"
    );
    assert_eq!(booked()[0], "2024-09-01", "a plan changes nothing");

    stack.forget_calls();
    sweep(&stack).await;
    assert_eq!(booked(), ["2024-09-02", "2024-09-03", "2024-09-03", "2024-09-05"]);
    assert_eq!(stack.kimai_calls("PATCH"), 6, "a minute later and back");
    assert_eq!((stack.kimai_calls("POST"), stack.kimai_calls("DELETE")), (0, 0));
    assert_eq!(kinds(&sweep(&stack).await), [Kind::WrongDay], "the exported one");
    stack.kimai.edit_timesheet(ids[2].0, |row| row.exported = false);
    retry(&stack, "C").await;
    assert_eq!(booked()[2], "2024-09-04");
    assert_eq!(
        (kinds(&sweep(&stack).await), metric(&stack, "off_day_timesheets").await),
        (vec![], "0.0".to_owned())
    );
    let rows = stack.kimai.timesheets();
    assert!(
        rows.iter().all(|row| row.user == stack.user.as_number().unwrap() && row.duration == 8 * 3_600),
        "{rows:?}"
    );
}

/// Kimai sets the day of a change in the owner's zone: there it takes the token's user for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn owners_in_another_zone_get_their_hours_on_the_right_day_too() {
    let stack = in_brussels().await;
    stack.kimai.set_zone(stack.user, "UTC");
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&uri]).await;
    let id = newest(&stack);
    assert_eq!(sheet(&stack, id).day.to_string(), "2024-09-02", "a creation is in the token's zone");
    // The owner's own views show the day before, and the doctor says so.
    let (health, words) = check(&stack, "owners").await;
    assert!(health == Health::Warning && words.contains("'jane' (UTC)"), "{words}");

    stack.change(&uri, "cal:dtstart", "\"2024-09-10\"^^xsd:date").await;
    stack.notify(&[&uri]).await;
    let row = sheet(&stack, id);
    assert_eq!((row.day.to_string().as_str(), row.user), ("2024-09-10", stack.user.as_number().unwrap()));
    assert_eq!(row.begin.to_string(), "2024-09-09T22:00:00Z");
    assert_eq!(stands(&stack, "A").await, verdict("in-sync", None));
    assert_eq!(kinds(&sweep(&stack).await), []);

    // Where the token's user would make another day of it too, that is said and not hidden.
    stack.kimai.set_zone(SYNC, "UTC");
    stack.change(&uri, "cal:dtstart", "\"2024-09-12\"^^xsd:date").await;
    stack.notify(&[&uri]).await;
    assert_eq!(stands(&stack, "A").await, verdict("differs", Some("wrong-day")));
    assert!(story(&stack, "A").await.to_string().contains("books timesheet"));
    assert_eq!(kinds(&plan(&stack).await), [Kind::WrongDay]);
    stack.kimai.set_zone(SYNC, "Europe/Brussels");
    sweep(&stack).await;
    assert_eq!(sheet(&stack, id).day.to_string(), "2024-09-12");
    assert_eq!(stands(&stack, "A").await, verdict("in-sync", None));

    stack.kimai.set_zone(stack.user, "Europe/Brussels");
    assert_eq!(check(&stack, "owners").await.0, Health::Well);
}

/// Nobody is made the owner who could not be made it back.
#[tokio::test(flavor = "multi_thread")]
async fn hours_of_somebody_who_is_disabled_are_not_taken_away() {
    let stack = in_brussels().await;
    stack.kimai.set_zone(stack.user, "UTC");
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&uri]).await;
    stack.kimai.set(kimai_sync::trackers::kimai::sandbox::Entity::User(stack.user), "enabled", json!(false));
    stack.change(&uri, "cal:dtstart", "\"2024-09-10\"^^xsd:date").await;
    stack.notify(&[&uri]).await;
    let row = sheet(&stack, newest(&stack));
    assert_eq!((row.day.to_string().as_str(), row.user), ("2024-09-09", stack.user.as_number().unwrap()));
    assert_eq!(stands(&stack, "A").await, verdict("differs", Some("wrong-day")));
}
