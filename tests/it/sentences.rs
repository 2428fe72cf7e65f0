//! No decision is made by reading a sentence: what an outside system says becomes a code where it arrives, and all
//! that follows goes by the code. This test reads the source and lists each place that looks into a text.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::rust_source::{Kind, Token, files, program};

/// Folders of modules that stand before an outside system, whose texts they have to read, or that play one.
const ADAPTERS: [&str; 3] = ["kimai", "triplestore", "sandbox"];

/// Methods that ask a text what stands in it.
const ASKS: [&str; 7] = [
    "contains",
    "starts_with",
    "ends_with",
    "strip_prefix",
    "strip_suffix",
    "split_once",
    "eq_ignore_ascii_case",
];

/// What holds a sentence, or a word that should be an enum. Each question to it is found, whatever it is asked for;
/// anything else only where it is asked for a literal.
const SENTENCES: [&str; 8] =
    ["message", "sentence", "why", "says", "error", "result", "state", "to_string()"];

/// What may be looked into, since a format or a protocol says what stands there. Named by how it is written, so that
/// moving a file changes nothing here.
const ALLOWED: [(&str, &str); 21] = [
    ("line.strip_prefix(\"SigIgn:\"", "/proc"),
    ("line.strip_prefix(\"data: \"", "server-sent events"),
    ("line.strip_prefix(\"# HELP \"", "OpenMetrics"),
    ("line.strip_prefix(\"# TYPE \"", "OpenMetrics"),
    ("line.starts_with(\"***\"", "the report of SQLite's integrity check, shortened to be shown"),
    ("event.strip_suffix(\"\\n\"", "the end of a line of the log"),
    ("text.strip_prefix(\"http://\"", "an IRI"),
    ("text.strip_prefix(\"https://\"", "an IRI"),
    ("text.split_once(\"://\"", "the Origin header"),
    ("place.path().starts_with(\"//\"", "a path"),
    ("path.starts_with(\"//\"", "a path"),
    ("text.starts_with(\"application/x-www-form-urlencoded\"", "the Content-Type header"),
    ("body.trim_ascii_start().starts_with(\"{\"", "JSON sent as a form"),
    ("coding.eq_ignore_ascii_case(\"identity\"", "the Content-Encoding header"),
    ("scheme.eq_ignore_ascii_case(\"bearer \"", "the Authorization header"),
    ("text.contains(\"text/html\"", "the Accept header"),
    ("accepts.contains(\"text/html\"", "the Accept header"),
    ("accepted.contains(\"application/openmetrics-text\"", "the Accept header"),
    ("what.split_once(\" to \"", "the days of a sweep, as they are stored and listed"),
    ("types.contains(\"null\"", "a JSON schema"),
    ("words.starts_with(\"kimai-sync \"", "a command, which is shown as it has to be typed"),
];

/// The Rust files of `src/` that are no adapters and no tests.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let passes_over = |path: &Path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_test = name == "tests" || name.ends_with("_tests") || name == "simulation";
        is_test || ADAPTERS.contains(&name) && path.with_extension("").is_dir()
    };
    let shown = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
    files(&root, passes_over).iter().map(|path| (shown(path), fs::read_to_string(path).unwrap())).collect()
}

/// As it is written, without spaces.
fn text(token: &Token) -> String {
    match &token.kind {
        Kind::Word(text) | Kind::Literal(text) => text.clone(),
        Kind::Path => "::".to_owned(),
        Kind::Mark(mark) => mark.to_string(),
    }
}

/// What the end of `before` is: `entry.message` of `if entry.message`.
fn receiver(before: &[Token]) -> String {
    let (mut begin, mut depth) = (before.len(), 0_usize);
    for (at, token) in before.iter().enumerate().rev() {
        // Two names side by side are not one value.
        let is_alone =
            before.get(at + 1).is_none_or(|next| !matches!(next.kind, Kind::Word(_) | Kind::Literal(_)));
        match &token.kind {
            Kind::Mark(')' | ']') if depth > 0 || is_alone => depth += 1,
            Kind::Mark('(' | '[') if depth > 0 => depth -= 1,
            _ if depth > 0 => continue,
            Kind::Word(_) if is_alone => {}
            Kind::Path | Kind::Mark('.' | '?') => {}
            _ => break,
        }
        begin = at;
    }
    before[begin..].iter().map(text).collect()
}

