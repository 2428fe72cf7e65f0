//! A streaming JSON scanner that works in place and buffers nothing.
//!
//! `serde_json` either buffers a whole body or reads it byte by byte, at less than half the speed. A delta may have 500
//! MB, nearly all of it irrelevant: here that costs one pass over the bytes, and no memory.
//!
//! # Guarantees
//! - Invalid JSON is an error, wherever it is; whatever `serde_json` accepts while skipping is not (except for
//!   [`MOST_DEPTH`]). How the input is split into chunks makes no difference.
//! - No more than [`LONGEST`] of the body is kept, whatever its structure: a longer string is [`Text::TooLong`].

use super::text::{Inside, LONGEST, Text, special};

/// The maximum nesting depth.
const MOST_DEPTH: usize = 1024;

/// A scalar value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    Text(Text<'a>),
    Null,
    /// A number, `true` or `false`.
    Other,
}

/// Receives the parts of a body in order. A value other than a string is reported at its first byte.
pub(super) trait Sink {
    /// `[` or `{`.
    fn open(&mut self, array: bool);
    /// The end of the innermost container. Fails if it is not what was expected.
    fn close(&mut self) -> Result<(), &'static str>;
    /// The key of the following value.
    fn key(&mut self, name: Text<'_>);
    /// A value. Fails if it is not what was expected.
    fn scalar(&mut self, value: Scalar<'_>) -> Result<(), &'static str>;
}

/// What may come next.
#[derive(Debug, Clone, Copy, Default)]
enum Expected {
    #[default]
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    CommaOrEnd,
    /// The rest of a string.
    Text {
        key: bool,
        escaped: bool,
        inside: Inside,
    },
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    Number(Digits),
    /// Only white space.
    End,
}

/// The position within a number: what was read last.
#[derive(Debug, Clone, Copy)]
enum Digits {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Digits {
    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Whole | Self::Fraction | Self::Power)
    }
}

/// Scans one body.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    expected: Expected,
    /// Whether each open container is an array, outermost first.
    open: Vec<bool>,
    /// The beginning of a string that ends in a later piece; empty if it is too long.
    begun: Vec<u8>,
    /// The length of that string so far.
    length: usize,
    /// Line breaks so far. Strings contain none.
    breaks: usize,
    /// The bytes of the piece after its last line break.
    behind_break: Option<usize>,
}

