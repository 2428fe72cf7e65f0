//! The records about each work log: its timesheet, what was last sent there, and what was about to be created.
//!
//! # Guarantees
//! - It answers before the triplestore does, so that a timesheet whose ID could not be written back is found again
//!   instead of being created twice.
//! - An intent is on disk before [`Ledger::open_intent`] returns, and stays until it is closed or its
//!   timesheet is recorded.
//! - No timesheet belongs to two work logs: the second claim fails.
//! - What is passed to one method is kept whole or not at all.
//!
//! # Caveats
//! It may be empty at any start (a container without a volume); decisions are right without it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StorageFault;
use crate::domain::diff::ObservedEntry;
use crate::domain::exported::UpdateIntent;
use crate::domain::intent::Intent;
use crate::domain::loss::Loss;
use crate::domain::plan::Memory;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::watermark::Watermark;
use crate::domain::{Code, EntryId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};

/// Timesheets by which the doctor judges how Kimai rounds: the latest ones.
pub const SAMPLE: usize = 200;

/// Why the ledger failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// It cannot be saved or read.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// The timesheet belongs to another work log.
    #[error("timesheet {id} belongs to <{other}> already")]
    Claimed {
        /// The timesheet.
        id: EntryId,
        /// The work log it belongs to.
        other: WorkLogUri,
    },
    /// A timesheet was recorded for it since the run read the ledger.
    #[error("timesheet {0} was found for it meanwhile")]
    Found(EntryId),
    /// Saving an intent took longer than this.
    #[error("the disk took more than {} s to save what was about to be created; nothing was sent", .0.as_secs())]
    Slow(Duration),
    /// The outcome of an earlier intent is not known yet.
    #[error("the creation begun at {0} has not been looked into yet")]
    IntentOpen(Timestamp),
}

impl LedgerFault {
    /// The stable code of it.
    pub fn code(&self) -> Code {
        match self {
            Self::Storage(_) | Self::Slow(_) => Code::StorageUnavailable,
            Self::Claimed { .. } => Code::TimesheetClaimed,
            Self::Found(_) => Code::TurnedAway,
            Self::IntentOpen(_) => Code::AnswerLost,
        }
    }
}

/// What Kimai answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What it holds.
    pub found: ObservedEntry,
    /// Offset in days between the day that Kimai books this on and its own, if the answer shows it.
    pub shift: Option<i32>,
}

impl Held {
    /// How much more Kimai counts than `wanted`, in seconds.
    pub(super) fn rounded(&self, wanted: &DesiredEntry) -> Option<i64> {
        Some(i64::from(self.found.duration) - wanted.seconds()).filter(|more| *more != 0)
    }
}

impl From<ObservedEntry> for Held {
    fn from(found: ObservedEntry) -> Self {
        Self { found, shift: None }
    }
}

impl From<DesiredEntry> for Held {
    fn from(wanted: DesiredEntry) -> Self {
        ObservedEntry::from(wanted).into()
    }
}

/// What Kimai counts and books, of all timesheets that are remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many of them it rounded.
    pub rounded: u64,
    /// The sum of the rounding, in seconds.
    pub seconds: i64,
    /// How many it books on another day than their own.
    pub off_day: u64,
}

/// What was last sent to the timesheet of a work log, and what Kimai made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// The timesheet.
    pub id: EntryId,
    /// What was sent; none if somebody requested to send it again.
    pub pushed: Option<DesiredEntry>,
    /// What Kimai answered; it may have rounded.
    pub held: Option<ObservedEntry>,
    /// Offset in days between the day Kimai books it on and its own, if known.
    pub shift: Option<i32>,
}

