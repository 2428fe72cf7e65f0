//! What hostile statements look like, and what honest ones do.

#![expect(clippy::needless_pass_by_value, reason = "what is made is handed on")]

use super::*;

fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

fn numbered(times: usize, one: impl Fn(usize) -> String) -> String {
    (0..times).map(one).collect()
}

/// The pattern of triples that all of them use.
const X: &str = "<http://x/p>";

fn filter(expression: String) -> String {
    format!("SELECT * {{ ?s ?p ?o FILTER({expression}) }}")
}

fn group(patterns: String) -> String {
    format!("SELECT * {{ ?s ?p ?o . {patterns} }}")
}

/// Expressions that nest or chain `times` times: in each another rule of the grammar calls itself.
fn expressions(times: usize) -> Vec<(&'static str, String)> {
    vec![
        ("groups", format!("SELECT * {}", nested("{", "", "}", times))),
        ("parentheses", filter(nested("(", "1", ")", times))),
        ("unions", group(format!("{{}}{}", "UNION{}".repeat(times)))),
        ("sums", filter(format!("1{}", "+1".repeat(times)))),
        ("differences of truths", filter(format!("true{}", "-true".repeat(times)))),
        ("differences before an unknown prefix", filter(format!("true{}:x", "-true".repeat(times)))),
        (
            "differences behind a prefix",
            format!("PREFIX x: <http://x/> {}", filter(format!("x:{}", "-1".repeat(times)))),
        ),
        ("comparisons", filter(format!("?s<?p{}", "&&?s<?p".repeat(times)))),
        ("ors", filter(format!("?s{}", "||?s".repeat(times)))),
        ("minus signs", filter(format!("{}1", "- ".repeat(times)))),
        ("negations", filter(format!("{}1", "!".repeat(times)))),
        ("negated parentheses", filter(nested("!(", "1", ")", times))),
        ("functions", filter(nested("STR(", "?s", ")", times))),
        ("casts", filter(nested("<http://www.w3.org/2001/XMLSchema#string>(", "?s", ")", times))),
        ("COALESCE", filter(nested("COALESCE(1,", "?s", ")", times))),
        ("IF", filter(nested("IF(1,2,", "?s", ")", times))),
        ("IN", filter(nested("1 IN (", "?s", ")", times))),
        ("REGEX", filter(nested("REGEX(", "?s", ",'x')", times))),
        ("glued FILTERSTR", group(format!("FILTERSTR({})", nested("STR(", "?s", ")", times)))),
    ]
}

/// Patterns that do.
fn patterns(times: usize) -> Vec<(&'static str, String)> {
    let x = X;
    vec![
        ("EXISTS", group(nested("FILTER EXISTS { ?s ?p ?o ", "", "}", times))),
        ("OPTIONAL within", group(nested("OPTIONAL { ?s ?p ?o ", "", "}", times))),
        ("OPTIONAL after", group("OPTIONAL { ?s ?p ?o }".repeat(times))),
        ("MINUS", group("MINUS { ?s ?p ?o }".repeat(times))),
        ("GRAPH", group(nested("GRAPH ?g {", "?s ?p ?o", "}", times))),
        ("SERVICE", group(nested("SERVICE ?g {", "?s ?p ?o", "}", times))),
        ("LATERAL", group("LATERAL { ?s ?p ?o }".repeat(times))),
        ("subselects", group(nested("{ SELECT * {", "?s ?p ?o", "}}", times))),
        ("glued subselects", group(nested("{SELECT?s{", "?s ?p ?o", "}}", times))),
        ("joined groups", group("{ ?s ?p ?o }".repeat(times))),
        ("BIND", group(numbered(times, |n| format!("BIND(1 AS ?b{n})")))),
        ("FILTERs", group("FILTER(?s)".repeat(times))),
        ("triples", group(numbered(times, |n| format!("?s{n} {x} ?s{} .", n + 1)))),
        ("triples with decimals", group(format!("PREFIX x: <http://x/> {}", "?s x:a.b 1.".repeat(times)))),
        ("objects", group(format!("?s {x} 1{}", ",1".repeat(times)))),
        ("properties", group(format!("?s {x} 1{}", format!(";{x} 1").repeat(times)))),
    ]
}

