//! Parses a triplestore's error responses. Only this module distinguishes a statement that will never be accepted from
//! an outage: by status, content type, the keys of a JSON body and the name of the condition in it. All other code
//! matches on [`TriplestoreFault`].
//!
//! sparql-parser answers 500 to everything it cannot do. If it could parse the statement, the answer has a JSON body
//! with `internal-error`, in which Lisp prints the condition; otherwise it is plain text. Virtuoso's texts begin with
//! an SQL state.

use std::fmt;

use serde_json::Value;

use super::TriplestoreFault;
use crate::domain::Code;
use crate::domain::status::Gist;
use crate::domain::work_log::VEVENT;

/// How much of the server's own message is shown, in characters.
pub(super) const SHOWN: usize = 300;
/// How much of a statement is shown, in characters.
const STATEMENT_SHOWN: usize = 300;

/// A statement that the triplestore will never accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong with it.
    pub kind: RefusalKind,
    /// The server's message, shortened.
    said: String,
    /// The statement without its prefixes, shortened; empty if the caller wrote it.
    statement: String,
}

/// What is wrong with a refused statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalKind {
    /// It would write something that no graph of this service's scope accepts.
    NotWritable {
        /// The subject of that triple, if known.
        subject: Option<String>,
        /// Whether the triple was to be removed, not added.
        removal: bool,
    },
    /// Anything else: syntax, size, a value that cannot be stored.
    Other,
}

impl Refusal {
    /// A refusal with this message.
    pub fn of(kind: RefusalKind, said: impl Into<String>) -> Self {
        Self { kind, said: said.into(), statement: String::new() }
    }

    /// Its stable code.
    pub(super) fn code(&self) -> Code {
        match self.kind {
            RefusalKind::NotWritable { .. } => Code::TriplestoreRefusedWrite,
            RefusalKind::Other => Code::TriplestoreRefused,
        }
    }

    /// Whether this service's scope does not allow the write.
    pub fn is_not_writable(&self) -> bool {
        matches!(self.kind, RefusalKind::NotWritable { .. })
    }
}

impl From<String> for Refusal {
    fn from(said: String) -> Self {
        Self::of(RefusalKind::Other, said)
    }
}

impl From<&str> for Refusal {
    fn from(said: &str) -> Self {
        said.to_owned().into()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let RefusalKind::NotWritable { subject, removal } = &self.kind {
            write!(f, "no graph accepts this write. {} ", fix(subject.as_deref(), *removal))?;
        }
        f.write_str(&self.said)?;
        if !self.statement.is_empty() {
            write!(f, "; the statement: {}", self.statement)?;
        }
        Ok(())
    }
}

/// What to change so that a write under `subject` is accepted.
fn fix(subject: Option<&str>, removal: bool) -> String {
    const FILE: &str = "config/authorization/config.lisp";
    let Some(subject) = subject else {
        return format!(
            "In {FILE}, grant the service's scope write access to its class (read write), then restart the database."
        );
    };
    let bind = type_for_prefix(prefix_of(subject));
    if removal {
        // Its class is deleted already: only the prefix identifies its type.
        return format!("Add {bind} to {FILE}, then restart the database.");
    }
    format!(
        "In {FILE}, grant the service's scope write access to cal:Vevent (read write), and add {bind}; then \
         restart the database."
    )
}

/// The line of config.lisp that allows removing what is left of a work log under `prefix`.
pub fn type_for_prefix(prefix: &str) -> String {
    format!("(add-type-for-prefix \"{prefix}\" \"{VEVENT}\")")
}

/// An IRI up to and including its last `/` or `#`, otherwise its last `:`.
pub fn prefix_of(iri: &str) -> &str {
    let end = iri.rfind(['/', '#']).or_else(|| iri.rfind(':'));
    end.and_then(|end| iri.get(..=end)).unwrap_or(iri)
}

/// An unsuccessful response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered<'a> {
    pub(super) status: u16,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: &'a [u8],
}

