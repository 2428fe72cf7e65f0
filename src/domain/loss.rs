//! A Kimai that has lost timesheets: it was restored from an older backup, and reuses IDs. Pure.

use std::fmt;

use jiff::Timestamp;

use super::ids::EntryId;

/// Ids that are looked at, half from either end. More are taken for links that a sweep finds.
const MOST_IDS: u64 = 100_000;
/// Ids asked for at a time.
const CHUNK: usize = 500;

/// A detected loss.
///
/// The evidence is the response to a creation. A newest timesheet below the highest known ID is no evidence: somebody
/// may have deleted the newest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// When it was noticed.
    pub since: Timestamp,
    /// The lowest ID that Kimai reused for a new timesheet.
    pub reissued: EntryId,
    /// The highest ID that was known to be in use then.
    pub known: EntryId,
}

impl Loss {
    /// Whether older records about the timesheet `id` are in doubt.
    pub fn covers(&self, id: EntryId) -> bool {
        (self.reissued..=self.known).contains(&id)
    }

    /// The IDs in doubt, in chunks. If there are very many, those at both ends.
    pub fn chunks(&self) -> impl Iterator<Item = Vec<EntryId>> {
        let number = |id: EntryId| id.as_number().unwrap_or_default();
        let (first, last) = (number(self.reissued), number(self.known));
        let half = MOST_IDS / 2;
        let lower_end = last.min(first.saturating_add(half));
        let upper_start = lower_end.saturating_add(1).max(last.saturating_sub(half));
        let ids = (first..=lower_end).chain(upper_start..=last).map(EntryId::number);
        let mut ids = ids.peekable();
        std::iter::from_fn(move || {
            ids.peek()?;
            Some(ids.by_ref().take(CHUNK).collect())
        })
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reissued, known, .. } = self;
        write!(
            f,
            "Kimai has lost timesheets, probably because an older backup was restored: it gave the id {reissued} to a \
             new timesheet, although ids up to {known} were in use. No timesheet is created until the links are \
             rebuilt: run a sweep as a dry run, look at its findings, and confirm it with its key"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(reissued: u64, known: u64) -> Loss {
        Loss {
            since: Timestamp::UNIX_EPOCH,
            reissued: EntryId::number(reissued),
            known: EntryId::number(known),
        }
    }

    #[test]
    fn the_ids_in_doubt_are_looked_at_once_each_and_not_for_ever() {
        let ids = |loss: Loss| loss.chunks().flatten().filter_map(EntryId::as_number).collect::<Vec<_>>();
        assert_eq!(ids(loss(41, 50)), (41..=50).collect::<Vec<_>>());
        assert_eq!(ids(loss(50, 50)), [50]);
        let many = loss(7, 1_200);
        assert_eq!((many.chunks().map(|chunk| chunk.len()).max(), ids(many).len()), (Some(CHUNK), 1_194));
        for known in [100_001, 100_007, 100_008, 200_000, u64::MAX >> 1] {
            let seen = ids(loss(7, known));
            assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{known}");
            assert_eq!((seen.first(), seen.last()), (Some(&7), Some(&known)));
            assert!(seen.len() <= 100_002 && (known > 100_008 || seen.len() as u64 == known - 6), "{known}");
        }
        assert!(loss(41, 50).covers(EntryId::number(41)) && loss(41, 50).covers(EntryId::number(50)));
        assert!(!loss(41, 50).covers(EntryId::number(40)) && !loss(41, 50).covers(EntryId::number(51)));
    }
}
