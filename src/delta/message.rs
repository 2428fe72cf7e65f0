//! The body of a delta, read as a stream: strict on its shape, lenient on everything in it.
//!
//! Understood are `v0.0.1` (`[{"inserts":[{subject,predicate,object,graph}],"deletes":[…]}]`) and
//! `v0.0.0-genesis` (`{"delta":{"inserts":[{"s","p","o"}],"deletes":[…]}}`). Only the IRIs of what may
//! be work logs are kept. A change set or triple that makes no sense costs itself and nothing else.
//!
//! # Caveats
//! One string of the body is held in memory at a time, whatever its length.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::relevance;
use crate::domain::WorkLogUri;

/// What a delta said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What may be work logs; `true` where the delta removed the class `cal:Vevent`.
    pub work_logs: BTreeMap<WorkLogUri, bool>,
    /// Change sets read.
    pub change_sets: u64,
    /// Parts that made no sense and were left out.
    pub skipped: u64,
}

impl Found {
    /// Keeps the subject of a triple, if the triple concerns a work log.
    pub fn triple(&mut self, subject: &str, predicate: &str, object: &str, deleted: bool) {
        if !relevance::is_relevant(predicate, object) {
            return;
        }
        match WorkLogUri::parse(subject) {
            Ok(work_log) => {
                let removed = deleted && relevance::is_work_log_class(predicate, object);
                *self.work_logs.entry(work_log).or_default() |= removed;
            }
            Err(_) => self.skipped += 1,
        }
    }
}

/// Why a body is not a delta, and where it goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct DeltaFault {
    /// What is wrong.
    pub what: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in bytes.
    pub column: usize,
}

impl From<serde_json::Error> for DeltaFault {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).to_owned();
        Self { what, line, column }
    }
}

/// Reads a body into `found`. What was understood before a fault stays in `found`.
pub fn read(body: impl Read, found: &mut Found) -> Result<(), DeltaFault> {
    finish(serde_json::Deserializer::from_reader(body), found)
}

/// The same for a body that is in memory already.
pub fn read_slice(body: &[u8], found: &mut Found) -> Result<(), DeltaFault> {
    finish(serde_json::Deserializer::from_slice(body), found)
}

fn finish<'de, R: serde_json::de::Read<'de>>(
    mut json: serde_json::Deserializer<R>,
    found: &mut Found,
) -> Result<(), DeltaFault> {
    Body(found).deserialize(&mut json)?;
    Ok(json.end()?)
}

/// The methods of a `Visitor` for values that should not be here: `$skip` is what they count as.
macro_rules! scalars {
    ($skip:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($skip(self))
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($skip(self))
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($skip(self))
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($skip(self))
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($skip(self))
        }
    };
}

macro_rules! seed {
    ($name:ident, $value:ty) => {
        impl<'de> DeserializeSeed<'de> for $name<'_> {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<$value, D::Error> {
                json.deserialize_any(self)
            }
        }
    };
}

struct Body<'a>(&'a mut Found);
seed!(Body, ());

impl<'de> Visitor<'de> for Body<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delta: [{\"inserts\":[…],\"deletes\":[…]}] or {\"delta\":{…}}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sets: A) -> Result<(), A::Error> {
        let (mut any, before) = (false, self.0.change_sets);
        while sets.next_element_seed(ChangeSet(self.0))?.is_some() {
            any = true;
        }
        if any && self.0.change_sets == before {
            return Err(serde::de::Error::custom(
                "no change set in the list: each is an object with inserts and deletes",
            ));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut keys: A) -> Result<(), A::Error> {
        let before = self.0.change_sets;
        while let Some(key) = keys.next_key::<String>()? {
            match key.as_str() {
                "delta" => keys.next_value_seed(ChangeSet(self.0))?,
                _ => drop(keys.next_value::<IgnoredAny>()?),
            }
        }
        if self.0.change_sets == before {
            return Err(serde::de::Error::custom("an object without \"delta\""));
        }
        Ok(())
    }
}

struct ChangeSet<'a>(&'a mut Found);
seed!(ChangeSet, ());

impl<'de> Visitor<'de> for ChangeSet<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a change set")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut keys: A) -> Result<(), A::Error> {
        self.0.change_sets += 1;
        while let Some(key) = keys.next_key::<String>()? {
            match key.as_str() {
                "inserts" => keys.next_value_seed(Triples { found: self.0, deleted: false })?,
                "deletes" => keys.next_value_seed(Triples { found: self.0, deleted: true })?,
                _ => drop(keys.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.skipped += 1;
        drain(&mut items)
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.0.skipped += 1;
        Ok(())
    }

    scalars!(|set: Self| set.0.skipped += 1);
}

struct Triples<'a> {
    found: &'a mut Found,
    deleted: bool,
}
seed!(Triples, ());

impl<'de> Visitor<'de> for Triples<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of triples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Triple { found: self.found, deleted: self.deleted })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut keys: A) -> Result<(), A::Error> {
        self.found.skipped += 1;
        drain_map(&mut keys)
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.found.skipped += 1;
        Ok(())
    }

    scalars!(|triples: Self| triples.found.skipped += 1);
}

struct Triple<'a> {
    found: &'a mut Found,
    deleted: bool,
}
seed!(Triple, ());

impl<'de> Visitor<'de> for Triple<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a triple")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut keys: A) -> Result<(), A::Error> {
        let (mut subject, mut predicate, mut object) = (None, None, None);
        while let Some(key) = keys.next_key::<String>()? {
            match key.as_str() {
                "subject" | "s" => subject = keys.next_value_seed(Term(&()))?,
                "predicate" | "p" => predicate = keys.next_value_seed(Term(&()))?,
                "object" | "o" => object = keys.next_value_seed(Term(&()))?,
                _ => drop(keys.next_value::<IgnoredAny>()?),
            }
        }
        match (subject, predicate, object) {
            (Some(subject), Some(predicate), Some(object)) => {
                self.found.triple(&subject, &predicate, &object, self.deleted);
            }
            _ => self.found.skipped += 1,
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.found.skipped += 1;
        drain(&mut items)
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.found.skipped += 1;
        Ok(())
    }

    scalars!(|triple: Self| triple.found.skipped += 1);
}

/// A term: a plain string (genesis), or an object with a `value` that is a string, number or boolean.
struct Term<'a>(&'a ());
seed!(Term, Option<String>);

impl<'de> Visitor<'de> for Term<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a term")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut keys: A) -> Result<Self::Value, A::Error> {
        let mut value = None;
        while let Some(key) = keys.next_key::<String>()? {
            if key == "value" {
                value = keys.next_value_seed(Term(self.0))?;
            } else {
                keys.next_value::<IgnoredAny>()?;
            }
        }
        Ok(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        drain(&mut items).map(|()| None)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

fn drain<'de, A: SeqAccess<'de>>(items: &mut A) -> Result<(), A::Error> {
    while items.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn drain_map<'de, A: MapAccess<'de>>(keys: &mut A) -> Result<(), A::Error> {
    while keys.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
