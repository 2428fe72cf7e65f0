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

/// Explains codes that pass automatically, or whose message has the fix.
fn passes(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::KimaiUnavailable => {
            "Nothing while it passes: it is tried again automatically. If it lasts, check that Kimai runs \
             and that KIMAI_ENDPOINT is its address; kimai-sync doctor tries it."
        }
        Code::KimaiBusy => {
            "Nothing: it goes on after the pause. If this happens often, lower KIMAI_CONCURRENCY."
        }
        Code::AnswerLost => {
            "Nothing: the timesheet is looked up automatically, and created only if it is not there."
        }
        Code::TimesheetGone => {
            "Nothing: it is tried again automatically. If the work log is still there, its timesheet is created again."
        }
        Code::TimesheetClaimed => {
            "Sweep its day: each work log then gets its own timesheet (kimai-sync sweep)."
        }
        Code::KimaiLostData => {
            "If the wrong backup was restored in Kimai, stop the service and restore the right one. Otherwise run a \
             sweep as a dry run, read its findings, and confirm it with its key: the links are rebuilt."
        }
        Code::TokenSeesTooLittle => {
            "Give the API token's user a role that sees everybody's timesheets, like Administrator; kimai-sync doctor \
             says what it lacks."
        }
        Code::TriplestoreUnavailable => {
            "Nothing while it passes: it is tried again automatically. If it lasts, check that the triplestore runs and \
             that MU_SPARQL_ENDPOINT is its address; kimai-sync doctor tries it."
        }
        Code::TriplestoreRefusedWrite => {
            "Change config/authorization/config.lisp as the message says, then restart the database and try again."
        }
        Code::TriplestoreFailed => {
            "Nothing while it passes: it is tried again automatically. If it lasts, look at the log of the database."
        }
        Code::TriplestoreUnreadable => {
            "Check that MU_SPARQL_ENDPOINT is the address of a SPARQL endpoint, without a page or login in between."
        }
        Code::TriplestoreIncomplete => {
            "Nothing while it passes: it is read again automatically. If it lasts, check the limits on rows of the \
             database."
        }
        Code::TurnedAway => "Nothing: it is tried again automatically.",
        Code::StorageUnavailable => {
            "Free some disk space, and let the service write its data directory; kimai-sync doctor tries it."
        }
        Code::Cancelled => "Nothing. Start it again if you still need it.",
        _ => return None,
    })
}

/// The part of the document between its marks.
fn listed() -> String {
    let mut text = String::new();
    for (area, title) in SECTIONS {
        let _ = write!(text, "\n## {title}\n\n| code | what it means | what helps |\n| --- | --- | --- |\n");
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
