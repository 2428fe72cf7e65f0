//! The laws every triplestore keeps, as far as this service relies on them: the embedded one called
//! directly, the same one behind HTTP, and a real Virtuoso.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use kimai_sync::http::sparql;
use kimai_sync::triplestore::changeset::{Changeset, Observer};
use kimai_sync::triplestore::embedded::Embedded;
use kimai_sync::triplestore::query_log::QueryLog;
use kimai_sync::triplestore::remote::{Remote, RemoteConfig};
use kimai_sync::triplestore::statement::{Iri, Literal, Triples};
use kimai_sync::triplestore::vocabulary::{PREFIXES, cal, dct, rdf, rdfs, xsd};
use kimai_sync::triplestore::{Term, Triplestore, TriplestoreFault};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::support::virtuoso::Virtuoso;

/// A store, with a namespace nobody else writes to.
struct Ground<'a> {
    store: &'a dyn Triplestore,
    base: String,
}

impl Ground<'_> {
    fn iri(&self, name: &str) -> Iri {
        Iri::new(format!("{}{name}", self.base)).expect("an IRI")
    }

    async fn write(&self, triples: &Triples) {
        for statement in triples.insert_data().expect("spelt") {
            self.store.update(&statement).await.unwrap_or_else(|fault| panic!("{statement}: {fault}"));
        }
    }

    async fn update(&self, statement: &str) {
        let statement = format!("{PREFIXES}{statement}");
        self.store.update(&statement).await.unwrap_or_else(|fault| panic!("{statement}: {fault}"));
    }

    /// All values of `?o`.
    async fn values(&self, pattern: &str) -> Vec<Term> {
        let query = format!("{PREFIXES}SELECT DISTINCT ?o WHERE {{ {pattern} }}");
        let rows = self.store.select(&query).await.unwrap_or_else(|fault| panic!("{query}: {fault}"));
        let mut values: Vec<Term> = rows.into_iter().filter_map(|mut row| row.remove("o")).collect();
        values.sort();
        values
    }

    async fn texts(&self, pattern: &str) -> Vec<String> {
        self.values(pattern).await.into_iter().map(|term| term.value().to_owned()).collect()
    }
}

async fn keeps_all_laws(store: &dyn Triplestore) {
    let ground = |law: &str| Ground { store, base: format!("http://test/{}/{law}/", uuid::Uuid::new_v4()) };
    strings_come_back_and_can_be_deleted(&ground("strings")).await;
    no_string_does_anything_else(&ground("injection")).await;
    terms_keep_their_kind(&ground("kinds")).await;
    dates_can_be_compared(&ground("dates")).await;
    a_variable_deletes_whatever_is_there(&ground("variables")).await;
    operations_follow_one_another(&ground("operations")).await;
    large_graphs_go_in_batches(&ground("batches")).await;
    a_triple_in_two_graphs_is_one_row(&ground("graphs")).await;
    a_bad_statement_is_refused(&ground("bad")).await;
}

/// Strings that would hurt somebody, and a hundred that might. No NUL: Virtuoso ends a string there.
fn strings() -> Vec<String> {
    let mut strings: Vec<String> = [
        "",
        "a",
        "\\u0022",
        "\\\\u0022",
        "x\\u0022 . } ; DROP ALL #",
        "\\",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "\n\r\t",
        "\u{1}\u{7f}\u{85}\u{2028}",
        "é😀אבג\u{202e}",
        "\\n",
        "\\U00000022",
        "?x $y %s {} @nl ^^<x>",
        "  a  ",
        "1",
        "true",
    ]
    .map(str::to_owned)
    .to_vec();
    strings.push("long ".repeat(4_000));
    let mut runner = TestRunner::deterministic();
    let any = prop_oneof!["[^\u{0}]{1,40}", "[\\\\\"'u0-2<>{};. \n\r\t#]{1,24}"];
    strings.extend((0..100).map(|_| any.new_tree(&mut runner).expect("a string").current()));
    strings.sort();
    strings.dedup();
    strings
}

async fn strings_come_back_and_can_be_deleted(ground: &Ground<'_>) {
    let mut triples = Triples::new();
    let strings = strings();
    for (n, text) in strings.iter().enumerate() {
        triples.add(&ground.iri(&n.to_string()), cal::COMMENT, Literal::string(text)).expect("added");
    }
    ground.write(&triples).await;
    for (n, text) in strings.iter().enumerate() {
        let pattern = format!("{} cal:comment ?o", ground.iri(&n.to_string()));
        let found = ground.values(&pattern).await;
        assert_eq!(found.iter().map(Term::value).collect::<Vec<_>>(), [text.as_str()]);
        let named = format!("{} cal:comment {}", ground.iri(&n.to_string()), Literal::string(text));
        ground.update(&format!("DELETE DATA {{ {named} }}")).await;
        assert_eq!(ground.texts(&pattern).await, [""; 0], "{text:?} must be gone");
    }
}

