//! One line of a log for one event, whatever people wrote into what it tells of: a break within would let
//! them forge the next line.

use std::io::{self, Write};

/// Writes events, each of which comes whole, as lines. Escape sequences of terminals are the subscriber's
/// business; line breaks within an event are spelt `\n` and `\r`.
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

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        if text.contains(&b'\n') || text.contains(&b'\r') {
            let mut line = Vec::with_capacity(event.len() + 16);
            for byte in text {
                match byte {
                    b'\n' => line.extend_from_slice(b"\\n"),
                    b'\r' => line.extend_from_slice(b"\\r"),
                    _ => line.push(*byte),
                }
            }
            line.push(b'\n');
            self.0.write_all(&line)?;
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
        ] {
            let mut lines = Lines(Vec::new());
            lines.write_all(event.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(lines.0).unwrap(), line, "{event:?}");
        }
    }
}
