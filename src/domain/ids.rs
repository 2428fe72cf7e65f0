//! Identifiers, parsed once and typed from then on.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// How a tracker writes its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdSyntax {
    /// Whole numbers from 1 on. Texts may have leading zeros, a plus sign or surrounding white space.
    #[default]
    Numbers,
    /// `MongoDB`'s object ids: 24 hexadecimal digits.
    ObjectIds,
}

impl IdSyntax {
    /// Reads an id. This is the one place that decides what is one; a search by text finds more than that, and asks here.
    pub(crate) fn read(self, text: &str) -> Result<TrackerId, IdFault> {
        let id = match self {
            Self::Numbers => read_number(text).map(TrackerId::Number),
            Self::ObjectIds => read_object_id(text),
        };
        id.ok_or_else(|| match self {
            Self::Numbers => IdFault::NotANumber(shorten(text)),
            Self::ObjectIds => IdFault::NotAnObjectId(shorten(text)),
        })
    }

    /// The ids among `texts`, lowest first, each once however often and in whatever ways it is written.
    pub(crate) fn read_all<'a>(self, texts: impl IntoIterator<Item = &'a String>) -> Vec<TrackerId> {
        let mut ids: Vec<TrackerId> = texts.into_iter().filter_map(|text| self.read(text).ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn read_number(text: &str) -> Option<u64> {
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix('+').unwrap_or(trimmed);
    let number = digits.trim_start_matches('0');
    let is_number = number.len() <= 19 && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_number).and_then(in_range)
}

fn read_object_id(text: &str) -> Option<TrackerId> {
    let digits = text.trim().as_bytes();
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 12];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = digit(pair.first()?)? << 4 | digit(pair.last()?)?;
    }
    Some(TrackerId::ObjectId(bytes))
}

/// An id as some tracker writes it, in 16 bytes: a sweep holds several for each of 100 000 entries. Numbers have their
/// own order, object ids that of their texts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TrackerId {
    Number(u64),
    ObjectId([u8; 12]),
}

impl TrackerId {
    /// The number, if it is one.
    pub(crate) const fn as_number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::ObjectId(_) => None,
        }
    }
}

impl fmt::Display for TrackerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::ObjectId(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl fmt::Debug for TrackerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TrackerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::ObjectId(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for TrackerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;

        impl Visitor<'_> for NumberOrText {
            type Value = TrackerId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 1 on, or 24 hexadecimal digits")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<TrackerId, E> {
                in_range(number).map(TrackerId::Number).ok_or_else(|| E::custom(not_a_number(number)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TrackerId, E> {
                read_object_id(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(NumberOrText)
    }
}

macro_rules! tracker_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// In JSON it is a number if the tracker's ids are numbers, and a text otherwise.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(TrackerId);

        impl $name {
            /// The id `number`.
            pub const fn number(number: u64) -> Self {
                Self(TrackerId::Number(number))
            }

            /// The number, if the tracker's ids are numbers.
            pub const fn as_number(self) -> Option<u64> {
                self.0.as_number()
            }

            /// Reads an id that is written in `syntax`.
            pub fn parse(text: &str, syntax: IdSyntax) -> Result<Self, IdFault> {
                syntax.read(text).map(Self)
            }
        }

        impl From<TrackerId> for $name {
            fn from(id: TrackerId) -> Self {
                Self(id)
            }
        }

        impl TryFrom<u64> for $name {
            type Error = IdFault;

            fn try_from(number: u64) -> Result<Self, IdFault> {
                in_range(number).map(Self::number).ok_or_else(|| not_a_number(number))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

tracker_id!(
    /// The id of an entry in a tracker, such as Kimai's `/timesheets/{id}`. The work log's link holds it.
    EntryId
);
impl EntryId {
    /// The seconds since 1970 at which an object id was made: its first eight digits.
    pub fn object_id_seconds(self) -> Option<u64> {
        let TrackerId::ObjectId([a, b, c, d, ..]) = self.0 else { return None };
        Some(u32::from_be_bytes([a, b, c, d]).into())
    }
}

tracker_id!(
    /// The id of a project in a tracker. In Kimai, its numbers collide with those of activities.
    ProjectId
);
tracker_id!(
    /// The id of what is done in a project: an activity in Kimai, a task elsewhere.
    ActivityId
);
tracker_id!(
    /// The id of a user of a tracker.
    UserId
);
tracker_id!(
    /// The id of a customer in a tracker.
    CustomerId
);

fn not_a_number(number: u64) -> IdFault {
    IdFault::NotANumber(number.to_string())
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
            assert!(EntryId::parse(bad, IdSyntax::Numbers).is_err(), "{bad:?} must be refused");
        }
        for good in ["9182", "09182", "+9182", " 9182", "9182\n", "\u{a0}+000000000000000000009182\t"] {
            assert_eq!(EntryId::parse(good, IdSyntax::Numbers), Ok(EntryId::number(9182)), "{good:?}");
        }
        for bad in [
            "0",
            "-7",
            "\"\"",
            "\"a b\"",
            "\"../x\"",
            "[7]",
            "9223372036854775808",
            "18446744073709551615",
            "1.5",
            "null",
        ] {
            assert!(serde_json::from_str::<EntryId>(bad).is_err(), "{bad} must be refused");
        }
        for good in [1, 9182, i64::MAX.unsigned_abs()] {
            let json = serde_json::to_string(&EntryId::number(good)).unwrap();
            assert_eq!(
                (json.as_str(), serde_json::from_str(&json).ok()),
                (good.to_string().as_str(), Some(EntryId::number(good)))
            );
        }
    }

    #[test]
    fn an_object_id_is_24_hexadecimal_digits_and_copied_like_a_number() {
        let text = "64c777ddd3fcab07cfbb210c";
        let read = |text| EntryId::parse(text, IdSyntax::ObjectIds);
        let id = read(text).unwrap();
        assert_eq!(read(" 64C777DDD3FCAB07CFBB210C\n"), Ok(id));
        for bad in
            ["", "7", "64c777ddd3fcab07cfbb210", "64c777ddd3fcab07cfbb210c1", "64c777ddd3fcab07cfbb210g"]
        {
            assert!(read(bad).is_err(), "{bad:?} must be refused");
        }
        let digits = read("650000000000000000000001").unwrap();
        assert_eq!((digits.as_number(), digits.object_id_seconds()), (None, Some(0x6500_0000)));
        let json = serde_json::to_string(&[id, EntryId::number(7)]).unwrap();
        assert_eq!(json, format!("[\"{text}\",7]"));
        assert_eq!(serde_json::from_str::<Vec<EntryId>>(&json).unwrap(), [id, EntryId::number(7)]);
        assert_eq!((id.to_string().as_str(), size_of::<Option<EntryId>>()), (text, 16));
    }
}
