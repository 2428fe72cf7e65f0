//! Answers of the triplestore that do not hold all there is, marked as such or not: nothing is deleted, created or
//! forgotten for what is missing from them.

use kimai_sync::domain::EntryId;
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::retry::Failure;
use kimai_sync::reconcile::sweep::{Period, Report};
use kimai_sync::work_logs::SourceFault;

use crate::support::front::{Front, Manners};
use crate::support::stack::Stack;

/// Work logs, over a few days.
const COUNT: usize = 12;

async fn company(front: &Front) -> Stack {
    let stack = Stack::behind(front, &[("SWEEP_MAX_DELETIONS", "1000")]).await;
    let mut uris = Vec::new();
    for n in 0..COUNT {
        uris.push(stack.register(&format!("N{n:02}"), &format!("2024-09-{:02}", 2 + n % 4), "PT8H").await);
    }
    let named: Vec<&str> = uris.iter().map(String::as_str).collect();
    stack.notify(&named).await;
    assert_eq!(stack.timesheets().len(), COUNT);
    stack
}

async fn sweep(stack: &Stack) -> Result<Report, Failure> {
    let period = Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() };
    let swept = stack.engine.sweeper.sweep(period, None, &Progress::unwatched()).await;
    stack.quiet().await;
    swept
}

fn ids(stack: &Stack) -> Vec<EntryId> {
    stack.timesheets().into_iter().map(|row| row.0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_timesheet_of_a_living_work_log_goes_for_rows_that_are_missing() {
    let front = Front::start();
    let stack = company(&front).await;
    let before = ids(&stack);
    let marked = |header| Manners { header: Some(header), most: Some((3, "")), ..Manners::default() };
    let table = [
        ("every second row", Manners { drops: Some(2), ..Manners::default() }),
        ("every third row", Manners { drops: Some(3), ..Manners::default() }),
        ("an anytime answer", marked(("X-SQL-State", "S1TAT"))),
        ("a cut answer", marked(("X-SPARQL-MaxRows", "3"))),
        ("a part", Manners { status: Some(206), most: Some((3, "")), ..Manners::default() }),
        ("work logs cut in silence", Manners { most: Some((5, "?written")), ..Manners::default() }),
        ("all cut in silence", Manners { most: Some((2, "")), ..Manners::default() }),
        ("days cut in silence", Manners { most: Some((1, "GROUP BY")), ..Manners::default() }),
    ];
    for (how, manners) in table {
        front.behaves(manners);
        let swept = sweep(&stack).await;
        let fault = swept.err().unwrap_or_else(|| panic!("{how}: it was taken for a fact"));
        assert!(matches!(fault, Failure::Triplestore(SourceFault::Incomplete(_))), "{how}: {fault}");
        assert_eq!(ids(&stack), before, "{how}");
    }
    front.behaves(Manners::default());
    let swept = sweep(&stack).await.unwrap();
    assert_eq!((swept.work_logs, swept.deleted, swept.queued, swept.findings.len()), (COUNT, 0, 0, 0));
    assert_eq!(ids(&stack), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_really_is_nobodys_is_still_deleted() {
    let front = Front::start();
    let stack = company(&front).await;
    for uri in ["N00", "N05"].map(|id| format!("{}/work-logs/{id}", crate::support::stack::BASE)) {
        stack.update(&format!("DELETE {{ <{uri}> ?p ?o }} WHERE {{ <{uri}> ?p ?o }}")).await;
    }
    let swept = sweep(&stack).await.unwrap();
    assert_eq!((swept.work_logs, swept.deleted), (COUNT - 2, 2));
    assert_eq!(stack.timesheets().len(), COUNT - 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_imported_twice_for_rows_that_are_missing() {
    let front = Front::start();
    let stack = company(&front).await;
    let triples = front.store.len().unwrap();
    for manners in [
        Manners { drops: Some(2), ..Manners::default() },
        Manners { most: Some((1, "ext:KimaiActivity")), ..Manners::default() },
        Manners {
            most: Some((1, "<http://mu.semte.ch/vocabularies/ext/KimaiActivity>")),
            ..Manners::default()
        },
        Manners { header: Some(("X-SQL-State", "S1TAT")), ..Manners::default() },
    ] {
        front.behaves(manners);
        stack.post("/sync-from-kimai/tasks", None).await;
        assert_eq!(front.store.len().unwrap(), triples);
    }
    front.behaves(Manners::default());
    assert_eq!(stack.post("/sync-from-kimai/tasks", None).await.0, 204);
    assert_eq!(front.store.len().unwrap(), triples);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_emoji_in_a_name_stops_no_sweep_and_no_import() {
    let front = Front::start();
    let stack = company(&front).await;
    front.behaves(Manners {
        swaps: vec![("\"Jane\"", "\"Jane \\uD83D\""), ("\"Analysis\"", "\"Ana\\u0000\\uDE00\"")],
        ..Manners::default()
    });
    let swept = sweep(&stack).await.unwrap();
    assert_eq!((swept.work_logs, swept.findings.len()), (COUNT, 0));
    assert_eq!(stack.post("/sync-from-kimai/tasks", None).await.0, 204);
    let values = stack.engine.doctor.examine().await.check("values").cloned().unwrap();
    assert!(values.says.contains("persons/jane") && values.help.is_some(), "{values}");
    assert!(
        stack
            .engine
            .metrics
            .text(kimai_sync::telemetry::metrics::Format::Prometheus)
            .contains("kimai_sync_unreadable_values_total{neighbour=\"triplestore\"}")
    );
}
