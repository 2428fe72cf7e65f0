//! The handler of imports, and what follows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::info;

use crate::jobs::Done;
use crate::jobs::import::{ImportFault, Importer, Report, What};
use crate::progress::Progress;
use crate::queue::Reason;
use crate::reconcile::references::References;
use crate::reconcile::worker::Workers;

/// The dependencies of an import.
#[derive(Clone)]
pub struct Imports {
    /// Imports Kimai's catalogue into the triplestore.
    pub importer: Arc<Importer>,
    /// Finds the work logs whose task was moved.
    pub references: Arc<References>,
    /// Retries parked work logs.
    pub workers: Arc<Workers>,
}

impl Imports {
    /// Imports, then queues the work logs of moved tasks, and retries what is parked: the missing data may be there
    /// now.
    pub(super) async fn run(&self, what: What, progress: &Progress) -> Result<Done, ImportFault> {
        let report = self.importer.import(what, progress).await?;
        progress.phase("looking for the affected work logs", None);
        match self.references.follow().await {
            Ok(0) => {}
            Ok(queued) => info!("Rechecking {queued} work logs whose task was moved"),
            // This is retried until it succeeds.
            Err(failure) => {
                progress.fault(format!("The affected work logs will be looked up later: {failure}"));
            }
        }
        let woken = self.workers.wake_parked(Reason::Import).await;
        if woken > 0 {
            info!("Retrying {woken} parked work logs after the import");
        }
        Ok(done(&report))
    }
}

fn done(report: &Report) -> Done {
    let mut counts = BTreeMap::new();
    for (kind, counted) in &report.0 {
        let named = counted.named().into_iter();
        counts.extend(named.map(|(count, name, _)| (format!("{kind}-{name}"), count as u64)));
    }
    Done { counts, message: format!("{report}."), ..Done::default() }
}
