//! The promise, checked from the world and its history alone.

use std::collections::BTreeMap;

use super::counting;
use super::engine::Engine;
use super::excuses::{Count, Excuses};
use super::faults::{Call, Trouble};
use super::history::{Event, History, What, Who, short};
use super::land::{Due, due};
use super::sheets::{Maker, Sheet};
use super::state::{Stand, State};
use crate::domain::intent::Intent;
use crate::domain::timesheet::WantedTimesheet;
use crate::domain::{KimaiId, WorkLogUri};
use crate::queue::Queue;
use crate::reconcile::ledger::Remembered;

/// How strict to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "each says which sweep it means")]
pub(super) enum Look {
    /// All is quiet, but no sweep has put right what no delta told.
    BeforeSweep,
    /// The last sweep is through, and all is quiet again.
    AfterSweep,
    /// And once more.
    AfterSecondSweep,
}

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Work logs whose timesheet is not what it should be.
    pub(super) lost: Vec<String>,
    /// Timesheets too many.
    pub(super) doubled: Vec<String>,
    /// Work logs looked at, and of those the ones the promise does not cover yet.
    pub(super) seen: u64,
    pub(super) excused: Count,
    /// Of those that were not covered, the ones that were wrong.
    pub(super) wrong: Count,
    /// Timesheets too many that the promise does not cover yet.
    pub(super) left: Count,
    /// Links that stand under deleted work logs, to timesheets that are gone too.
    pub(super) remnants: u64,
}

impl Found {
    pub(super) fn rules(&self) -> impl Iterator<Item = String> {
        let lost = self.lost.iter().map(|what| format!("LOST: {what}"));
        lost.chain(self.doubled.iter().map(|what| format!("DOUBLED: {what}")))
    }
}

/// What the service says of itself.
pub(super) struct Service {
    /// What is parked, and why.
    pub(super) parked: BTreeMap<WorkLogUri, String>,
    /// Whose it takes each timesheet for.
    pub(super) owners: BTreeMap<KimaiId, WorkLogUri>,
    /// What it was about to create, for which work log.
    pub(super) intents: Vec<(WorkLogUri, Intent)>,
    /// What it remembers of each work log.
    pub(super) remembered: BTreeMap<WorkLogUri, Remembered>,
}

impl Service {
    pub(super) async fn ask(engine: &Engine, ids: &[KimaiId], work_logs: &[WorkLogUri]) -> Self {
        let owners = engine.ledger.owners(ids).await.expect("the ledger can be read");
        let parked = engine.queue.parked().await.expect("the queue can be read").into_iter().collect();
        let intents = engine.ledger.intents().await.expect("the ledger can be read");
        let remembered = engine.ledger.remembered(work_logs).await.expect("the ledger can be read");
        Self { parked, owners, intents, remembered }
    }
}

/// Looks at everything.
pub(super) fn look(state: &State, service: &Service, look: Look) -> Found {
    let excuses = (look == Look::BeforeSweep).then_some(Excuses { state, service });
    let mut found = Found::default();
    look_at_work_logs(state, service, excuses.as_ref(), &mut found);
    look_at_sheets(state, excuses.as_ref(), &mut found);
    found
}

fn look_at_work_logs(state: &State, service: &Service, excuses: Option<&Excuses<'_>>, found: &mut Found) {
    for (work_log, stand) in &state.work_logs {
        found.seen += 1;
        let look = if excuses.is_some() { Look::BeforeSweep } else { Look::AfterSweep };
        let why = wrong(state, stand, service.parked.get(work_log), service.remembered.get(work_log), look);
        if let Some(excuse) = excuses.and_then(|excuses| excuses.of_work_log(work_log)) {
            found.excused.add(excuse);
            if why.is_some() {
                found.wrong.add(excuse);
            }
            continue;
        }
        found.lost.extend(why.map(|why| format!("work log {} {why}", short(work_log))));
        found.remnants += u64::from(!stand.is_live() && !stand.facts.identifiers.is_empty());
    }
}

fn look_at_sheets(state: &State, excuses: Option<&Excuses<'_>>, found: &mut Found) {
    let mut owners: BTreeMap<KimaiId, Vec<&WorkLogUri>> = BTreeMap::new();
    for (work_log, stand) in state.work_logs.iter().filter(|(_, stand)| stand.is_live()) {
        for id in stand.facts.kimai_ids() {
            owners.entry(id).or_default().push(work_log);
        }
    }
    for (id, sheet) in &state.sheets {
        let Maker::Service { work_log, .. } = &sheet.maker else { continue };
        let (excuse, why) = match owners.get(id).map_or(&[][..], Vec::as_slice) {
            [_] => continue,
            [] => {
                let excuse = excuses.and_then(|excuses| excuses.of_sheet(*id, sheet));
                (excuse, format!("timesheet {id}, made for {}, has no work log", short(work_log)))
            }
            sharing @ [first, second, ..] => {
                let excuse = excuses.and_then(|excuses| excuses.of_shared(sharing));
                (excuse, format!("timesheet {id} belongs to both {} and {}", short(first), short(second)))
            }
        };
        match excuse {
            Some(excuse) => found.left.add(excuse),
            None => found.doubled.push(why),
        }
    }
}

