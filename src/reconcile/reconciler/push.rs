//! Sends the desired values to an existing timesheet until Kimai has the right hours and day.
//!
//! Kimai calculates the hours and the day of its reports only when begin, end or break change, and the day in the zone
//! stored in the timesheet: its owner's at the last save. So a wrong timesheet is moved by a minute and back. If the
//! owner's zone leads to another day, the timesheet belongs to the token's user meanwhile.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::warn;

use super::{Change, Reconciler};
use crate::domain::diff::ObservedEntry;
use crate::domain::exported::UpdateIntent;
use crate::domain::mismatch::Mismatch;
use crate::domain::plan::Memory;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::work_log::Facts;
use crate::domain::{EntryId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::reconcile::retry::Failure;
use crate::store::ledger::Held;
use crate::trackers::TimeEntry;
use crate::trackers::kimai::CurrentUser;
use crate::trackers::{Fault, TrackerFault};

/// Kimai's result.
pub(super) struct Pushed {
    pub(super) answer: TimeEntry,
    /// The change that overwrote it although it was exported: since an answer before it, or our look.
    pub(super) overwrote: Option<UpdateIntent>,
    /// Offset in days between the day that Kimai books it on and its own, if known.
    pub(super) shift: Option<i32>,
    /// What is still wrong.
    pub(super) mismatch: Option<Mismatch>,
}

/// What is known of a timesheet while it is sent to.
struct Course<'a> {
    subject: &'a WorkLogUri,
    id: EntryId,
    zone: &'a TimeZone,
    wanted: &'a DesiredEntry,
    /// Its description, where that is ours to write.
    note: Option<&'a str>,
    /// What Kimai held when it was last not exported; none where it may be overwritten.
    free: Option<TimeEntry>,
    overwrote: Option<UpdateIntent>,
    begin: Option<Timestamp>,
    shift: Option<i32>,
    /// Whether Kimai has recalculated it.
    renewed: bool,
}

impl Course<'_> {
    /// `sent` as the begin was answered. Only a begin that is not what it was makes Kimai set the day.
    fn after(&mut self, sent: Timestamp, answer: &TimeEntry) {
        if self.begin.is_some_and(|begin| begin != sent) {
            self.shift = Some(shift(answer, self.wanted, self.zone));
            self.renewed = true;
        }
        self.begin = Some(answer.begin);
    }

    /// The update to be sent, if it must not overwrite an exported timesheet.
    fn intent(&self, sent: DesiredEntry) -> Option<UpdateIntent> {
        let before = self.free.as_ref()?.into();
        Some(UpdateIntent { id: self.id, before, sent, exported: false })
    }

    /// Takes the answer to a change. One that says that it is exported by now overwrote what it held before.
    fn answered(&mut self, intent: Option<&UpdateIntent>, answer: &TimeEntry) {
        if intent.is_some() && answer.exported && !mutated(Mutant::ExportedMeanwhileIsKept) {
            self.overwrote = intent.copied();
        } else if self.free.is_some() {
            self.free = Some(answer.clone());
        }
    }

    /// Whether it was exported since it was looked at: then nothing more is sent but what puts it back.
    fn is_over(&self) -> bool {
        self.overwrote.is_some()
    }

    fn pushed(self, answer: TimeEntry, mismatch: Option<Mismatch>) -> Pushed {
        Pushed { answer, overwrote: self.overwrote, shift: self.shift, mismatch }
    }

    fn is_off_day(&self) -> bool {
        self.shift.is_some_and(|shift| shift != 0)
    }
}

/// How many days from its own the day is on which Kimai answered that the timesheet begins.
fn shift(answer: &TimeEntry, wanted: &DesiredEntry, zone: &TimeZone) -> i32 {
    answer.day.since(wanted.day(zone)).map_or(0, |span| span.get_days())
}

