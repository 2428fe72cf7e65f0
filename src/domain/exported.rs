//! Timesheets that are exported in Kimai may be on an invoice, so they are not overwritten, and people are shown the
//! values of both sides. Pure.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::diff::ObservedEntry;
use super::hours::clock;
use super::ids::{EntryId, UserId};
use super::timesheet::DesiredEntry;

/// A change of a timesheet that was sent, and whose response is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateIntent {
    /// The timesheet.
    pub id: EntryId,
    /// What Kimai held before, when it was not exported.
    pub before: ObservedEntry,
    /// What was sent.
    pub sent: DesiredEntry,
    /// Whether the response showed it as exported: then it was exported before the change.
    pub exported: bool,
}

impl UpdateIntent {
    /// Whether this change may have overwritten what is exported by now. Where the answer was lost, it may also have
    /// been exported after the change, as it is.
    pub fn may_have_overwritten(&self, found: &ObservedEntry, exported: bool) -> bool {
        exported && *found != self.before && found.may_be_made_of(&self.sent)
    }

    /// What has to be sent to put it back; none where Kimai would not take that: it is still running, or booked
    /// on nothing.
    pub fn put_back(&self) -> Option<DesiredEntry> {
        self.before.end.and_then(|_| self.before.whole())
    }
}

/// What Kimai holds in an exported timesheet and what the work log says instead, for people; without `wanted`
/// the work log is deleted. Days are those of `zone`.
pub fn both_values(found: &ObservedEntry, wanted: Option<&DesiredEntry>, zone: &TimeZone) -> String {
    let kimai = found.end.map_or_else(|| "still running".to_owned(), |_| clock(found.duration.into()));
    let Some(wanted) = wanted else { return format!("{kimai} in Kimai, exported; deleted here") };
    let mut words = format!("{kimai} in Kimai, exported; {} here", clock(wanted.seconds()));
    let mut tell = |what: &str, kimai: Option<String>, here: String| {
        if kimai.as_ref() != Some(&here) {
            let kimai = kimai.unwrap_or_else(|| "none".to_owned());
            // Writing to a string cannot fail.
            let _ = write!(words, "; {what} {kimai} in Kimai, {here} here");
        }
    };
    let day = |instant: Timestamp| instant.to_zoned(zone.clone()).date().to_string();
    let time = |instant: Timestamp| instant.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string();
    tell("day", Some(day(found.begin)), day(wanted.begin));
    tell("begin", Some(time(found.begin)), time(wanted.begin));
    tell("break", Some(clock(found.pause.into())), clock(0));
    tell("project", found.project.map(|id| id.to_string()), wanted.project.to_string());
    tell("activity", found.activity.map(|id| id.to_string()), wanted.activity.to_string());
    tell("user", found.user.map(|id| id.to_string()), wanted.user.to_string());
    if !found.says(wanted) {
        words.push_str("; description in Kimai is not the note here");
    }
    words
}

/// A timesheet to be checked, and where a list would show it unless somebody moved it in Kimai.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The timesheet.
    pub id: EntryId,
    /// When it should begin.
    pub begin: Timestamp,
    /// Whose it should be.
    pub user: UserId,
}

/// Timesheets that one list request probably returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The earliest begin.
    pub first: Timestamp,
    /// The latest begin.
    pub last: Timestamp,
    /// Their owner, if it is the same for all.
    pub user: Option<UserId>,
    /// How many they are.
    pub count: usize,
}

/// Fewer are checked one by one: a list costs Kimai about as much as two of them.
const LEAST: usize = 3;
/// Timesheets that begin further apart than this are requested with different lists.
const GAP: SignedDuration = SignedDuration::from_hours(24);
/// The rows that a list may bring for each timesheet looked for: with more it would cost Kimai as much as to look
/// at each.
const ROWS_A_LOOK: usize = 20;

impl Group {
    /// The most rows that its list may return.
    pub fn rows(&self) -> usize {
        self.count.saturating_mul(ROWS_A_LOOK)
    }
}

