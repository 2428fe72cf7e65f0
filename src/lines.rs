//! One line of a log for one event, whatever people wrote into what it tells of: a break within would let
//! them forge the next line.

use std::io::{self, Write};

/// Writes events, each of which comes whole, as lines. Breaks and other control characters within an event are
/// spelt as in JSON.
#[derive(Debug)]
pub struct Lines<W>(W);

/// Lines on stderr.
pub fn stderr() -> Lines<io::Stderr> {
    Lines(io::stderr())
}

/// Lines on stdout.
pub fn stdout() -> Lines<io::Stdout> {
    Lines(io::stdout())
}

/// What could end a line, or steer a terminal, in the eyes of some program.
fn breaks(letter: char) -> bool {
    letter != '\t' && (letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}'))
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event.strip_suffix(b"\n").unwrap_or(event));
        if text.contains(breaks) {
            let mut line = String::with_capacity(event.len() + 16);
            for letter in text.chars() {
                match letter {
                    '\n' => line.push_str("\\n"),
                    '\r' => line.push_str("\\r"),
                    // As JSON spells them too.
                    _ if breaks(letter) => line.extend(format!("\\u{:04x}", u32::from(letter)).chars()),
                    _ => line.push(letter),
                }
            }
            line.push('\n');
            self.0.write_all(line.as_bytes())?;
        } else {
            self.0.write_all(event)?;
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
        ] {
            let mut lines = Lines(Vec::new());
            lines.write_all(event.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(lines.0).unwrap(), line, "{event:?}");
        }
    }
}
