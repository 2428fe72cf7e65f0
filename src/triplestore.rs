//! The triplestore: the source of truth for work logs.
//!
//! All access goes through [`Triplestore`]: one SELECT or one update at a time. `remote` speaks the SPARQL protocol
//! with the mu headers, `embedded` is a store inside this process with the same behaviour.
//!
//! # Caveats
//! A 200 proves nothing: with a wrong scope every SELECT returns no rows, and a write may be acknowledged and not
//! stored. Callers treat emptiness as an error if they would otherwise destroy something.

pub mod changeset;
pub mod embedded;
pub mod instrumented;
pub mod pages;
mod period;
pub mod probe;
pub mod query_log;
mod referring;
pub mod refusal;
pub mod remote;
pub mod results;
mod rows;
pub mod statement;
#[cfg(test)]
pub(crate) mod testing;
pub mod vocabulary;
pub mod work_logs;

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::domain::Code;
use crate::domain::status::Gist;
use crate::unreadable::Unreadable;
use crate::work_logs::SourceFault;
pub use refusal::Refusal;

/// One value of a result row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// An IRI, without angle brackets.
    Iri(String),
    /// A literal. Stores disagree on whether a plain string has the datatype `xsd:string`; both are accepted.
    Literal {
        /// The lexical form.
        value: String,
        /// The datatype IRI, if the store named one.
        datatype: Option<String>,
        /// The language tag, if there is one.
        language: Option<String>,
    },
    /// The label of a blank node, which is only meaningful within one answer.
    Blank(String),
}

impl Term {
    /// The IRI, lexical form or label.
    pub fn value(&self) -> &str {
        match self {
            Self::Iri(value) | Self::Literal { value, .. } | Self::Blank(value) => value,
        }
    }

    /// The same, without a copy.
    pub fn into_value(self) -> String {
        match self {
            Self::Iri(value) | Self::Literal { value, .. } | Self::Blank(value) => value,
        }
    }

    /// The IRI, if this is one.
    pub fn as_iri(&self) -> Option<&str> {
        match self {
            Self::Iri(iri) => Some(iri),
            _ => None,
        }
    }
}

/// One row of a SELECT: variable name (without `?`) to value; unbound variables are absent.
pub type Row = BTreeMap<String, Term>;

/// Why a statement failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriplestoreFault {
    /// No answer, or one that is unrelated to the statement: refused connection, time limit, 5xx, a wrong address.
    #[error("the triplestore did not answer: {0}")]
    Transient(String),
    /// It answered that it could not run this statement, for a temporary reason. Other statements may succeed.
    #[error("the triplestore could not run the statement: {0}")]
    Failed(String),
    /// The statement itself is refused, and always will be.
    #[error("the triplestore refused the statement: {0}")]
    Refused(Refusal),
    /// A 200 whose body is not SPARQL JSON results.
    #[error("the triplestore's answer could not be read: {0}")]
    Unreadable(String),
    /// A 200 with an incomplete answer. What is missing in it may exist.
    #[error("the triplestore's answer is incomplete: {0}")]
    Incomplete(String),
}

impl TriplestoreFault {
    /// Its stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Transient(_) => Code::TriplestoreUnavailable,
            Self::Failed(_) => Code::TriplestoreFailed,
            Self::Refused(refusal) => refusal.code(),
            Self::Unreadable(_) => Code::TriplestoreUnreadable,
            Self::Incomplete(_) => Code::TriplestoreIncomplete,
        }
    }

    /// Its reason, without details that differ between attempts or work logs.
    pub fn gist(&self) -> Gist {
        refusal::gist(&self.to_string())
    }

    /// Whether it concerns only this statement: a part of it, or another one, may succeed.
    pub fn is_of_statement(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Refused(_) | Self::Incomplete(_))
    }
}

impl From<TriplestoreFault> for SourceFault {
    fn from(fault: TriplestoreFault) -> Self {
        let (code, gist) = (fault.code(), fault.gist());
        match fault {
            TriplestoreFault::Transient(said) => Self::Transient(said),
            TriplestoreFault::Failed(said) => Self::Failed { said, gist },
            TriplestoreFault::Refused(refusal) => Self::Refused { said: refusal.to_string(), code },
            TriplestoreFault::Unreadable(said) => Self::Unreadable(said),
            TriplestoreFault::Incomplete(said) => Self::Incomplete(said),
        }
    }
}

/// A triplestore.
///
/// # Guarantees
/// Every call ends within its time limit. Statements are sent with this service's own scope and call ID, never with a
/// caller's session or sudo.
#[async_trait]
pub trait Triplestore: Send + Sync {
    /// Whether it belongs to a stack, with its own scopes, deltas and settings, and is not the embedded one.
    fn is_of_a_stack(&self) -> bool {
        true
    }

    /// Runs a SELECT and returns all rows of the answer. Stores truncate answers silently (Virtuoso at 10 000 rows):
    /// use pages for results that may be larger.
    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault>;

    /// The values of its answers that could not be read.
    fn unreadable(&self) -> Unreadable {
        Unreadable::default()
    }

    /// Runs an update. Operations separated by `;` are applied one after the other, and not atomically on every store.
    async fn update(&self, update: &str) -> Result<(), TriplestoreFault>;
}
