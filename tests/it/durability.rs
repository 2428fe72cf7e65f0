//! A delta that was answered with 204 is on disk, whatever happens to the process or the disk; and a
//! delta that is not on disk is never answered with 204.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use kimai_sync::clock::Clock;
use kimai_sync::domain::WorkLogUri;
use kimai_sync::queue::{Filter, Reason};
use kimai_sync::store::Queue;
use kimai_sync::store::sqlite::{FILE, SqliteQueue, Storage};
use tokio_util::task::TaskTracker;

use crate::process::{Running, program, text};
use crate::support::not_covered;
use crate::support::stack::{TOKEN, delta};

/// The service, with nobody to talk to: what it takes in waits.
fn serve(data: &Path) -> Command {
    let mut command = program(&["serve"]);
    command.env("DATA_DIR", data).envs([
        ("API_TOKEN", TOKEN),
        ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api"),
        ("MU_SPARQL_ENDPOINT", "http://127.0.0.1:9/sparql"),
        ("SYNC_AT_START", "false"),
        ("CHECK_AT_START", "false"),
        // What fails again and again would fill the pipe that nobody reads.
        ("LOG_LEVEL", "off,kimai_sync::cli=info"),
    ]);
    command
}

fn iri(number: usize) -> String {
    format!("http://timekeeper.redpencil.io/work-logs/{number:024}")
}

fn client() -> reqwest::Client {
    kimai_sync::http_client::client_builder(Duration::from_secs(20)).build().unwrap()
}

