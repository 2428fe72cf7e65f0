//! What a killed process leaves half done, laid out by hand, and what the next one makes of it.

use std::time::Duration;

use kimai_sync::domain::WorkLogUri;
use kimai_sync::domain::timesheet::DesiredEntry;
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::Period;
use kimai_sync::trackers::kimai::sandbox::{Fault, Gate, When};

use crate::support::stack::Stack;

/// A process died between Kimai's answer and the ledger. The next one's sweep sees a timesheet that nobody
/// has, and is about to delete it; then the run of the open intent finds it and links it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timesheet_that_is_being_found_again_is_no_orphan() {
    let stack = Stack::embedded(&[]).await;
    stack.register("other", "2024-09-03", "PT1H").await;
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    let uri = WorkLogUri::parse(&work_log).unwrap();
    let (begin, end) = ("2024-09-02T00:00:00Z".parse().unwrap(), "2024-09-02T08:00:00Z".parse().unwrap());
    let (project, activity, user) = (stack.project, stack.activity, stack.user);
    let wanted = DesiredEntry { begin, end, project, activity, user, note: None };
    let clock = &stack.engine.clock;
    // With 5 s for a call, whether it was stored can be looked up 10 s later: soon, but not yet.
    let lately = clock.now().checked_sub(Duration::from_secs(8)).unwrap();
    stack.engine.ledger.open_intent(&uri, wanted, None, lately).await.unwrap();
    let id = stack.kimai.add_timesheet(user, (project, activity), begin, Some(end));

    // If the sweep gets to its DELETE, that arrives only when the run is through.
    let gate = Gate::default();
    stack.kimai.fault(When::next("DELETE", "/api/timesheets/*"), Fault::hold(&gate));
    let period = Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() };
    let settled = async {
        stack.quiet().await;
        while stack.links(&work_log).await.is_empty() {
            tokio::task::yield_now().await;
        }
        gate.open();
    };
    let progress = Progress::unwatched();
    let (report, ()) = tokio::join!(stack.engine.sweeper.sweep(period, None, &progress), settled);
    stack.quiet().await;
    assert_eq!(report.unwrap().deleted, 0);
    assert_eq!(stack.links(&work_log).await, [id.to_string()]);
    let held: Vec<_> = stack.timesheets().into_iter().map(|row| row.0).collect();
    assert!(held.contains(&id) && held.len() == 2, "{held:?} instead of {id} and the other's");
}

/// A timesheet is deleted in Kimai, created anew at the next change, and the process dies before the new
/// link is written. The triplestore still names the old one, the ledger the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timesheet_that_was_created_in_place_of_another_is_not_created_twice() {
    let stack = Stack::embedded(&[]).await;
    let work_log = stack.register("A", "2024-09-02", "PT8H").await;
    stack.notify(&[&work_log]).await;
    let old = stack.timesheets()[0].0;
    let (begin, end) = ("2024-09-02T00:00:00Z".parse().unwrap(), "2024-09-02T08:00:00Z".parse().unwrap());
    let (project, activity, user) = (stack.project, stack.activity, stack.user);
    assert!(stack.kimai.delete_timesheet(old));
    let new = stack.kimai.add_timesheet(user, (project, activity), begin, Some(end));
    let wanted = DesiredEntry { begin, end, project, activity, user, note: None };
    let uri = WorkLogUri::parse(&work_log).unwrap();
    stack.engine.ledger.created(&uri, new, wanted, wanted.into()).await.unwrap();

    stack.change(&work_log, "cal:duration", "\"PT4H\"").await;
    stack.notify(&[&work_log]).await;
    let held: Vec<_> = stack.timesheets().into_iter().map(|row| (row.0, row.2)).collect();
    assert_eq!(held, [(new, "2024-09-02T04:00:00Z".to_owned())]);
    assert_eq!(stack.links(&work_log).await, [new.to_string()]);
}

/// Two work logs are equal, and the answers to both POSTs were lost; then one is deleted. While the other
/// one's run has just been told of both timesheets, the deleted one's run finds, deletes and forgets the
/// first of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timesheet_that_is_deleted_for_its_twin_meanwhile_is_not_found_again() {
    let stack = Stack::embedded(&[]).await;
    let (begin, end) = ("2024-09-02T00:00:00Z".parse().unwrap(), "2024-09-02T08:00:00Z".parse().unwrap());
    let (project, activity, user) = (stack.project, stack.activity, stack.user);
    let wanted = DesiredEntry { begin, end, project, activity, user, note: None };
    let long_ago = stack.engine.clock.now().checked_sub(Duration::from_mins(1)).unwrap();
    let (deleted, kept) =
        (stack.register("A", "2024-09-02", "PT8H").await, stack.register("B", "2024-09-02", "PT8H").await);
    for work_log in [&deleted, &kept] {
        let uri = WorkLogUri::parse(work_log).unwrap();
        stack.engine.ledger.open_intent(&uri, wanted, None, long_ago).await.unwrap();
        stack.kimai.add_timesheet(user, (project, activity), begin, Some(end));
    }
    stack.take_back(&deleted).await;

    let told = Gate::default();
    stack.kimai.fault(When::next("GET", "/api/timesheets"), Fault::hold(&told).applied());
    let queue = async |work_log: &str, removed: bool| {
        let named = [(WorkLogUri::parse(work_log).unwrap(), removed)].into();
        stack.engine.queue.put_named(&named, stack.engine.clock.now()).await.unwrap();
    };
    queue(&kept, false).await;
    told.reached().await;
    queue(&deleted, true).await;
    let gone = async {
        while stack.timesheets().len() == 2 {
            tokio::task::yield_now().await;
        }
    };
    // It may well have to wait for the other one.
    let _ = tokio::time::timeout(Duration::from_secs(1), gone).await;
    told.open();
    stack.quiet().await;
    let held: Vec<_> = stack.timesheets().into_iter().map(|row| row.0.to_string()).collect();
    assert_eq!((held.len(), stack.links(&kept).await), (1, held));
}
