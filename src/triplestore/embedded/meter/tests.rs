//! What would fill the memory is refused in words; everything else answers as it would without being counted.

use std::time::Duration;

use crate::triplestore::TriplestoreFault;
use crate::triplestore::embedded::{Answer, Embedded};

async fn filled(triples: usize) -> Embedded {
    let store = Embedded::in_memory().expect("a store");
    let triples = (0..triples).map(|n| format!("<http://x/{n}> <http://x/p> \"value {n}\" . "));
    let triples = triples.collect::<Vec<_>>().concat();
    store.execute(&format!("INSERT DATA {{ {triples} }}")).await.expect("stored");
    store
}

/// Queries that take gigabytes if they may.
fn hostile() -> Vec<(&'static str, String)> {
    let cross = "?a ?b ?c . ?d ?e ?f . ?g ?h ?i";
    let doubled =
        (0..60).map(|n| format!("BIND(CONCAT(?s{n}, ?s{n}) AS ?s{})", n + 1)).collect::<Vec<_>>().concat();
    let values = |name: char| format!("VALUES ?{name} {{ {} }}", "1 2 3 4 5 ".repeat(200));
    let product = ['j', 'k', 'l', 'm'].map(values).concat();
    let subselects: String =
        (0..4).map(|n| format!("{{ SELECT ?p ?s{n} {{ ?s{n} ?p ?o{n} }} }}")).collect::<Vec<_>>().concat();
    vec![
        ("ORDER BY", format!("SELECT * {{ {cross} }} ORDER BY ?c ?f")),
        ("ORDER BY with LIMIT", format!("SELECT * {{ {cross} }} ORDER BY ?c LIMIT 1")),
        ("GROUP BY", format!("SELECT (COUNT(*) AS ?n) {{ {cross} }} GROUP BY ?a ?d ?g")),
        ("DISTINCT", format!("SELECT (COUNT(*) AS ?n) {{ SELECT DISTINCT * {{ {cross} }} }}")),
        ("COUNT DISTINCT", format!("SELECT (COUNT(DISTINCT CONCAT(?c, ?f, ?i)) AS ?n) {{ {cross} }}")),
        ("GROUP_CONCAT", format!("SELECT (GROUP_CONCAT(?c) AS ?n) {{ {cross} }}")),
        ("groups", "SELECT * { { ?a ?b ?c } { ?d ?e ?f } { ?g ?h ?i } { ?j ?k ?l } } ORDER BY ?a".to_owned()),
        ("subselects of one variable", format!("SELECT * {{ {subselects} }} ORDER BY ?s0")),
        ("OPTIONAL", "SELECT * { ?a ?b ?c OPTIONAL { ?d ?e ?f } OPTIONAL { ?g ?h ?i } } ORDER BY ?a".to_owned()),
        ("VALUES", format!("SELECT * {{ {product} }} ORDER BY ?j")),
        ("MINUS", "SELECT * { ?x ?y ?z MINUS { ?x ?b ?c . ?d ?e ?f . ?g ?h ?i } }".to_owned()),
        ("CONCAT", format!("SELECT * {{ BIND('0123456789' AS ?s0) {doubled} }}")),
        ("REPLACE", "SELECT * { BIND('0123456789' AS ?a) BIND(REPLACE(?a, '[0-9]', ?a) AS ?b) BIND(REPLACE(?b, '[0-9]', ?b) AS ?c) BIND(REPLACE(?c, '[0-9]', ?c) AS ?d) }".to_owned()),
        ("a sort within EXISTS", format!("ASK {{ ?x ?y ?z FILTER EXISTS {{ SELECT * {{ {cross} }} ORDER BY ?a }} }}")),
    ]
}

#[tokio::test]
async fn what_would_fill_the_memory_is_refused_in_words_and_the_store_lives() {
    let store = filled(400).await.with_memory_limit(16 * 1024 * 1024);
    for (name, query) in hostile() {
        let began = std::time::Instant::now();
        let fault = store.query(&query).await.expect_err(name);
        eprintln!("{name}: {:?} {fault}", began.elapsed());
        assert!(
            matches!(&fault, TriplestoreFault::Refused(why) if why.to_string().contains("MiB")),
            "{name}: {fault}"
        );
    }
    let update = "INSERT { ?a ?b ?f } WHERE { SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?a }";
    let fault = store.execute(update).await.expect_err("too much");
    assert!(matches!(&fault, TriplestoreFault::Refused(why) if why.to_string().contains("MiB")), "{fault}");
    store.execute("INSERT DATA { <http://x/s> <http://x/q> 1 }").await.expect("updates go on");
    assert_eq!(store.len().expect("counted"), 401);
}

