//! Kimai: where hours are billed. Everything the service asks of it goes through [`Kimai`].

mod client;
pub mod fault;
pub mod model;

use async_trait::async_trait;

use crate::domain::KimaiId;
use crate::domain::timesheet::WantedTimesheet;
pub use client::{Client, ClientFault};
pub use fault::{Fault, KimaiFault, Operation};
pub use model::{Activity, CurrentUser, Customer, Project, Timesheet, TimesheetFilter, User};

/// The calls we need of Kimai's REST API.
///
/// # Guarantees
/// Every call ends within its time limit, follows no redirect, and reports what went wrong as a
/// [`KimaiFault`] whose [`Fault`] says what it means, so that no caller looks at a status number.
#[async_trait]
pub trait Kimai: Send + Sync {
    /// `GET /users/me`: who the token is.
    async fn me(&self) -> Result<CurrentUser, KimaiFault>;

    /// `GET /timesheets/{id}`; `None` when Kimai answers 404.
    async fn timesheet(&self, id: KimaiId) -> Result<Option<Timesheet>, KimaiFault>;

    /// `GET /timesheets`, all pages, lowest id first.
    async fn timesheets(&self, filter: &TimesheetFilter) -> Result<Vec<Timesheet>, KimaiFault>;

    /// `POST /timesheets`. Not idempotent: [`Fault::Ambiguous`] means it may have been applied.
    async fn create(&self, wanted: &WantedTimesheet) -> Result<Timesheet, KimaiFault>;

    /// `PATCH /timesheets/{id}` with all fields we own. [`Fault::Gone`] when there is none.
    async fn update(&self, id: KimaiId, wanted: &WantedTimesheet) -> Result<Timesheet, KimaiFault>;

    /// `DELETE /timesheets/{id}`. [`Fault::Gone`] when there is none.
    async fn delete(&self, id: KimaiId) -> Result<(), KimaiFault>;

    /// `GET /customers`: all visible ones; Kimai does not page this list.
    async fn customers(&self) -> Result<Vec<Customer>, KimaiFault>;

    /// `GET /projects`: all visible ones; Kimai does not page this list.
    async fn projects(&self) -> Result<Vec<Project>, KimaiFault>;

    /// `GET /activities`: all visible ones; Kimai does not page this list.
    async fn activities(&self) -> Result<Vec<Activity>, KimaiFault>;

    /// `GET /users`: all enabled ones; needs the permission `view_user` (`ROLE_SUPER_ADMIN`).
    async fn users(&self) -> Result<Vec<User>, KimaiFault>;
}
