//! Compares the work logs and timesheets of a period, given both lists. Pure.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::hours;
use super::ids::{ActivityId, EntryId, ProjectId, UserId, WorkLogUri};
use super::note::Note;
use super::timesheet::DesiredEntry;
use crate::text::second;

/// Kimai rounds begin and end to the minute by default, so smaller deviations do not count.
const ROUNDING: SignedDuration = SignedDuration::from_mins(1);

/// What Kimai may round begin and end by: an hour is the coarsest setting that makes sense.
const MOST_ROUNDING: SignedDuration = SignedDuration::from_hours(1);

/// A timesheet as Kimai holds it, limited to the fields that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept")]
pub struct ObservedEntry {
    /// Start.
    pub begin: Timestamp,
    /// End; none while the record runs.
    pub end: Option<Timestamp>,
    /// Seconds that Kimai counts: from begin to end without the break, rounded as it is set to. None while it runs.
    pub duration: i32,
    /// Seconds of break.
    #[serde(rename = "break")]
    pub pause: i32,
    /// The project, if it has one.
    pub project: Option<ProjectId>,
    /// The activity, if it has one.
    pub activity: Option<ActivityId>,
    /// Whose hours they are.
    pub user: Option<UserId>,
    /// Its description, if we write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// The stored form. In old files it has neither Kimai's count nor a break.
#[derive(Deserialize)]
struct Kept {
    begin: Timestamp,
    end: Option<Timestamp>,
    duration: Option<i32>,
    #[serde(default, rename = "break")]
    pause: i32,
    project: Option<ProjectId>,
    activity: Option<ActivityId>,
    user: Option<UserId>,
    note: Option<Note>,
}

impl From<Kept> for ObservedEntry {
    fn from(kept: Kept) -> Self {
        let Kept { begin, end, duration, pause, project, activity, user, note } = kept;
        let duration = duration.unwrap_or_else(|| between(begin, end, pause));
        Self { begin, end, duration, pause, project, activity, user, note }
    }
}

/// Seconds from begin to end without the break: what Kimai counts where it does not round durations.
pub(crate) fn between(begin: Timestamp, end: Option<Timestamp>, pause: i32) -> i32 {
    let seconds = end.map_or(0, |end| end.as_second() - begin.as_second() - i64::from(pause));
    i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { i32::MAX })
}

impl ObservedEntry {
    /// Whether it matches, apart from Kimai's rounding to the minute.
    pub fn holds(&self, wanted: &DesiredEntry) -> bool {
        let near = |found: Timestamp, wanted: Timestamp| found.duration_since(wanted).abs() < ROUNDING;
        near(self.begin, wanted.begin)
            && self.end.is_some_and(|end| near(end, wanted.end))
            && (i64::from(self.duration) - wanted.seconds()).abs() < ROUNDING.as_secs()
            && self.pause == 0
            && !self.is_nothing_of(wanted)
            && self.project == Some(wanted.project)
            && self.activity == Some(wanted.activity)
            && self.user == Some(wanted.user)
            && self.says(wanted)
    }

    /// Whether its description matches, if one is wanted.
    pub fn says(&self, wanted: &DesiredEntry) -> bool {
        wanted.note.is_none_or(|note| self.note == Some(note))
    }

    /// Whether it may be Kimai's rounding of `wanted`, whatever the rounding settings.
    pub fn may_be_made_of(&self, wanted: &DesiredEntry) -> bool {
        let near = |found: Timestamp, sent: Timestamp| found.duration_since(sent).abs() <= MOST_ROUNDING;
        near(self.begin, wanted.begin)
            && self.end.is_some_and(|end| near(end, wanted.end))
            && self.project == Some(wanted.project)
            && self.activity == Some(wanted.activity)
            && self.user == Some(wanted.user)
    }

    /// Seconds between its times and those that are wanted: the nearest of several was most likely made of it.
    pub fn seconds_from(&self, wanted: &DesiredEntry) -> i64 {
        let apart = |one: Timestamp, other: Timestamp| (one.as_second() - other.as_second()).abs();
        self.end
            .map_or(i64::MAX, |end| apart(end, wanted.end).saturating_add(apart(self.begin, wanted.begin)))
    }

