//! What people run as `mu script kimai-sync …`: each script with a stand-in for curl
//! (`tests/fixtures/bin/curl`) first on the PATH, under `sh` and under busybox's, which `alpine/curl` has.
//!
//! A wrong call here would be a wrong month locked or nothing imported, so the calls are compared
//! word by word; and a service that says no must be heard: its reason on the screen, exit code not 0.

#![expect(clippy::expect_used, reason = "helpers of tests: what fails here fails the test")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use serde_json::Value;
use tempfile::TempDir;

/// What every call has in common: quiet unless it fails, not waiting for ever to connect.
const COMMON: &str = "--silent|--show-error|--connect-timeout|10|-X|POST|";
const STATUS_LAST: &str = r"-w|\n%{http_code}|";
const JSON: &str = "-H|Content-Type: application/vnd.api+json|";

struct Answer {
    curl_exit: u8,
    status: u16,
    body: &'static str,
    /// What a call must hold to be answered so, and not with 204.
    only: &'static str,
}

const DONE: Answer = Answer { curl_exit: 0, status: 204, body: "", only: "" };

struct Run {
    calls: Vec<String>,
    /// What curl read on its standard input, a header a line.
    headers: String,
    code: i32,
    stdout: String,
    stderr: String,
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

/// The shells to try: always `sh`, and busybox's, which is the one in `alpine/curl`.
fn shells() -> Vec<Vec<&'static str>> {
    let has_busybox = Command::new("busybox").arg("true").status().is_ok_and(|status| status.success());
    let mut shells = vec![vec!["sh"]];
    if has_busybox {
        shells.push(vec!["busybox", "ash"]);
    } else {
        crate::support::not_covered("the scripts under busybox (apt-get install busybox)");
    }
    shells
}

fn run(shell: &[&str], script: &str, arguments: &[&str], answer: &Answer) -> Run {
    run_with(shell, script, arguments, answer, &[])
}

/// The same with these variables.
fn run_with(shell: &[&str], script: &str, arguments: &[&str], answer: &Answer, vars: &[(&str, &str)]) -> Run {
    let dir = TempDir::new().expect("a folder for the calls");
    let calls = dir.path().join("calls");
    let stand_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bin");
    let path = env::var_os("PATH").expect("a PATH");
    let path = env::join_paths([stand_in].into_iter().chain(env::split_paths(&path))).expect("a PATH");
    let (program, first) = shell.split_first().expect("a shell");
    let Output { status, stdout, stderr } = Command::new(program)
        .args(first)
        // mu-cli mounts the script's own folder and starts in it.
        .current_dir(scripts().join(script))
        .arg("./run.sh")
        .args(arguments)
        .env("PATH", path)
        .env_remove("OPS_TOKEN")
        .envs(vars.iter().copied())
        .env("CALLS", &calls)
        .env("CURL_EXIT", answer.curl_exit.to_string())
        .env("STATUS", answer.status.to_string())
        .env("BODY", answer.body)
        .env("ONLY", answer.only)
        .output()
        .expect("the shell starts");

    Run {
        calls: fs::read_to_string(&calls).unwrap_or_default().lines().map(str::to_owned).collect(),
        headers: fs::read_to_string(dir.path().join("calls.headers")).unwrap_or_default(),
        code: status.code().expect("an exit code"),
        stdout: String::from_utf8(stdout).expect("text"),
        stderr: String::from_utf8(stderr).expect("text"),
    }
}

#[test]
fn from_kimai_imports_accounts_then_customers_then_tasks() {
    for shell in shells() {
        let run = run(&shell, "from-kimai", &[], &DONE);
        let call = |what: &str| format!("{COMMON}{STATUS_LAST}http://kimai-sync/sync-from-kimai/{what}|");
        assert_eq!(run.calls, [call("accounts"), call("customers"), call("tasks")], "{shell:?}");
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{shell:?}");
        assert!(run.stdout.ends_with("DONE\n"), "{shell:?}: {}", run.stdout);
    }
}

