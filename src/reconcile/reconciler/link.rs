//! The link of a work log: written, read back, removed, and resolved to the owner of its timesheet.

use tracing::warn;

use super::Reconciler;
use crate::domain::plan::Memory;
use crate::domain::work_log::{Facts, Kind};
use crate::domain::{EntryId, WorkLogUri};
use crate::failpoint::crash;
use crate::failpoint::mutants::{Mutant, mutated};
use crate::reconcile::retry::Failure;
use crate::work_logs::{Link, SourceFault};

impl Reconciler {
    /// Writes the link and reads it back: a triplestore may acknowledge a write that it did not store.
    pub(super) async fn link(&self, subject: &WorkLogUri, facts: &Facts, id: EntryId) -> Result<(), Failure> {
        let had_link = !facts.identifiers.is_empty();
        let link = Link { work_log: subject.clone(), to: Some(id), had_link };
        let stored = self.batched.link(link).await?.entry_ids();
        if stored.first() != Some(&id) && !mutated(Mutant::NoReadBack) {
            let why = format!("it took the Kimai id {id} of <{subject}> and did not store it");
            return Err(SourceFault::Transient(why).into());
        }
        crash::point("linked");
        self.ledger.linked(subject).await?;
        Ok(self.ledger.has_new_link(subject).await?)
    }

    /// Removes the link and verifies that it is gone.
    pub(super) async fn unlink(&self, subject: &WorkLogUri) -> Result<(), Failure> {
        let link = Link { work_log: subject.clone(), to: None, had_link: true };
        if self.batched.link(link).await?.identifiers.is_empty() {
            return Ok(self.ledger.has_new_link(subject).await?);
        }
        let why = format!("it took the removal of the Kimai id of <{subject}> and still has it");
        Err(SourceFault::Transient(why).into())
    }

    /// Makes `id`, which `subject` is linked to, its only link and remembers it instead of `known`. If Kimai does
    /// not have it the link is an old one, and `known` gets it back.
    pub(super) async fn keep(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        id: EntryId,
        known: Option<EntryId>,
    ) -> Result<(), Failure> {
        if self.kimai.timesheet(id).await?.is_none() {
            return match known {
                Some(known) => self.link(subject, facts, known).await,
                None => Ok(()),
            };
        }
        if facts.entry_ids() != [id] {
            self.link(subject, facts, id).await?;
        }
        self.remember(subject, id).await
    }

    /// Remembers `id`, which `subject` is linked to, as its own, unless it was made for a work log that is not
    /// linked to it yet.
    pub(super) async fn remember(&self, subject: &WorkLogUri, id: EntryId) -> Result<(), Failure> {
        match self.ledger.owner(id).await? {
            Some(other) if other != *subject => self.take_over(subject, id, &other).await.map(drop),
            _ => Ok(self.ledger.keep(subject, id).await?),
        }
    }

    /// `subject` gets `id`, which was made for `other`, unless that is not linked to it yet. Says whether it did.
    pub(super) async fn take_over(
        &self,
        subject: &WorkLogUri,
        id: EntryId,
        other: &WorkLogUri,
    ) -> Result<bool, Failure> {
        if self.ledger.recall(other).await?.unwritten {
            return Ok(false);
        }
        self.ledger.keep(subject, id).await?;
        Ok(true)
    }

    /// `facts` without the links to timesheets that were made for another work log, which is still linked
    /// to them or about to be, and without those that Kimai has lost; none when there is nothing to leave out.
    pub(super) async fn own(
        &self,
        subject: &WorkLogUri,
        facts: &Facts,
        memory: &Memory,
    ) -> Result<Option<Facts>, Failure> {
        let ids = facts.entry_ids();
        // A timesheet has one owner, so the usual run need not look for others.
        if ids.iter().all(|id| memory.linked == Some(*id)) {
            return Ok(None);
        }
        let mut owners = self.ledger.owners(&ids).await?;
        owners.retain(|_, owner| owner != subject);
        let mut own: Option<Facts> = None;
        let void = self.ledger.void_links(subject);
        if !void.is_empty() {
            let own = own.get_or_insert_with(|| facts.clone());
            own.identifiers
                .retain(|text| !EntryId::parse(text, facts.syntax).is_ok_and(|id| void.contains(&id)));
        }
        for (id, owner) in owners.into_iter().filter(|_| !mutated(Mutant::SharingIsFine)) {
            let others = self.work_logs.facts(&owner).await?;
            let is_linked = others.entry_ids().contains(&id) || self.ledger.recall(&owner).await?.unwritten;
            if others.kind(&owner) == Kind::WorkLog && is_linked {
                warn!(work_log = %subject, kimai.id = %id, "<{subject}> is linked to timesheet {id}, which was made for <{owner}>; it gets its own.");
                let own = own.get_or_insert_with(|| facts.clone());
                own.identifiers.retain(|text| EntryId::parse(text, facts.syntax) != Ok(id));
            }
        }
        Ok(own)
    }
}
