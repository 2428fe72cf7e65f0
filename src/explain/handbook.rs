//! Keeps `docs/errors.md` in sync with the codes and their hints. `KIMAI_SYNC_WRITE_DOCS=1 cargo test --lib handbook`
//! regenerates it.

use std::fmt::Write as _;
use std::path::Path;

use super::hints::{for_code, for_exported, for_obstacle};
use crate::domain::code::Area;
use crate::domain::work_log::Obstacle;
use crate::domain::{Code, WorkLogUri};
use crate::settings::Relations;

const START: &str = "<!-- codes -->\n";
const END: &str = "<!-- /codes -->\n";

/// The sections, in the order of the document.
const SECTIONS: [(Area, &str); 6] = [
    (Area::WorkLog, "The work log, its task or its person"),
    (Area::Refused, "Kimai refuses"),
    (Area::Held, "Kimai holds something else"),
    (Area::Kimai, "Kimai cannot be used"),
    (Area::Triplestore, "The triplestore"),
    (Area::Service, "The service"),
];

/// A sample obstacle with this code.
fn sample(code: Code) -> Option<Obstacle> {
    let some = || "this activity".to_owned();
    let person = || "the person".to_owned();
    let samples = [
        Obstacle::Lacks("day, duration, task or person"),
        Obstacle::NotAnActivity(some()),
        Obstacle::ActivityWithoutId(some()),
        Obstacle::ActivityWithoutProject(some()),
        Obstacle::ProjectUnknown(some()),
        Obstacle::NoAccount(person()),
        Obstacle::AccountAmbiguous(person(), Vec::new()),
        Obstacle::BadDuration(String::new(), ""),
        Obstacle::BadDay(String::new(), ""),
    ];
    samples.into_iter().find(|obstacle| obstacle.code() == code)
}

/// The fix for this code.
fn helps(code: Code) -> String {
    let hint = |relations| match sample(code) {
        Some(obstacle) => Some(for_obstacle(&obstacle, relations)),
        None => for_code(code, relations).map(str::to_owned),
    };
    match (hint(Relations::Follow), hint(Relations::Keep)) {
        _ if code == Code::TimesheetExported => {
            let work_log = WorkLogUri::parse("http://x/WORK_LOG").unwrap();
            for_exported(&work_log, false).join(" ").replace(work_log.as_str(), "WORK_LOG")
        }
        (Some(follow), Some(keep)) if follow != keep => {
            format!("With IMPORT_RELATIONS=follow: {follow} With IMPORT_RELATIONS=keep: {keep}")
        }
        (Some(follow), _) => follow,
        (None, _) => passes(code).unwrap_or_else(|| panic!("say what helps against {code:?}")).to_owned(),
    }
}

/// The text for codes that pass automatically, or whose message has the fix.
fn passes(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::KimaiUnavailable => {
            "Usually nothing: it is retried automatically. If it lasts, check that Kimai is running and that \
             KIMAI_ENDPOINT is its address; kimai-sync doctor tests the connection."
        }
        Code::KimaiBusy => {
            "Nothing: syncing resumes after the pause. If this happens often, lower KIMAI_CONCURRENCY."
        }
        Code::AnswerLost => {
            "Nothing: the timesheet is looked up automatically, and created only if it does not exist."
        }
        Code::TimesheetGone => {
            "Nothing: it is retried automatically. If the work log still exists, a new timesheet is created."
        }
        Code::TimesheetClaimed => {
            "Sweep its day (kimai-sync sweep): each work log then gets its own timesheet."
        }
        Code::KimaiLostData => {
            "If the wrong backup was restored in Kimai, stop the service and restore the right one. Otherwise \
             do a dry run of a sweep, read its findings, and confirm it with its key: this rebuilds the links."
        }
        Code::TokenSeesTooLittle => {
            "Give the API token's user a role that can see all timesheets, like Administrator; kimai-sync \
             doctor shows what is missing."
        }
        Code::TriplestoreUnavailable => {
            "Usually nothing: it is retried automatically. If it lasts, check that the triplestore is running \
             and that MU_SPARQL_ENDPOINT is its address; kimai-sync doctor tests the connection."
        }
        Code::TriplestoreRefusedWrite => {
            "Change config/authorization/config.lisp as the message says, then restart the database and retry."
        }
        Code::TriplestoreFailed => {
            "Usually nothing: it is retried automatically. If it lasts, check the log of the database."
        }
        Code::TriplestoreUnreadable => {
            "Check that MU_SPARQL_ENDPOINT is the address of a SPARQL endpoint, and that no web page or login \
             answers in its place."
        }
        Code::TriplestoreIncomplete => {
            "Usually nothing: it is read again automatically. If it lasts, check the row limits of the database."
        }
        Code::TurnedAway => "Nothing: it is retried automatically.",
        Code::StorageUnavailable => {
            "Free disk space, and make the data directory writable for the service; kimai-sync doctor tests it."
        }
        Code::Cancelled => "Nothing. Start it again if you still need it.",
        _ => return None,
    })
}

/// The part of the document between its marks.
fn listed() -> String {
    let mut text = String::new();
    for (area, title) in SECTIONS {
        let _ =
            write!(text, "\n## {title}\n\n| code | what it means | how to fix it |\n| --- | --- | --- |\n");
        for code in Code::ALL.into_iter().filter(|code| code.area() == area) {
            let (word, means, helps) = (code.word(), code.means(), helps(code));
            let _ = writeln!(text, "| <a id=\"{word}\"></a>`{word}` | {means} | {helps} |");
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_documentation_says_of_each_code_what_it_means_and_what_helps() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(START).expect("the start of the codes");
    let (_, after) = rest.split_once(END).expect("the end of the codes");
    let wanted = format!("{before}{START}{}{END}{after}", listed());
    if std::env::var_os("KIMAI_SYNC_WRITE_DOCS").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    } else {
        let differs = page.lines().zip(wanted.lines()).find(|(one, other)| one != other);
        assert!(
            page == wanted,
            "KIMAI_SYNC_WRITE_DOCS=1 cargo test --lib handbook writes it anew: {differs:#?}"
        );
    }
    for code in Code::ALL {
        assert!(wanted.contains(&format!("<a id=\"{}\"></a>", code.word())), "{code:?} is in no section");
    }
}
