//! Kimai → triplestore: customers, projects, activities and users become resources of Timekeeper.
//!
//! Each kind is read in bulk on both sides, compared (`plan`), and only the differences are written (`write`). The
//! differences between the kinds are in one file each.
//!
//! # Guarantees
//! One import runs at a time, so that nothing is created twice. An import that finds nothing new writes nothing.
//! Nothing is ever deleted except names, colours and relations that are replaced: resources that are deleted, hidden,
//! ended or disabled in Kimai get the class `ext:UnavailableInKimai`, and lose it when they are available again. An
//! interrupted import is completed by the next one.

mod activities;
mod catalogue;
mod customers;
mod gone;
mod plan;
mod projects;
mod report;
mod resource_kind;
mod users;
mod write;

use std::fmt;
use std::sync::Arc;

use tokio::sync::Mutex;
use tracing::{info, warn};
use uuid::Uuid;

use crate::clock::Clock;
use crate::progress::Progress;
use crate::reconcile::references::References;
use crate::settings::{ImportSettings, Relations, ResourceSettings};
use crate::store::QueueFault;
use crate::trackers::kimai::Listings;
use crate::trackers::{Fault, Lenient, TrackerFault};
use crate::triplestore::statement::{Iri, StatementFault};
use crate::triplestore::{Refusal, Triplestore, TriplestoreFault};
use catalogue::Catalogue;
use gone::{Gone, Search};
use plan::Change;
pub use report::{Counts, Report};
use resource_kind::{ResourceKind, Wanted};

/// What to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Kimai's customers.
    Customers,
    /// Kimai's projects, then its activities. Customers should be imported first.
    Tasks,
    /// Kimai's users.
    Accounts,
}

impl What {
    /// All, in the best order for an import.
    pub const ALL: [Self; 3] = [Self::Customers, Self::Tasks, Self::Accounts];
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Customers => "customers",
            Self::Tasks => "tasks",
            Self::Accounts => "accounts",
        })
    }
}

/// Why an import failed. What was written before stays; the next import completes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportFault {
    /// Kimai failed or refused.
    #[error("{what} cannot be imported: {fault}{hint}")]
    Kimai {
        /// Which list.
        what: &'static str,
        /// Kimai's error.
        fault: TrackerFault,
        /// How to fix it, if known.
        hint: &'static str,
    },
    /// The triplestore failed or refused.
    #[error("{what} cannot be imported: {fault}. Import again once it answers")]
    Triplestore {
        /// Of which list.
        what: &'static str,
        /// The triplestore's error.
        fault: TriplestoreFault,
    },
    /// The work logs to be rechecked could not be saved.
    #[error("{what} cannot be imported: {fault}. Import again once that is fixed")]
    Queue {
        /// Of which list.
        what: &'static str,
        /// The error.
        fault: QueueFault,
    },
    /// It was cancelled before anything was written.
    #[error("it was cancelled")]
    Stopped,
    /// Something cannot be written in SPARQL: the settings give no usable IRI.
    #[error(
        "nothing can be imported: {0}; check RESOURCE_BASE_URI, WORKSPACE_URI and KIMAI_ACCOUNT_SERVICE_HOMEPAGE"
    )]
    Statement(#[from] StatementFault),
}

/// The settings, checked.
#[derive(Debug, Clone)]
struct Resources {
    base_uri: String,
    workspace: Iri,
    account_homepage: Iri,
    relations: Relations,
}

/// Imports, one at a time.
pub struct Importer {
    store: Arc<dyn Triplestore>,
    kimai: Arc<dyn Listings>,
    resources: Resources,
    max_gone: usize,
    references: Arc<References>,
    clock: Clock,
    /// Two concurrent imports would create the same resources twice.
    turn: Mutex<()>,
}

impl Importer {
    /// Imports from `kimai` to `store`, and queues the work logs of moved tasks. Fails if one of `resources` is not an
    /// absolute IRI.
    pub fn new(
        store: Arc<dyn Triplestore>,
        kimai: Arc<dyn Listings>,
        (resources, settings): (ResourceSettings, ImportSettings),
        references: Arc<References>,
        clock: Clock,
    ) -> Result<Self, ImportFault> {
        let ResourceSettings { base_uri, workspace, account_homepage } = resources;
        let ImportSettings { relations, max_gone } = settings;
        Iri::new(base_uri.as_str())?;
        let resources = Resources {
            base_uri: base_uri.trim_end_matches('/').to_owned(),
            workspace: Iri::new(workspace)?,
            account_homepage: Iri::new(account_homepage)?,
            relations,
        };
        Ok(Self { store, kimai, resources, max_gone, references, clock, turn: Mutex::default() })
    }

