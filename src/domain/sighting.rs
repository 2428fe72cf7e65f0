//! What a run saw of a work log, kept as short as it can be compared: whether it says something else later.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::timesheet::WantedTimesheet;
use super::work_log::{Facts, Kind, Obstacle};
use super::{KimaiId, WorkLogUri};

/// A digest of all that decides what becomes of a work log, but for its link: that is written by this service. Two
/// that differ say different things. It may differ between releases, which costs a run too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting(u64);

impl Sighting {
    /// Of `subject` with these `facts`; if it is a work log, with the timesheet that it should have.
    pub fn of(subject: &WorkLogUri, facts: &Facts, wanted: &Result<WantedTimesheet, Vec<Obstacle>>) -> Self {
        match facts.kind(subject) {
            Kind::Absent => Self::ABSENT,
            // Perhaps what is left of a work log: a part of its removal may show later than the rest.
            Kind::Other => Self::digest(&(1, format!("{facts:?}"))),
            Kind::Tombstone => {
                let ids: Vec<u64> = facts.kimai_ids().into_iter().map(|KimaiId(id)| id).collect();
                Self::digest(&(2, ids))
            }
            Kind::WorkLog => match wanted {
                Ok(wanted) => Self::digest(&(3, wanted)),
                Err(obstacles) => {
                    Self::digest(&(4, obstacles.iter().map(ToString::to_string).collect::<Vec<_>>()))
                }
            },
        }
    }

    /// Of what nothing is known of, or nothing any more.
    pub const ABSENT: Self = Self(0);

    fn digest(what: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// As it is kept in the file.
    pub fn bits(self) -> i64 {
        self.0.cast_signed()
    }

    /// As it was kept in the file.
    pub fn from_bits(bits: i64) -> Self {
        Self(bits.cast_unsigned())
    }
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
        let wanted = |user| WantedTimesheet {
            begin,
            end: begin,
            project: ProjectId(1),
            activity: ActivityId(2),
            user: UserId(user),
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
            Sighting::ABSENT,
        ];
        for (n, one) in different.iter().enumerate() {
            assert_eq!(different.iter().filter(|other| *other == one).count(), 1, "{n}");
            assert_eq!(Sighting::from_bits(one.bits()), *one);
        }
        assert_eq!(of(&facts(Some(VEVENT), &["9"]), Ok(wanted(1))), different[0], "it got its link");
        let other = Facts { days: Values::only("2024-09-02"), ..facts(None, &["9"]) };
        assert!(different.iter().all(|one| *one != of(&other, lacks("date"))), "a removal in its middle");
        assert_eq!(of(&Facts::default(), lacks("date")), Sighting::ABSENT);
    }
}
