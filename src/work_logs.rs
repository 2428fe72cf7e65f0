//! The source of work logs: the engine's queries to the triplestore, in terms of `domain`, and their errors.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::civil::Date;

use crate::domain::day_windows::{Days, Window};
use crate::domain::status::Gist;
use crate::domain::work_log::{Directory, Facts};
use crate::domain::{Code, EntryId, WorkLogUri};

/// A link to be written or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whose.
    pub work_log: WorkLogUri,
    /// The timesheet that it is to lead to; none to remove it.
    pub to: Option<EntryId>,
    /// Whether the work log has a link already, be it rubbish.
    pub had_link: bool,
}

/// Why a query failed, as text for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// No answer, or one that says nothing of the question.
    #[error("the triplestore did not answer: {0}")]
    Transient(String),
    /// It answered that it could not do this, for a reason that may pass. Other questions may go well.
    #[error("the triplestore could not run the statement: {said}")]
    Failed {
        /// What it said.
        said: String,
        /// The reason, the same however often and of whatever work log it is said.
        gist: Gist,
    },
    /// It does not do this, however often it is asked.
    #[error("the triplestore refused the statement: {said}")]
    Refused {
        /// The error, and the fix.
        said: String,
        /// The stable code of it.
        code: Code,
    },
    /// It answered in a form that makes no sense.
    #[error("the triplestore's answer could not be read: {0}")]
    Unreadable(String),
    /// It answered, and not with all there is. What is missing says nothing.
    #[error("the triplestore's answer is incomplete: {0}")]
    Incomplete(String),
}

impl SourceFault {
    /// The stable code of it.
    pub fn code(&self) -> Code {
        match self {
            Self::Transient(_) => Code::TriplestoreUnavailable,
            Self::Failed { .. } => Code::TriplestoreFailed,
            Self::Refused { code, .. } => *code,
            Self::Unreadable(_) => Code::TriplestoreUnreadable,
            Self::Incomplete(_) => Code::TriplestoreIncomplete,
        }
    }

    /// Whether it is about what was asked alone: a part of it, or another question, may go well.
    pub fn is_of_statement(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Refused { .. } | Self::Incomplete(_))
    }
}

/// A source of work logs, each linked to its timesheet by `dct:identifier`.
///
/// # Caveats
/// Emptiness is no proof: a wrong scope hides everything. And a write that was acknowledged may not have
/// been stored: whoever relies on one reads it back.
#[async_trait]
pub trait WorkLogs: Send + Sync {
    /// Everything that stands under `subject`, in one cheap read.
    async fn facts(&self, subject: &WorkLogUri) -> Result<Facts, SourceFault>;

    /// The same of each of `subjects`, in as few reads as that takes; one of which nothing is known may be
    /// left out.
    async fn facts_of(&self, subjects: &[WorkLogUri]) -> Result<BTreeMap<WorkLogUri, Facts>, SourceFault>;

    /// What is known of the tasks and persons that the work logs of `facts` point to.
    async fn directory(&self, facts: &[&Facts]) -> Result<Directory, SourceFault>;

    /// How many work logs there are of each day from `first` to `last`, both included. Days are compared as they
    /// are written: a typed comparison takes a date with a zone for an instant, and a plain string for nothing
    /// at all. It tells how to cut a period ([`crate::domain::day_windows`]).
    async fn days(&self, first: Date, last: Date) -> Result<Days, SourceFault>;

    /// How many work logs there are from `first` to `last`, counted by the triplestore itself.
    async fn count(&self, first: Date, last: Date) -> Result<usize, SourceFault>;

    /// The same as [`WorkLogs::facts`], for who is about to delete or forget something because of what is missing:
    /// in statements of its own, and a fault if the triplestore counts more than it gives.
    async fn certain(&self, subject: &WorkLogUri) -> Result<Facts, SourceFault>;

    /// Whether there is nothing at all under any of `subjects`, counted by the triplestore itself.
    async fn knows_none(&self, subjects: &[WorkLogUri]) -> Result<bool, SourceFault>;

    /// All work logs whose own day is in `window`, complete or not. One of a day that is written as none was
    /// when the days were counted may be missing.
    async fn of_window(&self, window: &Window) -> Result<BTreeMap<WorkLogUri, Facts>, SourceFault>;

    /// Whether the triplestore shows anything at all. Nothing is the sign of a wrong scope, which hides
    /// all there is.
    async fn has_any(&self) -> Result<bool, SourceFault>;

    /// The work log whose `mu:uuid` is `id`, as mu-cl-resources names it in its routes.
    async fn by_uuid(&self, id: &str) -> Result<Option<WorkLogUri>, SourceFault>;

    /// Which of these timesheets a work log is linked to.
    async fn linked(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, Vec<WorkLogUri>>, SourceFault>;

    /// Of these timesheets, those whose id something carries that may be left of a deleted work log: see
    /// [`Facts::may_be_left_over`].
    async fn tombstones(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, Vec<WorkLogUri>>, SourceFault>;

    /// All that may be left of deleted work logs, of whatever day, with the timesheets it names: see
    /// [`Facts::may_be_left_over`]. One whose identifiers are no ids has none.
    async fn dangling(&self) -> Result<BTreeMap<WorkLogUri, Vec<EntryId>>, SourceFault>;

    /// The work logs that refer to one of `iris` (a hundred at most): a task or its project, a person or their
    /// account. Those behind `after`, in the order of their IRIs; none if there are no more. How many come at once
    /// is the source's choice.
    async fn referring(
        &self,
        iris: &[String],
        after: Option<&WorkLogUri>,
    ) -> Result<Vec<WorkLogUri>, SourceFault>;

    /// Links each work log to its timesheet and to no other, or to none. After a fault some of them may be.
    async fn link(&self, links: &[Link]) -> Result<(), SourceFault>;
}
