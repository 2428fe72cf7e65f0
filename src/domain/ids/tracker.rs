//! Ids as trackers write them: numbers, or object ids.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{IdFault, shorten};

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
        match self {
            Self::Numbers => {
                read_number(text).map(TrackerId::Number).ok_or_else(|| IdFault::NotANumber(shorten(text)))
            }
            Self::ObjectIds => read_object_id(text).ok_or_else(|| IdFault::NotAnObjectId(shorten(text))),
        }
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
    let text = text.trim();
    // Parsing alone takes a sign too.
    if text.len() != 24 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let [_, _, _, _, bytes @ ..] = u128::from_str_radix(text, 16).ok()?.to_be_bytes();
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

        impl From<$name> for TrackerId {
            fn from(id: $name) -> Self {
                id.0
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

#[cfg(test)]
mod tests {
    use super::*;

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
