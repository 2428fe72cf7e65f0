//! A period read window by window, and what is left of deleted work logs: nothing missed, nothing made up,
//! on each store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use kimai_sync::domain::day_windows::{Window, windows};
use kimai_sync::domain::{EntryId, WorkLogUri};
use kimai_sync::triplestore::statement::Iri;
use kimai_sync::triplestore::work_logs::SparqlWorkLogs;
use kimai_sync::work_logs::{Link, WorkLogs};

use crate::support::on_each_store;
use crate::support::stack::{BASE, Stack};

on_each_store!(
    all_windows_together_are_the_period,
    what_is_left_of_deleted_work_logs_is_found_among_much_else,
    many_are_read_and_linked_together_as_each_alone,
    a_burst_costs_few_statements,
);

/// Work logs written at once: 7 triples each, and Virtuoso refuses 2 000.
const BATCH: usize = 140;

fn source(stack: &Stack) -> SparqlWorkLogs {
    SparqlWorkLogs::new(Arc::clone(&stack.store) as _, Iri::new("https://kimai.example.com").unwrap())
}

/// Writes work logs with the days as given, each linked to the timesheet of its number.
async fn write(stack: &Stack, name: &str, days: impl Iterator<Item = String>) {
    let all: Vec<String> = days
        .enumerate()
        .map(|(n, day)| {
            format!(
                "<{BASE}/work-logs/{name}{n:05}> a cal:Vevent ; mu:uuid \"{name}{n}\" ; cal:duration \"PT8H\" ;
                   cal:dtstart {day} ; dct:subject <{BASE}/tasks/1> ; dct:identifier \"{n}\" ;
                   prov:wasAssociatedWith <{BASE}/persons/jane> ."
            )
        })
        .collect();
    for batch in all.chunks(BATCH) {
        stack.update(&format!("INSERT DATA {{ {} }}", batch.concat())).await;
    }
}

async fn all_windows_together_are_the_period(stack: Stack) {
    let (first, last) = (date(2024, 9, 1), date(2024, 9, 30));
    let plain = |day: Date| format!("\"{day}\"^^xsd:date");
    // 200 a day from the 3rd to the 20th, but 1 800 on the 10th: with six durations, more than a page of rows.
    write(&stack, "even", (0..3_600).map(|n| plain(date(2024, 9, 3) + (n % 18).days()))).await;
    let durations = "cal:duration \"PT1H\", \"PT2H\", \"PT3H\", \"PT4H\", \"PT5H\"";
    let full = format!("{} ; {durations}", plain(date(2024, 9, 10)));
    write(&stack, "full", (0..1_600).map(|_| full.clone())).await;
    let odd = [
        "\"2024-09-02+02:00\"^^xsd:date",
        "\"2024-09-30T23:30:00Z\"^^xsd:dateTime",
        "\"2024-09-25\"",
        "\"2024-09-3\"",
        "\"2024-09-12 or so\"",
        "\"2024-09-04\"^^xsd:date, \"2024-09-28\"^^xsd:date",
    ];
    write(&stack, "odd", odd.iter().map(|day| (*day).to_owned())).await;
    let outside = ["\"2024-08-31\"^^xsd:date", "\"2024-10-01\"^^xsd:date", "\"September\""];
    write(&stack, "outside", outside.iter().map(|day| (*day).to_owned())).await;

    let source = source(&stack);
    stack.forget_calls();
    let days = source.days(first, last).await.unwrap();
    assert!(days.exact);
    let count = |text: &str| {
        let written = days.counts.iter().filter(|(written, _)| written.text == text);
        written.map(|(_, count)| count).sum::<usize>()
    };
    assert_eq!((count("2024-09-03"), count("2024-09-10"), count("2024-09-3")), (200, 1_800, 1), "{days:?}");
    // A store may write an instant in its own way, so these two are counted only.
    assert_eq!(
        days.counts.values().sum::<usize>(),
        3_600 + 1_600 + odd.len() + 1,
        "the one with two days twice"
    );
    let windows = windows(first, last, days);
    let mut read = BTreeMap::new();
    for window in &windows {
        read.extend(source.of_window(window).await.unwrap());
    }
    // Two for the days, one for each window, two more where a window turns out to be larger than a page.
    assert_eq!(stack.statements(), (windows.len() + 4, 0));
    assert!((2..=3).contains(&windows.len()), "{windows:?}");
    let all = Window { first, last, written: BTreeMap::new(), count: 0 };
    assert_eq!(read, source.of_window(&all).await.unwrap(), "by their names as by their order");
    let names = |name: &str, count: usize| {
        let name = name.to_owned();
        (0..count).map(move |n| format!("{BASE}/work-logs/{name}{n:05}"))
    };
    let wanted: BTreeSet<String> =
        names("even", 3_600).chain(names("full", 1_600)).chain(names("odd", odd.len())).collect();
    assert_eq!(read.keys().map(ToString::to_string).collect::<BTreeSet<_>>(), wanted);
    let doubled = &read[&WorkLogUri::parse(&format!("{BASE}/work-logs/odd00005")).unwrap()];
    assert_eq!(doubled.days.len(), 2, "whole, whichever window it came with");
    let whole = |name: String| {
        let facts = &read[&WorkLogUri::parse(&name).unwrap()];
        let sets = [&facts.days, &facts.tasks, &facts.persons, &facts.identifiers, &facts.durations];
        sets.map(|values| values.len()) == [1, 1, 1, 1, 6]
    };
    assert!(names("full", 1_600).all(whole), "whole, whichever page it came with");
}