    /// Imports `what`. Waits for an import in progress, and returns when everything is written. If it is cancelled, the
    /// rest is not written.
    pub async fn import(&self, what: What, progress: &Progress) -> Result<Report, ImportFault> {
        progress.phase("waiting for another import to end", None);
        let _turn = unless_cancelled(progress, async { Ok(self.turn.lock().await) }).await?;
        progress.phase("reading both sides", None);
        let report = match what {
            What::Customers => self.customers(progress).await,
            What::Tasks => self.tasks(progress).await,
            What::Accounts => self.accounts(progress).await,
        }?;
        info!("Imported {what} from Kimai: {report}");
        Ok(report)
    }

    async fn customers(&self, progress: &Progress) -> Result<Report, ImportFault> {
        let kind = customers::kind(&self.resources);
        let both = async { Ok(tokio::join!(customers::list(self.kimai.as_ref()), self.read(&kind))) };
        let (listed, here) = unless_cancelled(progress, both).await?;
        let (listed, here) = (of_kimai(&kind, listed)?, here?);
        let (counts, _) = self.bring(&kind, &listed, here, &Catalogue::default(), progress).await?;
        Ok(Report(vec![(kind.name, counts)]))
    }

    /// Projects first: activities belong to them and inherit their colours.
    async fn tasks(&self, progress: &Progress) -> Result<Report, ImportFault> {
        let (projects, activities) = (projects::kind(&self.resources), activities::kind(&self.resources));
        let customers = customers::kind(&self.resources);
        let kimai = self.kimai.as_ref();
        let lists = async {
            let listed_projects = of_kimai(&projects, projects::list(kimai).await)?;
            Ok::<_, ImportFault>((listed_projects, of_kimai(&activities, activities::list(kimai).await)?))
        };
        let reads = async {
            let (customers, projects) = (self.read(&customers).await?, self.read(&projects).await?);
            Ok::<_, ImportFault>((customers, projects, self.read(&activities).await?))
        };
        let (lists, reads) = unless_cancelled(progress, async { Ok(tokio::join!(lists, reads)) }).await?;
        let ((listed_projects, listed_activities), (customers, here, here_of_activities)) = (lists?, reads?);
        let (of_projects, known_projects) =
            self.bring(&projects, &listed_projects, here, &customers, progress).await?;
        let (of_activities, _) = self
            .bring(&activities, &listed_activities, here_of_activities, &known_projects, progress)
            .await?;
        Ok(Report(vec![(projects.name, of_projects), (activities.name, of_activities)]))
    }

    async fn accounts(&self, progress: &Progress) -> Result<Report, ImportFault> {
        let kind = users::kind(&self.resources);
        let both = async { Ok(tokio::join!(users::list(self.kimai.as_ref()), self.read(&kind))) };
        let (users, here) = unless_cancelled(progress, both).await?;
        let users = users.map_err(|fault| {
            let refused = fault.fault == Fault::Permanent;
            let hint = if refused {
                ". Listing users needs the permission view_user: give the user of API_TOKEN the role ROLE_SUPER_ADMIN"
            } else {
                ""
            };
            ImportFault::Kimai { what: kind.name, fault, hint }
        })?;
        let (counts, _) = self.bring(&kind, &users, here?, &Catalogue::default(), progress).await?;
        Ok(Report(vec![(kind.name, counts)]))
    }