/// What multiplies and matches nothing reads no triple, but ends with its time.
#[tokio::test]
async fn what_only_multiplies_ends_at_the_time_limit() {
    let store = filled(400).await;
    let hasty = store.clone().with_time_limit(Duration::from_millis(300));
    let endless = "ASK { VALUES ?a { 1 2 3 4 5 6 7 8 9 } VALUES ?b { 1 2 3 4 5 6 7 8 9 } VALUES ?c { 1 2 3 4 5 6 7 8 9 } VALUES ?d { 1 2 3 4 5 6 7 8 9 } VALUES ?e { 1 2 3 4 5 6 7 8 9 } VALUES ?f { 1 2 3 4 5 6 7 8 9 } VALUES ?g { 1 2 3 4 5 6 7 8 9 } VALUES ?h { 1 2 3 4 5 6 7 8 9 } VALUES ?i { 1 2 3 4 5 6 7 8 9 } FILTER(?a + ?b + ?c + ?d + ?e + ?f + ?g + ?h + ?i = 0) }";
    let fault = hasty.query(endless).await.expect_err("too long");
    assert!(matches!(fault, TriplestoreFault::Transient(_)), "{fault}");
}

/// Each form of query, answered as the engine itself does.
#[tokio::test]
async fn what_is_counted_answers_the_same() {
    let store = filled(30).await;
    store
        .execute("INSERT DATA { <http://x/1> <http://x/q> <http://x/2> . <http://x/2> <http://x/q> <http://x/3> . <http://x/3> <http://x/r> 7 }")
        .await
        .expect("stored");
    for query in [
        "SELECT * { ?s <http://x/p> ?o } ORDER BY DESC(?o) ?s LIMIT 7 OFFSET 2",
        "SELECT DISTINCT ?p { ?s ?p ?o } ORDER BY ?p",
        "SELECT ?p (COUNT(*) AS ?n) (COUNT(DISTINCT ?o) AS ?d) { ?s ?p ?o } GROUP BY ?p ORDER BY ?p",
        "SELECT (GROUP_CONCAT(?s ; SEPARATOR = ', ') AS ?all) { { SELECT ?s { ?s <http://x/q> ?o } ORDER BY ?s } }",
        "SELECT * { ?s <http://x/q> ?o OPTIONAL { ?o <http://x/q> ?n } OPTIONAL { ?n <http://x/r> ?v } } ORDER BY ?s",
        "SELECT * { ?s <http://x/q> ?o MINUS { ?s <http://x/q> <http://x/3> } }",
        "SELECT * { VALUES ?s { <http://x/1> <http://x/2> <http://x/9> } ?s <http://x/q> ?o } ORDER BY ?s",
        "SELECT * { VALUES (?s ?x) { (<http://x/1> 1) (UNDEF 2) } ?s <http://x/q> ?o } ORDER BY ?s ?x",
        "SELECT * { { ?s <http://x/q> ?o } UNION { ?s <http://x/r> ?o } FILTER(?s != <http://x/1>) } ORDER BY ?s",
        "SELECT * { ?a <http://x/q> ?b . ?c <http://x/r> ?d } ORDER BY ?a",
        "SELECT * { ?a <http://x/q> ?b . ?c <http://x/r> ?d FILTER(?b = ?c) }",
        "SELECT * { { SELECT ?s { ?s <http://x/q> ?o } } { SELECT ?s { ?s <http://x/p> ?v } } { SELECT ?t { ?t <http://x/r> 7 } } } ORDER BY ?s",
        "SELECT ?t { <http://x/1> <http://x/q>+/<http://x/r>? ?t } ORDER BY ?t",
        "SELECT (CONCAT(?o, '!', STR(?s)) AS ?x) (REPLACE(?o, 'v', 'w') AS ?y) (UCASE(?o) AS ?z) { ?s <http://x/p> ?o } ORDER BY ?x LIMIT 5",
        "SELECT ?s { ?s <http://x/p> ?o FILTER EXISTS { ?s <http://x/q> ?x } FILTER NOT EXISTS { ?s <http://x/r> ?y } } ORDER BY ?s",
        "SELECT REDUCED ?p { ?s ?p ?o FILTER(?p = <http://x/r>) }",
        "SELECT * { GRAPH ?g { ?s <http://x/r> ?v . ?s <http://x/p> ?o } }",
        "SELECT * { ?s <http://x/q> [ <http://x/q> ?v ] }",
        "ASK { ?s <http://x/r> 7 . ?t <http://x/r> 8 }",
    ] {
        let plain = plainly(&store, query);
        match store.query(query).await.unwrap_or_else(|fault| panic!("{query}: {fault}")) {
            Answer::Results(json) => assert_eq!(String::from_utf8(json).expect("UTF-8"), plain, "{query}"),
            Answer::Triples(triples) => assert_eq!(triples, plain, "{query}"),
        }
    }
}

/// The answer of the engine alone.
fn plainly(store: &Embedded, query: &str) -> String {
    use oxigraph::sparql::{CancellationToken, SparqlEvaluator};
    let parsed = crate::triplestore::embedded::parser().parse_query(query).expect("a query");
    let results = SparqlEvaluator::new().for_query(parsed).on_store(&store.store).execute().expect("results");
    match crate::triplestore::embedded::answer::write(results, &CancellationToken::new()).expect("an answer")
    {
        Answer::Results(json) => String::from_utf8(json).expect("UTF-8"),
        Answer::Triples(triples) => triples,
    }
}
