//! The result of an import, in one line.

use std::fmt;

/// The counts of one kind of resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Created.
    pub new: usize,
    /// Changed name, colour or relation, or no longer marked as unavailable.
    pub changed: usize,
    /// Unchanged; nothing was written.
    pub unchanged: usize,
    /// Of the changed ones: linked to their customer or project, which did not exist when they were created.
    pub linked: usize,
    /// Of the changed ones: moved to another customer or project, or made global, as they were in Kimai.
    pub moved: usize,
    /// Of the changed ones: in Kimai's list again.
    pub back: usize,
    /// Marked as unavailable: deleted, hidden, ended or disabled in Kimai.
    pub gone: usize,
    /// Not in Kimai's list, but not marked, since it is not certain that they are gone.
    pub held: usize,
    /// Of all: those whose customer or project in Kimai is not imported.
    pub waiting: usize,
    /// Changes that were acknowledged, but are missing when read back.
    pub unconfirmed: usize,
    /// Rows of Kimai's list that could not be read and were skipped.
    pub unreadable: usize,
}

/// The counts by kind of resource, in the order of the import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report(pub Vec<(&'static str, Counts)>);

impl Counts {
    /// Each with its name in reports of jobs, and its words within a sentence.
    pub(crate) fn named(self) -> [(usize, &'static str, &'static str); 11] {
        let Self {
            new,
            changed,
            unchanged,
            linked,
            moved,
            back,
            gone,
            held,
            waiting,
            unconfirmed,
            unreadable,
        } = self;
        [
            (new, "new", "new"),
            (changed, "changed", "changed"),
            (unchanged, "unchanged", "unchanged"),
            (linked, "linked", "newly linked"),
            (moved, "moved", "moved"),
            (back, "available-again", "available again"),
            (gone, "unavailable", "marked as unavailable"),
            (held, "held", "missing from Kimai's list and not marked"),
            (waiting, "without-parent", "whose customer or project is not imported"),
            (unconfirmed, "not-stored", "not stored"),
            (unreadable, "unreadable-rows", "not readable in Kimai's list"),
        ]
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.named();
        // The first three are shown even if they are zero.
        for (at, (count, _, words)) in
            named.into_iter().enumerate().filter(|(at, (count, ..))| *at < 3 || *count > 0)
        {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{count} {words}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, counts)) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{name}: {counts}")?;
        }
        Ok(())
    }
}
