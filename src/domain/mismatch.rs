//! What Kimai holds although it took what was sent. Pure.

use jiff::civil::Date;

use super::code::Code;
use super::hours::clock;
use super::ids::KimaiId;

/// What Kimai made of what it took that is not what the work log says, and that sending it again does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Somebody entered a break, and Kimai takes none of it back.
    #[error(
        "timesheet {id} has a break of {}, which Kimai takes off the hours, and Kimai refuses to remove it: breaks are \
         turned off there",
        clock(*.seconds)
    )]
    Break {
        /// The timesheet.
        id: KimaiId,
        /// How long the break is.
        seconds: i64,
    },
    /// Kimai's rounding leaves nothing of the hours.
    #[error("Kimai counts 0:00 for {} in timesheet {id}: its rounding leaves nothing", clock(*.said))]
    Zero {
        /// The timesheet.
        id: KimaiId,
        /// Seconds that the work log says.
        said: i64,
    },
    /// Kimai books it on another day in its reports.
    #[error("Kimai books timesheet {id} on {booked} in its reports, the work log says {day}")]
    Day {
        /// The timesheet.
        id: KimaiId,
        /// The day of the work log.
        day: Date,
        /// The day Kimai books it on.
        booked: Date,
    },
}

impl Mismatch {
    /// The stable code of it.
    pub fn code(self) -> Code {
        match self {
            Self::Break { .. } => Code::BreakKept,
            Self::Zero { .. } => Code::RoundedToZero,
            Self::Day { .. } => Code::WrongDay,
        }
    }
}
