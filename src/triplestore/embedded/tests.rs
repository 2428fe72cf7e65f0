//! The store as its users see it: queries, updates, what is told, what survives.

mod disk;
mod histories;

use std::sync::Mutex as StdMutex;

use proptest::prelude::*;

use super::*;
use crate::triplestore::Term;
use crate::triplestore::changeset::Quad;
use crate::triplestore::statement::{Iri, Literal, Triples};
use crate::triplestore::vocabulary::cal;

/// Remembers what it was told, and fails when asked to.
#[derive(Default)]
struct Witness {
    told: StdMutex<Vec<Changeset>>,
    failing: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Observer for Witness {
    async fn changed(&self, changes: &[Changeset]) -> Result<(), String> {
        if self.failing.load(std::sync::atomic::Ordering::SeqCst) {
            return Err("the disk is full".to_owned());
        }
        self.told.lock().expect("told").extend_from_slice(changes);
        Ok(())
    }
}

impl Witness {
    /// What was told since the last call, each quad in short: `+ s p o g` and `- s p o g`.
    fn told(&self) -> Vec<Vec<String>> {
        let short = |sign: char, quad: &Quad| {
            let terms = [quad.subject.value(), &quad.predicate, quad.object.value(), &quad.graph].map(name);
            format!("{sign} {}", terms.join(" "))
        };
        let lines = |change: &Changeset| {
            let mut lines: Vec<_> = change.deletes.iter().map(|quad| short('-', quad)).collect();
            lines.extend(change.inserts.iter().map(|quad| short('+', quad)));
            lines.sort();
            lines
        };
        self.told.lock().expect("told").drain(..).map(|change| lines(&change)).collect()
    }
}

fn watched() -> (Embedded, Arc<Witness>) {
    let witness = Arc::new(Witness::default());
    let observer: Arc<dyn Observer> = Arc::clone(&witness) as _;
    (Embedded::in_memory().expect("a store").with_observer(observer), witness)
}

/// `x:` is the namespace of everything here.
fn text(statement: &str) -> String {
    format!("PREFIX x: <http://x/> {statement}")
}

async fn update(store: &Embedded, statement: &str) {
    store.update(&text(statement)).await.unwrap_or_else(|fault| panic!("{statement}: {fault}"));
}

/// The last part of an IRI, or the text as it is.
fn name(value: &str) -> String {
    value.rsplit('/').next().unwrap_or_default().to_owned()
}

async fn values(store: &Embedded, query: &str) -> Vec<String> {
    let rows = store.select(&text(query)).await.unwrap_or_else(|fault| panic!("{query}: {fault}"));
    let mut found: Vec<String> = rows
        .iter()
        .map(|row| {
            ["s", "p", "o", "n", "c", "g"]
                .iter()
                .filter_map(|name| row.get(*name))
                .map(|term| name(term.value()))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    found.sort();
    found
}

async fn all(store: &Embedded) -> Vec<String> {
    values(store, "SELECT ?s ?o ?g { GRAPH ?g { ?s x:p ?o } }").await
}

#[tokio::test]
async fn without_graph_all_graphs_are_seen_as_one_and_inserts_go_to_the_application_graph() {
    let (store, _) = watched();
    update(&store, "INSERT DATA { GRAPH x:g { x:s x:p 1 } GRAPH x:h { x:s x:p 1 ; x:p 2 } x:s x:p 3 }").await;
    assert_eq!(values(&store, "SELECT ?o { ?s x:p ?o }").await, ["1", "2", "3"], "each triple once");
    assert_eq!(values(&store, "SELECT (COUNT(*) AS ?n) { ?s x:p ?o }").await, ["3"]);
    assert_eq!(values(&store, "SELECT ?o { GRAPH x:h { ?s x:p ?o } }").await, ["1", "2"]);
    assert_eq!(values(&store, "SELECT ?o FROM x:g { ?s x:p ?o }").await, ["1"]);
    let application = "SELECT ?o { GRAPH <http://mu.semte.ch/application> { ?s x:p ?o } }";
    assert_eq!(values(&store, application).await, ["3"]);
    assert_eq!(store.len(), Ok(4));
}

#[tokio::test]
async fn a_delete_without_graph_removes_from_every_graph() {
    let (store, witness) = watched();
    update(&store, "INSERT DATA { GRAPH x:g { x:s x:p 1, 2 } GRAPH x:h { x:s x:p 1 } x:s x:p 1 }").await;
    witness.told();
    update(&store, "DELETE DATA { x:s x:p 1 }").await;
    assert_eq!(witness.told(), [["- s p 1 application", "- s p 1 g", "- s p 1 h"]]);
    assert_eq!(all(&store).await, ["s 2 g"]);
    update(&store, "INSERT DATA { GRAPH x:h { x:s x:p 2 } }").await;
    update(&store, "DELETE DATA { GRAPH x:g { x:s x:p 2 } }").await;
    assert_eq!(all(&store).await, ["s 2 h"]);
    assert_eq!(values(&store, "SELECT ?o { ?s x:p ?o }").await, ["2"], "still in one graph");
}

#[tokio::test]
async fn another_application_graph_can_be_set() {
    let store = Embedded::open(None, "http://x/mine").expect("a store");
    update(&store, "INSERT DATA { x:s x:p 1 }").await;
    assert_eq!(all(&store).await, ["s 1 mine"]);
    let fault = Embedded::open(None, "mine").expect_err("relative").to_string();
    assert!(fault.contains("MU_APPLICATION_GRAPH"), "{fault}");
}

/// Every form of update, on the same ground, with what it really changes.
#[tokio::test]
async fn every_effective_change_is_told_whatever_its_form() {
    let ground = "INSERT DATA { GRAPH x:g { x:a x:p 1 . x:b x:p 2 } GRAPH x:h { x:a x:p 1 } }";
    let forms: &[(&str, &[&[&str]])] = &[
        ("INSERT DATA { x:c x:p 3 }", &[&["+ c p 3 application"]]),
        ("INSERT DATA { GRAPH x:g { x:a x:p 1 . x:c x:p 3 } }", &[&["+ c p 3 g"]]),
        ("INSERT DATA { GRAPH x:g { x:a x:p 1 } }", &[]),
        ("DELETE DATA { GRAPH x:g { x:a x:p 1 } GRAPH x:h { x:b x:p 2 } }", &[&["- a p 1 g"]]),
        ("DELETE DATA { x:z x:p 1 }", &[]),
        ("DELETE WHERE { x:a ?p ?o }", &[&["- a p 1 g", "- a p 1 h"]]),
        ("DELETE WHERE { GRAPH x:h { ?s ?p ?o } }", &[&["- a p 1 h"]]),
        ("DELETE WHERE { GRAPH ?g { x:a ?p ?o } }", &[&["- a p 1 g", "- a p 1 h"]]),
        (
            "DELETE { ?s x:p ?o } INSERT { ?s x:q ?o } WHERE { ?s x:p ?o FILTER(?o = 2) }",
            &[&["+ b q 2 application", "- b p 2 g"]],
        ),
        ("DELETE { GRAPH x:g { ?s ?p ?o } } INSERT { GRAPH x:g { ?s ?p ?o } } WHERE { ?s ?p ?o }", &[]),
        ("DELETE { ?s ?p ?o } INSERT { GRAPH x:g { ?s ?p ?o } } WHERE { ?s ?p ?o }", &[&["- a p 1 h"]]),
        (
            "INSERT { ?o x:p ?s . ?s x:p ?unbound . ?s ?s ?s } WHERE { ?s x:p ?o }",
            &[&["+ a a a application", "+ b b b application"]],
        ),
        ("INSERT { x:c x:p 3 } WHERE { ?s x:none ?o }", &[]),
        (
            "WITH x:h DELETE { ?s x:p ?o } INSERT { ?s x:q ?o } WHERE { ?s x:p ?o }",
            &[&["+ a q 1 h", "- a p 1 h"]],
        ),
        ("INSERT { ?s x:q ?o } USING x:h WHERE { ?s x:p ?o }", &[&["+ a q 1 application"]]),
        (
            "INSERT { ?s x:q ?o } USING NAMED x:h WHERE { GRAPH ?g { ?s x:p ?o } }",
            &[&["+ a q 1 application"]],
        ),
        ("CLEAR GRAPH x:h", &[&["- a p 1 h"]]),
        ("CLEAR SILENT GRAPH x:none", &[]),
        ("DROP GRAPH x:g", &[&["- a p 1 g", "- b p 2 g"]]),
        ("CLEAR ALL", &[&["- a p 1 g", "- a p 1 h", "- b p 2 g"]]),
        ("DROP NAMED", &[&["- a p 1 g", "- a p 1 h", "- b p 2 g"]]),
        ("INSERT DATA { x:c x:p 3 } ; CLEAR DEFAULT", &[&["+ c p 3 application"], &["- c p 3 application"]]),
        ("CREATE GRAPH x:new ; CREATE SILENT GRAPH x:g", &[]),
        ("COPY x:g TO x:h", &[&["- a p 1 h"], &["+ a p 1 h", "+ b p 2 h"]]),
        ("MOVE x:h TO x:i", &[&["+ a p 1 i"], &["- a p 1 h"]]),
        ("ADD x:g TO x:h", &[&["+ b p 2 h"]]),
        (
            "DELETE DATA { x:b x:p 2 } ; INSERT DATA { GRAPH x:g { x:b x:p 2 } } ; INSERT { x:c x:p ?o } WHERE { x:b x:p ?o }",
            &[&["- b p 2 g"], &["+ b p 2 g"], &["+ c p 2 application"]],
        ),
    ];
    for (form, wanted) in forms {
        let (store, witness) = watched();
        update(&store, ground).await;
        witness.told();
        let quads = "SELECT ?s ?p ?o ?g { GRAPH ?g { ?s ?p ?o } }";
        let mut replayed: std::collections::BTreeSet<String> =
            values(&store, quads).await.into_iter().collect();
        update(&store, form).await;
        let told = witness.told();
        assert_eq!(told, *wanted, "{form}");
        // What was told, done to what was there, gives what is there.
        for line in told.iter().flatten() {
            let quad = line.get(2..).expect("a quad").to_owned();
            let fits = if line.starts_with('-') { replayed.remove(&quad) } else { replayed.insert(quad) };
            assert!(fits, "{form}: {line}");
        }
        assert_eq!(values(&store, quads).await, replayed.into_iter().collect::<Vec<_>>(), "{form}");
    }
}

#[tokio::test]
async fn an_update_is_applied_whole_or_not_at_all() {
    let (store, witness) = watched();
    update(&store, "INSERT DATA { GRAPH x:g { x:a x:p 1 } }").await;
    witness.told();
    for bad in [
        "INSERT DATA { x:b x:p 2 } ; LOAD <http://x/file>",
        "DELETE DATA { x:a x:p 1 } ; CREATE GRAPH x:g",
        "CLEAR ALL ; INSERT { ?s x:p ?o } WHERE { SERVICE x:away { ?s x:p ?o } }",
        "CLEAR ALL ; INSERT DATA { x:b x:p }",
    ] {
        let fault = store.update(&text(bad)).await.expect_err(bad);
        assert!(matches!(fault, TriplestoreFault::Refused(_)), "{bad}: {fault}");
        assert_eq!(all(&store).await, ["a 1 g"], "{bad}");
    }
    assert!(witness.told().is_empty());
}

#[tokio::test]
async fn a_change_that_cannot_be_queued_is_not_made() {
    let (store, witness) = watched();
    witness.failing.store(true, std::sync::atomic::Ordering::SeqCst);
    let fault = store.update(&text("INSERT DATA { x:a x:p 1 }")).await.expect_err("not queued");
    assert!(fault.to_string().contains("the disk is full"), "{fault}");
    assert!(store.is_empty().expect("counted"));
    witness.failing.store(false, std::sync::atomic::Ordering::SeqCst);
    update(&store, "INSERT DATA { x:a x:p 1 }").await;
    assert_eq!(witness.told(), [["+ a p 1 application"]], "the store goes on");
}

#[tokio::test]
async fn a_syntax_error_says_where() {
    let store = Embedded::in_memory().expect("a store");
    let fault = store.select("SELECT ?a\nWHERE { ?a ?b }").await.expect_err("bad");
    assert!(matches!(&fault, TriplestoreFault::Refused(why) if why.to_string().contains("2:")), "{fault}");
    let fault = store.update("INSERT DATA { x:a x:b 1 }").await.expect_err("an undeclared prefix");
    assert!(matches!(fault, TriplestoreFault::Refused(_)), "{fault}");
    store.select("SELECT * { ?a ?b \"2025-02-26\"^^xsd:date }").await.expect("xsd is known, as in the stack");
    let fault = store.select("ASK { ?a ?b ?c }").await.expect_err("no SELECT");
    assert!(fault.to_string().contains("SELECT"), "{fault}");
}

#[tokio::test]
async fn blank_nodes_of_templates_are_new_for_each_solution() {
    let (store, _) = watched();
    update(&store, "INSERT DATA { x:a x:p 1 . x:b x:p 2 }").await;
    update(&store, "INSERT { ?s x:q [ x:r ?o ] } WHERE { ?s x:p ?o }").await;
    assert_eq!(values(&store, "SELECT ?s ?o { ?s x:q [ x:r ?o ] }").await, ["a 1", "b 2"]);
    update(&store, "INSERT DATA { x:c x:q _:b . _:b x:r 3 } ; INSERT DATA { x:d x:q _:c . _:c x:r 4 }").await;
    assert_eq!(values(&store, "SELECT (COUNT(DISTINCT ?n) AS ?c) { ?s x:q ?n }").await, ["4"]);
}

#[tokio::test]
async fn a_query_without_end_is_stopped_and_the_store_goes_on() {
    let (store, _) = watched();
    let chain = (0..3_000).map(|n| format!("x:n{n} x:next x:n{} . ", n + 1)).collect::<Vec<_>>().concat();
    update(&store, &format!("INSERT DATA {{ {chain} }}")).await;
    let hasty = store.clone().with_time_limit(Duration::from_millis(50));
    // Nine million pairs.
    let pairs = "{ ?s (x:next|^x:next)* ?o }";
    let fault = hasty.select(&text(&format!("SELECT (COUNT(*) AS ?n) {pairs}"))).await.expect_err("long");
    assert!(matches!(&fault, TriplestoreFault::Transient(words) if words.contains("50ms")), "{fault}");
    hasty.select(&text("SELECT * { ?a ?b ?c . ?d ?e ?f }")).await.expect_err("too long");
    hasty.update(&text(&format!("INSERT {{ ?s x:q ?o }} WHERE {pairs}"))).await.expect_err("too long");
    update(&store, "INSERT DATA { x:z x:q 1 }").await;
    assert_eq!(values(&store, "SELECT ?o { ?s x:q ?o }").await, ["1"]);
}

#[tokio::test]
async fn what_is_told_can_be_read_at_once_by_who_heard_it() {
    /// Starts a query as soon as it hears of a change, and does not wait for it.
    struct Eager(StdMutex<Option<(Embedded, tokio::sync::oneshot::Sender<()>)>>);
    #[async_trait]
    impl Observer for Eager {
        async fn changed(&self, _: &[Changeset]) -> Result<(), String> {
            let (_, heard) = self.0.lock().expect("free").take().expect("told once");
            heard.send(()).map_err(|()| "nobody listens".to_owned())?;
            // The reader below now asks, while the change is not made yet.
            tokio::task::yield_now().await;
            Ok(())
        }
    }
    let store = Embedded::in_memory().expect("a store");
    let (heard, hear) = tokio::sync::oneshot::channel();
    let watched = store.clone().with_observer(Arc::new(Eager(StdMutex::new(Some((store.clone(), heard))))));
    let reader = async {
        hear.await.expect("told");
        all(&store).await
    };
    let statement = text("INSERT DATA { x:a x:p 1 }");
    let (seen, made) = tokio::join!(reader, watched.update(&statement));
    made.expect("applied");
    assert_eq!(seen, ["a 1 application"], "the reader must not see the state before");
}

#[tokio::test]
async fn literals_come_back_as_rows_like_those_of_the_protocol() {
    let store = Embedded::in_memory().expect("a store");
    update(&store, "INSERT DATA { x:s x:p \"a\", \"b\"@nl, \"2025-02-26\"^^xsd:date, x:i, [] }").await;
    let mut found: Vec<Term> = Vec::new();
    for row in store.select(&text("SELECT ?o { ?s x:p ?o FILTER(!isBlank(?o)) }")).await.expect("rows") {
        found.extend(row.into_values());
    }
    found.sort();
    let literal = |value: &str, datatype: Option<&str>, language: Option<&str>| Term::Literal {
        value: value.to_owned(),
        datatype: datatype.map(str::to_owned),
        language: language.map(str::to_owned),
    };
    let wanted = [
        Term::Iri("http://x/i".to_owned()),
        literal("2025-02-26", Some(xsd::DATE), None),
        literal("a", None, None),
        literal("b", None, Some("nl")),
    ];
    assert_eq!(found, wanted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_string_survives_insertion_and_selection(value in prop_oneof![any::<String>(), "[\\\\\"'u0-2\u{0}\n\r\t😀א]{0,20}"]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let store = Embedded::in_memory().expect("a store");
            let subject = Iri::new("http://x/s").expect("an IRI");
            let mut triples = Triples::new();
            triples.add(&subject, cal::COMMENT, Literal::string(&value)).expect("added");
            for statement in triples.insert_data().expect("spelt") {
                store.update(&statement).await.expect("applied");
            }
            // Found again by its own spelling too, as a DELETE would.
            let query = format!("SELECT ?o {{ {subject} ?p ?o FILTER(?o = {}) }}", Literal::string(&value));
            let rows = store.select(&query).await.expect("rows");
            assert_eq!(rows.iter().map(|row| row["o"].value()).collect::<Vec<_>>(), [value.as_str()]);
        });
    }
}