#[test]
fn to_kimai_sends_the_period() {
    for shell in shells() {
        let accepted = Answer { status: 202, ..DONE };
        let run = run(&shell, "to-kimai", &["2024-09-01", "2024-09-30"], &accepted);
        let body = r#"-d|{ "start": "2024-09-01", "end": "2024-09-30" }|"#;
        let expected = format!("{COMMON}{JSON}{body}{STATUS_LAST}http://kimai-sync/sync-to-kimai/work-logs|");
        assert_eq!(run.calls, [expected], "{shell:?}");
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{shell:?}");
    }
}

#[test]
fn lock_timesheets_sends_month_and_year_in_the_order_month_year() {
    for shell in shells() {
        for month in ["9", "09", "12"] {
            let run = run(&shell, "lock-timesheets", &[month, "2024"], &DONE);
            let body = format!(r#"-d|{{ "year": "2024", "month": "{month}" }}|"#);
            let expected = format!("{COMMON}{JSON}{body}{STATUS_LAST}http://kimai-sync/timesheets/lock|");
            assert_eq!(run.calls, [expected], "{shell:?}");
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{shell:?}");
            // 204 comes too when some could not be exported.
            let told =
                format!("The lock of {month}/2024 has ended. Which timesheets are exported, which are not");
            assert!(run.stdout.starts_with(&told), "{shell:?}: {}", run.stdout);
        }
    }
}

#[test]
fn the_token_goes_along_where_no_list_of_processes_shows_it() {
    let token = r#"s3cret-\"$%&'()*-0123456789"#;
    for shell in shells() {
        for (script, arguments, calls, instead) in [
            ("from-kimai", &[][..], 3, "import"),
            ("to-kimai", &["2024-09-01", "2024-09-30"], 1, "sweep --from 2024-09-01 --to 2024-09-30"),
            ("lock-timesheets", &["9", "2024"], 1, "lock 2024-09"),
        ] {
            let given = run_with(&shell, script, arguments, &DONE, &[("OPS_TOKEN", token)]);
            assert_eq!(
                given.headers,
                format!("Authorization: Bearer {token}\n").repeat(calls),
                "{shell:?} {script}"
            );
            assert!(
                given.calls.iter().all(|call| call.starts_with(&format!("-H|@-|{COMMON}"))),
                "{:?}",
                given.calls
            );
            assert!(!given.calls.concat().contains("s3cret"), "{shell:?} {script}");
            let without = run_with(&shell, script, arguments, &DONE, &[("OPS_TOKEN", "")]);
            assert_eq!((without.headers.as_str(), without.code), ("", 0), "{shell:?} {script}");
            assert!(without.calls.iter().all(|call| call.starts_with(COMMON)), "{:?}", without.calls);
            let refused = Answer { status: 401, body: "{}", ..DONE };
            let refused = run(&shell, script, arguments, &refused);
            assert_eq!((refused.code, refused.calls.len()), (1, 1), "{shell:?} {script}");
            let command = format!("docker compose exec kimai-sync kimai-sync {instead}\n");
            assert!(refused.stderr.ends_with(&command), "{}", refused.stderr);
        }
    }
}

#[test]
fn missing_or_odd_arguments_send_nothing_and_say_how_it_is_done() {
    let wrong: [(&str, &[&str], &str); 9] = [
        ("to-kimai", &[], "start date"),
        ("to-kimai", &["2024-09-01"], "end date"),
        ("to-kimai", &["", "2024-09-30"], "start date"),
        ("to-kimai", &["2024-09-01", r#"x", "all": "yes"#], "Not a date"),
        ("lock-timesheets", &[], "Must supply month"),
        ("lock-timesheets", &["9"], "Must supply year"),
        ("lock-timesheets", &["13", "2024"], "Not a month"),
        ("lock-timesheets", &["2024", "9"], "Not a month"),
        ("lock-timesheets", &["9", "24"], "Not a year"),
    ];
    for shell in shells() {
        for (script, arguments, reason) in wrong {
            let run = run(&shell, script, arguments, &DONE);
            assert_eq!(run.calls, [""; 0], "{shell:?} {script} {arguments:?}");
            assert_eq!(run.code, 2, "{shell:?} {script} {arguments:?}");
            assert!(run.stderr.contains(reason), "{shell:?} {script} {arguments:?}: {}", run.stderr);
            assert!(run.stderr.contains(&format!("Usage: mu script kimai-sync {script} ")), "{}", run.stderr);
        }
    }
}

/// The Kimai user of the token may need more rights for one import than for the others.
#[test]
fn an_import_that_is_refused_keeps_no_other_from_being_done() {
    let refusal = "{\"errors\":[{\"title\":\"Kimai refused\"}]}";
    for shell in shells() {
        for (only, left) in [
            ("/accounts", " accounts"),
            ("/customers", " customers"),
            ("/tasks", " tasks"),
            ("", " accounts customers tasks"),
        ] {
            let answer = Answer { status: 502, body: refusal, only, ..DONE };
            let run = run(&shell, "from-kimai", &[], &answer);
            assert_eq!((run.calls.len(), run.code), (3, 1), "{shell:?} {only}");
            assert!(!run.stdout.contains("DONE"), "{shell:?} {only}: {}", run.stdout);
            let told = format!("kimai-sync answered 502:\n{refusal}\n").repeat(left.split(' ').count() - 1);
            let wanted = format!("{told}Not imported, for the reasons above:{left}\n");
            assert_eq!(run.stderr, wanted, "{shell:?} {only}");
        }
    }
}

#[test]
fn a_refusal_is_shown_word_for_word_and_fails_the_script() {
    let refusal =
        Answer { status: 502, body: "{\"errors\":[{\"title\":\"Kimai does not know our token\"}]}", ..DONE };
    for shell in shells() {
        for (script, arguments) in
            [("to-kimai", ["2024-09-01", "2024-09-30"]), ("lock-timesheets", ["9", "2024"])]
        {
            let run = run(&shell, script, &arguments, &refusal);
            assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{shell:?} {script}");
            assert!(
                run.stderr.contains("Kimai does not know our token"),
                "{shell:?} {script}: {}",
                run.stderr
            );
        }
    }
}

#[test]
fn a_service_that_is_down_is_named() {
    let down = Answer { curl_exit: 6, ..DONE };
    for shell in shells() {
        for (script, arguments) in [
            ("from-kimai", &[][..]),
            ("to-kimai", &["2024-09-01", "2024-09-30"]),
            ("lock-timesheets", &["9", "2024"]),
        ] {
            let run = run(&shell, script, arguments, &down);
            assert_eq!((run.code, run.calls.len()), (1, 1), "{shell:?} {script}");
            assert!(run.stderr.contains("Could not resolve host"), "{shell:?} {script}: {}", run.stderr);
            assert!(
                run.stderr.contains("docker compose ps kimai-sync"),
                "{shell:?} {script}: {}",
                run.stderr
            );
        }
    }
}

/// The form `mu script` reads: version 0.1, commands with their arguments, each an executable file in
/// a folder of its own (only that folder is mounted, and the file itself is the entry point).
#[test]
fn config_names_three_commands_that_mu_cli_can_run() {
    let text = fs::read_to_string(scripts().join("config.json")).expect("scripts/config.json");
    let config: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(config["version"], "0.1");

    let mut commands = Vec::new();
    for script in config["scripts"].as_array().expect("a list of scripts") {
        let environment = &script["environment"];
        assert_eq!(environment["image"], "alpine/curl");
        assert_eq!(environment["interactive"], false);
        assert_eq!(environment["join_networks"], true, "without it kimai-sync is not reachable");

        assert_eq!(script.get("mounts"), None, "mu-cli breaks a mount where the project's path has a space");

        let file = environment["script"].as_str().expect("a path");
        assert_eq!(file.split('/').count(), 2, "{file}: mu-cli mounts one folder");
        let mode = fs::metadata(scripts().join(file)).expect(file).permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{file} is the container's entry point");

        let documentation = &script["documentation"];
        commands.push((documentation["command"].clone(), documentation["arguments"].clone()));
    }
    let arguments = |list: &[&str]| Value::from(list.to_vec());
    assert_eq!(
        commands,
        [
            (Value::from("from-kimai"), arguments(&[])),
            (Value::from("to-kimai"), arguments(&["start", "end"])),
            (Value::from("lock-timesheets"), arguments(&["month", "year"])),
        ]
    );
}
