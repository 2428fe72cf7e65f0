//! Constructs the parts of the service that do its work.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::delta::{Intake, Refused};
use crate::doctor::{Doctor, Target};
use crate::domain::IdOrder;
use crate::explain::Witnesses;
use crate::http::Services;
use crate::jobs::import::Importer;
use crate::jobs::lock::Locker;
use crate::jobs::{Handlers, Imports};
use crate::reconcile::admission;
use crate::reconcile::recheck::Rechecks;
use crate::reconcile::reconciler::Reconciler;
use crate::reconcile::references::References;
use crate::reconcile::requests::Requests;
use crate::reconcile::sweep::{Parts, Sweeper};
use crate::reconcile::worker::Workers;
use crate::schedule::Refusals;
use crate::settings::{Description, Relations, Settings};
use crate::status::{Asking, StatusSource};
use crate::store::jobs::JobRecords;
use crate::store::queue::LEASE;
use crate::store::sqlite::{SqliteJobs, SqliteLedger, SqliteQueue, SqliteReferences, Storage};
use crate::store::{Ledger, Queue, Stores};
use crate::telemetry::Metrics;
use crate::trackers::Capabilities;
use crate::trackers::Tracker;
use crate::trackers::kimai::{Diagnostics, Listings};
use crate::triplestore::Triplestore;
use crate::triplestore::instrumented::Instrumented;
use crate::triplestore::probe::Probe;
use crate::triplestore::statement::Iri;
use crate::triplestore::work_logs::SparqlWorkLogs;
use crate::work_logs::WorkLogs;

/// The most sequential calls to Kimai that reconciling one work log takes, including those of others it waits for.
const KIMAI_CALLS_A_RUN: u32 = 20;
/// The same for queries and updates.
const QUERIES_A_RUN: u32 = 24;

/// The parts of the service that do its work. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// Queries about work logs.
    pub work_logs: Arc<dyn WorkLogs>,
    /// Kimai's timesheets.
    pub kimai: Arc<dyn Tracker>,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The records about work logs and timesheets.
    pub ledger: Arc<dyn Ledger>,
    /// The records of jobs.
    pub job_records: Arc<dyn JobRecords>,
    /// Runs the reconciler on leased work logs.
    pub workers: Arc<Workers>,
    /// Compares whole periods.
    pub sweeper: Arc<Sweeper>,
    /// Finds the work logs of tasks and persons that have changed.
    pub references: Arc<References>,
    /// Imports Kimai's catalogue into the triplestore.
    pub importer: Arc<Importer>,
    /// Marks months as exported.
    pub locker: Arc<Locker>,
    /// Checks everything that syncing needs.
    pub doctor: Arc<Doctor>,
    /// Whether the notes of work logs are synced.
    notes: bool,
    /// How imports treat changed relations.
    relations: Relations,
    /// How long a change waits for further deltas about it.
    debounce: Duration,
    /// How long a run may take.
    run_limit: Duration,
    /// The time, and the time zone of work days.
    pub clock: Clock,
    /// The database of the queue, the ledger and the jobs.
    pub storage: Storage,
    /// The metrics.
    pub metrics: Metrics,
    /// The triplestore, with metrics.
    pub triplestore: Arc<Instrumented>,
    /// The work logs of deltas that arrived while nothing could be saved.
    pub refused: Refused,
}

impl Engine {
    /// An engine between `store` and `kimai`, with its queue and ledger in `storage`. Records to `metrics`.
    pub fn new(
        settings: &Settings,
        store: Arc<dyn Triplestore>,
        kimai: Arc<impl Tracker + Listings + Diagnostics + 'static>,
        clock: Clock,
        storage: Storage,
        metrics: Metrics,
    ) -> anyhow::Result<Self> {
        let triplestore = Arc::new(Instrumented::new(store, metrics.clone()).by(&clock));
        let store: Arc<dyn Triplestore> = Arc::clone(&triplestore) as _;
        let describes = settings.kimai.description == Description::Note;
        Tracker::contact(&*kimai).tell_time_by(&clock);
        let homepage = Iri::new(settings.resources.account_homepage.as_str())?;
        let timesheets: Arc<dyn Tracker> = Arc::clone(&kimai) as _;
        let Capabilities { syntax, order, .. } = timesheets.capabilities();
        let work_logs = SparqlWorkLogs::new(Arc::clone(&store), homepage.clone());
        let work_logs: Arc<dyn WorkLogs> = Arc::new(work_logs.reading_notes(describes).reading_ids(syntax));
        let Stores { queue, ledger, jobs, references: changed } = stores(settings, &storage, &clock, order)?;
        let reconciler = Reconciler::new(
            Arc::clone(&work_logs),
            Arc::clone(&timesheets),
            Arc::clone(&ledger),
            clock.clone(),
            settings.kimai.time_limit,
        )
        .counting(metrics.clone())
        .overwriting_exported(settings.sweep.limits.overwrite_exported);
        let workers = Arc::new(Workers::new(Arc::clone(&queue), reconciler, clock.clone()).beating());
        let parts = Parts {
            work_logs: Arc::clone(&work_logs),
            kimai: Arc::clone(&timesheets),
            queue: Arc::clone(&queue),
            ledger: Arc::clone(&ledger),
            workers: Arc::clone(&workers),
            clock: clock.clone(),
        };
        let sweeper = Arc::new(Sweeper::new(parts, settings.sweep.limits));
        let target = Target {
            probe: Probe::new(Arc::clone(&store), homepage, &settings.resources.base_uri)?,
            work_logs: Arc::clone(&work_logs),
            timesheets: Arc::clone(&timesheets),
            kimai: Arc::clone(&kimai) as _,
            queue: Arc::clone(&queue),
            ledger: Arc::clone(&ledger),
            job_records: Arc::clone(&jobs),
            storage: storage.clone(),
            unreadable: [timesheets.unreadable(), store.unreadable()],
            clock: clock.clone(),
        };
        let doctor = Arc::new(Doctor::new(target, settings));
        let references = References::new(changed, Arc::clone(&work_logs), Arc::clone(&queue), clock.clone());
        let references = Arc::new(references);
        let resources = (settings.resources.clone(), settings.import);
        let (shared, noted) = (Arc::clone(&store), Arc::clone(&references));
        let importer = Arc::new(Importer::new(shared, kimai, resources, noted, clock.clone())?);
        let locker = Arc::new(Locker::new(store, Arc::clone(&queue)));
        Ok(Self {
            work_logs,
            metrics,
            kimai: timesheets,
            queue,
            ledger,
            job_records: jobs,
            workers,
            sweeper,
            references,
            importer,
            locker,
            doctor,
            notes: describes,
            relations: settings.import.relations,
            debounce: settings.debounce,
            run_limit: settings.run_limit,
            clock,
            storage,
            triplestore,
            refused: Refused::default(),
        })
    }

