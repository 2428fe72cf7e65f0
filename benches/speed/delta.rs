//! `POST /delta` of the real program: how fast a large body is read, what that costs of its memory, and how many
//! small deltas it takes in a second.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use kimai_sync::delta::Found;
use kimai_sync::delta::message::Reader;
use kimai_sync::triplestore::vocabulary::cal;
use serde::de::IgnoredAny;

use crate::Size;
use crate::program::{Neighbours, Program, load};
use crate::stack::work_log;
use crate::table::{Bound, Row, Table, a_second};

/// As much as actix hands on at once.
const PIECE: usize = 32 * 1024;
const TITLE: &str = "http://purl.org/dc/terms/title";

/// Adds the figures of large bodies, and of many small ones.
pub(crate) fn measure(size: Size, table: &mut Table) -> anyhow::Result<()> {
    let neighbours = Neighbours::start()?;
    let service = Program::serve(&neighbours)?;
    let drain = Program::drain()?;
    let before = service.process.memory("VmRSS")?;
    rates(size, &service, &drain, table)?;
    memory(size, &service, before, table)?;
    irrelevant(size, &service, &drain, table)?;
    relevant(size, &service, table)?;
    named(size, &Program::serve(&neighbours)?, table)
}

/// A triple as the delta-notifier sends it. An object that begins as an IRI is one.
pub(crate) fn triple(subject: &str, predicate: &str, object: &str) -> String {
    let kind = if object.starts_with("http://") { "uri" } else { "literal" };
    format!(
        r#"{{"subject":{{"type":"uri","value":"{subject}"}},"predicate":{{"type":"uri","value":"{predicate}"}},"object":{{"type":"{kind}","value":"{object}"}},"graph":{{"type":"uri","value":"http://mu.semte.ch/graphs/public"}}}}"#
    )
}

