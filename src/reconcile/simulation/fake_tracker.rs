//! The fake Kimai: timesheets, what created them, and when one must not be deleted.

use jiff::civil::Date;
use rand::Rng;

use super::counting::{self, Counting};
use super::faults::Call;
use super::fixtures;
use super::history::{What, Who, short};
use super::profile::Profile;
use super::state::{Caller, State, Target};
use crate::domain::diff::ObservedEntry;
use crate::domain::ids::UserId;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, WorkLogUri};
use crate::trackers::TimeEntry;
use crate::trackers::kimai::fault;
use crate::trackers::{Operation, TrackerFault};

/// Who made a timesheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Maker {
    /// Somebody by hand.
    Hand,
    /// The service for the work log in this life, with the storage of that time.
    Service { work_log: WorkLogUri, life: u32, storage: u32 },
}

#[derive(Debug, Clone)]
pub(super) struct FakeTimesheet {
    pub(super) row: TimeEntry,
    /// The how-manieth it is.
    pub(super) number: u64,
    /// The day that Kimai books it on.
    pub(super) booked: Date,
    /// Whether the zone that stands in it is one of another day.
    away: bool,
    pub(super) maker: Maker,
    /// When it was made or last changed.
    pub(super) modified: i64,
    /// What it held when it was exported, and since when it is.
    pub(super) billed: Option<TimeEntry>,
    pub(super) exported_at: i64,
}

impl FakeTimesheet {
    /// Whether it was exported with something else than it holds now.
    pub(super) fn is_overwritten(&self) -> bool {
        let held = |row: &TimeEntry| ObservedEntry::from(row);
        self.billed.as_ref().is_some_and(|billed| held(billed) != held(&self.row))
    }

    pub(super) fn holds(&self, wanted: &DesiredEntry, counting: &Counting) -> bool {
        let row = &self.row;
        let (end, duration) = counting.of(wanted.begin, wanted.end, row.pause);
        row.begin == wanted.begin
            && row.end == Some(end)
            && row.duration == duration
            && row.project == Some(wanted.project)
            && row.activity == Some(wanted.activity)
            && row.user == Some(wanted.user)
    }
}

impl State {
    pub(super) fn create(
        &mut self,
        wanted: &DesiredEntry,
        caller: &Caller,
    ) -> Result<TimeEntry, TrackerFault> {
        self.validate(Operation::Create, wanted, caller)?;
        if let Some(rule) = self.wrongly_created(caller) {
            self.note(caller.who.clone(), What::Broken(rule));
        }
        let row = self.insert(wanted, caller);
        self.note(caller.who.clone(), What::Posted(row.id, *wanted));
        Ok(row)
    }

    fn insert(&mut self, wanted: &DesiredEntry, caller: &Caller) -> TimeEntry {
        let (id, number) = (self.profile.id(self.next_id, self.now), self.next_id);
        self.next_id += 1;
        let by_service = matches!(caller.who, Who::Run(..));
        let owner_away = counting::is_away(wanted.user);
        let away = if by_service { self.counting.token_away } else { owner_away };
        let row = self.row(id, wanted, 0, away);
        let booked = row.day;
        let maker = match &caller.who {
            Who::Run(_, work_log) => {
                let life = self.work_logs.get(work_log).map_or(0, |stand| stand.life);
                Maker::Service { work_log: work_log.clone(), life, storage: caller.storage }
            }
            _ => Maker::Hand,
        };
        let timesheet = FakeTimesheet {
            row: row.clone(),
            number,
            booked,
            away: owner_away,
            maker,
            modified: self.now,
            billed: None,
            exported_at: 0,
        };
        self.timesheets.insert(id, timesheet);
        row
    }

    /// Somebody books hours by hand.
    pub(super) fn book_by_hand(&mut self, wanted: &DesiredEntry, exported: bool) -> EntryId {
        let by_hand = Caller { who: Who::People, since: self.now, storage: self.storage, leave: true };
        let id = self.insert(wanted, &by_hand).id;
        if exported {
            self.export(id, true);
        }
        id
    }

    /// Somebody exports a timesheet, or takes that back.
    pub(super) fn export(&mut self, id: EntryId, exported: bool) {
        let Some(timesheet) = self.timesheets.get_mut(&id) else { return };
        if !exported && timesheet.is_overwritten() {
            // What was to be put back may be exported anew meanwhile, as it is.
            self.beyond_help.insert(id);
        }
        timesheet.row.exported = exported;
        timesheet.billed = exported.then(|| timesheet.row.clone());
        timesheet.exported_at = self.now;
        let touched = self.work_logs.iter().filter(|(_, stand)| stand.facts.entry_ids().contains(&id));
        self.touched_in_kimai.extend(touched.map(|(work_log, _)| (work_log.clone(), id)));
        if let Maker::Service { work_log, .. } = &timesheet.maker {
            self.touched_in_kimai.insert(work_log.clone(), id);
        }
        self.note(Who::People, What::Exported(id, exported));
    }

