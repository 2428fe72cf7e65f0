//! A list of timesheets that was read page by page, and where it may be incomplete.

use std::collections::BTreeMap;

use crate::domain::{Code, EntryId};
use crate::trackers::TimeEntry;
use crate::trackers::error::{Fault, Operation, TrackerFault};
use crate::trackers::kimai::NAME;
use crate::trackers::listing::{Gap, Lenient, Listed, OddRows};

const SEE_TO_PROXY: &str = "a proxy before Kimai may drop the X-Total-Pages header, or answer without regard to the \
    query; let it pass /api through unchanged and uncached";

/// A fault of the list itself, not of the way to it.
pub(super) fn list_fault(why: String) -> TrackerFault {
    TrackerFault {
        code: Code::KimaiListFaulty,
        ..TrackerFault::new(NAME, Operation::Read, Fault::Permanent, why)
    }
}

/// One page as it was read.
#[derive(Debug)]
pub(super) struct Page {
    /// Its number, from 1.
    pub(super) number: usize,
    pub(super) rows: Lenient<TimeEntry>,
    /// How many pages there are, if Kimai says so.
    pub(super) pages: Option<usize>,
    /// How many timesheets there are in all, if Kimai says so.
    pub(super) total: Option<usize>,
}

/// What a page says about those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// There may be more.
    GoOn,
    /// It is past the end.
    End,
}

/// Pages as they come in, first page first.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// By id, so that what came twice is there once. The later reading counts.
    timesheets: BTreeMap<EntryId, TimeEntry>,
    odd: OddRows,
    gaps: Vec<Gap>,
    /// The last id so far of the pages that could be read.
    last: Option<EntryId>,
    /// Why the pages after that could not.
    open: Option<TrackerFault>,
    /// How many timesheets Kimai had in all when the first page was read, at least and at most.
    totals: Option<(usize, usize, usize)>,
    /// A page that was there is no more.
    ended_early: bool,
    /// Rows came in another order than was asked for: what a missing page holds cannot be told by ids.
    unordered: bool,
}

impl Reading {
    pub(super) fn add(&mut self, page: Page) -> Then {
        let Page { number, rows: Lenient { rows, odd }, total, .. } = page;
        if let Some(total) = total {
            let (first, least, most) = self.totals.unwrap_or((total, total, total));
            self.totals = Some((first, least.min(total), most.max(total)));
        }
        if rows.is_empty() && odd.count == 0 {
            return Then::End;
        }
        self.unordered |= !rows.is_sorted_by(|one, next| one.id < next.id);
        let ids = rows.iter().map(|timesheet| timesheet.id).chain(odd.ids.iter().copied());
        let (first, last) = (ids.clone().min(), ids.max());
        if number > 1 && last <= self.last {
            self.open.get_or_insert_with(|| {
                list_fault(format!(
                    "page {number} of its list of timesheets brings nothing new, so the list cannot be read to its \
                     end: {SEE_TO_PROXY}"
                ))
            });
            return Then::End;
        }
        if let Some(fault) = self.open.take() {
            self.gaps.push(Gap { above: self.last, below: first, fault });
        }
        self.last = self.last.max(last);
        for timesheet in rows {
            self.odd.found(timesheet.id);
            self.timesheets.insert(timesheet.id, timesheet);
        }
        self.odd.extend(odd, |id| self.timesheets.contains_key(&id));
        Then::GoOn
    }

    /// Whether Kimai says how long the list is.
    pub(super) fn tells_totals(&self) -> bool {
        self.totals.is_some()
    }

    /// How many rows there are so far.
    pub(super) fn rows(&self) -> usize {
        self.timesheets.len() + self.odd.count
    }

    /// A page could not be read.
    pub(super) fn lost(&mut self, fault: TrackerFault) {
        self.open.get_or_insert(fault);
    }

    /// A page that Kimai had told of is not there any more: rows went away meanwhile.
    pub(super) fn gone(&mut self) {
        self.ended_early = true;
    }

    /// Whether rows may have moved to a page that had been read already. Not where they only became more, and
    /// all of them are here: those came at the end.
    pub(super) fn may_have_shifted(&self) -> bool {
        let moved = self.totals.is_some_and(|(first, least, most)| {
            let only_more = least == first && self.rows() >= most;
            least != most && !only_more
        });
        moved || self.ended_early || self.lacks_rows()
    }

