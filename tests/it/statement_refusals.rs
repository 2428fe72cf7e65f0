//! A triplestore that says no to some statements, in the words of sparql-parser: those work logs alone are parked,
//! and nothing else waits for them.

use std::time::{Duration, Instant};

use kimai_sync::domain::Code;
use kimai_sync::queue::State;

use crate::support::front::{Front, Manners};
use crate::support::stack::{BASE, Stack};

const OTHER: &str = "http://other.example/logs/";

/// Work logs of Jane's under another prefix, with their timesheets.
async fn synced_elsewhere(stack: &Stack, count: usize) -> Vec<String> {
    let task = stack.task(stack.activity).await;
    let uris: Vec<String> = (0..count).map(|n| format!("{OTHER}{n}")).collect();
    for uri in &uris {
        stack
            .update(&format!(
                "INSERT DATA {{ <{uri}> a cal:Vevent ; cal:duration \"PT1H\" ; cal:dtstart \"2024-09-02\"^^xsd:date ;
                   dct:subject <{task}> ; prov:wasAssociatedWith <{BASE}/persons/jane> }}"
            ))
            .await;
    }
    let named: Vec<&str> = uris.iter().map(String::as_str).collect();
    stack.notify(&named).await;
    uris
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sparql_parser_refuses_is_parked_with_its_fix_and_holds_up_nobody() {
    let front = Front::start();
    let stack = Stack::behind(&front, &[]).await;
    let others = synced_elsewhere(&stack, 6).await;
    assert_eq!(stack.timesheets().len(), 6);
    front.behaves(Manners { undeclared: vec![OTHER.to_owned()], ..Manners::default() });
    for uri in &others {
        stack.take_back_at(&front.store, uri).await;
    }
    let mut named = others.clone();
    for n in 0..10 {
        named.push(stack.register(&format!("N{n}"), "2024-09-03", "PT8H").await);
    }
    let since = Instant::now();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    stack.notify(&named).await;
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert_eq!(stack.timesheets().len(), 10, "those of the six are gone, each of the ten has its own");
    assert_eq!(stack.engine.workers.outages(), []);
    let parked = stack.engine.queue.page(State::Parked.into(), None, 100).await.unwrap();
    let found: Vec<&str> = parked.iter().map(|entry| entry.work_log.as_str()).collect();
    assert_eq!(found, others);
    for entry in &parked {
        let why = entry.last_error.clone().unwrap_or_default();
        assert_eq!(entry.code, Some(Code::TriplestoreRefusedWrite), "{why}");
        for words in [
            &format!("(add-type-for-prefix \"{OTHER}\" \"http://www.w3.org/2002/12/cal/ical#Vevent\")"),
            "config/authorization/config.lisp",
            // Its own, not that of all six.
            &format!("the statement: DELETE {{ <{}> dct:identifier ?id }}", entry.work_log),
        ] {
            assert!(why.contains(words), "{words:?} is not in {why}");
        }
    }
    // Once the line is there, the next try goes through.
    front.behaves(Manners::default());
    assert_eq!(stack.post("/queue/retry-parked", None).await.0, 202);
    stack.quiet().await;
    assert_eq!(stack.engine.queue.counts().await.unwrap().parked, 0);
    for uri in &others {
        assert_eq!(stack.links(uri).await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_condition_that_nobody_knows_is_tried_again_and_opens_no_breaker() {
    let front = Front::start();
    let stack = Stack::behind(&front, &[]).await;
    let printed = "The value NIL is not of type STRING when binding SB-IMPL::STRING";
    front.behaves(Manners { condition: Some(printed.to_owned()), ..Manners::default() });
    let mut uris = Vec::new();
    for n in 0..12 {
        uris.push(stack.register_at(&front.store, &format!("N{n}"), "2024-09-03", "PT8H").await);
    }
    let named: Vec<&str> = uris.iter().map(String::as_str).collect();
    assert_eq!(stack.post("/delta", Some(crate::support::stack::delta(&named))).await.0, 204);
    while stack.timesheets().len() < 12 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stack.engine.workers.outages(), [], "the triplestore is there");
    front.behaves(Manners::default());
    stack.quiet().await;
    for uri in &uris {
        assert_eq!(stack.links(uri).await.len(), 1);
    }
    assert_eq!(stack.timesheets().len(), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_tries_each_prefix_that_work_logs_have() {
    let front = Front::start();
    let stack = Stack::behind(&front, &[]).await;
    synced_elsewhere(&stack, 1).await;
    stack.register("AB", "2024-09-03", "PT8H").await;
    let write = async || stack.engine.doctor.examine().await.check("write").cloned().unwrap();
    let well = write().await;
    assert!(well.help.is_none() && well.says.contains(OTHER), "{well}");
    front.behaves(Manners { undeclared: vec![OTHER.to_owned()], ..Manners::default() });
    let lacking = write().await;
    assert!(lacking.says.contains(OTHER) && !lacking.says.contains(BASE), "{lacking}");
    let line = format!("(add-type-for-prefix \"{OTHER}\" ");
    assert!(lacking.help.clone().is_some_and(|help| help.contains(&line)), "{lacking}");
}
