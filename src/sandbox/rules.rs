//! Kimai's settings that change what it accepts.

use std::time::Duration;

use jiff::Timestamp;

/// Kimai's settings, with its defaults. Change them with `Sandbox::rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are Kimai's own switches, each on its own")]
pub struct Rules {
    /// Begin is cut down and end raised to full steps of this; zero keeps the seconds.
    pub rounding: Duration,
    /// `allow_overlapping_records`.
    pub allow_overlapping: bool,
    /// `allow_zero_duration`.
    pub allow_zero_duration: bool,
    /// `allow_future_times`.
    pub allow_future_times: bool,
    /// `allow_overbooking_budget`: booking more than a project's time budget.
    pub allow_overbooking: bool,
    /// `long_running_duration`: the longest record accepted.
    pub longest: Option<Duration>,
    /// `require_activity`: only changes the message; the API wants an activity all the same.
    pub require_activity: bool,
    /// `break_time_active`: whether the form has a `break`.
    pub breaks: bool,
    /// Records beginning before this are locked, but for roles with `lockdown_override`.
    pub locked_before: Option<Timestamp>,
    /// `trackingMode`, told by `/config/timesheet`.
    pub tracking_mode: String,
    /// `defaultBeginTime`, likewise.
    pub default_begin: String,
    /// Meta fields of timesheets, as a plugin defines them.
    pub meta_fields: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            rounding: Duration::from_mins(1),
            allow_overlapping: true,
            allow_zero_duration: true,
            allow_future_times: true,
            allow_overbooking: true,
            longest: None,
            require_activity: true,
            breaks: false,
            locked_before: None,
            tracking_mode: "default".to_owned(),
            default_begin: "now".to_owned(),
            meta_fields: Vec::new(),
        }
    }
}
