//! A work log as the triplestore holds it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::profile::Profile;
use super::state::State;
use crate::domain::work_log::{Facts, VEVENT};
use crate::domain::{EntryId, WorkLogUri};

/// A work log in the triplestore.
#[derive(Debug, Clone, Default)]
pub(super) struct Stand {
    pub(super) facts: Facts,
    /// Counts its changes, but for those of its link.
    pub(super) version: u32,
    /// Counts how often it came to be.
    pub(super) life: u32,
    /// The timesheets it is linked to as a work log, and since when.
    pub(super) links: BTreeMap<EntryId, i64>,
    /// The timesheets whose link somebody took from it by hand: it need not get them back.
    pub(super) taken: BTreeSet<EntryId>,
}

impl Stand {
    /// One of which nothing is known.
    pub(super) fn new(profile: Profile) -> Self {
        Self { facts: Facts::none(profile.capabilities().syntax), ..Self::default() }
    }

    pub(super) fn is_live(&self) -> bool {
        self.facts.types.contains(VEVENT)
    }
}

impl Stand {
    pub(super) fn refresh(&mut self, now: i64) {
        if !self.is_live() {
            self.links.clear();
            return;
        }
        let ids = self.facts.entry_ids();
        self.links.retain(|id, _| ids.contains(id));
        for id in ids {
            self.links.entry(id).or_insert(now);
        }
    }
}

impl State {
    /// What the triplestore shows of a work log now.
    pub(super) fn shown(&self, work_log: &WorkLogUri) -> Cow<'_, Facts> {
        self.lag.shown(work_log, self.work_logs.get(work_log), self.now)
    }
}
