//! The log of a history, for the checker and for whoever debugs a failing seed.

use std::fmt;

use super::faults::{Call, Trouble, Weather};
use super::restore::Restore;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, WorkLogUri};
use crate::reconcile::sweep::Report;

/// Whose call it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// The run with this number, for this work log.
    Run(u64, WorkLogUri),
    /// The sweep with this number.
    Sweep(u64),
    /// The check of one timesheet, asked for by hand.
    Check(u64),
    /// People, by hand or through the frontend.
    People,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A step of a change was written to the triplestore: which work log, which step, what it is now.
    Changed(WorkLogUri, &'static str, u32),
    /// A delta that told of this version was acknowledged.
    Accepted(WorkLogUri, u32),
    /// A delta reached nobody.
    DeltaLost(WorkLogUri, u32),
    /// A run began.
    Leased,
    /// A run ended: done, later or parked, and why.
    Settled(&'static str, Option<String>),
    /// A call met with trouble.
    Failed(Call, Trouble),
    /// Kimai made a timesheet.
    Posted(EntryId, DesiredEntry),
    /// Kimai changed one.
    Patched(EntryId, DesiredEntry),
    BreakEnded(EntryId),
    /// Kimai deleted one.
    Deleted(EntryId),
    /// The triplestore linked the work log.
    Linked(WorkLogUri, EntryId),
    /// The triplestore removed the link of the work log.
    Unlinked(WorkLogUri),
    /// The last one took effect after its caller was gone.
    AfterCallerWasGone,
    /// Kimai refused what cannot be booked.
    Refused(Call),
    /// The service started, with a sweep or without.
    Started,
    /// It died; `true` when its storage was lost with it.
    Crashed(bool),
    /// It stopped in good order.
    Stopped,
    /// A sweep began, over all days or some.
    SweepBegan(i32, i32),
    /// Somebody exported the timesheet in Kimai, or took that back.
    Exported(EntryId, bool),
    /// Somebody asked for the exported timesheet of the work log to be overwritten.
    OverwriteAsked(WorkLogUri),
    /// A check of one timesheet began.
    CheckBegan(EntryId),
    /// It ended, and whether the timesheet is gone.
    CheckEnded(Result<bool, String>),
    /// A sweep ended.
    SweepEnded(Result<Box<Report>, String>),
    /// The machine's clock was set forward or back, in milliseconds.
    ClockSet(i64),
    /// These databases were put back to what they were some time ago.
    Restored(Restore),
    /// Things go wrong more or less often from now on.
    Weather(Weather),
    /// A rule was broken.
    Broken(String),
}

/// One line of the history.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Milliseconds since the beginning.
    pub(super) at: i64,
    pub(super) who: Who,
    pub(super) what: What,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) events: Vec<Event>,
    /// Calls that met with trouble.
    pub(super) troubles: u64,
    /// All calls.
    pub(super) calls: u64,
}

impl History {
    pub(super) fn note(&mut self, at: i64, who: Who, what: What) {
        self.troubles += u64::from(matches!(what, What::Failed(..)));
        self.events.push(Event { at, who, what });
    }

    /// The rules that were broken while it went on.
    pub(super) fn broken(&self) -> impl Iterator<Item = &str> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Broken(rule) => Some(rule.as_str()),
            _ => None,
        })
    }

    pub(super) fn count(&self, wanted: impl Fn(&What) -> bool) -> u64 {
        self.events.iter().filter(|event| wanted(&event.what)).count() as u64
    }
}

/// The end of an IRI is enough to tell work logs apart.
pub(super) fn short(work_log: &WorkLogUri) -> &str {
    work_log.as_str().rsplit('/').next().unwrap_or_default()
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(number, work_log) => write!(f, "run {number} of {}", short(work_log)),
            Self::Sweep(number) => write!(f, "sweep {number}"),
            Self::Check(number) => write!(f, "check {number}"),
            Self::People => f.write_str("-"),
        }
    }
}

struct Values<'a>(&'a DesiredEntry);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DesiredEntry { begin, end, project, activity, user, .. } = self.0;
        let minutes = end.duration_since(*begin).as_mins();
        write!(f, "{begin:.0} {minutes} min, project {project}, activity {activity}, user {user}")
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(work_log, step, version) => {
                write!(f, "work log {}, version {version}: {step}", short(work_log))
            }
            Self::Accepted(work_log, version) => {
                write!(f, "delta about {}, version {version}, acknowledged", short(work_log))
            }
            Self::DeltaLost(work_log, version) => {
                write!(f, "delta about {}, version {version}, lost", short(work_log))
            }
            Self::Leased => f.write_str("begins"),
            Self::Settled(outcome, None) => write!(f, "ends: {outcome}"),
            Self::Settled(outcome, Some(why)) => write!(f, "ends: {outcome}, {why}"),
            Self::Failed(call, trouble) => write!(f, "{call:?}: {trouble:?}"),
            Self::Posted(id, wanted) => write!(f, "KIMAI POST {id}: {}", Values(wanted)),
            Self::Patched(id, wanted) => write!(f, "KIMAI PATCH {id}: {}", Values(wanted)),
            Self::BreakEnded(id) => write!(f, "KIMAI PATCH {id}: no break"),
            Self::Deleted(id) => write!(f, "KIMAI DELETE {id}"),
            Self::Linked(work_log, id) => write!(f, "TRIPLESTORE {} -> {id}", short(work_log)),
            Self::Unlinked(work_log) => write!(f, "TRIPLESTORE {} -> nothing", short(work_log)),
            Self::AfterCallerWasGone => f.write_str("  (after its caller was gone)"),
            Self::Refused(call) => write!(f, "{call:?}: Kimai refuses what cannot be booked"),
            Self::Started => f.write_str("==== the service starts"),
            Self::Crashed(false) => f.write_str("==== kill -9"),
            Self::Crashed(true) => f.write_str("==== kill -9, and its storage is lost"),
            Self::Stopped => f.write_str("==== the service stops"),
            Self::SweepBegan(first, last) => write!(f, "begins, from day {first} to {last}"),
            Self::Exported(id, true) => write!(f, "timesheet {id} is exported"),
            Self::Exported(id, false) => write!(f, "timesheet {id} is not exported any more"),
            Self::OverwriteAsked(work_log) => write!(f, "asks to overwrite that of {}", short(work_log)),
            Self::CheckBegan(id) => write!(f, "checks timesheet {id}"),
            Self::CheckEnded(how) => write!(f, "ends: {how:?}"),
            Self::SweepEnded(Ok(report)) => write!(f, "ends: {report:?}"),
            Self::SweepEnded(Err(why)) => write!(f, "ends: {why}"),
            Self::ClockSet(by) => write!(f, "---- the clock is set by {} s", by / 1_000),
            Self::Restored(restore) => write!(f, "==== restored from older backups: {restore:?}"),
            Self::Weather(weather) => write!(f, "---- {weather:?}"),
            Self::Broken(rule) => write!(f, "!!!! {rule}"),
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Event { at, who, what } in &self.events {
            writeln!(f, "{:>9}.{:03} s  {:<14} {what}", at / 1000, at % 1000, who.to_string())?;
        }
        Ok(())
    }
}
