//! Entries as a tracker holds them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use crate::domain::diff::ObservedEntry;
use crate::domain::ids::{ActivityId, EntryId, ProjectId, UserId};
use crate::domain::note::Note;

/// An entry as the tracker holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeEntry {
    /// Its id.
    pub id: EntryId,
    /// The activity, if it has one.
    pub activity: Option<ActivityId>,
    /// The project, if it has one.
    pub project: Option<ProjectId>,
    /// Whose hours they are.
    pub user: Option<UserId>,
    /// Start.
    pub begin: Timestamp,
    /// The day of the start as the tracker wrote it. Kimai's answer to a creation, and to an update that changed begin,
    /// has the day that it is booked on in reports; elsewhere it is the day in the owner's zone.
    pub day: Date,
    /// End; absent while the record runs.
    pub end: Option<Timestamp>,
    /// Seconds that the tracker counts.
    pub duration: i32,
    /// Seconds of break.
    pub pause: i32,
    /// Whether it is on an invoice already.
    pub exported: bool,
    /// Its description, where that is ours to write.
    pub note: Option<Note>,
}

impl From<&TimeEntry> for ObservedEntry {
    fn from(timesheet: &TimeEntry) -> Self {
        let TimeEntry { begin, end, duration, pause, project, activity, user, note, .. } = *timesheet;
        Self { begin, end, duration, pause, project, activity, user, note }
    }
}

/// Which timesheets to list. The bounds are wall clock in the *token's* zone, inclusive, and test the
/// record's begin only: ask for more than you need and filter afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryFilter {
    /// Earliest begin.
    pub begin: Option<DateTime>,
    /// Latest begin.
    pub end: Option<DateTime>,
    /// Whose; everybody's without.
    pub user: Option<UserId>,
    /// Made or changed in that second or later, by the tracker's clock.
    pub modified_after: Option<Timestamp>,
}
