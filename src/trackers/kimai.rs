//! Kimai, the time tracker. All requests of the service go through [`Timesheets`] and [`Listings`].

pub mod choices;
mod client;
pub mod diagnostics;
pub mod fault;
mod heard;
mod listing;
pub mod model;
mod refusal;
mod rows;
pub mod sandbox;

use std::sync::Arc;

use async_trait::async_trait;

use crate::contact::Record;
use crate::domain::ids::IdSyntax;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::{EntryId, IdOrder, Watermark};
use crate::trackers::{AdaptiveLimiter, Capabilities, Lenient, Listed, TrackerFault};
use crate::unreadable::Unreadable;
pub use choices::Choices;
pub use client::{Client, ClientFault};
pub use diagnostics::{Diagnostics, Right, Rights, TimesheetRules, Version};
pub use model::{Activity, CurrentUser, Customer, Project, Timesheet, TimesheetFilter, User};

/// What it is called.
pub const NAME: &str = "Kimai";

/// Ids are numbers that count up.
pub const CAPABILITIES: Capabilities =
    Capabilities { name: NAME, syntax: IdSyntax::Numbers, order: IdOrder::Sequence };

/// The calls about timesheets.
///
/// # Guarantees
/// Every call ends within its time limit, follows no redirect, and reports what went wrong as a
/// [`TrackerFault`] whose [`Fault`] says what it means, so that no caller looks at a status number.
#[async_trait]
pub trait Timesheets: Send + Sync {
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
    async fn timesheet(&self, id: EntryId) -> Result<Option<Timesheet>, TrackerFault>;

    /// `GET /timesheets`, all pages. One that cannot be read costs itself only ([`Listed::gaps`]), as does a row
    /// ([`Listed::odd`]); the first page, four in a row, a wrong token, a pause that Kimai insists on or a list
    /// beyond `KIMAI_LIST_MAX_ROWS` and `KIMAI_LIST_MAX_PAGES` costs all.
    async fn timesheets(&self, filter: &TimesheetFilter) -> Result<Listed, TrackerFault>;

    /// `GET /timesheets`, no more than one page of at most `most`, lowest id first: what is not in it may be there
    /// all the same.
    async fn some_timesheets(
        &self,
        filter: &TimesheetFilter,
        most: usize,
    ) -> Result<Vec<Timesheet>, TrackerFault>;

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
    ) -> Result<Timesheet, TrackerFault>;

    /// `PATCH /timesheets/{id}` with all fields we own. [`Fault::Gone`] when there is none.
    async fn update(
        &self,
        id: EntryId,
        wanted: &DesiredEntry,
        description: Option<&str>,
    ) -> Result<Timesheet, TrackerFault>;

    /// `PATCH /timesheets/{id}` that takes its break away. [`Fault::Permanent`] with status 400 while breaks are
    /// turned off in Kimai.
    async fn end_break(&self, id: EntryId) -> Result<Timesheet, TrackerFault>;

    /// `DELETE /timesheets/{id}`. [`Fault::Gone`] when there is none.
    async fn delete(&self, id: EntryId) -> Result<(), TrackerFault>;
}

/// The lists of Kimai's catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Catalogue {
    /// `/customers`.
    Customers,
    /// `/projects`.
    Projects,
    /// `/activities`.
    Activities,
    /// `/users`.
    Users,
}

impl Catalogue {
    /// Its name in paths.
    pub fn path(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Projects => "projects",
            Self::Activities => "activities",
            Self::Users => "users",
        }
    }
}

/// Which rows of a list are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// What imports bring: what is visible and open, or with `IMPORT_HIDDEN` all there is.
    Imported,
    /// All there is.
    All,
}

/// The lists that an import reads, with the same guarantees; a row that cannot be read costs itself only. Kimai does
/// not page them.
#[async_trait]
pub trait Listings: Send + Sync {
    /// `GET /customers`.
    async fn customers(&self, rows: Rows) -> Result<Lenient<Customer>, TrackerFault>;

    /// `GET /projects`.
    async fn projects(&self, rows: Rows) -> Result<Lenient<Project>, TrackerFault>;

    /// `GET /activities`.
    async fn activities(&self, rows: Rows) -> Result<Lenient<Activity>, TrackerFault>;

    /// `GET /users`; needs the permission `view_user` (`ROLE_SUPER_ADMIN`).
    async fn users(&self, rows: Rows) -> Result<Lenient<User>, TrackerFault>;

    /// `GET /{list}/{id}`: whether there is such a thing, hidden or not. What the token may not see is a
    /// [`Fault::Permanent`].
    async fn exists(&self, list: Catalogue, id: u64) -> Result<bool, TrackerFault>;
}