    /// Whether there are fewer rows than Kimai says, although every page could be read.
    fn lacks_rows(&self) -> bool {
        let whole = self.gaps.is_empty() && self.open.is_none();
        whole && self.totals.is_some_and(|(_, least, _)| self.rows() < least)
    }

    /// Reads all once more: what is here stays, since one reading may see what another misses.
    pub(super) fn again(self) -> Self {
        Self { timesheets: self.timesheets, ..Self::default() }
    }

    pub(super) fn end(mut self) -> Listed {
        let complete = self.totals.is_some_and(|(_, _, most)| self.rows() >= most);
        let why = if self.lacks_rows() {
            let (told, came) = (self.totals.map_or(0, |(_, least, _)| least), self.rows());
            Some(format!(
                "its list of timesheets has {told} rows by its X-Total-Count header, but its pages hold {came}"
            ))
        } else {
            // What takes no notice of the order takes none of the page and its size either.
            let ignored = self.unordered && !complete;
            ignored.then(|| "its list of timesheets is not in the order that was asked for".to_owned())
        };
        let anywhere = self.unordered || why.is_some();
        if let Some(why) = why {
            self.open.get_or_insert_with(|| list_fault(format!("{why}: {SEE_TO_PROXY}")));
        }
        if let Some(fault) = self.open.take() {
            self.gaps.push(Gap { above: self.last, below: None, fault });
        }
        if anywhere {
            self.gaps.iter_mut().for_each(|gap| (gap.above, gap.below) = (None, None));
        }
        Listed { timesheets: self.timesheets.into_values().collect(), gaps: self.gaps, odd: self.odd }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::trackers::Operation;

    fn page(ids: impl IntoIterator<Item = u64>, total: usize) -> Page {
        let row = |id| TimeEntry {
            id: EntryId::number(id),
            activity: None,
            project: None,
            user: None,
            begin: Timestamp::UNIX_EPOCH,
            day: jiff::civil::date(1970, 1, 1),
            end: None,
            duration: 0,
            pause: 0,
            exported: false,
            note: None,
        };
        let rows: Vec<TimeEntry> = ids.into_iter().map(row).collect();
        Page { number: 1, rows: rows.into(), pages: Some(9), total: Some(total) }
    }

    fn reading(pages: Vec<Page>) -> Reading {
        let mut reading = Reading::default();
        for page in pages {
            assert_eq!(reading.add(page), Then::GoOn);
        }
        reading
    }

    #[test]
    fn a_row_that_slipped_to_a_page_read_before_is_noticed_by_the_count() {
        // Timesheet 1 goes after the first page was read: 3 moves there, and is on none we read.
        let deleted = reading(vec![page([1, 2], 4), page([4], 3)]);
        assert!(deleted.may_have_shifted());
        // One is moved into the period before the first page is read, and after the second was.
        let inserted = reading(vec![page([1, 2], 5), page([4, 5], 4)]);
        assert!(inserted.may_have_shifted());
        let mut again = inserted.again();
        again.add(page([1, 2], 5));
        again.add(page([3, 4, 5], 5));
        assert!(!again.may_have_shifted());
        assert_eq!(again.end().timesheets.len(), 5);
    }

    #[test]
    fn what_is_added_at_the_end_meanwhile_is_no_reason_to_read_all_again() {
        assert!(!reading(vec![page([1, 2], 4), page([3, 4], 4)]).may_have_shifted());
        assert!(!reading(vec![page([1, 2], 4), page([3, 4, 5], 5)]).may_have_shifted());
        assert!(reading(vec![page([1, 2], 4), page([3, 4], 5)]).may_have_shifted(), "where is the fifth?");
    }

    #[test]
    fn a_gap_reaches_from_what_is_before_it_to_what_is_after_it() {
        let fault = || TrackerFault::cut(NAME, Operation::Read, true, "cut");
        let mut reading = reading(vec![page([1, 2], 9)]);
        reading.lost(fault());
        reading.lost(fault());
        reading.add(page([7, 8], 9));
        reading.lost(fault());
        let listed = reading.end();
        let lacking: Vec<u64> = (0..12).filter(|id| listed.may_lack(EntryId::number(*id))).collect();
        assert_eq!(lacking, [3, 4, 5, 6, 9, 10, 11]);
    }
}