/// Lists, blank nodes and paths that do.
fn terms(times: usize) -> Vec<(&'static str, String)> {
    let x = X;
    vec![
        ("lists", group(format!("{} {x} 1", nested("(", "1", ")", times)))),
        ("long lists", group(format!("({}) {x} 1", "1 ".repeat(times)))),
        ("blank nodes", group(format!("?s {x} {}", nested(&format!("[{x} "), "1", "]", times)))),
        ("paths within", group(format!("?s {} ?o", nested("(", x, "*)*", times)))),
        ("inverse paths", group(format!("?s {} ?o", nested("^(", x, ")", times)))),
        ("sequences", group(format!("?s {x}{} ?o", format!("/{x}").repeat(times)))),
        ("alternatives", group(format!("?s {x}{} ?o", format!("|{x}").repeat(times)))),
    ]
}

/// Other statements that do, and what would hide it from the scan.
fn others(times: usize) -> Vec<(&'static str, String)> {
    let x = X;
    vec![
        ("projections", format!("SELECT {} {{}}", numbered(times, |n| format!("(1 AS ?p{n})")))),
        ("conditions", format!("SELECT ?s {{}} GROUP BY ?s HAVING {}", "(1)".repeat(times))),
        ("descriptions", format!("DESCRIBE {}", numbered(times, |n| format!("<http://x/{n}> ")))),
        ("quoted triples", group(nested("<< ", "?s ?p ?o", " >> ?p ?o", times))),
        (
            "triple terms",
            group(format!("?s ?p {}", nested("<<( <http://x/s> <http://x/p> ", "1", " )>>", times))),
        ),
        ("annotations", group(format!("?s ?p ?o {}", nested("{| ?p ?o ", "", "|}", times)))),
        ("a list to insert", format!("INSERT DATA {{ {} {x} 1 }}", nested("(", "1", ")", times))),
        (
            "blank nodes to insert",
            format!("INSERT DATA {{ <http://x/s> {x} {} }}", nested(&format!("[{x} "), "1", "]", times)),
        ),
        ("a template", format!("INSERT {{ {} {x} 1 }} WHERE {{}}", nested("(", "1", ")", times))),
        ("DELETE WHERE", format!("DELETE WHERE {{ {} }}", "?s ?p ?o . ".repeat(times))),
        (
            "an update's WHERE",
            format!("DELETE {{ ?s ?p ?o }} WHERE {{ {} }}", nested("{", "?s ?p ?o", "}", times)),
        ),
        (
            "behind an IRI with a quote",
            filter(format!("?s = <http://x/'> && {}", nested("(", "1", ")", times))),
        ),
        ("behind an operator like an IRI", filter(format!("1<2+'>' && {}", nested("(", "1", ")", times)))),
        (
            "behind a long string that is none",
            group(format!("VALUES ?v {{ '''a'}} {}\\q'''", nested("{", "", "}", times))),
        ),
        ("behind an escaped quote", group(format!("?s ?p 'a\\'' . {}", nested("{", "", "}", times)))),
        (
            "behind a name like FILTER",
            group(format!("?s filter:p (<http://x/a> <http://x/#> {})", nested("(", "1", ")", times))),
        ),
        (
            "behind a prefix like VALUES",
            group(format!("?s values:p 1 . {{ {} }}", "?s ?p ?o . ".repeat(times))),
        ),
    ]
}

fn deep(times: usize) -> Vec<(&'static str, String)> {
    [expressions(times), patterns(times), terms(times), others(times)].concat()
}