/// The text literal that `tokens` begin with, behind a `&`.
fn asked(tokens: &[Token]) -> Option<&str> {
    let token = tokens.iter().find(|token| token.kind != Kind::Mark('&'))?;
    let Kind::Literal(literal) = &token.kind else { return None };
    Some(literal.trim_start_matches('b')).filter(|literal| literal.ends_with(['"', '#']))
}

/// Each place in `program` that looks into a text: its line, and how it is written there.
fn looks(program: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in program.iter().enumerate() {
        let kind = |ahead: usize| program.get(at + ahead).map(|token| &token.kind);
        let (ask, compares, behind) = match (&token.kind, kind(1), kind(2)) {
            (Kind::Mark('.'), Some(Kind::Word(name)), Some(Kind::Mark('(')))
                if ASKS.contains(&name.as_str()) =>
            {
                (format!(".{name}("), false, at + 3)
            }
            (Kind::Mark(mark @ ('=' | '!')), Some(Kind::Mark('=')), _) => {
                (format!(" {mark}= "), true, at + 2)
            }
            _ => continue,
        };
        let (receiver, literal) = (receiver(&program[..at]), asked(&program[behind..]));
        let sentence = SENTENCES.iter().any(|name| {
            receiver.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        if literal.is_some() && (sentence || !compares) || sentence && !compares {
            found.push((token.line, format!("{receiver}{ask}{}", literal.unwrap_or_default())));
        }
    }
    found
}

#[test]
fn nothing_is_decided_by_what_a_sentence_says() {
    let mut allowed: BTreeSet<&str> = ALLOWED.into_iter().map(|(call, _)| call).collect();
    let sources = sources();
    assert!(sources.len() > 100, "the sources are not where this test looks for them");
    let mut wrong = Vec::new();
    let known = allowed.clone();
    for (file, source) in &sources {
        for (line, call) in looks(&program(source)) {
            if !known.contains(call.as_str()) {
                wrong
                    .push(format!("src/{file}:{line}: `{call}` looks into a text; decide by a code instead"));
            }
            allowed.remove(call.as_str());
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(allowed.is_empty(), "nobody needs these exceptions any more: {allowed:?}");
}

/// Or else it would find nothing, and say that all is well.
#[test]
fn a_look_into_a_sentence_is_found_wherever_it_hides() {
    let found = |source: &str| looks(&program(source));
    for (source, call) in [
        ("if told.says.contains(needle) {}", "told.says.contains("),
        ("if fault.to_string().contains(\"401\") {}", "fault.to_string().contains(\"401\""),
        ("x\n    .trim()\n    .starts_with(\n \"answered 500\")", ".starts_with(\"answered 500\""),
        ("if entry.state != \"parked\" {}", "entry.state != \"parked\""),
        ("let a = 'x'; b.ends_with(\"\\\"//\")", "b.ends_with(\"\\\"//\""),
        ("#[cfg(test)]\nmod tests { fn a() { \"}\" } }\nlet b = a.contains(\"b\");", "a.contains(\"b\""),
        ("fn a<'a>(b: &'a str) { b.contains(r\"c\") }", "b.contains(r\"c\""),
    ] {
        assert!(
            found(source).iter().any(|(_, written)| written.ends_with(call)),
            "{source}: {:?}",
            found(source)
        );
    }
    for source in [
        "// why.contains(\"a\")",
        "/* why.contains(\"a\") */",
        "\"why.contains(a)\"",
        "r#\"why.contains(\"a\")\"#",
        "#[cfg(test)]\nmod tests { fn a() { why.contains(\"}\"); } }",
        "#[cfg(test)]\nfn a() { b.contains(\"c\"); }",
        "ids.contains(&id) && name == \"a\" && state == State::Parked && c.contains('x')",
    ] {
        assert_eq!(found(source), [], "{source}");
    }
}
