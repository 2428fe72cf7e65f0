//! A timesheet's number in the triplestore, written in all the ways that tools and people write numbers.

use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::Period;

use crate::support::on_each_store;
use crate::support::stack::{Stack, answer};

on_each_store!(
    a_linked_timesheet_is_nobodys_orphan_however_its_number_is_written,
    what_is_no_number_links_nothing,
    customers_and_tasks_are_recognised_however_their_number_is_written,
);

async fn a_linked_timesheet_is_nobodys_orphan_however_its_number_is_written(stack: Stack) {
    // A work log of another month, so that the sweep has to look for whose timesheet it is; and one of the month.
    stack.register("near", "2024-09-02", "PT8H").await;
    let far = stack.register("far", "2024-12-02", "PT8H").await;
    let begin = "2024-09-02T00:00:00Z".parse().unwrap();
    let id = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
    for written in ["001", " 1", "+1", "1\\n", "0000000000000000000000001"] {
        assert_eq!(id.as_number().unwrap(), 1);
        stack.change(&far, "dct:identifier", &format!("\"{written}\"")).await;
        let put = stack.http.put(format!("{}/kimai-timesheets/1", stack.base));
        assert_eq!(answer(put).await.0, 204);
        assert_eq!(stack.timesheets()[0].0, id, "{written:?}: PUT keeps it");
        let period = Period { first: "2024-09-01".parse().unwrap(), last: "2024-09-30".parse().unwrap() };
        let plan = stack.engine.sweeper.plan(period, &Progress::unwatched()).await.unwrap();
        let orphans = plan.findings.iter().filter(|finding| finding.deletes()).count();
        assert_eq!(orphans, 0, "{written:?}: {:?}", plan.findings);
    }
    // Settled, it is pushed to the same timesheet, and its link is written as others look for it.
    stack.notify(&[&far]).await;
    assert_eq!(stack.kimai_calls("DELETE"), 0);
    assert_eq!(stack.timesheets()[0].0, id);
    assert!(stack.timesheets()[0].1.starts_with("2024-12-0"), "{:?}", stack.timesheets());
    assert_eq!(stack.links(&far).await, ["1"]);
}

async fn what_is_no_number_links_nothing(stack: Stack) {
    let uri = stack.register("A", "2024-09-02", "PT8H").await;
    let begin = "2024-09-02T00:00:00Z".parse().unwrap();
    for (count, written) in
        ["1.0", "-1", "1 1", "0", "undefined", "é1¹", "1\u{1F600}", ""].into_iter().enumerate()
    {
        let id = stack.kimai.add_timesheet(stack.user, (stack.project, stack.activity), begin, Some(begin));
        stack.change(&uri, "dct:identifier", &format!("\"{written}\"")).await;
        let put = stack.http.put(format!("{}/kimai-timesheets/{id}", stack.base));
        assert_eq!(answer(put).await.0, 204, "{written:?}");
        assert_eq!(stack.kimai_calls("DELETE"), count + 1, "{written:?} is not {id}");
    }
}

async fn customers_and_tasks_are_recognised_however_their_number_is_written(stack: Stack) {
    for again in ["\"001\"", "\" +1\"", "\"1\""] {
        stack
            .update(&format!(
                "DELETE {{ ?s dct:identifier ?id }} WHERE {{ ?s dct:identifier ?id ; a ?class .
                   FILTER (?class IN (prov:Organization, doap:Project) && REGEX (STR(?id), \"^[ +0]*1$\")) }} ;
                 INSERT {{ ?s dct:identifier {again} }} WHERE {{ ?s a ?class ; rdfs:label ?name . FILTER (STR(?name) IN (\"ACME\"))
                   FILTER (?class = prov:Organization) }} ;
                 INSERT {{ ?s dct:identifier {again} }} WHERE {{ ?s a doap:Project ; rdfs:label ?name . FILTER (STR(?name) = \"Other\") }}"
            ))
            .await;
        for what in ["customers", "tasks"] {
            assert_eq!(stack.post(&format!("/sync-from-kimai/{what}"), None).await.0, 204);
        }
        for (class, count) in [("prov:Organization", 1), ("doap:Project", 2)] {
            let found = stack.select(&format!("SELECT DISTINCT ?s WHERE {{ ?s a {class} }}")).await;
            assert_eq!(found.len(), count, "{again} {class}");
        }
    }
}
