//! Escapes text written by people, so that it is shown as it is: no line breaks, which could forge a log line, and
//! nothing that controls a terminal or changes the text direction.

use std::borrow::Cow;
use std::io::{self, Write};

/// Writes events as lines; each write is one event. Line breaks, other control characters and bidirectional controls
/// within an event are escaped as in JSON.
#[derive(Debug)]
pub struct LineWriter<W>(W);

/// Lines on stderr.
pub fn stderr() -> LineWriter<io::Stderr> {
    LineWriter(io::stderr())
}

/// Lines on stdout.
pub fn stdout() -> LineWriter<io::Stdout> {
    LineWriter(io::stdout())
}

/// Whether some program could treat the character as a line break, a terminal control, or a change of text direction.
fn breaks(letter: char) -> bool {
    letter != '\t' && (letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') || turns(letter))
}

/// Unicode's bidirectional controls, which can make a text look different than it is.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Adds `letter`, escaped as in JSON.
fn spell(letter: char, to: &mut String) {
    match letter {
        '\n' => to.push_str("\\n"),
        '\r' => to.push_str("\\r"),
        _ => to.extend(format!("\\u{:04x}", u32::from(letter)).chars()),
    }
}

/// `text` for a terminal: line breaks remain, all other control characters are escaped. JSON remains equivalent JSON.
pub(crate) fn for_terminal(text: &str) -> Cow<'_, str> {
    spelt(text, |letter, _| letter != '\n' && breaks(letter))
}

/// `html` with the bidirectional controls in its text escaped. In tags they remain: they are not displayed there, and a
/// form has to send back the same value.
pub(crate) fn for_page(html: &str) -> Cow<'_, str> {
    spelt(html, |letter, in_tag| turns(letter) && !in_tag)
}

/// `text` with those letters escaped for which `is_spelt` returns true; it is passed whether they are between `<` and
/// `>`.
fn spelt(text: &str, is_spelt: impl Fn(char, bool) -> bool) -> Cow<'_, str> {
    if !text.contains(|letter| is_spelt(letter, false)) {
        return Cow::Borrowed(text);
    }
    let (mut spelt, mut in_tag) = (String::with_capacity(text.len() + 16), false);
    for letter in text.chars() {
        in_tag = letter == '<' || (in_tag && letter != '>');
        if is_spelt(letter, in_tag) { spell(letter, &mut spelt) } else { spelt.push(letter) }
    }
    Cow::Owned(spelt)
}

impl<W: Write> Write for LineWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event.strip_suffix(b"\n").unwrap_or(event));
        match spelt(&text, |letter, _| breaks(letter)) {
            Cow::Borrowed(_) => self.0.write_all(event)?,
            Cow::Owned(line) => self.0.write_all(format!("{line}\n").as_bytes())?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        for (event, line) in [
            ("all is well\n", "all is well\n"),
            ("é\tü\n", "é\tü\n"),
            ("\n", "\n"),
            ("one\ntwo\r\n2026-01-01 ERROR forged\n\n", "one\\ntwo\\r\\n2026-01-01 ERROR forged\\n\n"),
            ("a\rb\n", "a\\rb\n"),
            ("a\u{1b}[31m\u{85}\u{9b}\u{2028}\u{0}b\n", "a\\u001b[31m\\u0085\\u009b\\u2028\\u0000b\n"),
            ("rep\u{202e}gnp.exe\u{2066}\u{200f}\n", "rep\\u202egnp.exe\\u2066\\u200f\n"),
            ("שלום مرحبا\n", "שלום مرحبا\n"),
        ] {
            let mut lines = LineWriter(Vec::new());
            lines.write_all(event.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(lines.0).unwrap(), line, "{event:?}");
        }
    }

    #[test]
    fn what_turns_text_is_spelt_on_pages_and_terminals() {
        let html = "<p title=\"a\u{202e}b\">a\u{202e}b &lt; c</p>\u{2067}";
        assert_eq!(for_page(html), "<p title=\"a\u{202e}b\">a\\u202eb &lt; c</p>\\u2067");
        assert_eq!(for_page("<b>é</b>"), "<b>é</b>");
        assert_eq!(for_terminal("one\n\ttwo\u{1b}[2J\u{202e}"), "one\n\ttwo\\u001b[2J\\u202e");
        let json = serde_json::json!({"a": "x\u{202e}\u{7f}\u{1b}\n"}).to_string();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&for_terminal(&json)).unwrap(),
            serde_json::from_str::<serde_json::Value>(&json).unwrap()
        );
    }
}