    /// The same as if Kimai counted all time from begin to end.
    #[must_use]
    pub(crate) fn by_times(self) -> Self {
        Self { duration: between(self.begin, self.end, 0), pause: 0, ..self }
    }

    /// Whether Kimai counts zero hours although some are wanted.
    pub fn is_nothing_of(&self, wanted: &DesiredEntry) -> bool {
        self.duration == 0 && self.end.is_some() && wanted.seconds() > 0
    }

    /// Whether `self` is what Kimai made of `wanted` by its rounding alone: `pushed` was sent last and `held` was the
    /// answer. Neither a break nor hours that became none are rounding.
    pub fn is_answer_to(
        &self,
        wanted: &DesiredEntry,
        pushed: Option<&DesiredEntry>,
        held: Option<&Self>,
    ) -> bool {
        pushed == Some(wanted) && held == Some(self) && self.pause == 0 && !self.is_nothing_of(wanted)
    }

    /// The same as something that could be wanted, where it is booked on all it has to be; one that runs ends
    /// as it begins.
    pub fn whole(&self) -> Option<DesiredEntry> {
        let Self { begin, end, project, activity, user, note, .. } = *self;
        let end = end.unwrap_or(begin);
        Some(DesiredEntry { begin, end, project: project?, activity: activity?, user: user?, note })
    }
}

impl From<DesiredEntry> for ObservedEntry {
    fn from(wanted: DesiredEntry) -> Self {
        let DesiredEntry { begin, end, project, activity, user, note } = wanted;
        let (project, activity, user) = (Some(project), Some(activity), Some(user));
        let duration = between(begin, Some(end), 0);
        Self { begin, end: Some(end), duration, pause: 0, project, activity, user, note }
    }
}

/// A work log, as far as a comparison needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkLogSide {
    /// The timesheets it is linked to, lowest id first.
    pub ids: Vec<EntryId>,
    /// The timesheet it should have, or why it cannot have one, as text.
    pub wanted: Result<DesiredEntry, String>,
}

/// A timesheet, as far as a comparison needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimesheetSide {
    /// What it holds.
    pub found: ObservedEntry,
    /// Whether it may be on an invoice.
    pub exported: bool,
}

/// Work logs by IRI.
pub type WorkLogSides = BTreeMap<WorkLogUri, WorkLogSide>;
/// Timesheets by id.
pub type TimesheetSides = BTreeMap<EntryId, TimesheetSide>;

/// What does not match. Each work log stands in one of the lists at most, but for those that share a
/// timesheet: they stand under it alone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Complete work logs without link.
    pub missing: Vec<WorkLogUri>,
    /// Work logs whose timesheet holds something else.
    pub changed: Vec<WorkLogUri>,
    /// Work logs whose timesheet is not in the list. It may be gone, on another day, or not visible.
    pub absent: Vec<(WorkLogUri, EntryId)>,
    /// Work logs with several links.
    pub doubled: Vec<WorkLogUri>,
    /// Work logs that cannot have a timesheet as they are.
    pub incomplete: Vec<WorkLogUri>,
    /// Timesheets with several work logs.
    pub shared: BTreeMap<EntryId, Vec<WorkLogUri>>,
    /// Timesheets that no work log of the period is linked to. One of another period may be.
    pub unlinked: Vec<EntryId>,
}

