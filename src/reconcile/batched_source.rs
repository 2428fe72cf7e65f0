//! Batches what the runs read from and write to the triplestore: the data of work logs, and their links.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::admission::Admission;
use super::batcher::{Batcher, LONGEST_WAIT, Statement};
use super::visibility::Visibility;
use crate::domain::work_log::{Directory, Facts, Kind};
use crate::domain::{EntryId, WorkLogUri};
use crate::work_logs::{Link, SourceFault, WorkLogs};

/// The work logs that are linked to each of some timesheets.
type Owners = BTreeMap<EntryId, Vec<WorkLogUri>>;

/// How many reads of a burst are sent individually.
const FIRST_READS: f64 = 10.0;
/// How long a read waits for others although Kimai may soon be idle.
const SHORT_WAIT: Duration = Duration::from_millis(100);

/// Reads and links of all runs.
pub(super) struct BatchedSource {
    reads: Batcher<Reads>,
    links: Batcher<Links>,
    linked: Batcher<Linked>,
    absent: Batcher<Absent>,
}

struct Reads {
    work_logs: Arc<dyn WorkLogs>,
    admission: Arc<Admission>,
}

struct Links {
    work_logs: Arc<dyn WorkLogs>,
    admission: Arc<Admission>,
}

struct Linked(Visibility);

/// Second reads of work logs for which nothing was found a moment ago.
struct Absent(Visibility);

impl BatchedSource {
    pub(super) fn new(work_logs: &Arc<dyn WorkLogs>, admission: &Arc<Admission>) -> Self {
        let [of_reads, of_links, of_linked, of_absent] = std::array::from_fn(|_| Arc::clone(work_logs));
        Self {
            reads: Batcher::new(Reads { work_logs: of_reads, admission: Arc::clone(admission) }),
            links: Batcher::new(Links { work_logs: of_links, admission: Arc::clone(admission) }),
            linked: Batcher::new(Linked(Visibility::new(of_linked))),
            absent: Batcher::new(Absent(Visibility::new(of_absent))),
        }
    }

    /// The facts of `subject`, and of everything that they refer to.
    pub(super) async fn read(&self, subject: &WorkLogUri) -> Result<(Facts, Arc<Directory>), SourceFault> {
        self.reads.ask(subject.clone()).await
    }

    /// The same, for a `subject` for which nothing was found a moment ago. Fails if the triplestore shows nothing else
    /// either.
    pub(super) async fn read_again(&self, subject: &WorkLogUri) -> Result<Facts, SourceFault> {
        self.absent.ask(subject.clone()).await
    }

    /// Writes or removes a link. Returns the facts of its work log after that.
    pub(super) async fn link(&self, link: Link) -> Result<Facts, SourceFault> {
        self.links.ask(link).await
    }

    /// The work logs that are linked to these timesheets. Fails if the triplestore shows nothing at all.
    pub(super) async fn linked(&self, ids: &[EntryId]) -> Result<Arc<Owners>, SourceFault> {
        self.linked.ask(ids.to_vec()).await
    }
}

#[async_trait]
impl Statement for Reads {
    type Question = WorkLogUri;
    type Answer = (Facts, Arc<Directory>);

    async fn run(&self, subjects: &[WorkLogUri]) -> Result<Vec<Self::Answer>, SourceFault> {
        let (facts, directory) = read(self.work_logs.as_ref(), subjects).await?;
        let directory = Arc::new(directory);
        Ok(facts.into_iter().map(|facts| (facts, Arc::clone(&directory))).collect())
    }

    fn budget(&self) -> f64 {
        FIRST_READS
    }

    fn patience(&self) -> Duration {
        if self.admission.is_thin() { SHORT_WAIT } else { LONGEST_WAIT }
    }

    fn is_alone(&self) -> bool {
        self.admission.is_alone()
    }
}

#[async_trait]
impl Statement for Links {
    type Question = Link;
    type Answer = Facts;

    async fn run(&self, links: &[Link]) -> Result<Vec<Facts>, SourceFault> {
        self.work_logs.link(links).await?;
        let subjects: Vec<WorkLogUri> = links.iter().map(|link| link.work_log.clone()).collect();
        Ok(in_order(&subjects, self.work_logs.facts_of(&subjects).await?))
    }

    fn patience(&self) -> Duration {
        // A link is not urgent while others are in progress: the ledger knows its timesheet.
        if self.admission.is_dry() { Duration::ZERO } else { LONGEST_WAIT }
    }
}

#[async_trait]
impl Statement for Linked {
    type Question = Vec<EntryId>;
    /// Of all that were asked for together.
    type Answer = Arc<Owners>;

    async fn run(&self, ids: &[Vec<EntryId>]) -> Result<Vec<Arc<Owners>>, SourceFault> {
        let linked = Arc::new(self.0.linked(&ids.concat(), &[]).await?);
        Ok(ids.iter().map(|_| Arc::clone(&linked)).collect())
    }

    fn patience(&self) -> Duration {
        // Kimai waits for it.
        Duration::ZERO
    }
}

#[async_trait]
impl Statement for Absent {
    type Question = WorkLogUri;
    type Answer = Facts;

    async fn run(&self, subjects: &[WorkLogUri]) -> Result<Vec<Facts>, SourceFault> {
        Ok(in_order(subjects, self.0.again_of(subjects).await?))
    }

    fn budget(&self) -> f64 {
        FIRST_READS
    }

    fn patience(&self) -> Duration {
        SHORT_WAIT
    }
}

/// The facts of `subjects` in their order, and of everything that work logs among them refer to.
pub(super) async fn read(
    work_logs: &dyn WorkLogs,
    subjects: &[WorkLogUri],
) -> Result<(Vec<Facts>, Directory), SourceFault> {
    let facts = in_order(subjects, work_logs.facts_of(subjects).await?);
    let asked = subjects.iter().zip(&facts).filter(|(subject, facts)| facts.kind(subject) == Kind::WorkLog);
    let asked: Vec<&Facts> = asked.map(|(_, facts)| facts).collect();
    let directory = if asked.is_empty() { Directory::default() } else { work_logs.directory(&asked).await? };
    Ok((facts, directory))
}

fn in_order(subjects: &[WorkLogUri], mut facts: BTreeMap<WorkLogUri, Facts>) -> Vec<Facts> {
    subjects.iter().map(|subject| facts.remove(subject).unwrap_or_default()).collect()
}
