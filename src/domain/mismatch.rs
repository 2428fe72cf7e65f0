//! What is still wrong in Kimai although it accepted the request. Pure.

use jiff::civil::Date;

use super::code::Code;
use super::hours::clock;
use super::ids::EntryId;

/// A deviation in Kimai after it accepted the request, which sending it again does not fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Somebody entered a break, and Kimai does not remove it.
    #[error(
        "timesheet {id} has a break of {}, which Kimai takes off the hours, and Kimai refuses to remove it: breaks are \
         turned off there",
        clock(*.seconds)
    )]
    Break {
        /// The timesheet.
        id: EntryId,
        /// How long the break is.
        seconds: i64,
    },
    /// Kimai's rounding reduces the hours to zero.
    #[error("Kimai counts 0:00 for {} in timesheet {id}: its rounding leaves nothing", clock(*.said))]
    Zero {
        /// The timesheet.
        id: EntryId,
        /// The duration of the work log in seconds.
        said: i64,
    },
    /// Kimai's reports show it on another day.
    #[error("Kimai books timesheet {id} on {booked} in its reports, the work log says {day}")]
    Day {
        /// The timesheet.
        id: EntryId,
        /// The day of the work log.
        day: Date,
        /// The day Kimai books it on.
        booked: Date,
    },
}

impl Mismatch {
    /// The stable code.
    pub fn code(self) -> Code {
        match self {
            Self::Break { .. } => Code::BreakKept,
            Self::Zero { .. } => Code::RoundedToZero,
            Self::Day { .. } => Code::WrongDay,
        }
    }
}
