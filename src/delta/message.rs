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
/// Some programs begin a text with it, which is no part of it.
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// What a delta said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What may be work logs; `true` where the delta removed the class `cal:Vevent`.
    pub work_logs: BTreeMap<WorkLogUri, bool>,
    /// What may be work logs whose note has changed.
    pub noted: BTreeSet<WorkLogUri>,
    /// What work logs refer to and has changed in a way that concerns them: tasks, persons, accounts.
    pub references: BTreeSet<String>,
    /// Change sets read.
    pub change_sets: u64,
    /// Parts that made no sense and were left out.
    pub skipped: u64,
}

impl Found {
    /// Keeps the subject of a triple, if the triple concerns a work log.
    pub fn triple(&mut self, subject: &str, predicate: &str, object: &str, deleted: bool) {
        let predicate = Predicate::of(|wanted| predicate == wanted);
        self.subject(subject.as_bytes(), predicate, object == VEVENT, deleted);
    }

    /// The same, where it is known what the predicate is and whether the object is the class of work logs.
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
        // A work log has several triples; its IRI need be checked once only.
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
    /// Keeps what work logs may refer to. The link of a work log is none of that: this service writes it itself.
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

    /// How many IRIs it holds.
    pub fn named(&self) -> usize {
        self.work_logs.len() + self.noted.len() + self.references.len()
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

/// Reads one body, piece by piece.
#[derive(Debug, Default)]
pub struct Reader {
    scanner: Scanner,
    shape: Shape,
    /// Bytes of the line under way.
    column: usize,
    /// How much of a byte order mark was read; all of it, once anything else was.
    mark: usize,
}

impl Reader {
    /// Reads the next piece. After a fault the rest of the body makes no sense.
    pub fn read(&mut self, piece: &[u8]) -> Result<(), DeltaFault> {
        let mut rest = piece;
        let outcome = self.skip_mark(&mut rest).and_then(|()| self.scanner.read(&mut rest, &mut self.shape));
        self.column = match self.scanner.breaks() {
            (_, Some(behind)) => behind - rest.len(),
            (_, None) => self.column + piece.len() - rest.len(),
        };
        outcome.map_err(|what| self.fault(what))
    }

    /// Skips a byte order mark at the beginning of the body, however it is cut.
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

    /// How many work logs, and things that they refer to, it has named so far.
    pub fn named(&self) -> usize {
        self.shape.found.named()
    }

    /// What was understood, also of a body with a fault.
    pub fn found(self) -> Found {
        self.shape.found
    }

    fn fault(&self, what: &str) -> DeltaFault {
        DeltaFault { what: what.to_owned(), line: self.scanner.breaks().0 + 1, column: self.column }
    }
}

/// What is open of that which we understand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    /// A list of change sets.
    Sets,
    /// The object of genesis.
    Genesis,
    ChangeSet,
    Triples,
    Triple,
    /// A term that is an object, in so many more of the same.
    Term(u32),
}

/// What the name of a value means where it stands.
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
    /// What the subject says; nothing where it is no text.
    iri: Vec<u8>,
    predicate: Option<Predicate>,
    /// Whether it is the class of work logs.
    object: Option<bool>,
}

/// Understands the parts of a body.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is something else that a body may say")]
struct Shape {
    found: Found,
    within: Within,
    key: Key,
    genesis: bool,
    /// Whether the list stands within an object.
    wrapped: bool,
    /// Whether any change set said what was inserted or deleted, or only something else.
    known: bool,
    unknown: bool,
    deleted: bool,
    /// Whether the list has anything in it.
    any: bool,
    triple: Triple,
    /// Which of its terms is being read.
    role: Key,
    /// How many containers are open that are of no interest, within each other.
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
            // What else it may say is not understood, and may be a change.
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

    /// A value that cannot be what should be here; what was never asked for is none.
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

    /// The term of the present role: a string, number or boolean, or nothing.
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
