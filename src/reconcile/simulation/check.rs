//! Checks the guarantees, given only the world and its history.

use std::collections::{BTreeMap, BTreeSet};

use super::counting;
use super::engine::Engine;
use super::excuses::{Count, Excuses};
use super::fake_tracker::{FakeTimesheet, Maker};
use super::faults::{Call, Trouble};
use super::fixtures::{Due, due};
use super::history::{Event, History, What, Who, short};
use super::state::{Stand, State};
use crate::domain::intent::Intent;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{Code, EntryId, WorkLogUri};
use crate::queue::State as EntryState;
use crate::store::Queue;
use crate::store::ledger::Remembered;

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
    /// Exported timesheets that hold something else than when they were exported.
    pub(super) overwritten: Vec<String>,
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
        let overwritten = self.overwritten.iter().map(|what| format!("OVERWRITTEN: {what}"));
        lost.chain(self.doubled.iter().map(|what| format!("DOUBLED: {what}"))).chain(overwritten)
    }
}

/// Why a work log is parked.
pub(super) struct Parked {
    pub(super) why: String,
    code: Option<Code>,
}

impl Parked {
    fn is_exported(&self) -> bool {
        self.code == Some(Code::TimesheetExported)
    }
}

/// What the service says of itself.
pub(super) struct Service {
    /// What is parked, and why.
    pub(super) parked: BTreeMap<WorkLogUri, Parked>,
    /// Whose it takes each timesheet for.
    pub(super) owners: BTreeMap<EntryId, WorkLogUri>,
    /// What it was about to create, for which work log.
    pub(super) intents: Vec<(WorkLogUri, Intent)>,
    /// What it remembers of each work log.
    pub(super) remembered: BTreeMap<WorkLogUri, Remembered>,
}

impl Service {
    pub(super) async fn ask(engine: &Engine, ids: &[EntryId], work_logs: &[WorkLogUri]) -> Self {
        let owners = engine.ledger.owners(ids).await.expect("the ledger can be read");
        let parked = engine.queue.page(EntryState::Parked.into(), None, usize::MAX).await;
        let parked = parked.expect("the queue can be read").into_iter().map(|entry| {
            let why = entry.last_error.unwrap_or_default();
            (entry.work_log, Parked { why, code: entry.code })
        });
        let parked = parked.collect();
        let intents = engine.ledger.intents().await.expect("the ledger can be read");
        let remembered = engine.ledger.remembered(work_logs).await.expect("the ledger can be read");
        Self { parked, owners, intents, remembered }
    }
}

impl Service {
    /// Whether a work log that is linked to the timesheet is parked since an exported one stays as it is.
    fn keeps(&self, state: &State, id: EntryId) -> bool {
        let linked = state.subjects(&[id], |_, stand| !stand.is_live());
        linked.into_iter().any(|(_, work_log)| self.parked.get(&work_log).is_some_and(Parked::is_exported))
    }

    /// Whether the answer to a change of the timesheet was lost, and a work log is parked for that.
    fn reports(&self, state: &State, id: EntryId) -> bool {
        let linked = state.subjects(&[id], |_, _| true).into_iter().map(|(_, work_log)| work_log);
        let mut concerned = linked.chain(self.owners.get(&id).cloned());
        let is_parked = |work_log: WorkLogUri| self.parked.get(&work_log).is_some_and(Parked::is_exported);
        state.doubtful.contains(&id) && concerned.any(is_parked)
    }
}

/// Looks at everything.
pub(super) fn look(state: &State, service: &Service, look: Look) -> Found {
    let excuses = (look == Look::BeforeSweep).then_some(Excuses { state, service });
    let mut found = Found::default();
    look_at_work_logs(state, service, excuses.as_ref(), &mut found);
    look_at_sheets(state, service, excuses.as_ref(), &mut found);
    found
}

