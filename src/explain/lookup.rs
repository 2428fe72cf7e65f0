//! Finds work logs by a text that a person types.

use std::collections::BTreeMap;

use super::collect::holds;
use super::loose::Loose;
use super::{Answer, PATIENCE, Witnesses};
use crate::domain::{EntryId, WorkLogUri};

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// These work logs, in the order of their IRIs. Several share one timesheet.
    WorkLogs(Vec<WorkLogUri>),
    /// No work log is linked to this timesheet, which Kimai has.
    Loose(Loose),
    /// Nothing has this `mu:uuid` or Kimai ID.
    Nobody,
    /// It is neither an IRI nor an ID, with a message.
    Unreadable(String),
    /// The triplestore could not be read, with a message.
    Unasked(String),
}

/// The longest text to search for, in characters: no ID is longer.
const LONGEST: usize = 4096;

/// Finds the work logs that `text` names: an IRI, the `mu:uuid` of a work log, or the ID of a timesheet in Kimai. Only
/// digits are a Kimai ID, unless they are the `mu:uuid` of a work log. An IRI is not looked up.
pub async fn find(witnesses: &Witnesses, text: &str) -> Found {
    let text = text.trim();
    let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    if text.is_empty() || text.len() > LONGEST {
        return Found::Unreadable("give the IRI or ID of a work log, or the ID of its timesheet".into());
    }
    if text.contains(':') {
        return match WorkLogUri::parse(text) {
            Ok(work_log) => Found::WorkLogs(vec![work_log]),
            Err(fault) => Found::Unreadable(fault.to_string()),
        };
    }
    let syntax = witnesses.kimai.capabilities().syntax;
    let id = EntryId::parse(text.trim_start_matches('#'), syntax).ok();
    let looked = async {
        match id {
            Some(id) => within(witnesses.work_logs.linked(&[id])).await,
            None => Answer::Known(BTreeMap::new()),
        }
    };
    let (by_uuid, linked) = tokio::join!(within(witnesses.work_logs.by_uuid(text)), looked);
    let mut unasked = by_uuid.error().map(str::to_owned);
    if let Answer::Known(Some(work_log)) = by_uuid {
        return Found::WorkLogs(vec![work_log]);
    }
    let mut found = Vec::new();
    if let Some(id) = id {
        // The service's records first: they work without the triplestore.
        found.extend(witnesses.ledger.owner(id).await.ok().flatten());
        match linked {
            Answer::Known(linked) => found.extend(linked.into_values().flatten()),
            Answer::Unknown { error } => {
                unasked.get_or_insert(error);
            }
        }
        if found.is_empty()
            && let Answer::Known(left) = within(witnesses.work_logs.tombstones(&[id])).await
        {
            // Other resources may have the same identifier.
            found.extend(left.into_values().flatten().filter(WorkLogUri::is_minted));
        }
    }
    found.sort();
    found.dedup();
    match (unasked, id) {
        _ if !found.is_empty() => Found::WorkLogs(found),
        (Some(why), _) => Found::Unasked(why),
        (None, None) => Found::Nobody,
        (None, Some(id)) => loose(witnesses, id).await,
    }
}

/// The timesheet `id`, if Kimai has it.
async fn loose(witnesses: &Witnesses, id: EntryId) -> Found {
    match within(witnesses.kimai.timesheet(id)).await {
        Answer::Known(Some(timesheet)) => {
            let holds = holds(witnesses, &timesheet).await;
            Found::Loose(Loose::of(id, &holds, witnesses.clock.zone(), witnesses.limits))
        }
        Answer::Known(None) => Found::Nobody,
        Answer::Unknown { error } => {
            Found::Unasked(format!("no work log is linked to it, and it cannot be read from Kimai: {error}"))
        }
    }
}

/// The answer to `question`, within the time limit.
pub(super) async fn within<T, E: ToString>(question: impl Future<Output = Result<T, E>>) -> Answer<T> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(result) => result.into(),
        Err(_) => Answer::Unknown { error: format!("it did not answer within {} s", PATIENCE.as_secs()) },
    }
}