impl Answered<'_> {
    /// The resulting error for `statement`.
    pub(super) fn fault(&self, statement: &str) -> TriplestoreFault {
        let json = self.json();
        let field = |name| json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
        let condition = field("internal-error");
        let text = || String::from_utf8_lossy(self.body.get(..8 * SHOWN).unwrap_or(self.body)).into_owned();
        let said = condition.or_else(|| field("message")).map_or_else(text, str::to_owned);
        let verdict = match (condition, SqlState::of(&said)) {
            (_, Some(state)) => state.verdict(),
            (Some(condition), None) => Condition::of(condition).verdict(),
            (None, None) => self.by_status(),
        };
        let status = self.status;
        let words = match shortened(&said, SHOWN) {
            said if said.is_empty() => format!("it answered {status}"),
            said => format!("it answered {status}: {said}"),
        };
        match verdict {
            Verdict::Outage => TriplestoreFault::Transient(words),
            Verdict::Misdirected => {
                TriplestoreFault::Transient(format!("{words}; is MU_SPARQL_ENDPOINT right?"))
            }
            Verdict::Failed => TriplestoreFault::Failed(words),
            Verdict::Refused => refused(RefusalKind::Other, words, statement),
            Verdict::NotWritable => {
                let named = Unwritten::read(condition.unwrap_or_default());
                let subject = named.subject.or_else(|| first_subject(statement)).map(str::to_owned);
                refused(RefusalKind::NotWritable { subject, removal: named.removal }, words, statement)
            }
        }
    }

    /// The body as JSON, unless it has another content type.
    fn json(&self) -> Option<Value> {
        let may_be = self.content_type.is_none_or(|kind| kind.contains("json"));
        may_be.then(|| crate::json::from_slice::<Value>(self.body).ok()).flatten().filter(Value::is_object)
    }

    /// The meaning of the status alone. Problems of authorization or address do not concern a single statement.
    fn by_status(&self) -> Verdict {
        let is_html = self.content_type.is_some_and(|kind| kind.contains("html"));
        match self.status {
            300..=399 | 401 | 403 | 407 => Verdict::Misdirected,
            // Virtuoso answers 404 and 503 during checkpoints; 408 and 429 come from proxies.
            404 | 408 | 429 | 500.. => Verdict::Outage,
            // Half of the statement may be small enough.
            413 | 414 => Verdict::Refused,
            // A page from a proxy: no SPARQL endpoint answers in HTML when JSON is requested.
            _ if is_html => Verdict::Misdirected,
            _ => Verdict::Refused,
        }
    }
}

fn refused(kind: RefusalKind, said: String, statement: &str) -> TriplestoreFault {
    let lines = statement.lines().filter(|line| !line.starts_with("PREFIX "));
    let statement = shortened(&lines.collect::<Vec<_>>().join(" "), STATEMENT_SHOWN);
    TriplestoreFault::Refused(Refusal { kind, said, statement })
}

/// The meaning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is unrelated to the statement: the triplestore is not available.
    Outage,
    /// The same, and a setting has to be changed.
    Misdirected,
    /// The triplestore is available, but could not run this statement, for a temporary reason.
    Failed,
    /// It does not accept this statement, and never will.
    Refused,
    /// The same, because no graph accepts one of its triples.
    NotWritable,
}

/// What sparql-parser 0.0.14 and 0.0.15 print as `internal-error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// `unwritten-data-error`: a triple that no graph of the scope accepts.
    UnwrittenData,
    /// `ebnf-parse-error` and its kinds.
    Syntax,
    /// It is valid, but not supported by sparql-parser.
    Unsupported,
    /// Virtuoso did not answer sparql-parser, or not in time.
    Backend,
    /// An unknown condition.
    Unknown,
}

impl Condition {
    /// The beginnings of conditions that are printed as sentences.
    const WORDS: [(&str, Self); 17] = [
        ("No matching token found at position ", Self::Syntax),
        ("No rule found at position ", Self::Syntax),
        ("Error during parsing: ", Self::Syntax),
        ("No transition rules found for state ", Self::Syntax),
        ("Missing prefix ", Self::Syntax),
        ("Could not find match for:", Self::Unsupported),
        ("Match is invalid ", Self::Unsupported),
        ("Did not consume all tokens in:", Self::Unsupported),
        ("Unknown expansion and available token combination", Self::Unsupported),
        ("Unexpected term ", Self::Unsupported),
        ("Term ", Self::Unsupported),
        ("Cannot make binding for variable", Self::Unsupported),
        // Variables that remain in the data to be written.
        ("The assertion (NOT (FIND (SPARQL-PARSER:MATCH-TERM", Self::Unsupported),
        ("Failed to execute query", Self::Backend),
        ("Condition SUPPORT:SEMAPHORE-TIMEOUT", Self::Backend),
        ("An HTTP request to ", Self::Backend),
        ("Heap exhausted", Self::Backend),
    ];