    /// Accepts deltas.
    pub fn intake(&self) -> Intake {
        let intake = Intake::new(Arc::clone(&self.queue), self.clock.clone(), self.debounce);
        let intake = intake.following(Arc::clone(&self.references)).with_notes(self.notes);
        let intake = intake.watched(self.metrics.clone(), self.workers.calls().clone());
        intake.remembering(self.refused.clone())
    }

    /// Rechecks the work logs of deltas.
    pub(crate) fn rechecks(&self) -> Rechecks {
        Rechecks::new(Arc::clone(&self.queue), Arc::clone(&self.work_logs), self.clock.clone())
    }

    /// Handles requests for single work logs.
    pub(crate) fn requests(&self) -> Requests {
        Requests {
            queue: Arc::clone(&self.queue),
            ledger: Arc::clone(&self.ledger),
            clock: self.clock.clone(),
        }
    }

    /// Reports the state of the service.
    pub(crate) fn status(&self) -> StatusSource {
        StatusSource {
            triplestore: self.triplestore.record().clone(),
            kimai: self.kimai.contact(),
            queue: Arc::clone(&self.queue),
            workers: Arc::clone(&self.workers),
            ledger: Arc::clone(&self.ledger),
            storage: self.storage.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Collects everything known about a work log.
    pub(crate) fn witnesses(&self) -> Witnesses {
        Witnesses {
            work_logs: Arc::clone(&self.work_logs),
            kimai: Arc::clone(&self.kimai),
            queue: Arc::clone(&self.queue),
            ledger: Arc::clone(&self.ledger),
            status: self.status(),
            clock: self.clock.clone(),
            relations: self.relations,
            limits: self.sweeper.limits(),
        }
    }

    /// The services that the routes call.
    pub(crate) fn services(&self) -> Services {
        Services {
            intake: self.intake(),
            work_logs: Arc::clone(&self.work_logs),
            triplestore: self.triplestore.record().clone(),
            kimai: Arc::clone(&self.kimai),
            queue: Arc::clone(&self.queue),
            ledger: Arc::clone(&self.ledger),
            storage: self.storage.clone(),
            workers: Arc::clone(&self.workers),
            sweeper: Arc::clone(&self.sweeper),
            requests: self.requests(),
            doctor: Arc::clone(&self.doctor),
            witnesses: self.witnesses(),
            status: self.status(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// Probes Kimai and the triplestore while they are down.
    pub(crate) fn asking(&self) -> Asking {
        Asking {
            status: self.status(),
            work_logs: Arc::clone(&self.work_logs),
            kimai: Arc::clone(&self.kimai),
        }
    }

    /// The work logs of deltas that arrived while nothing could be saved.
    pub(crate) fn refusals(&self) -> Refusals {
        Refusals {
            refused: self.refused.clone(),
            queue: Arc::clone(&self.queue),
            storage: self.storage.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Runs the jobs.
    pub fn jobs(&self) -> Handlers {
        Handlers {
            sweeper: Arc::clone(&self.sweeper),
            imports: Imports {
                importer: Arc::clone(&self.importer),
                references: Arc::clone(&self.references),
                workers: Arc::clone(&self.workers),
            },
            locker: Arc::clone(&self.locker),
            queue: Arc::clone(&self.queue),
            time_limit: self.run_limit,
        }
    }
}

/// What `storage` holds.
fn stores(settings: &Settings, storage: &Storage, clock: &Clock, order: IdOrder) -> anyhow::Result<Stores> {
    let queue = SqliteQueue::open(storage.clone(), clock.clone())?;
    Ok(Stores {
        queue: Arc::new(queue.with_lease(lease(settings)).with_rechecks(&settings.recheck)),
        ledger: Arc::new(SqliteLedger::open(storage.clone())?.ordered(order)),
        jobs: Arc::new(SqliteJobs::new(storage.clone())),
        references: Arc::new(SqliteReferences::new(storage.clone())),
    })
}

/// The longest a run may take. Longer than its calls can take, so that none is started twice while it still runs.
fn lease(settings: &Settings) -> Duration {
    let calls = settings.kimai.time_limit * KIMAI_CALLS_A_RUN;
    let queries = settings.triplestore.time_limit * QUERIES_A_RUN;
    LEASE.max(calls + queries + admission::LONGEST_WAIT + Duration::from_mins(1))
}
