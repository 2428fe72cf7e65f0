//! Locks a month: its submitted timesheets get all work logs of their person and become exported.
//!
//! # Guarantees
//! A timesheet becomes exported only after its members were read back and found complete. One that fails stays
//! submitted, is reported, and does not prevent the others from being locked; locking the month again completes it.
//! What is right already is not written again. One lock runs at a time.
//!
//! # Assumptions
//! Nobody books hours for the month while it is being locked: work logs added after the members were read back are not
//! included.

mod links;
mod month;
mod read;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Mutex;
use tracing::{error, info, warn};

use crate::domain::WorkLogUri;
use crate::progress::Progress;
use crate::queue::Entry;
use crate::store::Queue;
use crate::triplestore::statement::Iri;
use crate::triplestore::vocabulary::{PREFIXES, status};
use crate::triplestore::{Triplestore, TriplestoreFault};
use links::Contents;
pub use month::{Month, MonthFault};
use read::Sheet;
pub use report::{LockReport, Outcome, TimesheetReport};

/// Why a month could not be locked at all. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockFault {
    /// The triplestore could not be read.
    #[error(
        "{month} cannot be locked: {fault}. Nothing was changed; lock it again once the triplestore answers"
    )]
    Triplestore {
        /// Which month.
        month: Month,
        /// The triplestore's error.
        fault: TriplestoreFault,
    },
    /// Somebody cancelled it.
    #[error("it was cancelled. Nothing was changed")]
    Stopped,
}

/// Locks months, one at a time.
pub struct Locker {
    store: Arc<dyn Triplestore>,
    /// The queue, which knows what is not in Kimai yet.
    queue: Arc<dyn Queue>,
    turn: Mutex<()>,
}

/// The reason for a timesheet that a lock did not reach.
const CANCELLED: &str = "the lock was cancelled first; lock the month again";

/// The result for each timesheet.
type Outcomes = BTreeMap<Iri, Outcome>;

impl Locker {
    /// Locks in `store`; names what still waits in `queue`.
    pub fn new(store: Arc<dyn Triplestore>, queue: Arc<dyn Queue>) -> Self {
        Self { store, queue, turn: Mutex::default() }
    }

    /// Locks `month`. Returns when all is written and read back; waits for a lock that is under way. The
    /// report is logged as well, a line for each timesheet. If it is cancelled, the remaining
    /// timesheets stay as they are.
    pub async fn lock(&self, month: Month, progress: &Progress) -> Result<LockReport, LockFault> {
        let _turn = progress.until_stopped(self.turn.lock()).await.ok_or(LockFault::Stopped)?;
        progress.phase("reading the timesheets", None);
        let report = self.locked(month, progress).await?;
        for timesheet in &report.timesheets {
            match &timesheet.outcome {
                Outcome::Failed(_) => error!(timesheet.uri = %timesheet.timesheet, "{timesheet}"),
                Outcome::Exported { unsynced, .. } if !unsynced.is_empty() => {
                    warn!(timesheet.uri = %timesheet.timesheet, "{timesheet}");
                }
                _ => info!(timesheet.uri = %timesheet.timesheet, "{timesheet}"),
            }
        }
        info!("Locked {report}");
        Ok(report)
    }

    async fn locked(&self, month: Month, progress: &Progress) -> Result<LockReport, LockFault> {
        let store = self.store.as_ref();
        let failed = |fault| LockFault::Triplestore { month, fault };
        let reads = async {
            let sheets = read::sheets(store, month).await?;
            let persons = sheets.values().flat_map(|sheet| sheet.persons.iter().cloned()).collect();
            let names = read::names(store, &persons).await?;
            Ok((sheets, names))
        };
        let (sheets, names) =
            progress.until_stopped(reads).await.ok_or(LockFault::Stopped)?.map_err(failed)?;
        let (mut outcomes, mut submitted) = (Outcomes::new(), BTreeMap::new());
        for (timesheet, sheet) in &sheets {
            match judge(sheet) {
                Some(outcome) => drop(outcomes.insert(timesheet.clone(), outcome)),
                None => drop(submitted.insert(timesheet, sheet)),
            }
        }
        if !submitted.is_empty() {
            let read = progress.until_stopped(read::work_logs(store, month)).await;
            let contents = links::assign(&submitted, &read.ok_or(LockFault::Stopped)?.map_err(failed)?);
            outcomes.extend(self.export(month, &submitted, &contents, progress).await);
            for (timesheet, outcome) in &mut outcomes {
                if let (Outcome::Exported { unsynced, .. }, Some(contents)) =
                    (outcome, contents.get(timesheet))
                {
                    *unsynced = self.unsynced(contents).await;
                }
            }
        }
        let timesheets = outcomes.into_iter().map(|(timesheet, outcome)| {
            let person = sheets.get(&timesheet).and_then(|sheet| sheet.persons.first());
            let person = person.map_or("nobody", |person| names.get(person).unwrap_or(person)).to_owned();
            TimesheetReport { timesheet: timesheet.as_str().to_owned(), person, outcome }
        });
        Ok(LockReport { month, timesheets: timesheets.collect() })
    }