/// A delta of at least so many bytes with triples that begin to count at 0.
fn delta(bytes: usize, triple: impl Fn(usize) -> String) -> String {
    let mut body = String::with_capacity(bytes + bytes / 8);
    body.push_str(r#"[{"inserts":["#);
    for number in 0.. {
        body.push_str(&triple(number));
        if body.len() >= bytes {
            break;
        }
        body.push(',');
    }
    body.push_str(r#"],"deletes":[]}]"#);
    body
}

fn thing(number: usize) -> String {
    triple(&format!("http://data.example.org/things/{number:024}"), TITLE, "What it is called, in words")
}

fn changed(number: usize) -> String {
    triple(&work_log(number), cal::DURATION, "PT7H30M")
}

/// How many bytes a large delta has.
fn large(size: Size) -> usize {
    size.of(100_000_000, 2_000_000)
}

fn found(body: &[u8]) -> anyhow::Result<Found> {
    let mut reader = Reader::default();
    body.chunks(PIECE).try_for_each(|piece| reader.read(piece))?;
    reader.end()?;
    Ok(reader.found())
}

fn rates(size: Size, service: &Program, drain: &Program, table: &mut Table) -> anyhow::Result<()> {
    let body = delta(large(size), thing);
    let (mut slices, mut streams, mut ours, mut drained, mut posted) =
        (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..size.of(5, 1) {
        let since = Instant::now();
        serde_json::from_slice::<IgnoredAny>(body.as_bytes())?;
        slices.push(since.elapsed());
        let since = Instant::now();
        serde_json::from_reader::<_, IgnoredAny>(body.as_bytes())?;
        streams.push(since.elapsed());
        let since = Instant::now();
        let found = found(body.as_bytes())?;
        ours.push(since.elapsed());
        ensure!(found.work_logs.is_empty() && found.skipped == 0, "{found:?}");
        drained.push(drain.post(body.as_bytes(), 204)?);
        posted.push(service.post(body.as_bytes(), 204)?);
    }
    // Megabytes in a second, at the best.
    let of = |times: Vec<Duration>| -> anyhow::Result<f64> {
        let best = times.into_iter().min().context("no round was run")?;
        Ok(a_second(body.len(), best)? / 1e6)
    };
    let (slice, stream, ours, drained, posted) =
        (of(slices)?, of(streams)?, of(ours)?, of(drained)?, of(posted)?);
    let skipping = slice.max(stream);
    let floor = (0.8 * skipping).min(300.0);
    let megabytes = body.len() / 1_000_000;
    for (how, rate, old) in [
        ("read in memory".to_owned(), ours, ""),
        (format!("over HTTP (a handler that only reads: {drained:.0} MB/s)"), posted, "1.6–2.7 s"),
    ] {
        table.add(Row {
            what: format!("/delta of {megabytes} MB that names no work log, {how}"),
            measured: format!("{rate:.0} MB/s"),
            floor: format!("{floor:.0} MB/s (serde_json skips {slice:.0}, or {stream:.0} as a stream)"),
            ratio: rate / floor,
            bound: Bound::AtLeast(1.0),
            old,
        });
    }
    Ok(())
}

/// Large bodies of many shapes that name no work log: what each is, what it has to be answered, and itself.
fn shapes(bytes: usize) -> Vec<(&'static str, u16, String)> {
    let text = |unit: &str| unit.repeat(bytes / unit.len());
    let long = text("x");
    let one = |triple: String| format!(r#"[{{"inserts":[{triple}]}}]"#);
    vec![
        ("triples of other things", 204, delta(bytes, thing)),
        ("one large literal", 204, one(triple("http://x/a", TITLE, &long))),
        ("one large literal of a work log's property", 204, one(triple(&long, cal::DURATION, &long))),
        ("one large literal in escapes", 204, one(triple("http://x/a", TITLE, &text("\\u00e9\\n")))),
        ("one large key", 204, format!(r#"[{{"{long}":1}}]"#)),
        ("large keys in triples", 204, one(format!(r#"{{"{long}":1}}"#))),
        (
            "a list of numbers that nobody asked for",
            204,
            format!(r#"[{{"effectiveInserts":[{}0]}}]"#, text("12,")),
        ),
        ("objects within objects", 204, one(format!("{}1", text(r#"{"value":{"value":1}},"#)))),
        ("empty change sets", 204, format!("[{}{{}}]", text("{},"))),
        ("triples of nothing", 204, one(format!("{}{{}}", text("{},")))),
        ("white space", 204, format!("[{}]", text(" \n"))),
        ("one number", 400, text("9")),
        ("brackets only", 400, text("[")),
        ("no JSON", 400, text("<html>")),
        ("a list of texts", 400, format!("[{}\"\"]", text("\"abcdef\","))),
    ]
}

/// `before` is what it took before the first of them.
fn memory(size: Size, service: &Program, before: u32, table: &mut Table) -> anyhow::Result<()> {
    let bytes = large(size);
    let mut worst = (0, "");
    for (what, wanted, body) in shapes(bytes) {
        service.process.forget_peak()?;
        service.post(body.as_bytes(), wanted).context(what)?;
        let grown = service.process.memory("VmHWM")?.saturating_sub(before);
        worst = worst.max((grown, what));
    }
    let (grown, what) = worst;
    let after = service.process.memory("VmRSS")?.saturating_sub(before);
    table.add(Row {
        what: format!("the same in {} shapes: how much its memory grows", shapes(1000).len()),
        measured: format!("{} at most ({what}), {} stay", megabytes(grown), megabytes(after)),
        floor: "16 MB".to_owned(),
        ratio: f64::from(grown) / 16_000.0,
        bound: Bound::AtMost(1.0),
        old: "87 → 457 MB, and stays",
    });
    Ok(())
}

fn named(size: Size, service: &Program, table: &mut Table) -> anyhow::Result<()> {
    let body = delta(large(size), |number| changed(number / 5));
    let named = found(body.as_bytes())?.work_logs.len();
    service.process.forget_peak()?;
    let before = service.process.memory("VmRSS")?;
    let took = service.post(body.as_bytes(), 204)?;
    let grown = service.process.memory("VmHWM")?.saturating_sub(before);
    let each = f64::from(grown) * 1000.0 / f64::from(u32::try_from(named)?);
    table.add(Row {
        what: format!(
            "one that names {named} work logs, five triples each: its memory for each until they are on disk"
        ),
        measured: format!("{each:.0} bytes ({} in all; answered after {took:.2?})", megabytes(grown)),
        floor: "1 000 bytes".to_owned(),
        ratio: each / 1000.0,
        bound: Bound::AtMost(1.0),
        old: "",
    });
    Ok(())
}

fn megabytes(kilobytes: u32) -> String {
    format!("{:.1} MB", f64::from(kilobytes) / 1000.0)
}

fn irrelevant(size: Size, service: &Program, drain: &Program, table: &mut Table) -> anyhow::Result<()> {
    let (mut floor, mut ours) = (0.0_f64, 0.0_f64);
    let body = delta(1, thing);
    for _ in 0..size.of(5, 1) {
        for (program, best) in [(drain, &mut floor), (service, &mut ours)] {
            let lasts = Duration::from_millis(size.of(2000, 100));
            let rate = load(program.address, 16, lasts, |_, _| body.clone())?;
            *best = best.max(rate);
        }
    }
    let what = "small deltas that name no work log, 16 connections";
    for (floor, named, least) in [(floor, "a handler that does nothing", 0.7), (5000.0, "wanted", 1.0)] {
        table.add(Row {
            what: what.to_owned(),
            measured: format!("{ours:.0} a second"),
            floor: format!("{floor:.0} a second, {named}"),
            ratio: ours / floor,
            bound: Bound::AtLeast(least),
            old: "3 600–5 600 a second",
        });
    }
    Ok(())
}

fn relevant(size: Size, service: &Program, table: &mut Table) -> anyhow::Result<()> {
    let lasts = Duration::from_millis(size.of(5000, 200));
    let one = |connection: usize, number: usize| delta(1, |_| changed(connection * 100_000 + number));
    let rate = load(service.address, 64, lasts, one)?;
    table.add(Row {
        what: "deltas with one work log each, answered once it is on disk, 64 connections".to_owned(),
        measured: format!("{rate:.0} a second"),
        floor: "2 000 a second".to_owned(),
        ratio: rate / 2000.0,
        bound: Bound::AtLeast(1.0),
        old: "never on disk",
    });
    Ok(())
}
