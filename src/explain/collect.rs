//! Collects the data for an explanation. Decides nothing.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::format::differences;
use super::lookup::within;
use super::verdict::Verdict;
use super::{
    Answer, Done, Explanation, Held, Holds, Memory, Names, Person, Subject, Task, Told, Waiting, Witnesses,
};
use crate::domain::diff::ObservedEntry;
use crate::domain::hours;
use crate::domain::ids::IdSyntax;
use crate::domain::plan::is_left_over;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::{Directory, Facts, Kind, resolve};
use crate::domain::{EntryId, WorkLogUri};
use crate::queue::Entry;
use crate::store::LedgerFault;
use crate::trackers::TimeEntry;
use crate::trackers::kimai::Choices;
use crate::work_logs::SourceFault;

/// The most timesheets in one explanation. A work log normally has one.
const MOST_TIMESHEETS: usize = 5;

/// All data, without a verdict yet.
pub(super) async fn explanation(witnesses: &Witnesses, work_log: &WorkLogUri) -> Explanation {
    let entry = witnesses.queue.entry(work_log).await.ok().flatten().as_ref().map(waiting);
    let memory = memory(witnesses, work_log).await;
    let memory = memory.unwrap_or_else(|fault| Answer::Unknown { error: fault.to_string() });
    let history = witnesses.queue.history(work_log).await.map(|attempts| {
        let done = |attempt: crate::queue::Attempt| Done {
            at: attempt.at,
            result: attempt.result,
            message: attempt.message,
            code: attempt.code,
        };
        attempts.into_iter().map(done).collect()
    });
    let triplestore = within(told(witnesses, work_log)).await;
    let remembered = memory.known().copied().unwrap_or_default();
    let ids = ids(triplestore.known(), &remembered, witnesses.kimai.capabilities().syntax);
    let wanted = triplestore.known().and_then(|told| told.wanted);
    let looks = ids.iter().map(|(id, linked)| held(witnesses, *id, *linked, wanted, &remembered));
    let looks = futures_util::future::join_all(looks);
    let (sharing, timesheets) = tokio::join!(sharing(witnesses, work_log, &ids), looks);
    Explanation {
        work_log: work_log.clone(),
        verdict: Verdict::Unclear,
        says: String::new(),
        code: None,
        help: Vec::new(),
        triplestore,
        timesheets,
        entry,
        memory,
        history: history.into(),
        sharing,
    }
}

fn waiting(entry: &Entry) -> Waiting {
    Waiting {
        state: entry.state,
        due: entry.due,
        reason: entry.reason,
        attempts: entry.attempts,
        last_error: entry.last_error.clone(),
        code: entry.code,
        since: entry.since,
    }
}

async fn memory(witnesses: &Witnesses, work_log: &WorkLogUri) -> Result<Answer<Memory>, LedgerFault> {
    let recalled = witnesses.ledger.recall(work_log).await?;
    let intent = witnesses.ledger.intent(work_log).await?;
    Ok(Answer::Known(Memory {
        timesheet: recalled.linked,
        link_unwritten: recalled.unwritten,
        pushed: recalled.pushed,
        held: recalled.held,
        days_off: recalled.shift,
        creating_since: intent.map(|intent| intent.started_at),
        removed: recalled.removed,
    }))
}

async fn told(witnesses: &Witnesses, work_log: &WorkLogUri) -> Result<Told, SourceFault> {
    let facts = witnesses.work_logs.facts(work_log).await?;
    let recalled = witnesses.ledger.recall(work_log).await.unwrap_or_default();
    let kind = match facts.kind(work_log) {
        Kind::WorkLog => Subject::WorkLog,
        Kind::Tombstone => Subject::LeftOver,
        Kind::Absent => Subject::Absent,
        Kind::Other if is_left_over(work_log, &facts, &recalled) => Subject::LeftOver,
        Kind::Other => return Ok(Told { kind: Subject::Other, ..Told::default() }),
    };
    let directory = match kind {
        Subject::WorkLog => witnesses.work_logs.directory(&[&facts]).await?,
        _ => Directory::default(),
    };
    Ok(Told { kind, ..describe(witnesses, facts, &directory, kind) })
}

fn describe(witnesses: &Witnesses, facts: Facts, directory: &Directory, kind: Subject) -> Told {
    let mut told = Told::default();
    if kind == Subject::WorkLog {
        match resolve(&facts, directory) {
            Err(obstacles) => told.obstacles = obstacles,
            Ok(work_log) => {
                told.complaints.extend(
                    work_log
                        .doubled
                        .iter()
                        .map(|what| format!("it has several values for: {what}; the smallest is used")),
                );
                match DesiredEntry::of(&work_log, witnesses.clock.zone()) {
                    Ok(wanted) => told.wanted = Some(wanted),
                    Err(obstacle) => told.obstacles.push(obstacle),
                }
            }
        }
    }
    told.complaints.extend(told.obstacles.iter().map(ToString::to_string));
    let no_id = |text: &&String| EntryId::parse(text, facts.syntax).is_err();
    told.complaints.extend(
        facts.identifiers.iter().filter(no_id).map(|text| format!("its link '{text}' is not a timesheet ID")),
    );
    let task = |iri: String| {
        let known = directory.tasks.get(&iri).cloned().unwrap_or_default();
        let activities = if known.is_activity { known.identifiers.into_iter().collect() } else { Vec::new() };
        Task { iri, name: known.label, activities, projects: known.project_identifiers.into_iter().collect() }
    };
    let person = |iri: String| {
        let known = directory.persons.get(&iri).cloned().unwrap_or_default();
        Person { iri, name: known.name, accounts: known.account_identifiers.into_iter().collect() }
    };
    Told {
        days: facts.days.into_iter().collect(),
        durations: facts.durations.into_iter().collect(),
        tasks: facts.tasks.into_iter().map(task).collect(),
        persons: facts.persons.into_iter().map(person).collect(),
        identifiers: facts.identifiers.into_iter().collect(),
        ..told
    }
}

