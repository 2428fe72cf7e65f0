//! A company of 200 people with a catalogue of 2 000 activities, and what they worked in a September.

use jiff::{SignedDuration, Timestamp};
use kimai_sync::domain::ids::{ActivityId, EntryId, ProjectId, UserId};
use kimai_sync::reconcile::sweep::Period;
use kimai_sync::trackers::kimai::sandbox::Role;

use super::stack::{BASE, Stack};

pub(crate) const USERS: usize = 200;
pub(crate) const CUSTOMERS: usize = 10;
pub(crate) const PROJECTS: usize = 100;
pub(crate) const ACTIVITIES: usize = 2_000;
/// What Kimai gives at most in one page of timesheets.
pub(crate) const PAGE: usize = 500;
/// Work logs written at once: 7 triples each, and Virtuoso refuses 2 000.
pub(crate) const BATCH: usize = 140;

/// What Kimai has of the company.
pub(crate) struct Company {
    pub(crate) users: Vec<UserId>,
    pub(crate) activities: Vec<(ProjectId, ActivityId)>,
}

pub(crate) fn found(stack: &Stack) -> Company {
    let kimai = &stack.kimai;
    let customers: Vec<_> = (0..CUSTOMERS).map(|n| kimai.add_customer(&format!("Customer {n}"))).collect();
    let projects: Vec<_> =
        (0..PROJECTS).map(|n| kimai.add_project(&format!("Project {n}"), customers[n % CUSTOMERS])).collect();
    let activities = (0..ACTIVITIES).map(|n| {
        let project = projects[n % PROJECTS];
        (project, kimai.add_activity(&format!("Activity {n}"), Some(project)))
    });
    let users =
        (0..USERS).map(|n| kimai.add_user(&format!("user{n:03}"), "Europe/Brussels", Role::User, None));
    Company { activities: activities.collect(), users: users.collect() }
}

pub(crate) async fn import(stack: &Stack) {
    for what in ["customers", "tasks", "accounts"] {
        assert_eq!(stack.post(&format!("/sync-from-kimai/{what}"), None).await.0, 204);
    }
}

/// The catalogue in the triplestore, with a person for each user.
pub(crate) struct Staff {
    pub(crate) company: Company,
    /// In the order of the company's activities.
    pub(crate) tasks: Vec<String>,
}

pub(crate) async fn hire(stack: &Stack) -> Staff {
    let company = found(stack);
    import(stack).await;
    let tasks =
        stack.select("SELECT DISTINCT ?s ?id WHERE { ?s a ext:KimaiActivity ; dct:identifier ?id }").await;
    let tasks: std::collections::HashMap<&str, &str> =
        tasks.iter().map(|row| (row["id"].value(), row["s"].value())).collect();
    let accounts =
        stack.select("SELECT DISTINCT ?s ?id WHERE { ?s a foaf:OnlineAccount ; dct:identifier ?id }").await;
    let persons: Vec<String> = accounts
        .iter()
        .map(|row| {
            let (account, id) = (row["s"].value(), row["id"].value());
            format!(
                "<{BASE}/persons/{id}> a foaf:Person ; foaf:name \"User {id}\" ; foaf:account <{account}> ."
            )
        })
        .collect();
    stack.update(&format!("INSERT DATA {{ {} }}", persons.concat())).await;
    let tasks = company.activities.iter().map(|(_, id)| tasks[id.to_string().as_str()].to_owned()).collect();
    Staff { company, tasks }
}

/// What the work log with this number is about: user, activity (by place) and midnight of its day.
/// The work logs go round `people`.
pub(crate) fn booking(number: usize, people: usize) -> (usize, usize, Timestamp) {
    let first: Timestamp = "2024-09-01T00:00:00Z".parse().unwrap();
    let day = i64::try_from(number / people % 30).unwrap();
    (number % people, number * 7 % ACTIVITIES, first + SignedDuration::from_hours(24 * day))
}

/// Registers so many work logs of the first `people` in September; `link` gives the timesheet of each, if it
/// has one.
pub(crate) async fn register(
    stack: &Stack,
    staff: &Staff,
    work_logs: usize,
    people: usize,
    link: impl Fn(usize) -> Option<EntryId>,
) {
    for batch in (0..work_logs).collect::<Vec<_>>().chunks(BATCH) {
        let triples = batch.iter().map(|&number| {
            let (user, activity, begin) = booking(number, people);
            let (person, task) = (staff.company.users[user], &staff.tasks[activity]);
            let day = begin.strftime("%Y-%m-%d");
            let link = link(number).map_or_else(String::new, |id| format!(" ; dct:identifier \"{id}\""));
            format!(
                "<{BASE}/work-logs/{number:05}> a cal:Vevent ; mu:uuid \"{number:05}\" ; cal:duration \"PT8H\" ;
                   cal:dtstart \"{day}\"^^xsd:date ; dct:subject <{task}> ;
                   prov:wasAssociatedWith <{BASE}/persons/{person}>{link} ."
            )
        });
        let update = format!("INSERT DATA {{ {} }}", triples.collect::<String>());
        stack.update(&update).await;
    }
}

pub(crate) fn september() -> Period {
    Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() }
}