/// Posts a delta that names one work log. `None` when the service is gone.
async fn post(client: &reqwest::Client, running: &str, iri: &str) -> Option<(u16, String)> {
    let request = client.post(format!("{running}/delta")).header("content-type", "application/json");
    let answer = request.body(delta(&[iri]).to_string()).send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

/// What is in the queue that a process left behind.
async fn left_behind(data: &Path) -> BTreeSet<String> {
    let queue =
        SqliteQueue::open(Storage::open(data).unwrap(), Clock::system(jiff::tz::TimeZone::UTC)).unwrap();
    let entries = queue.page(Filter::default(), None, usize::MAX).await.unwrap();
    entries.into_iter().map(|entry| entry.work_log.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_with_204_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let (client, next) = (client(), Arc::new(AtomicUsize::new(0)));
    let mut acknowledged = BTreeSet::new();
    for round in 0..12 {
        let running = Running::start(serve(folder.path()));
        let base = running.address.clone();
        let base = if base.starts_with("http") { base } else { format!("http://{base}") };
        // Each sends one delta after the other until the service is gone.
        let senders = (0..8).map(|_| {
            let (client, base, next) = (client.clone(), base.clone(), Arc::clone(&next));
            TaskTracker::new().spawn(async move {
                let mut taken = Vec::new();
                loop {
                    let iri = iri(next.fetch_add(1, Ordering::Relaxed));
                    match post(&client, &base, &iri).await {
                        Some((204, _)) => taken.push(iri),
                        Some(other) => panic!("{other:?}"),
                        None => return taken,
                    }
                }
            })
        });
        let senders: Vec<_> = senders.collect();
        // Not by the clock: after so many deltas, wherever the others stand.
        let goal = next.load(Ordering::Relaxed) + 20 + round * 17;
        while next.load(Ordering::Relaxed) < goal {
            tokio::task::yield_now().await;
        }
        let (code, log) = tokio::task::block_in_place(|| running.end("-KILL"));
        assert_eq!(code, None, "{log}");
        for taken in join_all(senders).await {
            acknowledged.extend(taken.unwrap());
        }
        let kept = left_behind(folder.path()).await;
        let lost: Vec<_> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "round {round}: {} of {} are lost", lost.len(), acknowledged.len());
    }
    assert!(acknowledged.len() > 500, "{} deltas is no test", acknowledged.len());
}

/// A disk of one megabyte. `None` where this process may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        not_covered("full and read-only disks (this process may not mount one)");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_a_503_and_heals() {
    let Some(disk) = SmallDisk::mount() else { return };
    let data = disk.0.path().join("data");
    let mut command = serve(&data);
    command.env("LOG_LEVEL", "off,kimai_sync::cli=info,kimai_sync::schedule=info");
    let running = Running::start(command);
    let base = format!("http://{}", running.address.trim_start_matches("http://"));
    let client = client();
    assert_eq!(post(&client, &base, &iri(0)).await.unwrap().0, 204);
    let filler = disk.0.path().join("filler");
    let _ = std::fs::write(&filler, vec![0; 2_000_000]); // as much as fits
    let mut number = 0;
    let refused = loop {
        number += 1;
        // The journal has some room left.
        match post(&client, &base, &iri(number)).await.unwrap() {
            (204, _) => assert!(number < 2_000, "the disk does not fill up"),
            refused => break refused,
        }
    };
    assert_eq!(refused.0, 503, "{}", refused.1);
    assert!(refused.1.contains("the disk is full; free some space"), "{}", refused.1);
    // Whoever looks learns the same, however often: a row or two may still fit.
    for _ in 0..5 {
        let ready = client.get(format!("{base}/ready")).send().await.unwrap();
        assert_eq!(ready.status().as_u16(), 503, "{}", ready.text().await.unwrap());
        let metrics = client.get(format!("{base}/metrics")).send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains("\nkimai_sync_queue_writable 0"), "{metrics}");
    }
    std::fs::remove_file(&filler).unwrap();
    // Nobody sends the refused delta again: it is queued all the same, and what else was refused is looked for.
    let mut running = running;
    tokio::task::block_in_place(|| running.until("Queued 1 work logs of deltas that could not be saved"));
    let runs = client.get(format!("{base}/runs")).send().await.unwrap().text().await.unwrap();
    assert!(runs.contains(r#""asked-by":"recovery""#), "{runs}");
    let (code, log) = tokio::task::block_in_place(|| running.end("-KILL"));
    assert_eq!(code, None, "{log}");
    assert_eq!(left_behind(&data).await.len(), number + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_used_stops_the_start_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let start = |data: &Path| {
        let output = serve(data).env("PORT", "0").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        text(&output)
    };
    let running = Running::start(serve(folder.path()));
    let said = tokio::task::block_in_place(|| start(folder.path()));
    assert!(said.contains("another process is using it; stop that process first"), "{said}");
    running.end("-KILL");

    std::fs::write(folder.path().join(FILE), "x".repeat(10_000)).unwrap();
    let said = start(folder.path());
    assert!(said.contains("it is damaged") && said.contains("move it away") && said.contains(FILE), "{said}");

    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = start(&file);
    assert!(said.contains("the directory"), "{said}");
}

/// A folder that not even root can write.
#[test]
fn a_read_only_folder_stops_the_start_with_what_helps() {
    let Some(disk) = SmallDisk::mount() else { return };
    drop(Storage::open(disk.0.path()).unwrap());
    let remount = |mode: &str| {
        let options = format!("remount,{mode}");
        let done = Command::new("mount").args(["-o", &options]).arg(disk.0.path()).status().unwrap();
        assert!(done.success());
    };
    remount("ro");
    let fault = Storage::open(disk.0.path()).unwrap_err().to_string();
    assert!(fault.contains("read-only") || fault.contains("cannot be opened"), "{fault}");
    assert!(fault.contains(FILE) && fault.contains("user"), "{fault}");
    remount("rw");
    Storage::open(disk.0.path()).unwrap();
}

/// 100 000 entries wait, and the process was killed. `cargo bench` measures how long the start takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_is_taken_up_whole() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let clock = Clock::system(jiff::tz::TimeZone::UTC);
    let queue = SqliteQueue::open(Storage::open(folder.path()).unwrap(), clock.clone()).unwrap();
    let work_logs: Vec<_> = (0..100_000).map(|number| WorkLogUri::parse(&iri(number)).unwrap()).collect();
    for delta in work_logs.chunks(20_000) {
        queue.put(delta, Reason::Delta, clock.now()).await.unwrap();
    }
    for file in std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap()) {
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let again = SqliteQueue::open(Storage::open(copy.path()).unwrap(), clock).unwrap();
    again.lease().await.unwrap();
    assert_eq!(again.counts().await.unwrap().waiting(), 99_999);
}
