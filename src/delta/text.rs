//! A string in the body: where it ends, and its decoded value.

use std::borrow::Cow;

/// The longest string that is kept, in bytes with its quotes and escapes: an IRI of 4096 bytes, all escaped.
pub(super) const LONGEST: usize = 6 * 4096 + 2;

/// A string of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text<'a> {
    /// As in the body, with its quotes.
    Plain(&'a [u8]),
    /// The same, with escapes in it.
    Escaped(&'a [u8]),
    /// Longer than anything relevant.
    TooLong,
}

impl Text<'_> {
    /// Whether it equals `wanted`, which has no quotes or backslashes.
    #[inline]
    pub(super) fn is(&self, wanted: &str) -> bool {
        match self {
            Self::Plain(raw) => inner(raw) == wanted.as_bytes(),
            Self::Escaped(_) | Self::TooLong => {
                self.bytes().is_some_and(|bytes| *bytes == *wanted.as_bytes())
            }
        }
    }

    /// Its value, which may be invalid Unicode if it has no escapes; none if it is too long or contains half a
    /// character.
    pub(super) fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Plain(raw) => Some(inner(raw).into()),
            Self::Escaped(raw) => {
                serde_json::from_slice::<String>(raw).ok().map(|text| text.into_bytes().into())
            }
            Self::TooLong => None,
        }
    }
}

fn inner(raw: &[u8]) -> &[u8] {
    raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
}

/// The position within a string.
#[derive(Debug, Clone, Copy)]
pub(super) enum Inside {
    Plain,
    /// After a backslash.
    Escape,
    /// Before this many hexadecimal digits.
    Hex(u8),
}

impl Inside {
    /// The position after a byte that is not a quote; an error if the byte is invalid here.
    pub(super) fn after(self, byte: u8) -> Result<Self, &'static str> {
        match (self, byte) {
            (Self::Plain, b'\\') => Ok(Self::Escape),
            (Self::Plain, _) => Err("control character (\\u0000-\\u001F) found while parsing a string"),
            (Self::Escape, b'u') => Ok(Self::Hex(4)),
            (Self::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(Self::Plain),
            (Self::Hex(1), digit) if digit.is_ascii_hexdigit() => Ok(Self::Plain),
            (Self::Hex(left), digit) if digit.is_ascii_hexdigit() => Ok(Self::Hex(left - 1)),
            _ => Err("invalid escape"),
        }
    }
}

/// How many bytes come before a quote, a backslash or a control character; checks eight at a time, as `serde_json`
/// does.
#[inline]
pub(super) fn special(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest bit that is set is in the first byte below the bound; those above it may be wrong.
        let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let found = (below(word, 0x20) | quote | backslash) & TOPS;
        if found != 0 {
            return at * 8 + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes.len() - rest.len() + rest.iter().position(is_special).unwrap_or(rest.len())
}
