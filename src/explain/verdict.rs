//! The verdict on a work log, from everything known about it. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::format::moment;
use super::hints::{for_code, for_exported, for_obstacle};
use super::{Answer, Explanation, Held, Holds, Memory, Subject, Told, Waiting};
use crate::domain::Code;
use crate::domain::work_log::Obstacle;
use crate::queue::State;
use crate::reconcile::breaker::{Down, Neighbour};
use crate::settings::Relations;
use crate::text::words;

/// The verdict on a work log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Its timesheet matches it.
    InSync,
    /// It is synced automatically, now or later.
    Waits,
    /// It has no timesheet, and will not get one automatically.
    NotInKimai,
    /// Its timesheet has other values, and that will not change automatically.
    Differs,
    /// It is deleted, and so is its timesheet.
    Deleted,
    /// It is deleted, but its timesheet is still in Kimai.
    LeftOver,
    /// The triplestore does not show it, which proves nothing while its timesheet is still in Kimai.
    NotSeen,
    /// Neither side knows it.
    Unknown,
    /// The IRI is something else.
    NotAWorkLog,
    /// A side needed for the verdict could not be read.
    Unclear,
}

words!(Verdict {
    InSync => "in-sync", Waits => "waits", NotInKimai => "not-in-kimai", Differs => "differs", Deleted => "deleted",
    LeftOver => "left-over", NotSeen => "not-seen", Unknown => "unknown", NotAWorkLog => "not-a-work-log",
    Unclear => "unclear",
});

/// The data for a verdict.
pub(super) struct Evidence<'a> {
    pub(super) explanation: &'a Explanation,
    pub(super) outages: &'a [Down],
    pub(super) now: Timestamp,
    pub(super) zone: &'a TimeZone,
    /// What an import could change.
    pub(super) relations: Relations,
}

/// A verdict, a sentence without a full stop, the code of the problem, and the fix.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) says: String,
    pub(super) code: Option<Code>,
    pub(super) help: Vec<String>,
}

const HIDDEN: &str =
    "If it still exists, run kimai-sync doctor: it shows whether the triplestore hides something.";
const RETRY: &str =
    "Retry it now (kimai-sync queue retry, or the button); the next sweep of its day does this too.";

fn judged(verdict: Verdict, says: impl Into<String>) -> Judged {
    Judged { verdict, says: says.into(), code: None, help: Vec::new() }
}

impl Judged {
    fn because(self, code: impl Into<Option<Code>>) -> Self {
        Self { code: code.into(), ..self }
    }

    fn helped(mut self, by: impl IntoIterator<Item = impl Into<String>>) -> Self {
        for help in by.into_iter().map(Into::into) {
            if !self.help.contains(&help) {
                self.help.push(help);
            }
        }
        self
    }
}

pub(super) fn judge(evidence: &Evidence<'_>) -> Judged {
    let told = match &evidence.explanation.triplestore {
        Answer::Known(told) => told,
        Answer::Unknown { error } => {
            let says = format!("Not known at the moment: {error}");
            return judged(Verdict::Unclear, says)
                .helped(["Check that the triplestore is running and answers; kimai-sync doctor tests it."]);
        }
    };
    match told.kind {
        Subject::WorkLog => evidence.of_work_log(told),
        Subject::LeftOver => evidence.of_deleted("only its link is left in the triplestore"),
        Subject::Absent => evidence.of_absent(),
        Subject::Other => {
            judged(Verdict::NotAWorkLog, "Not a work log: this IRI is something else in the triplestore")
        }
    }
}