async fn what_is_left_of_deleted_work_logs_is_found_among_much_else(stack: Stack) {
    write(&stack, "live", (0..300).map(|_| "\"2024-09-02\"^^xsd:date".to_owned())).await;
    let uri = |name: &str| WorkLogUri::parse(&format!("{BASE}/work-logs/{name}")).unwrap();
    let taken_back = uri("live00007");
    for property in
        ["rdf:type", "mu:uuid", "cal:duration", "cal:dtstart", "dct:subject", "prov:wasAssociatedWith"]
    {
        stack
            .update(&format!(
                "DELETE {{ <{taken_back}> {property} ?o }} WHERE {{ <{taken_back}> {property} ?o }}"
            ))
            .await;
    }
    // An identifier, and whatever else: of two timesheets, of none, typed. What the import makes is none of ours,
    // whatever it has lost. Somebody else's number comes too: whose it is takes more evidence.
    stack
        .update(&format!(
            "INSERT DATA {{ <{}> dct:identifier \"9002\", \"9001\"^^xsd:integer . <{}> dct:identifier \"undefined\" .
               <{BASE}/tasks/gone> dct:identifier \"9003\" . <{}> dct:identifier \"9004\" ; cal:comment \"left\" .
               <{}> a <http://x/Note>, <http://x/Other> ; dct:identifier \"9005\" ; dct:creator <{BASE}/persons/jane> .
               <{}> a wf:Task, <http://x/Note> ; dct:identifier \"9006\" .
               <{BASE}/persons/numbered> a foaf:Person ; dct:identifier \"9007\" }}",
            uri("two"),
            uri("none"),
            uri("commented"),
            uri("noted"),
            uri("task")
        ))
        .await;
    let source = source(&stack);
    stack.forget_calls();
    let numbered = WorkLogUri::parse(&format!("{BASE}/persons/numbered")).unwrap();
    let wanted = [
        (taken_back.clone(), vec![EntryId::number(7)]),
        (uri("commented"), vec![EntryId::number(9_004)]),
        (uri("noted"), vec![EntryId::number(9_005)]),
        (numbered.clone(), vec![EntryId::number(9_007)]),
        (uri("none"), vec![]),
        (uri("two"), vec![EntryId::number(9_001), EntryId::number(9_002)]),
    ];
    assert_eq!(source.dangling().await.unwrap(), BTreeMap::from(wanted));
    assert_eq!(stack.statements(), (1, 0));
    let ids = [7, 9_001, 9_003, 9_004, 9_005, 9_006, 9_007, 8].map(EntryId::number);
    let left = [
        (7, taken_back),
        (9_001, uri("two")),
        (9_004, uri("commented")),
        (9_005, uri("noted")),
        (9_007, numbered),
    ];
    let left = left.map(|(id, of)| (EntryId::number(id), vec![of]));
    assert_eq!(source.tombstones(&ids).await.unwrap(), BTreeMap::from(left), "the same by their numbers");
}

