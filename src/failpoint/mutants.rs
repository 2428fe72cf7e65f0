//! Faults that the simulation plants, to show that it would find them. Outside tests there are none.

/// A fault, named after what is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// What is found after a lost answer is taken for what was sent, also where it differs by Kimai's rounding.
    NearlyTheSameIsTheSame,
    /// A POST goes out without an intent.
    NoIntent,
    /// After a lost answer the POST is sent again without a look.
    NoSearch,
    /// The look comes before the request can have been stored.
    NoWait,
    /// An ambiguous answer is taken for "not stored".
    AmbiguousIsNotStored,
    /// What is remembered is not asked.
    NoMemory,
    /// A change during a run starts a second run at once.
    TwoRuns,
    /// The link is not read back.
    NoReadBack,
    /// An empty answer is taken for a deletion.
    EmptinessIsDeletion,
    /// An empty answer is taken for "not a work log".
    EmptinessIsBelieved,
    /// A failed run is dropped instead of tried again.
    FaultsAreDropped,
    /// The sweep deletes what its first look found, without waiting for runs or looking again.
    SweepLooksOnce,
    /// The sweep deletes what a creation with a lost answer may have made.
    SweepIgnoresIntents,
    /// What was sent is remembered before Kimai took it.
    RememberedBeforeSent,
    /// An old link goes before a timesheet that was made since.
    OldLinkWins,
    /// A work log that came back counts as another owner of its timesheet.
    CameBackUnseen,
    /// A delta does not wake what is parked.
    ParkedSleepsOn,
    /// Breaks and what Kimai counts are not looked at: hours are the time from begin to end.
    EndMinusBegin,
    /// What Kimai has to work out anew is sent as it was.
    NothingIsRenewed,
    /// Rows that are missing from an answer are believed not to be there.
    RowsAreBelieved,
    /// A link that belongs to another work log too is taken for one's own.
    SharingIsFine,
    /// How old a creation with a lost answer is, the machine's clock tells.
    ClockTellsAge,
    /// Timesheets are created also while Kimai is known to have lost some.
    LossIsIgnored,
    /// A work log that Kimai refuses keeps in memory the timesheet that it is not linked to any more.
    RefusedRemembersOld,
    /// A work log that is gone keeps in memory the timesheet that the sweep would give to another.
    GoneOwnerKeeps,
    /// Nobody looks whether a timesheet is exported before it is changed or deleted.
    ExportedIsOverwritten,
    /// What was not visible yet when the run of its delta looked is not looked at again.
    NothingShowsLate,
    /// What was exported between the look and the change is not put back.
    ExportedMeanwhileIsKept,
    /// That an entry is gone is taken for a refusal. Planted in the fake tracker, where a client reads answers.
    #[cfg(test)]
    GoneReadAsPermanent,
}

/// Whether this fault is planted.
#[cfg(not(test))]
pub(crate) const fn mutated(_: Mutant) -> bool {
    false
}

#[cfg(test)]
thread_local! {
    static ACTIVE: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Whether this fault is planted on this thread.
#[cfg(test)]
pub(crate) fn mutated(mutant: Mutant) -> bool {
    ACTIVE.get() == Some(mutant)
}

/// Plants a fault on this thread, in place of the one before.
#[cfg(test)]
pub(crate) fn activate(mutant: Option<Mutant>) {
    ACTIVE.set(mutant);
}
