//! Sweeps of a company's month in which every kind of difference is planted, and of those that must not do
//! anything. With `KIMAI_SYNC_SWEEP` that many work logs are in sync beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kimai_sync::domain::finding::{Hold, Kind, Unconfirmed};
use kimai_sync::domain::ids::{EntryId, WorkLogUri};
use kimai_sync::domain::timesheet::DesiredEntry;
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::Report;
use kimai_sync::store::ledger::Held;
use kimai_sync::trackers::kimai::sandbox::{Fault, Role, StoredTimesheet, When};

use crate::support::company::{PAGE, Staff, USERS, booking, hire, register, september};
use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack, TOKEN};

on_each_store!(every_kind_of_difference_is_found_and_put_right);

/// Work logs in sync, when `KIMAI_SYNC_SWEEP` says nothing else.
const IN_SYNC: usize = 2_000;
/// How often each kind is planted: more orphans than a sweep deletes without confirmation.
const EACH: usize = 21;
const EIGHT_HOURS: SignedDuration = SignedDuration::from_hours(8);

/// Plants differences; each work log gets a number of its own.
struct Planter<'a> {
    stack: &'a Stack,
    staff: &'a Staff,
    next: usize,
    triples: Vec<String>,
}

impl Planter<'_> {
    /// A timesheet of the next work log's, `change`d.
    fn timesheet(&self, change: impl FnOnce(&mut StoredTimesheet)) -> EntryId {
        let (user, activity, begin) = booking(self.next, USERS);
        let (user, activity) = (self.staff.company.users[user], self.staff.company.activities[activity]);
        let id = self.stack.kimai.add_timesheet(user, activity, begin, Some(begin + EIGHT_HOURS));
        assert!(self.stack.kimai.edit_timesheet(id, change));
        id
    }

    /// The next work log, with these links and that duration, so many days later than booked.
    fn work_log(&mut self, links: &[EntryId], duration: &str, days: i64) -> String {
        let (user, activity, begin) = booking(self.next, USERS);
        let uri = format!("{BASE}/work-logs/planted-{:05}", self.next);
        let (person, task) = (self.staff.company.users[user], &self.staff.tasks[activity]);
        let day = (begin + SignedDuration::from_hours(24 * days)).strftime("%Y-%m-%d");
        let links: Vec<String> = links.iter().map(|id| format!("; dct:identifier \"{id}\" ")).collect();
        let links = links.concat();
        self.triples.push(format!(
            "<{uri}> a cal:Vevent ; cal:dtstart \"{day}\"^^xsd:date ; dct:subject <{task}> ;
               prov:wasAssociatedWith <{BASE}/persons/{person}> ; cal:duration \"{duration}\" {links}."
        ));
        self.next += 1;
        uri
    }

    /// The next work log, of whose timesheet Kimai answered that it books it so many days from its own.
    async fn remember(&mut self, id: EntryId, duration: &str, shift: i32) {
        let (user, activity, begin) = booking(self.next, USERS);
        let (user, (project, activity)) =
            (self.staff.company.users[user], self.staff.company.activities[activity]);
        let wanted = DesiredEntry { begin, end: begin + EIGHT_HOURS, project, activity, user, note: None };
        let uri = WorkLogUri::parse(&self.work_log(&[id], duration, 0)).unwrap();
        let held = Held { found: wanted.into(), shift: Some(shift) };
        self.stack.engine.ledger.created(&uri, id, wanted, held).await.unwrap();
        self.stack.engine.ledger.linked(&uri).await.unwrap();
    }

    /// What is left of a deleted work log.
    fn tombstone(&mut self, id: EntryId) {
        let uri = format!("{BASE}/work-logs/planted-{:05}", self.next);
        self.triples.push(format!("<{uri}> dct:identifier \"{id}\" ."));
        self.next += 1;
    }

    async fn write(&mut self) {
        for batch in std::mem::take(&mut self.triples).chunks(100) {
            self.stack.update(&format!("INSERT DATA {{ {} }}", batch.concat())).await;
        }
    }
}

