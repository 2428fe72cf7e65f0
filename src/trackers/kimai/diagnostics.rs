//! Read-only diagnostics of a Kimai and its token.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use crate::domain::ids::UserId;
use crate::trackers::error::TrackerFault;

/// `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Version {
    /// Like `2.65.0`.
    pub version: String,
    /// The same as a number, like 26500.
    #[serde(default, rename = "versionId")]
    pub number: u32,
}

/// `GET /config/timesheet`: all that Kimai tells of its rules for timesheets. Others (empty durations, the
/// longest one, locked periods, budgets) it keeps to itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TimesheetRules {
    /// `default`, `punch` and so on.
    #[serde(default, rename = "trackingMode")]
    pub tracking_mode: String,
    /// Whether times in the future are taken.
    #[serde(default = "yes", rename = "isAllowFutureTimes")]
    pub future: bool,
    /// Whether two timesheets of one user may overlap.
    #[serde(default = "yes", rename = "isAllowOverlapping")]
    pub overlapping: bool,
}

const fn yes() -> bool {
    true
}

/// One of `GET /users`, as far as it says on which day hours are shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Person {
    /// Its id.
    pub id: UserId,
    /// The login name.
    pub username: String,
    /// The zone in which Kimai shows its hours.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Whether it may log in.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether it is a system account, which has no hours.
    #[serde(default, rename = "systemAccount")]
    pub system_account: bool,
}

/// Whether the token may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// Kimai showed that it may.
    Given,
    /// Kimai refused.
    Missing,
    /// It only shows when it is tried, and that was not asked for.
    NotTried,
    /// It does not show; why, in words.
    Untold(String),
    /// What no Kimai takes was taken; what may have been made or changed by that, in words.
    Taken(String),
}

/// What the token may do with what is not its own. Deleting cannot be tried without doing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// `view_user`: the list of users.
    pub view_user: Right,
    /// `view_other_timesheet`.
    pub view_other: Right,
    /// `create_other_timesheet`.
    pub create_other: Right,
    /// `edit_other_timesheet`.
    pub edit_other: Right,
}

/// Questions about Kimai itself, with the same guarantees as [`Tracker`](crate::trackers::Tracker).
#[async_trait]
pub trait Diagnostics: Send + Sync {
    /// `GET /version`.
    async fn version(&self) -> Result<Version, TrackerFault>;

    /// `GET /config/timesheet`.
    async fn rules(&self) -> Result<TimesheetRules, TrackerFault>;

    /// `GET /users`: all enabled ones; needs the permission `view_user`.
    async fn people(&self) -> Result<Vec<Person>, TrackerFault>;

    /// What the token of the user `me` may do. With `tried`, the time now, what only shows in an attempt is tried.
    /// Nothing is changed by that: what is sent to be refused has no project and times that are none, so that no Kimai
    /// can store it. It shows as 400 in Kimai's log. Exported timesheets and such of earlier months, which may be
    /// locked, are left alone. Without `tried` nothing is sent but questions.
    async fn rights(&self, me: UserId, tried: Option<Timestamp>) -> Result<Rights, TrackerFault>;
}
