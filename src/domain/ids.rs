//! Identifiers, parsed once and typed from then on.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdFault {
    /// Kimai ids are positive whole numbers.
    #[error("'{0}' is not a Kimai id: it must be a whole number from 1 on")]
    NotANumber(String),
    /// A subject that cannot be written in SPARQL.
    #[error("'{0}' is not an absolute IRI")]
    NotAnIri(String),
}

/// Whether `text` is an absolute IRI by sophia's grammar. That takes microseconds, and lists have ten thousands
/// of them: those of the stack's own shape, web addresses of nothing but letters, digits and `-._~/#`, are known
/// to be without.
pub(crate) fn is_iri(text: &str) -> bool {
    is_plain(text) || sophia::iri::Iri::new(text).is_ok()
}

fn is_plain(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
    let (path, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    path.starts_with(|first: char| first.is_ascii_alphanumeric())
        && path.bytes().chain(fragment.bytes()).all(plain)
}

/// The longest IRI taken from a delta or a request, in bytes.
const MAX_IRI_BYTES: usize = 4096;

/// The IRI of what may be a work log: absolute, and safe to stand between `<` and `>` in SPARQL.
/// Cheap to clone. mu-cl-resources mints `http://timekeeper.redpencil.io/work-logs/{uuid}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WorkLogUri(Arc<str>);

impl From<WorkLogUri> for String {
    fn from(uri: WorkLogUri) -> Self {
        uri.0.as_ref().to_owned()
    }
}

impl TryFrom<String> for WorkLogUri {
    type Error = IdFault;

    fn try_from(iri: String) -> Result<Self, IdFault> {
        Self::parse(&iri)
    }
}

impl WorkLogUri {
    /// Checks `iri` by sophia's grammar. Backslashes, quotes, backticks, spaces and `<>{}|^` never pass.
    pub fn parse(iri: &str) -> Result<Self, IdFault> {
        let fits = iri.len() <= MAX_IRI_BYTES && is_iri(iri);
        if fits { Ok(Self(iri.into())) } else { Err(IdFault::NotAnIri(shorten(iri))) }
    }

    /// Takes back what [`Self::parse`] passed once and we kept. Looks only for what could break out of
    /// SPARQL: the whole grammar takes too long for a start with 100 000 of them.
    pub(crate) fn kept(iri: &str) -> Option<Self> {
        let unsafe_byte =
            |byte| matches!(byte, 0..=b' ' | b'<' | b'>' | b'"' | b'{' | b'}' | b'|' | b'^' | b'`' | b'\\');
        let fits = iri.len() <= MAX_IRI_BYTES && iri.contains(':');
        (fits && !iri.bytes().any(unsafe_byte)).then(|| Self(iri.into()))
    }

    /// Whether it is one of those that mu-cl-resources mints for work logs: `…/work-logs/{uuid}`.
    pub fn is_minted(&self) -> bool {
        self.0.rsplit('/').nth(1) == Some("work-logs")
    }

    /// The IRI without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkLogUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! kimai_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u64")]
        pub struct $name(pub u64);

        impl TryFrom<u64> for $name {
            type Error = IdFault;

            fn try_from(number: u64) -> Result<Self, IdFault> {
                in_range(number).map(Self).ok_or_else(|| IdFault::NotANumber(number.to_string()))
            }
        }

        impl FromStr for $name {
            type Err = IdFault;

            fn from_str(text: &str) -> Result<Self, IdFault> {
                parse_number(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

kimai_id!(
    /// The id of a Kimai timesheet, as in `/timesheets/{id}` and the work log's `dct:identifier`.
    KimaiId
);
kimai_id!(
    /// The id of a Kimai project. Its numbers collide with those of activities.
    ProjectId
);
kimai_id!(
    /// The id of a Kimai activity. Its numbers collide with those of projects.
    ActivityId
);
kimai_id!(
    /// The id of a Kimai user.
    UserId
);
kimai_id!(
    /// The id of a Kimai customer.
    CustomerId
);

/// Reads a number as tools and people write it: in digits, perhaps with zeros before them, a plus sign, or white
/// space around. This is the one place that decides what is an id; whoever searches for one by its text finds more
/// than that and asks here.
fn parse_number(text: &str) -> Result<u64, IdFault> {
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix('+').unwrap_or(trimmed);
    let number = digits.trim_start_matches('0');
    let is_number = number.len() <= 19 && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_number).and_then(in_range);
    number.ok_or_else(|| IdFault::NotANumber(shorten(text)))
}

/// `number`, unless it is one that no database gives to a row.
fn in_range(number: u64) -> Option<u64> {
    (1..=i64::MAX.unsigned_abs()).contains(&number).then_some(number)
}

/// Truncates long texts, so that a message stays readable.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 120;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_known_to_be_an_iri_without_the_grammar_is_one_by_it(
            text in "(http|https)://[a-zA-Z0-9./~_#-]{0,12}|(http://)?[ -~é]{0,16}|http://x/[ -~é]{0,8}",
        ) {
            prop_assert!(!is_plain(&text) || sophia::iri::Iri::new(text.as_str()).is_ok(), "{}", text);
        }
    }

    #[test]
    fn the_iris_of_the_stack_are_known_without_the_grammar() {
        for iri in [
            crate::domain::work_log::VEVENT,
            "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001",
        ] {
            assert!(is_plain(iri), "{iri}");
        }
        for other in [
            "http://",
            "http://#",
            "http://x/#a#b",
            "http://x:y/",
            "http://x/%zz",
            "urn:x",
            "http://x/é",
            "//x",
        ] {
            assert!(!is_plain(other), "{other}");
        }
    }

    #[test]
    fn an_iri_that_could_break_out_of_sparql_is_refused() {
        for bad in [
            "",
            "work-logs/1",
            "http://x/> } ; DROP ALL #",
            "http://x/a b",
            "http://x/\"",
            "http://x/{a}",
            "http://x/\n",
            "http://x/a\\b",
            "http://x/<",
            "http://x/^",
            "http://x/`",
            "http://x/|",
        ] {
            assert!(WorkLogUri::parse(bad).is_err(), "{bad:?} must be refused");
            assert!(WorkLogUri::kept(bad).is_none(), "{bad:?} must be refused even if it was kept");
        }
        assert!(WorkLogUri::parse(&format!("http://x/{}", "a".repeat(5000))).is_err());
        assert!(
            WorkLogUri::parse("http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001").is_ok()
        );
        assert!(WorkLogUri::parse("http://x/é").is_ok());
        assert_eq!(WorkLogUri::kept("http://x/é"), WorkLogUri::parse("http://x/é").ok());
    }

    #[test]
    fn a_kimai_id_is_a_whole_number_however_it_is_written() {
        for bad in [
            "",
            "0",
            "000",
            "-1",
            "++1",
            "+ 1",
            "1.0",
            "1e3",
            "0x1",
            "1 2",
            "１",
            "../customers/1",
            "undefined",
            "9223372036854775808",
            "99999999999999999999",
        ] {
            assert!(bad.parse::<KimaiId>().is_err(), "{bad:?} must be refused");
        }
        for good in ["9182", "09182", "+9182", " 9182", "9182\n", "\u{a0}+000000000000000000009182\t"] {
            assert_eq!(good.parse::<KimaiId>(), Ok(KimaiId(9182)), "{good:?}");
        }
        for bad in ["0", "-7", "\"7\"", "9223372036854775808", "18446744073709551615", "1.5", "null"] {
            assert!(serde_json::from_str::<KimaiId>(bad).is_err(), "{bad} must be refused");
        }
        for good in [1, 9182, i64::MAX.unsigned_abs()] {
            let json = serde_json::to_string(&KimaiId(good)).unwrap();
            assert_eq!(
                (json.as_str(), serde_json::from_str(&json).ok()),
                (good.to_string().as_str(), Some(KimaiId(good)))
            );
        }
    }
}
