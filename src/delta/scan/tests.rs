//! As strict as `serde_json` where it skips, wherever the pieces are cut; and nothing is held.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

/// Writes down what it is told.
#[derive(Default)]
struct Parts(Vec<String>);

impl Sink for Parts {
    fn open(&mut self, array: bool) {
        self.0.push(if array { "[" } else { "{" }.to_owned());
    }

    fn close(&mut self) -> Result<(), &'static str> {
        self.0.push("end".to_owned());
        Ok(())
    }

    fn key(&mut self, name: Text<'_>) {
        self.0.push(format!("key {name:?}"));
    }

    fn scalar(&mut self, value: Scalar<'_>) -> Result<(), &'static str> {
        self.0.push(format!("{value:?}"));
        Ok(())
    }
}

/// What a body is made of that comes in pieces of at most so many bytes.
fn parts(body: &[u8], most: usize) -> Result<Vec<String>, &'static str> {
    let (mut scanner, mut parts) = (Scanner::default(), Parts::default());
    for mut piece in body.chunks(most) {
        scanner.read(&mut piece, &mut parts)?;
        assert!(scanner.begun.len() <= LONGEST, "{} bytes are kept", scanner.begun.len());
    }
    scanner.end().map(|()| parts.0)
}

fn agree(body: &[u8]) {
    let whole = parts(body, usize::MAX);
    let skipped: Result<IgnoredAny, _> = serde_json::from_slice(body);
    assert_eq!(whole.is_ok(), skipped.is_ok(), "{}: {whole:?} {skipped:?}", body.escape_ascii());
    for most in [1, 2, 5] {
        assert_eq!(parts(body, most), whole, "in pieces of {most}: {}", body.escape_ascii());
    }
}

const BODIES: &[&str] = &[
    "",
    " ",
    "1",
    "-",
    "-0",
    "01",
    "1.",
    "1.5",
    ".5",
    "1e",
    "1e+",
    "1e+9",
    "1E400",
    "1e5.5",
    "--1",
    "+1",
    "nul",
    "null",
    "nulll",
    "true",
    "false",
    "falsy",
    "\"",
    "\"\"",
    "\"\\\"",
    "\"\\\\\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud800\"",
    "\"\\x\"",
    "\"a\nb\"",
    "\"\t\"",
    "\"\u{7f}é\u{1f600}\"",
    "[]",
    "[ ]",
    "[,]",
    "[1,]",
    "[1 2]",
    "[1,2]",
    "]",
    "[",
    "[1",
    "[1,",
    "[}",
    "{}",
    "{ }",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1}",
    "{\"a\":1 \"b\":2}",
    "{a:1}",
    "{1:1}",
    "{\"a\":1",
    "{\"a\"",
    "{",
    "{]",
    "{} {}",
    "[[],{},[{}]]",
    "\u{feff}[]",
    "[1]x",
    "{\"a\":[{\"b\":null}]}\r\n\t ",
];

#[test]
fn what_is_json_is_what_serde_json_says() {
    for body in BODIES {
        agree(body.as_bytes());
    }
    for bytes in [&b"\"\xff\""[..], b"\xff", b"[\"\xc3\"]", b"\x00", b"[\"\x00\"]"] {
        agree(bytes);
    }
}

#[test]
fn a_long_string_is_too_long_and_costs_no_memory() {
    let long = "x".repeat(1_000_000);
    let escaped = "\\u0078".repeat(200_000);
    for text in [long.as_str(), &escaped, &"\\\\".repeat(LONGEST)] {
        let body = format!("{{\"{text}\":\"{text}\",\"a\":\"b\"}}");
        let known = |text| format!("{:?}", Text::Plain(text));
        let wanted = [
            "{".to_owned(),
            "key TooLong".to_owned(),
            "Text(TooLong)".to_owned(),
            format!("key {}", known(b"\"a\"")),
            format!("Text({})", known(b"\"b\"")),
            "end".to_owned(),
        ];
        for most in [usize::MAX, 10_000, 64] {
            assert_eq!(parts(body.as_bytes(), most).as_deref(), Ok(&wanted[..]));
        }
    }
    let fits = format!("\"{}\"", "y".repeat(LONGEST - 2));
    for most in [usize::MAX, 1000] {
        assert_eq!(
            parts(fits.as_bytes(), most).unwrap(),
            [format!("Text({:?})", Text::Plain(fits.as_bytes()))]
        );
    }
    assert_eq!(parts(&b"[".repeat(MOST_DEPTH + 1), usize::MAX), Err("recursion limit exceeded"));
}

#[test]
fn a_text_says_what_its_escapes_mean() {
    let text = Text::Escaped(br#""http:\/\/x\u002f\u00e9""#);
    assert!(text.is("http://x/é") && !text.is("http://x/e"));
    assert!(Text::Plain(b"\"a\"").is("a") && !Text::Plain(b"\"a\"").is("\"a\""));
    assert_eq!(Text::Escaped(br#""\ud800""#).bytes(), None, "half a character");
    assert!(!Text::TooLong.is(""));
}

/// What JSON is made of, in any order.
fn snippets() -> impl Strategy<Value = String> {
    let snippet = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"a\":",
        "\\",
        "\\u00e9",
        "\\n",
        "\\\"",
        "null",
        "true",
        "fals",
        "-",
        "0",
        "12",
        ".",
        "e",
        "+",
        " ",
        "\n",
        "é",
        "\u{1}",
        "0123456789abcdefghij",
    ]);
    prop::collection::vec(snippet, 0..12).prop_map(|parts| parts.concat())
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("a number", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
        "\\PC{0,40}".prop_map(|text| serde_json::Value::from(text).to_string()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(" , "))),
            prop::collection::vec(("\\PC{0,6}", inner), 0..6).prop_map(|members| {
                let member =
                    |(key, value): (String, String)| format!("{}:{value}", serde_json::Value::from(key));
                format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(",\n"))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_text_is_json_or_not_as_serde_json_says(text in snippets()) {
        agree(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn any_json_is_json_and_none_with_a_wrong_byte(text in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        agree(text.as_bytes());
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        agree(&bytes);
    }
}
