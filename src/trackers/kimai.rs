//! Kimai, the time tracker. The service asks it through [`Tracker`](crate::trackers::Tracker) and [`Listings`].

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

use async_trait::async_trait;

use crate::domain::IdOrder;
use crate::domain::ids::IdSyntax;
use crate::trackers::{Capabilities, Lenient, TrackerFault};
pub use choices::Choices;
pub use client::{Client, ClientFault};
pub use diagnostics::{Diagnostics, Right, Rights, TimesheetRules, Version};
pub use model::{Activity, CurrentUser, Customer, Project, User};

/// What it is called.
pub const NAME: &str = "Kimai";

/// Ids are numbers that count up.
pub const CAPABILITIES: Capabilities =
    Capabilities { name: NAME, syntax: IdSyntax::Numbers, order: IdOrder::Sequence };

/// The lists of Kimai's catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// `/customers`.
    Customers,
    /// `/projects`.
    Projects,
    /// `/activities`.
    Activities,
    /// `/users`.
    Users,
}

impl Collection {
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
    /// [`Fault::Permanent`](crate::trackers::Fault::Permanent).
    async fn exists(&self, list: Collection, id: u64) -> Result<bool, TrackerFault>;
}
