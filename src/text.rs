//! Helpers for text: the words of enum variants, sentence case, and formatted instants.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Defines the words of an enum, as used in responses and in the file.
macro_rules! words {
    ($name:ident { $($variant:ident => $word:literal),* $(,)? }) => {
        impl $name {
            /// All variants, in order.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];

            /// Their words, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// Its word in responses and in the file.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The variant with this word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.word() == word)
            }
        }
    };
}

pub(crate) use words;

/// A number in groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `1 work log`, `2 work logs`.
pub(crate) fn many(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `words` with a capital letter.
pub(crate) fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `words` with a capital letter and a full stop.
pub(crate) fn sentence(words: &str) -> String {
    let words = words.trim();
    // A command is not capitalised.
    if words.starts_with("kimai-sync ") {
        return if words.ends_with('.') { words.to_owned() } else { format!("{words}.") };
    }
    let end = if words.is_empty() || words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{end}", capitalised(words))
}

/// `2024-09-02 08:00`, in `zone`.
pub(crate) fn minute(instant: Timestamp, zone: &TimeZone) -> String {
    instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The same with seconds, unless they are zero.
pub(crate) fn second(instant: Timestamp, zone: &TimeZone) -> String {
    match instant.to_zoned(zone.clone()) {
        zoned if zoned.second() == 0 => minute(instant, zone),
        zoned => zoned.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{minute, second, sentence};

    #[test]
    fn instants_are_told_in_the_zone_of_people_with_seconds_where_they_have_some() {
        let zone = TimeZone::get("Europe/Brussels").unwrap();
        for (instant, to_minute, to_second) in [
            ("2024-09-01T22:00:00Z", "2024-09-02 00:00", "2024-09-02 00:00"),
            ("2024-12-31T23:05:06.7Z", "2025-01-01 00:05", "2025-01-01 00:05:06"),
        ] {
            let instant = instant.parse().unwrap();
            assert_eq!(minute(instant, &zone), to_minute);
            assert_eq!(second(instant, &zone), to_second);
        }
    }

    #[test]
    fn a_sentence_begins_and_ends_as_one_and_a_command_stays_as_it_is_typed() {
        for (words, told) in [
            ("it is down", "It is down."),
            (" Why? ", "Why?"),
            ("écoute!", "Écoute!"),
            ("kimai-sync doctor", "kimai-sync doctor."),
            ("", ""),
        ] {
            assert_eq!(sentence(words), told);
        }
    }
}
