//! Exceptions that are allowed before the last sweep. Each is named in `docs/guarantees.md`; everything else that is
//! wrong violates a guarantee.

use std::collections::BTreeMap;

use super::check::Service;
use super::fake_tracker::{FakeTimesheet, Maker};
use super::state::State;
use crate::domain::{EntryId, WorkLogUri};

/// Why something need not be right yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Excuse {
    /// No delta told of its last change, or that it was gone before it came back.
    Unheard,
    /// The storage was lost since, with what was waiting and what was remembered.
    StorageLost,
    /// Somebody changed or deleted its timesheet in Kimai.
    TouchedInKimai,
    /// Somebody wrote its link by hand, or copied it.
    LinkedByHand,
    /// Kimai refused it, for a reason that is shown and that only a change helps against.
    Refused,
    /// A request of it took effect after it was given up, over a newer one.
    Overtaken,
    /// What somebody booked in Kimai by hand was found in place of its own timesheet.
    FoundInstead,
}

impl Excuse {
    pub(super) const ALL: [Self; 7] = [
        Self::Unheard,
        Self::StorageLost,
        Self::TouchedInKimai,
        Self::LinkedByHand,
        Self::Refused,
        Self::Overtaken,
        Self::FoundInstead,
    ];

    /// How the tally calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unheard => "unheard of",
            Self::StorageLost => "storage lost",
            Self::TouchedInKimai => "touched in Kimai",
            Self::LinkedByHand => "linked by hand",
            Self::Refused => "refused",
            Self::Overtaken => "overtaken",
            Self::FoundInstead => "another found instead",
        }
    }
}

/// How often each was made use of.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Count(BTreeMap<Excuse, u64>);

impl Count {
    pub(super) fn add(&mut self, excuse: Excuse) {
        *self.0.entry(excuse).or_default() += 1;
    }

    pub(super) fn of(&self, excuse: Excuse) -> u64 {
        self.0.get(&excuse).copied().unwrap_or_default()
    }
}

/// Looks for excuses before the last sweep.
pub(super) struct Excuses<'a> {
    pub(super) state: &'a State,
    pub(super) service: &'a Service,
}

impl Excuses<'_> {
    /// Why this work log need not be right.
    pub(super) fn of_work_log(&self, work_log: &WorkLogUri) -> Option<Excuse> {
        let touched = self.state.touched_in_kimai.contains_key(work_log).then_some(Excuse::TouchedInKimai);
        self.of_owner(work_log).or(touched)
    }

    /// Why the timesheet `id`, which no work log is linked to, need not be gone. That somebody changed it in Kimai
    /// is none.
    pub(super) fn of_sheet(&self, id: EntryId, timesheet: &FakeTimesheet) -> Option<Excuse> {
        let Maker::Service { work_log, storage, .. } = &timesheet.maker else { return None };
        if *storage != self.state.storage {
            return Some(Excuse::StorageLost);
        }
        if self.state.back_unheard.get(work_log).is_some_and(|next| timesheet.number < *next) {
            return Some(Excuse::Unheard);
        }
        // Of twins, each may find what was made for the other.
        let mut twins = self
            .service
            .intents
            .iter()
            .filter(|(_, intent)| timesheet.holds(&intent.wanted, &self.state.counting))
            .map(|(twin, _)| twin);
        let heir = || self.service.owners.get(&id).and_then(|twin| self.of_owner(twin));
        self.of_owner(work_log)
            .or_else(|| twins.find_map(|twin| self.of_owner(twin)))
            // Nor did the service hear that the twin is gone who got it.
            .or_else(heir)
            .or_else(|| self.found_instead(timesheet))
    }

    /// Why two work logs that are linked to one timesheet need not have been told apart.
    pub(super) fn of_shared(&self, sharing: &[&WorkLogUri]) -> Option<Excuse> {
        sharing.iter().find_map(|work_log| self.of_owner(work_log))
    }

    /// Why what this work log has in Kimai may be wrong, or too much.
    fn of_owner(&self, work_log: &WorkLogUri) -> Option<Excuse> {
        let state = self.state;
        if self.service.parked.get(work_log).is_some_and(|parked| parked.why.contains("injected")) {
            return Some(Excuse::Refused);
        }
        if state.linked_by_hand.contains(work_log) {
            return Some(Excuse::LinkedByHand);
        }
        let stand = state.work_logs.get(work_log)?;
        if state.accepted.get(work_log) != Some(&stand.version) {
            let lost = state.accepted_before_loss.get(work_log) == Some(&stand.version);
            return Some(if lost { Excuse::StorageLost } else { Excuse::Unheard });
        }
        state.overtaken.contains(work_log).then_some(Excuse::Overtaken)
    }

    /// Whether one that somebody booked by hand is where this one was to be.
    fn found_instead(&self, timesheet: &FakeTimesheet) -> Option<Excuse> {
        self.state
            .booked
            .iter()
            .any(|booked| timesheet.holds(booked, &self.state.counting))
            .then_some(Excuse::FoundInstead)
    }
}