impl Scanner {
    /// Scans `piece` and reports to `sink`. After an error `piece` begins after the invalid byte.
    pub(super) fn read(&mut self, piece: &mut &[u8], sink: &mut impl Sink) -> Result<(), &'static str> {
        self.behind_break = None;
        loop {
            match self.expected {
                Expected::Text { key, escaped, inside } => self.text(piece, key, escaped, inside, sink)?,
                Expected::Word(rest) => self.word(piece, rest)?,
                Expected::Number(digits) => self.number(piece, digits)?,
                _ => {}
            }
            let whole = *piece;
            let Some((&byte, rest)) = whole.split_first() else { return Ok(()) };
            *piece = rest;
            match (byte, self.expected) {
                (b' ' | b'\r' | b'\t', _) => {}
                (b'\n', _) => {
                    self.breaks += 1;
                    self.behind_break = Some(rest.len());
                }
                (b'"', Expected::Value | Expected::ValueOrEnd) => self.begin(piece, whole, false, sink)?,
                (b'"', Expected::Key | Expected::KeyOrEnd) => self.begin(piece, whole, true, sink)?,
                (b',', Expected::CommaOrEnd) => {
                    self.expected = if self.in_array() { Expected::Value } else { Expected::Key };
                }
                (b':', Expected::Colon) => self.expected = Expected::Value,
                (b']', Expected::ValueOrEnd) | (b'}', Expected::KeyOrEnd) => self.close(sink)?,
                (b']', Expected::CommaOrEnd) if self.in_array() => self.close(sink)?,
                (b'}', Expected::CommaOrEnd) if !self.in_array() => self.close(sink)?,
                (_, Expected::Value | Expected::ValueOrEnd) => self.value(byte, sink)?,
                (_, expected) => return Err(self.unexpected(expected)),
            }
        }
    }

    /// How many line breaks there were so far, and how many bytes of the last piece came after the last one, if it had
    /// one.
    pub(super) fn breaks(&self) -> (usize, Option<usize>) {
        (self.breaks, self.behind_break)
    }

    /// The end of the input. Fails if something is missing.
    pub(super) fn end(&self) -> Result<(), &'static str> {
        match (self.expected, self.open.last()) {
            (Expected::Number(digits), None) if digits.may_end() => Ok(()),
            (Expected::Value | Expected::Word(_), _) | (Expected::Number(_), None) => {
                Err("EOF while parsing a value")
            }
            (Expected::Text { .. }, _) => Err("EOF while parsing a string"),
            (Expected::End, _) => Ok(()),
            (_, Some(true)) => Err("EOF while parsing a list"),
            (_, _) => Err("EOF while parsing an object"),
        }
    }

    fn in_array(&self) -> bool {
        self.open.last() == Some(&true)
    }

    fn unexpected(&self, expected: Expected) -> &'static str {
        match expected {
            Expected::Key | Expected::KeyOrEnd => "key must be a string",
            Expected::Colon => "expected `:`",
            Expected::CommaOrEnd if self.in_array() => "expected `,` or `]`",
            Expected::CommaOrEnd => "expected `,` or `}`",
            Expected::End => "trailing characters",
            _ => "expected value",
        }
    }

    /// A value other than a string begins with `byte`.
    fn value(&mut self, byte: u8, sink: &mut impl Sink) -> Result<(), &'static str> {
        let (expected, scalar) = match byte {
            b'{' | b'[' if self.open.len() >= MOST_DEPTH => return Err("recursion limit exceeded"),
            b'{' | b'[' => {
                let array = byte == b'[';
                self.open.push(array);
                self.expected = if array { Expected::ValueOrEnd } else { Expected::KeyOrEnd };
                sink.open(array);
                return Ok(());
            }
            b'n' => (Expected::Word(b"ull"), Scalar::Null),
            b't' => (Expected::Word(b"rue"), Scalar::Other),
            b'f' => (Expected::Word(b"alse"), Scalar::Other),
            b'-' => (Expected::Number(Digits::Minus), Scalar::Other),
            b'0' => (Expected::Number(Digits::Zero), Scalar::Other),
            b'1'..=b'9' => (Expected::Number(Digits::Whole), Scalar::Other),
            _ => return Err("expected value"),
        };
        self.expected = expected;
        sink.scalar(scalar)
    }

    fn close(&mut self, sink: &mut impl Sink) -> Result<(), &'static str> {
        self.open.pop();
        self.ended();
        sink.close()
    }

    /// A value has ended.
    fn ended(&mut self) {
        self.expected = if self.open.is_empty() { Expected::End } else { Expected::CommaOrEnd };
    }

    /// A string begins `whole`: reads it from `piece`, unless it has escapes or does not end there.
    fn begin<'p>(
        &mut self,
        piece: &mut &'p [u8],
        whole: &'p [u8],
        key: bool,
        sink: &mut impl Sink,
    ) -> Result<(), &'static str> {
        let end = 1 + special(whole.get(1..).unwrap_or_default());
        if end < LONGEST && whole.get(end) == Some(&b'"') {
            let (raw, rest) = whole.split_at_checked(end + 1).unwrap_or_default();
            *piece = rest;
            return self.told(key, Text::Plain(raw), sink);
        }
        *piece = whole;
        self.expected = Expected::Text { key, escaped: false, inside: Inside::Plain };
        self.length = 0;
        self.begun.clear();
        Ok(())
    }

    fn told(&mut self, key: bool, text: Text<'_>, sink: &mut impl Sink) -> Result<(), &'static str> {
        if key {
            self.expected = Expected::Colon;
            sink.key(text);
            return Ok(());
        }
        self.ended();
        sink.scalar(Scalar::Text(text))
    }

    /// Reads a string to its end, or to the end of the piece.
    fn text(
        &mut self,
        piece: &mut &[u8],
        key: bool,
        mut escaped: bool,
        mut inside: Inside,
        sink: &mut impl Sink,
    ) -> Result<(), &'static str> {
        let whole = *piece;
        // The opening quote is a part of it.
        let mut at = usize::from(self.length == 0);
        let ended = loop {
            let rest = whole.get(at..).unwrap_or_default();
            let plain = if matches!(inside, Inside::Plain) { special(rest) } else { 0 };
            let Some(byte) = rest.get(plain) else { break false };
            at += plain + 1;
            if let (Inside::Plain, b'"') = (inside, byte) {
                break true;
            }
            escaped |= *byte == b'\\';
            inside = inside.after(*byte).inspect_err(|_| *piece = whole.get(at..).unwrap_or_default())?;
        };
        let (read, rest) = whole.split_at_checked(if ended { at } else { whole.len() }).unwrap_or_default();
        *piece = rest;
        self.length += read.len();
        self.keep(read);
        if !ended {
            self.expected = Expected::Text { key, escaped, inside };
            return Ok(());
        }
        let begun = std::mem::take(&mut self.begun);
        let text = match (self.length > LONGEST, escaped) {
            (true, _) => Text::TooLong,
            (false, true) => Text::Escaped(&begun),
            (false, false) => Text::Plain(&begun),
        };
        let told = self.told(key, text, sink);
        self.begun = begun;
        told
    }

    fn keep(&mut self, read: &[u8]) {
        if self.length <= LONGEST {
            self.begun.extend_from_slice(read);
        } else {
            self.begun.clear();
        }
    }

    fn word(&mut self, piece: &mut &[u8], rest: &'static [u8]) -> Result<(), &'static str> {
        let mut rest = rest;
        while let Some((wanted, behind)) = rest.split_first() {
            let Some((byte, left)) = piece.split_first() else {
                self.expected = Expected::Word(rest);
                return Ok(());
            };
            *piece = left;
            if byte != wanted {
                return Err("expected ident");
            }
            rest = behind;
        }
        self.ended();
        Ok(())
    }

    fn number(&mut self, piece: &mut &[u8], digits: Digits) -> Result<(), &'static str> {
        let mut digits = digits;
        while let Some((byte, rest)) = piece.split_first() {
            digits = match (digits, byte) {
                (Digits::Minus, b'0') => Digits::Zero,
                (Digits::Minus, b'1'..=b'9') | (Digits::Whole, b'0'..=b'9') => Digits::Whole,
                (Digits::Zero | Digits::Whole, b'.') => Digits::Point,
                (Digits::Point | Digits::Fraction, b'0'..=b'9') => Digits::Fraction,
                (Digits::Zero | Digits::Whole | Digits::Fraction, b'e' | b'E') => Digits::Exponent,
                (Digits::Exponent, b'+' | b'-') => Digits::Sign,
                (Digits::Exponent | Digits::Sign | Digits::Power, b'0'..=b'9') => Digits::Power,
                (Digits::Zero, b'0'..=b'9') => {
                    *piece = rest;
                    return Err("invalid number");
                }
                (digits, _) if digits.may_end() => {
                    self.ended();
                    return Ok(());
                }
                _ => {
                    *piece = rest;
                    return Err("invalid number");
                }
            };
            *piece = rest;
        }
        self.expected = Expected::Number(digits);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
