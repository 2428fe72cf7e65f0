//! A triplestore inside this process: Oxigraph in memory, optionally persisted on disk in SQLite.
//!
//! It behaves like the mu stack: a query without GRAPH sees the union of all graphs; inserts without GRAPH go to the
//! application graph; a DELETE without GRAPH removes from every graph; GRAPH, FROM, USING and WITH are supported.
//!
//! # Guarantees
//! An update is applied completely or not at all, and an acknowledged one is on disk. Updates run one after the other.
//! Every effective change is reported to the [`Observer`] first. No query or update exceeds the time limit, the memory
//! limit for its rows and strings, or the nesting allowed by `bounds.rs`: it is refused with a message, and nothing
//! else is affected.
//!
//! # Caveats
//! As the source of COPY, MOVE and ADD, `DEFAULT` means all graphs; elsewhere it means the application graph. Empty
//! graphs are not stored: CREATE does nothing. LOAD and SERVICE are refused. Literals of number, date and boolean types
//! are stored by value: `"01"^^xsd:integer` is returned as `"1"`.

mod answer;
mod bounds;
mod disk;
mod dry_run;
mod load;
mod meter;
mod terms;
mod work;

use std::path::Path;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use async_trait::async_trait;
use oxigraph::model::{GraphName, NamedNode};
use oxigraph::sparql::{CancellationToken, QueryResults};
use oxigraph::store::Store;
use spargebra::{Query, SparqlParser, Update};
use tokio::sync::{Mutex, RwLock, Semaphore, SemaphorePermit};

pub use answer::Answer;

use super::changeset::{Changeset, Observer};
use super::query_log::QueryLog;
use super::vocabulary::{APPLICATION_GRAPH, xsd};
use super::{Row, Triplestore, TriplestoreFault};
use disk::Disk;
use dry_run::{DryRun, Effect};
use meter::Meter;
use work::limited;

/// The number of concurrent statements of clients; more of them wait. Statements of the service itself never wait.
const FROM_OUTSIDE: usize = 4;
/// The default time limit of a query or update, the same as Virtuoso's in the mu stack.
const TIME_LIMIT: Duration = Duration::from_mins(1);
/// The default memory limit for the rows and strings of one statement, in bytes. Sorting a million triples takes half
/// of it.
const MEMORY_LIMIT: usize = 512 * 1024 * 1024;