    /// `who` has seen, at `at`, how these are; at times somebody exports one right after.
    pub(super) fn looked(&mut self, who: &Who, at: i64, ids: &[EntryId]) {
        for id in ids {
            self.looks.insert((who.to_string(), *id), at);
        }
        if self.exports > 0 && *who != Who::People && self.rng.random_ratio(1, 12) {
            let first = ids
                .iter()
                .find(|id| self.timesheets.get(id).is_some_and(|timesheet| !timesheet.row.exported));
            if let Some(id) = first.copied() {
                self.export(id, true);
            }
        }
    }

    pub(super) fn update(
        &mut self,
        id: EntryId,
        wanted: &DesiredEntry,
        caller: &Caller,
    ) -> Result<TimeEntry, TrackerFault> {
        let Some(old) = self.timesheets.get(&id).cloned() else {
            return Err(Profile::gone(Operation::Update));
        };
        // The token's user can have hours too.
        let owner = if wanted.user == counting::SERVICE { UserId::number(1) } else { wanted.user };
        self.validate(Operation::Update, &DesiredEntry { user: owner, ..*wanted }, caller)?;
        let mut row = self.row(id, wanted, old.row.pause, old.away);
        row.exported = old.row.exported;
        // What nothing is changed of is not counted anew, nor is the day set while begin stays.
        if (wanted.begin, Some(wanted.end)) == (old.row.begin, old.row.end) {
            row.duration = old.row.duration;
        }
        if let Who::Run(_, work_log) = &caller.who {
            self.changing.insert(work_log.clone(), id);
        }
        if let Some(rule) = self.wrongly_changed(id, &old, caller) {
            self.note(caller.who.clone(), What::Broken(rule));
        }
        let booked = if row.begin == old.row.begin { old.booked } else { row.day };
        let (away, now) = (self.is_away(wanted.user), self.now);
        let billed = if caller.leave && row.exported { Some(row.clone()) } else { old.billed.clone() };
        if let Some(timesheet) = self.timesheets.get_mut(&id) {
            *timesheet = FakeTimesheet { row: row.clone(), booked, away, modified: now, billed, ..old };
        }
        self.touched_in_kimai.retain(|_, touched| *touched != id);
        self.touch(Target::Sheet(id));
        self.note(caller.who.clone(), What::Patched(id, *wanted));
        Ok(row)
    }

    /// Whether this user is in a zone of another day.
    fn is_away(&self, user: UserId) -> bool {
        if user == counting::SERVICE { self.counting.token_away } else { counting::is_away(user) }
    }