async fn many_are_read_and_linked_together_as_each_alone(stack: Stack) {
    write(&stack, "many", (0..250).map(|_| "\"2024-09-02\"".to_owned())).await;
    let work_log = |n: usize| WorkLogUri::parse(&format!("{BASE}/work-logs/many{n:05}")).unwrap();
    // One with so much to tell that an answer about a hundred would be cut.
    let notes = |part: usize| (0..900).map(|n| format!("\"note {part} {n}\"")).collect::<Vec<_>>().join(", ");
    for part in 0..10 {
        stack.update(&format!("INSERT DATA {{ <{}> cal:description {} }}", work_log(7), notes(part))).await;
    }
    let source = source(&stack);
    let mut all: Vec<WorkLogUri> = (0..250).map(work_log).collect();
    all.push(WorkLogUri::parse("http://x/nothing").unwrap());
    let together = source.facts_of(&all).await.unwrap();
    assert_eq!(together.len(), 250);
    for work_log in all.iter().step_by(25).chain([&all[7], &all[250]]) {
        let alone = source.facts(work_log).await.unwrap();
        assert_eq!(together.get(work_log).cloned().unwrap_or_default(), alone, "{work_log}");
    }

    // Every third is new, every third changes, every third loses its link, in whatever form that stands.
    let (typed, two) = (work_log(1), work_log(2));
    stack.change(typed.as_str(), "dct:identifier", "\"1\"^^xsd:integer").await;
    stack.update(&format!("INSERT DATA {{ <{two}> dct:identifier \"rubbish\" }}")).await;
    let to = |n: usize| (n % 3 < 2).then_some(EntryId::number(n as u64 + 1_000));
    for n in (0..250).step_by(3) {
        stack
            .update(&format!(
                "DELETE {{ <{0}> dct:identifier ?id }} WHERE {{ <{0}> dct:identifier ?id }}",
                work_log(n)
            ))
            .await;
    }
    let links: Vec<Link> =
        (0..250).map(|n| Link { work_log: work_log(n), to: to(n), had_link: n % 3 > 0 }).collect();
    stack.forget_calls();
    source.link(&links).await.unwrap();
    assert_eq!(stack.statements(), (0, 3));
    let linked = source.facts_of(&all).await.unwrap();
    for n in 0..250 {
        let wanted: Vec<String> = to(n).into_iter().map(|id| id.to_string()).collect();
        let found: Vec<String> = linked[&work_log(n)].identifiers.iter().cloned().collect();
        assert_eq!(found, wanted, "{n}");
    }
}

async fn a_burst_costs_few_statements(stack: Stack) {
    let (count, task) = (200, stack.task(stack.activity).await);
    let uris: Vec<String> = (0..count).map(|n| format!("{BASE}/work-logs/burst{n:05}")).collect();
    for batch in uris.chunks(BATCH) {
        let triples = batch.iter().map(|uri| {
            format!(
                "<{uri}> a cal:Vevent ; cal:duration \"PT8H\" ; cal:dtstart \"2024-09-02\"^^xsd:date ;
                   dct:subject <{task}> ; prov:wasAssociatedWith <{BASE}/persons/jane> ."
            )
        });
        let triples = triples.collect::<Vec<_>>().concat();
        stack.update(&format!("INSERT DATA {{ {triples} }}")).await;
    }
    stack.forget_calls();
    stack.notify(&uris.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(stack.timesheets().len(), count);
    for uri in &uris {
        assert_eq!(stack.links(uri).await.len(), 1, "{uri}");
    }
    let (selects, updates) = stack.statements();
    // A tenth of a work log, the first ten reads, and what was linked while nothing else was under way.
    let all = selects + updates;
    assert!(all <= count / 10 + 30, "{all} statements for {count} work logs");
}
