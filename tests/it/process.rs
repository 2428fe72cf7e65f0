//! The real program: its arguments, its signals, its exit codes, what it prints.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use kimai_sync::clock::Clock;
use kimai_sync::trackers::kimai::sandbox::{Role, Sandbox};

use crate::support::stack::TOKEN;

pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kimai-sync"));
    command.args(arguments).env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A started service that tells where it listens. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
    log: BufReader<std::process::ChildStderr>,
    seen: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.env("PORT", "0").env("HOST", "127.0.0.1").spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut running = Self { child, address: String::new(), log, seen: String::new() };
        let line = running.until("Listening on ");
        let (_, rest) = line.split_once("Listening on ").unwrap();
        running.address = rest.split(';').next().unwrap().to_owned();
        running
    }

    /// Reads the log up to a line with `words`.
    pub(crate) fn until(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "ended before {words:?}:\n{}", self.seen);
            self.seen.push_str(&line);
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Sends a signal and gives the exit code with the whole log.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), format!("{}{rest}", self.seen))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_ends_in_sync_with_a_summary() {
    let output = program(&["demo", "--once"]).env("PORT", "0").output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for wanted in [
        "Created timesheet 1 for <http",
        "work logs",
        "timesheets in Kimai",
        "created",
        "updated",
        "deleted",
        "time taken",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
    }
}

#[test]
fn settings_that_cannot_work_stop_the_start_with_all_reasons() {
    for command in ["serve", "standalone"] {
        let output = program(&[command]).env("PORT", "http").output().unwrap();
        let text = text(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        for name in ["API_TOKEN is missing", "KIMAI_ENDPOINT is missing", "PORT is 'http'"] {
            assert!(text.contains(name), "{text}");
        }
    }
    let help = text(&program(&["--help"]).output().unwrap());
    for wanted in ["serve", "standalone", "demo", "healthcheck", "KIMAI_CONCURRENCY", "[default: 8]"] {
        assert!(help.contains(wanted), "{help}");
    }
}

#[test]
fn the_service_starts_without_its_neighbours_and_stops_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(&["serve"]);
    command.env("DATA_DIR", folder.path());
    command.envs([
        ("API_TOKEN", TOKEN),
        ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api"),
        ("MU_SPARQL_ENDPOINT", "http://127.0.0.1:9/sparql"),
        ("LOG_LEVEL", "debug"),
    ]);
    let mut running = Running::start(command);
    let port = running.address.rsplit(':').next().unwrap().to_owned();
    let healthy = program(&["healthcheck"]).env("PORT", &port).output().unwrap();
    assert_eq!(healthy.status.code(), Some(0), "{}", text(&healthy));
    running.until("The sweep at start has to wait: ");
    let (code, log) = running.end("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(TOKEN), "{log}");
    let dead = program(&["healthcheck"]).env("PORT", &port).output().unwrap();
    assert_eq!(dead.status.code(), Some(1), "{}", text(&dead));
    assert!(text(&dead).contains("does not answer"));
}

/// A Kimai with Jane in it, served on a thread of its own.
pub(crate) fn kimai() -> (Sandbox, String) {
    let sandbox = Sandbox::new(Clock::system(jiff::tz::TimeZone::UTC));
    sandbox.add_user("sync", "UTC", Role::SuperAdmin, Some(TOKEN));
    sandbox.add_user("jane", "UTC", Role::User, None);
    let project = sandbox.add_project("Website", sandbox.add_customer("ACME"));
    sandbox.add_activity("Analysis", Some(project));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/api", listener.local_addr().unwrap());
    let served = sandbox.clone();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move { served.serve(listener).unwrap().await })
    });
    (sandbox, address)
}

/// A company of one, as a file.
pub(crate) fn write_company(file: &Path) {
    let turtle = r#"@prefix cal: <http://www.w3.org/2002/12/cal/ical#> . @prefix dct: <http://purl.org/dc/terms/> .
        @prefix ext: <http://mu.semte.ch/vocabularies/ext/> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
        @prefix doap: <http://usefulinc.com/ns/doap#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
        @prefix prov: <http://www.w3.org/ns/prov#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
        <http://x/tasks/p> a doap:Project ; dct:identifier "1" .
        <http://x/tasks/a> a ext:KimaiActivity ; dct:identifier "1" ; skos:broader <http://x/tasks/p> .
        <http://x/accounts/j> a foaf:OnlineAccount ; dct:identifier "2" ; foaf:accountServiceHomepage <http://kimai.redpencil.io> .
        <http://x/persons/j> a foaf:Person ; foaf:account <http://x/accounts/j> ."#;
    let today = Clock::system(jiff::tz::TimeZone::UTC).today();
    let work_logs: Vec<String> = (1..=50)
        .map(|number| {
            format!(
                "<http://x/work-logs/{number}> a cal:Vevent ; cal:duration \"PT{number}M\" ; cal:dtstart \"{today}\"^^xsd:date ;
                   dct:subject <http://x/tasks/a> ; prov:wasAssociatedWith <http://x/persons/j> ."
            )
        })
        .collect();
    std::fs::write(file, format!("{turtle}\n{}", work_logs.join("\n"))).unwrap();
}