async fn no_string_does_anything_else(ground: &Ground<'_>) {
    let canary = ground.iri("canary");
    let mut triples = Triples::new();
    triples.add(&canary, rdfs::LABEL, Literal::string("alive")).expect("added");
    ground.write(&triples).await;
    for text in [
        "\" . } ; DELETE WHERE { ?s ?p ?o } #",
        "\\\" . } ; CLEAR ALL #",
        "\\u0022 } ; DELETE WHERE { ?s ?p ?o } #",
    ] {
        let mut triples = Triples::new();
        triples.add(&ground.iri("victim"), rdfs::LABEL, Literal::string(text)).expect("added");
        ground.write(&triples).await;
        let pattern = format!(
            "?o rdfs:label {} FILTER(STRSTARTS(STR(?o), \"{}\"))",
            Literal::string(text),
            ground.base
        );
        assert_eq!(
            ground.texts(&pattern).await,
            [ground.iri("victim").as_str()],
            "{text:?} can be asked for"
        );
    }
    assert_eq!(ground.texts(&format!("{canary} rdfs:label ?o")).await, ["alive"]);
}

async fn terms_keep_their_kind(ground: &Ground<'_>) {
    let log = ground.iri("log");
    let mut triples = Triples::new();
    let day = jiff::civil::date(2025, 2, 26);
    triples.add(&log, rdf::TYPE, Iri::known(cal::VEVENT)).expect("added");
    triples.add(&log, cal::DTSTART, Literal::date(day)).expect("added");
    triples.add(&log, dct::IDENTIFIER, Literal::string("9182")).expect("added");
    triples.add(&log, rdfs::LABEL, Literal::tagged("dag", "nl").expect("a tag")).expect("added");
    ground.write(&triples).await;
    assert_eq!(ground.values(&format!("{log} a ?o")).await, [Term::Iri(cal::VEVENT.to_owned())]);
    let one = async |predicate: &str| ground.values(&format!("{log} {predicate} ?o")).await.remove(0);
    let date = Term::Literal {
        value: "2025-02-26".to_owned(),
        datatype: Some(xsd::DATE.to_owned()),
        language: None,
    };
    assert_eq!(one("cal:dtstart").await, date);
    let Term::Literal { value, datatype, language } = one("dct:identifier").await else {
        panic!("a literal")
    };
    assert_eq!((value.as_str(), language), ("9182", None));
    assert!(datatype.is_none_or(|datatype| datatype == xsd::STRING));
    assert!(matches!(one("rdfs:label").await, Term::Literal { language: Some(tag), .. } if tag == "nl"));
}

async fn dates_can_be_compared(ground: &Ground<'_>) {
    let mut triples = Triples::new();
    for day in [28, 1, 2] {
        let date = jiff::civil::date(2025, if day == 28 { 2 } else { 3 }, day);
        triples.add(&ground.iri(&date.to_string()), cal::DTSTART, Literal::date(date)).expect("added");
    }
    ground.write(&triples).await;
    let (from, to) = (jiff::civil::date(2025, 3, 1), jiff::civil::date(2025, 3, 2));
    let pattern = format!(
        "?log cal:dtstart ?o FILTER(STRSTARTS(STR(?log), \"{}\") && ?o >= {} && ?o < {})",
        ground.base,
        Literal::date(from),
        Literal::date(to)
    );
    assert_eq!(ground.texts(&pattern).await, ["2025-03-01"]);
}

async fn a_variable_deletes_whatever_is_there(ground: &Ground<'_>) {
    let (log, other) = (ground.iri("log"), ground.iri("other"));
    let mut triples = Triples::new();
    for label in ["é", "a\\b\"c\n"] {
        triples.add(&log, rdfs::LABEL, Literal::string(label)).expect("added");
        triples.add(&other, rdfs::LABEL, Literal::string(label)).expect("added");
    }
    triples.add(&log, rdfs::LABEL, Literal::tagged("é", "nl").expect("a tag")).expect("added");
    triples.add(&log, rdfs::LABEL, Literal::typed("é", Iri::known(xsd::STRING))).expect("added");
    ground.write(&triples).await;
    ground.update(&format!("DELETE WHERE {{ {log} rdfs:label ?label }}")).await;
    assert_eq!(ground.texts(&format!("{log} rdfs:label ?o")).await, [""; 0]);
    assert_eq!(ground.texts(&format!("{other} rdfs:label ?o")).await.len(), 2);
    let rename = format!(
        "DELETE {{ {other} rdfs:label ?old }} INSERT {{ {other} rdfs:label \"new\" }} WHERE {{ {other} rdfs:label ?old }}"
    );
    ground.update(&rename).await;
    assert_eq!(ground.texts(&format!("{other} rdfs:label ?o")).await, ["new"]);
    ground.update(&format!("DELETE {{ {log} rdfs:label ?old }} INSERT {{ {log} rdfs:label \"new\" }} WHERE {{ {log} rdfs:label ?old }}")).await;
    assert_eq!(ground.texts(&format!("{log} rdfs:label ?o")).await, [""; 0], "no match, no insert");
}

