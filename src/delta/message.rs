//! Parses the body of a delta as a stream: strict about its structure, lenient about its content.
//!
//! Supported are `v0.0.1` (`[{"inserts":[{subject,predicate,object,graph}],"deletes":[…]}]`), `v0.0.0-genesis`
//! (`{"delta":{"inserts":[{"s","p","o"}],"deletes":[…]}}`), and the format in which the database notifies the
//! delta-notifier: `{"changeSets":[{"insert":[…],"delete":[…]}]}`, or just that list.
//! Only the IRIs of possible work logs are kept. An invalid change set or triple is skipped and affects nothing else.
//!
//! Memory use depends only on those IRIs, whatever the length and structure of the body (see `scan.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::relevance::{self, Predicate};
use super::scan::{Scalar, Scanner, Sink};
use super::text::Text;
use crate::domain::WorkLogUri;
use crate::domain::work_log::VEVENT;

const SHAPE: &str = "expected a delta: [{\"inserts\":[…],\"deletes\":[…]}] or {\"delta\":{…}}";
const NO_DELTA: &str = "an object without \"delta\" or \"changeSets\"; in the rules of the delta-notifier, set the option \
     resourceFormat to 'v0.0.1'";
const NOTHING_KNOWN: &str = "change sets with neither \"inserts\" nor \"deletes\"; in the rules of the delta-notifier, set \
     the option resourceFormat to 'v0.0.1'";
/// Some programs put it at the beginning of a text; it is not part of the text.
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// The content of a delta, as far as it is relevant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Possible work logs; `true` if the delta removed the class `cal:Vevent`.
    pub work_logs: BTreeMap<WorkLogUri, bool>,
    /// Possible work logs whose note has changed.
    pub noted: BTreeSet<WorkLogUri>,
    /// Changed tasks, persons and accounts that work logs may refer to.
    pub references: BTreeSet<String>,
    /// The number of change sets.
    pub change_sets: u64,
    /// The number of invalid parts, which were skipped.
    pub skipped: u64,
}

impl Found {
    /// Keeps the subject of a triple, if the triple concerns a work log.
    pub fn triple(&mut self, subject: &str, predicate: &str, object: &str, deleted: bool) {
        let predicate = Predicate::of(|wanted| predicate == wanted);
        self.subject(subject.as_bytes(), predicate, object == VEVENT, deleted);
    }

    /// The same, given the kind of predicate and whether the object is the class of work logs.
    fn subject(&mut self, subject: &[u8], predicate: Predicate, of_work_logs: bool, deleted: bool) {
        match predicate {
            Predicate::Reference => return self.reference(subject),
            Predicate::Note => return self.note(subject),
            Predicate::Type | Predicate::Property | Predicate::Other => {}
        }
        if !relevance::is_relevant(predicate, of_work_logs) {
            return;
        }
        let removed = deleted && relevance::is_work_log_class(predicate, of_work_logs);
        let subject = std::str::from_utf8(subject).unwrap_or_default();
        // A work log has several triples; its IRI needs to be checked only once.
        if let Some(known) = WorkLogUri::kept(subject).and_then(|subject| self.work_logs.get_mut(&subject)) {
            *known |= removed;
        } else if let Ok(work_log) = WorkLogUri::parse(subject) {
            self.work_logs.insert(work_log, removed);
        } else {
            self.skipped += 1;
        }
    }
}

impl Found {
    /// Keeps what work logs may refer to, but not the link of a work log: this service writes it itself.
    fn reference(&mut self, subject: &[u8]) {
        let Ok(subject) = std::str::from_utf8(subject) else { return };
        if !self.references.contains(subject)
            && WorkLogUri::parse(subject).is_ok_and(|subject| !subject.is_minted())
        {
            self.references.insert(subject.to_owned());
        }
    }

    fn note(&mut self, subject: &[u8]) {
        let subject = std::str::from_utf8(subject).unwrap_or_default();
        self.noted.extend(WorkLogUri::parse(subject).ok());
    }

    /// How many IRIs it has.
    pub fn named(&self) -> usize {
        self.work_logs.len() + self.noted.len() + self.references.len()
    }
}

/// Why and where a body is not a delta.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct DeltaFault {
    /// The error.
    pub what: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in bytes.
    pub column: usize,
}

/// Reads one body, piece by piece.
#[derive(Debug, Default)]
pub struct Reader {
    scanner: Scanner,
    shape: Shape,
    /// Bytes of the current line.
    column: usize,
    /// How much of a byte order mark was read; its whole length once anything else was read.
    mark: usize,
}

