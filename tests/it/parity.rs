//! Parity with the JavaScript service (0.3.5) that this one replaces: the same requests to Kimai
//! (`requests`), the same triples (`graphs`), and every difference that is intended, in one table.

mod differences;
mod graphs;
mod requests;

use crate::support::stack::Stack;

/// One difference that is intended. `old` and `ours` say what is seen of the same situation in the same
/// words: `old` as measured or as its source says, `ours` as the test observes it.
struct Difference {
    what: &'static str,
    old: &'static str,
    ours: &'static str,
    /// Said where the test fails, so that nobody undoes it unawares.
    why: &'static str,
}

/// Makes the table, and of each row a test: what the function of that name observes must be `ours`.
macro_rules! differences {
    ($($observe:ident: $what:literal, old $old:literal, ours $ours:literal, why $why:literal;)*) => {
        const DIFFERENCES: &[Difference] =
            &[$(Difference { what: $what, old: $old, ours: $ours, why: $why }),*];

        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $observe() {
            let row = Difference { what: $what, old: $old, ours: $ours, why: $why };
            assert_ne!(row.old, row.ours);
            let seen = differences::$observe().await;
            assert_eq!(seen, row.ours, "{} (before: {}), since {}", row.what, row.old, row.why);
        })*
    };
}

differences! {
    // Requests to Kimai
    catalogue_lists: "the lists of an import of tasks",
        old "GET /api/projects?page=1&size=100, GET /api/activities?page=1&size=100",
        ours "GET /api/projects, GET /api/activities",
        why "Kimai does not page these lists: with 100 rows or more, the old loop never ended";
    timesheet_list: "the list of a sweep of September 2024",
        old "GET /api/timesheets?page=1&size=100&user=all&begin=2024-09-01T00%3A00%3A00&end=2024-09-30T00%3A00%3A00",
        ours "GET /api/timesheets?user=all&page=1&size=500&orderBy=id&order=ASC&begin=2024-08-30T00%3A00%3A00&end=2024-10-03T00%3A00%3A00",
        why "Kimai reads bounds in the zone of the token's user, so days are selected here; ordering by ID \
            keeps pages stable";
    header_of_a_delete: "the content type of a DELETE",
        old "content-type: application/json",
        ours "none",
        why "it has no body, and Kimai does not require it";
    day_west_of_utc: "begin of 2024-09-02 in America/New_York",
        old "2024-09-01T04:00:00.000Z",
        ours "2024-09-02T04:00:00.000Z",
        why "the hours belong to the day that the person wrote";
    day_with_a_zone: "begin of \"2024-09-02+02:00\"",
        old "nothing",
        ours "2024-09-02T00:00:00.000Z",
        why "it is a valid xsd:date";
    negative_duration: "end of -PT1H on 2024-09-02",
        old "2024-09-02T01:00:00.000Z",
        ours "nothing",
        why "a duration cannot be negative; it is parked with its reason";
    duration_in_years: "end of P1Y on 2024-09-02",
        old "2025-09-02T00:00:00.000Z",
        ours "nothing",
        why "years, months and weeks have no fixed number of hours; it is parked with its reason";
    five_deltas: "five deltas of one new work log",
        old "POST /api/timesheets, PATCH /api/timesheets/1, PATCH /api/timesheets/1, PATCH /api/timesheets/1, PATCH /api/timesheets/1",
        ours "POST /api/timesheets",
        why "each delta-notifier rule that matches sends one; nothing changed between them";
    refused_once: "a PATCH that is answered 500 once",
        old "PATCH /api/timesheets/1",
        ours "GET /api/timesheets/1, PATCH /api/timesheets/1, GET /api/timesheets/1, PATCH /api/timesheets/1",
        why "failed requests are retried instead of being dropped";
    gone_from_kimai: "an update of a timesheet that was deleted in Kimai",
        old "PATCH /api/timesheets/1",
        ours "GET /api/timesheets/1, POST /api/timesheets; dct:identifier 2",
        why "the hours were lost permanently: every later change was a PATCH answered with 404";
    rubbish_identifier: "an update of a work log with dct:identifier \"undefined\", left by an old bug",
        old "PATCH /api/timesheets/undefined; dct:identifier undefined",
        ours "POST /api/timesheets; dct:identifier 1",
        why "it has no timesheet";
    two_identifiers: "an update of a work log with the identifiers 10 and 9",
        old "PATCH /api/timesheets/ of either",
        ours "GET /api/timesheets/9, PATCH /api/timesheets/9",
        why "every run uses the same one, the lowest";
    exported_and_changed: "an update of a timesheet that is exported in Kimai",
        old "PATCH /api/timesheets/1",
        ours "GET /api/timesheets/1; timesheet-exported; dct:identifier 1",
        why "it may be on an invoice; with SYNC_EXPORTED=overwrite it is changed as before";
    exported_and_deleted: "a work log is deleted whose timesheet is exported in Kimai",
        old "DELETE /api/timesheets/1",
        ours "GET /api/timesheets/1; timesheet-exported; dct:identifier 1",
        why "it may be on an invoice; with SYNC_EXPORTED=overwrite it is deleted as before";
    activity_with_a_subject: "an activity whose Kimai id is 3 gets a dct:subject",
        old "DELETE /api/timesheets/3",
        ours "nothing",
        why "only the remains of a work log may delete a timesheet";
    path_in_an_id: "PUT /kimai-timesheets/..%2Fcustomers%2F1",
        old "DELETE /api/customers/1",
        ours "nothing",
        why "it is not the ID of a timesheet";
    identifier_of_another_datatype: "PUT /kimai-timesheets/1 where a work log has dct:identifier 1 as xsd:integer",
        old "DELETE /api/timesheets/1",
        ours "nothing",
        why "other tools write the number with a datatype; the work log is still linked";
    shared_identifier: "a work log is deleted, another one has the same identifier",
        old "DELETE /api/timesheets/1",
        ours "nothing",
        why "the timesheet belongs to the one that still exists";
    changed_without_a_delta: "a sweep over a work log that was changed without a delta",
        old "GET /api/timesheets",
        ours "GET /api/timesheets, GET /api/timesheets/1, PATCH /api/timesheets/1",
        why "an update whose delta was lost was never synced";
    orphan_without_work_logs: "a sweep finds a timesheet, but the triplestore returns no work logs",
        old "GET /api/timesheets, DELETE /api/timesheets/1",
        ours "GET /api/timesheets",
        why "a wrong scope has the same effect: all timesheets of two months would be deleted";
    many_orphans: "a sweep finds one work log and 21 timesheets without one",
        old "GET /api/timesheets and 21 times DELETE",
        ours "GET /api/timesheets",
        why "more than SWEEP_MAX_DELETIONS is most likely a mistake";
    // What is answered
    sweep_answer: "the answer to POST /sync-to-kimai/work-logs",
        old "202, no body, no Location",
        ours "202, a run, Location of the run",
        why "clients can see its progress and findings; mu script only checks the status";
    import_answer: "the answer to POST /sync-from-kimai/customers",
        old "204, no body, no Location",
        ours "204, no body, Location of the run",
        why "clients can see what the import did";
    other_method: "the answer to PUT /sync-from-kimai/customers",
        old "404", ours "405, Allow: POST",
        why "the response names the supported methods";
    other_letter_case: "the answer to POST /Delta",
        old "204", ours "404",
        why "access rules need one spelling of each path; use lower case";
    // What is written to the triplestore
    uuid_version: "the version of a minted UUID",
        old "1", ours "4",
        why "it is as unique, and does not reveal time and machine";
    identifier_after_a_404: "a work log is deleted whose timesheet is gone from Kimai",
        old "dct:identifier 1", ours "no dct:identifier",
        why "404 on a DELETE means that it is deleted";
    identifier_after_a_sweep: "a sweep deletes the timesheet of a work log whose deletion had no delta",
        old "DELETE /api/timesheets/1; dct:identifier 1",
        ours "DELETE /api/timesheets/1; no dct:identifier",
        why "nothing else would ever remove it";
    nameless_customer: "a customer without rdfs:label is imported again",
        old "no label", ours "ACME",
        why "the old update needed a label to replace";
    late_customer: "a project was imported before its customer",
        old "not linked", ours "linked",
        why "the old service linked only at creation, so the order of two scripts had a permanent effect";
    moved_activity: "Kimai moves an activity to another project, then tasks are imported",
        old "skos:broader Website", ours "skos:broader Shop",
        why "new hours on it were refused permanently; IMPORT_RELATIONS=keep is the old behaviour";
    moved_project: "Kimai moves a project to another customer, then tasks are imported",
        old "prov:wasAttributedTo ACME", ours "prov:wasAttributedTo Beta",
        why "the frontend kept showing the old customer; IMPORT_RELATIONS=keep is the old behaviour";
    activity_made_global: "Kimai makes an activity global, then tasks are imported",
        old "skos:broader Website", ours "no skos:broader",
        why "the project of its hours is not known; IMPORT_RELATIONS=keep is the old behaviour";
    hours_of_a_moved_activity: "hours of an activity that Kimai moved to another project, after an import of tasks",
        old "on Website", ours "on Shop",
        why "they stayed on a project that the activity does not belong to";
    hidden_in_kimai: "Kimai hides a project and deletes an activity, then tasks are imported",
        old "nothing", ours "Analysis, More, Other, Other a ext:UnavailableInKimai",
        why "people who manage tasks see which ones cannot be used any more; the class is removed when they are \
            available again";
    foreign_account: "an account of another service has the Kimai user's number",
        old "0 accounts of Kimai", ours "1 account of Kimai",
        why "the user could never be linked";
    typed_customer: "a customer whose dct:identifier is an xsd:integer is imported again",
        old "2 customers", ours "1 customer",
        why "the same number is the same customer";
    doubled_customer: "Kimai renames a customer that exists twice",
        old "1 of 2 renamed", ours "2 of 2 renamed",
        why "people see both";
    nothing_new: "updates of an import that finds nothing new",
        old "11 updates", ours "0 updates",
        why "each rewritten label was a delta and cleared caches";
    lock_of_what_cannot_be_mapped: "a lock: work logs without task, and of a person without name and account",
        old "SUBMITTED, 0 work logs", ours "EXPORTED, 1 work log",
        why "a timesheet contains all hours of its person, regardless of Kimai and names";
    lock_east_of_utc: "a lock with TZ=Europe/Brussels",
        old "SUBMITTED, 0 work logs", ours "EXPORTED, 1 work log",
        why "the month's first day was written as the UTC day of its midnight: nothing was found";
    lock_of_a_begin_with_a_zone: "a lock of a timesheet that begins on \"2024-09-01Z\"",
        old "SUBMITTED, 0 work logs", ours "EXPORTED, 1 work log",
        why "it is the same day";
    lock_of_two_statuses: "a lock of a timesheet that is SUBMITTED and DRAFT",
        old "EXPORTED, 1 work log", ours "SUBMITTED and DRAFT, 0 work logs",
        why "it is not clear which is right: it is logged and not changed";
}

/// Whoever moves over is told of every difference, and of no other.
#[test]
fn the_migration_guide_names_every_difference() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/migration.md")).unwrap();
    let told: Vec<&str> = guide.lines().skip_while(|line| !line.starts_with("| ---")).skip(1).collect();
    let told: Vec<&str> = told.into_iter().take_while(|line| line.starts_with('|')).collect();
    let row = |row: &Difference| {
        let cells = [row.what, row.old, row.ours, row.why].map(|cell| cell.replace('|', "\\|"));
        format!("| {} |", cells.join(" | "))
    };
    assert_eq!(told, DIFFERENCES.iter().map(row).collect::<Vec<_>>());
}

/// What was asked of Kimai so far, a line each.
fn requests(stack: &Stack) -> Vec<String> {
    let requests = stack.kimai.requests().0.into_iter();
    requests
        .map(|request| {
            let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
            format!("{} {}{query} {}", request.method, request.path, request.body).trim_end().to_owned()
        })
        .collect()
}
