//! A month is submitted: so many work logs created at once, each told by five deltas.
//!
//! From the first POST of a delta until each work log has its timesheet and its identifier. The floor is what
//! Kimai's latency allows: `work logs x latency / requests side by side`.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::Size;
use crate::stack::{Stack, work_log};
use crate::table::{Bound, Row, Table, a_second};

/// What the delta-notifier sent for one new work log: once for each of five rules.
const RECORDED: &str = include_str!("../../tests/fixtures/deltas/captured-five-rules.jsonl");
const RECORDED_IRI: &str = "http://timekeeper.redpencil.io/work-logs/5f276a07-acbc-5550-9bd8-71a7c598e0a2";
/// Requests that Kimai is to get side by side at most.
const CONCURRENCY: u32 = 8;
/// Statements of a burst that go without company.
const FIRST: u32 = 20;
/// Connections of the one who sends the deltas.
const SENDERS: usize = 16;

/// Adds the figures of bursts against a Kimai that takes 0, 20 and 50 ms.
pub(crate) async fn measure(size: Size, table: &mut Table) -> anyhow::Result<()> {
    let count = size.of(1000, 20);
    for latency in [0, 20, 50].map(Duration::from_millis) {
        let stack = Stack::start(&[("KIMAI_CONCURRENCY", &CONCURRENCY.to_string())]).await?;
        stack.kimai.set_latency(latency);
        let mut best: Option<Burst> = None;
        for round in 0..size.of(3, 1) {
            let burst = Burst::run(&stack, round * count, count).await?;
            best = Some(best.filter(|best| best.took <= burst.took).unwrap_or(burst));
        }
        let burst = best.context("no round was run")?;
        tell(&burst, latency, count, table)?;
    }
    Ok(())
}

fn tell(burst: &Burst, latency: Duration, count: usize, table: &mut Table) -> anyhow::Result<()> {
    let number = u32::try_from(count)?;
    let a_second = a_second(count, burst.took)?;
    let what = format!("{count} work logs by {} deltas, Kimai takes {latency:?}", 5 * count);
    let measured = format!("{:.2?} ({a_second:.0} a second)", burst.took);
    let row = if latency.is_zero() {
        let (floor, bound) = ("1000 a second".to_owned(), Bound::AtLeast(1.0));
        Row { what, measured, floor, ratio: a_second / 1000.0, bound, old: "" }
    } else {
        let least = latency * number / CONCURRENCY;
        let ratio = burst.took.as_secs_f64() / least.as_secs_f64();
        let old = if latency == Duration::from_millis(20) { "114–123 s" } else { "123–138 s" };
        Row { what, measured, floor: format!("{least:.2?}"), ratio, bound: Bound::AtMost(1.15), old }
    };
    table.add(row);
    let statements = f64::from(u32::try_from(burst.statements)?);
    table.add(Row {
        what: "… queries and updates that took".to_owned(),
        measured: burst.statements.to_string(),
        floor: format!("{count} / 20 + {FIRST} for the first of a burst"),
        ratio: statements / (f64::from(number) / 20.0 + f64::from(FIRST)),
        bound: Bound::AtMost(1.0),
        old: "3 000",
    });
    Ok(())
}

/// What a burst took.
struct Burst {
    took: Duration,
    statements: usize,
}

impl Burst {
    async fn run(stack: &Stack, from: usize, count: usize) -> anyhow::Result<Self> {
        stack.register(from..from + count).await?;
        let deltas = (from..from + count).map(|number| recorded(&work_log(number)));
        let deltas = deltas.collect::<anyhow::Result<Vec<_>>>()?;
        stack.kimai.clear_requests();
        let (before, started) = (stack.statements(), Instant::now());
        let sent = deltas.into_iter().flatten().map(|delta| stack.send(delta));
        stream::iter(sent).buffer_unordered(SENDERS).try_collect::<()>().await?;
        stack.engine.queue.quiet().await?;
        let took = started.elapsed();
        let (posts, linked) =
            (stack.kimai.requests().count("POST", "/api/timesheets"), stack.linked().await?);
        ensure!(posts == count, "{posts} POSTs for {count} work logs");
        ensure!(linked == from + count, "{linked} of {} work logs are linked", from + count);
        Ok(Self { took, statements: stack.statements() - before })
    }
}

/// The bodies of the five deltas, for this work log.
pub(crate) fn recorded(work_log: &str) -> anyhow::Result<Vec<String>> {
    let body = |line| {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let body = line["body"].as_str().context("a recording without a body")?;
        Ok(body.replace(RECORDED_IRI, work_log))
    };
    RECORDED.lines().map(body).collect()
}
