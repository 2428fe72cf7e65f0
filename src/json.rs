//! Parses JSON from Kimai and the triplestore, and replaces single unreadable values.
//!
//! Both return whatever was once stored: half an emoji (`\uD83D`), invalid UTF-8, control characters. `serde_json`
//! refuses the whole document for one of them; here only that character is replaced.
//!
//! # Guarantees
//! What `serde_json` accepts is parsed by it alone, so a valid document costs nothing extra.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// Replaces what could not be read.
pub const REPLACEMENT: char = '\u{FFFD}';

/// Parses `body`; if that fails, again with its unreadable characters replaced by [`REPLACEMENT`], and invalid numbers
/// by `null`.
pub fn from_slice<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    match serde_json::from_slice(body) {
        Ok(value) => Ok(value),
        Err(error) => match repaired(body) {
            Some(repaired) => serde_json::from_str(&repaired),
            None => Err(error),
        },
    }
}

/// A string without invalid characters.
pub fn string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(text)
}

/// Removes invalid characters: NUL ends a string in Virtuoso and many other programs.
pub fn text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', REPLACEMENT.encode_utf8(&mut [0; 4])) } else { text }
}

/// `body` with unreadable parts replaced; none if there are none.
pub fn repaired(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let changed = matches!(text, Cow::Owned(_));
    let mut repair = Repair { rest: &text, out: String::with_capacity(text.len()), changed };
    repair.run();
    repair.changed.then_some(repair.out)
}

/// Scans a document once.
struct Repair<'a> {
    rest: &'a str,
    out: String,
    changed: bool,
}

