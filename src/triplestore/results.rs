//! Parses SPARQL JSON results to rows.
//!
//! Accepts the differences between stores: Virtuoso uses `typed-literal`, returns numbers and booleans as JSON values,
//! and adds its own keys.
//!
//! # Guarantees
//! A value that cannot be read affects nothing else: it is replaced by U+FFFD, or skipped, and reported in
//! [`Answer::odd`]. An answer without any readable row is an error.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Row, Term, TriplestoreFault};
use crate::json::{self, REPLACEMENT};

/// How much of an unreadable answer is shown.
const SHOWN: usize = 120;

/// A parsed answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its rows.
    pub rows: Vec<Row>,
    /// The values that could not be read.
    pub odd: Vec<Odd>,
}

/// A value that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    /// Its subject, if the row has it.
    pub subject: Option<String>,
    /// Its property, otherwise its variable.
    pub name: String,
    /// What is wrong with it, and how it was handled.
    pub why: &'static str,
}

#[derive(Deserialize)]
struct Strict {
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
pub fn parse(body: &[u8]) -> Result<Answer, TriplestoreFault> {
    let strict: Result<Strict, _> = serde_json::from_slice(body);
    let error = match strict {
        Ok(answer) => {
            let rows: Option<Vec<Row>> = answer.results.bindings.into_iter().map(row).collect();
            if let Some(rows) = rows {
                return Ok(Answer { rows, odd: Vec::new() });
            }
            None
        }
        Err(error) => Some(error),
    };
    lenient(body).ok_or_else(|| unreadable(body, error.as_ref()))
}

/// None if a value is not a valid term.
fn row(bindings: BTreeMap<String, Option<Binding>>) -> Option<Row> {
    let bound = bindings.into_iter().filter_map(|(variable, binding)| Some((variable, binding?)));
    bound.map(|(variable, binding)| Some((variable, term(binding)?))).collect()
}

fn term(binding: Binding) -> Option<Term> {
    let Binding { kind, value, datatype, xml_lang, lang } = binding;
    let value = scalar(value).filter(|value| !value.contains('\0'))?;
    match kind.as_str() {
        "uri" => Some(Term::Iri(value)),
        "bnode" => Some(Term::Blank(value)),
        "literal" | "typed-literal" => {
            // Some stores use an empty language for none.
            let language = xml_lang.or(lang).filter(|tag| !tag.is_empty());
            Some(Term::Literal { value, datatype, language })
        }
        _ => None,
    }
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The same, value by value; none if nothing can be read.
fn lenient(body: &[u8]) -> Option<Answer> {
    let mut document: Value = json::from_slice(body).ok()?;
    let Some(Value::Array(bindings)) = document.pointer_mut("/results/bindings").map(Value::take) else {
        return None;
    };
    let mut answer = Answer::default();
    let count = bindings.len();
    for binding in bindings {
        let Value::Object(binding) = binding else {
            answer.odd.push(Odd {
                subject: None,
                name: "a row".to_owned(),
                why: "it is not a row, and was skipped",
            });
            continue;
        };
        let (mut row, mut faults) = (Row::new(), Vec::new());
        for (variable, value) in binding {
            let (term, why) = lenient_term(value);
            faults.extend(why.map(|why| (variable.clone(), why)));
            row.extend(term.map(|term| (variable, term)));
        }
        answer.odd.extend(faults.into_iter().map(|(variable, why)| odd(&row, variable, why)));
        answer.rows.push(row);
    }
    (count == 0 || !answer.rows.is_empty()).then_some(answer)
}

fn odd(row: &Row, variable: String, why: &'static str) -> Odd {
    let iri = |name: &str| row.get(name).and_then(Term::as_iri).map(str::to_owned);
    let subject = ["s", "task", "person"].into_iter().find_map(iri);
    let name = iri("p").filter(|_| variable == "o").unwrap_or(variable);
    Odd { subject, name, why }
}

/// A term, and what could not be read.
fn lenient_term(value: Value) -> (Option<Term>, Option<&'static str>) {
    const REPLACED: &str = "it contains invalid text, which was replaced by \u{FFFD}";
    const NO_VALUE: &str = "it is neither text nor number; it was replaced by \u{FFFD}";
    let Value::Object(mut binding) = value else {
        let why = (!value.is_null()).then_some("it is not a term, and was skipped");
        return (None, why);
    };
    let mut take = |name: &str| binding.remove(name).unwrap_or_default();
    let (value, why) = match scalar(take("value")).map(json::text) {
        Some(text) if text.contains(REPLACEMENT) => (text, Some(REPLACED)),
        Some(text) => (text, None),
        None => (REPLACEMENT.to_string(), Some(NO_VALUE)),
    };
    let mut text = |name: &str| scalar(take(name)).filter(|text| !text.is_empty());
    match text("type").as_deref() {
        Some("uri") => (Some(Term::Iri(value)), why),
        Some("bnode") => (Some(Term::Blank(value)), why),
        Some("literal" | "typed-literal") => {
            let language = text("xml:lang").or_else(|| text("lang"));
            (Some(Term::Literal { value, datatype: text("datatype"), language }), why)
        }
        _ => (None, Some("it has an unknown type, and was skipped")),
    }
}

fn unreadable(body: &[u8], error: Option<&serde_json::Error>) -> TriplestoreFault {
    let start = String::from_utf8_lossy(body.get(..4 * SHOWN).unwrap_or(body));
    let start = start.trim_start();
    let what = if start.is_empty() {
        "it is empty".to_owned()
    } else if start.starts_with('<') {
        format!("it is HTML or XML ({}); is MU_SPARQL_ENDPOINT right?", shown(start))
    } else if error.is_some_and(serde_json::Error::is_eof) {
        format!("it is truncated after {} bytes", body.len())
    } else {
        let why = error.map_or_else(|| "none of its rows is valid".to_owned(), ToString::to_string);
        format!("it is not SPARQL JSON results: {why}; it starts with {}", shown(start))
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
        let answer = parse(body.as_bytes()).expect("readable");
        assert_eq!(answer.odd, []);
        let rows = answer.rows;
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
        assert!(words(truncated).contains("is truncated"), "{}", words(truncated));
        assert!(words("null").contains("not SPARQL JSON results"), "{}", words("null"));
        assert!(words(r#"{"head":{},"boolean":true}"#).contains("results"));
        assert!(words(r#"{"results":{"bindings":[7,"x"]}}"#).contains("starts with"));
        let long = words(&"é".repeat(5000));
        assert!(long.len() < 600, "{long}");
    }

    #[test]
    fn one_value_that_cannot_be_read_costs_itself_and_is_named() {
        let body = |rows: &str| format!(r#"{{"head":{{"vars":["s"]}},"results":{{"bindings":[{rows}]}}}}"#);
        let fine = r#"{"s":{"type":"uri","value":"http://x/1"},"id":{"type":"literal","value":"7"}}"#;
        let value = |value: &str| {
            format!(
                r#"{{"s":{{"type":"uri","value":"http://x/2"}},"o":{{"type":"literal","value":{value}}},"p":{{"type":"uri","value":"http://x/p"}}}}"#
            )
        };
        let table = [
            (value(r#""Jane \uD83D""#), Some("Jane \u{FFFD}"), Some("http://x/p")),
            (value(r#""a\u0000b""#), Some("a\u{FFFD}b"), Some("http://x/p")),
            (value("\"a\u{1}b\""), Some("a\u{FFFD}b"), Some("http://x/p")),
            (value("[]"), Some("\u{FFFD}"), Some("http://x/p")),
            (value("null"), Some("\u{FFFD}"), Some("http://x/p")),
            (value("NaN"), Some("\u{FFFD}"), Some("http://x/p")),
            (value("1e400"), None, None),
            (value("7").replace("literal", "triple"), None, Some("http://x/p")),
            (value("7").replace(r#""literal""#, "3"), None, Some("http://x/p")),
            (r#"{"s":{"type":"uri","value":"http://x/2"},"o":5}"#.to_owned(), None, Some("o")),
            (r#"{"s":{"type":"uri","value":"http://x/2"},"o":null}"#.to_owned(), None, None),
        ];
        for (odd, wanted, name) in table {
            let Ok(answer) = parse(body(&format!("{fine},{odd},{fine}")).as_bytes()) else {
                assert_eq!(name, None, "{odd}");
                continue;
            };
            assert_eq!(answer.rows.len(), 3, "{odd}");
            assert_eq!((answer.rows[0]["id"].value(), answer.rows[2]["id"].value()), ("7", "7"), "{odd}");
            assert_eq!(answer.rows[1].get("o").map(Term::value), wanted, "{odd}");
            let named: Vec<_> =
                answer.odd.iter().map(|odd| (odd.subject.as_deref(), odd.name.as_str())).collect();
            assert_eq!(
                named,
                name.map(|name| (Some("http://x/2"), name)).into_iter().collect::<Vec<_>>(),
                "{odd}"
            );
        }
        let bytes = [body(fine).as_bytes(), b""].concat();
        let broken: Vec<u8> = String::from_utf8(bytes).unwrap().replace("\"7\"", "\"7?\"").into_bytes();
        let broken: Vec<u8> = broken.iter().map(|byte| if *byte == b'?' { 0xFF } else { *byte }).collect();
        assert_eq!(parse(&broken).unwrap().rows[0]["id"].value(), "7\u{FFFD}");
        let row = parse(body(&format!("{fine},7")).as_bytes()).unwrap();
        assert_eq!((row.rows.len(), row.odd.len()), (1, 1));
    }
}
