//! The queue's logic: a pure state machine over entries, with time as a parameter.
//!
//! Changes are made in transactions: an entry that one has touched is not leased until [`StateMachine::ended`] says
//! whether the change is on disk. If it is not, the change is rolled back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::entry::{Counts, Entry, Filter, Lease, Outcome, Reason};
use super::entry_state::{Again, EntryState, Phase, Request, Row, show};
use super::fair_schedule::{FairSchedule, Turn};
use crate::domain::{Code, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};

/// All entries, by work log, by their order and by the end of their lease. Operations take logarithmic time.
#[derive(Debug, Default)]
pub(crate) struct StateMachine {
    entries: BTreeMap<WorkLogUri, EntryState>,
    /// Waiting entries; `turn` keeps equal due times in order of arrival.
    schedule: FairSchedule,
    /// Running entries, by the end of their lease.
    by_expiry: BTreeSet<(Timestamp, WorkLogUri)>,
    /// The previous state of what this transaction changed. None of it is in `schedule` or `by_expiry`.
    touched: HashMap<WorkLogUri, Option<EntryState>>,
    /// Leases to be given back once this transaction has ended.
    returned: Vec<(WorkLogUri, u64, Timestamp)>,
    turn: u64,
    /// The number of the last lease.
    leases: u64,
}

/// An entry whose lease was completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Completed {
    /// When the change was requested that the run reconciled.
    pub(crate) asked: Timestamp,
    /// Why it ran.
    pub(crate) reason: Reason,
    /// Whether a delta had removed the work log's class.
    pub(crate) removed: bool,
    /// Whether it will not run again automatically.
    pub(crate) ended: bool,
}

impl StateMachine {
    /// Makes `work_log` due as requested, or keeps an earlier time. A change resets the failed attempts, so that parked
    /// and delayed entries start over. A fresh entry stays fresh until it has run; a parked one has run.
    pub(crate) fn put(&mut self, work_log: &WorkLogUri, request: Request) {
        let Request { reason, removed, overwrite, due, now } = request;
        self.touch(work_log);
        let turn = self.next_turn();
        let entry = self.entries.entry(work_log.clone()).or_insert(EntryState {
            phase: Phase::Parked,
            attempts: 0,
            reason,
            why: None,
            code: None,
            removed: false,
            overwrite: false,
            since: now,
            asked: now,
        });
        entry.attempts = 0;
        let parked = matches!(entry.phase, Phase::Parked);
        if parked {
            entry.asked = now;
        }
        entry.reason = if parked { reason } else { entry.reason.joined(reason) };
        match &mut entry.phase {
            Phase::Running { again, .. } if !mutated(Mutant::TwoRuns) => {
                let before = again.unwrap_or(Again { due, removed: false, overwrite: false, asked: now });
                let (removed, overwrite) = (before.removed || removed, before.overwrite || overwrite);
                *again = Some(Again { due: before.due.min(due), removed, overwrite, ..before });
            }
            Phase::Waiting { due: earlier, .. } if *earlier <= due => {
                entry.removed |= removed;
                entry.overwrite |= overwrite;
            }
            Phase::Parked if !entry.since.eq(&now) && mutated(Mutant::ParkedSleepsOn) => {}
            phase => {
                *phase = Phase::Waiting { due, turn };
                entry.removed |= removed;
                entry.overwrite |= overwrite;
            }
        }
    }

    /// Builds the state from the stored rows. All at once: much faster than one after the other.
    pub(crate) fn of(rows: Vec<(WorkLogUri, Row)>) -> Self {
        let keep = |(turn, (work_log, row)): (u64, (WorkLogUri, Row))| {
            let Row { due, reason, attempts, why, code, removed, overwrite, since } = row;
            let phase = due.map_or(Phase::Parked, |due| Phase::Waiting { due, turn });
            // An entry without failures may have been parked before.
            let asked = due.filter(|_| attempts == 0).map_or(since, |due| due.max(since));
            (work_log, EntryState { phase, attempts, reason, why, code, removed, overwrite, since, asked })
        };
        let entries: BTreeMap<_, _> = (1..).zip(rows).map(keep).collect();
        let waiting = entries.iter().filter_map(|(work_log, entry)| match entry.phase {
            Phase::Waiting { due, turn } => {
                let (asked, work_log) = (entry.asked, work_log.clone());
                Some((entry.reason, Turn { due, place: turn, asked, work_log }))
            }
            _ => None,
        });
        let schedule = FairSchedule::of(waiting);
        let turn = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        Self { entries, schedule, turn, ..Self::default() }
    }

