//! Identifiers, parsed once and typed from then on.

mod tracker;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use tracker::TrackerId;
pub use tracker::{ActivityId, CustomerId, EntryId, IdSyntax, ProjectId, UserId};

/// Why a text is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdFault {
    /// Kimai ids are positive whole numbers.
    #[error("'{0}' is not a Kimai id: it must be a whole number from 1 on")]
    NotANumber(String),
    /// Ids of another tracker are object ids.
    #[error("'{0}' is not an id: it must have 24 hexadecimal digits")]
    NotAnObjectId(String),
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
}