/// Which lists are worth asking for to look at all of these. What they do not show is looked at one by one.
pub fn groups(looks: &[Look]) -> Vec<Group> {
    let mut sorted: Vec<&Look> = looks.iter().collect();
    sorted.sort_by_key(|look| look.begin);
    let near = |one: &&Look, next: &&Look| next.begin.duration_since(one.begin) <= GAP;
    let runs = sorted.chunk_by(near).filter(|run| run.len() >= LEAST);
    let group = |run: &[&Look]| {
        let (first, last) = (run.first()?, run.last()?);
        let user = Some(first.user).filter(|user| run.iter().all(|look| look.user == *user));
        Some(Group { first: first.begin, last: last.begin, user, count: run.len() })
    };
    runs.filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::{ActivityId, ProjectId};
    use crate::domain::note::Note;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn wanted(end: &str) -> DesiredEntry {
        let (begin, end) = (at("2024-09-01T22:00:00Z"), at(end));
        DesiredEntry {
            begin,
            end,
            project: ProjectId::number(1),
            activity: ActivityId::number(2),
            user: UserId::number(3),
            note: None,
        }
    }

    fn brussels() -> TimeZone {
        TimeZone::get("Europe/Brussels").unwrap()
    }

    #[test]
    fn both_values_are_told_in_hours_and_minutes_with_all_else_that_differs() {
        let two = wanted("2024-09-02T00:00:00Z");
        let five = ObservedEntry::from(wanted("2024-09-02T03:00:00Z"));
        let tell = |found: ObservedEntry| both_values(&found, Some(&two), &brussels());
        assert_eq!(tell(five), "5:00 in Kimai, exported; 2:00 here");
        // What Kimai counts, which may differ from end minus begin.
        let odd = ObservedEntry { duration: 18_400, pause: 1_800, ..five };
        assert_eq!(tell(odd), "5:06:40 in Kimai, exported; 2:00 here; break 0:30 in Kimai, 0:00 here");
        let moved = ObservedEntry {
            begin: at("2024-09-03T06:30:00Z"),
            end: Some(at("2024-09-03T08:30:00Z")),
            duration: 7_200,
            pause: 0,
            project: Some(ProjectId::number(9)),
            activity: None,
            user: Some(UserId::number(4)),
            note: None,
        };
        assert_eq!(
            tell(moved),
            "2:00 in Kimai, exported; 2:00 here; day 2024-09-03 in Kimai, 2024-09-02 here; begin 08:30:00 in Kimai, \
             00:00:00 here; project 9 in Kimai, 1 here; activity none in Kimai, 2 here; user 4 in Kimai, 3 here"
        );
        assert_eq!(both_values(&five, None, &brussels()), "5:00 in Kimai, exported; deleted here");
        let noted = DesiredEntry { note: Some(Note::of("What I did")), ..two };
        assert_eq!(
            both_values(&two.into(), Some(&noted), &brussels()),
            "2:00 in Kimai, exported; 2:00 here; description in Kimai is not the note here"
        );
        let running = ObservedEntry { end: None, ..five };
        assert_eq!(tell(running), "still running in Kimai, exported; 2:00 here");
    }

    #[test]
    fn only_what_is_exported_and_holds_what_was_sent_may_have_been_overwritten() {
        let (before, sent) =
            (ObservedEntry::from(wanted("2024-09-02T03:00:00Z")), wanted("2024-09-02T00:00:00Z"));
        let intent = UpdateIntent { id: EntryId::number(7), before, sent, exported: false };
        let now = ObservedEntry::from(sent);
        let elsewhere = ObservedEntry { project: Some(ProjectId::number(9)), ..now };
        let rounded = ObservedEntry { end: Some(at("2024-09-02T00:15:00Z")), duration: 0, ..now };
        let table = [
            (now, true, true, "exported, and holds what was sent"),
            (rounded, true, true, "exported, and holds what Kimai made of it"),
            (now, false, false, "not exported"),
            (before, true, false, "exported, and never reached"),
            (elsewhere, true, false, "changed by somebody else since"),
        ];
        for (found, exported, expected, why) in table {
            assert_eq!(intent.may_have_overwritten(&found, exported), expected, "{why}");
        }
        assert!(
            !UpdateIntent { before: now, ..intent }.may_have_overwritten(&now, true),
            "it changed nothing"
        );
        assert_eq!(intent.put_back(), Some(wanted("2024-09-02T03:00:00Z")));
        let running = ObservedEntry { end: None, ..before };
        assert_eq!(UpdateIntent { before: running, ..intent }.put_back(), None);
    }

    fn look(id: u64, day: i64, user: u64) -> Look {
        let begin = at("2024-09-01T22:00:00Z") + SignedDuration::from_hours(24 * day);
        Look { id: EntryId::number(id), begin, user: UserId::number(user) }
    }

    #[test]
    fn a_list_is_asked_for_where_three_or_more_lie_near_each_other() {
        assert_eq!(groups(&[look(1, 0, 1), look(2, 0, 1)]), []);
        let month: Vec<Look> = (0..10_u8).map(|day| look(day.into(), day.into(), 1)).collect();
        let whole = groups(&month);
        assert_eq!(
            whole.iter().map(|group| (group.count, group.user)).collect::<Vec<_>>(),
            [(10, Some(UserId::number(1)))]
        );
        assert_eq!(whole[0].rows(), 200);
        // A year ago, and one alone: neither stretches the list of today.
        let apart = [
            look(1, 0, 1),
            look(2, 1, 2),
            look(3, 1, 3),
            look(4, 365, 1),
            look(5, 365, 1),
            look(6, 365, 1),
            look(7, 90, 1),
        ];
        let found = groups(&apart);
        assert_eq!(
            found.iter().map(|group| (group.count, group.user)).collect::<Vec<_>>(),
            [(3, None), (3, Some(UserId::number(1)))]
        );
    }

    proptest! {
        /// Each list covers as many as it counts, and they never count more than there are.
        #[test]
        fn lists_cover_what_they_count(days in prop::collection::vec(0i64..40, 0..30)) {
            let looks: Vec<Look> = days.iter().enumerate().map(|(id, day)| look(id as u64, *day, 1)).collect();
            let groups = groups(&looks);
            prop_assert!(groups.iter().map(|group| group.count).sum::<usize>() <= looks.len());
            for group in groups {
                let inside = looks.iter().filter(|look| (group.first..=group.last).contains(&look.begin));
                prop_assert_eq!(inside.count(), group.count);
            }
        }
    }
}
