//! Decides what to do about one work log, from the state of both sides and the ledger's record. Pure.

use super::diff::ObservedEntry;
use super::exported::UpdateIntent;
use super::ids::{EntryId, WorkLogUri};
use super::timesheet::DesiredEntry;
use super::work_log::{Facts, Kind, Obstacle};

/// The ledger's record about a work log. It may be empty at any time; a decision is right without it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// The timesheet we created or last updated for it.
    pub linked: Option<EntryId>,
    /// Whether the triplestore does not know of that timesheet yet, so that its own link is older.
    pub unwritten: bool,
    /// What was last pushed there; none if somebody requested to push again.
    pub pushed: Option<DesiredEntry>,
    /// What Kimai made of it.
    pub held: Option<ObservedEntry>,
    /// Offset in days between the day that Kimai books it on and its own; none if unknown.
    pub shift: Option<i32>,
    /// Whether a delta removed the work log's class.
    pub removed: bool,
    /// Whether the triplestore also links it to the timesheet of another work log, left out of its facts.
    pub stray: bool,
    /// A change of its timesheet whose response is not known.
    pub unanswered: Option<UpdateIntent>,
}

impl Memory {
    /// Whether Kimai accepted `wanted` and still holds something wrong: a break, zero hours, or another day.
    fn is_amiss(&self, wanted: &DesiredEntry) -> bool {
        self.is_off_day() || self.held.is_some_and(|held| held.pause != 0 || held.is_nothing_of(wanted))
    }

    fn is_off_day(&self) -> bool {
        self.shift.is_some_and(|shift| shift != 0)
    }

    /// Whether sending `wanted` alone would change nothing in Kimai that is not right, since begin and end are there
    /// already: Kimai works out its day and hours only when one of these changes.
    fn needs_renewal(&self, wanted: &DesiredEntry) -> bool {
        self.held.is_some_and(|held| {
            let same_times = held.begin == wanted.begin && held.end == Some(wanted.end);
            let off_day = self.is_off_day() && held.begin == wanted.begin;
            // That a break goes is change enough.
            let uncounted = held.pause == 0 && i64::from(held.duration) != wanted.seconds();
            off_day || (same_times && uncounted)
        })
    }
}

/// The action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It is not a work log, or nothing is left to do.
    Nothing,
    /// Create a timesheet and write its id to the work log.
    Create(DesiredEntry),
    /// Update the timesheet; if `relink`, write its ID to the work log, as the only one.
    Update {
        /// The timesheet it is linked to.
        id: EntryId,
        /// The values it should have.
        wanted: DesiredEntry,
        /// Whether the link has to be written to the triplestore.
        relink: bool,
        /// Whether Kimai has to recalculate its day and hours.
        renew: bool,
    },
    /// The timesheet is right, but the work log lacks its ID, or has others too.
    Relink(EntryId),
    /// The timesheet is right already, as far as we know.
    Unchanged(EntryId),
    /// The work log was deleted: delete these timesheets, then the rest of the link.
    Delete(Vec<EntryId>),
    /// It cannot be synced until something changes.
    Blocked {
        /// The obstacle.
        obstacles: Vec<Obstacle>,
        /// What to correct about its link anyway.
        repair: Option<Repair>,
    },
}

/// What to do with the link of a work log that cannot be synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Write the ID of its timesheet: without the link that looks like an orphan.
    Write(EntryId),
    /// Remove it: it leads to the timesheet of another work log.
    Remove,
    /// To be remembered, and written if it is not its only one: it leads to another timesheet than we know of,
    /// which is nobody's then.
    Keep(EntryId),
}

