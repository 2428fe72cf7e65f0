//! Time trackers: what the engine needs of one, and a folder each.

pub mod adaptive_concurrency;
pub mod entry;
pub mod error;
pub mod kimai;
pub mod listing;

use std::sync::Arc;

use async_trait::async_trait;

use crate::contact::Record;
use crate::domain::ids::IdSyntax;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, IdOrder, Watermark};
use crate::trackers::kimai::{Choices, CurrentUser};
use crate::unreadable::Unreadable;
pub use adaptive_concurrency::AdaptiveLimiter;
pub use entry::{EntryFilter, TimeEntry};
pub use error::{Fault, Operation, TrackerFault};
pub use listing::{Gap, Lenient, Listed, OddRow, OddRows};

/// What a tracker can do, and how it writes its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Its name, for people.
    pub name: &'static str,
    /// How it writes its ids.
    pub syntax: IdSyntax,
    /// What the ids of its entries say about their order.
    pub order: IdOrder,
}

/// A time tracker, asked for its entries.
///
/// # Guarantees
/// Every call ends within its time limit, follows no redirect, and reports what went wrong as a
/// [`TrackerFault`] whose [`Fault`] says what it means, so that no caller looks at a status number.
#[async_trait]
pub trait Tracker: Send + Sync {
    /// What it can do, and how it writes its ids.
    fn capabilities(&self) -> Capabilities;

    /// The pace of its requests.
    fn limiter(&self) -> Arc<AdaptiveLimiter>;

    /// The values of its answers that could not be read.
    fn unreadable(&self) -> Unreadable {
        Unreadable::default()
    }

    /// What was last heard of it.
    fn contact(&self) -> Record {
        Record::default()
    }

    /// `GET /users/me`: who the token is.
    async fn me(&self) -> Result<CurrentUser, TrackerFault>;

    /// `GET /timesheets/{id}`; `None` when Kimai answers 404.
    async fn timesheet(&self, id: EntryId) -> Result<Option<TimeEntry>, TrackerFault>;

    /// `GET /timesheets`, all pages. One that cannot be read costs itself only ([`Listed::gaps`]), as does a row
    /// ([`Listed::odd`]); the first page, four in a row, a wrong token, a pause that Kimai insists on or a list
    /// beyond `KIMAI_LIST_MAX_ROWS` and `KIMAI_LIST_MAX_PAGES` costs all.
    async fn timesheets(&self, filter: &EntryFilter) -> Result<Listed, TrackerFault>;

    /// `GET /timesheets`, no more than one page of at most `most`, lowest id first: what is not in it may be there
    /// all the same.
    async fn some_timesheets(
        &self,
        filter: &EntryFilter,
        most: usize,
    ) -> Result<Vec<TimeEntry>, TrackerFault>;

    /// The position of the newest timesheet there is now; none in an empty Kimai.
    async fn newest(&self) -> Result<Option<Watermark>, TrackerFault>;

    /// The state of what `wanted` names: project, its customer, activity and user.
    async fn choices(&self, wanted: &DesiredEntry) -> Result<Choices, TrackerFault>;

    /// `POST /timesheets`. Not idempotent: [`Fault::Ambiguous`] means it may have been applied.
    ///
    /// `description` is what it is to say; without one, that is left to Kimai.
    async fn create(
        &self,
        wanted: &DesiredEntry,
        description: Option<&str>,
    ) -> Result<TimeEntry, TrackerFault>;

    /// `PATCH /timesheets/{id}` with all fields we own. [`Fault::Gone`] when there is none.
    async fn update(
        &self,
        id: EntryId,
        wanted: &DesiredEntry,
        description: Option<&str>,
    ) -> Result<TimeEntry, TrackerFault>;

    /// `PATCH /timesheets/{id}` that takes its break away. [`Fault::Permanent`] with status 400 while breaks are
    /// turned off in Kimai.
    async fn end_break(&self, id: EntryId) -> Result<TimeEntry, TrackerFault>;

    /// `DELETE /timesheets/{id}`. [`Fault::Gone`] when there is none.
    async fn delete(&self, id: EntryId) -> Result<(), TrackerFault>;
}
