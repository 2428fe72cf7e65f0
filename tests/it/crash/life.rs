//! One life of the program, from its start to its death.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::PATIENCE;

/// What all lives of one trial logged, the last lines of it.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    const MOST: usize = 500_000;

    pub(super) fn add(&self, line: impl Into<String>) {
        let mut lines = self.0.lock().unwrap();
        if lines.len() >= Self::MOST {
            lines.drain(..Self::MOST / 2);
        }
        lines.push(line.into());
    }

    /// Whether a line since the last start has `words`.
    pub(super) fn has(&self, words: &str) -> bool {
        let lines = self.0.lock().unwrap();
        lines.iter().rev().take_while(|line| !line.starts_with("---- life")).any(|line| line.contains(words))
    }

    /// How many of its lines have `words`.
    pub(super) fn count(&self, words: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }

    /// Puts everything into a file and tells its name.
    pub(super) fn keep(&self, name: &str) -> String {
        let file = format!("{}/crash-{name}.log", env!("CARGO_TARGET_TMPDIR"));
        let mut text = String::new();
        for line in self.0.lock().unwrap().iter() {
            let _ = writeln!(text, "{line}");
        }
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// A started program that tells where it listens. Killed when dropped.
pub(super) struct Life {
    child: Child,
    /// `http://127.0.0.1:12345`.
    pub(super) base: String,
    pub(super) started: Instant,
}

/// The program with these arguments and no environment but what is added.
pub(super) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kimai-sync"));
    command.args(arguments).env_clear().envs([("PORT", "0"), ("HOST", "127.0.0.1")]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Life {
    pub(super) async fn start(mut command: Command, log: &Log) -> Self {
        let started = Instant::now();
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap().into_owned_fd().unwrap();
        let (tell, told) = oneshot::channel();
        let (log, mut tell) = (log.clone(), Some(tell));
        std::thread::spawn(move || {
            for line in BufReader::new(std::fs::File::from(stderr)).lines().map_while(Result::ok) {
                let address = line.split_once("Listening on ").and_then(|(_, rest)| rest.split(';').next());
                if let (Some(address), Some(tell)) = (address, tell.take_if(|_| address.is_some())) {
                    let _ = tell.send(format!("http://{address}"));
                }
                log.add(line);
            }
        });
        let base = tokio::time::timeout(PATIENCE, told).await.expect("it starts in time");
        Self { child, base: base.expect("it listens before it ends"), started }
    }

    /// Its end. Give it a time limit.
    pub(super) async fn end(&mut self) -> ExitStatus {
        self.child.wait().await.unwrap()
    }

    /// How it ended, if it does so within `wait`.
    pub(super) async fn ends_within(&mut self, wait: Duration) -> Option<ExitStatus> {
        tokio::time::timeout(wait, self.end()).await.ok()
    }

    /// `TERM` or `KILL`.
    pub(super) async fn signal(&self, name: &str) {
        let Some(id) = self.child.id() else { return };
        let sent = Command::new("kill").args(["-s", name, &id.to_string()]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Ends it as kill -9 does.
    pub(super) async fn kill(&mut self) {
        self.signal("KILL").await;
        let status = self.ends_within(PATIENCE).await.expect("nothing outlives kill -9");
        assert_eq!(status.signal(), Some(9));
    }

    /// Resident memory in KiB, and open file descriptors; none of a dead one.
    pub(super) fn resources(&self) -> Option<(u64, usize)> {
        let id = self.child.id()?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let resident = resident.trim().trim_end_matches(" kB").parse().ok()?;
        Some((resident, std::fs::read_dir(format!("/proc/{id}/fd")).ok()?.count()))
    }
}
