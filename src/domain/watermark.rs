//! The order in which a tracker makes its entries, as far as their ids show it. Pure.
//!
//! A lost creation is searched for among the entries above the highest known position. If that is too low, only the
//! search is wider. If it is too high, the entry is not found and is created twice, so implausible positions are ignored.

use super::ids::EntryId;

/// A position in the order of a tracker's entries: what was made later stands higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(pub u64);

/// What the ids of a tracker say about the order of its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdOrder {
    /// They are numbers, and each new entry gets one above all others. After an older backup was restored, numbers are
    /// given out again.
    #[default]
    Sequence,
    /// They are object ids, which begin with the second in which they were made, by the clock of one of the tracker's
    /// servers. Never given out again.
    Clock,
    /// Nothing: each entry that fits may be the one that is searched for. Never given out again.
    Unordered,
}

impl IdOrder {
    /// Where the entry `id` stands; none if its id does not show that.
    pub fn position(self, id: EntryId) -> Option<Watermark> {
        match self {
            Self::Sequence => id.as_number().map(Watermark),
            Self::Clock => id.object_id_seconds().map(Watermark),
            Self::Unordered => None,
        }
    }

    /// Whether the entry `id` may have been made after `mark` was the highest position.
    pub fn may_be_after(self, mark: Option<Watermark>, id: EntryId) -> bool {
        let Some((position, mark)) = self.position(id).zip(mark) else { return true };
        match self {
            // Several are made in one second, and the servers' clocks differ.
            Self::Clock => position.0.saturating_add(CLOCK_TOLERANCE) >= mark.0,
            Self::Sequence | Self::Unordered => position > mark,
        }
    }

    /// Whether ids are given out again after an older backup of the tracker was restored.
    pub fn reissues(self) -> bool {
        self == Self::Sequence
    }
}

/// By how much the clocks of a tracker's servers may differ, in seconds.
const CLOCK_TOLERANCE: u64 = 60;
/// How far the position of a listed entry may be above the highest known one: more than any company books in between.
const LARGEST_JUMP: u64 = 1_000_000;
/// The highest position accepted for the newest entry. Kimai's column holds less than half of that; in seconds it is the
/// year 2106.
const LARGEST: u64 = u32::MAX as u64;

/// Whether the position of a listed entry is learnt, while `known` is the highest so far.
pub fn learns_from_list(known: Option<Watermark>, listed: Watermark) -> bool {
    let known = known.map_or(0, |mark| mark.0);
    listed.0 > known && listed.0 - known <= LARGEST_JUMP
}

/// The same of what the tracker says is its newest entry.
pub fn learns_from_newest(known: Option<Watermark>, newest: Watermark) -> bool {
    newest.0 <= LARGEST || learns_from_list(known, newest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::IdSyntax;

    #[test]
    fn an_absurd_position_is_learnt_neither_from_a_list_nor_as_the_newest() {
        let at = Watermark;
        let table = [
            (None, 1, true, true),
            (None, 1_000_000, true, true),
            (None, 1_000_001, false, true),
            (Some(at(50)), 51, true, true),
            (Some(at(50)), 50, false, true),
            (Some(at(50)), 1_000_050, true, true),
            (Some(at(50)), 1_000_051, false, true),
            (Some(at(50)), u64::from(u32::MAX), false, true),
            (Some(at(50)), u64::from(u32::MAX) + 1, false, false),
            (None, 1 << 62, false, false),
            (Some(at(50)), 1 << 62, false, false),
            // Where our own creations have such ids, they are no absurd ones.
            (Some(at(1 << 62)), (1 << 62) + 7, true, true),
            (Some(at(1 << 62)), u64::MAX, false, false),
        ];
        for (known, seen, list, newest) in table {
            assert_eq!(learns_from_list(known, at(seen)), list, "list: {known:?} {seen}");
            assert_eq!(learns_from_newest(known, at(seen)), newest, "newest: {known:?} {seen}");
        }
    }

    #[test]
    fn what_may_have_been_made_since_depends_on_what_ids_show() {
        let number = EntryId::number;
        let object = |text: &str| EntryId::parse(text, IdSyntax::ObjectIds).unwrap();
        let (early, late) = (object("64c777a00000000000000001"), object("64c777a10000000000000000"));
        let second = Some(Watermark(0x64c7_77dd));
        let table = [
            (IdOrder::Sequence, Some(Watermark(10)), number(11), true),
            (IdOrder::Sequence, Some(Watermark(10)), number(10), false),
            (IdOrder::Sequence, None, number(1), true),
            (IdOrder::Clock, second, early, false),
            (IdOrder::Clock, second, late, true),
            (IdOrder::Clock, None, early, true),
            // An id that shows nothing may be anything.
            (IdOrder::Clock, second, number(1), true),
            (IdOrder::Unordered, second, early, true),
        ];
        for (order, mark, id, expected) in table {
            assert_eq!(order.may_be_after(mark, id), expected, "{order:?} {mark:?} {id}");
        }
    }
}