    /// The next entry, leased for `length`.
    pub(crate) fn lease(&mut self, now: Timestamp, length: Duration) -> Option<Lease> {
        let Turn { due, work_log, .. } = self.schedule.take(now)?;
        let entry = self.entries.get_mut(&work_log)?;
        self.leases += 1;
        let (number, until) = (self.leases, now.checked_add(length).unwrap_or(Timestamp::MAX));
        entry.phase = Phase::Running { due, number, until, again: None };
        self.by_expiry.insert((until, work_log.clone()));
        let EntryState { attempts, reason, asked, overwrite, .. } = *entry;
        Some(Lease { work_log, attempts, reason, asked, overwrite, number, until, seen: None })
    }

    /// The clock was set forward by `by`: leases keep their remaining time.
    pub(crate) fn put_off_expiry(&mut self, by: SignedDuration) {
        for (until, work_log) in std::mem::take(&mut self.by_expiry) {
            let later = until.checked_add(by).unwrap_or(Timestamp::MAX);
            if let Some(EntryState { phase: Phase::Running { until, .. }, .. }) =
                self.entries.get_mut(&work_log)
            {
                *until = later;
            }
            self.by_expiry.insert((later, work_log));
        }
    }

    /// Takes back the leases that have expired by `now`: their entries are due again.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<WorkLogUri> {
        let mut expired = Vec::new();
        while self.by_expiry.first().is_some_and(|(until, _)| *until <= now) {
            let Some((until, work_log)) = self.by_expiry.pop_first() else { break };
            self.rerun(&work_log, until);
            expired.push(work_log);
        }
        expired
    }

    /// When to check again: the next due time or end of a lease.
    pub(crate) fn next_event(&self) -> Option<Timestamp> {
        let due = self.schedule.first_due();
        let expiry = self.by_expiry.first().map(|(until, _)| *until);
        due.into_iter().chain(expiry).min()
    }

    /// Completes the lease `number`. An entry that changed during the run runs once more, whatever the outcome. Returns
    /// the entry if the lease was still valid; otherwise nothing changes. `shows_class` says whether the run saw the
    /// class of a work log.
    pub(crate) fn complete(
        &mut self,
        work_log: &WorkLogUri,
        number: u64,
        outcome: &Outcome,
        shows_class: bool,
    ) -> Option<Completed> {
        if !self.holds(work_log, number) {
            return None;
        }
        self.touch(work_log);
        let turn = self.next_turn();
        let entry = self.entries.get_mut(work_log)?;
        let Phase::Running { again, .. } = entry.phase else { return None };
        let (asked, reason, removed) = (entry.asked, entry.reason, entry.removed);
        let (at, code, why) = match outcome {
            Outcome::Done { .. } => (None, None, None),
            Outcome::Later { at, code, why, counts } => {
                entry.attempts = entry.attempts.saturating_add(u32::from(*counts));
                (Some(*at), Some(*code), Some(why))
            }
            Outcome::Parked { code, why } => (None, Some(*code), Some(why)),
        };
        entry.why = why.cloned();
        entry.code = code;
        // The evidence was for this run. If it failed, its retry needs it once more, and so does the next run if the
        // class was still visible.
        let unserved = why.is_some() || (again.is_some() && shows_class);
        entry.removed = (entry.removed && unserved) || again.is_some_and(|again| again.removed);
        // The permission to overwrite is for one attempt: a parked entry would use it at some later time.
        let used = !matches!(outcome, Outcome::Later { .. });
        entry.overwrite = (entry.overwrite && !used) || again.is_some_and(|again| again.overwrite);
        let due = again.map(|again| again.due).or(at);
        match due {
            Some(due) => {
                if let Some(again) = again {
                    entry.attempts = 0;
                    entry.asked = again.asked;
                }
                entry.phase = Phase::Waiting { due, turn };
            }
            None if why.is_some() => entry.phase = Phase::Parked,
            None => drop(self.entries.remove(work_log)),
        }
        Some(Completed { asked, reason, removed, ended: due.is_none() })
    }

    /// Whether it runs automatically.
    pub(crate) fn is_to_run(&self, work_log: &WorkLogUri) -> bool {
        self.entries.get(work_log).is_some_and(|entry| !matches!(entry.phase, Phase::Parked))
    }

    /// Returns the lease `number` of a run whose result could not be saved: it runs again at `at`. Needs no
    /// transaction, since the entry is stored as waiting anyway. If another transaction has touched it meanwhile, the
    /// lease is returned after that.
    pub(crate) fn give_back(&mut self, work_log: &WorkLogUri, number: u64, at: Timestamp) {
        if self.touched.contains_key(work_log) {
            self.returned.push((work_log.clone(), number, at));
        } else if self.holds(work_log, number) {
            self.unindex(work_log);
            self.rerun(work_log, at);
        }
    }

    fn holds(&self, work_log: &WorkLogUri, wanted: u64) -> bool {
        let phase = self.entries.get(work_log).map(|entry| entry.phase);
        matches!(phase, Some(Phase::Running { number, .. }) if number == wanted)
    }

    /// Makes what runs wait until `at`, or until it was to be run again if that is earlier.
    fn rerun(&mut self, work_log: &WorkLogUri, at: Timestamp) {
        let turn = self.next_turn();
        if let Some(entry) = self.entries.get_mut(work_log)
            && let Phase::Running { again, .. } = entry.phase
        {
            entry.removed |= again.is_some_and(|again| again.removed);
            entry.overwrite |= again.is_some_and(|again| again.overwrite);
            let due = again.map_or(at, |again| again.due.min(at));
            entry.phase = Phase::Waiting { due, turn };
        }
        self.index(work_log);
    }

    /// Makes every parked entry due now. Returns their number.
    pub(crate) fn wake_parked(&mut self, reason: Reason, now: Timestamp) -> usize {
        let request = Request { reason, removed: false, overwrite: false, due: now, now };
        self.wake(request, |_| true)
    }

    /// The same for those whose timesheet is exported, each with permission to overwrite it.
    pub(crate) fn overwrite_exported(&mut self, now: Timestamp) -> usize {
        let request = Request { reason: Reason::Request, removed: false, overwrite: true, due: now, now };
        self.wake(request, |entry| entry.code == Some(Code::TimesheetExported))
    }

    fn wake(&mut self, request: Request, wanted: impl Fn(&EntryState) -> bool) -> usize {
        let parked = |entry: &EntryState| matches!(entry.phase, Phase::Parked) && wanted(entry);
        let woken = self.entries.iter().filter(|(_, entry)| parked(entry));
        let woken: Vec<_> = woken.map(|(work_log, _)| work_log.clone()).collect();
        for work_log in &woken {
            self.put(work_log, request);
        }
        woken.len()
    }

    /// The rows that this transaction changes; `None` for an entry that was removed.
    pub(crate) fn changes(&self) -> Vec<(WorkLogUri, Option<Row>)> {
        let change = |(work_log, before): (&WorkLogUri, &Option<EntryState>)| {
            let row = self.entries.get(work_log).map(EntryState::row);
            (before.as_ref().map(EntryState::row) != row).then(|| (work_log.clone(), row))
        };
        self.touched.iter().filter_map(change).collect()
    }

    /// All rows.
    pub(crate) fn rows(&self) -> Vec<(WorkLogUri, Option<Row>)> {
        self.entries.iter().map(|(work_log, entry)| (work_log.clone(), Some(entry.row()))).collect()
    }

    /// Ends a transaction: commits its changes, or rolls them back.
    pub(crate) fn ended(&mut self, committed: bool) {
        for (work_log, before) in std::mem::take(&mut self.touched) {
            if !committed {
                match before {
                    Some(before) => drop(self.entries.insert(work_log.clone(), before)),
                    None => drop(self.entries.remove(&work_log)),
                }
            }
            self.index(&work_log);
        }
        for (work_log, number, at) in std::mem::take(&mut self.returned) {
            self.give_back(&work_log, number, at);
        }
    }

    fn touch(&mut self, work_log: &WorkLogUri) {
        if !self.touched.contains_key(work_log) {
            self.unindex(work_log);
            self.touched.insert(work_log.clone(), self.entries.get(work_log).cloned());
        }
    }

    fn index(&mut self, work_log: &WorkLogUri) {
        let Some(EntryState { phase, reason, asked, .. }) = self.entries.get(work_log) else { return };
        match *phase {
            Phase::Waiting { due, turn } => {
                let turn = Turn { due, place: turn, asked: *asked, work_log: work_log.clone() };
                self.schedule.insert(*reason, turn);
            }
            Phase::Running { until, .. } => drop(self.by_expiry.insert((until, work_log.clone()))),
            Phase::Parked => {}
        }
    }

    fn unindex(&mut self, work_log: &WorkLogUri) {
        let Some(EntryState { phase, reason, asked, .. }) = self.entries.get(work_log) else { return };
        match *phase {
            Phase::Waiting { due, turn } => {
                let turn = Turn { due, place: turn, asked: *asked, work_log: work_log.clone() };
                self.schedule.remove(*reason, &turn);
            }
            Phase::Running { until, .. } => drop(self.by_expiry.remove(&(until, work_log.clone()))),
            Phase::Parked => {}
        }
    }

    /// Whether nothing runs and nothing will run automatically.
    pub(crate) fn is_quiet(&self) -> bool {
        self.schedule.is_empty() && self.by_expiry.is_empty() && self.touched.is_empty()
    }

    /// The number of entries in any state.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn contains(&self, work_log: &WorkLogUri) -> bool {
        self.entries.contains_key(work_log)
    }

    pub(crate) fn counts(&self, now: Timestamp) -> Counts {
        let mut counts = Counts::default();
        for entry in self.entries.values() {
            match entry.phase {
                Phase::Waiting { due, .. } => {
                    counts.queued += usize::from(due <= now);
                    counts.scheduled += usize::from(due > now);
                }
                Phase::Running { .. } => counts.running += 1,
                Phase::Parked => counts.parked += 1,
            }
        }
        counts
    }

    /// The earliest due time of all waiting entries.
    pub(crate) fn oldest_due(&self) -> Option<Timestamp> {
        self.schedule.first_due()
    }

    /// The number of parked entries by code.
    pub(crate) fn parked_by_code(&self) -> BTreeMap<Option<Code>, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.entries.values().filter(|entry| matches!(entry.phase, Phase::Parked)) {
            *counts.entry(entry.code).or_default() += 1;
        }
        counts
    }

    /// Entries that `filter` accepts, ordered by IRI, starting after `after`.
    pub(crate) fn page(
        &self,
        filter: Filter,
        after: Option<&WorkLogUri>,
        most: usize,
        now: Timestamp,
    ) -> Vec<Entry> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.entries.range::<WorkLogUri, _>((from, Bound::Unbounded));
        let shown = entries.map(|(work_log, entry)| show(work_log, entry, now));
        let wanted = |entry: &Entry| {
            filter.state.is_none_or(|state| state == entry.state)
                && filter.code.is_none_or(|code| Some(code) == entry.code)
                && (filter.not.is_none() || filter.not != entry.code)
        };
        shown.filter(wanted).take(most).collect()
    }

    pub(crate) fn entry(&self, work_log: &WorkLogUri, now: Timestamp) -> Option<Entry> {
        self.entries.get(work_log).map(|entry| show(work_log, entry, now))
    }

    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }
}

#[cfg(test)]
mod tests;
