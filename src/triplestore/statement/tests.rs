//! What is written is what was meant, whatever the text.

use super::*;
use crate::triplestore::vocabulary::{cal, dct, rdf};
use proptest::prelude::*;
use spargebra::{GraphUpdateOperation, SparqlParser};

/// The only triple of the only operation of `update`, or why there is no such thing.
fn only_triple(update: &str) -> spargebra::term::Quad {
    let parsed = SparqlParser::new().parse_update(update).expect("valid SPARQL");
    let [GraphUpdateOperation::InsertData { data }] = parsed.operations.as_slice() else {
        panic!("more than one operation in {update}");
    };
    let [quad] = data.as_slice() else { panic!("not one triple in {update}") };
    quad.clone()
}

fn work_log() -> Iri {
    Iri::new("http://timekeeper.redpencil.io/work-logs/1").expect("an IRI")
}

fn one(object: impl Into<Object>) -> String {
    let mut triples = Triples::new();
    triples.add(&work_log(), cal::COMMENT, object).expect("added");
    triples.insert_data().expect("spelt").concat()
}

/// A few thousand cases each; `PROPTEST_CASES=100000` asks for more.
fn cases() -> ProptestConfig {
    let given = ProptestConfig::default();
    ProptestConfig { cases: given.cases.max(3_000), ..given }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_string_adds_an_operation_or_changes(value in any::<String>()) {
        let quad = only_triple(&one(Literal::string(&value)));
        let spargebra::term::Term::Literal(literal) = quad.object else { panic!("a literal") };
        prop_assert_eq!(literal.value(), value);
    }

    #[test]
    fn strings_made_of_syntax_change_nothing_either(value in "[\\\\\"'u0-2<>{};. \n\r\t#@^]{0,24}") {
        let quad = only_triple(&one(Literal::string(&value)));
        let spargebra::term::Term::Literal(literal) = quad.object else { panic!("a literal") };
        prop_assert_eq!(literal.value(), value);
    }

    #[test]
    fn no_iri_adds_an_operation(text in any::<String>(), tail in "[\\\\\"u0-2<>{};. \n]{0,12}") {
        for candidate in [text, format!("http://x/{tail}")] {
            if let Ok(iri) = Iri::new(candidate.clone()) {
                let quad = only_triple(&one(iri));
                prop_assert_eq!(quad.object.to_string(), format!("<{candidate}>"));
            }
        }
    }

    #[test]
    fn no_language_tag_adds_an_operation(tag in "[a-z0-9-]{0,9}[\\\\\" ;}.]{0,2}") {
        if let Ok(literal) = Literal::tagged("x", &tag) {
            only_triple(&one(literal));
        }
    }
}

#[test]
fn an_iri_that_could_break_out_is_refused() {
    for bad in [
        "",
        "a",
        "http://x/> } ; DROP ALL #",
        "http://x/a b",
        "http://x/\"",
        "http://x/{a}",
        "http://x/\n",
        "http://x/\\u003E",
        "http://x/|",
        "http://x/^",
        "http://x/`",
        "http://x/\0",
    ] {
        assert_eq!(Iri::new(bad), Err(StatementFault::NotAnIri(bad.to_owned())));
    }
    assert_eq!(Iri::new("http://x/é").expect("fine").to_string(), "<http://x/é>");
}

#[test]
fn literals_are_spelt_as_the_stack_reads_them() {
    assert_eq!(Literal::string("a\\u0022\"\n\r\t'é").to_string(), "\"a\\\\u0022\\\"\\n\\r\t'é\"");
    assert_eq!(
        Literal::date(jiff::civil::date(2025, 2, 26)).to_string(),
        "\"2025-02-26\"^^<http://www.w3.org/2001/XMLSchema#date>"
    );
    assert_eq!(Literal::tagged("dag", "nl-BE").expect("a tag").to_string(), "\"dag\"@nl-BE");
    for bad in ["", "n l", "nl\"", "nl ;", "-"] {
        assert!(Literal::tagged("x", bad).is_err(), "{bad:?}");
    }
}

#[test]
fn batches_hold_at_most_a_hundred_triples_and_lose_none() {
    let mut triples = Triples::new();
    assert!(triples.insert_data().expect("empty").is_empty(), "nothing to write is no update");
    for n in 0..250 {
        triples.add(&work_log(), dct::IDENTIFIER, Literal::string(n.to_string())).expect("added");
    }
    triples.add(&work_log(), dct::IDENTIFIER, Literal::string("7")).expect("added again");
    let updates = triples.insert_data().expect("spelt");
    let sizes: Vec<_> = updates
        .iter()
        .map(|update| match SparqlParser::new().parse_update(update).expect("valid").operations.as_slice() {
            [GraphUpdateOperation::InsertData { data }] => data.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn a_graph_with_what_sparql_parser_refuses_is_refused_here() {
    let mut graph = LightGraph::new();
    let blank = sophia::api::term::BnodeId::new_unchecked("b");
    graph.insert(blank, simple_iri(rdf::TYPE.into()), simple_iri(cal::VEVENT.into())).expect("inserted");
    assert!(matches!(insert_data(&graph), Err(StatementFault::Unwritable(_))));
    let mut graph = LightGraph::new();
    let bad = simple_iri("relative".into());
    graph.insert(bad, simple_iri(rdf::TYPE.into()), simple_iri(cal::VEVENT.into())).expect("inserted");
    assert!(matches!(insert_data(&graph), Err(StatementFault::NotAnIri(_))));
}