/// Compares the work logs of a period with the timesheets of that period, by link.
pub fn compare(work_logs: &WorkLogSides, timesheets: &TimesheetSides) -> Comparison {
    let links = work_logs.iter().flat_map(|(work_log, side)| side.ids.iter().map(move |id| (*id, work_log)));
    let mut links: Vec<(EntryId, &WorkLogUri)> = links.collect();
    // Stable: who shares a timesheet stays in order.
    links.sort_by_key(|(id, _)| *id);
    let linked = |id: &EntryId| links.binary_search_by_key(id, |(id, _)| *id).is_ok();
    let mut comparison = Comparison::default();
    comparison.unlinked.extend(timesheets.keys().filter(|id| !linked(id)));
    for sharing in links.chunk_by(|(one, _), (other, _)| one == other) {
        if let [(id, _), _, ..] = sharing {
            comparison.shared.insert(*id, sharing.iter().map(|(_, work_log)| (*work_log).clone()).collect());
        }
    }
    for (work_log, side) in work_logs {
        if side.ids.iter().any(|id| comparison.shared.contains_key(id)) {
            continue;
        }
        match (side.ids.as_slice(), &side.wanted) {
            ([_, _, ..], _) => comparison.doubled.push(work_log.clone()),
            (_, Err(_)) => comparison.incomplete.push(work_log.clone()),
            ([], Ok(_)) => comparison.missing.push(work_log.clone()),
            ([id], Ok(wanted)) => match timesheets.get(id) {
                None => comparison.absent.push((work_log.clone(), *id)),
                Some(timesheet) if timesheet.found.holds(wanted) => {}
                Some(_) => comparison.changed.push(work_log.clone()),
            },
        }
    }
    comparison
}

/// Gives each of `missing` a timesheet of `unlinked` that holds just what it wants, one each, lowest id
/// first: booked by hand, or ours from before our memory was lost.
pub fn adoptions(
    work_logs: &WorkLogSides,
    timesheets: &TimesheetSides,
    missing: &[WorkLogUri],
    unlinked: &[EntryId],
) -> Vec<(WorkLogUri, EntryId)> {
    let mut free: BTreeMap<_, Vec<EntryId>> = BTreeMap::new();
    for id in unlinked {
        if let Some(TimesheetSide { found, .. }) = timesheets.get(id) {
            free.entry((found.user, found.begin, found.project, found.activity)).or_default().push(*id);
        }
    }
    let mut adopted = Vec::new();
    for work_log in missing {
        let Some(Ok(wanted)) = work_logs.get(work_log).map(|side| &side.wanted) else { continue };
        let key = (Some(wanted.user), wanted.begin, Some(wanted.project), Some(wanted.activity));
        let Some(ids) = free.get_mut(&key) else { continue };
        let fits = |id: &EntryId| timesheets.get(id).is_some_and(|timesheet| timesheet.found.holds(wanted));
        if let Some(place) = ids.iter().position(fits) {
            adopted.push((work_log.clone(), ids.remove(place)));
        }
    }
    adopted
}

/// Which of the work logs linked to one timesheet keeps it: the one it was created for, otherwise one whose values
/// match, otherwise the first.
pub fn keeper<'a>(
    sharing: &'a [WorkLogUri],
    made_for: Option<&WorkLogUri>,
    holds: impl Fn(&WorkLogUri) -> bool,
) -> Option<&'a WorkLogUri> {
    let owner = sharing.iter().find(|work_log| Some(*work_log) == made_for);
    owner.or_else(|| sharing.iter().find(|work_log| holds(work_log))).or_else(|| sharing.first())
}

/// What differs between a timesheet and what it should hold, in words, with times as people in `zone` read them.
pub fn in_words(found: &ObservedEntry, wanted: &DesiredEntry, zone: &TimeZone) -> String {
    let time = |instant: Timestamp| second(instant, zone);
    let mut words = Vec::new();
    let mut differs = |what: &str, kimai: Option<String>, triplestore: String| {
        if kimai.as_ref() != Some(&triplestore) {
            let kimai = kimai.unwrap_or_else(|| "none".to_owned());
            words.push(format!("{what}: Kimai has {kimai}, the work log says {triplestore}"));
        }
    };
    differs("begin", Some(time(found.begin)), time(wanted.begin));
    differs("end", found.end.map(time), time(wanted.end));
    differs("project", found.project.map(|id| id.to_string()), wanted.project.to_string());
    differs("activity", found.activity.map(|id| id.to_string()), wanted.activity.to_string());
    differs("user", found.user.map(|id| id.to_string()), wanted.user.to_string());
    words.extend(hours::differing(found, wanted));
    if !found.says(wanted) {
        words.push("description: Kimai has another text than the note of the work log".to_owned());
    }
    words.join("; ")
}

#[cfg(test)]
mod tests;
