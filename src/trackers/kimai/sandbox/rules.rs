//! Kimai's settings that change what it accepts.

use std::time::Duration;

use jiff::Timestamp;

use super::auth::Role;

/// Which way Kimai rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// `default`: begin down, end and duration up.
    Default,
    /// `closest`: each to the nearer step; the middle goes down.
    Closest,
    /// `floor`: all down.
    Floor,
    /// `ceil`: all up.
    Ceil,
}

impl Rounding {
    /// `seconds` as a begin.
    pub(super) fn begin(self, seconds: i64, step: Duration) -> i64 {
        if self == Self::Default { Self::Floor.to_step(seconds, step) } else { self.to_step(seconds, step) }
    }

    /// `seconds` as an end or a duration.
    pub(super) fn end(self, seconds: i64, step: Duration) -> i64 {
        if self == Self::Default { Self::Ceil.to_step(seconds, step) } else { self.to_step(seconds, step) }
    }

    fn to_step(self, seconds: i64, step: Duration) -> i64 {
        let step = i64::try_from(step.as_secs()).unwrap_or(1).max(1);
        let beyond = seconds.rem_euclid(step);
        let up = match self {
            Self::Ceil => beyond > 0,
            Self::Closest => beyond * 2 > step,
            Self::Default | Self::Floor => false,
        };
        seconds - beyond + if up { step } else { 0 }
    }
}

/// Kimai's settings, with its defaults. Change them with `Sandbox::rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are Kimai's own switches, each on its own")]
pub struct Rules {
    /// `timesheet.rounding.default.begin` and `.end`: both are rounded to full steps of this; zero keeps the seconds.
    pub rounding: Duration,
    /// `timesheet.rounding.default.duration`: what is counted is rounded to full steps of this, begin and end stay.
    pub duration_rounding: Duration,
    /// `timesheet.rounding.default.mode`: which way all of these go.
    pub rounding_mode: Rounding,
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
    /// The least role with `edit_exported_timesheet`: all below it get 403 for changes of exported records.
    pub edit_exported: Role,
    /// `trackingMode`, told by `/config/timesheet`: with `punch` the form has no begin and end, see `times_in_punch`.
    pub tracking_mode: String,
    /// Whether it has them all the same, as was recorded of 2.65; 2.66 refuses them.
    pub times_in_punch: bool,
    /// `defaultBeginTime`, likewise.
    pub default_begin: String,
    /// Meta fields of timesheets, as a plugin defines them.
    pub meta_fields: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            rounding: Duration::from_mins(1),
            duration_rounding: Duration::ZERO,
            rounding_mode: Rounding::Default,
            allow_overlapping: true,
            allow_zero_duration: true,
            allow_future_times: true,
            allow_overbooking: true,
            longest: None,
            require_activity: true,
            breaks: false,
            locked_before: None,
            edit_exported: Role::Admin,
            tracking_mode: "default".to_owned(),
            times_in_punch: false,
            default_begin: "now".to_owned(),
            meta_fields: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measured on a real 2.66, but for what lies before 1970.
    #[test]
    fn each_mode_rounds_its_own_way() {
        let (minute, quarter) = (60, Duration::from_mins(15));
        let table = [
            // mode, minutes, as a begin, as an end or duration
            (Rounding::Default, 456, 450, 465),
            (Rounding::Default, 450, 450, 450),
            (Rounding::Closest, 456, 450, 450),
            (Rounding::Closest, 458, 465, 465),
            (Rounding::Closest, 7, 0, 0),
            (Rounding::Floor, 464, 450, 450),
            (Rounding::Ceil, 451, 465, 465),
            (Rounding::Default, -1, -15, 0),
        ];
        for (mode, minutes, begin, end) in table {
            assert_eq!(mode.begin(minutes * minute, quarter), begin * minute, "{mode:?} of {minutes}");
            assert_eq!(mode.end(minutes * minute, quarter), end * minute, "{mode:?} of {minutes}");
        }
        // The middle goes down, and no step leaves it as it is.
        assert_eq!(Rounding::Closest.end(450, quarter), 0);
        assert_eq!(Rounding::Ceil.end(61, Duration::ZERO), 61);
    }
}
