//! The work of a run and its result.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;

use super::follow::Standing;
use super::job::Task;
use crate::domain::finding::{Finding, Unconfirmed};
use crate::domain::hours::RoundedMonth;
use crate::domain::{Code, WorkLogUri};
use crate::jobs::import::ImportFault;
use crate::jobs::lock::LockFault;
use crate::progress::Progress;
use crate::reconcile::retry::{Failure, Outage};
use crate::store::StorageFault;

/// A pause that the caller of a run can wait out.
const MOMENT: Duration = Duration::from_mins(1);

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// As counts.
    pub counts: BTreeMap<String, u64>,
    /// Deletions that were held back.
    pub held: usize,
    /// What Kimai rounded, by month: of sweeps and plans.
    pub rounded: Vec<RoundedMonth>,
    /// Each difference, of sweeps and plans.
    pub findings: Vec<Finding>,
    /// The work logs that a sweep queued: it is done when these are.
    pub queued: BTreeSet<WorkLogUri>,
    /// As a sentence.
    pub message: String,
}

/// Why a run failed, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A sweep or plan.
    #[error("{0}. Start it again once this is fixed")]
    Sweep(#[from] Failure),
    /// An import.
    #[error(transparent)]
    Import(#[from] ImportFault),
    /// A lock.
    #[error(transparent)]
    Lock(#[from] LockFault),
    /// The findings could not be stored.
    #[error(transparent)]
    Storage(#[from] StorageFault),
    /// It exceeded its time limit.
    #[error(
        "it was ended after {} min (RUN_TIME_LIMIT). What was done until then is not undone; check what its \
         phase was waiting for, or raise the limit if there really is so much to do", .0.as_secs() / 60
    )]
    TimeLimit(Duration),
    /// A bug in this service, or unexpected data.
    #[error("it failed unexpectedly: {0}; please report this")]
    Broken(String),
}

impl Trouble {
    /// Whether a retry may succeed a moment later.
    pub fn may_pass(&self) -> bool {
        match self.outage() {
            Outage::Perhaps => true,
            Outage::Pause(asked) => asked <= MOMENT,
            Outage::No | Outage::Surely => false,
        }
    }

    /// Whether trying again would only ask for the same again: a list without end stays one.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Sweep(failure) if failure.code() == Code::KimaiListFaulty)
    }

    /// The pause that Kimai asks for; none if it does not.
    pub fn pause(&self) -> Duration {
        if let Outage::Pause(asked) = self.outage() { asked } else { Duration::ZERO }
    }

    fn outage(&self) -> Outage {
        if let Self::Sweep(failure) = self { failure.outage() } else { Outage::No }
    }
}

/// Who does what runs are asked for.
#[async_trait]
pub trait Work: Send + Sync {
    /// Does `task`, tells `progress` how far it is, and ends early when that says so.
    async fn perform(
        &self,
        task: Task,
        confirmed: Option<&Unconfirmed>,
        progress: &Progress,
    ) -> Result<Done, Trouble>;

    /// How a work log stands that a sweep queued.
    async fn standing(&self, work_log: &WorkLogUri) -> Standing;

    /// How long one attempt may take before it is dropped, so that the next run begins. The work must be able to
    /// end at any point, as at a crash.
    fn time_limit(&self) -> Duration;
}
