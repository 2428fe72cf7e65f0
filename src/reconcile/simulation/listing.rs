//! The lists of the fake Kimai.

use super::fake_tracker::FakeTimesheet;
use super::faults::{Call, Trouble};
use super::state::instant;
use crate::domain::IdOrder;
use crate::trackers::{EntryFilter, TimeEntry};
use crate::trackers::{Gap, Listed, OddRow, OddRows};

/// Whether a list shows it. The token's zone is UTC here. Kimai knows whole seconds.
pub(super) fn matches(filter: &EntryFilter, FakeTimesheet { row, modified, .. }: &FakeTimesheet) -> bool {
    let begin = jiff::tz::TimeZone::UTC.to_datetime(row.begin);
    filter.begin.is_none_or(|first| first <= begin)
        && filter.end.is_none_or(|last| begin <= last)
        && filter.user.is_none_or(|user| row.user == Some(user))
        && filter.modified_after.is_none_or(|after| after.as_second() <= instant(*modified).as_second())
}

/// The middle third could not be read, or the end where there is no more than that.
pub(super) fn without_a_page(mut timesheets: Vec<TimeEntry>, order: IdOrder) -> Listed {
    let third = timesheets.len().div_ceil(3);
    let after = timesheets.split_off((2 * third).min(timesheets.len()));
    timesheets.truncate(third);
    // Where ids are in no order, the missing page may hold any.
    let id = |row: Option<&TimeEntry>| row.filter(|_| order == IdOrder::Sequence).map(|row| row.id);
    let fault = Trouble::PageLost.of_kimai(Call::List);
    let gap = Gap { above: id(timesheets.last()), below: id(after.first()), fault };
    timesheets.extend(after);
    Listed { timesheets, gaps: vec![gap], ..Listed::default() }
}

/// The middle row cannot be read; of every second one neither can its id.
pub(super) fn with_an_odd_row(mut timesheets: Vec<TimeEntry>) -> Listed {
    let mut odd = OddRows::default();
    let middle = timesheets.len() / 2;
    if middle < timesheets.len() {
        let id = timesheets.remove(middle).id;
        odd.push(OddRow {
            id: Some(id)
                .filter(|id| id.to_string().bytes().last().is_some_and(|digit| digit.is_multiple_of(2))),
            why: "injected".to_owned(),
        });
    }
    Listed { timesheets, odd, ..Listed::default() }
}
