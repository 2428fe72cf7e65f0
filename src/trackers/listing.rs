//! Lists that were read from a tracker, and where they may be incomplete.

use std::collections::BTreeSet;

use super::entry::TimeEntry;
use super::error::TrackerFault;
use crate::domain::EntryId;

/// What a list of timesheets brought.
///
/// # Caveats
/// Pages are no snapshot: what is created, changed or deleted while they are read may or may not be in the
/// list, and a timesheet that a page's shift hid is absent although it is there. That is noticed nearly
/// always, and read again; where one is missed that matters, ask for it by its id before you believe so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Lowest id first, each once.
    pub timesheets: Vec<TimeEntry>,
    /// Where timesheets may be missing, lowest ids first.
    pub gaps: Vec<Gap>,
    /// Rows that could not be read, and may be any timesheet.
    pub odd: OddRows,
}

impl Listed {
    /// All that could be read; any gap is a fault, a row that could not be read is none.
    pub fn whole(self) -> Result<Vec<TimeEntry>, TrackerFault> {
        match self.gaps.into_iter().next() {
            Some(gap) => Err(gap.fault),
            None => Ok(self.timesheets),
        }
    }

    /// Whether the timesheet `id` may be one that could not be read.
    pub fn may_lack(&self, id: EntryId) -> bool {
        self.odd.ids.contains(&id) || self.gaps.iter().any(|gap| gap.covers(id))
    }
}

/// Pages in a row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The last id before them, if there is one.
    pub above: Option<EntryId>,
    /// The first id after them; without, they were the last ones.
    pub below: Option<EntryId>,
    /// Why the first of them could not be read.
    pub fault: TrackerFault,
}

impl Gap {
    /// Whether the timesheet `id` may be on these pages.
    pub fn covers(&self, id: EntryId) -> bool {
        self.above.is_none_or(|above| above < id) && self.below.is_none_or(|below| id < below)
    }
}

/// Unreadable rows that are kept with their reason; of more only number and ids are kept.
const MOST_NAMED: usize = 100;

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddRow {
    /// Its id, where that can be read.
    pub id: Option<EntryId>,
    /// What is wrong with it, with the id as Kimai wrote it.
    pub why: String,
}

/// The rows of a list that could not be read. Each of them may exist in Kimai: nothing follows from its absence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OddRows {
    /// How many there are.
    pub count: usize,
    /// The ids of those whose id can be read.
    pub ids: BTreeSet<EntryId>,
    /// The first hundred of them.
    pub named: Vec<OddRow>,
}

impl OddRows {
    /// Why a row of which `may_be` holds cannot be read, or one without a readable id.
    pub fn which(&self, may_be: impl Fn(EntryId) -> bool) -> Option<String> {
        let named = self.named.iter().find(|row| row.id.is_none_or(&may_be)).map(|row| row.why.clone());
        let unnamed = || self.ids.iter().rfind(|id| may_be(**id)).map(|id| format!("row with id {id}"));
        named.or_else(unnamed)
    }

    /// Takes one more.
    pub(crate) fn push(&mut self, row: OddRow) {
        // A row that two pages show is one row.
        if row.id.is_some_and(|id| !self.ids.insert(id)) {
            return;
        }
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(row);
        }
    }

    /// Takes those of another page, but for the ones that could be read elsewhere.
    pub(crate) fn extend(&mut self, other: Self, read: impl Fn(EntryId) -> bool) {
        let Self { count, ids, named } = other;
        let named_without_id = named.iter().filter(|row| row.id.is_none()).count();
        let unnamed_without_id = count - ids.len() - named_without_id;
        for row in named {
            if row.id.is_none_or(|id| !read(id)) {
                self.push(row);
            }
        }
        let before = self.ids.len();
        self.ids.extend(ids.into_iter().filter(|id| !read(*id)));
        self.count += self.ids.len() - before + unnamed_without_id;
    }

    /// Forgets the row `id`, which could be read after all.
    pub(crate) fn found(&mut self, id: EntryId) {
        if self.ids.remove(&id) {
            self.count -= 1;
            self.named.retain(|row| row.id != Some(id));
        }
    }
}

/// A list, with the rows that could not be read beside those that could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lenient<T> {
    /// Those that could be read, in Kimai's order.
    pub rows: Vec<T>,
    /// Those that could not.
    pub odd: OddRows,
}

impl<T> From<Vec<T>> for Lenient<T> {
    fn from(rows: Vec<T>) -> Self {
        Self { rows, odd: OddRows::default() }
    }
}

impl<T> Lenient<T> {
    /// The same list with each readable row changed.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Lenient<U> {
        Lenient { rows: self.rows.into_iter().map(change).collect(), odd: self.odd }
    }
}