impl Repair<'_> {
    fn run(&mut self) {
        if let Some(rest) = self.rest.strip_prefix('\u{FEFF}') {
            (self.rest, self.changed) = (rest, true);
        }
        while let Some(c) = self.take() {
            match c {
                '"' => {
                    self.out.push(c);
                    self.string();
                }
                // The rest of a number such as `1e5` is included.
                '0'..='9' => {
                    self.out.push(c);
                    self.copy_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-'));
                }
                c if c.is_ascii_alphabetic() => self.word(c),
                c => self.out.push(c),
            }
        }
    }

    /// The rest of a string.
    fn string(&mut self) {
        while let Some(c) = self.take() {
            match c {
                '"' => {
                    self.out.push(c);
                    return;
                }
                '\\' => self.escape(),
                c if u32::from(c) < 0x20 => self.replace(),
                c => self.out.push(c),
            }
        }
    }

    /// The rest of an escape.
    fn escape(&mut self) {
        match self.rest.chars().next() {
            Some(c @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
                self.take();
                self.out.extend(['\\', c]);
            }
            Some('u') => match hex(self.rest.get(1..5)) {
                None => self.replace(),
                Some(first) => {
                    let low = self
                        .rest
                        .get(5..7)
                        .filter(|next| *next == "\\u")
                        .and_then(|_| hex(self.rest.get(7..11)));
                    let length = match (first, low) {
                        (0xD800..=0xDBFF, Some(0xDC00..=0xDFFF)) => 11,
                        (0xD800..=0xDFFF, _) => 0,
                        _ => 5,
                    };
                    if length == 0 {
                        self.rest = self.rest.get(5..).unwrap_or_default();
                        self.replace();
                    } else {
                        let (escape, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
                        self.out.push('\\');
                        self.out.push_str(escape);
                        self.rest = rest;
                    }
                }
            },
            _ => self.replace(),
        }
    }

    /// The rest of a bare word; JSON has three of them.
    fn word(&mut self, first: char) {
        let start = self.out.len();
        self.out.push(first);
        self.copy_while(|c| c.is_ascii_alphanumeric());
        if !matches!(self.out.get(start..), Some("true" | "false" | "null")) {
            self.out.truncate(start);
            if self.out.ends_with('-') {
                self.out.pop();
            }
            self.out.push_str("null");
            self.changed = true;
        }
    }

    fn replace(&mut self) {
        self.out.push(REPLACEMENT);
        self.changed = true;
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    fn copy_while(&mut self, keep: impl Fn(char) -> bool) {
        let end = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        let (kept, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.out.push_str(kept);
        self.rest = rest;
    }
}

fn hex(digits: Option<&str>) -> Option<u32> {
    digits
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &[u8]) -> Value {
        from_slice(body).unwrap_or_else(|fault| panic!("{fault}: {}", String::from_utf8_lossy(body)))
    }

    #[test]
    fn one_unreadable_character_costs_itself() {
        let table: [(&[u8], Value); 17] = [
            (br#"["Jane \uD83D"]"#, json!(["Jane \u{FFFD}"])),
            (br#"["\uD83D Jane"]"#, json!(["\u{FFFD} Jane"])),
            (br#"["\uDE00"]"#, json!(["\u{FFFD}"])),
            (br#"["\uD83D\uD83D\uDE00"]"#, json!(["\u{FFFD}\u{1F600}"])),
            (br#"["\uD83Dx\uDE00"]"#, json!(["\u{FFFD}x\u{FFFD}"])),
            (br#"["\uD83D\n"]"#, json!(["\u{FFFD}\n"])),
            (br#"["\uD83D\u0041"]"#, json!(["\u{FFFD}A"])),
            (br#"["\ud83d\ude00 \uD83D"]"#, json!(["\u{1F600} \u{FFFD}"])),
            (b"[\"a\xffb\"]", json!(["a\u{FFFD}b"])),
            (b"[\"a\xed\xa0\xbd\", 1e5]", json!(["a\u{FFFD}\u{FFFD}\u{FFFD}", 1e5])),
            (b"[\"a\0b\tc\"]", json!(["a\u{FFFD}b\u{FFFD}c"])),
            (br#"["\x41", "\uD83"]"#, json!(["\u{FFFD}x41", "\u{FFFD}uD83"])),
            (
                br#"{"\uD83D":[NaN, -Infinity, true, -1.5E+3, null]}"#,
                json!({"\u{FFFD}": [null, null, true, -1500.0, null]}),
            ),
            (b"\xef\xbb\xbf[1]", json!([1])),
            (br#"["a\\uD83D\\"]"#, json!(["a\\uD83D\\"])),
            (br#"["\"\uD83D\"", "\\"]"#, json!(["\"\u{FFFD}\"", "\\"])),
            (br#"["fine \ud83d\ude00"]"#, json!(["fine \u{1F600}"])),
        ];
        for (body, wanted) in table {
            assert_eq!(read(body), wanted, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn what_is_no_json_is_none_with_its_own_words() {
        for body in ["", "<html>", "[", "[\"\\uD83D\"", "{]"] {
            assert!(from_slice::<Value>(body.as_bytes()).is_err(), "{body}");
        }
        assert!(from_slice::<Value>(b"[1,").unwrap_err().is_eof());
        assert_eq!(text("a\0b".to_owned()), "a\u{FFFD}b");
    }

    proptest! {
        /// Whatever single byte of a document is broken within a text, the others are read.
        #[test]
        fn a_document_of_texts_survives_any_bytes_in_them(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..5)) {
            let inner = |text: &Vec<u8>| text.iter().copied().filter(|byte| !matches!(byte, b'"' | b'\\')).collect::<Vec<u8>>();
            let items: Vec<Vec<u8>> = texts.iter().map(|text| [b"\"".as_slice(), &inner(text), b"\""].concat()).collect();
            let body = [b"[".as_slice(), &items.join(&b','), b"]"].concat();
            let found: Vec<String> = from_slice(&body).unwrap();
            prop_assert_eq!(found.len(), texts.len());
        }

        #[test]
        fn what_serde_json_reads_is_read_as_it_is(text in ".*", number: i64, flag: bool) {
            let value = json!({"text": text, "list": [number, flag, null, {"a": text}]});
            let body = value.to_string();
            prop_assert_eq!(repaired(body.as_bytes()), None);
            prop_assert_eq!(read(body.as_bytes()), value);
        }
    }
}