async fn operations_follow_one_another(ground: &Ground<'_>) {
    let log = ground.iri("log");
    ground.update(&format!("INSERT DATA {{ {log} dct:identifier \"1\" }}")).await;
    ground
        .update(&format!(
            "DELETE WHERE {{ {log} dct:identifier ?id }} ; INSERT DATA {{ {log} dct:identifier \"2\" }}"
        ))
        .await;
    assert_eq!(ground.texts(&format!("{log} dct:identifier ?o")).await, ["2"]);
}

async fn large_graphs_go_in_batches(ground: &Ground<'_>) {
    let mut triples = Triples::new();
    for n in 0..1_050 {
        triples.add(&ground.iri("one"), dct::IDENTIFIER, Literal::string(n.to_string())).expect("added");
    }
    assert_eq!(triples.insert_data().expect("spelt").len(), 11);
    ground.write(&triples).await;
    assert_eq!(ground.texts(&format!("{} dct:identifier ?o", ground.iri("one"))).await.len(), 1_050);
}

async fn a_triple_in_two_graphs_is_one_row(ground: &Ground<'_>) {
    let (account, one, two) = (ground.iri("account"), ground.iri("g1"), ground.iri("g2"));
    for graph in [&one, &two] {
        ground.update(&format!("INSERT DATA {{ GRAPH {graph} {{ {account} dct:identifier \"3\" }} }}")).await;
    }
    // As sparql-parser asks: it names every graph the scope may read.
    let query =
        format!("{PREFIXES}SELECT DISTINCT ?o FROM {one} FROM {two} WHERE {{ {account} dct:identifier ?o }}");
    assert_eq!(ground.store.select(&query).await.map(|rows| rows.len()), Ok(1));
    ground.update(&format!("DELETE DATA {{ GRAPH {one} {{ {account} dct:identifier \"3\" }} }}")).await;
    assert_eq!(ground.store.select(&query).await.map(|rows| rows.len()), Ok(1), "still in the other");
}

async fn a_bad_statement_is_refused(ground: &Ground<'_>) {
    let query = ground.store.select("SELECT ?a WHERE { ?a ?b }").await;
    assert!(
        matches!(&query, Err(TriplestoreFault::Refused(why)) if why.to_string().contains("syntax")),
        "{query:?}"
    );
    let update = ground.store.update("INSERT DATA { <http://test/a> <http://test/b> }").await;
    assert!(
        matches!(&update, Err(TriplestoreFault::Refused(why)) if why.to_string().contains("syntax")),
        "{update:?}"
    );
}

fn remote(endpoint: &str) -> Remote {
    Remote::new(RemoteConfig {
        endpoint: endpoint.to_owned(),
        scope: Some("http://services.redpencil.io/timekeeper-kimai-sync-service".to_owned()),
        time_limit: Duration::from_mins(1),
        log: QueryLog::default(),
    })
    .expect("good settings")
}

#[tokio::test]
async fn the_embedded_store_keeps_all_laws() {
    keeps_all_laws(&Embedded::in_memory().expect("a store")).await;
}

/// Runs `work` while `store` is served at the endpoint given to it.
async fn served(store: Embedded, work: impl AsyncFnOnce(Remote)) {
    let data = web::Data::new(store);
    let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(sparql::configure))
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
    let endpoint = format!("http://{}/sparql", server.addrs()[0]);
    tokio::select! {
        ended = server.run() => panic!("the server ended: {ended:?}"),
        () = work(remote(&endpoint)) => {}
    }
}

#[actix_web::test]
async fn the_embedded_store_behind_http_keeps_all_laws() {
    served(Embedded::in_memory().expect("a store"), async |remote| keeps_all_laws(&remote).await).await;
}

