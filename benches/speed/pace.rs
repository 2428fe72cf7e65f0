//! Does the service find out by itself how many requests Kimai should get at a time?
//!
//! The same burst with each fixed number of requests at a time, and with the service left to itself. The floor is the
//! best of the fixed ones. What the limit does on many more kinds of servers, on simulated time, is in
//! `src/trackers/adaptive_concurrency/throughput_tests.rs`.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kimai_sync::trackers::kimai::sandbox::Latency;
use kimai_sync::triplestore::vocabulary::{cal, rdf};

use crate::Size;
use crate::delta::triple;
use crate::stack::{Stack, work_log};
use crate::table::{Bound, Row, Table, a_second};

const SIDE_BY_SIDE: u32 = 4;
/// Requests at a time that are tried, where the service may go up to 16, and up to 8.
const FIXED_OF_16: [&str; 5] = ["2", "4", "6", "8", "16"];
const FIXED_OF_8: [&str; 4] = ["2", "4", "6", "8"];
const WANTED: Bound = Bound::AtLeast(0.95);

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A Kimai as it was measured: PHP with six workers, of 40 to 90 ms each, on a machine that others use too.
fn php() -> Latency {
    Latency::between(millis(40), millis(90)).workers(6).noise(0.5)
}

/// Adds the figures.
pub(crate) async fn measure(size: Size, table: &mut Table) -> anyhow::Result<()> {
    thrashing(size, table).await?;
    let seconds = |full| Duration::from_secs(size.of(full, 1));
    let stalls = php().stalls(millis(5_000), millis(2_000));
    let cold = php().cold_start(20, millis(1_000));
    compare("6 workers of 40 to 90 ms ± 50 %", &php(), size, seconds(5), table).await?;
    compare("the same with a database that stalls for 2 s of 5", &stalls, size, seconds(10), table).await?;
    compare("the same, cold: the first 20 take 1 s more", &cold, size, seconds(5), table).await
}

/// More than four requests at a time get into each other's way.
async fn thrashing(size: Size, table: &mut Table) -> anyhow::Result<()> {
    let count = size.of(1000, 20);
    let latency = Latency::from(millis(20)).side_by_side(SIDE_BY_SIDE);
    let mut best: Option<(Duration, &str)> = None;
    for fixed in FIXED_OF_16 {
        let took = Burst::start([fixed, fixed], &latency, count).await?.end().await?;
        println!("{fixed} at a time: {:.0} a second", a_second(count, took)?);
        if best.is_none_or(|(least, _)| took < least) {
            best = Some((took, fixed));
        }
    }
    let (least, fixed) = best.context("nothing was measured")?;
    let took = Burst::start(["1", "16"], &latency, count).await?.end().await?;
    let (own, best) = (a_second(count, took)?, a_second(count, least)?);
    table.add(Row {
        what: format!(
            "{count} work logs, Kimai handles {SIDE_BY_SIDE} concurrent requests well, without saying so"
        ),
        measured: format!("{own:.0} a second"),
        floor: format!("{best:.0} a second, the best fixed limit ({fixed})"),
        ratio: own / best,
        bound: WANTED,
        old: "",
    });
    Ok(())
}

/// Ten runs beside the best fixed limit: the median, and the worst. What is answered within a time is counted, so that
/// both meet the same stalls.
async fn compare(
    name: &str,
    latency: &Latency,
    size: Size,
    within: Duration,
    table: &mut Table,
) -> anyhow::Result<()> {
    let count = size.of(120 * usize::try_from(within.as_secs())?, 20);
    let mut best: Option<(usize, &str)> = None;
    for fixed in FIXED_OF_8 {
        let answered = Burst::start([fixed, fixed], latency, count).await?.answered(within).await?;
        println!("{fixed} at a time: {answered} within {within:?}");
        if best.is_none_or(|(most, _)| answered > most) {
            best = Some((answered, fixed));
        }
    }
    let (_, fixed) = best.context("nothing was measured")?;
    let mut runs = Vec::new();
    for seed in 0..size.of(10, 1) {
        let latency = latency.clone().seed(seed);
        let floor = Burst::start([fixed, fixed], &latency, count).await?.answered(within).await?;
        let own = Burst::start(["1", "8"], &latency, count).await?.answered(within).await?;
        let ratio = f64::from(u32::try_from(own)?) / f64::from(u32::try_from(floor)?);
        println!("{own} within {within:?}, {floor} with {fixed} at a time: {ratio:.2}");
        runs.push((ratio, own, floor));
    }
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let median = *runs.get(runs.len() / 2).context("no run")?;
    let worst = *runs.first().context("no run")?;
    for (what, (ratio, own, floor)) in
        [(format!("Kimai with {name}"), median), (format!("… the worst of {} runs", runs.len()), worst)]
    {
        table.add(Row {
            what,
            measured: format!("{own} work logs in {within:?}"),
            floor: format!("{floor}, the best fixed limit ({fixed})"),
            ratio,
            bound: WANTED,
            old: "",
        });
    }
    Ok(())
}

/// A burst of work logs that was just sent.
struct Burst {
    stack: Stack,
    count: usize,
    since: Instant,
}

impl Burst {
    async fn start([least, most]: [&str; 2], latency: &Latency, count: usize) -> anyhow::Result<Self> {
        let stack = Stack::start(&[("KIMAI_CONCURRENCY_MIN", least), ("KIMAI_CONCURRENCY", most)]).await?;
        stack.kimai.set_latency(latency.clone());
        stack.register(0..count).await?;
        let created = |number| triple(&work_log(number), rdf::TYPE, cal::VEVENT);
        let triples: Vec<String> = (0..count).map(created).collect();
        let delta = format!(r#"[{{"inserts":[{}],"deletes":[]}}]"#, triples.join(","));
        let since = Instant::now();
        stack.send(delta).await?;
        Ok(Self { stack, count, since })
    }

    /// How many timesheets were created within that time; ends once all are.
    async fn answered(self, within: Duration) -> anyhow::Result<usize> {
        tokio::time::sleep(within.saturating_sub(self.since.elapsed())).await;
        let posts = self.stack.kimai.requests();
        let answered = posts.0.iter().filter(|request| request.is("POST", "/api/timesheets"));
        let answered = answered.filter(|request| request.status.is_some()).count();
        self.end().await?;
        Ok(answered)
    }

    /// How long it took until all are in Kimai and linked.
    async fn end(self) -> anyhow::Result<Duration> {
        self.stack.engine.queue.quiet().await?;
        let took = self.since.elapsed();
        ensure!(self.stack.linked().await? == self.count, "not all work logs are linked");
        Ok(took)
    }
}