/// The related timesheets and whether the triplestore links to them: its own first, with the same order of authority as
/// [`crate::domain::plan`].
fn ids(told: Option<&Told>, memory: &Memory, syntax: IdSyntax) -> Vec<(EntryId, bool)> {
    let linked: BTreeSet<EntryId> = syntax
        .read_all(told.into_iter().flat_map(|told| &told.identifiers))
        .into_iter()
        .map(EntryId::from)
        .collect();
    let ours = memory.timesheet.filter(|id| memory.link_unwritten || linked.contains(id));
    let rest = linked.iter().copied().chain(memory.timesheet).filter(|id| Some(*id) != ours);
    let all = ours.into_iter().chain(rest).take(MOST_TIMESHEETS);
    all.map(|id| (id, linked.contains(&id))).collect()
}

/// Other work logs that are linked to these. An error is ignored, since it is reported elsewhere.
async fn sharing(witnesses: &Witnesses, work_log: &WorkLogUri, ids: &[(EntryId, bool)]) -> Vec<WorkLogUri> {
    let ids: Vec<EntryId> = ids.iter().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let linked = within(witnesses.work_logs.linked(&ids)).await;
    let others: BTreeSet<WorkLogUri> =
        linked.known().into_iter().flat_map(|linked| linked.values().flatten()).cloned().collect();
    others.into_iter().filter(|other| other != work_log).collect()
}

async fn held(
    witnesses: &Witnesses,
    id: EntryId,
    linked: bool,
    wanted: Option<DesiredEntry>,
    memory: &Memory,
) -> Held {
    let mut code = None;
    let look = async { witnesses.kimai.timesheet(id).await.inspect_err(|fault| code = Some(fault.code)) };
    let seen = within(look).await;
    let kimai = match seen {
        Answer::Unknown { error } => Answer::Unknown { error },
        Answer::Known(None) => Answer::Known(None),
        Answer::Known(Some(timesheet)) => Answer::Known(Some(holds(witnesses, &timesheet).await)),
    };
    let zone = witnesses.clock.zone();
    let (mut differing, mut rounding) = (Vec::new(), None);
    if let (Some(Some(holds)), Some(wanted)) = (kimai.known(), wanted) {
        // Kimai may round the values; that is not a difference.
        if !answered(id, holds.found, wanted, memory) {
            differing = differences(&holds.found, &wanted, &holds.names, zone);
        }
        if differing.is_empty() {
            rounding = hours::rounding(&holds.found, &wanted);
        }
        differing.extend(other_day(id, &wanted, memory, zone));
    }
    Held { id, linked, kimai, code, differences: differing, rounding }
}

/// The clause if Kimai's reports show it on another day, which only the answer to a change contains.
fn other_day(id: EntryId, wanted: &DesiredEntry, memory: &Memory, zone: &TimeZone) -> Option<String> {
    let off = memory.days_off.filter(|off| *off != 0 && memory.timesheet == Some(id))?;
    let day = wanted.day(zone);
    let booked = day.checked_add(jiff::ToSpan::days(off)).ok()?;
    Some(format!("day: {booked} in Kimai's reports, {day} in the work log"))
}

/// Whether it still has exactly what Kimai stored for the values last sent.
fn answered(id: EntryId, found: ObservedEntry, wanted: DesiredEntry, memory: &Memory) -> bool {
    memory.timesheet == Some(id) && found.is_answer_to(&wanted, memory.pushed.as_ref(), memory.held.as_ref())
}

pub(super) async fn holds(witnesses: &Witnesses, timesheet: &TimeEntry) -> Holds {
    let found = ObservedEntry::from(timesheet);
    let names = match found.whole() {
        Some(chosen) => within(witnesses.kimai.choices(&chosen)).await.known().map(names).unwrap_or_default(),
        None => Names::default(),
    };
    Holds { found, exported: timesheet.exported, names }
}

fn names(choices: &Choices) -> Names {
    Names {
        project: choices.project.as_ref().map(|project| project.name.clone()),
        customer: choices.customer.as_ref().map(|customer| customer.name.clone()),
        activity: choices.activity.as_ref().map(|activity| activity.name.clone()),
        user: choices.user.as_ref().map(|user| user.username.clone()),
    }
}