impl Reconciler {
    /// Sends what is wanted to a timesheet, with `renew` also where nothing seems to change. One that was not exported
    /// `before` and is by the time of an answer gets nothing more.
    pub(super) async fn push(
        &self,
        subject: &WorkLogUri,
        change: &Change<'_>,
        before: Option<TimeEntry>,
    ) -> Result<Pushed, Failure> {
        let Change { id, ref wanted, note, memory, renew, .. } = *change;
        let memory = memory.linked.filter(|linked| *linked == id).map_or(Memory::default(), |_| *memory);
        let held = memory.held.filter(|_| memory.pushed.is_some());
        let renewable = renew && !mutated(Mutant::NothingIsRenewed);
        // One that may be overwritten was not looked at before.
        let looked = match before {
            None if renewable || held.is_none() => self.kimai.timesheet(id).await?,
            _ => None,
        };
        let (zone, shift) = (self.clock.zone(), memory.shift);
        let begin = held.map(|held| held.begin).or(looked.as_ref().map(|looked| looked.begin));
        let free = before.filter(|before| !before.exported);
        let movable = free.as_ref().or(looked.as_ref()).is_some_and(|seen| !seen.exported);
        let mut course =
            Course { subject, id, zone, wanted, note, free, overwrote: None, begin, shift, renewed: false };
        let mut answer = if renewable && movable {
            self.renew(&mut course).await?
        } else {
            self.send(*wanted, &mut course).await?
        };
        if course.is_over() {
            return Ok(course.pushed(answer, None));
        }
        // It was in doubt what begin was there, so it is not known whether the day was set now. Where the zone that the
        // timesheet has had all along makes the right day of it, that is no matter.
        let in_doubt = held.is_none() && memory.shift.is_some() && !course.renewed;
        let same_owner = memory.held.is_some_and(|held| held.user == Some(wanted.user));
        let right = memory.shift == Some(0) && same_owner && self::shift(&answer, wanted, zone) == 0;
        // An exported one is not moved: it may be on an invoice.
        let movable = !answer.exported && !mutated(Mutant::NothingIsRenewed);
        if in_doubt && !right {
            if movable {
                answer = self.renew(&mut course).await?;
            } else {
                course.shift = None;
            }
        }
        if course.is_over() {
            return Ok(course.pushed(answer, None));
        }
        let mut mismatch = None;
        if answer.pause != 0 && !mutated(Mutant::EndMinusBegin) {
            match self.end_break(&mut course).await {
                Ok(without) => answer = without,
                Err(Failure::Kimai(TrackerFault { fault: Fault::Permanent, .. })) => {
                    mismatch = Some(Mismatch::Break { id, seconds: answer.pause.into() });
                }
                Err(failure) => return Err(failure),
            }
        }
        let nothing = |answer: &TimeEntry| ObservedEntry::from(answer).is_nothing_of(wanted);
        let movable = movable && !course.is_over();
        if (nothing(&answer) || course.is_off_day()) && !course.renewed && movable {
            answer = self.renew(&mut course).await?;
        }
        if course.is_off_day()
            && movable
            && !course.is_over()
            && let Some(again) = self.renew_as_me(&mut course).await?
        {
            answer = again;
        }
        if nothing(&answer) {
            mismatch = mismatch.or(Some(Mismatch::Zero { id, said: wanted.seconds() }));
        }
        if course.is_off_day() {
            mismatch = mismatch.or_else(|| self.off_day(id, wanted, course.shift));
        }
        Ok(course.pushed(answer, mismatch))
    }

    /// Kimai's answer to a creation.
    pub(super) fn held(&self, answer: &TimeEntry, wanted: &DesiredEntry) -> Held {
        Held { found: answer.into(), shift: Some(shift(answer, wanted, self.clock.zone())) }
    }

    /// Fails if Kimai counts no hours for a new timesheet. A wrong day is left to a sweep: while the zone of the
    /// token's user is wrong, all are wrong.
    pub(super) fn is_counted(
        &self,
        subject: &WorkLogUri,
        id: EntryId,
        wanted: &DesiredEntry,
        held: Held,
    ) -> Result<(), Mismatch> {
        if held.found.is_nothing_of(wanted) && !mutated(Mutant::EndMinusBegin) {
            return Err(Mismatch::Zero { id, said: wanted.seconds() });
        }
        if let Some(mismatch) = self.off_day(id, wanted, held.shift) {
            warn!(work_log = %subject, kimai.id = %id, "Created timesheet {id} for <{subject}>, but {mismatch}; a sweep puts that right");
        }
        Ok(())
    }

