//! The meaning of Kimai's error responses. Retry code matches on [`Fault`], never on a status.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::refusal;
use crate::domain::Code;
use crate::telemetry::metrics;
use crate::trackers::adaptive_concurrency;

/// The shortest and the longest pause a `Retry-After` can ask of us.
const RETRY_AFTER_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

/// The longest message that is kept of an answer.
const MOST_LETTERS: usize = 2000;

/// The call that failed. Only [`Operation::Create`] may leave something behind when its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A GET of a list.
    Read,
    /// A GET of one thing.
    Look,
    /// `POST /timesheets`.
    Create,
    /// `PATCH /timesheets/{id}`.
    Update,
    /// `DELETE /timesheets/{id}`.
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
    /// Not applied; Kimai (or a proxy before it) asks for this pause, for the whole client.
    Limited(Duration),
    /// Repeating will not help until someone changes something: 400, 403, 3xx.
    Permanent,
    /// A POST that may have been applied: look before sending it again.
    Ambiguous,
    /// The timesheet is not there, or the page is past the last one (Kimai's own 404 on anything but POST).
    Gone,
    /// The token is wrong, expired, or its user disabled (401): stop all work.
    Unauthorised,
}

impl Fault {
    /// The code of a fault of which nothing more is known.
    fn code(&self) -> Code {
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

/// A failed call to Kimai, in words for people. Never holds the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Kimai could not {operation}: {message}")]
pub struct KimaiFault {
    /// Which call failed.
    pub operation: Operation,
    /// What it means.
    pub fault: Fault,
    /// What happened, with Kimai's own field messages where it gave any.
    pub message: String,
    /// The stable code of it.
    pub code: Code,
}

impl KimaiFault {
    /// A fault of an `operation`, in words.
    pub fn new(operation: Operation, fault: Fault, message: impl Into<String>) -> Self {
        let code = fault.code();
        Self { operation, fault, message: message.into(), code }
    }

    /// The same as it may be kept and shown: without `secret`, should an answer have repeated what was sent, and
    /// no book of a message, which would be logged at each try.
    #[must_use]
    pub fn presentable(mut self, secret: &SecretString) -> Self {
        let secret = secret.expose_secret();
        if !secret.is_empty() && self.message.contains(secret) {
            self.message = self.message.replace(secret, "(the API token)");
        }
        if let Some((end, _)) = self.message.char_indices().nth(MOST_LETTERS) {
            self.message.truncate(end);
            self.message.push('…');
        }
        self
    }

    /// What an answer that is not a success means.
    pub fn from_answer(operation: Operation, status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        Self::answered(operation, status, (retry_after, None), body)
    }

    /// The same with the headers `Retry-After` and `WWW-Authenticate`.
    pub(super) fn answered(
        operation: Operation,
        status: u16,
        (retry_after, authenticate): (Option<&str>, Option<&str>),
        body: &[u8],
    ) -> Self {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let by_kimai = is_kimais(status, &said);
        let fault = meaning(operation, status, retry_after, by_kimai);
        let messages = messages(&said);
        let refusal = if by_kimai { refusal::read(&messages, &said) } else { None };
        let code = match status {
            401 => who_refused(authenticate, body, by_kimai),
            403 if by_kimai => Code::KimaiForbidden,
            300..500 if !by_kimai && fault == Fault::Transient => Code::ProxyAnswered,
            _ => refusal.as_ref().map_or_else(|| fault.code(), |refusal| refusal.code),
        };
        let mut message = describe(status, code, &said, &messages, by_kimai);
        if let Some(means) = refusal.and_then(|refusal| refusal.means) {
            message = format!("{means} (Kimai says: {message})");
        }
        Self { code, ..Self::new(operation, fault, message) }
    }

    /// A row of a list that cannot be read, where it may be what was looked for.
    pub fn odd_row(why: &str) -> Self {
        let message = format!(
            "a timesheet in its list cannot be read ({why}) and may be the one whose answer was lost. Correct or delete \
             it in Kimai, then try again"
        );
        Self { code: Code::KimaiListFaulty, ..Self::new(Operation::Read, Fault::Permanent, message) }
    }

    /// A request that was cut or timed out. `sent` says whether it may have reached Kimai.
    pub fn cut(operation: Operation, sent: bool, why: &str) -> Self {
        let fault = if sent { unanswered(operation) } else { Fault::Transient };
        Self::new(operation, fault, why)
    }

    /// A request that was not sent, for want of a place in time.
    pub fn crowded_out(operation: Operation) -> Self {
        let limit = adaptive_concurrency::LONGEST_WAIT.as_secs();
        Self::new(operation, Fault::Transient, format!("the requests before it took more than {limit} s"))
    }

    /// A success whose body makes no sense: the call may well have been applied.
    pub fn unreadable(operation: Operation, why: &str) -> Self {
        Self::cut(operation, true, &format!("its answer could not be read ({why}); is KIMAI_ENDPOINT right?"))
    }
}

/// A proxy without a Kimai behind it answers 404 too, and one in its way 400 or 403. That says nothing of the
/// timesheet: Kimai's own word is a JSON object that repeats the status.
fn is_kimais(status: u16, said: &Value) -> bool {
    said.get("code").and_then(Value::as_u64) == Some(u64::from(status))
}

fn meaning(operation: Operation, status: u16, retry_after: Option<&str>, by_kimai: bool) -> Fault {
    match status {
        429 => Fault::Limited(pause(retry_after)),
        503 if retry_after.is_some() => Fault::Limited(pause(retry_after)),
        // Of a wrong token Kimai says nothing but this.
        401 => Fault::Unauthorised,
        404 if by_kimai && operation != Operation::Create => Fault::Gone,
        400..500 if by_kimai => Fault::Permanent,
        // Not Kimai's own word: a proxy leads elsewhere, for now or by a wrong address, and that passes no judgement on
        // this work log.
        _ => unanswered(operation),
    }
}

/// What it means that a request went out and nothing is known of what became of it.
fn unanswered(operation: Operation) -> Fault {
    if operation == Operation::Create { Fault::Ambiguous } else { Fault::Transient }
}

/// `Retry-After` in seconds; a date or rubbish counts as the shortest pause.
fn pause(retry_after: Option<&str>) -> Duration {
    let (shortest, longest) = RETRY_AFTER_BOUNDS;
    let asked = retry_after.and_then(|text| text.trim().parse().ok()).map_or(shortest, Duration::from_secs);
    asked.clamp(shortest, longest)
}

/// Who answered 401. Kimai refuses a token with an empty body, and says "Unauthorized" where none arrived; all else
/// is a proxy's login.
fn who_refused(authenticate: Option<&str>, body: &[u8], by_kimai: bool) -> Code {
    let bearer = |header: &str| header.trim_start().to_ascii_lowercase().starts_with("bearer");
    match authenticate {
        Some(header) if !bearer(header) => Code::ProxyLogin,
        _ if by_kimai => Code::AuthorizationStripped,
        _ if body.is_empty() => Code::TokenInvalid,
        _ => Code::ProxyLogin,
    }
}

/// The status and what Kimai says about it, for people.
fn describe(status: u16, code: Code, said: &Value, messages: &[(String, String)], by_kimai: bool) -> String {
    let hint = match (status, code) {
        (300..400, _) => "; redirects are not followed, is KIMAI_ENDPOINT right?",
        (_, Code::TokenInvalid) => "; the API token is wrong or expired, or its user is disabled",
        (_, Code::AuthorizationStripped) => {
            "; no token arrived at Kimai: a web server or proxy before it removes the Authorization header"
        }
        (_, Code::ProxyLogin) => {
            "; that is not Kimai's own answer: a proxy before it asks for a login of its own, and never passes the API token on"
        }
        (429, _) => "",
        (400..500, _) if !by_kimai => {
            "; that is not Kimai's own answer: look at KIMAI_ENDPOINT, and at proxies before Kimai"
        }
        _ => "",
    };
    let words: Vec<String> = messages
        .iter()
        .map(|(field, words)| if field.is_empty() { words.clone() } else { format!("{field}: {words}") })
        .collect();
    let plain = || said.get("message").and_then(Value::as_str).map(str::to_owned);
    let words = if words.is_empty() { plain() } else { Some(words.join("; ")) };
    match words {
        Some(words) => format!("{words} ({status}){hint}"),
        None => format!("it answered {status}{hint}"),
    }
}

/// Field and message for each fault of a validation body; the field is empty for those of the whole form.
fn messages(body: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Some(errors) = body.get("errors") {
        collect("", errors, &mut found);
    }
    found.dedup();
    found
}

fn collect(field: &str, node: &Value, found: &mut Vec<(String, String)>) {
    for message in
        node.get("errors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        found.push((field.to_owned(), message.to_owned()));
    }
    for (name, child) in node.get("children").and_then(Value::as_object).into_iter().flatten() {
        collect(name, child, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_means_one_thing() {
        use Operation::{Create, Delete, Read, Update};
        let minute = Fault::Limited(Duration::from_mins(1));
        let table = [
            (Create, 500, None, Fault::Ambiguous),
            (Update, 500, None, Fault::Transient),
            (Read, 502, None, Fault::Transient),
            (Create, 504, None, Fault::Ambiguous),
            (Create, 503, Some("60"), minute.clone()),
            (Delete, 503, None, Fault::Transient),
            (Update, 429, Some("60"), minute),
            (Update, 429, None, Fault::Limited(Duration::from_secs(1))),
            (Update, 429, Some("0"), Fault::Limited(Duration::from_secs(1))),
            (Update, 429, Some("999999"), Fault::Limited(Duration::from_hours(1))),
            (Update, 429, Some("Wed, 21 Oct 2026 07:28:00 GMT"), Fault::Limited(Duration::from_secs(1))),
            (Create, 401, None, Fault::Unauthorised),
            (Create, 301, None, Fault::Ambiguous),
            (Update, 302, None, Fault::Transient),
            (Read, 307, None, Fault::Transient),
            (Update, 404, None, Fault::Transient),
            (Delete, 404, None, Fault::Transient),
            (Read, 403, None, Fault::Transient),
            (Create, 404, None, Fault::Ambiguous),
            (Create, 400, None, Fault::Ambiguous),
        ];
        for (operation, status, retry_after, wanted) in table {
            let fault = KimaiFault::from_answer(operation, status, retry_after, b"");
            assert_eq!(fault.fault, wanted, "{operation} answered {status} with Retry-After {retry_after:?}");
        }
    }

    #[test]
    fn only_kimai_itself_can_say_that_a_timesheet_is_gone_or_refused() {
        use Operation::{Create, Delete, Update};
        let table = [
            (Create, 403, Fault::Permanent),
            (Create, 400, Fault::Permanent),
            (Update, 404, Fault::Gone),
            (Delete, 404, Fault::Gone),
            (Create, 404, Fault::Permanent),
            (Update, 405, Fault::Permanent),
        ];
        for (operation, status, wanted) in table {
            let said = format!(r#"{{"code":{status},"message":"Not like this"}}"#);
            let fault = KimaiFault::from_answer(operation, status, None, said.as_bytes());
            assert_eq!(fault.fault, wanted, "{operation} answered {status}");
            for other in ["", "404 page not found\n", "<html>No such host</html>", r#"{"code":200}"#, "{}"] {
                let fault = KimaiFault::from_answer(operation, status, None, other.as_bytes());
                assert_eq!(fault.fault, unanswered(operation), "{operation} answered {status}: {other}");
                assert!(fault.message.contains("KIMAI_ENDPOINT"), "{fault}");
            }
        }
    }

    #[test]
    fn the_field_messages_of_kimai_are_kept() {
        let body = br#"{"code":400,"message":"Validation Failed","errors":{"errors":["Whole form."],
            "children":{"project":{"errors":["The selected choice is invalid."]},"begin":{}}}}"#;
        let fault = KimaiFault::from_answer(Operation::Create, 400, None, body);
        assert_eq!(
            fault.to_string(),
            "Kimai could not create the timesheet: Whole form.; project: The selected choice is invalid. (400)"
        );
        let empty = KimaiFault::from_answer(Operation::Read, 401, None, b"");
        assert!(empty.message.contains("token"), "{empty}");
        let html = KimaiFault::from_answer(Operation::Read, 502, None, b"<html>bad gateway</html>");
        assert_eq!(html.message, "it answered 502");
    }

    #[test]
    fn a_401_of_kimai_is_told_from_those_of_what_stands_before_it() {
        let invalid = r#"Bearer error="invalid_token",error_description="Invalid credentials.""#;
        let unauthorised = br#"{"code":401,"message":"Unauthorized"}"#;
        let page = b"<html><center><h1>401 Authorization Required</h1></center></html>";
        let table: [(Option<&str>, &[u8], Code, &str); 7] = [
            (Some(invalid), b"", Code::TokenInvalid, "wrong or expired"),
            (None, b"", Code::TokenInvalid, "wrong or expired"),
            (None, unauthorised, Code::AuthorizationStripped, "removes the Authorization header"),
            (Some("Bearer"), unauthorised, Code::AuthorizationStripped, "removes the Authorization header"),
            (Some("Basic realm=\"intern\""), page, Code::ProxyLogin, "login of its own"),
            (Some("Basic realm=\"intern\""), b"", Code::ProxyLogin, "login of its own"),
            (None, page, Code::ProxyLogin, "login of its own"),
        ];
        for (header, body, code, words) in table {
            let fault = KimaiFault::answered(Operation::Update, 401, (None, header), body);
            assert_eq!((fault.fault.clone(), fault.code), (Fault::Unauthorised, code), "{header:?}");
            assert!(fault.message.contains(words), "{fault}");
        }
    }

    #[test]
    fn an_answer_that_repeats_the_token_or_never_ends_is_presentable_all_the_same() {
        let secret = SecretString::from("s3cret-token");
        let long = "x".repeat(MOST_LETTERS - 20);
        let body =
            format!(r#"{{"code":400,"message":"{long} got Authorization: Bearer s3cret-token, é{long}"}}"#);
        let fault = KimaiFault::from_answer(Operation::Read, 400, None, body.as_bytes()).presentable(&secret);
        assert!(!fault.message.contains("s3c"), "no part of it either: {}", fault.message);
        assert_eq!(fault.message.chars().count(), MOST_LETTERS + 1);
        let short =
            KimaiFault::new(Operation::Read, Fault::Permanent, "Bearer s3cret-token?").presentable(&secret);
        assert_eq!(short.message, "Bearer (the API token)?");
        assert_eq!(short.clone().presentable(&SecretString::from("")).message, short.message);
    }

    #[test]
    fn only_a_post_that_went_out_is_ambiguous() {
        assert_eq!(KimaiFault::cut(Operation::Create, false, "refused").fault, Fault::Transient);
        assert_eq!(KimaiFault::cut(Operation::Create, true, "time limit").fault, Fault::Ambiguous);
        assert_eq!(KimaiFault::cut(Operation::Update, true, "time limit").fault, Fault::Transient);
        assert_eq!(KimaiFault::unreadable(Operation::Create, "HTML").fault, Fault::Ambiguous);
    }
}