    /// Writes what differs from `here`, and returns the resulting state.
    async fn bring(
        &self,
        kind: &ResourceKind,
        listed: &Lenient<Wanted>,
        here: Catalogue,
        parents: &Catalogue,
        progress: &Progress,
    ) -> Result<(Counts, Catalogue), ImportFault> {
        progress.phase(format!("comparing {}", kind.name), None);
        for row in &listed.odd.named {
            warn!("One of the {} in Kimai's list cannot be read, and is skipped: {}", kind.name, row.why);
            progress.fault(format!(
                "One of the {} was skipped, because it cannot be read: {}",
                kind.name, row.why
            ));
        }
        for id in here.doubled() {
            warn!(kimai.id = id, "Several {} have the Kimai ID {id}; all of them are updated", kind.name);
        }
        let (kimai, today) = (self.kimai.as_ref(), self.clock.today());
        let search = Search { kimai, max_gone: self.max_gone, today, progress };
        let looked = unless_cancelled(progress, async { Ok(search.gone(kind, listed, &here).await) }).await;
        let Gone { ids: gone, held } = looked?;
        let mut plan = plan::plan(kind, &listed.rows, &gone, &here, parents, Uuid::new_v4)?;
        (plan.counts.held, plan.counts.unreadable) = (held, listed.odd.count);
        if plan.counts.new > 0 {
            let whole = here.check(self.store.as_ref(), kind).await;
            whole.map_err(|fault| ImportFault::Triplestore { what: kind.name, fault })?;
        }
        if plan.changes.is_empty() {
            return Ok((plan.counts, here));
        }
        // Both before and after: if this is interrupted in between, the work logs of what was written are still
        // rechecked; a recheck that is too early finds nothing to do.
        self.note(kind, &plan.rebooked).await?;
        let written = self.write(kind, &plan.changes, progress).await;
        self.note(kind, &plan.rebooked).await?;
        let written = written?;
        if progress.is_stopped() {
            plan.counts.unconfirmed = plan.changes.len().saturating_sub(written);
            return Ok((plan.counts, here));
        }
        // A triplestore may acknowledge a write that it did not store.
        let here = self.read(kind).await?;
        let left = plan::plan(kind, &listed.rows, &gone, &here, parents, Uuid::new_v4)?.changes.len();
        if left > 0 {
            plan.counts.unconfirmed = left;
            warn!("{left} {} were not stored as written; import again, and check the triplestore", kind.name);
        }
        Ok((plan.counts, here))
    }

    /// Returns how many of `changes` were written: all of them, unless it is cancelled.
    async fn write(
        &self,
        kind: &ResourceKind,
        changes: &[Change],
        progress: &Progress,
    ) -> Result<usize, ImportFault> {
        progress.phase(format!("writing {}", kind.name), Some(changes.len()));
        let mut updates = write::updates(changes);
        let (mut next, mut rest) = (updates.next().transpose()?, changes);
        let mut written = 0;
        while let Some((count, update)) = next.take().filter(|_| !progress.is_stopped()) {
            // The next update is built while this one is written.
            let (answer, after) =
                tokio::join!(self.store.update(&update), async { updates.next().transpose() });
            let (batch, others) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = others;
            match answer {
                Err(TriplestoreFault::Refused(refusal)) => self.write_apart(kind, batch, refusal).await?,
                answer => answer.map_err(|fault| ImportFault::Triplestore { what: kind.name, fault })?,
            }
            progress.advance(count);
            written += count;
            next = after?;
        }
        Ok(written)
    }

    /// Writes what can be written of a refused batch: it is halved until each refused change is alone. Skipped changes
    /// show when everything is read back.
    async fn write_apart(
        &self,
        kind: &ResourceKind,
        batch: &[Change],
        refusal: Refusal,
    ) -> Result<(), ImportFault> {
        let mut refused = vec![(batch, refusal)];
        while let Some((batch, refusal)) = refused.pop() {
            if let [change] = batch {
                warn!("One of the {} was not written, {}: {refusal}", kind.name, change.subject);
                continue;
            }
            let (first, second) = batch.split_at(batch.len() / 2);
            for half in [first, second] {
                for update in write::updates(half) {
                    match self.store.update(&update?.1).await {
                        Ok(()) => {}
                        Err(TriplestoreFault::Refused(refusal)) => refused.push((half, refusal)),
                        Err(fault) => return Err(ImportFault::Triplestore { what: kind.name, fault }),
                    }
                }
            }
        }
        Ok(())
    }

    /// Queues the work logs of these tasks.
    async fn note(&self, kind: &ResourceKind, rebooked: &[Iri]) -> Result<(), ImportFault> {
        let noted = self.references.note(rebooked.iter().map(Iri::as_str)).await;
        noted.map_err(|fault| ImportFault::Queue { what: kind.name, fault })
    }

    async fn read(&self, kind: &ResourceKind) -> Result<Catalogue, ImportFault> {
        let read = Catalogue::read(self.store.as_ref(), kind).await;
        read.map_err(|fault| ImportFault::Triplestore { what: kind.name, fault })
    }
}

/// Abandons a request once the import is cancelled.
async fn unless_cancelled<T>(
    progress: &Progress,
    question: impl Future<Output = Result<T, ImportFault>>,
) -> Result<T, ImportFault> {
    progress.until_stopped(question).await.unwrap_or(Err(ImportFault::Stopped))
}

fn of_kimai(
    kind: &ResourceKind,
    answer: Result<Lenient<Wanted>, TrackerFault>,
) -> Result<Lenient<Wanted>, ImportFault> {
    answer.map_err(|fault| ImportFault::Kimai { what: kind.name, fault, hint: "" })
}

#[cfg(test)]
mod tests;