/// Decides for `subject`. `wanted` is asked for only when the subject is a work log.
///
/// Order of authority for "which timesheet is its": one that we made and could not link yet, the
/// triplestore's `dct:identifier` (of several the one we remember), then memory.
/// Emptiness alone never leads to a deletion: it takes a bare identifier, evidence that what is left was a work log
/// ([`is_left_over`]), or a delta that removed the class together with our own memory of the link.
pub fn plan(
    subject: &WorkLogUri,
    facts: &Facts,
    memory: &Memory,
    wanted: impl FnOnce() -> Result<DesiredEntry, Vec<Obstacle>>,
) -> Plan {
    match facts.kind(subject) {
        Kind::WorkLog => match wanted() {
            Ok(wanted) => push(facts, memory, wanted),
            Err(obstacles) => block(facts, memory, obstacles),
        },
        Kind::Tombstone => delete(facts, memory),
        Kind::Other if is_left_over(subject, facts, memory) => delete(facts, memory),
        Kind::Absent if memory.removed && memory.linked.is_some() => delete(facts, memory),
        Kind::Absent | Kind::Other => Plan::Nothing,
    }
}

/// Whether `subject` is a deleted work log with more left than its bare link: a property or class that mu-cl-resources
/// does not know and leaves, with or without the link. The evidence is its link under an IRI of work logs, a link in
/// the ledger, or a delta that removed its class.
pub fn is_left_over(subject: &WorkLogUri, facts: &Facts, memory: &Memory) -> bool {
    let is_known = |id| facts.entry_ids().contains(&id);
    let by_link = facts.may_be_left_over(subject)
        && (subject.is_minted() || memory.removed || memory.linked.is_some_and(is_known));
    let by_memory = memory.removed && memory.linked.is_some();
    by_link || (by_memory && facts.may_have_been_work_log(subject))
}

/// Deletes the timesheets in the triplestore and in the ledger.
fn delete(facts: &Facts, memory: &Memory) -> Plan {
    let mut ids = facts.entry_ids();
    ids.extend(memory.linked.filter(|linked| !ids.contains(linked)));
    Plan::Delete(ids)
}

/// The timesheet of a work log, and whether its link has to be written.
struct Own {
    id: EntryId,
    relink: bool,
}

fn own(facts: &Facts, memory: &Memory) -> Option<Own> {
    let ids = facts.entry_ids();
    let ours = memory.linked.filter(|linked| memory.unwritten || ids.contains(linked));
    let id = ours.or(ids.first().copied()).or(memory.linked)?;
    // One of several stays; the timesheets of the others are orphans then, and left to the sweep.
    Some(Own { id, relink: !facts.is_linked_to_just(id) || memory.unwritten || memory.stray })
}

fn push(facts: &Facts, memory: &Memory, wanted: DesiredEntry) -> Plan {
    let Some(Own { id, relink }) = own(facts, memory) else { return Plan::Create(wanted) };
    // A triplestore that has lost a link was restored, and Kimai may have been too: its state is unknown.
    let forgotten = facts.entry_ids().is_empty() && !memory.unwritten && !memory.stray;
    let remembered = memory.linked == Some(id);
    match remembered && memory.pushed == Some(wanted) && !forgotten && !memory.is_amiss(&wanted) {
        true if relink => Plan::Relink(id),
        true => Plan::Unchanged(id),
        false => Plan::Update { id, wanted, relink, renew: remembered && memory.needs_renewal(&wanted) },
    }
}

