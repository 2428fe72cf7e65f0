//! What we remember of each work log: its timesheet and what was last pushed there.
//!
//! # Guarantees
//! It answers before the triplestore does, so that a timesheet whose id could not be written back is
//! found again instead of being created twice.
//!
//! # Caveats
//! It may be empty at any time (it lives as long as the process); decisions are right without it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::plan::Memory;
use crate::domain::timesheet::WantedTimesheet;
use crate::domain::{KimaiId, WorkLogUri};

/// Memory per work log, shared by the runs.
#[derive(Debug, Default)]
pub struct Ledger {
    memories: Mutex<HashMap<WorkLogUri, Memory>>,
}

impl Ledger {
    /// What is remembered of `work_log` at the start of a run. A removal that was noted is handed over:
    /// it is evidence for this run, and stale for those after it.
    pub fn recall(&self, work_log: &WorkLogUri) -> Memory {
        let mut memories = self.memories();
        let Some(memory) = memories.get_mut(work_log) else { return Memory::default() };
        let recalled = *memory;
        memory.removed = false;
        recalled
    }

    /// Kimai holds `wanted` under `id` for `work_log`. A removal noted meanwhile stays noted.
    pub fn pushed(&self, work_log: &WorkLogUri, id: KimaiId, wanted: WantedTimesheet) {
        let mut memories = self.memories();
        let memory = memories.entry(work_log.clone()).or_default();
        memory.linked = Some(id);
        memory.pushed = Some(wanted);
    }

    /// `work_log` has no timesheet any more.
    pub fn forget(&self, work_log: &WorkLogUri) {
        self.memories().remove(work_log);
    }

    /// A delta told that `work_log` lost its class. Kept only where a link is known: without one there
    /// is nothing that could be deleted.
    pub fn note_removed(&self, work_log: &WorkLogUri) {
        if let Some(memory) = self.memories().get_mut(work_log) {
            memory.removed = true;
        }
    }

    /// Someone asked to push these again, whatever we think Kimai holds.
    pub fn doubt<'a>(&self, work_logs: impl IntoIterator<Item = &'a WorkLogUri>) {
        let mut memories = self.memories();
        for work_log in work_logs {
            if let Some(memory) = memories.get_mut(work_log) {
                memory.pushed = None;
            }
        }
    }

    /// The work log that `id` was made for, as far as we remember.
    pub fn owner(&self, id: KimaiId) -> Option<WorkLogUri> {
        let memories = self.memories();
        memories.iter().find(|(_, memory)| memory.linked == Some(id)).map(|(work_log, _)| work_log.clone())
    }

    /// Every change is one insertion or removal, so a panic elsewhere leaves it whole.
    fn memories(&self) -> MutexGuard<'_, HashMap<WorkLogUri, Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
