//! One change: from the first of its five deltas until Kimai's POST comes in.
//!
//! The floor is what cannot be done without: the debounce, two waits for the disk (the change, and the
//! announcement of what is sent), and the statements that read the work log, each measured alone in the same
//! run. And: how long the debounce has to be, by how many runs a change costs.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use kimai_sync::store::jobs::{JobRecord, JobRecords};
use kimai_sync::store::sqlite::{SqliteJobs, Storage};

use crate::Size;
use crate::burst::recorded;
use crate::rounds::median;
use crate::stack::{Stack, work_log};
use crate::table::{Bound, Row, Table};

/// What may be added to the floor.
const ALLOWED: Duration = Duration::from_millis(5);

/// Adds the figure, and prints what each debounce costs.
pub(crate) async fn measure(size: Size, table: &mut Table) -> anyhow::Result<()> {
    let rounds = size.of(100, 4);
    for debounce in ["0", "1", "2", "5", "10", "30"] {
        let stack = Stack::start(&[("DEBOUNCE_MS", debounce)]).await?;
        let mut times = Vec::new();
        for number in 0..rounds {
            times.push(one(&stack, number).await?);
        }
        let runs: u64 = stack.engine.workers.tally().values().sum();
        let runs = f64::from(u32::try_from(runs)?) / f64::from(u32::try_from(rounds)?);
        let time = median(times);
        println!("debounce {debounce} ms: {time:.2?} from delta to POST, {runs:.2} runs a change");
        if debounce == "10" {
            tell(&stack, size, time, table).await?;
        }
    }
    Ok(())
}

async fn tell(stack: &Stack, size: Size, time: Duration, table: &mut Table) -> anyhow::Result<()> {
    let (disk, read) = (disk(size).await?, read(stack, size).await?);
    let floor = Duration::from_millis(10) + 2 * disk + read;
    let over = time.saturating_sub(floor);
    table.add(Row {
        what: "One delta until Kimai's POST, beyond the unavoidable minimum".to_owned(),
        measured: format!("{time:.2?}, that is {over:.2?} more"),
        floor: format!("10 ms debounce + 2 x {disk:.2?} disk + {read:.2?} SPARQL; {ALLOWED:?} more allowed"),
        ratio: over.as_secs_f64() / ALLOWED.as_secs_f64(),
        bound: Bound::AtMost(1.0),
        old: "59 ms",
    });
    Ok(())
}

/// From the first POST of a delta to the POST of its timesheet.
async fn one(stack: &Stack, number: usize) -> anyhow::Result<Duration> {
    stack.register(number..number + 1).await?;
    stack.kimai.clear_requests();
    let deltas = recorded(&work_log(number))?;
    let since = Timestamp::now();
    try_join_all(deltas.into_iter().map(|delta| stack.send(delta))).await?;
    stack.engine.queue.quiet().await?;
    let requests = stack.kimai.requests();
    let posts = requests.count("POST", "/api/timesheets");
    ensure!(posts == 1, "{posts} POSTs for one work log");
    let post = requests.of("POST", "/api/timesheets").next().context("no POST")?;
    Ok(Duration::try_from(post.at.duration_since(since))?)
}

/// One wait for the disk: a commit of one row.
async fn disk(size: Size) -> anyhow::Result<Duration> {
    let data = tempfile::tempdir()?;
    let jobs = SqliteJobs::new(Storage::open(data.path())?);
    let mut times = Vec::new();
    for number in 0..size.of(100_i64, 4) {
        let since = Instant::now();
        jobs.save(vec![JobRecord { id: 1, body: number.to_string() }]).await?;
        times.push(since.elapsed());
    }
    Ok(median(times))
}

/// The statements of one run before its POST.
async fn read(stack: &Stack, size: Size) -> anyhow::Result<Duration> {
    let subject = kimai_sync::domain::WorkLogUri::parse(&work_log(0))?;
    let mut times = Vec::new();
    for _ in 0..size.of(100, 4) {
        let since = Instant::now();
        let facts = stack.engine.work_logs.facts(&subject).await?;
        stack.engine.work_logs.directory(&[&facts]).await?;
        times.push(since.elapsed());
    }
    Ok(median(times))
}