    /// The break of a timesheet is taken away, or Kimai has no such field.
    pub(super) fn end_break(&mut self, id: EntryId, caller: &Caller) -> Result<TimeEntry, TrackerFault> {
        let counting = self.counting;
        let Some(timesheet) = self.timesheets.get_mut(&id) else {
            return Err(Profile::gone(Operation::Update));
        };
        if counting.breaks_off {
            let body = br#"{"code":400,"message":"Validation Failed","errors":{"errors":
                ["This form should not contain extra fields."],"children":{}}}"#;
            return Err(fault::of_answer(Operation::Update, 400, None, body));
        }
        let row = &mut timesheet.row;
        row.pause = 0;
        if let Some(end) = row.end {
            let (end, duration) = counting.of(row.begin, end, 0);
            (row.end, row.duration) = (Some(end), duration);
        }
        let row = row.clone();
        timesheet.modified = self.now;
        if caller.leave && row.exported {
            timesheet.billed = Some(row.clone());
        }
        self.touch(Target::Sheet(id));
        self.note(caller.who.clone(), What::BreakEnded(id));
        Ok(row)
    }

    /// Somebody enters a break of half an hour, or another end.
    pub(super) fn edit_by_hand(&mut self, id: EntryId, with_break: bool) {
        let (now, counting) = (self.now, self.counting);
        let Some(FakeTimesheet { row, modified, billed, .. }) = self.timesheets.get_mut(&id) else { return };
        let Some(end) = row.end else { return };
        let end = if with_break {
            row.pause = if row.duration > 1_800 { 1_800 } else { 60 };
            end
        } else {
            row.begin + jiff::SignedDuration::from_mins(21)
        };
        let (end, duration) = counting.of(row.begin, end, row.pause);
        (row.end, row.duration, *modified) = (Some(end), duration, now);
        // What people change themselves is theirs to answer for.
        *billed = billed.is_some().then(|| row.clone());
    }

    fn row(&self, id: EntryId, wanted: &DesiredEntry, pause: i32, away: bool) -> TimeEntry {
        let DesiredEntry { begin, end, project, activity, user, .. } = *wanted;
        let (end, duration) = self.counting.of(begin, end, pause);
        TimeEntry {
            id,
            begin,
            day: counting::day(begin, away),
            end: Some(end),
            duration,
            pause,
            project: Some(project),
            activity: Some(activity),
            user: Some(user),
            exported: false,
            note: None,
        }
    }

    pub(super) fn delete(&mut self, id: EntryId, caller: &Caller) -> Result<(), TrackerFault> {
        let Some(timesheet) = self.timesheets.remove(&id) else {
            return Err(Profile::gone(Operation::Delete));
        };
        self.note(caller.who.clone(), What::Deleted(id));
        if let Some(rule) = self.wrongly_deleted(id, &timesheet, caller) {
            self.note(caller.who.clone(), What::Broken(rule));
        }
        Ok(())
    }

    /// Why nothing must be created: before the run began, a work log was linked to a timesheet whose id Kimai had given
    /// out again, and others are still linked to those that Kimai lost.
    fn wrongly_created(&self, caller: &Caller) -> Option<String> {
        let (Some((restored, ids)), Who::Run(_, own)) = (&self.reissued, &caller.who) else { return None };
        let is_for = |id: &EntryId, of: &WorkLogUri| {
            let maker = self.timesheets.get(id).map(|timesheet| &timesheet.maker);
            matches!(maker, Some(Maker::Service { work_log, .. }) if work_log == of)
        };
        let links = self.work_logs.iter().flat_map(|(work_log, stand)| {
            let links = stand.links.iter().filter(|(id, since)| ids.contains(id) && **since < caller.since);
            links.map(move |(id, since)| (work_log, id, since))
        });
        let (given_again, lost): (Vec<_>, Vec<_>) = links.partition(|(of, id, _)| is_for(id, of));
        let is_known = given_again.iter().any(|(.., since)| **since > *restored);
        let (of, id, _) = lost.into_iter().find(|(of, ..)| *of != own)?;
        is_known.then(|| {
            let name = short(of);
            format!("a timesheet was created although Kimai has lost timesheet {id} of work log {name}")
        })
    }

    /// Why the timesheet must not have been changed: Kimai has given its id to another work log's since it went back, and
    /// that one was linked to it before the run began.
    fn wrongly_changed(&self, id: EntryId, timesheet: &FakeTimesheet, caller: &Caller) -> Option<String> {
        let Who::Run(_, own) = &caller.who else { return None };
        let Maker::Service { work_log, life, .. } = &timesheet.maker else { return None };
        let stand = self.work_logs.get(work_log).filter(|stand| stand.is_live() && stand.life == *life)?;
        let linked = stand.links.get(&id).is_some_and(|since| *since < caller.since);
        (self.restored && own != work_log && linked).then(|| {
            format!("timesheet {id} was changed, which Kimai has made for work log {} since", short(work_log))
        })
    }

    /// Why the timesheet must not have been deleted. Whatever changed after the caller began to look is no
    /// fault of his.
    fn wrongly_deleted(&self, id: EntryId, timesheet: &FakeTimesheet, caller: &Caller) -> Option<String> {
        if caller.who == Who::People {
            return None;
        }
        // What was exported after the last look right before it could not be known.
        let looked = self.looks.get(&(caller.who.to_string(), id));
        let known = looked.is_none_or(|at| timesheet.exported_at < *at);
        if timesheet.row.exported && known && !caller.leave {
            return Some(format!("timesheet {id} was deleted although it is exported"));
        }
        for (work_log, stand) in &self.work_logs {
            if stand.links.get(&id).is_some_and(|since| *since < caller.since) {
                let name = short(work_log);
                return Some(format!("timesheet {id} was deleted although work log {name} is linked to it"));
            }
        }
        let Maker::Service { work_log, life, storage } = &timesheet.maker else { return None };
        let stand = self.work_logs.get(work_log).filter(|stand| stand.is_live() && stand.life == *life)?;
        let its_own = *storage == self.storage && stand.links.is_empty() && !stand.taken.contains(&id);
        (its_own && matches!(caller.who, Who::Sweep(_) | Who::Check(_))).then(|| {
            format!("timesheet {id} was deleted before work log {} could be linked to it", short(work_log))
        })
    }

    fn validate(
        &mut self,
        operation: Operation,
        wanted: &DesiredEntry,
        caller: &Caller,
    ) -> Result<(), TrackerFault> {
        if fixtures::kimai_takes(wanted) {
            return Ok(());
        }
        let call = if operation == Operation::Create { Call::Create } else { Call::Update };
        self.note(caller.who.clone(), What::Refused(call));
        let body = br#"{"code":400,"message":"Validation Failed","errors":{"children":{"project":{"errors":
            ["The selected choice is invalid."]}}}}"#;
        Err(fault::of_answer(operation, 400, None, body))
    }
}
