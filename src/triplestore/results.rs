//! SPARQL JSON results → rows.
//!
//! Lenient where stores differ: Virtuoso says `typed-literal`, gives numbers and booleans as JSON ones,
//! and adds keys of its own.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Row, Term, TriplestoreFault};

/// How much of an unreadable answer is shown.
const SHOWN: usize = 120;

#[derive(Deserialize)]
struct Answer {
    results: Results,
}

#[derive(Deserialize)]
struct Results {
    bindings: Vec<BTreeMap<String, Option<Binding>>>,
}

#[derive(Deserialize)]
struct Binding {
    #[serde(rename = "type")]
    kind: String,
    value: Value,
    datatype: Option<String>,
    #[serde(rename = "xml:lang")]
    xml_lang: Option<String>,
    lang: Option<String>,
}

/// Reads the body of an answer to a SELECT.
pub fn parse(body: &[u8]) -> Result<Vec<Row>, TriplestoreFault> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| unreadable(body, &error))?;
    answer.results.bindings.into_iter().map(row).collect()
}

fn row(bindings: BTreeMap<String, Option<Binding>>) -> Result<Row, TriplestoreFault> {
    bindings
        .into_iter()
        .filter_map(|(variable, binding)| binding.map(|binding| (variable, binding)))
        .map(|(variable, binding)| term(binding).map(|term| (variable, term)))
        .collect()
}

fn term(binding: Binding) -> Result<Term, TriplestoreFault> {
    let Binding { kind, value, datatype, xml_lang, lang } = binding;
    let value = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => {
            return Err(TriplestoreFault::Unreadable(format!("a value is neither text nor number: {other}")));
        }
    };
    match kind.as_str() {
        "uri" => Ok(Term::Iri(value)),
        "bnode" => Ok(Term::Blank(value)),
        "literal" | "typed-literal" => {
            // An empty language is how some stores say that there is none.
            let language = xml_lang.or(lang).filter(|tag| !tag.is_empty());
            Ok(Term::Literal { value, datatype, language })
        }
        other => Err(TriplestoreFault::Unreadable(format!("a value is of the unknown kind '{other}'"))),
    }
}

fn unreadable(body: &[u8], error: &serde_json::Error) -> TriplestoreFault {
    let start = String::from_utf8_lossy(body.get(..4 * SHOWN).unwrap_or(body));
    let start = start.trim_start();
    let what = if start.is_empty() {
        "it is empty".to_owned()
    } else if start.starts_with('<') {
        format!("it is HTML or XML ({}); is MU_SPARQL_ENDPOINT right?", shown(start))
    } else if error.is_eof() {
        format!("it stops in the middle, after {} bytes", body.len())
    } else {
        format!("it is not SPARQL JSON results: {error}; it starts with {}", shown(start))
    };
    TriplestoreFault::Unreadable(what)
}

fn shown(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    format!("'{}'", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(value: &str, datatype: Option<&str>, language: Option<&str>) -> Term {
        Term::Literal {
            value: value.to_owned(),
            datatype: datatype.map(str::to_owned),
            language: language.map(str::to_owned),
        }
    }

    fn words(body: &str) -> String {
        match parse(body.as_bytes()) {
            Err(TriplestoreFault::Unreadable(words)) => words,
            other => panic!("{body:?} must be unreadable, not {other:?}"),
        }
    }

    #[test]
    fn each_spelling_of_a_term_is_understood() {
        let body = r#"{ "head": { "link": [], "vars": ["a"] }, "warnings": [], "results": { "distinct": false,
            "ordered": true, "bindings": [
            { "a": { "type": "uri", "value": "http://x/é", "odd": 1 } },
            { "a": { "type": "literal", "value": "" } },
            { "a": { "type": "literal", "xml:lang": "nl", "value": "dag" }, "b": null },
            { "a": { "type": "literal", "lang": "nl", "value": "dag" } },
            { "a": { "type": "literal", "xml:lang": "", "value": "dag" } },
            { "a": { "type": "typed-literal", "datatype": "http://www.w3.org/2001/XMLSchema#date", "value": "2025-02-26" } },
            { "a": { "type": "typed-literal", "datatype": "http://www.w3.org/2001/XMLSchema#integer", "value": 7 } },
            { "a": { "type": "literal", "value": 1.5 } },
            { "a": { "type": "literal", "value": true } },
            { "a": { "type": "bnode", "value": "nodeID://b10" } },
            {} ] } }"#;
        let rows = parse(body.as_bytes()).expect("readable");
        let found: Vec<_> = rows.iter().map(|row| row.get("a").cloned()).collect();
        let date = Some("http://www.w3.org/2001/XMLSchema#date");
        let integer = Some("http://www.w3.org/2001/XMLSchema#integer");
        let wanted = vec![
            Some(Term::Iri("http://x/é".to_owned())),
            Some(literal("", None, None)),
            Some(literal("dag", None, Some("nl"))),
            Some(literal("dag", None, Some("nl"))),
            Some(literal("dag", None, None)),
            Some(literal("2025-02-26", date, None)),
            Some(literal("7", integer, None)),
            Some(literal("1.5", None, None)),
            Some(literal("true", None, None)),
            Some(Term::Blank("nodeID://b10".to_owned())),
            None,
        ];
        assert_eq!(found, wanted);
        assert!(!rows[2].contains_key("b"), "null is unbound");
    }

    #[test]
    fn an_answer_that_is_no_result_says_what_it_is() {
        assert!(words("<!DOCTYPE html><html>Welcome").contains("HTML"), "{}", words("<!DOCTYPE html>"));
        assert!(words("").contains("empty"));
        let truncated = r#"{"head":{"vars":["a"]},"results":{"bindings":[{"a":{"type":"uri","va"#;
        assert!(words(truncated).contains("stops in the middle"), "{}", words(truncated));
        assert!(words("null").contains("not SPARQL JSON results"), "{}", words("null"));
        assert!(words(r#"{"head":{},"boolean":true}"#).contains("results"));
        assert!(words(r#"{"results":{"bindings":[{"a":{"type":"uri","value":[]}}]}}"#).contains("neither"));
        assert!(words(r#"{"results":{"bindings":[{"a":{"type":"triple","value":""}}]}}"#).contains("triple"));
        let long = words(&"é".repeat(5000));
        assert!(long.len() < 600, "{long}");
    }
}