#[test]
fn a_killed_standalone_keeps_its_data_and_finishes_after_the_restart() {
    let (sandbox, endpoint) = kimai();
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("company.ttl"), folder.path().join("data"));
    write_company(&file);
    let standalone = |load: &[&str]| {
        let mut arguments = vec!["standalone", "--data", data.to_str().unwrap()];
        arguments.extend(load);
        let mut command = program(&arguments);
        // Soon enough sure that what was cut off was stored, or never will be.
        command.envs([("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", &endpoint), ("KIMAI_TIMEOUT", "1")]);
        command
    };
    let mut first = Running::start(standalone(&["--load", file.to_str().unwrap()]));
    first.until("Created timesheet 5 ");
    let (code, _) = first.end("-KILL");
    assert_eq!(code, None);

    let mut second = Running::start(standalone(&[]));
    second.until("Swept ");
    let minutes = || {
        let mut minutes: Vec<i64> = sandbox.timesheets().iter().map(|row| row.duration / 60).collect();
        minutes.sort_unstable();
        minutes
    };
    while minutes().len() < 50 {
        second.until(" timesheet ");
    }
    assert_eq!(
        minutes(),
        (1..=50).collect::<Vec<i64>>(),
        "one timesheet for each, also for what the kill cut off"
    );
    let (code, log) = second.end("-INT");
    assert_eq!(code, Some(0), "{log}");
}

/// The end of a terminal ends the service as a signal to stop does, unless somebody wanted it to outlive that.
#[test]
fn a_hangup_stops_the_service_unless_it_is_ignored() {
    let standalone = |mut command: Command| {
        command.envs([("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api")]);
        let mut running = Running::start(command);
        // By then it listens to signals.
        running.until("Looking for what was missed");
        running
    };
    let (code, log) = standalone(program(&["standalone"])).end("-HUP");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("Stopping: "), "{log}");

    let outliving = standalone(shell("trap '' HUP", "standalone"));
    let sent = Command::new("kill").args(["-HUP", &outliving.child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let (code, log) = outliving.end("-TERM");
    assert_eq!(code, Some(0), "the first signal that counts: {log}");
}

/// The program with this argument, after the shell has done something.
fn shell(before: &str, argument: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{before}; exec \"$0\" {argument}"), env!("CARGO_BIN_EXE_kimai-sync")]);
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn limits_that_are_too_low_end_the_start_in_words() {
    for (limit, words) in [
        ("ulimit -n 20", "The limit of open files is 20 (ulimit -n, LimitNOFILE)"),
        (
            "ulimit -v 307200",
            "The limit of address space is 300 MB (ulimit -v, LimitAS): set it to at least 1024 MB",
        ),
    ] {
        for argument in ["serve", "standalone", "demo"] {
            let mut command = shell(limit, argument);
            command.envs([("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api")]);
            let output = command.output().unwrap();
            let text = text(&output);
            assert_eq!(output.status.code(), Some(2), "{limit} {argument}: {text}");
            assert!(text.contains(words) && text.lines().count() == 1, "{limit} {argument}: {text}");
        }
    }
}

/// What belongs to a stack helps nobody who has none: neither asked over HTTP nor by the command, which would look for
/// a triplestore of its own.
#[test]
fn the_doctor_of_a_standalone_gives_no_advice_for_a_stack() {
    let (_sandbox, endpoint) = kimai();
    for kimai in [endpoint.as_str(), "http://127.0.0.1:9/api"] {
        let with_kimai = |arguments: &[&str]| {
            let mut command = program(arguments);
            command.envs([("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", kimai)]);
            command
        };
        let running = Running::start(with_kimai(&["standalone"]));
        let output =
            with_kimai(&["doctor", "--url", &format!("http://{}", running.address)]).output().unwrap();
        let told = text(&output);
        assert_eq!(output.status.code(), Some(1), "an empty triplestore is trouble: {told}");
        assert!(told.contains("It is empty.") && told.contains("--load"), "{told}");
        for words in
            ["DEFAULT_MU_AUTH_SCOPE", "scope", "delta-rules", "MU_SPARQL_ENDPOINT", "mu-auth", "Virtuoso"]
        {
            assert!(!told.contains(words), "{words} in {told}");
        }
    }
}

#[test]
fn a_file_that_cannot_be_loaded_is_named_with_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.ttl");
    std::fs::write(&file, "<http://x/1> a <http://x/2> .\n<http://x/3> nonsense .\n").unwrap();
    let mut command = program(&["standalone", "--load", file.to_str().unwrap()]);
    command.envs([("API_TOKEN", TOKEN), ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api"), ("PORT", "0")]);
    let output = command.output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("broken.ttl") && text.contains('2'), "{text}");
}
