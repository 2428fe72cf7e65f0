//! Propagates the call IDs of mu-semtech from an incoming request to its outgoing requests.
//!
//! A call has an ID (`mu-call-id`) and a trail, the IDs of the calls that led to it (`mu-call-id-trail`, a JSON array).
//! A further call gets a fresh ID, and the ID of the incoming call is added to its trail. Sessions are never
//! propagated: they represent a person's rights.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::domain::WorkLogUri;

/// The maximum length of an ID, in bytes.
const LONGEST_ID: usize = 128;
/// The maximum length of a trail, in calls; the last ones are kept.
const LONGEST_TRAIL: usize = 16;
/// The most work logs whose call is stored.
const MOST_REMEMBERED: usize = 10_000;

/// An incoming call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    id: Arc<str>,
    trail: Arc<str>,
}

tokio::task_local! {
    static CURRENT: Option<Call>;
}

impl Call {
    /// The call with these headers; none without a valid ID. Invalid parts are skipped.
    pub fn of(id: Option<&str>, trail: Option<&str>) -> Option<Self> {
        let id = id.filter(|id| is_id(id))?;
        let trail: Vec<Value> = trail.and_then(|trail| serde_json::from_str(trail).ok()).unwrap_or_default();
        let mut ids: Vec<&str> = trail.iter().filter_map(Value::as_str).filter(|id| is_id(id)).collect();
        ids.push(id);
        let last = ids.split_off(ids.len().saturating_sub(LONGEST_TRAIL));
        Some(Self { id: id.into(), trail: Value::from(last).to_string().into() })
    }

    /// Its ID.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The trail for an outgoing call, as a header: a JSON array of visible ASCII.
    pub fn trail(&self) -> &str {
        &self.trail
    }
}

/// Services of the stack send `undefined` and `null` if they have none.
fn is_id(id: &str) -> bool {
    let fits = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits && !matches!(id, "undefined" | "null")
}

/// The call of the current task.
pub fn current() -> Option<Call> {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Runs `work` as a part of `call`.
pub async fn within<F: Future>(call: Option<Call>, work: F) -> F::Output {
    CURRENT.scope(call, work).await
}

/// The calls of the work logs in the queue, as far as known. Nothing depends on it, and it is lost with the process.
/// Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<HashMap<WorkLogUri, Call>>>);

impl Calls {
    /// Assigns the next runs of these work logs to `call`.
    pub fn remember<'a>(&self, call: &Call, work_logs: impl IntoIterator<Item = &'a WorkLogUri>) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for work_log in work_logs {
            if calls.len() < MOST_REMEMBERED || calls.contains_key(work_log) {
                calls.insert(work_log.clone(), call.clone());
            }
        }
    }

    /// Removes and returns the call of `work_log`.
    pub fn take(&self, work_log: &WorkLogUri) -> Option<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(work_log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_adds_itself_to_the_trail_that_led_to_it() {
        let table = [
            (Some("5ace16d0-e5d0"), Some(r#"["508102929000"]"#), Some(r#"["508102929000","5ace16d0-e5d0"]"#)),
            (Some("b"), None, Some(r#"["b"]"#)),
            // What the delta-notifier sends without a call, and characters that are invalid in a header.
            (Some("b"), Some("[null]"), Some(r#"["b"]"#)),
            (Some("b"), Some("rubbish"), Some(r#"["b"]"#)),
            (Some("b"), Some("[\"a\\u00e9\",\"x\\r\\ny\",\"a\"]"), Some(r#"["a","b"]"#)),
            (Some("undefined"), Some("[\"a\"]"), None),
            (Some("two words"), None, None),
            (Some(""), None, None),
            (None, Some("[\"a\"]"), None),
        ];
        for (id, trail, wanted) in table {
            let call = Call::of(id, trail);
            assert_eq!(call.as_ref().map(Call::trail), wanted, "{id:?} {trail:?}");
        }
        assert_eq!(Call::of(Some(&"x".repeat(LONGEST_ID + 1)), None), None);
        let long = Value::from(vec!["a"; 1000]).to_string();
        let kept: Vec<String> =
            serde_json::from_str(Call::of(Some("last"), Some(&long)).unwrap().trail()).unwrap();
        assert_eq!((kept.len(), kept.last().map(String::as_str)), (LONGEST_TRAIL, Some("last")));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_taken_once() {
        let (calls, call) = (Calls::default(), Call::of(Some("a"), None).unwrap());
        let work_log = |number: usize| WorkLogUri::parse(&format!("http://x/{number}")).unwrap();
        let many: Vec<WorkLogUri> = (0..=MOST_REMEMBERED).map(work_log).collect();
        calls.remember(&call, &many);
        assert_eq!(calls.take(&work_log(0)), Some(call));
        assert_eq!(calls.take(&work_log(0)), None);
        assert_eq!(calls.take(&work_log(MOST_REMEMBERED)), None, "there was no room for it");
    }
}
