//! A period in which nothing differs: what a sweep of it takes beside reading both sides once.
//!
//! The floor reads Kimai's list with the service's own client, and then the work logs, the activities and the
//! persons, each in one statement, however many rows that gives. What a sweep makes of the answers is not in it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use kimai_sync::domain::ids::EntryId;
use kimai_sync::progress::Progress;
use kimai_sync::reconcile::sweep::{Period, Report};
use kimai_sync::trackers::{EntryFilter, Tracker};
use kimai_sync::triplestore::Triplestore;
use kimai_sync::triplestore::vocabulary::PREFIXES;

use crate::Size;
use crate::program::Process;
use crate::rounds::Rounds;
use crate::stack::{BASE, Stack, import, work_log};
use crate::table::{Bound, Row, Table};

const PEOPLE: usize = 200;
const ACTIVITIES: usize = 2_000;
/// The day in the middle, and the days before and after it: as many as `FALLBACK_SYNC_CRON` sweeps.
const MIDDLE: jiff::civil::Date = jiff::civil::date(2025, 3, 3);
const AROUND: i64 = 31;

/// Adds the figures of 10 000 and 100 000 work logs with a timesheet each.
pub(crate) async fn measure(size: Size, table: &mut Table) -> anyhow::Result<()> {
    for (count, rounds, old) in
        size.of([(10_000, 7, "34–38 s"), (100_000, 3, "")].as_slice(), &[(600, 1, "")])
    {
        one(*count, *rounds, old, table).await?;
    }
    Ok(())
}

async fn one(count: usize, rounds: usize, old: &'static str, table: &mut Table) -> anyhow::Result<()> {
    let stack = Stack::start(&[]).await?;
    fill(&stack, count).await?;
    let period = Period::around(MIDDLE, AROUND);
    // Sandbox and store included.
    let process = Process(std::process::id());
    process.forget_peak()?;
    let before = process.memory("VmRSS")?;
    sweep(&stack, period, count).await?;
    let peak = process.memory("VmHWM")?.saturating_sub(before) / 1024;
    let mut rounds_run = Rounds::default();
    for _ in 0..rounds {
        let floor = read_once(&stack, period, count).await?;
        rounds_run.add(sweep(&stack, period, count).await?, floor);
    }
    let (took, floor, ratio) = rounds_run.middle()?;
    stack.kimai.clear_requests();
    let before = stack.statements();
    sweep(&stack, period, count).await?;
    let (requests, statements) = (stack.kimai.requests().0.len(), stack.statements() - before);
    table.add(Row {
        what: format!(
            "Sweep of {count} work logs in sync: {requests} requests, {statements} queries, {peak} MiB more at most"
        ),
        measured: format!("{took:.2?}"),
        floor: format!("{floor:.2?}"),
        ratio,
        bound: Bound::AtMost(1.3),
        old,
    });
    Ok(())
}

async fn sweep(stack: &Stack, period: Period, count: usize) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let report = stack.engine.sweeper.sweep(period, None, &Progress::unwatched()).await?;
    let took = started.elapsed();
    ensure!(
        report == Report { work_logs: count, timesheets: count, ..Report::default() },
        "{} work logs, {} timesheets, {} findings, the first {:?}",
        report.work_logs,
        report.timesheets,
        report.findings.len(),
        report.findings.first()
    );
    Ok(took)
}

/// Kimai's list, and then the work logs with all that is compared.
async fn read_once(stack: &Stack, period: Period, count: usize) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let filter = EntryFilter {
        begin: Some(period.first.yesterday()?.at(0, 0, 0, 0)),
        end: Some(period.last.tomorrow()?.at(0, 0, 0, 0)),
        ..EntryFilter::default()
    };
    let timesheets = stack.client.timesheets(&filter).await?.whole()?;
    let work_logs = format!(
        "?s a cal:Vevent ; cal:dtstart ?day ; cal:duration ?duration ; dct:subject ?task ;
           prov:wasAssociatedWith ?person ; dct:identifier ?id .
         FILTER (STR(?day) >= \"{}\" && STR(?day) <= \"{}\")",
        period.first, period.last
    );
    let mut rows = Vec::new();
    for pattern in [
        work_logs.as_str(),
        "?task a ext:KimaiActivity ; dct:identifier ?activity ; skos:broader/dct:identifier ?project",
        "?person foaf:account/dct:identifier ?user",
    ] {
        rows.push(stack.store.select(&format!("{PREFIXES}SELECT * WHERE {{ {pattern} }}")).await?.len());
    }
    let took = started.elapsed();
    ensure!(timesheets.len() == count && rows[..2] == [count, ACTIVITIES + 1], "{rows:?}");
    Ok(took)
}

/// So many timesheets, and a work log linked to each.
async fn fill(stack: &Stack, count: usize) -> anyhow::Result<()> {
    let (activities, users) = stack.fill([1, ACTIVITIES / 20, ACTIVITIES, PEOPLE]);
    import(&stack.http, &stack.base).await?;
    let (tasks, accounts) =
        (identified(stack, "ext:KimaiActivity").await?, identified(stack, "foaf:OnlineAccount").await?);
    let person = |number: usize| {
        let user = users[number];
        let account = accounts.get(&user.to_string()).context("an account is missing")?;
        Ok(format!(
            "<{BASE}/persons/{user}> a foaf:Person ; foaf:name \"User {user}\" ; foaf:account <{account}> .\n"
        ))
    };
    stack.insert(0..PEOPLE, person).await?;
    let first: Timestamp =
        Period::around(MIDDLE, AROUND).first.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp();
    let days = usize::try_from(2 * AROUND + 1)?;
    let linked = |number: usize| {
        let (user, activity) = (users[number % PEOPLE], activities[number * 7 % ACTIVITIES]);
        let begin = first + SignedDuration::from_hours(24 * i64::try_from(number % days)?);
        let end = begin + SignedDuration::from_mins(450);
        let id: EntryId = stack.kimai.add_timesheet(user, activity, begin, Some(end));
        let (day, task) = (begin.strftime("%Y-%m-%d"), tasks.get(&activity.1.to_string()));
        Ok(format!(
            "<{}> a cal:Vevent ; mu:uuid \"{number}\" ; cal:duration \"PT7H30M\" ;
               cal:dtstart \"{day}\"^^xsd:date ; dct:subject <{}> ;
               prov:wasAssociatedWith <{BASE}/persons/{user}> ; dct:identifier \"{id}\" .\n",
            work_log(number),
            task.context("a task is missing")?
        ))
    };
    stack.insert(0..count, linked).await
}

/// The IRIs of a class, by Kimai's id.
async fn identified(stack: &Stack, class: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let query = format!("{PREFIXES}SELECT ?s ?id WHERE {{ ?s a {class} ; dct:identifier ?id }}");
    let rows = stack.store.select(&query).await?;
    Ok(rows.iter().map(|row| (row["id"].value().to_owned(), row["s"].value().to_owned())).collect())
}
