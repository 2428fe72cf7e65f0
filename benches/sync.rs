//! How fast deltas are read, and how close a burst of creates comes to what Kimai's own latency allows.
//!
//! `cargo bench` prints both. The first is in bytes a second, for a delta in memory (`slice`) and as the
//! service reads it (`stream`). The second runs the whole service over HTTP, with the embedded store and a
//! sandbox Kimai that takes 20 ms for each request: one delta names all work logs, and the time until each
//! has its timesheet and its identifier is set beside `work logs x latency / concurrency`, below which no
//! client of that Kimai can come.

#![expect(clippy::print_stdout, reason = "a benchmark reports")]
#![expect(clippy::disallowed_methods, reason = "what is spawned ends with the benchmark")]

use std::fmt::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use divan::counter::BytesCount;
use kimai_sync::app::{self, Service};
use kimai_sync::clock::Clock;
use kimai_sync::delta::message::{Found, read, read_slice};
use kimai_sync::engine::Engine;
use kimai_sync::sandbox::{Role, Sandbox};
use kimai_sync::settings::Settings;
use kimai_sync::triplestore::Triplestore;
use kimai_sync::triplestore::embedded::Embedded;
use kimai_sync::triplestore::vocabulary::PREFIXES;
use tokio_util::sync::CancellationToken;

const BASE: &str = "http://timekeeper.redpencil.io";
const TOKEN: &str = "token-of-the-benchmark";
const LATENCY: Duration = Duration::from_millis(20);
const CONCURRENCY: u32 = 4;
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    divan::main();
    // `cargo test --benches` only wants to know whether it runs.
    let measuring = std::env::args().any(|arg| arg == "--bench");
    let filtered = std::env::args().skip(1).any(|arg| !arg.starts_with('-') && !"creates".contains(&arg));
    if filtered {
        return Ok(());
    }
    let (work_logs, rounds) = if measuring { (400, ROUNDS) } else { (8, 1) };
    tokio::runtime::Runtime::new()?.block_on(creates(work_logs, rounds))
}