/// Plants [`EACH`] of every kind behind the numbers up to `from`. Gives what a sweep has to find.
async fn plant(stack: &Stack, staff: &Staff, from: usize) -> BTreeMap<Kind, usize> {
    let mut planter = Planter { stack, staff, next: from, triples: Vec::new() };
    let month = |days: i64| {
        move |row: &mut StoredTimesheet| {
            let shift = SignedDuration::from_hours(24 * days);
            (row.begin, row.end) = (row.begin + shift, row.end.map(|end| end + shift));
        }
    };
    let full = "PT8H";
    for number in 0..EACH {
        planter.work_log(&[], full, 0);
        let changed = planter.timesheet(|row| match number % 5 {
            0 => row.begin += SignedDuration::from_mins(30),
            1 => row.end = row.end.map(|end| end + SignedDuration::from_hours(1)),
            2 => row.project += 1,
            3 => row.activity += 1,
            _ => row.user += 1,
        });
        planter.work_log(&[changed], full, 0);
        let uncounted = planter.timesheet(|row| row.duration = 0);
        planter.work_log(&[uncounted], full, 0);
        // What was made while the token's user was in another zone.
        let off_day = planter.timesheet(|row| row.day = row.day.yesterday().unwrap());
        planter.remember(off_day, full, -1).await;
        planter.work_log(&[EntryId::number(9_000_000 + number as u64)], full, 0);
        let shared = planter.timesheet(|_| ());
        planter.work_log(&[shared], full, 0);
        planter.work_log(&[shared], full, 0);
        let (first, second) = (planter.timesheet(|_| ()), planter.timesheet(|_| ()));
        planter.work_log(&[first, second], full, 0);
        let left = planter.timesheet(|_| ());
        planter.tombstone(left);
        planter.timesheet(|row| row.description = Some("an orphan".to_owned()));
        planter.next += 1;
        planter.timesheet(|_| ());
        planter.work_log(&[], full, 0);
        let away = if number % 2 == 0 { 0 } else { 60 };
        let moved = planter.timesheet(month(away));
        planter.work_log(&[moved], full, 60 - away);
        planter.work_log(&[], "8h", 0);
        // No difference: Kimai rounds to the minute.
        let rounded =
            planter.timesheet(|row| row.end = row.end.map(|end| end + SignedDuration::from_secs(59)));
        planter.work_log(&[rounded], full, 0);
    }
    planter.write().await;
    Kind::ALL.into_iter().map(|kind| (kind, if kind == Kind::SharedLink { 2 * EACH } else { EACH })).collect()
}

fn counted(report: &Report) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for finding in &report.findings {
        *counts.entry(finding.kind).or_default() += 1;
    }
    counts
}

async fn sweep(stack: &Stack, confirmed: Option<&Unconfirmed>) -> Report {
    let report = stack.engine.sweeper.sweep(september(), confirmed, &Progress::unwatched()).await.unwrap();
    stack.quiet().await;
    report
}

#[expect(clippy::disallowed_methods, reason = "the test's own switch")]
fn in_sync() -> usize {
    std::env::var("KIMAI_SYNC_SWEEP").map_or(IN_SYNC, |given| given.parse().expect("a number"))
}

