//! Reads Kimai's responses, and derives whether Kimai itself is available.

use crate::contact::Record;
use crate::domain::Code;
use crate::domain::status::Lapse;
use crate::trackers::error::{Fault, Operation, TrackerFault};
use crate::trackers::kimai::NAME;
use crate::trackers::kimai::fault;

/// The largest answer we read.
pub(super) const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Notes what came of a request: its `status`, and the body or the fault.
pub(super) fn note(record: &Record, status: Option<u16>, answer: Result<&[u8], &TrackerFault>) {
    let fault = match answer {
        Ok(body) if is_json_or_empty(body) => return record.answered(),
        Ok(_) => {
            let why = "what answers at KIMAI_ENDPOINT is no Kimai: its answer is not JSON".to_owned();
            return record.failed(Lapse::Silent, Code::ProxyAnswered, why);
        }
        Err(fault) => fault,
    };
    match fault.fault {
        Fault::Limited(pause) => record.paused(pause, fault.code, fault.to_string()),
        Fault::Unauthorised => record.failed(Lapse::Refused, fault.code, fault.to_string()),
        // It judged the request, so it is there.
        Fault::Permanent | Fault::Gone => record.answered(),
        Fault::Transient | Fault::Ambiguous => {
            let lapse = if status == Some(500) { Lapse::Unable } else { Lapse::Silent };
            // Of a lost answer to a creation too, whose own code says only that.
            let code = match status {
                Some(300..500) => Code::ProxyAnswered,
                _ => Code::KimaiUnavailable,
            };
            record.failed(lapse, code, fault.to_string());
        }
    }
}

/// Whether Kimai may have written this.
fn is_json_or_empty(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    first.is_none_or(|first| b"{[\"".contains(first))
}

/// The body of an answer, if it is not too large.
pub(super) async fn whole(
    operation: Operation,
    mut response: reqwest::Response,
) -> Result<Vec<u8>, TrackerFault> {
    let mut body = Vec::new();
    let cut = |fault| TrackerFault::cut(NAME, operation, true, &in_words(fault));
    while let Some(chunk) = response.chunk().await.map_err(cut)? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_BYTES {
            return Err(fault::unreadable(operation, "it is larger than 32 MiB"));
        }
    }
    Ok(body)
}

/// Why a request got no answer.
pub(super) fn in_words(fault: reqwest::Error) -> String {
    if fault.is_timeout() {
        return "it did not answer within the time limit (KIMAI_TIMEOUT)".into();
    }
    format!("the connection failed: {}", crate::http_client::explain(fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::status::Failed;

    type Case = (Option<u16>, Result<&'static str, TrackerFault>, Option<(&'static str, Code)>);

    #[test]
    fn what_kimai_says_itself_is_an_answer_and_what_others_say_is_not() {
        let fault =
            |status, body: &str| fault::of_answer(Operation::Look, status, Some("7"), body.as_bytes());
        let own = |status| fault(status, &format!("{{\"code\":{status},\"message\":\"no\"}}"));
        let table: [Case; 14] = [
            (Some(200), Ok(" [] "), None),
            (Some(204), Ok(""), None),
            (Some(200), Ok("<html>Welcome"), Some(("silent", Code::ProxyAnswered))),
            (Some(404), Err(own(404)), None),
            (Some(400), Err(own(400)), None),
            (Some(403), Err(own(403)), None),
            (Some(403), Err(fault(403, "<html>")), Some(("silent", Code::ProxyAnswered))),
            (Some(302), Err(fault(302, "")), Some(("silent", Code::ProxyAnswered))),
            (Some(401), Err(own(401)), Some(("refused", Code::AuthorizationStripped))),
            (Some(401), Err(fault(401, "")), Some(("refused", Code::TokenInvalid))),
            (Some(429), Err(own(429)), Some(("paused", Code::KimaiBusy))),
            (Some(500), Err(own(500)), Some(("unable", Code::KimaiUnavailable))),
            (Some(502), Err(fault(502, "")), Some(("silent", Code::KimaiUnavailable))),
            (
                None,
                Err(TrackerFault::cut(NAME, Operation::Create, true, "it broke off")),
                Some(("silent", Code::KimaiUnavailable)),
            ),
        ];
        for (status, answer, wanted) in table {
            let record = Record::default();
            note(&record, status, answer.as_ref().map(|body| body.as_bytes()));
            let contact = record.contact();
            let failed = contact.failed.map(|Failed { lapse, code, .. }| {
                let lapse = match lapse {
                    Lapse::Silent => "silent",
                    Lapse::Refused => "refused",
                    Lapse::Unable | Lapse::Statement(_) => "unable",
                    Lapse::Paused(_) => "paused",
                };
                (lapse, code)
            });
            assert_eq!(
                (failed, contact.answered.is_some()),
                (wanted, wanted.is_none()),
                "{status:?} {answer:?}"
            );
        }
    }
}