impl Reader {
    /// Reads the next piece. After an error the rest of the body cannot be parsed.
    pub fn read(&mut self, piece: &[u8]) -> Result<(), DeltaFault> {
        let mut rest = piece;
        let outcome = self.skip_mark(&mut rest).and_then(|()| self.scanner.read(&mut rest, &mut self.shape));
        self.column = match self.scanner.breaks() {
            (_, Some(behind)) => behind - rest.len(),
            (_, None) => self.column + piece.len() - rest.len(),
        };
        outcome.map_err(|what| self.fault(what))
    }

    /// Skips a byte order mark at the beginning of the body, however it is split.
    fn skip_mark(&mut self, piece: &mut &[u8]) -> Result<(), &'static str> {
        while let Some(wanted) = BYTE_ORDER_MARK.get(self.mark) {
            match piece.split_first() {
                Some((byte, rest)) if byte == wanted => (*piece, self.mark) = (rest, self.mark + 1),
                Some(_) if self.mark == 0 => self.mark = BYTE_ORDER_MARK.len(),
                Some(_) => return Err("expected value"),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The body has no more pieces. Fails if something is missing.
    pub fn end(&mut self) -> Result<(), DeltaFault> {
        self.scanner.end().map_err(|what| self.fault(what))
    }

    /// How many work logs, and resources that they refer to, it has named so far.
    pub fn named(&self) -> usize {
        self.shape.found.named()
    }

    /// What was parsed, also if the body has an error.
    pub fn found(self) -> Found {
        self.shape.found
    }

    fn fault(&self, what: &str) -> DeltaFault {
        DeltaFault { what: what.to_owned(), line: self.scanner.breaks().0 + 1, column: self.column }
    }
}

/// An open container with a known meaning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    /// A list of change sets.
    Sets,
    /// The object of the genesis format.
    Genesis,
    ChangeSet,
    Triples,
    Triple,
    /// A term that is an object, nested this deep in others.
    Term(u32),
}

/// The meaning of a key, depending on its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Key {
    #[default]
    Unknown,
    Delta,
    ChangeSets,
    Inserts,
    Deletes,
    Subject,
    Predicate,
    Object,
    Value,
}

/// The triple that is being read.
#[derive(Debug, Default)]
struct Triple {
    /// Whether it has a subject.
    subject: bool,
    /// The subject; none if it is not a string.
    iri: Vec<u8>,
    predicate: Option<Predicate>,
    /// Whether it is the class of work logs.
    object: Option<bool>,
}

/// Interprets the parts of a body.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is something else that a body may say")]
struct Shape {
    found: Found,
    within: Within,
    key: Key,
    genesis: bool,
    /// Whether the list is within an object.
    wrapped: bool,
    /// Whether any change set had inserts or deletes.
    known: bool,
    unknown: bool,
    deleted: bool,
    /// Whether the list is not empty.
    any: bool,
    triple: Triple,
    /// Which of its terms is being read.
    role: Key,
    /// How deep in irrelevant containers the scanner is.
    skipping: usize,
}

impl Sink for Shape {
    #[inline]
    fn open(&mut self, array: bool) {
        if self.skipping > 0 { self.skipping += 1 } else { self.begin(array) }
    }

    #[inline]
    fn close(&mut self) -> Result<(), &'static str> {
        if self.skipping == 0 {
            return self.end();
        }
        self.skipping -= 1;
        Ok(())
    }

    #[inline]
    fn key(&mut self, name: Text<'_>) {
        if self.skipping == 0 {
            self.key = self.key_of(name);
            self.known |= matches!(self.key, Key::Inserts | Key::Deletes);
        }
    }

    #[inline]
    fn scalar(&mut self, value: Scalar<'_>) -> Result<(), &'static str> {
        match (self.within, self.key) {
            _ if self.skipping > 0 => {}
            (Within::Nothing, _) => return Err(SHAPE),
            (Within::Triple, role @ (Key::Subject | Key::Predicate | Key::Object)) => {
                self.role = role;
                self.term(value);
            }
            (Within::Term(_), Key::Value) => self.term(value),
            (Within::Triple | Within::Term(_), _) => {}
            _ => self.amiss(),
        }
        Ok(())
    }
}

impl Shape {
    fn key_of(&self, text: Text<'_>) -> Key {
        let known: &[(&str, Key)] = match self.within {
            Within::Genesis => &[("delta", Key::Delta), ("changeSets", Key::ChangeSets)],
            Within::ChangeSet => &[
                ("inserts", Key::Inserts),
                ("deletes", Key::Deletes),
                ("insert", Key::Inserts),
                ("delete", Key::Deletes),
            ],
            Within::Triple => &[
                ("subject", Key::Subject),
                ("predicate", Key::Predicate),
                ("object", Key::Object),
                ("s", Key::Subject),
                ("p", Key::Predicate),
                ("o", Key::Object),
            ],
            Within::Term(_) => &[("value", Key::Value)],
            Within::Nothing | Within::Sets | Within::Triples => &[],
        };
        known.iter().find(|(name, _)| text.is(name)).map_or(Key::Unknown, |(_, key)| *key)
    }