    /// Links, reads back, sets the status, reads back. From here on a fault affects only this timesheet.
    async fn export(
        &self,
        month: Month,
        submitted: &BTreeMap<&Iri, &Sheet>,
        contents: &BTreeMap<Iri, Contents>,
        progress: &Progress,
    ) -> Outcomes {
        let mut linked = BTreeMap::new();
        progress.phase("linking the work logs", Some(contents.len()));
        for (timesheet, contents) in contents {
            linked.insert(timesheet, self.link(timesheet, contents, progress).await);
            progress.advance(1);
        }
        // Of a cancelled lock nothing is exported, so nothing has to be read back either.
        let read = progress.until_stopped(read::work_logs(self.store.as_ref(), month)).await;
        let read = read.unwrap_or_else(|| Ok(BTreeMap::new()));
        let present = read.map(|work_logs| links::assign(submitted, &work_logs));
        let mut complete = BTreeMap::new();
        progress.phase("setting the status", Some(contents.len()));
        for (timesheet, linked) in linked {
            progress.advance(1);
            let linked = linked.and(if progress.is_stopped() { Err(CANCELLED.to_owned()) } else { Ok(()) });
            let checked = linked.and_then(|()| check(timesheet, present.as_ref()));
            let asked = match checked {
                // Whether this worked is asked of the triplestore, since only an answer may be lost.
                Ok(work_logs) => Ok((work_logs, self.set_exported(timesheet).await)),
                Err(why) => Err(why),
            };
            complete.insert(timesheet, asked);
        }
        let asked = complete.values().any(Result::is_ok);
        let read = async {
            if asked { read::sheets(self.store.as_ref(), month).await } else { Ok(BTreeMap::new()) }
        };
        let sheets = progress.until_stopped(read).await;
        let outcomes = complete.into_iter().map(|(timesheet, complete)| {
            let linked = contents.get(timesheet).map_or(0, |contents| contents.to_link.len());
            let outcome = match complete {
                Ok((work_logs, asked)) => {
                    match confirm(timesheet, asked, sheets.as_ref().map(Result::as_ref)) {
                        Ok(()) => Outcome::Exported { work_logs, linked, unsynced: Vec::new() },
                        Err(why) => Outcome::Failed(why),
                    }
                }
                Err(why) => Outcome::Failed(why),
            };
            (timesheet.clone(), outcome)
        });
        outcomes.collect()
    }

    /// The work logs that Kimai does not have as they are, each with the reason. It keeps nothing from being
    /// locked: they are settled later, but an invoice made now would lack them.
    async fn unsynced(&self, contents: &Contents) -> Vec<String> {
        let mut unsynced = Vec::new();
        for (work_log, in_kimai) in &contents.all {
            let Ok(uri) = WorkLogUri::parse(work_log.as_str()) else { continue };
            // An unreadable queue does not prevent locking either.
            match self.queue.entry(&uri).await.ok().flatten() {
                Some(Entry { state, last_error: Some(why), .. }) => {
                    unsynced.push(format!("<{uri}> is {}: {why}", state.word()));
                }
                Some(entry) => unsynced.push(format!("<{uri}> is {}", entry.state.word())),
                None if !in_kimai => unsynced.push(format!("<{uri}> has no Kimai id")),
                None => {}
            }
        }
        unsynced
    }