fn block(facts: &Facts, memory: &Memory, obstacles: Vec<Obstacle>) -> Plan {
    let repair = match own(facts, memory) {
        Some(Own { id, .. }) if memory.linked.is_some_and(|known| known != id) => Some(Repair::Keep(id)),
        Some(Own { id, relink }) => relink.then_some(Repair::Write(id)),
        None => memory.stray.then_some(Repair::Remove),
    };
    Plan::Blocked { obstacles, repair }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ActivityId, ProjectId, UserId};
    use crate::domain::work_log::{IMPORTED, VEVENT};
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    fn wanted(user: u64) -> DesiredEntry {
        let begin: Timestamp = "2024-09-02T00:00:00Z".parse().unwrap();
        let (project, activity) = (ProjectId::number(1), ActivityId::number(2));
        DesiredEntry { begin, end: begin, project, activity, user: UserId::number(user), note: None }
    }

    fn facts(class: Option<&str>, identifiers: &[&str]) -> Facts {
        Facts {
            types: class.into_iter().collect(),
            identifiers: identifiers.iter().copied().collect(),
            ..Facts::default()
        }
    }

    fn decide(facts: &Facts, memory: &Memory) -> Plan {
        let subject = WorkLogUri::parse("http://x/work-logs/1").unwrap();
        plan(&subject, facts, memory, || Ok(wanted(1)))
    }

    #[test]
    fn what_both_sides_and_memory_say_decides() {
        let nothing = Memory::default();
        let linked = Memory { linked: Some(EntryId::number(9)), ..nothing };
        let removed = Memory { removed: true, ..linked };
        let current = Memory { pushed: Some(wanted(1)), ..linked };
        let older = Memory { pushed: Some(wanted(2)), ..linked };
        let elsewhere = Memory { linked: Some(EntryId::number(4)), pushed: Some(wanted(1)), ..nothing };
        let unwritten = Memory { unwritten: true, ..elsewhere };
        let stray = Memory { stray: true, ..current };
        let vevent = Some(VEVENT);
        let update =
            |id, relink| Plan::Update { id: EntryId::number(id), wanted: wanted(1), relink, renew: false };
        let relink = |id| Plan::Relink(EntryId::number(id));
        let delete = |ids: &[u64]| Plan::Delete(ids.iter().copied().map(EntryId::number).collect());
        let table = vec![
            (facts(vevent, &[]), nothing, Plan::Create(wanted(1)), "new"),
            (facts(vevent, &["9"]), nothing, update(9, false), "known to the triplestore"),
            (facts(vevent, &[]), current, update(9, true), "the triplestore has forgotten its identifier"),
            (facts(vevent, &[]), older, update(9, true), "not stored, and changed since"),
            (facts(vevent, &["undefined"]), nothing, Plan::Create(wanted(1)), "its identifier is rubbish"),
            (facts(vevent, &["9"]), current, Plan::Unchanged(EntryId::number(9)), "pushed already"),
            (facts(vevent, &["9"]), older, update(9, false), "pushed, but changed since"),
            (facts(vevent, &["9"]), elsewhere, update(9, false), "the triplestore's link wins over memory"),
            (facts(vevent, &["9"]), unwritten, relink(4), "made anew, and not linked yet"),
            (facts(vevent, &["4"]), unwritten, relink(4), "linked, as far as we know not"),
            (facts(vevent, &["9"]), stray, relink(9), "linked to another's too"),
            (facts(vevent, &["9", "12"]), current, relink(9), "linked twice"),
            (facts(vevent, &["2", "9"]), current, relink(9), "linked twice, made for it"),
            (facts(vevent, &["9", "12"]), nothing, update(9, true), "linked twice, unknown to us"),
            (facts(vevent, &["009"]), current, relink(9), "written in a way that others do not look for"),
            (facts(vevent, &[" 9", "9"]), older, update(9, true), "written in two ways"),
            (facts(vevent, &["9", "undefined"]), current, relink(9), "beside what is no id"),
            (facts(None, &["+09", "9"]), nothing, delete(&[9]), "tombstone, in two ways"),
            (facts(None, &["9"]), nothing, delete(&[9]), "tombstone"),
            (facts(None, &["9"]), linked, delete(&[9]), "tombstone, once"),
            (facts(None, &["undefined"]), nothing, Plan::Delete(vec![]), "tombstone without a number"),
            (facts(None, &[]), nothing, Plan::Nothing, "unknown"),
            (facts(None, &[]), linked, Plan::Nothing, "emptiness alone is no proof"),
            (facts(None, &[]), removed, delete(&[9]), "a delta removed its class"),
            (facts(Some(IMPORTED[1]), &["9"]), removed, Plan::Nothing, "a task, whatever a delta said"),
            (facts(Some(IMPORTED[5]), &["9"]), linked, Plan::Nothing, "an account, whatever we remember"),
            (facts(Some("http://x/Note"), &["9"]), nothing, delete(&[9]), "left with a class of its own"),
            (facts(Some("http://x/Note"), &["9"]), elsewhere, delete(&[9, 4]), "left, and we remember more"),
            (facts(Some("http://x/Note"), &[]), linked, Plan::Nothing, "no delta took its class away"),
            (facts(Some("http://x/Note"), &[]), removed, delete(&[9]), "its link is gone too, a delta told"),
        ];
        for (facts, memory, expected, why) in table {
            assert_eq!(decide(&facts, &memory), expected, "{why}");
        }
    }

    /// Anything may have an identifier: an employee, a room, another application's note.
    #[test]
    fn what_is_left_with_other_properties_is_deleted_on_evidence_only() {
        let nothing = Memory::default();
        let linked = Memory { linked: Some(EntryId::number(9)), ..nothing };
        let elsewhere = Memory { linked: Some(EntryId::number(4)), ..nothing };
        let removed = Memory { removed: true, ..nothing };
        let of = |iri: &str, memory: &Memory, facts: &Facts| {
            plan(&WorkLogUri::parse(iri).unwrap(), facts, memory, || panic!("it is no work log"))
        };
        let nine = || Plan::Delete(vec![EntryId::number(9)]);
        let (minted, other, task) = ("http://x/work-logs/1", "http://x/notes/1", "http://x/tasks/1");
        let bare = facts(None, &["9"]);
        let others = [
            Facts { has_others: true, ..bare.clone() },
            Facts { types: ["http://x/Note"].into_iter().collect(), ..bare.clone() },
            Facts { days: ["2024-09-02"].into_iter().collect(), ..bare.clone() },
            Facts { persons: ["http://x/jane"].into_iter().collect(), has_others: true, ..bare },
        ];
        for facts in &others {
            let table = [
                (minted, nothing, nine()),
                (other, nothing, Plan::Nothing),
                (other, elsewhere, Plan::Nothing),
                (other, linked, nine()),
                (other, removed, nine()),
                (task, linked, Plan::Nothing),
                (task, removed, Plan::Nothing),
            ];
            for (iri, memory, wanted) in table {
                assert_eq!(of(iri, &memory, facts), wanted, "{iri} {memory:?} {facts:?}");
            }
            for class in IMPORTED {
                let mut imported = facts.clone();
                imported.types.insert(class.to_owned());
                let told = Memory { removed: true, ..linked };
                assert_eq!(of(minted, &told, &imported), Plan::Nothing, "{class}");
            }
        }
    }

    #[test]
    fn what_kimai_took_and_does_not_hold_right_is_sent_again_with_a_change_that_it_notices() {
        let begin: Timestamp = "2024-09-02T00:00:00Z".parse().unwrap();
        let after = |minutes| begin + SignedDuration::from_mins(minutes);
        let wanted = DesiredEntry { end: after(7), ..wanted(1) };
        let held = |end, minutes: i32| {
            Some(ObservedEntry { end: Some(after(end)), duration: minutes * 60, ..wanted.into() })
        };
        let sent = Memory { linked: Some(EntryId::number(9)), pushed: Some(wanted), ..Memory::default() };
        let doubted = Memory { pushed: None, ..sent };
        let nothing = || Plan::Unchanged(EntryId::number(9));
        let update = |renew| Plan::Update { id: EntryId::number(9), wanted, relink: false, renew };
        let moved = Some(ObservedEntry { begin: after(-1440), ..held(7, 7).unwrap() });
        let table = [
            (Memory { held: held(7, 7), ..sent }, nothing(), "just what was sent"),
            (Memory { held: held(15, 15), ..sent }, nothing(), "rounded"),
            (Memory { held: held(7, 15), ..sent }, nothing(), "its duration rounded"),
            (Memory { held: held(7, 0), ..sent }, update(true), "rounded to nothing"),
            (Memory { held: held(0, 0), ..sent }, update(false), "its end rounded to its begin"),
            (Memory { held: held(7, 15), ..doubted }, update(true), "asked for again, its duration rounded"),
            (Memory { held: held(15, 15), ..doubted }, update(false), "asked for again, its end rounded"),
            (Memory { held: held(7, 7), shift: Some(0), ..sent }, nothing(), "on its day"),
            (Memory { held: held(7, 7), shift: Some(-1), ..sent }, update(true), "on the day before"),
            (
                Memory { held: moved, shift: Some(-1), ..doubted },
                update(false),
                "moved to another day anyway",
            ),
        ];
        let with_break = held(7, 4).map(|held| ObservedEntry { pause: 180, ..held });
        let table = table.into_iter().chain([(
            Memory { held: with_break, ..sent },
            update(false),
            "with a break that could not be removed",
        )]);
        let facts = facts(Some(VEVENT), &["9"]);
        let subject = WorkLogUri::parse("http://x/work-logs/1").unwrap();
        for (memory, expected, why) in table {
            assert_eq!(plan(&subject, &facts, &memory, || Ok(wanted)), expected, "{why}");
        }
    }

    #[test]
    fn a_blocked_work_log_keeps_its_timesheet() {
        let subject = WorkLogUri::parse("http://x/work-logs/1").unwrap();
        let gap = || vec![Obstacle::Lacks("duration")];
        let blocked = |identifiers: &[&str], memory: &Memory| {
            plan(&subject, &facts(Some(VEVENT), identifiers), memory, || Err(gap()))
        };
        let memory = Memory { linked: Some(EntryId::number(9)), removed: true, ..Memory::default() };
        let unwritten = Memory { unwritten: true, ..memory };
        let linking = |repair| Plan::Blocked { obstacles: gap(), repair };
        assert_eq!(blocked(&["9"], &memory), linking(None));
        assert_eq!(blocked(&[], &Memory::default()), linking(None));
        // What was made while it was whole stays its own.
        let write = Some(Repair::Write(EntryId::number(9)));
        assert_eq!(blocked(&[], &unwritten), linking(write));
        assert_eq!(blocked(&["4"], &unwritten), linking(write));
        assert_eq!(blocked(&["9"], &Memory { stray: true, ..memory }), linking(write));
        // The triplestore's link goes before what we remember.
        assert_eq!(blocked(&["4"], &memory), linking(Some(Repair::Keep(EntryId::number(4)))));
        assert_eq!(
            blocked(&["4", "5"], &memory),
            linking(Some(Repair::Keep(EntryId::number(4)))),
            "also of several"
        );
        let stray = Memory { stray: true, ..Memory::default() };
        assert_eq!(blocked(&[], &stray), linking(Some(Repair::Remove)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        /// Whatever else is there: a work log, and what the import makes, is never deleted. What has an id of its own is
        /// only if that is all it has, or something says that it was a work log; what has none only with both a
        /// removal seen and a link remembered.
        #[test]
        fn deletion_needs_positive_evidence(
            class in prop::option::of(prop::sample::select(vec![VEVENT, "http://x/Other", IMPORTED[2]])),
            has_others: bool,
            minted: bool,
            identifiers in prop::collection::btree_set("[0-9a-z]{0,3}", 0..3),
            linked in prop::option::of(1u64..9),
            pushed in prop::option::of(1u64..3),
            unwritten: bool,
            removed: bool,
        ) {
            let identifiers = identifiers.into_iter().collect();
            let facts = Facts { identifiers, has_others, ..facts(class, &[]) };
            let (linked, pushed) = (linked.map(EntryId::number), pushed.map(wanted));
            let memory = Memory { linked, unwritten, pushed, removed, ..Memory::default() };
            let subject = if minted { "http://x/work-logs/1" } else { "http://x/notes/1" };
            let subject = WorkLogUri::parse(subject).unwrap();
            if let Plan::Delete(_) = plan(&subject, &facts, &memory, || Ok(wanted(1))) {
                prop_assert!(class != Some(VEVENT) && class != Some(IMPORTED[2]));
                let bare = class.is_none() && !has_others;
                let known = linked.is_some_and(|id| facts.entry_ids().contains(&id));
                let by_link = !facts.identifiers.is_empty() && (bare || minted || removed || known);
                prop_assert!(by_link || (removed && linked.is_some()));
            }
        }
    }
}