    fn begin(&mut self, array: bool) {
        match (self.within, self.key, array) {
            (Within::Nothing, _, true) => self.within = Within::Sets,
            (Within::Nothing, _, false) => (self.within, self.genesis) = (Within::Genesis, true),
            (Within::Genesis, Key::ChangeSets, true) => (self.within, self.wrapped) = (Within::Sets, true),
            (Within::Sets, _, false) | (Within::Genesis, Key::Delta, false) => {
                self.any = true;
                self.found.change_sets += 1;
                self.within = Within::ChangeSet;
            }
            (Within::ChangeSet, key @ (Key::Inserts | Key::Deletes), true) => {
                self.deleted = key == Key::Deletes;
                self.within = Within::Triples;
            }
            (Within::Triples, _, false) => {
                let Triple { subject, predicate, object, .. } = &mut self.triple;
                (*subject, *predicate, *object) = (false, None, None);
                self.within = Within::Triple;
            }
            (Within::Triple, role @ (Key::Subject | Key::Predicate | Key::Object), array) => {
                self.role = role;
                self.term(Scalar::Null);
                if array { self.skipping = 1 } else { self.within = Within::Term(0) }
            }
            (Within::Term(depth), Key::Value, array) => {
                self.term(Scalar::Null);
                if array { self.skipping = 1 } else { self.within = Within::Term(depth + 1) }
            }
            _ => {
                self.unknown |= self.within == Within::ChangeSet && self.key == Key::Unknown;
                self.amiss();
                self.skipping = 1;
            }
        }
        self.key = Key::Unknown;
    }

    fn end(&mut self) -> Result<(), &'static str> {
        self.within = match self.within {
            Within::Sets if self.any && self.found.change_sets == 0 => {
                return Err("no change set in the list: each is an object with inserts and deletes");
            }
            Within::Sets if self.wrapped => Within::Genesis,
            Within::Genesis if self.found.change_sets == 0 && !self.wrapped => return Err(NO_DELTA),
            // Other keys are unknown, and may be a change.
            Within::Genesis | Within::Sets if self.unknown && !self.known => return Err(NOTHING_KNOWN),
            Within::ChangeSet if self.genesis && !self.wrapped => Within::Genesis,
            Within::ChangeSet => Within::Sets,
            Within::Triples => Within::ChangeSet,
            Within::Triple => {
                self.finish();
                Within::Triples
            }
            Within::Term(0) => Within::Triple,
            Within::Term(depth) => Within::Term(depth - 1),
            Within::Nothing | Within::Sets | Within::Genesis => Within::Nothing,
        };
        self.key = Key::Unknown;
        Ok(())
    }

    /// A value of an unexpected type, unless it is irrelevant.
    fn amiss(&mut self) {
        let asked = match self.within {
            Within::Sets | Within::Triples => true,
            Within::Genesis => matches!(self.key, Key::Delta | Key::ChangeSets),
            Within::ChangeSet => matches!(self.key, Key::Inserts | Key::Deletes),
            Within::Nothing | Within::Triple | Within::Term(_) => false,
        };
        self.found.skipped += u64::from(asked);
        self.any = true;
    }

    /// The term of the current role: a string, number or boolean, or none.
    fn term(&mut self, value: Scalar<'_>) {
        let Triple { subject, iri, predicate, object } = &mut self.triple;
        let there = value != Scalar::Null;
        let bytes = if let Scalar::Text(text) = &value { text.bytes() } else { None };
        let is = |wanted: &str| bytes.as_deref() == Some(wanted.as_bytes());
        match self.role {
            Key::Predicate => *predicate = there.then(|| Predicate::of(is)),
            Key::Object => *object = there.then(|| is(VEVENT)),
            _ => {
                iri.clear();
                iri.extend_from_slice(bytes.as_deref().unwrap_or_default());
                *subject = there;
            }
        }
    }

    fn finish(&mut self) {
        let Triple { subject, iri, predicate, object } = &self.triple;
        match (*subject, *predicate, *object) {
            (true, Some(predicate), Some(object)) => {
                self.found.subject(iri, predicate, object, self.deleted);
            }
            _ => self.found.skipped += 1,
        }
    }
}

#[cfg(test)]
mod tests;
