//! The meaning of Kimai's error responses. Retry code matches on [`Fault`], never on a status.

use std::time::Duration;

use serde_json::Value;

use super::{NAME, refusal};
use crate::domain::Code;
use crate::trackers::error::{Fault, Operation, TrackerFault, unanswered};

/// The shortest and the longest pause a `Retry-After` can ask of us.
const RETRY_AFTER_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

/// What an answer that is not a success means.
pub fn of_answer(operation: Operation, status: u16, retry_after: Option<&str>, body: &[u8]) -> TrackerFault {
    answered(operation, status, (retry_after, None), body)
}

/// The same with the headers `Retry-After` and `WWW-Authenticate`.
pub(super) fn answered(
    operation: Operation,
    status: u16,
    (retry_after, authenticate): (Option<&str>, Option<&str>),
    body: &[u8],
) -> TrackerFault {
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
    TrackerFault { code, ..TrackerFault::new(NAME, operation, fault, message) }
}

/// A success whose body makes no sense: the call may well have been applied.
pub fn unreadable(operation: Operation, why: &str) -> TrackerFault {
    let why = format!("its answer could not be read ({why}); is KIMAI_ENDPOINT right?");
    TrackerFault::cut(NAME, operation, true, &why)
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
            let fault = of_answer(operation, status, retry_after, b"");
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
            let fault = of_answer(operation, status, None, said.as_bytes());
            assert_eq!(fault.fault, wanted, "{operation} answered {status}");
            for other in ["", "404 page not found\n", "<html>No such host</html>", r#"{"code":200}"#, "{}"] {
                let fault = of_answer(operation, status, None, other.as_bytes());
                assert_eq!(fault.fault, unanswered(operation), "{operation} answered {status}: {other}");
                assert!(fault.message.contains("KIMAI_ENDPOINT"), "{fault}");
            }
        }
    }

    #[test]
    fn the_field_messages_of_kimai_are_kept() {
        let body = br#"{"code":400,"message":"Validation Failed","errors":{"errors":["Whole form."],
            "children":{"project":{"errors":["The selected choice is invalid."]},"begin":{}}}}"#;
        let fault = of_answer(Operation::Create, 400, None, body);
        assert_eq!(
            fault.to_string(),
            "Kimai could not create the timesheet: Whole form.; project: The selected choice is invalid. (400)"
        );
        let empty = of_answer(Operation::Read, 401, None, b"");
        assert!(empty.message.contains("token"), "{empty}");
        let html = of_answer(Operation::Read, 502, None, b"<html>bad gateway</html>");
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
            let fault = answered(Operation::Update, 401, (None, header), body);
            assert_eq!((fault.fault.clone(), fault.code), (Fault::Unauthorised, code), "{header:?}");
            assert!(fault.message.contains(words), "{fault}");
        }
    }

    #[test]
    fn a_creation_whose_answer_cannot_be_read_is_ambiguous() {
        assert_eq!(unreadable(Operation::Create, "HTML").fault, Fault::Ambiguous);
    }
}
