//! Trusts an empty result only if the triplestore shows anything at all.
//!
//! With a wrong scope it answers every query with nothing. Before a change or a timesheet is dropped because of an
//! empty result, another query checks whether anything else is visible.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::retry::Failure;
use crate::domain::work_log::{Facts, Kind};
use crate::domain::{EntryId, WorkLogUri};
use crate::failpoint::mutants::{Mutant, mutated};
use crate::work_logs::{SourceFault, WorkLogs};

/// Reads of the triplestore that treat emptiness as evidence.
pub(super) struct Visibility {
    work_logs: Arc<dyn WorkLogs>,
}

impl Visibility {
    pub(super) fn new(work_logs: Arc<dyn WorkLogs>) -> Self {
        Self { work_logs }
    }

    /// The facts of `subject`, that it is no work log only for certain. Fails when there are none and the triplestore
    /// shows nothing else either.
    pub(super) async fn facts(&self, subject: &WorkLogUri) -> Result<Facts, Failure> {
        let facts = self.work_logs.facts(subject).await?;
        match facts.kind(subject) {
            Kind::Absent => self.again(subject, facts).await,
            _ => self.certain(subject, facts).await,
        }
    }

    /// `facts` of `subject` as they were read a moment ago; read again when there were none, and believed only
    /// then.
    pub(super) async fn again(&self, subject: &WorkLogUri, facts: Facts) -> Result<Facts, Failure> {
        if Self::is_believed() || facts.kind(subject) != Kind::Absent {
            return Ok(facts);
        }
        self.check().await?;
        // What it shows now may not have been visible a moment ago.
        if mutated(Mutant::RowsAreBelieved) {
            return Ok(self.work_logs.facts(subject).await?);
        }
        self.certain(subject, facts).await
    }

    /// `facts` of `subject`; where something is about to be deleted or forgotten because of what they lack, read
    /// again in statements of their own, and counted.
    pub(super) async fn certain(&self, subject: &WorkLogUri, facts: Facts) -> Result<Facts, Failure> {
        let lacks = match facts.kind(subject) {
            Kind::Absent | Kind::Tombstone => true,
            // It may have more classes than one.
            Kind::Other => facts.may_have_been_work_log(subject),
            Kind::WorkLog => false,
        };
        if !lacks || mutated(Mutant::RowsAreBelieved) {
            return Ok(facts);
        }
        Ok(self.work_logs.certain(subject).await?)
    }

    /// The facts of those of `subjects` of which there are any, read again since there were none a moment ago. Fails
    /// when the triplestore shows nothing else either.
    pub(super) async fn again_of(
        &self,
        subjects: &[WorkLogUri],
    ) -> Result<BTreeMap<WorkLogUri, Facts>, SourceFault> {
        self.check().await?;
        if mutated(Mutant::RowsAreBelieved) {
            return self.work_logs.facts_of(subjects).await;
        }
        let mut found = BTreeMap::new();
        if !self.work_logs.knows_none(subjects).await? {
            for subject in subjects {
                found.insert(subject.clone(), self.work_logs.certain(subject).await?);
            }
        }
        Ok(found)
    }

    /// Whether emptiness is trusted without a second query.
    pub(super) fn is_believed() -> bool {
        mutated(Mutant::EmptinessIsBelieved) || mutated(Mutant::EmptinessIsDeletion)
    }

    /// Which of `ids` a work log is linked to. `known` are links that were seen a moment ago: an answer with any
    /// link in it needs no second look. Fails when the triplestore shows nothing at all: no
    /// timesheet is deleted then for want of a work log.
    pub(super) async fn linked(
        &self,
        ids: &[EntryId],
        known: &[EntryId],
    ) -> Result<BTreeMap<EntryId, Vec<WorkLogUri>>, SourceFault> {
        let mut linked = self.work_logs.linked(&[ids, known].concat()).await?;
        if linked.is_empty() {
            self.check().await?;
            linked = self.work_logs.linked(ids).await?;
        }
        linked.retain(|id, _| ids.contains(id));
        Ok(linked)
    }

    /// Fails when the triplestore shows nothing at all.
    async fn check(&self) -> Result<(), SourceFault> {
        if self.work_logs.has_any().await? {
            return Ok(());
        }
        let why = "it shows nothing at all; kimai-sync doctor says whether it hides something";
        Err(SourceFault::Transient(why.to_owned()))
    }
}
