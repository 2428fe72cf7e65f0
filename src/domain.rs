//! The domain: work logs, timesheets, and the decision what to do about a difference. Pure: no I/O, no async, no clock.

pub mod code;
pub mod cron_pattern;
pub mod day_windows;
pub mod diff;
pub mod exported;
pub mod finding;
pub mod hours;
pub mod ids;
pub mod intent;
pub mod loss;
pub mod mismatch;
pub mod note;
pub mod plan;
pub mod property_values;
pub mod sighting;
pub mod status;
pub mod timesheet;
pub mod watermark;
pub mod work_log;

pub use code::Code;
pub use cron_pattern::CronPattern;
pub use ids::{ActivityId, EntryId, ProjectId, UserId, WorkLogUri};
pub use property_values::Values;
pub use sighting::Sighting;
pub use watermark::{IdOrder, Watermark};