#[actix_web::test]
async fn every_form_of_change_through_http_is_told_before_it_is_answered() {
    #[derive(Default)]
    struct Told(Mutex<Vec<Changeset>>);
    #[async_trait::async_trait]
    impl Observer for Told {
        async fn changed(&self, changes: &[Changeset]) -> Result<(), String> {
            self.0.lock().map_err(|error| error.to_string())?.extend_from_slice(changes);
            Ok(())
        }
    }
    let told = Arc::new(Told::default());
    let observer: Arc<dyn Observer> = Arc::clone(&told) as _;
    let store = Embedded::in_memory().expect("a store").with_observer(observer);
    served(store, async |remote| {
        let table = [
            ("INSERT DATA { <http://x/log> a <http://www.w3.org/2002/12/cal/ical#Vevent> }", (1, 0)),
            ("INSERT DATA { <http://x/log> a <http://www.w3.org/2002/12/cal/ical#Vevent> }", (0, 0)),
            ("INSERT { GRAPH <http://x/g> { ?log ?p ?o } } WHERE { ?log ?p ?o }", (1, 0)),
            ("DELETE { ?log a ?o } INSERT { ?log <http://x/was> ?o } WHERE { ?log a ?o }", (1, 2)),
            ("WITH <http://x/g> INSERT { <http://x/log> <http://x/p> 1 } WHERE {}", (1, 0)),
            ("MOVE <http://x/g> TO <http://x/h>", (1, 1)),
            ("DELETE WHERE { GRAPH ?g { ?s <http://x/p> ?o } }", (0, 1)),
            ("CLEAR ALL", (0, 1)),
            ("DROP SILENT GRAPH <http://x/none>", (0, 0)),
        ];
        for (form, wanted) in table {
            remote.update(form).await.unwrap_or_else(|fault| panic!("{form}: {fault}"));
            let changes = std::mem::take(&mut *told.0.lock().expect("free"));
            let found = changes.iter().fold((0, 0), |(inserts, deletes), change| {
                (inserts + change.inserts.len(), deletes + change.deletes.len())
            });
            assert_eq!(found, wanted, "{form}: {changes:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn virtuoso_keeps_all_laws_and_cuts_answers_at_10_000_rows() {
    let Some(virtuoso) = Virtuoso::start().expect("a Virtuoso that starts") else {
        return;
    };
    let remote = remote(virtuoso.endpoint());
    keeps_all_laws(&remote).await;
    let ground = Ground { store: &remote, base: "http://test/rows/".to_owned() };
    let mut triples = Triples::new();
    for n in 0..10_200 {
        triples.add(&ground.iri(&n.to_string()), dct::IDENTIFIER, Literal::string("x")).expect("added");
    }
    ground.write(&triples).await;
    let count = ground.texts("{ SELECT (COUNT(*) AS ?o) { ?s dct:identifier \"x\" } }").await;
    assert_eq!(count, ["10200"], "all are there");
    let cut = remote.select(&format!("{PREFIXES}SELECT ?o WHERE {{ ?o dct:identifier \"x\" }}")).await;
    assert!(matches!(cut, Err(TriplestoreFault::Incomplete(_))), "whoever reads more must page");
    let page = format!("{PREFIXES}SELECT ?o WHERE {{ ?o dct:identifier \"x\" }} LIMIT 9000");
    assert_eq!(remote.select(&page).await.expect("a page").len(), 9_000, "a page is no part of an answer");
    half_an_emoji_costs_itself(&remote).await;
}

/// As Virtuoso takes it and gives it back.
async fn half_an_emoji_costs_itself(remote: &Remote) {
    let label = |n: u32, text: &str| format!("<http://test/emoji/{n}> <{}> \"{text}\"", rdfs::LABEL);
    let triples = [label(1, "fine"), label(2, "Jane \\uD83D"), label(3, "\\uDE00 Bob")].join(" . ");
    remote.update(&format!("INSERT DATA {{ {triples} }}")).await.expect("taken");
    let pattern = "?s rdfs:label ?o . FILTER (STRSTARTS(STR(?s), \"http://test/emoji/\"))";
    let query = format!("{PREFIXES}SELECT DISTINCT ?s ?o WHERE {{ {pattern} }} ORDER BY ?s");
    let rows = remote.select(&query).await.expect("read");
    let labels: Vec<&str> = rows.iter().map(|row| row["o"].value()).collect();
    assert_eq!(labels, ["fine", "Jane \u{FFFD}", "\u{FFFD} Bob"]);
    let odd = remote.unreadable().recent();
    assert!(odd.len() == 2 && odd[0].contains("<http://test/emoji/2>"), "{odd:?}");
    let rename = "DELETE { ?s rdfs:label ?old } INSERT { ?s rdfs:label \"Jane\" } WHERE { VALUES ?s { <http://test/emoji/2> } ?s rdfs:label ?old }";
    remote.update(&format!("{PREFIXES}{rename}")).await.expect("replaced");
    let rows = remote.select(&query).await.expect("read");
    assert_eq!(rows[1]["o"].value(), "Jane", "what is half can be replaced: {rows:?}");
}