impl Evidence<'_> {
    fn memory(&self) -> Memory {
        self.explanation.memory.known().copied().unwrap_or_default()
    }

    fn of_work_log(&self, told: &Told) -> Judged {
        let entry = self.explanation.entry.as_ref();
        if let Some(in_sync) = self.in_sync(told) {
            return in_sync;
        }
        if let Some(entry) = entry.filter(|entry| !entry.is_parked()) {
            return self.waits(entry, told);
        }
        if !told.obstacles.is_empty() {
            return self.blocked(told);
        }
        if let Some((entry, error)) = entry.and_then(|entry| Some((entry, entry.last_error.as_deref()?))) {
            let verdict = if self.holding().is_some() { Verdict::Differs } else { Verdict::NotInKimai };
            let says = format!("{}: {error}", start(verdict, self.holding()));
            if self.is_exported() {
                return judged(verdict, says)
                    .because(entry.code)
                    .helped(for_exported(&self.explanation.work_log, false));
            }
            return judged(verdict, says).because(entry.code).helped(self.hint(entry.code)).helped([RETRY]);
        }
        let Some(own) = self.explanation.own() else {
            let says = "Not in Kimai: it is complete, but the service has not been notified of it";
            return judged(Verdict::NotInKimai, says).helped([
                RETRY,
                "If this happens often, run kimai-sync doctor: it shows whether deltas arrive.",
            ]);
        };
        self.stale(own)
    }

    /// The verdict if its own timesheet matches it, and the link is right on both sides.
    fn in_sync(&self, told: &Told) -> Option<Judged> {
        let own = self.explanation.own().filter(|own| own.linked && !self.memory().link_unwritten)?;
        let holds = own.kimai.known()?.as_ref()?;
        if told.wanted.is_none() || !own.differences.is_empty() {
            return None;
        }
        let exported = if holds.exported { ", and is marked as exported" } else { "" };
        let rounding = own.rounding.as_ref().map(|rounding| format!("; {rounding}")).unwrap_or_default();
        let says = format!("In sync: timesheet {} matches the work log{exported}{rounding}", own.id);
        let result = judged(Verdict::InSync, says);
        let several = told.identifiers.len() > 1;
        let shared = !self.explanation.sharing.is_empty();
        Some(
            result
                .helped(several.then_some(
                    "It is linked to several timesheets: a sweep of its day keeps one and examines the others.",
                ))
                .helped(shared.then_some(
                    "Another work log is linked to the same timesheet: a sweep of its day gives each its own.",
                )),
        )
    }

    /// It is retried automatically.
    fn waits(&self, entry: &Waiting, told: &Told) -> Judged {
        let when = match (entry.state, entry.due) {
            (State::Running, _) => "it is being synced now".to_owned(),
            (State::Scheduled, Some(due)) => format!("next attempt {}", moment(due, self.now, self.zone)),
            _ => "it is next when a worker is free".to_owned(),
        };
        // An outage comes before the error of its own last run.
        if let Some(Down { neighbour, code, why, since }) = self.outages.first() {
            let since = moment(*since, self.now, self.zone);
            let says = format!("Waiting: {neighbour} has been down since {since} ({why}); {when}");
            let help = match neighbour {
                Neighbour::Kimai => {
                    "Nothing is lost: syncing resumes automatically when Kimai answers again."
                }
                Neighbour::Triplestore => {
                    "Nothing is lost: syncing resumes automatically when the triplestore answers again."
                }
            };
            return judged(Verdict::Waits, says).because(*code).helped(self.hint(Some(*code))).helped([help]);
        }
        if let Some(since) = self.memory().creating_since.filter(|_| entry.last_error.is_some()) {
            let since = moment(since, self.now, self.zone);
            let says = format!(
                "Waiting: Kimai did not answer when a timesheet was sent at {since}; the service looks up \
                 whether it was stored; {when}"
            );
            return judged(Verdict::Waits, says).because(Code::AnswerLost);
        }
        let Some(error) = &entry.last_error else {
            return judged(Verdict::Waits, format!("Waiting: {when}"));
        };
        judged(Verdict::Waits, format!("Waiting: {error}; {when}"))
            .because(entry.code)
            .helped(told.obstacles.iter().map(|obstacle| for_obstacle(obstacle, self.relations)))
            .helped(self.hint(entry.code))
    }

    /// The fix for this code.
    fn hint(&self, code: Option<Code>) -> Option<&'static str> {
        for_code(code?, self.relations)
    }

    fn blocked(&self, told: &Told) -> Judged {
        let obstacles: Vec<String> = told.obstacles.iter().map(ToString::to_string).collect();
        let verdict = if self.holding().is_some() { Verdict::Differs } else { Verdict::NotInKimai };
        let says = format!("{}: {}", start(verdict, self.holding()), obstacles.join("; "));
        judged(verdict, says)
            .because(told.obstacles.first().map(Obstacle::code))
            .helped(told.obstacles.iter().map(|obstacle| for_obstacle(obstacle, self.relations)))
            .helped([
                "A change to the work log is synced at once; after linking an account or an import, retry it.",
            ])
    }

    /// It has a timesheet and is not in the queue, but they do not match.
    fn stale(&self, own: &Held) -> Judged {
        match &own.kimai {
            Answer::Unknown { error } => {
                let sent = self.memory().pushed.is_some();
                let known = if sent { "; Kimai accepted the last change that was sent" } else { "" };
                judged(
                    Verdict::Unclear,
                    format!("Not known at the moment: timesheet {}: {error}{known}", own.id),
                )
                .because(own.code)
                .helped(self.hint(own.code))
                .helped(["Try again when Kimai answers; kimai-sync doctor tests the connection."])
            }
            Answer::Known(None) => {
                judged(Verdict::NotInKimai, format!("Not in Kimai: timesheet {} no longer exists", own.id))
                    .helped([
                        "Retry it now to create a new timesheet; the next sweep of its day does this too.",
                    ])
            }
            Answer::Known(Some(_)) if own.differences.is_empty() => {
                let says =
                    format!("In Kimai as timesheet {}, but the link is not in the triplestore yet", own.id);
                judged(Verdict::Differs, says).helped([RETRY])
            }
            Answer::Known(Some(Holds { exported, .. })) => {
                let says =
                    format!("Timesheet {} differs from the work log: {}", own.id, own.differences.join("; "));
                if *exported {
                    let says = format!("{says}; it is exported, so it is not changed");
                    return judged(Verdict::Differs, says)
                        .because(Code::TimesheetExported)
                        .helped(for_exported(&self.explanation.work_log, false));
                }
                judged(Verdict::Differs, says).helped([RETRY])
            }
        }
    }

    fn of_absent(&self) -> Judged {
        let memory = self.memory();
        let done = self.explanation.history.known().is_some_and(|history| !history.is_empty());
        if !memory.removed
            && let Some(not_seen) = self.not_seen()
        {
            return not_seen;
        }
        if memory.removed || memory.timesheet.is_some() {
            return self.of_deleted("it is no longer in the triplestore");
        }
        if let Some(entry) = &self.explanation.entry {
            return match entry.state {
                State::Parked => judged(Verdict::Unknown, "Unknown: it is not in the triplestore"),
                _ => self.waits(entry, &Told::default()),
            };
        }
        if done {
            return judged(
                Verdict::Deleted,
                "Deleted: it is no longer in the triplestore, and has no known timesheet",
            );
        }
        judged(
            Verdict::Unknown,
            "Unknown: it is not in the triplestore, in Kimai, or in the records of the service",
        )
        .helped(["Check the IRI or ID.", HIDDEN])
    }

    /// Its deletion was not observed, and Kimai may still have its timesheet: a triplestore that shows nothing, as with
    /// a wrong scope, proves nothing. Does not apply if a visible work log has the same timesheet.
    fn not_seen(&self) -> Option<Judged> {
        const HOW: &str = "Not visible in the triplestore";
        let waits = self.explanation.entry.as_ref().filter(|entry| !entry.is_parked());
        if !self.explanation.sharing.is_empty() || waits.is_some() {
            return waits.map(|entry| self.waits(entry, &Told::default()).helped([HIDDEN]));
        }
        let parked = self.explanation.entry.as_ref().and_then(|entry| entry.last_error.as_deref());
        let mut still = self.explanation.timesheets.iter();
        let first = still.find(|held| !matches!(held.kimai, Answer::Known(None)))?;
        let result = if let Some(error) = first.kimai.error() {
            let says = format!(
                "{HOW}; it is not known at the moment whether timesheet {} is still in Kimai: {error}",
                first.id
            );
            judged(Verdict::Unclear, says)
        } else {
            let why = parked.map(|why| format!(": {why}")).unwrap_or_default();
            judged(Verdict::NotSeen, format!("{HOW}; timesheet {} is still in Kimai{why}", first.id))
        };
        let code = self.explanation.entry.as_ref().and_then(|entry| entry.code);
        Some(result.because(code).helped([HIDDEN]).helped(self.hint(code)))
    }

    /// It is deleted from the triplestore, as described by `how`.
    fn of_deleted(&self, how: &str) -> Judged {
        let still: Vec<&Held> = self
            .explanation
            .timesheets
            .iter()
            .filter(|held| !matches!(held.kimai, Answer::Known(None)))
            .collect();
        if let Some(entry) = self.explanation.entry.as_ref().filter(|entry| !entry.is_parked()) {
            let waits = self.waits(entry, &Told::default());
            let says = format!("{} (it was deleted; its timesheet will be deleted too)", waits.says);
            return Judged { says, ..waits };
        }
        let Some(first) = still.first() else {
            return judged(
                Verdict::Deleted,
                format!("Deleted: {how}, and its timesheet no longer exists in Kimai"),
            );
        };
        if let Some(error) = first.kimai.error() {
            let says = format!(
                "Deleted: {how}; it is not known at the moment whether timesheet {} is still in Kimai: {error}",
                first.id
            );
            return judged(Verdict::Unclear, says);
        }
        let parked = self.explanation.entry.as_ref().and_then(|entry| entry.last_error.as_deref());
        let why = parked.map(|why| format!(": {why}")).unwrap_or_default();
        let shared = self.explanation.sharing.first();
        let says = match shared {
            Some(other) => {
                format!("Deleted: {how}; timesheet {} also belongs to <{other}> and is kept", first.id)
            }
            None => format!("Deleted: {how}, but timesheet {} is still in Kimai{why}", first.id),
        };
        let verdict = if shared.is_some() { Verdict::Deleted } else { Verdict::LeftOver };
        let hidden = self.explanation.triplestore.known().is_some_and(|told| told.kind == Subject::Absent);
        let sweep =
            "Sweep its day (kimai-sync sweep): this deletes timesheets that no work log is linked to.";
        let code = self.explanation.entry.as_ref().and_then(|entry| entry.code);
        if self.is_exported() {
            return judged(verdict, says)
                .because(code)
                .helped(for_exported(&self.explanation.work_log, true));
        }
        judged(verdict, says)
            .because(code)
            .helped(self.hint(code))
            .helped(shared.is_none().then_some(sweep))
            .helped(hidden.then_some(HIDDEN))
    }

    /// Whether it is parked because its timesheet is exported.
    fn is_exported(&self) -> bool {
        let entry = self.explanation.entry.as_ref().filter(|entry| entry.is_parked());
        entry.is_some_and(|entry| entry.code == Some(Code::TimesheetExported))
    }

    /// Its own timesheet, if it exists in Kimai.
    fn holding(&self) -> Option<&Held> {
        self.explanation.own().filter(|own| matches!(own.kimai, Answer::Known(Some(_))))
    }
}

/// The beginning of a sentence about a problem.
fn start(verdict: Verdict, holding: Option<&Held>) -> String {
    match holding {
        Some(held) if verdict == Verdict::Differs => {
            format!("Not up to date in Kimai (timesheet {})", held.id)
        }
        _ => "Not in Kimai".to_owned(),
    }
}

#[cfg(test)]
mod tests;
