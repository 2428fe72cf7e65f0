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
    /// The work log.
    pub work_log: WorkLogUri,
    /// The timesheet to link to; none to remove the link.
    pub to: Option<EntryId>,
    /// Whether the work log has a link already, valid or not.
    pub had_link: bool,
}

/// Why a query failed, as text for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// No answer, or one unrelated to the query.
    #[error("the triplestore did not answer: {0}")]
    Transient(String),
    /// It answered that it could not do this, for a temporary reason. Other queries may succeed.
    #[error("the triplestore could not run the statement: {said}")]
    Failed {
        /// The error message.
        said: String,
        /// The reason, without details that differ between attempts or work logs.
        gist: Gist,
    },
    /// It refuses this, and always will.
    #[error("the triplestore refused the statement: {said}")]
    Refused {
        /// The error, and the fix.
        said: String,
        /// Its stable code.
        code: Code,
    },
    /// Its answer could not be parsed.
    #[error("the triplestore's answer could not be read: {0}")]
    Unreadable(String),
    /// Its answer is incomplete. What is missing in it may exist.
    #[error("the triplestore's answer is incomplete: {0}")]
    Incomplete(String),
}

impl SourceFault {
    /// Its stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Transient(_) => Code::TriplestoreUnavailable,
            Self::Failed { .. } => Code::TriplestoreFailed,
            Self::Refused { code, .. } => *code,
            Self::Unreadable(_) => Code::TriplestoreUnreadable,
            Self::Incomplete(_) => Code::TriplestoreIncomplete,
        }
    }

    /// Whether it concerns only this query: a part of it, or another query, may succeed.
    pub fn is_of_statement(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Refused { .. } | Self::Incomplete(_))
    }
}

/// A source of work logs, each linked to its timesheet by `dct:identifier`.
///
/// # Caveats
/// An empty answer proves nothing: a wrong scope hides everything. An acknowledged write may not have been stored, so
/// callers that rely on it read it back.
#[async_trait]
pub trait WorkLogs: Send + Sync {
    /// The properties of `subject`, in one cheap read.
    async fn facts(&self, subject: &WorkLogUri) -> Result<Facts, SourceFault>;

    /// The same for each of `subjects`, in as few reads as possible; unknown ones may be left out.
    async fn facts_of(&self, subjects: &[WorkLogUri]) -> Result<BTreeMap<WorkLogUri, Facts>, SourceFault>;

    /// The tasks and persons that the work logs of `facts` refer to.
    async fn directory(&self, facts: &[&Facts]) -> Result<Directory, SourceFault>;

    /// The number of work logs per day from `first` to `last`, inclusive. Days are compared as text: a typed comparison
    /// treats a date with a time zone as an instant, and does not match plain strings. Used to split a period
    /// ([`crate::domain::day_windows`]).
    async fn days(&self, first: Date, last: Date) -> Result<Days, SourceFault>;

    /// The number of work logs from `first` to `last`, counted by the triplestore itself.
    async fn count(&self, first: Date, last: Date) -> Result<usize, SourceFault>;

    /// The same as [`WorkLogs::facts`], for callers that delete something because of missing data: uses separate
    /// statements, and fails if the triplestore counts more than it returns.
    async fn certain(&self, subject: &WorkLogUri) -> Result<Facts, SourceFault>;

    /// Whether none of `subjects` has any properties, counted by the triplestore itself.
    async fn knows_none(&self, subjects: &[WorkLogUri]) -> Result<bool, SourceFault>;

    /// All work logs whose own day is in `window`, complete or not. One whose day is written in a form that did not
    /// occur when the days were counted may be missing.
    async fn of_window(&self, window: &Window) -> Result<BTreeMap<WorkLogUri, Facts>, SourceFault>;

    /// Whether the triplestore shows anything at all. If not, the scope is probably wrong, which hides everything.
    async fn has_any(&self) -> Result<bool, SourceFault>;

    /// The work log whose `mu:uuid` is `id`, as used in the routes of mu-cl-resources.
    async fn by_uuid(&self, id: &str) -> Result<Option<WorkLogUri>, SourceFault>;

    /// Which of these timesheets a work log is linked to.
    async fn linked(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, Vec<WorkLogUri>>, SourceFault>;

    /// Which of these timesheets something is linked to that may be left of a deleted work log: see
    /// [`Facts::may_be_left_over`].
    async fn tombstones(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, Vec<WorkLogUri>>, SourceFault>;

    /// Everything that may be left of deleted work logs, regardless of the day, with its timesheets: see
    /// [`Facts::may_be_left_over`]. One without valid IDs has none.
    async fn dangling(&self) -> Result<BTreeMap<WorkLogUri, Vec<EntryId>>, SourceFault>;

    /// The work logs that refer to one of `iris` (a hundred at most): a task or its project, a person or their account.
    /// Sorted by IRI, starting after `after`; none if there are no more. The implementation chooses the page size.
    async fn referring(
        &self,
        iris: &[String],
        after: Option<&WorkLogUri>,
    ) -> Result<Vec<WorkLogUri>, SourceFault>;

    /// Links each work log to exactly its timesheet, or to none. After an error some of them may be linked.
    async fn link(&self, links: &[Link]) -> Result<(), SourceFault>;
}
