//! No decision is made by reading a sentence: what an outside system says becomes a code where it arrives, and all
//! that follows goes by the code. This test reads the source and lists each place that looks into a text.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Folders of modules that stand before an outside system, whose texts they have to read, or that play one.
const ADAPTERS: [&str; 3] = ["kimai", "triplestore", "sandbox"];

/// What asks a text what stands in it.
const ASKS: [&str; 9] = [
    ".contains(",
    ".starts_with(",
    ".ends_with(",
    ".strip_prefix(",
    ".strip_suffix(",
    ".split_once(",
    ".eq_ignore_ascii_case(",
    " == ",
    " != ",
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
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let is_test = name == "tests" || name.ends_with("_tests") || name == "simulation";
            if is_test || ADAPTERS.contains(&name) && path.with_extension("").is_dir() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let shown = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((shown, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The end of the literal that begins at `at`, if one does.
fn literal_end(source: &str, at: usize) -> Option<usize> {
    let rest = &source[at..];
    if !rest.starts_with(['"', '\'', 'r', 'b']) {
        return None;
    }
    let raw = rest.trim_start_matches('b').strip_prefix('r').map(|after| after.trim_start_matches('#'));
    if let Some(text) = raw.and_then(|after| after.strip_prefix('"')) {
        let begin = source.len() - text.len();
        let hashes = source[at..begin].matches('#').count();
        let close = format!("\"{}", "#".repeat(hashes));
        return Some(text.find(&close).map_or(source.len(), |end| begin + end + close.len()));
    }
    let mut characters = rest.char_indices();
    let (_, quote) = characters.next()?;
    if quote == '\'' {
        // A lifetime has no second quote right after its first character.
        let second = characters.next()?.1;
        if second != '\\' && characters.next().is_none_or(|(_, after)| after != '\'') {
            return None;
        }
        characters = rest.char_indices();
        characters.next();
    } else if quote != '"' {
        return None;
    }
    let mut escaped = false;
    for (place, character) in characters {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some(at + place + 1),
            _ => {}
        }
    }
    Some(source.len())
}

/// The source in pieces: each literal whole, anything else letter by letter.
fn pieces(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let next = source[at..].chars().next()?;
        let end = literal_end(source, at).unwrap_or(at + next.len_utf8());
        let piece = (at, &source[at..end]);
        at = end;
        Some(piece)
    })
}

/// The source without comments and without what is only built for tests. Line breaks stay.
fn program(source: &str) -> String {
    without_tests(&without_comments(source))
}

fn without_comments(source: &str) -> String {
    let mut kept = String::new();
    let mut at = 0;
    while at < source.len() {
        let rest = &source[at..];
        let comment = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            let piece = pieces(rest).next().map_or(rest, |(_, piece)| piece);
            kept.push_str(piece);
            at += piece.len();
            continue;
        };
        kept.extend(rest[..comment].matches('\n'));
        at += comment;
    }
    kept
}

/// Leaves out each item that stands after `#[cfg(test)]`: up to its closing brace, or to its semicolon.
fn without_tests(source: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut skipped_to = 0;
    for (at, piece) in pieces(source) {
        if at >= skipped_to && source[at..].starts_with(MARK) {
            skipped_to = item_end(source, at + MARK.len());
        }
        if at >= skipped_to {
            kept.push_str(piece);
        } else {
            kept.extend(piece.matches('\n'));
        }
    }
    kept
}

fn item_end(source: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, piece) in pieces(&source[from..]) {
        match piece {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && piece == "}" {
                    return from + at + 1;
                }
            }
            ";" if depth == 0 => return from + at + 1,
            _ => {}
        }
    }
    source.len()
}

/// What a method at the end of `before` is called on: `entry.message` of `if entry.message`.
fn receiver(before: &str) -> &str {
    let mut depth = 0_usize;
    let begin = before.char_indices().rev().find(|(_, character)| match character {
        ')' | ']' => {
            depth += 1;
            false
        }
        '(' | '[' if depth > 0 => {
            depth -= 1;
            false
        }
        _ => depth == 0 && !(character.is_alphanumeric() || matches!(character, '_' | '.' | ':' | '?')),
    });
    begin.map_or(before, |(place, character)| &before[place + character.len_utf8()..])
}

/// Each place in `program` that looks into a text: its line, and how it is written there.
fn looks(program: &str) -> Vec<(usize, String)> {
    // A shorter one has no room for a call.
    let literals: Vec<(usize, &str)> = pieces(program).filter(|(_, piece)| piece.len() > 4).collect();
    let is_quoted = |place: usize| {
        let before = literals.partition_point(|(at, _)| *at <= place).checked_sub(1);
        before.is_some_and(|index| literals[index].0 + literals[index].1.len() > place)
    };
    let mut found = Vec::new();
    for ask in ASKS {
        for (at, _) in program.match_indices(ask).filter(|(at, _)| !is_quoted(*at)) {
            let asked = &program[at + ask.len()..];
            let literal = asked.trim_start().trim_start_matches(['&', 'b']);
            let receiver = receiver(program[..at].trim_end());
            let sentence = SENTENCES.iter().any(|name| {
                receiver.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            });
            let compares = ask.ends_with("= ");
            let end = literal_end(literal, 0).unwrap_or(0);
            let is_text = literal[..end].ends_with(['"', '#']);
            if !(is_text && (sentence || !compares) || sentence && !compares) {
                continue;
            }
            let line = program[..at].matches('\n').count() + 1;
            found.push((line, format!("{receiver}{ask}{}", &literal[..end])));
        }
    }
    found.sort();
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
