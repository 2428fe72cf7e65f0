//! Kimai's half of the truth: timesheets, who made them, and when one must not be deleted.

use super::faults::Call;
use super::history::{What, Who, short};
use super::land;
use super::state::{Caller, State, Target};
use crate::domain::timesheet::WantedTimesheet;
use crate::domain::{KimaiId, WorkLogUri};
use crate::kimai::{KimaiFault, Operation, Timesheet};

const NOT_FOUND: &[u8] = br#"{"code":404,"message":"Not Found"}"#;

/// Who made a timesheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Maker {
    /// Somebody by hand.
    Hand,
    /// The service for the work log in this life, with the storage of that time.
    Service { work_log: WorkLogUri, life: u32, storage: u32 },
}

#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) row: Timesheet,
    pub(super) maker: Maker,
    /// When it was made or last changed.
    pub(super) modified: i64,
}

impl Sheet {
    pub(super) fn holds(&self, wanted: &WantedTimesheet) -> bool {
        let row = &self.row;
        row.begin == wanted.begin
            && row.end == Some(wanted.end)
            && row.project == Some(wanted.project)
            && row.activity == Some(wanted.activity)
            && row.user == Some(wanted.user)
    }
}

impl State {
    pub(super) fn create(
        &mut self,
        wanted: &WantedTimesheet,
        caller: &Caller,
    ) -> Result<Timesheet, KimaiFault> {
        self.validate(Operation::Create, wanted, caller)?;
        let row = self.insert(wanted, caller);
        self.note(caller.who.clone(), What::Posted(row.id, *wanted));
        Ok(row)
    }

    fn insert(&mut self, wanted: &WantedTimesheet, caller: &Caller) -> Timesheet {
        let id = KimaiId(self.next_id);
        self.next_id += 1;
        let row = row(id, wanted);
        let maker = match &caller.who {
            Who::Run(_, work_log) => {
                let life = self.work_logs.get(work_log).map_or(0, |stand| stand.life);
                Maker::Service { work_log: work_log.clone(), life, storage: caller.storage }
            }
            _ => Maker::Hand,
        };
        self.sheets.insert(id, Sheet { row: row.clone(), maker, modified: self.now });
        row
    }

    /// Somebody books hours by hand.
    pub(super) fn book_by_hand(&mut self, wanted: &WantedTimesheet, exported: bool) -> KimaiId {
        let by_hand = Caller { who: Who::People, since: self.now, storage: self.storage };
        let id = self.insert(wanted, &by_hand).id;
        if let Some(sheet) = self.sheets.get_mut(&id) {
            sheet.row.exported = exported;
        }
        id
    }

    pub(super) fn update(
        &mut self,
        id: KimaiId,
        wanted: &WantedTimesheet,
        caller: &Caller,
    ) -> Result<Timesheet, KimaiFault> {
        if !self.sheets.contains_key(&id) {
            return Err(KimaiFault::from_answer(Operation::Update, 404, None, NOT_FOUND));
        }
        self.validate(Operation::Update, wanted, caller)?;
        let row = row(id, wanted);
        if let Some(sheet) = self.sheets.get_mut(&id) {
            sheet.row = Timesheet { exported: sheet.row.exported, ..row.clone() };
            sheet.modified = self.now;
        }
        self.touched_in_kimai.retain(|_, touched| *touched != id);
        self.touch(Target::Sheet(id));
        self.note(caller.who.clone(), What::Patched(id, *wanted));
        Ok(row)
    }

    pub(super) fn delete(&mut self, id: KimaiId, caller: &Caller) -> Result<(), KimaiFault> {
        let Some(sheet) = self.sheets.remove(&id) else {
            return Err(KimaiFault::from_answer(Operation::Delete, 404, None, NOT_FOUND));
        };
        self.note(caller.who.clone(), What::Deleted(id));
        if let Some(rule) = self.wrongly_deleted(id, &sheet, caller) {
            self.note(caller.who.clone(), What::Broken(rule));
        }
        Ok(())
    }

    /// Why the timesheet must not have been deleted. Whatever changed after the caller began to look is no
    /// fault of his.
    fn wrongly_deleted(&self, id: KimaiId, sheet: &Sheet, caller: &Caller) -> Option<String> {
        if caller.who == Who::People {
            return None;
        }
        if sheet.row.exported && matches!(caller.who, Who::Sweep(_)) {
            return Some(format!("timesheet {id} was deleted although it is exported"));
        }
        for (work_log, stand) in &self.work_logs {
            if stand.links.get(&id).is_some_and(|since| *since < caller.since) {
                let name = short(work_log);
                return Some(format!("timesheet {id} was deleted although work log {name} is linked to it"));
            }
        }
        let Maker::Service { work_log, life, storage } = &sheet.maker else { return None };
        let stand = self.work_logs.get(work_log).filter(|stand| stand.is_live() && stand.life == *life)?;
        let its_own = *storage == self.storage && stand.links.is_empty();
        (its_own && matches!(caller.who, Who::Sweep(_) | Who::Check(_))).then(|| {
            format!("timesheet {id} was deleted before work log {} could be linked to it", short(work_log))
        })
    }

    fn validate(
        &mut self,
        operation: Operation,
        wanted: &WantedTimesheet,
        caller: &Caller,
    ) -> Result<(), KimaiFault> {
        if land::kimai_takes(wanted) {
            return Ok(());
        }
        let call = if operation == Operation::Create { Call::Create } else { Call::Update };
        self.note(caller.who.clone(), What::Refused(call));
        let body = br#"{"code":400,"message":"Validation Failed","errors":{"children":{"project":{"errors":
            ["The selected choice is invalid."]}}}}"#;
        Err(KimaiFault::from_answer(operation, 400, None, body))
    }
}

fn row(id: KimaiId, wanted: &WantedTimesheet) -> Timesheet {
    let WantedTimesheet { begin, end, project, activity, user } = *wanted;
    Timesheet {
        id,
        begin,
        end: Some(end),
        project: Some(project),
        activity: Some(activity),
        user: Some(user),
        exported: false,
    }
}