async fn every_kind_of_difference_is_found_and_put_right(stack: Stack) {
    let in_sync = in_sync();
    let staff = hire(&stack).await;
    let right: Vec<EntryId> = (0..in_sync)
        .map(|number| {
            let (user, activity, begin) = booking(number, USERS);
            let (user, activity) = (staff.company.users[user], staff.company.activities[activity]);
            stack.kimai.add_timesheet(user, activity, begin, Some(begin + EIGHT_HOURS))
        })
        .collect();
    register(&stack, &staff, in_sync, USERS, |number| Some(right[number])).await;
    let expected = plant(&stack, &staff, in_sync).await;
    let untouched = |stack: &Stack| -> Vec<(u64, Timestamp)> {
        let rows =
            stack.kimai.timesheets().into_iter().filter(|row| right.contains(&EntryId::number(row.id)));
        rows.map(|row| (row.id, row.modified)).collect()
    };
    let before = (untouched(&stack), stack.kimai.timesheets().len());

    stack.forget_calls();
    let started = Instant::now();
    let plan = stack.engine.sweeper.plan(september(), &Progress::unwatched()).await.unwrap();
    let (requests, (selects, updates)) = (stack.kimai.requests(), stack.statements());
    println!(
        "plan over {in_sync} in sync: {} requests to Kimai ({} pages, {EACH} by id), {selects} SELECTs, {:.2?}",
        requests.0.len(),
        plan.timesheets.div_ceil(PAGE),
        started.elapsed()
    );
    assert_eq!(counted(&plan), expected);
    let unconfirmed = plan.findings.iter().filter(|finding| finding.held == Some(Hold::Unconfirmed)).count();
    assert_eq!(unconfirmed, EACH, "the orphans; what is left of deleted work logs is evidence");
    // A dry run changes nothing, and asks for pages, what is missing from them, and what changed lately.
    assert_eq!((updates, requests.writes(), stack.engine.queue.counts().await.unwrap().waiting()), (0, 0, 0));
    let by_id = EACH + EACH / 2;
    assert!(requests.0.len() <= plan.timesheets.div_ceil(PAGE) + 2 + by_id, "{} requests", requests.0.len());

    // More than the bound: all but the deletions of orphans is done.
    let swept = sweep(&stack, None).await;
    assert_eq!((swept.deleted, swept.held, swept.adopted), (0, EACH, EACH));
    let unconfirmed = Unconfirmed::of(&swept.findings);
    assert_eq!(unconfirmed, Unconfirmed::of(&plan.findings));
    // A timesheet more, and what was confirmed is another set: nothing is deleted. It goes by itself.
    let (user, activity) = (staff.company.users[7], staff.company.activities[7]);
    let late = stack.kimai.add_timesheet(user, activity, booking(0, 1).2, Some(booking(0, 1).2));
    let swept = sweep(&stack, Some(&unconfirmed)).await;
    assert_eq!(swept.deleted, 0);
    // Those that are left over of the double links are orphans by now.
    let unconfirmed = Unconfirmed::of(&swept.findings);
    assert_eq!(unconfirmed.len(), 2 * EACH + 1);
    let swept = sweep(&stack, Some(&unconfirmed)).await;
    assert_eq!((swept.deleted, swept.held), (2 * EACH + 1, 0));

    let last = sweep(&stack, None).await;
    assert_eq!(counted(&last), BTreeMap::from([(Kind::Incomplete, EACH)]), "all else is right");
    assert!(
        stack
            .kimai
            .timesheets()
            .iter()
            .all(|row| row.id != late.as_number().unwrap() && row.description.is_none())
    );
    let rows = stack.kimai.timesheets();
    assert!(rows.iter().all(|row| row.duration >= EIGHT_HOURS.as_secs()), "each is counted");
    assert!(rows.iter().all(|row| row.day == row.begin.to_zoned(TimeZone::UTC).date()), "each is on its day");
    assert_eq!(untouched(&stack), before.0, "nothing else was touched");
    assert_links_are_one_to_one(&stack).await;
}

