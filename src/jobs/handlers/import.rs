//! Imports, and what they make possible.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::info;

use crate::jobs::Done;
use crate::jobs::import::{Counts, ImportFault, Importer, Report, What};
use crate::progress::Progress;
use crate::queue::Reason;
use crate::reconcile::references::References;
use crate::reconcile::worker::Workers;

/// What an import needs.
#[derive(Clone)]
pub struct Imports {
    /// Brings Kimai's catalogue into the triplestore.
    pub importer: Arc<Importer>,
    /// Finds the work logs whose task was moved.
    pub references: Arc<References>,
    /// Tries parked work logs again.
    pub workers: Arc<Workers>,
}

impl Imports {
    /// Imports, then has the work logs looked at that are booked on what was moved, and tries what is parked again:
    /// what it was missing may be there now.
    pub(super) async fn run(&self, what: What, progress: &Progress) -> Result<Done, ImportFault> {
        let report = self.importer.import(what, progress).await?;
        progress.phase("looking for the work logs concerned", None);
        match self.references.follow().await {
            Ok(0) => {}
            Ok(queued) => info!("Looking again at {queued} work logs whose task was moved"),
            // They are tried for until they are found.
            Err(failure) => {
                progress.fault(format!("The work logs concerned are looked for later: {failure}"));
            }
        }
        let woken = self.workers.wake_parked(Reason::Import).await;
        if woken > 0 {
            info!("Trying {woken} parked work logs again after the import");
        }
        Ok(done(&report))
    }
}

fn done(report: &Report) -> Done {
    let mut counts = BTreeMap::new();
    for (name, counted) in &report.0 {
        let Counts {
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
        } = counted;
        let numbers = [
            ("new", new),
            ("changed", changed),
            ("unchanged", unchanged),
            ("linked", linked),
            ("moved", moved),
            ("available-again", back),
            ("unavailable", gone),
            ("held", held),
            ("without-parent", waiting),
            ("not-stored", unconfirmed),
            ("unreadable-rows", unreadable),
        ];
        counts.extend(numbers.map(|(word, count)| (format!("{name}-{word}"), *count as u64)));
    }
    Done { counts, message: format!("{report}."), ..Done::default() }
}
