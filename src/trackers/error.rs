//! Failed calls to a tracker. Retry code matches on [`Fault`], never on a status or a message.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::adaptive_concurrency;
use crate::domain::Code;
use crate::telemetry::metrics;

/// The longest message that is kept of an answer, in characters.
const MAX_MESSAGE_CHARS: usize = 2000;

/// The call that failed. Only [`Operation::Create`] may leave something behind when its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A GET of a list.
    Read,
    /// A GET of one thing.
    Look,
    /// The creation of an entry.
    Create,
    /// The change of an entry.
    Update,
    /// The deletion of an entry.
    Delete,
}

impl From<Operation> for metrics::Operation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Read => Self::List,
            Operation::Look => Self::Look,
            Operation::Create => Self::Create,
            Operation::Update => Self::Update,
            Operation::Delete => Self::Delete,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "list",
            Self::Look => "look something up",
            Self::Create => "create the timesheet",
            Self::Update => "update the timesheet",
            Self::Delete => "delete the timesheet",
        })
    }
}

/// What a failed call means for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not applied, or harmless to repeat: try again later.
    Transient,
    /// Not applied; the tracker (or a proxy before it) asks for this pause, for the whole client.
    Limited(Duration),
    /// Repeating will not help until someone changes something.
    Permanent,
    /// A creation that may have been applied: look before sending it again.
    Ambiguous,
    /// The entry is not there, or the page is past the last one, by the tracker's own word.
    Gone,
    /// The token is wrong, expired, or its user disabled: stop all work.
    Unauthorised,
}

impl Fault {
    /// The code of a fault of which nothing more is known.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Transient => Code::KimaiUnavailable,
            Self::Limited(_) => Code::KimaiBusy,
            Self::Permanent => Code::KimaiRefused,
            Self::Ambiguous => Code::AnswerLost,
            Self::Gone => Code::TimesheetGone,
            Self::Unauthorised => Code::TokenInvalid,
        }
    }
}

/// A failed call, in words for people. Never holds the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tracker} could not {operation}: {message}")]
pub struct TrackerFault {
    /// The tracker's name.
    pub tracker: &'static str,
    /// Which call failed.
    pub operation: Operation,
    /// What it means.
    pub fault: Fault,
    /// What happened, with the tracker's own messages where it gave any.
    pub message: String,
    /// The stable code of it.
    pub code: Code,
}

impl TrackerFault {
    /// A fault of an `operation`, in words.
    pub fn new(
        tracker: &'static str,
        operation: Operation,
        fault: Fault,
        message: impl Into<String>,
    ) -> Self {
        let code = fault.code();
        Self { tracker, operation, fault, message: message.into(), code }
    }

    /// The same as it may be kept and shown: without `secret`, should an answer have repeated what was sent, and not
    /// longer than can be logged at each try.
    #[must_use]
    pub fn presentable(mut self, secret: &SecretString) -> Self {
        let secret = secret.expose_secret();
        if !secret.is_empty() {
            self.message = self.message.replace(secret, "(the API token)");
        }
        if let Some((end, _)) = self.message.char_indices().nth(MAX_MESSAGE_CHARS) {
            self.message.truncate(end);
            self.message.push('…');
        }
        self
    }

    /// A row of a list that cannot be read, where it may be what was looked for.
    pub fn odd_row(tracker: &'static str, why: &str) -> Self {
        let message = format!(
            "a timesheet in its list cannot be read ({why}) and may be the one whose answer was lost. Correct or delete \
             it in {tracker}, then try again"
        );
        Self { code: Code::KimaiListFaulty, ..Self::new(tracker, Operation::Read, Fault::Permanent, message) }
    }

    /// A request that was cut or timed out. `sent` says whether it may have arrived.
    pub fn cut(tracker: &'static str, operation: Operation, sent: bool, why: &str) -> Self {
        let fault = if sent { unanswered(operation) } else { Fault::Transient };
        Self::new(tracker, operation, fault, why)
    }

    /// A request that was not sent, for want of a permit in time.
    pub fn crowded_out(tracker: &'static str, operation: Operation) -> Self {
        let limit = adaptive_concurrency::LONGEST_WAIT.as_secs();
        let why = format!("the requests before it took more than {limit} s");
        Self::new(tracker, operation, Fault::Transient, why)
    }
}

/// What it means that a request was sent and its outcome is unknown.
pub fn unanswered(operation: Operation) -> Fault {
    if operation == Operation::Create { Fault::Ambiguous } else { Fault::Transient }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_repeats_the_token_or_never_ends_is_presentable_all_the_same() {
        let secret = SecretString::from("s3cret-token");
        let fault = |message: &str| TrackerFault::new("X", Operation::Read, Fault::Permanent, message);
        let long = "é".repeat(MAX_MESSAGE_CHARS - 10);
        let shown = fault(&format!("{long}s3cret-token{long}")).presentable(&secret);
        assert!(!shown.message.contains("s3c"), "no part of it either: {}", shown.message);
        assert_eq!(shown.message.chars().count(), MAX_MESSAGE_CHARS + 1);
        let short = fault("Bearer s3cret-token?").presentable(&secret);
        assert_eq!(short.to_string(), "X could not list: Bearer (the API token)?");
        assert_eq!(short.clone().presentable(&SecretString::from("")).message, short.message);
    }

    #[test]
    fn only_a_creation_that_was_sent_is_ambiguous() {
        let cut = |operation, sent| TrackerFault::cut("X", operation, sent, "cut").fault;
        assert_eq!(cut(Operation::Create, false), Fault::Transient);
        assert_eq!(cut(Operation::Create, true), Fault::Ambiguous);
        assert_eq!(cut(Operation::Update, true), Fault::Transient);
    }
}
