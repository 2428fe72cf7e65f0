//! Decides which IDs raise the highest known timesheet ID. Pure.
//!
//! Lost creations are searched for above that ID. If it is too low, only the search is wider. If it is too high, the
//! timesheet is not found and is created twice, so implausible IDs are ignored.

use super::ids::KimaiId;

/// How far the ids of a list may be above the highest one known: more than any company books in between.
const LARGEST_JUMP: u64 = 1_000_000;
/// The highest ID accepted for the newest timesheet. Kimai's column holds less than half of that.
const LARGEST_ID: u64 = u32::MAX as u64;

/// Whether the id of a listed timesheet is learnt, while `known` is the highest so far.
pub fn learns_from_list(known: Option<KimaiId>, listed: KimaiId) -> bool {
    let known = known.map_or(0, |id| id.0);
    listed.0 > known && listed.0 - known <= LARGEST_JUMP
}

/// The same of what Kimai says is its newest timesheet.
pub fn learns_from_newest(known: Option<KimaiId>, newest: KimaiId) -> bool {
    newest.0 <= LARGEST_ID || learns_from_list(known, newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absurd_id_is_learnt_neither_from_a_list_nor_as_the_newest() {
        let id = |id: u64| KimaiId(id);
        let table = [
            (None, 1, true, true),
            (None, 1_000_000, true, true),
            (None, 1_000_001, false, true),
            (Some(id(50)), 51, true, true),
            (Some(id(50)), 50, false, true),
            (Some(id(50)), 1_000_050, true, true),
            (Some(id(50)), 1_000_051, false, true),
            (Some(id(50)), u64::from(u32::MAX), false, true),
            (Some(id(50)), u64::from(u32::MAX) + 1, false, false),
            (None, 1 << 62, false, false),
            (Some(id(50)), 1 << 62, false, false),
            // Where our own creations have such ids, they are no absurd ones.
            (Some(id(1 << 62)), (1 << 62) + 7, true, true),
            (Some(id(1 << 62)), u64::MAX, false, false),
        ];
        for (known, seen, list, newest) in table {
            assert_eq!(learns_from_list(known, id(seen)), list, "list: {known:?} {seen}");
            assert_eq!(learns_from_newest(known, id(seen)), newest, "newest: {known:?} {seen}");
        }
    }
}