    fn of(printed: &str) -> Self {
        let printed = printed.trim_start();
        if let Some(name) = printed.strip_prefix("#<") {
            let end = name.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(name.len());
            // Lisp also prints the package if it is not the current one.
            let name = name.get(..end).and_then(|name| name.rsplit(':').next()).unwrap_or_default();
            return match name {
                "UNWRITTEN-DATA-ERROR" => Self::UnwrittenData,
                "EBNF-PARSE-ERROR" | "NO-MATCHING-TOKEN" | "NO-RULE-FOUND" => Self::Syntax,
                "SEMAPHORE-TIMEOUT" => Self::Backend,
                _ => Self::Unknown,
            };
        }
        let known = Self::WORDS.iter().find(|(beginning, _)| printed.starts_with(beginning));
        known.map_or(Self::Unknown, |(_, condition)| *condition)
    }

    fn verdict(self) -> Verdict {
        match self {
            Self::UnwrittenData => Verdict::NotWritable,
            Self::Syntax | Self::Unsupported => Verdict::Refused,
            Self::Backend => Verdict::Outage,
            Self::Unknown => Verdict::Failed,
        }
    }
}

/// The SQL state with which Virtuoso begins: `Virtuoso 40001 Error SR172: Transaction deadlocked`.
#[derive(Debug, Clone, Copy)]
struct SqlState<'a> {
    state: &'a str,
    /// Whether it concerns the server itself (`SR…`), not the statement.
    of_server: bool,
}

impl<'a> SqlState<'a> {
    fn of(said: &'a str) -> Option<Self> {
        let (state, rest) = said.trim_start().strip_prefix("Virtuoso ")?.split_once(' ')?;
        let rest = rest.strip_prefix("Error ")?;
        let is_state = state.len() == 5 && state.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_state.then(|| Self { state, of_server: rest.starts_with("SR") })
    }

    fn verdict(self) -> Verdict {
        match self.state.get(..2) {
            // Syntax, and values of the statement: not a date, too long.
            Some("37" | "22") => Verdict::Refused,
            Some("23") => Verdict::Failed,
            // Too long by an estimate that changes with the data.
            Some("42") if !self.of_server => Verdict::Failed,
            // S1T00 time limit, 40001 deadlock, all SR… codes, and unknown ones.
            _ => Verdict::Outage,
        }
    }
}

/// What an `unwritten-data-error` names. Only for messages: no decision depends on it.
#[derive(Debug, Default)]
struct Unwritten<'a> {
    /// The subject of the first triple.
    subject: Option<&'a str>,
    /// Whether that triple was to be removed.
    removal: bool,
}

impl<'a> Unwritten<'a> {
    fn read(printed: &'a str) -> Self {
        let insert = printed.find("INSERT:").unwrap_or(printed.len());
        let Some(at) = printed.find("SUBJECT ") else { return Self::default() };
        let rest = printed.get(at..).unwrap_or_default();
        let subject = rest.split_once("\"<").and_then(|(_, rest)| rest.split_once(">\"")).map(|(iri, _)| iri);
        Self { subject, removal: at < insert }
    }
}

/// The first IRI of a statement after its prefixes.
pub(super) fn first_subject(statement: &str) -> Option<&str> {
    let statement = statement.lines().find(|line| !line.starts_with("PREFIX ") && line.contains('<'))?;
    statement.split_once('<')?.1.split_once('>').map(|(iri, _)| iri)
}

/// The constant part of a message: up to the first thing that it names, without numbers.
pub(super) fn gist(said: &str) -> Gist {
    let named = |c: &char| !matches!(c, '<' | '"' | '\'');
    let words = said.chars().take_while(named).filter(|c| !c.is_ascii_digit());
    Gist::of(&words.take(160).collect::<String>())
}

/// On one line, shortened to a maximum length.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(most) {
        words.truncate(end);
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests;
