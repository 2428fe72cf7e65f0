//! A digest of what a run read about a work log, to find out whether it has changed since.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::timesheet::DesiredEntry;
use super::work_log::{Facts, Kind, Obstacle};
use super::{EntryId, WorkLogUri};

/// Set in the digest of a work log.
const LIVE: u32 = 1 << 31;

/// A digest of everything that decides what happens to a work log. If two differ, the data differs. It may change
/// between releases, which costs a surplus run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    what: u32,
    /// Of the timesheets that a work log is linked to.
    link: u32,
}

impl Sighting {
    /// Of `subject` with these `facts`; if it is a work log, with the timesheet that it should have.
    pub fn of(subject: &WorkLogUri, facts: &Facts, wanted: &Result<DesiredEntry, Vec<Obstacle>>) -> Self {
        let what = match facts.kind(subject) {
            Kind::Absent => return Self::ABSENT,
            // Perhaps what is left of a work log: a part of its removal may show later than the rest.
            Kind::Other => digest(&(1, format!("{facts:?}"))),
            Kind::Tombstone => digest(&(2, facts.entry_ids())),
            Kind::WorkLog => {
                let what = match wanted {
                    Ok(wanted) => digest(&(3, wanted)),
                    Err(obstacles) => {
                        digest(&(4, obstacles.iter().map(ToString::to_string).collect::<Vec<_>>()))
                    }
                };
                return Self { what: what | LIVE, link: 0 }.linked_to(&facts.entry_ids());
            }
        };
        Self { what: what & !LIVE | 1, link: 0 }
    }

    /// Whether it is that of a work log, complete or not.
    pub fn is_of_work_log(self) -> bool {
        self.what & LIVE != 0
    }

    /// The same, linked to these timesheets: a run that ended well has written that link itself, whatever it saw. A work
    /// log that was deleted and made again since has none.
    #[must_use]
    pub fn linked_to(self, timesheets: &[EntryId]) -> Self {
        if self.is_of_work_log() { Self { link: digest(&timesheets), ..self } } else { self }
    }

    /// For a subject of which nothing is known, or nothing any more.
    pub const ABSENT: Self = Self { what: 0, link: 0 };

    /// The stored form.
    pub fn bits(self) -> i64 {
        ((u64::from(self.what) << 32) | u64::from(self.link)).cast_signed()
    }

    /// Parses the stored form.
    pub fn from_bits(bits: i64) -> Self {
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
        Self { what: half(bits.cast_unsigned() >> 32), link: half(bits.cast_unsigned()) }
    }
}

/// Half of a hash, never zero.
fn digest(what: &impl Hash) -> u32 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).unwrap_or_default().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Values;
    use crate::domain::ids::{ActivityId, ProjectId, UserId};
    use crate::domain::work_log::VEVENT;

    #[test]
    fn it_differs_where_something_else_would_become_of_the_work_log_and_nowhere_else() {
        let subject = WorkLogUri::parse("http://x/work-logs/1").unwrap();
        let begin: jiff::Timestamp = "2024-09-02T00:00:00Z".parse().unwrap();
        let wanted = |user| DesiredEntry {
            begin,
            end: begin,
            project: ProjectId::number(1),
            activity: ActivityId::number(2),
            user: UserId::number(user),
            note: None,
        };
        let facts = |class: Option<&str>, ids: &[&str]| Facts {
            types: class.into_iter().collect(),
            identifiers: ids.iter().copied().collect(),
            ..Facts::default()
        };
        let lacks = |what| Err(vec![Obstacle::Lacks(what)]);
        let of = |facts: &Facts, wanted| Sighting::of(&subject, facts, &wanted);
        let live = facts(Some(VEVENT), &[]);
        let different = [
            of(&live, Ok(wanted(1))),
            of(&live, Ok(wanted(2))),
            of(&live, lacks("duration")),
            of(&live, lacks("date")),
            of(&facts(None, &["9"]), lacks("date")),
            of(&facts(None, &["10"]), lacks("date")),
            of(&facts(Some("http://x/Task"), &[]), lacks("date")),
            of(&facts(Some(VEVENT), &["9"]), Ok(wanted(1))),
            of(&facts(Some(VEVENT), &["9", "10"]), Ok(wanted(1))),
            Sighting::ABSENT,
        ];
        for (n, one) in different.iter().enumerate() {
            assert_eq!(different.iter().filter(|other| *other == one).count(), 1, "{n}");
            assert_eq!(Sighting::from_bits(one.bits()), *one);
        }
        for (n, one) in different.iter().enumerate() {
            assert_eq!(one.is_of_work_log(), ![4, 5, 6, 9].contains(&n), "{n}");
        }
        let linked = of(&facts(Some(VEVENT), &["9"]), Ok(wanted(1)));
        assert_eq!(different[0].linked_to(&[EntryId::number(9)]), linked, "a run gave it its link");
        let other = Facts { days: Values::only("2024-09-02"), ..facts(None, &["9"]) };
        assert!(different.iter().all(|one| *one != of(&other, lacks("date"))), "a removal in its middle");
        assert_eq!(of(&Facts::default(), lacks("date")), Sighting::ABSENT);
    }
}
