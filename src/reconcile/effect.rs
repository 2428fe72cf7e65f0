//! The effect of a run, for metrics and as text.

use crate::domain::EntryId;

/// The effect of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// A timesheet was created and linked.
    Created,
    /// A timesheet whose creation lost its response was found and linked.
    Adopted,
    /// The timesheet was updated.
    Updated,
    /// The timesheet was updated although it is exported, since somebody requested that.
    Overwritten,
    /// The timesheet was deleted, and its link removed.
    Deleted,
    /// Nothing had to change in Kimai, but the triplestore had lost the link or had an additional wrong one.
    Relinked,
    /// The work log was deleted, and now its link. Its timesheet belongs to another one or does not exist.
    Unlinked,
    /// Nothing had to change in Kimai.
    Unchanged,
    /// The subject is not a work log.
    NotAWorkLog,
}

impl Effect {
    /// Its label in the metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Adopted => "adopted",
            Self::Updated | Self::Overwritten => "updated",
            Self::Deleted => "deleted",
            Self::Relinked | Self::Unlinked | Self::Unchanged | Self::NotAWorkLog => "unchanged",
        }
    }

    /// Whether Kimai was sent a change.
    pub fn reached_kimai(self) -> bool {
        match self {
            Self::Created | Self::Adopted | Self::Updated | Self::Overwritten | Self::Deleted => true,
            Self::Relinked | Self::Unlinked | Self::Unchanged | Self::NotAWorkLog => false,
        }
    }
}

/// The effect of a run, and the timesheets concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciled {
    /// The effect.
    pub effect: Effect,
    /// The timesheets.
    pub timesheets: Vec<EntryId>,
}

impl Reconciled {
    /// `effect` on `timesheets`.
    pub fn of(effect: Effect, timesheets: &[EntryId]) -> Self {
        Self { effect, timesheets: timesheets.to_vec() }
    }

    /// The text for people, as shown in the history of a work log.
    pub fn in_words(&self) -> String {
        let ids: Vec<String> = self.timesheets.iter().map(ToString::to_string).collect();
        let named = match ids.as_slice() {
            [] => "no timesheet".to_owned(),
            [id] => format!("timesheet {id}"),
            ids => format!("timesheets {}", ids.join(", ")),
        };
        match self.effect {
            Effect::Created => format!("created {named}"),
            Effect::Adopted => format!("found {named} again, whose answer had been lost"),
            Effect::Updated => format!("updated {named}"),
            Effect::Overwritten => format!("overwrote {named}, which is exported"),
            Effect::Deleted => format!("deleted {named}"),
            Effect::Relinked => format!("wrote the link to {named} again"),
            Effect::Unlinked => {
                "removed the link, and deleted no timesheet: it had none of its own".to_owned()
            }
            Effect::Unchanged => format!("nothing to change: {named} was as it should be"),
            Effect::NotAWorkLog => "nothing to do: there is no such work log".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_names_what_it_was_done_to() {
        let words = |effect, ids: &[u64]| {
            let ids: Vec<EntryId> = ids.iter().copied().map(EntryId::number).collect();
            Reconciled::of(effect, &ids).in_words()
        };
        assert_eq!(words(Effect::Created, &[12]), "created timesheet 12");
        assert_eq!(words(Effect::Deleted, &[3, 4]), "deleted timesheets 3, 4");
        assert_eq!(words(Effect::Relinked, &[12]), "wrote the link to timesheet 12 again");
    }
}
