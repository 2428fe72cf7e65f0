//! The service at rest: what it takes of memory, of the processor and of the disk when nothing happens, and how soon
//! it is there.

use std::time::Duration;

use jiff::Timestamp;
use kimai_sync::clock::Clock;
use kimai_sync::domain::WorkLogUri;
use kimai_sync::queue::Reason;
use kimai_sync::store::Queue;
use kimai_sync::store::sqlite::{SqliteQueue, Storage};

use crate::Size;
use crate::program::{Neighbours, Program};
use crate::rounds::median;
use crate::stack::work_log;
use crate::table::{Bound, Row, Table};

/// How many work logs wait in the large queue.
const WAITING: usize = 100_000;

/// Adds the figures of an idle service, of its start and of a full queue.
pub(crate) async fn measure(size: Size, table: &mut Table) -> anyhow::Result<()> {
    let neighbours = Neighbours::start()?;
    let most = |what: &str, measured: f64, unit: &str, most: f64, old| Row {
        what: what.to_owned(),
        measured: format!("{measured:.1} {unit}"),
        floor: format!("{most} {unit}"),
        ratio: measured / most,
        bound: Bound::AtMost(1.0),
        old,
    };
    let bytes = std::fs::metadata(env!("CARGO_BIN_EXE_kimai-sync"))?.len();
    let size_of_it = f64::from(u32::try_from(bytes)?) / 1e6;
    table.add(most("the program's file", size_of_it, "MB", 25.0, "150 MB and node, 99 MB"));

    let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut starts = Vec::new();
    for _ in 0..size.of(11, 3) {
        starts.push(Program::serve_in(&neighbours, data.path())?.started);
    }
    let start = median(starts).as_secs_f64() * 1000.0;
    table.add(most("from its start to its first answer", start, "ms", 100.0, "750 ms"));

    let (service, bare) = (Program::serve_in(&neighbours, data.path())?, Program::drain()?);
    // Until the checks and the sweep at the start are done.
    tokio::time::sleep(Duration::from_secs(size.of(10, 1))).await;
    let resident = f64::from(service.process.memory("VmRSS")?) / 1000.0;
    table.add(most("memory of the idle service", resident, "MB", 25.0, "86 MB"));
    let (before, bare_before) = (service.process.sleeps()?, bare.process.sleeps()?);
    let lasts = Duration::from_secs(size.of(20, 1));
    tokio::time::sleep(lasts).await;
    let [ours, floor] = [service.process.sleeps()? - before, bare.process.sleeps()? - bare_before]
        .map(|woken| f64::from(woken) / lasts.as_secs_f64());
    table.add(Row {
        what: "how often one of its threads wakes up while it is idle".to_owned(),
        measured: format!("{ours:.1} a second"),
        floor: format!("{floor:.1} a second, actix-web with one route, and {TICKS} of the cron scheduler"),
        ratio: ours / (floor + TICKS),
        bound: Bound::AtMost(1.0),
        old: "",
    });
    drop(service);

    let waiting = size.of(WAITING, 1000);
    fill(data.path(), waiting).await?;
    let service = Program::serve_in(&neighbours, data.path())?;
    tokio::time::sleep(Duration::from_secs(size.of(5, 1))).await;
    let resident = f64::from(service.process.memory("VmRSS")?) / 1000.0;
    let what =
        format!("its memory with {waiting} work logs in the queue, {:.0?} after the start", service.started);
    table.add(most(&what, resident, "MB", 100.0, ""));
    Ok(())
}

/// tokio-cron-scheduler looks twice a second what is due, and hands that on; and one in a while of our own.
const TICKS: f64 = 6.0;

/// Puts so many work logs into the queue of a folder, due in an hour: a later time would be taken for a mistake.
async fn fill(data: &std::path::Path, count: usize) -> anyhow::Result<()> {
    let clock = Clock::system(jiff::tz::TimeZone::UTC);
    let queue = SqliteQueue::open(Storage::open(data)?, clock.clone())?;
    let due: Timestamp = clock.after(Duration::from_hours(1));
    let work_logs: Result<Vec<_>, _> =
        (0..count).map(|number| WorkLogUri::parse(&work_log(number))).collect();
    Ok(queue.put(&work_logs?, Reason::Sweep, due).await?)
}