fn look_at_work_logs(state: &State, service: &Service, excuses: Option<&Excuses<'_>>, found: &mut Found) {
    for (work_log, stand) in &state.work_logs {
        found.seen += 1;
        let look = if excuses.is_some() { Look::BeforeSweep } else { Look::AfterSweep };
        let why = wrong(state, service, work_log, stand, look);
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

fn look_at_sheets(state: &State, service: &Service, excuses: Option<&Excuses<'_>>, found: &mut Found) {
    let mut owners: BTreeMap<EntryId, Vec<&WorkLogUri>> = BTreeMap::new();
    for (work_log, stand) in state.work_logs.iter().filter(|(_, stand)| stand.is_live()) {
        for id in stand.facts.entry_ids() {
            owners.entry(id).or_default().push(work_log);
        }
    }
    for (id, timesheet) in &state.timesheets {
        if timesheet.is_overwritten() && !state.beyond_help.contains(id) && !service.reports(state, *id) {
            found.overwritten.push(format!(
                "timesheet {id} holds {:?}, exported was {:?}",
                timesheet.row, timesheet.billed
            ));
        }
        let Maker::Service { work_log, .. } = &timesheet.maker else { continue };
        let (excuse, why) = match owners.get(id).map_or(&[][..], Vec::as_slice) {
            [_] => continue,
            // What is exported outlives its work log: that is promised.
            [] if timesheet.row.exported => continue,
            // So does what a deleted work log has beside it: they go together.
            [] if service.keeps(state, *id) => continue,
            // A triplestore that shows no work log at all is not believed: nothing is deleted then.
            [] if state.restored && !state.work_logs.values().any(Stand::is_live) => continue,
            [] => {
                let excuse = excuses.and_then(|excuses| excuses.of_sheet(*id, timesheet));
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
    let (mut broken, mut created) = (Vec::new(), BTreeSet::new());
    for Event { who, what, .. } in &history.events {
        let Who::Run(run, work_log) = who else { continue };
        match what {
            // An explanation that cannot be had costs nothing.
            // Nor can a list in which several are looked at: each is looked at alone then.
            What::Failed(Call::Choices | Call::Several, _) => {}
            // Nor the look whether Kimai has lost timesheets, after a creation: it is looked again.
            What::Failed(Call::Newest, _) if created.contains(run) => {}
            What::Posted(..) => {
                created.insert(*run);
            }
            What::Failed(_, trouble) if trouble.is_permanent() => {
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

/// Whether the day that is remembered was right until a backup of Kimai put another one in its place.
fn is_from_before(state: &State, remembered: &Remembered, timesheet: &FakeTimesheet) -> bool {
    let own = counting::day(timesheet.row.begin, false);
    let before = state.days_before.get(&remembered.id).filter(|before| **before != timesheet.booked);
    before
        .is_some_and(|before| Some(before.since(own).expect("they are near").get_days()) == remembered.shift)
}

/// What is remembered of the timesheet `id`, if it is of the one that is there.
fn told<'a>(
    state: &State,
    remembered: Option<&'a Remembered>,
    id: EntryId,
    timesheet: &FakeTimesheet,
) -> Option<&'a Remembered> {
    remembered.filter(|last| last.id == id && !is_from_before(state, last, timesheet))
}

/// Whether the day that Kimai books it on is another than what is remembered of it, or than its own although that is
/// remembered. What nobody was told cannot be put right.
fn off_day(
    timesheet: &FakeTimesheet,
    wanted: &DesiredEntry,
    remembered: Option<&Remembered>,
    look: Look,
) -> Option<String> {
    let own = counting::day(wanted.begin, false);
    let off = timesheet.booked.since(own).expect("they are near").get_days();
    let known = remembered?.shift?;
    // What is created while the token's zone is wrong is put right by a sweep.
    let open = off != 0 && look != Look::BeforeSweep;
    (known != off || open).then(|| {
        format!("is booked on {} instead of {own}, and {known} days off are remembered", timesheet.booked)
    })
}

/// Why this work log is not as it should be, if it is not.
///
/// An exported timesheet that holds something else than its work log says is right as it is: then the work log is
/// parked, and its code says so; that is promised, not excused. So is one whose work log is deleted.
fn wrong(
    state: &State,
    service: &Service,
    work_log: &WorkLogUri,
    stand: &Stand,
    look: Look,
) -> Option<String> {
    let (ids, parked) = (stand.facts.entry_ids(), service.parked.get(work_log));
    let remembered = service.remembered.get(work_log);
    let exported = |id: &EntryId| state.timesheets.get(id).is_some_and(|timesheet| timesheet.row.exported);
    let is_exported = parked.is_some_and(Parked::is_exported);
    match due(&stand.facts) {
        Due::Nothing => {
            let remembered = service.owners.iter().filter(|(_, owner)| *owner == work_log).map(|(id, _)| id);
            let kept = ids.iter().chain(remembered).any(exported);
            match parked {
                Some(_) if is_exported && kept => None,
                Some(Parked { why, .. }) => Some(format!("is gone, yet parked: {why}")),
                None => {
                    let shared =
                        |id: &EntryId| !state.subjects(&[*id], |_, stand| stand.is_live()).is_empty();
                    let left = ids.iter().find(|id| exported(id) && !shared(id))?;
                    Some(format!("is gone, and should be parked since timesheet {left} is exported"))
                }
            }
        }
        Due::Parked(reason) => match parked {
            None => Some(format!("should be parked since: {reason}")),
            // Kimai is not asked whether it would take what is not sent.
            Some(_) if is_exported && ids.iter().any(exported) => None,
            Some(Parked { why, .. }) => {
                (!why.contains(reason)).then(|| format!("is parked since: {why}; but should be: {reason}"))
            }
        },
        Due::Sheet(wanted) => {
            let holds = |id: &EntryId| {
                state.timesheets.get(id).is_some_and(|timesheet| {
                    timesheet.row.pause == 0 && timesheet.holds(&wanted, &state.counting)
                })
            };
            let kept = ids.iter().any(|id| exported(id) && !holds(id));
            // After a lost answer, and where it is not known that Kimai rounded, somebody has to look whatever it holds.
            match parked {
                Some(_) if is_exported && ids.iter().any(exported) => return None,
                None if kept => return Some("should be parked since its timesheet is exported".to_owned()),
                _ => {}
            }
            let timesheet = if let [id] = ids.as_slice() { state.timesheets.get(id) } else { None };
            let amiss = timesheet.and_then(|timesheet| state.counting.amiss(timesheet, &wanted));
            let own = counting::day(wanted.begin, false);
            let booked_off =
                look == Look::BeforeSweep && timesheet.is_some_and(|timesheet| timesheet.booked != own);
            match (parked, amiss) {
                // The token's zone was wrong when it was tried.
                (Some(why), None) if booked_off && why.why.contains("in its reports") => {}
                (Some(Parked { why, .. }), None) => return Some(format!("is complete, yet parked: {why}")),
                (None, Some(reason)) => return Some(format!("should be parked since: {reason}")),
                (Some(Parked { why, .. }), Some(reason)) if !why.contains(reason) => {
                    return Some(format!("is parked since: {why}; but should be: {reason}"));
                }
                _ => {}
            }
            let [id] = ids.as_slice() else { return Some(format!("is linked to {ids:?}")) };
            match timesheet {
                None => Some(format!("is linked to timesheet {id}, which is gone")),
                Some(timesheet) if timesheet.row.pause != 0 && amiss.is_none() => {
                    Some(format!("has a break in timesheet {id}"))
                }
                Some(timesheet) if !timesheet.holds(&wanted, &state.counting) => {
                    Some(format!("should have {wanted:?}, has {:?}", timesheet.row))
                }
                // The day of what is exported stays as it is too.
                Some(timesheet) if timesheet.row.exported => None,
                // Kimai tells the day in the answer to a change only: of one that came too late nobody is told.
                Some(_) if state.overtaken.contains(work_log) => None,
                Some(timesheet) => off_day(timesheet, &wanted, told(state, remembered, *id, timesheet), look),
            }
        }
    }
}