    /// Where the timesheet gets another owner it is not known in whose zone a request whose answer is lost sets the
    /// day: what Kimai holds is forgotten.
    pub(super) async fn doubt_day(
        &self,
        subject: &WorkLogUri,
        wanted: &DesiredEntry,
        memory: &Memory,
    ) -> Result<(), Failure> {
        if memory.held.is_some_and(|held| held.user != Some(wanted.user)) {
            self.ledger.forget_held(subject).await?;
        }
        Ok(())
    }

    /// Kimai took nothing, and it will not be tried again soon: without the link its timesheet looks like nobody's, and
    /// the one it was linked to before like its own.
    pub(super) async fn refused(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        Change { id, relink, memory, .. }: Change<'_>,
    ) -> Result<(), Failure> {
        if relink {
            self.link(subject, facts, id).await?;
        }
        let other = memory.linked.is_some_and(|known| known != id);
        if other && !mutated(Mutant::RefusedRemembersOld) {
            self.remember(subject, id).await?;
        }
        Ok(())
    }

    /// The mismatch for a timesheet that is booked this many days off.
    pub(super) fn off_day(&self, id: EntryId, wanted: &DesiredEntry, shift: Option<i32>) -> Option<Mismatch> {
        let (shift, day) = (shift.filter(|shift| *shift != 0)?, wanted.day(self.clock.zone()));
        let booked = day.checked_add(jiff::ToSpan::days(shift)).ok()?;
        Some(Mismatch::Day { id, day, booked })
    }

    /// Saves what is about to be sent, and what it may overwrite: when this returns, that is on disk.
    async fn announce(
        &self,
        sent: DesiredEntry,
        course: &Course<'_>,
    ) -> Result<Option<UpdateIntent>, Failure> {
        let intent = course.intent(sent);
        if let Some(intent) = intent {
            self.ledger.begin_update(course.subject, intent).await?;
        }
        Ok(intent)
    }

    async fn send(&self, values: DesiredEntry, course: &mut Course<'_>) -> Result<TimeEntry, Failure> {
        let intent = self.announce(values, course).await?;
        let answer = self.kimai.update(course.id, &values, course.note).await?;
        course.answered(intent.as_ref(), &answer);
        course.after(values.begin, &answer);
        Ok(answer)
    }

    async fn end_break(&self, course: &mut Course<'_>) -> Result<TimeEntry, Failure> {
        let intent = self.announce(*course.wanted, course).await?;
        let answer = self.kimai.end_break(course.id).await?;
        course.answered(intent.as_ref(), &answer);
        Ok(answer)
    }

    /// Moves it by a minute and back. If that is interrupted, the next run finds the wrong begin and corrects it.
    async fn renew(&self, course: &mut Course<'_>) -> Result<TimeEntry, Failure> {
        let answer = self.send(course.wanted.nudged(), course).await?;
        if course.is_over() {
            return Ok(answer);
        }
        self.send(*course.wanted, course).await
    }

    /// The same in the hands of the token's user, so that the day is set in its zone. Not where that would be
    /// another day too, nor unless it is sure that the owner can be given it back: Kimai takes no user anew who is
    /// disabled.
    async fn renew_as_me(&self, course: &mut Course<'_>) -> Result<Option<TimeEntry>, Failure> {
        let wanted = *course.wanted;
        let me = self.kimai.me().await?;
        if me.id == wanted.user || !books_right(&me, &wanted, course.zone) {
            return Ok(None);
        }
        let owner = self.kimai.choices(&wanted).await?.user;
        if !owner.is_some_and(|owner| owner.seen && owner.enabled && !owner.system_account) {
            return Ok(None);
        }
        let nudged = DesiredEntry { user: me.id, ..wanted.nudged() };
        match self.send(nudged, course).await {
            Ok(answer) if course.is_over() => return Ok(Some(answer)),
            Ok(_) => {}
            // The token's user cannot have hours: it is a system account.
            Err(Failure::Kimai(TrackerFault { fault: Fault::Permanent, .. })) => return Ok(None),
            Err(failure) => return Err(failure),
        }
        self.send(wanted, course).await.map(Some)
    }
}

/// Whether the day of `wanted` in `zone` is the same for `me`.
fn books_right(me: &CurrentUser, wanted: &DesiredEntry, zone: &TimeZone) -> bool {
    let theirs = me.timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
    theirs.is_some_and(|theirs| wanted.day(&theirs) == wanted.day(zone))
}
