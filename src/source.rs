//! Where work logs come from: what the engine asks of the triplestore, in the words of `domain`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::civil::Date;

use crate::domain::windows::{Days, Window};
use crate::domain::work_log::{Directory, Facts};
use crate::domain::{KimaiId, WorkLogUri};
use crate::triplestore::TriplestoreFault;

/// A link to be written or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whose.
    pub work_log: WorkLogUri,
    /// The timesheet that it is to lead to; none to remove it.
    pub to: Option<KimaiId>,
    /// Whether the work log has a link already, be it rubbish.
    pub had_link: bool,
}

/// A source of work logs, each linked to its timesheet by `dct:identifier`.
///
/// # Caveats
/// Emptiness is no proof (see [`crate::triplestore`]), and a write that was acknowledged may not have
/// been stored: whoever relies on one reads it back.
#[async_trait]
pub trait Source: Send + Sync {
    /// Everything that stands under `subject`, in one cheap read.
    async fn facts(&self, subject: &WorkLogUri) -> Result<Facts, TriplestoreFault>;

    /// The same of each of `subjects`, in as few reads as that takes; one of which nothing is known may be
    /// left out.
    async fn facts_of(
        &self,
        subjects: &[WorkLogUri],
    ) -> Result<BTreeMap<WorkLogUri, Facts>, TriplestoreFault>;

    /// What is known of the tasks and persons that the work logs of `facts` point to.
    async fn directory(&self, facts: &[&Facts]) -> Result<Directory, TriplestoreFault>;

    /// How many work logs there are of each day from `first` to `last`, both included. Days are compared as they
    /// are written: a typed comparison takes a date with a zone for an instant, and a plain string for nothing
    /// at all. It tells how to cut a period ([`crate::domain::windows`]).
    async fn days(&self, first: Date, last: Date) -> Result<Days, TriplestoreFault>;

    /// How many work logs there are from `first` to `last`, counted by the triplestore itself.
    async fn count(&self, first: Date, last: Date) -> Result<usize, TriplestoreFault>;

    /// The same as [`Source::facts`], for who is about to delete or forget something because of what is missing:
    /// in statements of its own, and a fault if the triplestore counts more than it gives.
    async fn certain(&self, subject: &WorkLogUri) -> Result<Facts, TriplestoreFault>;

    /// Whether there is nothing at all under any of `subjects`, counted by the triplestore itself.
    async fn knows_none(&self, subjects: &[WorkLogUri]) -> Result<bool, TriplestoreFault>;

    /// All work logs whose own day is in `window`, complete or not. One of a day that is written as none was
    /// when the days were counted may be missing.
    async fn of_window(&self, window: &Window) -> Result<BTreeMap<WorkLogUri, Facts>, TriplestoreFault>;

    /// Whether the triplestore shows anything at all. Nothing is the sign of a wrong scope, which hides
    /// all there is.
    async fn has_any(&self) -> Result<bool, TriplestoreFault>;

    /// The work log whose `mu:uuid` is `id`, as mu-cl-resources names it in its routes.
    async fn by_uuid(&self, id: &str) -> Result<Option<WorkLogUri>, TriplestoreFault>;

    /// Which of these timesheets a work log is linked to.
    async fn linked(&self, ids: &[KimaiId]) -> Result<BTreeMap<KimaiId, Vec<WorkLogUri>>, TriplestoreFault>;

    /// Of these timesheets, those whose id something carries that may be left of a deleted work log: see
    /// [`Facts::may_be_left_over`].
    async fn tombstones(
        &self,
        ids: &[KimaiId],
    ) -> Result<BTreeMap<KimaiId, Vec<WorkLogUri>>, TriplestoreFault>;

    /// All that may be left of deleted work logs, of whatever day, with the timesheets it names: see
    /// [`Facts::may_be_left_over`]. One whose identifiers are no ids has none.
    async fn dangling(&self) -> Result<BTreeMap<WorkLogUri, Vec<KimaiId>>, TriplestoreFault>;

    /// The work logs that refer to one of `iris` (a hundred at most): a task or its project, a person or their
    /// account. Those behind `after`, in the order of their IRIs; none if there are no more. How many come at once
    /// is the source's choice.
    async fn referring(
        &self,
        iris: &[String],
        after: Option<&WorkLogUri>,
    ) -> Result<Vec<WorkLogUri>, TriplestoreFault>;

    /// Links each work log to its timesheet and to no other, or to none. After a fault some of them may be.
    async fn link(&self, links: &[Link]) -> Result<(), TriplestoreFault>;
}
