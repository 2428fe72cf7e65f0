//! A catalogue of 8 500 things, imported into a store that has none of them, and once more.
//!
//! The floor of the first import reads Kimai's four lists with the service's own client, and writes the very
//! triples that came of it into an empty store, 100 with each update. That of the second reads the lists, and
//! sends the statements with which the import reads the store, each once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use kimai_sync::jobs::import::What;
use kimai_sync::progress::Progress;
use kimai_sync::trackers::kimai::{Listings, Rows};
use kimai_sync::triplestore::Triplestore;
use kimai_sync::triplestore::embedded::{Answer, Embedded};
use kimai_sync::triplestore::statement::BATCH;

use crate::Size;
use crate::rounds::Rounds;
use crate::stack::{Counts, Stack};
use crate::table::{Bound, Row, Table};

const ALL: &str = "CONSTRUCT WHERE { ?s ?p ?o }";

/// Adds the figures of a first and a second import.
pub(crate) async fn measure(size: Size, table: &mut Table) -> anyhow::Result<()> {
    let counts: Counts = size.of([1_000, 2_000, 5_000, 500], [10, 20, 50, 5]);
    let (mut first, mut second) = (Taken::default(), Taken::default());
    for _ in 0..size.of(5, 1) {
        let stack = Stack::start(&[]).await?;
        let before = triples(&stack).await?;
        stack.fill(counts);
        let took = first.time(&stack).await?;
        let written: Vec<String> = triples(&stack).await?.difference(&before).cloned().collect();
        first.rounds.add(took, write_once(&stack, &written, counts).await?);
        stack.keep_statements();
        all(&stack).await?;
        let reads: BTreeSet<String> = stack.kept_statements().into_iter().collect();
        for _ in 0..size.of(3, 1) {
            let floor = read_once(&stack, &reads, counts).await?;
            let took = second.time(&stack).await?;
            second.rounds.add(took, floor);
        }
    }
    let [customers, projects, activities, users] = counts;
    let what = format!(
        "Import of {customers} customers, {projects} projects, {activities} activities, {users} users"
    );
    let old = ["143 s, 15 020 queries, 22 020 updates", "107 s, 8 020 queries, 15 000 updates"];
    first.tell(&what, 1.5, old[0], table)?;
    second.tell("… once more, nothing new", 1.3, old[1], table)
}

/// As three runs do it, but for their records.
async fn all(stack: &Stack) -> anyhow::Result<()> {
    for what in What::ALL {
        stack.engine.importer.import(what, &Progress::unwatched()).await?;
    }
    Ok(())
}

/// What imports took.
#[derive(Default)]
struct Taken {
    rounds: Rounds,
    statements: usize,
}

impl Taken {
    async fn time(&mut self, stack: &Stack) -> anyhow::Result<Duration> {
        let (before, started) = (stack.statements(), Instant::now());
        all(stack).await?;
        let took = started.elapsed();
        self.statements = stack.statements() - before;
        Ok(took)
    }

    fn tell(self, what: &str, most: f64, old: &'static str, table: &mut Table) -> anyhow::Result<()> {
        let (took, floor, ratio) = self.rounds.middle()?;
        table.add(Row {
            what: format!("{what}: {} statements", self.statements),
            measured: format!("{took:.2?}"),
            floor: format!("{floor:.2?}"),
            ratio,
            bound: Bound::AtMost(most),
            old,
        });
        Ok(())
    }
}

/// Everything in the store, as it stands in an update.
async fn triples(stack: &Stack) -> anyhow::Result<BTreeSet<String>> {
    let Answer::Triples(triples) = stack.store.query(ALL).await? else { bail!("there are no triples") };
    Ok(triples.split_inclusive('\n').map(str::to_owned).collect())
}

async fn list(stack: &Stack, counts: Counts) -> anyhow::Result<()> {
    let kimai = &stack.client;
    let (customers, projects) =
        (kimai.customers(Rows::Imported).await?, kimai.projects(Rows::Imported).await?);
    let (activities, users) = (kimai.activities(Rows::Imported).await?, kimai.users(Rows::Imported).await?);
    let listed = [customers.rows.len(), projects.rows.len(), activities.rows.len(), users.rows.len()];
    // One of each was there before.
    ensure!(listed == counts.map(|count| count + 1), "{listed:?} were listed");
    Ok(())
}

async fn write_once(stack: &Stack, triples: &[String], counts: Counts) -> anyhow::Result<Duration> {
    let store = Embedded::in_memory()?;
    let batches = triples.chunks(BATCH).map(|batch| format!("INSERT DATA {{ {} }}", batch.concat()));
    let batches: Vec<String> = batches.collect();
    let started = Instant::now();
    list(stack, counts).await?;
    for batch in &batches {
        store.update(batch).await?;
    }
    let took = started.elapsed();
    ensure!(store.len()? == triples.len(), "{} of {} triples were written", store.len()?, triples.len());
    Ok(took)
}

async fn read_once(stack: &Stack, reads: &BTreeSet<String>, counts: Counts) -> anyhow::Result<Duration> {
    let started = Instant::now();
    list(stack, counts).await?;
    let mut rows = 0;
    for read in reads {
        rows += stack.store.select(read).await?.len();
    }
    let took = started.elapsed();
    ensure!(rows > counts.iter().sum::<usize>(), "{rows} rows");
    Ok(took)
}
