//! A running program whose whole log is kept, however much it writes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than any test takes that works.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) struct Watched {
    child: Child,
    pub(super) base: String,
    lines: Receiver<String>,
    reader: Option<JoinHandle<String>>,
}

impl Watched {
    /// Starts it on a free port, and waits until it listens there.
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command.env("PORT", "0").env("HOST", "127.0.0.1").spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        let reader = std::thread::spawn(move || {
            let mut all = String::new();
            for line in log.lines() {
                let line = line.unwrap();
                all.push_str(&line);
                all.push('\n');
                let _ = sender.send(line);
            }
            all
        });
        let mut watched = Self { child, base: String::new(), lines, reader: Some(reader) };
        let line = watched.until("Listening on ");
        let (_, rest) = line.split_once("Listening on ").unwrap();
        watched.base = format!("http://{}", rest.split(';').next().unwrap());
        watched
    }

    /// The next line of the log with `words`.
    pub(super) fn until(&mut self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line with {words:?}"));
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Stops it, and gives its whole log.
    pub(super) fn end(mut self) -> String {
        let stopped = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(stopped.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.reader.take().unwrap().join().unwrap()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
