//! The description of a timesheet (`KIMAI_DESCRIPTION=note`): the note of a work log, limited to what Kimai accepts.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

/// The most bytes that Kimai's database accepts; longer texts fail permanently.
const MOST_BYTES: usize = 65_535;

/// A text, as far as a comparison needs it: a hash, so that a sweep of many rows holds no texts. Two that differ
/// only in what Kimai or a browser makes of them are the same: white space around, carriage returns, and what is
/// beyond the length that Kimai takes. None at all is the same as an empty one.
///
/// It may differ in another version of this program: then a note is sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Note(u64);

impl Note {
    /// No text.
    pub const EMPTY: Self = Self(0);

    /// The hash of `text`.
    pub fn of(text: &str) -> Self {
        let text = fitting(text);
        if text.is_empty() {
            return Self::EMPTY;
        }
        let mut hasher = DefaultHasher::new();
        text.bytes().filter(|byte| *byte != b'\r').for_each(|byte| byte.hash(&mut hasher));
        Self(hasher.finish().max(1))
    }
}

/// As much of `text` as Kimai keeps: without white space around, and no longer than it takes.
pub fn fitting(text: &str) -> &str {
    let text = text.trim_matches(is_trimmed);
    if text.len() <= MOST_BYTES {
        return text;
    }
    let end = (0..=MOST_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default().trim_end_matches(is_trimmed)
}

/// The characters that Kimai's forms trim: white space, control and format characters.
fn is_trimmed(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kimai_makes_of_a_text_is_no_difference() {
        let same =
            [("", " \n\u{200b}"), ("a", " a\t"), ("a\nb", "a\r\nb"), ("é\u{1F600}", "\u{feff}é\u{1F600}")];
        for (one, other) in same {
            assert_eq!(Note::of(one), Note::of(other), "{one:?} {other:?}");
        }
        for (one, other) in [("", "a"), ("a", "A"), ("a b", "ab"), ("a\nb", "ab")] {
            assert_ne!(Note::of(one), Note::of(other), "{one:?} {other:?}");
        }
        assert_eq!(Note::of(""), Note::EMPTY);
    }

    #[test]
    fn a_text_is_cut_where_kimai_takes_no_more() {
        let long = "é".repeat(40_000);
        let sent = fitting(&long);
        assert_eq!(sent.len(), MOST_BYTES - 1, "no half character");
        assert_eq!(Note::of(sent), Note::of(&long));
        assert_eq!(fitting(" a "), "a");
    }
}