#[test]
fn what_nests_or_chains_without_bound_is_refused_whatever_it_is() {
    for times in [700, 3_000] {
        for (name, statement) in deep(times) {
            assert!(check(&statement).is_err(), "{times} {name}");
        }
    }
}

#[test]
fn what_people_and_services_ask_is_let_through() {
    let x = "<http://x/a#b'c(d>";
    let rows = format!("({x} \"a ( {{ [ 'b\")").repeat(20_000);
    let quads = numbered(20_000, |n| {
        format!("<http://x/{n}(> a {x}, '''it's \\\" (''', -1.5e3, \"x\"@en-GB ; <p:#> true .\n")
    });
    let optionals = numbered(60, |n| format!("OPTIONAL {{ ?s <http://x/{n}> ?o{n} }}\n"));
    for statement in [
        String::new(),
        "SELECT * WHERE { ?s ?p ?o } # ((((".to_owned(),
        format!(
            "SELECT ?s (COUNT(*) AS ?n) WHERE {{ ?s a {x} . {optionals} }} GROUP BY ?s HAVING (COUNT(*) > 1) ORDER BY DESC(?n)"
        ),
        format!("SELECT * {{ VALUES (?a ?b) {{ {rows} }} ?a ?b ?c }}"),
        format!("SELECT * {{ ?s ?p ?o FILTER(?o IN ({x}{})) }}", format!(", {x}").repeat(20_000)),
        format!(
            "SELECT * {{ ?s ?p ?o FILTER(?o IN (1{})) }}",
            ", \"2024-09-02\"^^xsd:date, -1".repeat(20_000)
        ),
        format!("SELECT * {{ ?s ?p ?o FILTER(?s<?o && ?o>?s || !BOUND(?s) && ?s<={x}) }}"),
        format!("INSERT DATA {{ {quads} }}"),
        format!(
            "DELETE DATA {{ GRAPH <http://x/g> {{ {quads} }} }} ; INSERT DATA {{ GRAPH <http://x/g> {{ {quads} }} }}"
        ),
        format!(
            "{};",
            "CLEAR GRAPH <http://x/g> ; INSERT DATA { <http://x/s> a <http://x/t> } ;".repeat(2_000)
        ),
        format!(
            "DELETE {{ ?s ?p ?o }} INSERT {{ ?s ?p 1 }} WHERE {{ {} }}",
            "{ ?s ?p ?o } UNION ".repeat(40) + "{}"
        ),
    ] {
        let beginning: String = statement.chars().take(80).collect();
        assert_eq!(check(&statement), Ok(()), "{beginning}");
    }
}

#[test]
fn what_does_not_end_is_no_statement() {
    for statement in [
        "SELECT * {",
        "SELECT * }",
        "ASK { ?s ?p 'a }",
        "ASK { ?s ?p \"a\n\" }",
        "ASK { <http://x ",
        "ASK { ( } )",
    ] {
        assert!(matches!(check(statement), Err(Unbounded::Syntax(_))), "{statement}");
    }
}

/// The engine itself takes what is just let through: nothing overflows, and what takes long is stopped.
#[tokio::test]
async fn what_is_let_through_overflows_nothing() {
    let store = crate::triplestore::embedded::Embedded::in_memory().expect("a store");
    let store = store.with_time_limit(std::time::Duration::from_secs(1));
    store.execute("INSERT DATA { <http://x/s> <http://x/p> 1 }").await.expect("stored");
    for times in [6, 60, 250] {
        for (name, statement) in deep(times).into_iter().filter(|(_, statement)| check(statement).is_ok()) {
            let ended = if statement.contains("INSERT") || statement.contains("DELETE") {
                store.execute(&statement).await
            } else {
                store.query(&statement).await.map(drop)
            };
            let words = ended.err().map(|fault| fault.to_string()).unwrap_or_default();
            assert!(!words.contains("failed"), "{times} {name}: {words}");
        }
    }
    store.len().expect("it lives");
}