/// Runs that met with a fault that only a change can help, and did not keep their work log aside.
pub(super) fn not_kept_aside(history: &History) -> Vec<String> {
    let mut refused: BTreeMap<u64, Trouble> = BTreeMap::new();
    let mut broken = Vec::new();
    for Event { who, what, .. } in &history.events {
        let Who::Run(run, work_log) = who else { continue };
        match what {
            // An explanation that cannot be had costs nothing.
            What::Failed(call, trouble) if trouble.is_permanent() && *call != Call::Choices => {
                refused.insert(*run, *trouble);
            }
            // The link of what was refused could not be written: that is tried again.
            What::Failed(Call::Link | Call::Unlink | Call::Facts, _) => {
                refused.remove(run);
            }
            // The same, where another run wrote it along with its own.
            What::Settled("later", Some(why)) if why.starts_with("the triplestore") => {
                refused.remove(run);
            }
            What::Settled(outcome, _) => {
                if let Some(trouble) = refused.remove(run).filter(|_| *outcome != "parked") {
                    let work_log = short(work_log);
                    broken.push(format!("run {run} of {work_log} met with {trouble:?} and ended: {outcome}"));
                }
            }
            _ => {}
        }
    }
    broken
}

/// Whether the day that Kimai books it on is another than what is remembered of it, or than its own although that is
/// remembered. What nobody was told cannot be put right.
fn off_day(
    sheet: &Sheet,
    wanted: &WantedTimesheet,
    remembered: Option<&Remembered>,
    look: Look,
) -> Option<String> {
    let own = counting::day(wanted.begin, false);
    let off = sheet.booked.since(own).expect("they are near").get_days();
    let known = remembered?.shift?;
    // What is created while the token's zone is wrong is put right by a sweep.
    let open = off != 0 && look != Look::BeforeSweep;
    (known != off || open).then(|| {
        format!("is booked on {} instead of {own}, and {known} days off are remembered", sheet.booked)
    })
}

/// Why this work log is not as it should be, if it is not.
fn wrong(
    state: &State,
    stand: &Stand,
    parked: Option<&String>,
    remembered: Option<&Remembered>,
    look: Look,
) -> Option<String> {
    let ids = stand.facts.kimai_ids();
    match due(&stand.facts) {
        Due::Nothing => parked.map(|why| format!("is gone, yet parked: {why}")),
        Due::Parked(reason) => match parked {
            None => Some(format!("should be parked since: {reason}")),
            Some(why) => {
                (!why.contains(reason)).then(|| format!("is parked since: {why}; but should be: {reason}"))
            }
        },
        Due::Sheet(wanted) => {
            let sheet = if let [id] = ids.as_slice() { state.sheets.get(id) } else { None };
            let amiss = sheet.and_then(|sheet| state.counting.amiss(sheet, &wanted));
            let own = counting::day(wanted.begin, false);
            let booked_off = look == Look::BeforeSweep && sheet.is_some_and(|sheet| sheet.booked != own);
            match (parked, amiss) {
                // The token's zone was wrong when it was tried.
                (Some(why), None) if booked_off && why.contains("in its reports") => {}
                (Some(why), None) => return Some(format!("is complete, yet parked: {why}")),
                (None, Some(reason)) => return Some(format!("should be parked since: {reason}")),
                (Some(why), Some(reason)) if !why.contains(reason) => {
                    return Some(format!("is parked since: {why}; but should be: {reason}"));
                }
                _ => {}
            }
            let [id] = ids.as_slice() else { return Some(format!("is linked to {ids:?}")) };
            match sheet {
                None => Some(format!("is linked to timesheet {id}, which is gone")),
                Some(sheet) if sheet.row.pause != 0 && amiss.is_none() => {
                    Some(format!("has a break in timesheet {id}"))
                }
                Some(sheet) if !sheet.holds(&wanted, &state.counting) => {
                    Some(format!("should have {wanted:?}, has {:?}", sheet.row))
                }
                Some(sheet) => off_day(sheet, &wanted, remembered.filter(|last| last.id == *id), look),
            }
        }
    }
}