/// Why the store cannot be opened or loaded.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedFault {
    /// The graph for inserts without GRAPH.
    #[error("the application graph '{0}' is not an absolute IRI; set MU_APPLICATION_GRAPH to one")]
    Graph(String),
    /// The data directory or the file in it cannot be used.
    #[error("the triples in {file} cannot be opened: {why}")]
    Disk {
        /// The file.
        file: String,
        /// What is wrong and how to fix it.
        why: String,
    },
    /// A file of triples cannot be loaded.
    #[error("{file} cannot be loaded: {why}")]
    Load {
        /// The file, with the line if known.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// What was read could not be stored.
    #[error(transparent)]
    Store(#[from] TriplestoreFault),
}

/// The store. Cheap to clone; clones share the data.
#[derive(Clone)]
pub struct Embedded {
    store: Store,
    graph: NamedNode,
    disk: Option<Arc<StdMutex<Disk>>>,
    observer: Option<Arc<dyn Observer>>,
    /// Held from the dry run of an update until it is applied.
    writing: Arc<Mutex<()>>,
    /// Held for writing while a change is reported and applied, for reading while a query takes its snapshot.
    gate: Arc<RwLock<()>>,
    /// A permit for each statement of clients.
    outside: Arc<Semaphore>,
    time_limit: Duration,
    memory_limit: usize,
    log: QueryLog,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded")
            .field("graph", &self.graph)
            .field("disk", &self.disk.is_some())
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// A store in memory only, with the default application graph.
    pub fn in_memory() -> Result<Self, EmbeddedFault> {
        Self::open(None, APPLICATION_GRAPH)
    }

    /// Opens the store in the directory `data`, which is created if necessary, or one in memory. Inserts without GRAPH
    /// go to `application_graph` (`MU_APPLICATION_GRAPH`). Reads all data, which takes seconds for some 100 000
    /// triples. A file that cannot be read is an error, never an empty store. Two processes cannot use one directory.
    pub fn open(data: Option<&Path>, application_graph: &str) -> Result<Self, EmbeddedFault> {
        let graph = NamedNode::new(application_graph)
            .map_err(|_| EmbeddedFault::Graph(application_graph.to_owned()))?;
        let store = Store::new().map_err(|error| TriplestoreFault::Transient(error.to_string()))?;
        let disk = match data {
            Some(directory) => Some(Arc::new(StdMutex::new(Disk::open(directory, &store)?))),
            None => None,
        };
        let (writing, gate, log) = (Arc::default(), Arc::default(), QueryLog::default());
        let outside = Arc::new(Semaphore::new(FROM_OUTSIDE));
        let (observer, time_limit, memory_limit) = (None, TIME_LIMIT, MEMORY_LIMIT);
        Ok(Self { store, graph, disk, observer, writing, gate, outside, time_limit, memory_limit, log })
    }

    /// The same store, which reports every change made through it to `observer`. Earlier clones do not.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The same store, with another time limit.
    #[must_use]
    pub fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// The same store, with another memory limit for the rows and strings of a statement.
    #[must_use]
    pub fn with_memory_limit(mut self, memory_limit: usize) -> Self {
        self.memory_limit = memory_limit;
        self
    }

    /// The same store, which logs the statements of the service. Earlier clones do not.
    #[must_use]
    pub fn with_log(mut self, log: QueryLog) -> Self {
        self.log = log;
        self
    }

    /// Runs a query of a client, of any form. The answer is complete, or an error if it exceeds 256 MiB.
    pub async fn query(&self, query: &str) -> Result<Answer, TriplestoreFault> {
        let _turn = self.turn().await?;
        self.read(query, answer::write).await
    }

    /// Runs an update of a client.
    pub async fn execute(&self, update: &str) -> Result<(), TriplestoreFault> {
        let _turn = self.turn().await?;
        self.run(update).await
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, TriplestoreFault> {
        let busy = || TriplestoreFault::Transient("too many statements are running or waiting".to_owned());
        let turn = tokio::time::timeout(self.time_limit, self.outside.acquire()).await;
        turn.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// Loads a file: `.ttl`, `.nt`, `.nq` or `.trig`. Triples without a graph go to the application graph. Blank nodes
    /// are new each time. Returns how many quads were new.
    pub async fn load(&self, file: &Path) -> Result<usize, EmbeddedFault> {
        let quads = load::read(file, &self.graph)?;
        let effects = self.change(move |dry_run, _| dry_run.insert_all(quads)).await?;
        Ok(effects.iter().map(|effect| effect.inserts.len()).sum())
    }

    /// The number of quads.
    pub fn len(&self) -> Result<usize, TriplestoreFault> {
        Ok(self.quads()?.len())
    }

    /// Whether there are no quads.
    pub fn is_empty(&self) -> Result<bool, TriplestoreFault> {
        Ok(self.quads()?.is_empty())
    }

    /// Everything as N-Quads, sorted.
    pub fn dump(&self) -> Result<String, TriplestoreFault> {
        let mut lines = self.quads()?;
        lines.sort_unstable();
        Ok(lines.concat())
    }

    fn quads(&self) -> Result<Vec<String>, TriplestoreFault> {
        self.store
            .iter()
            .filter(|quad| quad.as_ref().map_or(true, |quad| quad.graph_name != GraphName::DefaultGraph))
            .map(|quad| match quad {
                Ok(quad) => Ok(format!("{quad} .\n")),
                Err(error) => Err(TriplestoreFault::Transient(error.to_string())),
            })
            .collect()
    }

    /// Runs `query` on a snapshot, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        query: &str,
        take: impl FnOnce(QueryResults<'_>, &CancellationToken) -> Result<T, TriplestoreFault> + Send + 'static,
    ) -> Result<T, TriplestoreFault> {
        let query = query.to_owned();
        let gate = Arc::clone(&self.gate).read_owned().await;
        let (store, memory_limit) = (self.store.clone(), self.memory_limit);
        limited(self.time_limit, move |token| {
            bounds::check(&query).map_err(|why| TriplestoreFault::Refused(why.to_string().into()))?;
            let parsed = parser().parse_query(&query).map_err(|error| refused(&error))?;
            let meter = Meter::new(memory_limit, token.clone());
            let bound = meter.evaluator().for_query(metered(parsed)).on_store(&store);
            // The snapshot is taken, so writers need not wait for the answer.
            drop(gate);
            take(bound.execute().map_err(|error| terms::failed(&error))?, &token)
        })
        .await
    }

    /// Runs `update`.
    async fn run(&self, update: &str) -> Result<(), TriplestoreFault> {
        let update = update.to_owned();
        let parsed: Update = limited(self.time_limit, move |_| {
            bounds::check(&update).map_err(|why| TriplestoreFault::Refused(why.to_string().into()))?;
            parser().parse_update(&update).map_err(|error| refused(&error))
        })
        .await?;
        let memory_limit = self.memory_limit;
        let work = move |dry_run: &mut DryRun<'_>, token: &CancellationToken| {
            dry_run.run(parsed, &Meter::new(memory_limit, token.clone()))
        };
        self.change(work).await.map(drop)
    }

    /// Dry-runs a change, reports it to the observer, and applies it, on disk first.
    async fn change(
        &self,
        work: impl FnOnce(&mut DryRun<'_>, &CancellationToken) -> Result<(), TriplestoreFault> + Send + 'static,
    ) -> Result<Vec<Effect>, TriplestoreFault> {
        let writing = tokio::time::timeout(self.time_limit, Arc::clone(&self.writing).lock_owned())
            .await
            .map_err(|_| TriplestoreFault::Transient("another update takes too long".to_owned()))?;
        let (store, graph) = (self.store.clone(), self.graph.clone());
        // The lock is moved, so that it is held while the work runs even if the caller is dropped.
        let (writing, effects) = limited(self.time_limit, move |token| {
            let mut dry_run = DryRun::start(&store, graph)?;
            work(&mut dry_run, &token)?;
            Ok((writing, dry_run.into_effects()))
        })
        .await?;
        if effects.is_empty() {
            return Ok(effects);
        }
        let gate = Arc::clone(&self.gate).write_owned().await;
        if let Some(observer) = &self.observer {
            let changes: Vec<Changeset> = effects.iter().map(Effect::to_change).collect();
            observer.changed(&changes).await.map_err(|why| {
                TriplestoreFault::Transient(format!(
                    "nothing was changed, since the change could not be queued: {why}"
                ))
            })?;
        }
        let (store, disk) = (self.store.clone(), self.disk.clone());
        let made = tokio::task::spawn_blocking(move || {
            let result = dry_run::make(&store, disk.as_deref(), &effects);
            drop((gate, writing));
            result.map(|()| effects)
        });
        made.await.map_err(|error| TriplestoreFault::Transient(error.to_string()))?
    }
}

#[async_trait]
impl Triplestore for Embedded {
    fn is_of_a_stack(&self) -> bool {
        false
    }

    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        self.log.query(query, None);
        self.read(query, answer::rows).await
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        self.log.update(update, None);
        self.run(update).await
    }
}

/// `xsd:` needs no declaration, since the mu templates of other services rely on that.
fn parser() -> SparqlParser {
    let namespace = xsd::DATE.trim_end_matches("date");
    SparqlParser::new().with_prefix("xsd", namespace).unwrap_or_default()
}

/// The same query, counted by a [`Meter`].
fn metered(query: Query) -> Query {
    match query {
        Query::Select { dataset, pattern, base_iri } => {
            Query::Select { dataset, pattern: meter::pattern(pattern), base_iri }
        }
        Query::Construct { template, dataset, pattern, base_iri } => {
            Query::Construct { template, dataset, pattern: meter::pattern(pattern), base_iri }
        }
        Query::Describe { dataset, pattern, base_iri } => {
            Query::Describe { dataset, pattern: meter::pattern(pattern), base_iri }
        }
        Query::Ask { dataset, pattern, base_iri } => {
            Query::Ask { dataset, pattern: meter::pattern(pattern), base_iri }
        }
    }
}

fn refused(error: &spargebra::SparqlSyntaxError) -> TriplestoreFault {
    TriplestoreFault::Refused(format!("syntax error {error}").into())
}

#[cfg(test)]
mod tests;