/// Every timesheet of Kimai has one work log, and the other way round.
async fn assert_links_are_one_to_one(stack: &Stack) {
    let all: BTreeSet<u64> = stack.kimai.timesheets().iter().map(|row| row.id).collect();
    let mut linked = Vec::new();
    for first in 0..10 {
        let rows = stack
            .select(&format!(
                "SELECT DISTINCT ?s ?id WHERE {{ ?s dct:identifier ?id . FILTER (STRENDS(STR(?s), \"{first}\"))
                   FILTER (CONTAINS(STR(?s), \"/work-logs/\")) }}"
            ))
            .await;
        linked.extend(rows.iter().map(|row| row["id"].value().parse::<u64>().unwrap()));
    }
    assert_eq!(linked.len(), all.len(), "a link for each timesheet");
    assert_eq!(linked.into_iter().collect::<BTreeSet<_>>(), all);
}

/// Quarters of an hour are a usual setting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kimai_rounds_is_not_repaired_again_and_again() {
    let stack = Stack::embedded(&[]).await;
    stack.kimai.rules(|rules| rules.rounding = std::time::Duration::from_mins(15));
    let uri = stack.register("rounded", "2024-09-02", "PT7H50M").await;
    stack.notify(&[&uri]).await;
    assert_eq!(stack.timesheets()[0].2, "2024-09-02T08:00:00Z");
    assert_eq!(sweep(&stack, None).await.findings, [], "Kimai answered so when it was created");

    // Made by somebody else, so that nothing is known of an answer: one try shows it.
    let other = stack.register("foreign", "2024-09-03", "PT7H50M").await;
    let begin: Timestamp = "2024-09-03T00:00:00Z".parse().unwrap();
    let made = (stack.project, stack.activity);
    let id = stack.kimai.add_timesheet(stack.user, made, begin, Some(begin + EIGHT_HOURS));
    stack.update(&format!("INSERT DATA {{ <{other}> dct:identifier \"{id}\" }}")).await;
    stack.forget_calls();
    assert_eq!(counted(&sweep(&stack, None).await), BTreeMap::from([(Kind::Changed, 1)]));
    assert_eq!(stack.kimai_calls("PATCH"), 1);
    assert_eq!(sweep(&stack, None).await.findings, []);
    assert_eq!(stack.kimai_calls("PATCH"), 1);

    // What somebody changes by hand is another matter.
    stack.kimai.edit_timesheet(id, |row| row.end = Some(begin + SignedDuration::from_hours(2)));
    sweep(&stack, None).await;
    assert_eq!(stack.timesheets()[1].2, "2024-09-03T08:00:00Z");
}

/// `user=all` silently gives a simple user his own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_does_not_see_everybodys_timesheets_stops_the_sweep() {
    let stack = Stack::embedded(&[]).await;
    let uri = stack.register("janes", "2024-09-02", "PT8H").await;
    let begin: Timestamp = "2024-09-02T00:00:00Z".parse().unwrap();
    let sheet = (stack.project, stack.activity);
    let id = stack.kimai.add_timesheet(stack.user, sheet, begin, Some(begin + EIGHT_HOURS));
    stack.update(&format!("INSERT DATA {{ <{uri}> dct:identifier \"{id}\" }}")).await;
    let new = stack.register("new", "2024-09-03", "PT8H").await;
    let clerk = stack.kimai.add_user("clerk", "UTC", Role::User, None);
    stack.kimai.expire_token(TOKEN);
    stack.kimai.add_token(clerk, TOKEN);
    stack.kimai.add_timesheet(clerk, sheet, begin, Some(begin + EIGHT_HOURS));
    stack.forget_calls();
    let failure = stack.engine.sweeper.sweep(september(), None, &Progress::unwatched()).await.unwrap_err();
    assert!(failure.to_string().contains("ROLE_ADMIN"), "{failure}");
    stack.quiet().await;
    assert_eq!((stack.kimai.requests().writes(), stack.links(&new).await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_not_be_deleted_is_held_back_and_told() {
    let stack = Stack::embedded(&[("SWEEP_GRACE", "10")]).await;
    let uri = stack.register("one", "2024-09-02", "PT8H").await;
    stack.notify(&[&uri]).await;
    let begin: Timestamp = "2024-09-02T00:00:00Z".parse().unwrap();
    let add = || {
        let sheet = (stack.project, stack.activity);
        stack.kimai.add_timesheet(stack.user, sheet, begin, Some(begin + SignedDuration::from_hours(1)))
    };
    let old = |row: &mut StoredTimesheet| row.modified -= SignedDuration::from_mins(11);
    let (recent, exported, left) = (add(), add(), add());
    stack.kimai.edit_timesheet(exported, |row| (row.exported = true, old(row)).1);
    stack.kimai.edit_timesheet(left, old);
    let report = sweep(&stack, None).await;
    let held: BTreeMap<EntryId, Option<Hold>> =
        report.findings.iter().map(|finding| (finding.timesheets[0], finding.held)).collect();
    let expected = [(recent, Some(Hold::Recent)), (exported, Some(Hold::Exported)), (left, None)];
    assert_eq!((held, report.deleted, report.held), (expected.into(), 1, 2));
    // Ten minutes later, it goes too.
    stack.kimai.edit_timesheet(recent, old);
    assert_eq!(sweep(&stack, None).await.deleted, 1);
    assert_eq!(stack.timesheets().len(), 2);
}

/// A sweep finds what is left of deleted work logs of any day, with timesheets that its list does not have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exported_timesheet_of_a_deleted_work_log_of_another_day_is_kept() {
    let stack = Stack::embedded(&[]).await;
    let (kept, there) = (
        stack.register("kept", "2024-07-02", "PT8H").await,
        stack.register("there", "2024-09-02", "PT8H").await,
    );
    let gone = stack.register("gone", "2024-07-03", "PT8H").await;
    stack.notify(&[&kept, &there, &gone]).await;
    let id = EntryId::number(stack.links(&kept).await[0].parse().unwrap());
    stack.kimai.edit_timesheet(id, |row| row.exported = true);
    // Two timesheets of one work log: they go together, so one that is exported keeps both.
    let begin: Timestamp = "2024-09-05T00:00:00Z".parse().unwrap();
    let second = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    stack.update(&format!("INSERT DATA {{ <{kept}> dct:identifier \"{second}\" }}")).await;
    stack.take_back(&kept).await;
    stack.take_back(&gone).await;
    let report = sweep(&stack, None).await;
    let held: Vec<_> = report.findings.iter().map(|finding| (finding.kind, finding.held)).collect();
    assert_eq!(held, [(Kind::Dangling, None), (Kind::Dangling, Some(Hold::Exported))]);
    assert_eq!((report.held, stack.timesheets().len()), (1, 3), "only that of the third is gone");
    assert_eq!(stack.links(&kept).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn teams_that_enter_hours_in_kimai_can_keep_them() {
    let stack = Stack::embedded(&[("SWEEP_DELETE_ORPHANS", "false")]).await;
    let (kept, gone) = (
        stack.register("one", "2024-09-02", "PT8H").await,
        stack.register("two", "2024-09-02", "PT7H").await,
    );
    stack.notify(&[&kept, &gone]).await;
    let begin: Timestamp = "2024-09-02T00:00:00Z".parse().unwrap();
    let theirs = (stack.project, stack.activity);
    stack.kimai.add_timesheet(stack.user, theirs, begin, Some(begin + SignedDuration::from_hours(1)));
    stack.take_back(&gone).await;
    let report = sweep(&stack, None).await;
    assert_eq!((report.deleted, report.held), (0, 1));
    assert_eq!(report.findings.iter().filter(|finding| finding.held == Some(Hold::TurnedOff)).count(), 1);
    // What is left of a work log is ours, and goes.
    assert_eq!(stack.timesheets().len(), 2);
}

/// Invoices have numbers too, and may show nothing else under this service's scope.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_something_else_is_no_deleted_work_log() {
    let stack = Stack::embedded(&[("SWEEP_DELETE_ORPHANS", "false")]).await;
    let uri = stack.register("one", "2024-09-02", "PT8H").await;
    stack.notify(&[&uri]).await;
    let begin: Timestamp = "2024-09-02T00:00:00Z".parse().unwrap();
    let theirs = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    stack.update(&format!("INSERT DATA {{ <http://x/invoices/1> dct:identifier \"{theirs}\" }}")).await;
    let report = sweep(&stack, None).await;
    assert_eq!(counted(&report), BTreeMap::from([(Kind::Orphan, 1)]));
    assert_eq!((stack.timesheets().len(), stack.links("http://x/invoices/1").await.len()), (2, 1));
    // One that we made for it ourselves is another matter, wherever its IRI stands.
    stack.update(&format!("INSERT DATA {{ <http://x/hours/1> dct:identifier \"{theirs}\" }}")).await;
    let made_for = kimai_sync::domain::WorkLogUri::parse("http://x/hours/1").unwrap();
    stack.engine.ledger.keep(&made_for, theirs).await.unwrap();
    stack.update("DELETE WHERE { <http://x/invoices/1> ?p ?o }").await;
    sweep(&stack, None).await;
    assert_eq!((stack.timesheets().len(), stack.links("http://x/hours/1").await.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_timesheet_that_cannot_be_looked_at_costs_itself_only() {
    let stack = Stack::embedded(&[]).await;
    for (name, day, id) in [("a", "2024-09-02", 9_001), ("b", "2024-09-03", 9_002)] {
        let uri = stack.register(name, day, "PT8H").await;
        stack.update(&format!("INSERT DATA {{ <{uri}> dct:identifier \"{id}\" }}")).await;
    }
    stack.kimai.fault(When::next("GET", "/api/timesheets/9001"), Fault::database_down());
    let progress = Progress::unwatched();
    let report = stack.engine.sweeper.sweep(september(), None, &progress).await.unwrap();
    stack.quiet().await;
    assert_eq!(counted(&report), BTreeMap::from([(Kind::Gone, 1)]));
    let stand = progress.watch().borrow().clone();
    assert!(stand.faults_in_all == 1 && stand.faults[0].contains("9001"), "{stand:?}");
    assert_eq!(stack.timesheets().len(), 1);
    sweep(&stack, None).await;
    assert_eq!(stack.timesheets().len(), 2, "the next sweep finds it");
}
