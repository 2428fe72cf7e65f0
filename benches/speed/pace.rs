//! A Kimai in which more than four requests at a time get into each other's way: does the service find that
//! out by itself?
//!
//! The same burst with each fixed number of requests side by side, and with the service left to itself between
//! 1 and 16. The floor is the best of the fixed ones.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kimai_sync::triplestore::vocabulary::{cal, rdf};

use crate::Size;
use crate::delta::triple;
use crate::stack::{Stack, work_log};
use crate::table::{Bound, Row, Table, a_second};

const LATENCY: Duration = Duration::from_millis(20);
const SIDE_BY_SIDE: u32 = 4;
const FIXED: [&str; 5] = ["2", "4", "6", "8", "16"];

/// Adds the figure.
pub(crate) async fn measure(size: Size, table: &mut Table) -> anyhow::Result<()> {
    let count = size.of(1000, 20);
    let mut best: Option<(Duration, &str)> = None;
    for fixed in FIXED {
        let took = burst(fixed, fixed, count).await?;
        println!("{fixed} at a time: {:.0} a second", a_second(count, took)?);
        if best.is_none_or(|(least, _)| took < least) {
            best = Some((took, fixed));
        }
    }
    let (least, fixed) = best.context("nothing was measured")?;
    let took = burst("1", "16", count).await?;
    let (own, best) = (a_second(count, took)?, a_second(count, least)?);
    table.add(Row {
        what: format!(
            "{count} work logs, Kimai bears {SIDE_BY_SIDE} requests at a time, and does not say so"
        ),
        measured: format!("{own:.0} a second"),
        floor: format!("{best:.0} a second, the best fixed number ({fixed})"),
        ratio: own / best,
        bound: Bound::AtLeast(0.9),
        old: "",
    });
    Ok(())
}

async fn burst(least: &str, most: &str, count: usize) -> anyhow::Result<Duration> {
    let stack = Stack::start(&[("KIMAI_CONCURRENCY_MIN", least), ("KIMAI_CONCURRENCY", most)]).await?;
    stack.kimai.set_latency(LATENCY);
    stack.kimai.set_side_by_side(SIDE_BY_SIDE);
    stack.register(0..count).await?;
    let created = |number| triple(&work_log(number), rdf::TYPE, cal::VEVENT);
    let triples: Vec<String> = (0..count).map(created).collect();
    let delta = format!(r#"[{{"inserts":[{}],"deletes":[]}}]"#, triples.join(","));
    let since = Instant::now();
    stack.send(delta).await?;
    stack.engine.queue.quiet().await?;
    let took = since.elapsed();
    ensure!(stack.linked().await? == count, "not all work logs are linked");
    Ok(took)
}
