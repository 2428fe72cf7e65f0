//! An intent: a creation, saved before its request is sent, so that a timesheet whose response was lost is found again
//! instead of being created twice. Pure.

use jiff::Timestamp;

use super::diff::ObservedEntry;
use super::ids::EntryId;
use super::timesheet::DesiredEntry;
use super::watermark::{IdOrder, Watermark};

/// A POST that may have been stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intent {
    /// What was sent.
    pub wanted: DesiredEntry,
    /// The highest position known before it was sent; that of the new entry is higher.
    pub high_water: Option<Watermark>,
    /// When it was sent.
    pub started_at: Timestamp,
}

impl Intent {
    /// Whether the entry `id` may be what was stored.
    pub fn could_be(&self, id: EntryId, order: IdOrder, found: &ObservedEntry) -> bool {
        order.may_be_after(self.high_water, id) && found.may_be_made_of(&self.wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ActivityId, ProjectId, UserId};

    #[test]
    fn only_what_was_made_since_with_the_same_payload_could_be_it() {
        let (begin, end): (Timestamp, Timestamp) =
            ("2024-09-02T00:00:00Z".parse().unwrap(), "2024-09-02T07:50:00Z".parse().unwrap());
        let (project, activity, user) = (ProjectId::number(1), ActivityId::number(2), UserId::number(3));
        let wanted = DesiredEntry { begin, end, project, activity, user, note: None };
        let intent = Intent { wanted, high_water: Some(Watermark(10)), started_at: begin };
        let same = ObservedEntry::from(wanted);
        let rounded = Some("2024-09-02T08:00:00Z".parse().unwrap());
        let later = Some("2024-09-02T08:51:00Z".parse().unwrap());
        // Midnight in Kolkata, to the hour.
        let floored = "2024-09-01T23:30:00Z".parse().unwrap();
        let table = [
            (11, same, true, "made since"),
            (10, same, false, "there before"),
            (11, ObservedEntry { end: rounded, ..same }, true, "rounded by Kimai"),
            (11, ObservedEntry { begin: floored, ..same }, true, "begin rounded by Kimai"),
            (11, ObservedEntry { end: later, ..same }, false, "another duration"),
            (11, ObservedEntry { end: None, ..same }, false, "running"),
            (11, ObservedEntry { begin: end, ..same }, false, "another day"),
            (11, ObservedEntry { user: None, ..same }, false, "another user"),
            (11, ObservedEntry { activity: Some(ActivityId::number(9)), ..same }, false, "another activity"),
        ];
        for (id, found, expected, why) in table {
            assert_eq!(intent.could_be(EntryId::number(id), IdOrder::Sequence, &found), expected, "{why}");
        }
        assert!(
            Intent { high_water: None, ..intent }.could_be(EntryId::number(1), IdOrder::Sequence, &same),
            "an empty Kimai"
        );
    }
}