/// The records of all work logs, shared by the runs. What every run reads ([`Ledger::loss`], [`Ledger::void_links`],
/// [`Ledger::high_water`]) is answered from memory.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// What is remembered of `work_log`, with whether a delta told that it lost its class: that stands
    /// with its entry in the queue and leaves with that.
    async fn recall(&self, work_log: &WorkLogUri) -> Result<Memory, LedgerFault>;

    /// Kimai took `wanted` under `id` for `work_log` and answered `held`; the triplestore tells of the id or
    /// is about to. Closes the intent to change it.
    async fn pushed(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: Held,
    ) -> Result<(), LedgerFault>;

    /// Kimai has created `id` with `wanted` for `work_log` and answered `held`: closes the intent and records that the
    /// triplestore does not know the ID yet, in one transaction.
    async fn created(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: Held,
    ) -> Result<(), LedgerFault> {
        self.has_made(work_log, id, Some(wanted), held).await
    }

    /// The same of what was found when the answer was lost. Where it holds something else than `wanted`, Kimai has
    /// rounded it, or it was made for another work log that says nearly the same: then it is to be pushed.
    async fn found(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: Held,
    ) -> Result<(), LedgerFault> {
        let sure = held.found.holds(&wanted) || mutated(Mutant::NearlyTheSameIsTheSame);
        self.has_made(work_log, id, sure.then_some(wanted), held).await
    }

    /// The same of what holds `pushed`; none if it is to be pushed.
    async fn has_made(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        pushed: Option<DesiredEntry>,
        held: Held,
    ) -> Result<(), LedgerFault>;

    /// The triplestore knows the timesheet of `work_log`.
    async fn linked(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault>;

    /// Requests that these are pushed again, whatever Kimai is believed to hold.
    async fn doubt(&self, work_logs: Vec<WorkLogUri>) -> Result<(), LedgerFault>;

    /// `work_log` has no timesheet any more.
    async fn forget(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault>;

    /// Says what is about to be created for `work_log`. When this returns, it is on disk and the request
    /// may go out. Fails while an earlier intent is open, which may have led to a timesheet, and when the
    /// work log has got one since it was looked at.
    async fn open_intent(
        &self,
        work_log: &WorkLogUri,
        wanted: DesiredEntry,
        high_water: Option<Watermark>,
        started_at: Timestamp,
    ) -> Result<(), LedgerFault>;

    /// The open intent of `work_log`.
    async fn intent(&self, work_log: &WorkLogUri) -> Result<Option<Intent>, LedgerFault>;

    /// All open intents, in the order of their work logs.
    async fn intents(&self) -> Result<Vec<(WorkLogUri, Intent)>, LedgerFault>;

    /// The number of open intents, and when the oldest of them began.
    async fn open_intents(&self) -> Result<(usize, Option<Timestamp>), LedgerFault>;

    /// The intent of `work_log` has led to no timesheet.
    async fn close_intent(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault>;

    /// Says what is about to be sent to the timesheet of `work_log`: when this returns, it is on disk, and what Kimai
    /// holds is in doubt until the answer is known.
    async fn begin_update(&self, work_log: &WorkLogUri, intent: UpdateIntent) -> Result<(), LedgerFault>;

    /// The answer to the last change of the timesheet of `work_log` said that it is exported by now.
    async fn exported_meanwhile(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault>;

    /// The timesheet of `work_log` was put back. On which day Kimai books it now is not known.
    async fn put_back(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault>;

    /// It is known what the last change of the timesheet of `work_log` led to.
    async fn end_update(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault>;

    /// What Kimai holds in the timesheet of `work_log` is about to change, and in whose zone is not known if the answer
    /// is lost.
    async fn forget_held(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault>;

    /// The work log that `id` was created for.
    async fn owner(&self, id: EntryId) -> Result<Option<WorkLogUri>, LedgerFault>;

    /// The work logs that `ids` were created for.
    async fn owners(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, WorkLogUri>, LedgerFault>;

    /// The timesheets whose ids the triplestore does not know yet, in the order of their work logs.
    async fn unlinked(&self) -> Result<Vec<(WorkLogUri, EntryId)>, LedgerFault>;

    /// The records of `work_logs`.
    async fn remembered(
        &self,
        work_logs: &[WorkLogUri],
    ) -> Result<BTreeMap<WorkLogUri, Remembered>, LedgerFault>;

    /// `work_log` adopts the timesheet `id`, which holds `wanted`; the triplestore does not know that yet. Returns
    /// false if either has another already, or if a creation is in progress.
    async fn adopt(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: ObservedEntry,
    ) -> Result<bool, LedgerFault>;

    /// The timesheet `id` is not `work_log`'s any more, if it was.
    async fn give_up(&self, work_log: &WorkLogUri, id: EntryId) -> Result<(), LedgerFault>;

    /// Of all that are linked to `id`, `work_log` is to keep it. One that has got a timesheet since, which
    /// is not linked yet, keeps that.
    async fn keep(&self, work_log: &WorkLogUri, id: EntryId) -> Result<(), LedgerFault>;

    /// What Kimai counts and books.
    async fn counted(&self) -> Result<Counted, LedgerFault>;

    /// The work logs whose timesheet Kimai books on another day, with the offset in days.
    async fn off_days(&self) -> Result<BTreeMap<WorkLogUri, (EntryId, i32)>, LedgerFault>;

    /// The number of timesheets whose booked day is unknown.
    async fn unknown_days(&self) -> Result<u64, LedgerFault>;

    /// The latest timesheets that Kimai rounded, at most [`SAMPLE`]: what was sent, and what it made of it.
    async fn rounded_sample(&self) -> Result<Vec<(DesiredEntry, ObservedEntry)>, LedgerFault>;

    /// A list contains the timesheet `id`. Saved with the next intent or creation, unless the ID is implausible.
    fn saw(&self, id: EntryId);

    /// The tracker reports the position of its newest timesheet. Saved like one from a list.
    fn saw_newest(&self, newest: Watermark);

    /// The highest position seen so far.
    fn high_water(&self) -> Option<Watermark>;

    /// What Kimai has lost, if a loss is known and not resolved.
    fn loss(&self) -> Option<Loss>;

    /// Kimai gave `id` to a new timesheet, of `work_log`, although ids up to `mark` were known. What was remembered of
    /// timesheets from `id` on is forgotten, unless they were made since or are not linked yet; what all others hold
    /// is in doubt; what open intents led to may have any id.
    async fn reissued(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        mark: Watermark,
        now: Timestamp,
    ) -> Result<Loss, LedgerFault>;

    /// Nothing is lost, or no longer.
    async fn end_loss(&self) -> Result<(), LedgerFault> {
        self.rebuild(Vec::new()).await
    }

    /// The links `void` point to timesheets that Kimai has lost: each of these work logs gets a new timesheet. This
    /// resolves the loss.
    async fn rebuild(&self, void: Vec<(WorkLogUri, EntryId)>) -> Result<(), LedgerFault>;

    /// The timesheets that Kimai has lost and the triplestore may still link `work_log` to.
    fn void_links(&self, work_log: &WorkLogUri) -> BTreeSet<EntryId>;

    /// The triplestore has a new link of `work_log`, or none any more.
    async fn has_new_link(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault>;
}