    async fn link(&self, timesheet: &Iri, contents: &Contents, progress: &Progress) -> Result<(), String> {
        let updates = links::updates(timesheet, &contents.to_link).map_err(|fault| fault.to_string())?;
        if progress.is_stopped() {
            return Err(CANCELLED.to_owned());
        }
        for update in updates {
            if progress.is_stopped() {
                return Err(CANCELLED.to_owned());
            }
            let done = self.store.update(&update).await;
            done.map_err(|fault| format!("its work logs could not be linked: {fault}"))?;
        }
        Ok(())
    }

    /// In one operation, and only while it is submitted: it never stands without a status, and one that
    /// was taken back meanwhile is left alone. With a variable, since sparql-parser makes a SELECT of the WHERE.
    async fn set_exported(&self, timesheet: &Iri) -> Result<(), String> {
        let (submitted, exported) = (Iri::known(status::SUBMITTED), Iri::known(status::EXPORTED));
        let update = format!(
            "{PREFIXES}DELETE {{ {timesheet} adms:status ?old }} INSERT {{ {timesheet} adms:status {exported} }}
             WHERE {{ VALUES ?old {{ {submitted} }} {timesheet} adms:status ?old }}"
        );
        let done = self.store.update(&update).await;
        done.map_err(|fault| format!("its status could not be set: {fault}"))
    }
}

/// How many work logs `timesheet` holds, if these are all that belong to it.
fn check(
    timesheet: &Iri,
    present: Result<&BTreeMap<Iri, Contents>, &TriplestoreFault>,
) -> Result<usize, String> {
    let present = present.map_err(|fault| format!("its work logs could not be read back: {fault}"))?;
    match present.get(timesheet) {
        Some(contents) if contents.to_link.is_empty() => Ok(contents.all.len()),
        contents => {
            let left = contents.map_or(0, |contents| contents.to_link.len());
            Err(format!("{left} of its work logs are not linked to it only; lock the month again"))
        }
    }
}

/// Whether the triplestore holds `timesheet` as exported, after it was `asked` to.
fn confirm(
    timesheet: &Iri,
    asked: Result<(), String>,
    sheets: Option<Result<&BTreeMap<Iri, Sheet>, &TriplestoreFault>>,
) -> Result<(), String> {
    let unknown = "whether it is exported could not be read back";
    let sheets = sheets.ok_or_else(|| format!("{unknown}: the lock was cancelled; lock the month again"))?;
    let sheets = sheets.map_err(|fault| format!("{unknown}: {fault}; lock the month again"))?;
    match sheets.get(timesheet).map(judge) {
        Some(Some(Outcome::ExportedBefore)) => Ok(()),
        Some(None) => asked.and(Err("its status was not stored; lock the month again".to_owned())),
        Some(Some(other)) => Err(format!("it changed meanwhile: {other}")),
        None => Err("it no longer exists".to_owned()),
    }
}

/// What becomes of a timesheet by its values alone; `None` if it is to be exported.
fn judge(sheet: &Sheet) -> Option<Outcome> {
    let mut statuses = sheet.statuses.iter().map(String::as_str);
    match (statuses.next(), statuses.next()) {
        (Some(status::SUBMITTED), None) if sheet.persons.is_empty() => {
            Some(Outcome::Failed("it has no person; add one (prov:wasAssociatedWith)".to_owned()))
        }
        (Some(status::SUBMITTED), None) => None,
        (Some(status::EXPORTED), None) => Some(Outcome::ExportedBefore),
        (Some(status::DRAFT), None) => Some(Outcome::Draft),
        (Some(status::ABSENCE_SUBMITTED), None) => Some(Outcome::AbsenceSubmitted),
        (Some(other), None) => Some(Outcome::UnknownStatus(format!("its status is <{other}>"))),
        (None, _) => Some(Outcome::UnknownStatus("it has no status".to_owned())),
        (Some(_), Some(_)) => {
            let statuses = sheet.statuses.iter().map(|status| format!("<{status}>"));
            let statuses = statuses.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ");
            let why = format!("it has several statuses; keep one: {statuses}");
            let matters = sheet.statuses.contains(status::SUBMITTED);
            Some(if matters { Outcome::Failed(why) } else { Outcome::UnknownStatus(why) })
        }
    }
}

#[cfg(test)]
mod tests;
