//! Finds the work log for what a person types.

use std::collections::BTreeMap;

use super::collect::holds;
use super::loose::Loose;
use super::{Answer, PATIENCE, Witnesses};
use crate::domain::{EntryId, WorkLogUri};

/// What a text leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// These work logs, in the order of their IRIs. Several share one timesheet.
    WorkLogs(Vec<WorkLogUri>),
    /// No work log is linked to this timesheet, which Kimai has.
    Loose(Loose),
    /// Nothing has this `mu:uuid` or Kimai id.
    Nobody,
    /// It is neither an IRI nor an id; why, in words.
    Unreadable(String),
    /// The triplestore could not be asked; why, in words.
    Unasked(String),
}

/// The longest text that is looked for, in characters: no id is longer.
const LONGEST: usize = 4096;

/// Finds the work logs that `text` names: an IRI, the `mu:uuid` of a work log, or the id of a timesheet in
/// Kimai. Only digits are a Kimai id, unless a work log has them as its `mu:uuid`. An IRI is taken at its
/// word.
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
        // What we remember first: it answers without the triplestore too.
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
            // Anything may carry a number.
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

/// What `question` is answered, if that does not take too long.
pub(super) async fn within<T, E: ToString>(question: impl Future<Output = Result<T, E>>) -> Answer<T> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(result) => result.into(),
        Err(_) => Answer::Unknown { error: format!("it did not answer within {} s", PATIENCE.as_secs()) },
    }
}
