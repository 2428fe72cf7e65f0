//! What a run of a work log comes to.

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// A timesheet was created and linked.
    Created,
    /// A timesheet whose answer was lost was found again and linked.
    Adopted,
    /// The timesheet was brought up to date.
    Updated,
    /// The timesheet was deleted, and its link removed.
    Deleted,
    /// Nothing had to change in Kimai.
    Unchanged,
    /// The subject is not a work log.
    NotAWorkLog,
}

impl Effect {
    /// The word for it in the metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Adopted => "adopted",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Unchanged | Self::NotAWorkLog => "unchanged",
        }
    }

    /// Whether Kimai was asked for anything.
    pub fn reached_kimai(self) -> bool {
        !matches!(self, Self::Unchanged | Self::NotAWorkLog)
    }
}
