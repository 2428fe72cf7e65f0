//! What it costs that a query at `/sparql` is scanned before it is parsed and counted while it runs.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use kimai_sync::triplestore::embedded::Embedded;
use oxigraph::model::{GraphName, Literal, NamedNode, Quad};
use oxigraph::sparql::{QueryResults, SparqlEvaluator};
use oxigraph::store::Store;

use crate::Size;
use crate::rounds::median;
use crate::table::{Bound, Row, Table};

const QUERIES: [(&str, &str); 3] = [
    ("sorted", "SELECT ?s ?o { ?s <http://x/p> ?o } ORDER BY ?o"),
    ("grouped", "SELECT ?t (COUNT(?s) AS ?n) { ?s <http://x/t> ?t ; <http://x/p> ?o } GROUP BY ?t"),
    (
        "with OPTIONAL",
        "SELECT * { ?s <http://x/t> ?t OPTIONAL { ?s <http://x/p> ?o } OPTIONAL { ?s <http://x/q> ?v } }",
    ),
];

/// Adds a row for each query: the embedded store beside the engine alone.
pub(crate) async fn measure(size: Size, table: &mut Table) -> anyhow::Result<()> {
    let count: i64 = size.of(20_000, 200);
    let (ours, engine) = (Embedded::in_memory()?, Store::new()?);
    let node = NamedNode::new_unchecked;
    let mut triples = String::new();
    for number in 0..count {
        let (subject, kind) =
            (node(format!("http://x/{number}")), node(format!("http://x/kind/{}", number % 7)));
        let value = Literal::from(count - number);
        writeln!(triples, "{subject} <http://x/p> {value} ; <http://x/t> {kind} .")?;
        engine.insert(&Quad::new(
            subject.clone(),
            node("http://x/p".to_owned()),
            value,
            GraphName::DefaultGraph,
        ))?;
        engine.insert(&Quad::new(subject, node("http://x/t".to_owned()), kind, GraphName::DefaultGraph))?;
    }
    ours.execute(&format!("INSERT DATA {{ {triples} }}")).await?;
    for (what, query) in QUERIES {
        let (mut counted, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..size.of(11, 1) {
            let began = Instant::now();
            ours.query(query).await?;
            counted.push(began.elapsed());
            plain.push(alone(&engine, query)?);
        }
        let (counted, plain) = (median(counted), median(plain));
        table.add(Row {
            what: format!("a query of {count} rows, {what}, counted while it runs"),
            measured: format!("{counted:.2?}"),
            floor: format!("{plain:.2?}, the engine alone, without an answer in JSON"),
            ratio: counted.as_secs_f64() / plain.as_secs_f64(),
            bound: Bound::AtMost(2.0),
            old: "",
        });
    }
    Ok(())
}

fn alone(engine: &Store, query: &str) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let results = SparqlEvaluator::new().parse_query(query)?.on_store(engine).execute()?;
    if let QueryResults::Solutions(solutions) = results {
        for solution in solutions {
            std::hint::black_box(solution?);
        }
    }
    Ok(began.elapsed())
}