/// What one delta says of so many work logs, as the delta-notifier sends it for mu-cl-resources.
fn delta(work_logs: impl Iterator<Item = String>) -> String {
    let mut inserts = String::new();
    for uri in work_logs {
        for (predicate, object) in [
            (
                "http://www.w3.org/1999/02/22-rdf-syntax-ns#type",
                r#""type":"uri","value":"http://www.w3.org/2002/12/cal/ical#Vevent""#,
            ),
            (
                "http://mu.semte.ch/vocabularies/core/uuid",
                r#""type":"literal","value":"67BF1C2E9F3B7A0009000001""#,
            ),
            ("http://www.w3.org/2002/12/cal/ical#duration", r#""type":"literal","value":"PT7H30M""#),
            (
                "http://www.w3.org/2002/12/cal/ical#dtstart",
                r#""type":"literal","datatype":"http://www.w3.org/2001/XMLSchema#date","value":"2025-02-26""#,
            ),
        ] {
            let separator = if inserts.is_empty() { "" } else { "," };
            let _ = write!(
                inserts,
                r#"{separator}{{"graph":{{"type":"uri","value":"http://mu.semte.ch/graphs/redpencil"}},"subject":{{"type":"uri","value":"{uri}"}},"predicate":{{"type":"uri","value":"{predicate}"}},"object":{{{object}}}}}"#
            );
        }
    }
    format!(r#"[{{"inserts":[{inserts}],"deletes":[]}}]"#)
}

fn uri(number: usize) -> String {
    format!("{BASE}/work-logs/67BF1C2E9F3B7A00{number:08}")
}

/// Work logs named by a typical delta, and by one of 10 MB.
const DELTAS: [usize; 2] = [1, 8_300];

#[divan::bench(args = DELTAS)]
fn delta_from_a_slice(bencher: divan::Bencher<'_, '_>, work_logs: usize) {
    let body = delta((0..work_logs).map(uri));
    bencher.counter(BytesCount::of_str(&body)).bench(|| {
        let mut found = Found::default();
        (read_slice(body.as_bytes(), &mut found), found)
    });
}

#[divan::bench(args = DELTAS)]
fn delta_from_a_stream(bencher: divan::Bencher<'_, '_>, work_logs: usize) {
    let body = delta((0..work_logs).map(uri));
    bencher.counter(BytesCount::of_str(&body)).bench(|| {
        let mut found = Found::default();
        (read(body.as_bytes(), &mut found), found)
    });
}

/// Times bursts of `work_logs` creates through the whole service.
async fn creates(work_logs: usize, rounds: usize) -> anyhow::Result<()> {
    let bench = Bench::start().await?;
    let count = u32::try_from(work_logs)?;
    let floor = LATENCY * count / CONCURRENCY;
    println!(
        "\ncreates: one delta of {work_logs} work logs, from its POST until all are in Kimai and linked\n\
         floor:   {work_logs} x {LATENCY:?} / {CONCURRENCY} side by side = {floor:.2?} ({:.0} a second)",
        f64::from(count) / floor.as_secs_f64()
    );
    for round in 0..rounds {
        let took = bench.burst(round * work_logs, work_logs).await?;
        println!(
            "round {}: {took:.2?} = {:.0} creates a second = {:.2} x the floor",
            round + 1,
            f64::from(count) / took.as_secs_f64(),
            took.as_secs_f64() / floor.as_secs_f64()
        );
    }
    bench.stop.cancel();
    Ok(())
}

/// The service between a sandbox and an embedded store.
struct Bench {
    engine: Engine,
    kimai: Sandbox,
    store: Embedded,
    http: reqwest::Client,
    base: String,
    /// The task and person of every work log.
    about: String,
    stop: CancellationToken,
}

impl Bench {
    async fn start() -> anyhow::Result<Self> {
        let kimai = Sandbox::new(Clock::system(jiff::tz::TimeZone::UTC));
        let door = TcpListener::bind("127.0.0.1:0")?;
        let vars = [
            ("API_TOKEN", TOKEN.to_owned()),
            ("KIMAI_ENDPOINT", format!("http://{}/api", door.local_addr()?)),
            ("KIMAI_CONCURRENCY", CONCURRENCY.to_string()),
        ];
        tokio::spawn(kimai.serve(door)?);
        kimai.add_user("sync", "UTC", Role::SuperAdmin, Some(TOKEN));
        let project = kimai.add_project("Website", kimai.add_customer("ACME"));
        kimai.add_activity("Analysis", Some(project));
        let settings = Settings::from_vars(vars.map(|(name, value)| (name.to_owned(), value)))?;
        let store = Embedded::in_memory()?;
        let clock = Clock::system(settings.zone.clone());
        let engine = Engine::new(&settings, Arc::new(store.clone()), app::kimai(&settings)?, clock)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let base = format!("http://{}", listener.local_addr()?);
        let (stop, concurrency) = (CancellationToken::new(), settings.kimai.concurrency);
        let service = Service {
            engine: engine.clone(),
            listener,
            store: Some(store.clone()),
            guard: settings.guard.clone(),
            concurrency,
            sweep: None,
        };
        tokio::spawn(service.run(stop.clone()));
        let http = kimai_sync::tls::client_builder(Duration::from_mins(1)).build()?;
        for what in ["customers", "tasks", "accounts"] {
            http.post(format!("{base}/sync-from-kimai/{what}")).send().await?.error_for_status()?;
        }
        let iri = async |class: &str| {
            let rows = store.select(&format!("{PREFIXES}SELECT ?s WHERE {{ ?s a {class} }}")).await?;
            let iri = rows.first().and_then(|row| row.get("s")).map(|term| term.value().to_owned());
            iri.with_context(|| format!("no {class} was imported"))
        };
        let (task, account) = (iri("ext:KimaiActivity").await?, iri("foaf:OnlineAccount").await?);
        let person = format!("<{BASE}/persons/jane>");
        let linked = format!("{PREFIXES}INSERT DATA {{ {person} foaf:account <{account}> }}");
        store.update(&linked).await?;
        kimai.set_latency(LATENCY);
        let about = format!("dct:subject <{task}> ; prov:wasAssociatedWith {person}");
        Ok(Self { engine, kimai, store, http, base, about, stop })
    }

    /// Registers `count` work logs, tells the service of all at once, and waits until each has a timesheet.
    async fn burst(&self, from: usize, count: usize) -> anyhow::Result<Duration> {
        let uris = || (from..from + count).map(uri);
        for uri in uris() {
            let about = &self.about;
            self.store
                .update(&format!(
                    "{PREFIXES}INSERT DATA {{ <{uri}> a cal:Vevent ; cal:duration \"PT7H30M\" ;
                       cal:dtstart \"2025-02-26\"^^xsd:date ; {about} }}"
                ))
                .await?;
        }
        let request = self.http.post(format!("{}/delta", self.base)).body(delta(uris()));
        self.kimai.clear_requests();
        let started = Instant::now();
        request.send().await?.error_for_status()?;
        self.engine.queue.quiet().await?;
        let took = started.elapsed();
        let posts = self.kimai.requests().count("POST", "/api/timesheets");
        ensure!(posts == count, "{posts} POSTs for {count} work logs");
        let linked = format!("{PREFIXES}SELECT ?id WHERE {{ ?s a cal:Vevent ; dct:identifier ?id }}");
        let linked = self.store.select(&linked).await?.len();
        ensure!(linked == from + count, "{linked} of {} work logs are linked", from + count);
        Ok(took)
    }
}
