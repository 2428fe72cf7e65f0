//! Checks the triplestore, and whether its work logs have what they need to be synced.

use super::check::{Check, Topic, some};
use super::{Asked, Doctor, limited};
use crate::domain::Values;
use crate::domain::work_log::{Directory, Facts, Obstacle, resolve};
use crate::reconcile::sweep::Period;
use crate::text::sentence;
use crate::triplestore::TriplestoreFault;
use crate::triplestore::probe::{Trial, View, Written};
use crate::triplestore::refusal::type_for_prefix;
use crate::work_logs::SourceFault;

pub(super) const TRIPLESTORE: Topic = Topic("triplestore", "Triplestore");
const VIEW: Topic = Topic("view", "View of the triplestore");
const WRITE: Topic = Topic("write", "Writing to the triplestore");
const PERSONS: Topic = Topic("persons", "People");
const ACTIVITIES: Topic = Topic("activities", "Tasks");

const SEE_TRIPLESTORE: &str = "Fix the check of the triplestore first.";

impl Doctor {
    pub(super) async fn triplestore(&self) -> Check {
        match limited(self.target.work_logs.has_any()).await {
            Ok(_) => TRIPLESTORE.well("It answers."),
            Err(why) => of_silence(&why, self.target.probe.is_of_a_stack()),
        }
    }

    pub(super) async fn view(&self) -> Check {
        match limited(self.target.probe.view()).await {
            Ok(view) if self.target.probe.is_of_a_stack() => of_view(view, self.given.scope.as_deref()),
            Ok(View { anything: false, .. }) => VIEW.trouble("It is empty.", IN_STANDALONE),
            Ok(view) => in_standalone(of_view(view, None)),
            Err(why) => VIEW.unknown(sentence(&why), SEE_TRIPLESTORE),
        }
    }

    pub(super) async fn write(&self) -> Check {
        let now = self.target.clock.now();
        match tokio::time::timeout(super::LIMIT, self.target.probe.trials(now)).await {
            Ok(Ok(trials)) if self.target.probe.is_of_a_stack() => {
                of_writing(&trials, self.given.scope.as_deref())
            }
            Ok(Ok(trials)) => in_standalone(of_writing(&trials, None)),
            Ok(Err(fault)) => WRITE.unknown(sentence(&fault.to_string()), SEE_TRIPLESTORE),
            Err(_) => WRITE.unknown("No answer in time.", SEE_TRIPLESTORE),
        }
    }

    pub(super) async fn persons(&self, asked: &Asked) -> Check {
        match self.used(asked).await {
            Ok(used) => used.persons(self.given.days),
            Err(why) => PERSONS.unknown(sentence(why), SEE_TRIPLESTORE),
        }
    }

    pub(super) async fn activities(&self, asked: &Asked) -> Check {
        match self.used(asked).await {
            Ok(used) => used.activities(self.given.days),
            Err(why) => ACTIVITIES.unknown(sentence(why), SEE_TRIPLESTORE),
        }
    }

    async fn used<'a>(&self, asked: &'a Asked) -> &'a Result<InUse, String> {
        asked.in_use.get_or_init(|| limited(self.in_use())).await
    }

    /// The persons and tasks of the work logs that a scheduled sweep covers.
    async fn in_use(&self) -> Result<InUse, SourceFault> {
        let Period { first, last } = Period::around(self.target.clock.today(), self.given.days);
        let (facts, more) = self.target.probe.in_use(first, last).await?;
        let directory = self.target.work_logs.directory(&[&facts]).await?;
        Ok(InUse { facts, directory, more })
    }
}

fn named(scope: Option<&str>) -> String {
    scope.map_or_else(|| "not set".to_owned(), |scope| format!("'{scope}'"))
}

fn of_view(view: View, scope: Option<&str>) -> Check {
    let scope = named(scope);
    if !view.anything {
        return VIEW.trouble(
            "It returns nothing for every query, as with a wrong scope.",
            format!(
                "Make DEFAULT_MU_AUTH_SCOPE, which is {scope}, identical to with-scope in \
                 config/authorization/config.lisp, unless the triplestore is really empty."
            ),
        );
    }
    if !view.persons {
        return VIEW.trouble(
            "No people are visible, so no work log leads to a Kimai user.",
            format!(
                "Grant the scope {scope} read access to the graph of persons and their accounts (users)."
            ),
        );
    }
    if !view.activities || !view.accounts {
        let what = match (view.activities, view.accounts) {
            (false, false) => "activities or accounts",
            (false, true) => "activities",
            _ => "accounts",
        };
        return VIEW.trouble(
            format!("There are no Kimai {what}."),
            format!(
                "Import them (kimai-sync import). If that was done, grant the scope {scope} access to their \
                graph (kimai), and check KIMAI_ACCOUNT_SERVICE_HOMEPAGE."
            ),
        );
    }
    if !view.work_logs {
        return VIEW.warning(
            "No work logs are visible.",
            format!("If there should be some, grant the scope {scope} access to their graph (timesheet)."),
        );
    }
    VIEW.well("Work logs, people, activities and accounts are visible.")
}

pub(super) fn of_silence(why: &str, in_a_stack: bool) -> Check {
    let help = if in_a_stack {
        "Check that it is running, and that MU_SPARQL_ENDPOINT is its address."
    } else {
        "Check the directory of --data, its disk, and the log of the service."
    };
    TRIPLESTORE.trouble(sentence(why), help)
}

/// The fix for the embedded triplestore, where no scope hides anything.
const IN_STANDALONE: &str = "Import from Kimai (kimai-sync import) and write the rest to /sparql, or load files \
    with --load. If writing fails, check the directory of --data and its disk.";

fn in_standalone(check: Check) -> Check {
    let help = check.help.is_some().then(|| IN_STANDALONE.to_owned());
    Check { help, ..check }
}

/// The worst result of the test writes.
fn of_writing(trials: &[Trial], scope: Option<&str>) -> Check {
    let scope = named(scope);
    let lacking: Vec<&Trial> = trials.iter().filter(|trial| is_not_writable(&trial.result)).collect();
    if let Some(check) = of_prefixes(trials, &lacking, &scope) {
        return check;
    }
    let well = |trial: &&Trial| trial.result != Ok(Written::Well);
    match trials.iter().find(well).map(|trial| &trial.result) {
        None => {
            WRITE.well(format!("A test triple could be written, read and removed ({}).", prefixes(trials)))
        }
        Some(Ok(Written::NotStored)) => WRITE.trouble(
            "It accepted a test triple and did not store it.",
            format!(
                "Grant the scope {scope} write access to work logs (read write, graph timesheet), and check \
                the log of the database."
            ),
        ),
        Some(Ok(_)) => WRITE.trouble(
            "It accepted the removal of a test triple and did not remove it.",
            "Check the log of the database; Virtuoso may have too little disk space, or be in a checkpoint.",
        ),
        Some(Err(fault @ TriplestoreFault::Refused(_))) => WRITE.trouble(
            sentence(&fault.to_string()),
            format!("Grant the scope {scope} write access to work logs in config/authorization/config.lisp."),
        ),
        Some(Err(fault)) => WRITE.unknown(sentence(&fault.to_string()), SEE_TRIPLESTORE),
    }
}

fn is_not_writable(result: &Result<Written, TriplestoreFault>) -> bool {
    matches!(result, Err(TriplestoreFault::Refused(refusal)) if refusal.is_not_writable())
}

/// The check if writes under the `lacking` prefixes are refused; none if there are none.
fn of_prefixes(trials: &[Trial], lacking: &[&Trial], scope: &str) -> Option<Check> {
    let worst: Vec<&&Trial> = lacking.iter().filter(|trial| trial.in_use).collect();
    let in_use = trials.iter().any(|trial| trial.in_use);
    let named: Vec<String> = lacking.iter().map(|trial| trial.prefix.clone()).collect();
    let lines: Vec<String> = lacking.iter().map(|trial| type_for_prefix(&trial.prefix)).collect();
    let (first, all) = (named.first()?, lacking.len() == trials.len());
    let grant = if all {
        format!(
            " If it is there already, grant the scope {scope} write access to work logs (read write, graph timesheet)."
        )
    } else {
        String::new()
    };
    let help = format!(
        "Add to config/authorization/config.lisp, under (in-package :type-cache): {} Then restart the database.{grant}",
        lines.join(" ")
    );
    Some(if in_use && worst.is_empty() {
        WRITE.warning(
            format!("No graph accepts writes under {first}, which no work log begins with yet."),
            help,
        )
    } else {
        let what = format!(
            "No graph accepts writes under {}: links of deleted work logs remain there.",
            some(&named)
        );
        WRITE.trouble(what, help)
    })
}

fn prefixes(trials: &[Trial]) -> String {
    some(&trials.iter().map(|trial| trial.prefix.clone()).collect::<Vec<_>>())
}

/// The persons and tasks of the work logs around today.
pub(super) struct InUse {
    facts: Facts,
    directory: Directory,
    more: bool,
}

impl InUse {
    /// The obstacles for an otherwise complete work log with this task and person.
    fn obstacles(&self, tasks: Values, persons: Values) -> Vec<Obstacle> {
        let (days, durations) = (Values::only("2024-09-02"), Values::only("PT1H"));
        let facts = Facts { durations, days, tasks, persons, ..Facts::default() };
        resolve(&facts, &self.directory).err().unwrap_or_default()
    }

    fn persons(&self, days: i64) -> Check {
        let one = |person: &String| self.obstacles(Values::default(), Values::only(person));
        let (mut missing, mut several) = (Vec::new(), Vec::new());
        for obstacle in self.facts.persons.iter().flat_map(one) {
            match obstacle {
                Obstacle::NoAccount(person) => missing.push(person),
                Obstacle::AccountAmbiguous(person, _) => several.push(person),
                _ => {}
            }
        }
        let all = self.count(self.facts.persons.len());
        let (mut says, mut help) = (Vec::new(), Vec::new());
        if !missing.is_empty() {
            let named = some(&missing);
            says.push(format!(
                "{} of {all} people with work logs have no Kimai account: {named}.",
                missing.len()
            ));
            help.push(
                "Link each to their Kimai account, where people are managed. If accounts are missing there, \
                 import them first (kimai-sync import accounts).",
            );
        }
        if !several.is_empty() {
            let named = some(&several);
            says.push(format!(
                "{} of {all} people with work logs have several Kimai accounts: {named}.",
                several.len()
            ));
            help.push("Keep each linked to one Kimai account only, the one their hours belong to.");
        }
        if says.is_empty() {
            return PERSONS.well(format!(
                "All {all} people with work logs of the last and next {days} days have one Kimai account."
            ));
        }
        PERSONS.warning(says.join(" "), help.join(" "))
    }

    fn activities(&self, days: i64) -> Check {
        let one = |task: &String| self.obstacles(Values::only(task), Values::default());
        let bad =
            self.facts.tasks.iter().flat_map(one).filter(|obstacle| !matches!(obstacle, Obstacle::Lacks(_)));
        let bad: Vec<String> = bad.map(|obstacle| obstacle.to_string()).collect();
        let all = self.count(self.facts.tasks.len());
        if bad.is_empty() {
            return ACTIVITIES.well(format!(
                "All {all} tasks with work logs of the last and next {days} days lead to a Kimai activity."
            ));
        }
        ACTIVITIES.warning(
            format!("{} of {all} tasks with work logs do not lead to a Kimai activity: {}.", bad.len(), some(&bad)),
            "Import tasks (kimai-sync import tasks); for those that remain, choose Kimai activities that belong \
             to a project.",
        )
    }

    fn count(&self, number: usize) -> String {
        if self.more { format!("the first {number}") } else { number.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;
    use crate::triplestore::Refusal;
    use crate::triplestore::refusal::RefusalKind;

    #[test]
    fn each_gap_in_the_view_leads_to_its_mend() {
        let whole = View { anything: true, work_logs: true, activities: true, persons: true, accounts: true };
        let table = [
            (whole, Health::Well, ""),
            (
                View { anything: false, ..whole },
                Health::Trouble,
                "DEFAULT_MU_AUTH_SCOPE, which is 'http://x', identical",
            ),
            (View { persons: false, ..whole }, Health::Trouble, "(users)"),
            (View { activities: false, ..whole }, Health::Trouble, "Import them"),
            (View { accounts: false, ..whole }, Health::Trouble, "KIMAI_ACCOUNT_SERVICE_HOMEPAGE"),
            (View { work_logs: false, ..whole }, Health::Warning, "(timesheet)"),
        ];
        for (view, verdict, help) in table {
            let check = of_view(view, Some("http://x"));
            assert_eq!(check.verdict, verdict, "{view:?}");
            let said = check.help.unwrap_or_default();
            assert!(said.contains(help) && said.is_empty() == help.is_empty(), "{view:?}: {said}");
        }
        let without = View { anything: false, ..whole };
        assert!(of_view(without, None).help.unwrap().contains("which is not set"));
    }

    #[test]
    fn a_refused_write_is_told_from_a_silent_triplestore() {
        let trial = |prefix: &str, in_use, result| Trial { prefix: prefix.to_owned(), in_use, result };
        let usual = |result| trial("http://x/work-logs/", true, result);
        let unwritten = || {
            let kind = RefusalKind::NotWritable { subject: None, removal: false };
            Err(TriplestoreFault::Refused(Refusal::of(kind, "it answered 500: #<UNWRITTEN-DATA-ERROR")))
        };
        let transient = |words: &str| Err(TriplestoreFault::Transient(words.to_owned()));
        let table = [
            (vec![usual(Ok(Written::Well))], Health::Well, ""),
            (vec![usual(Ok(Written::NotStored))], Health::Trouble, "write access"),
            (vec![usual(Ok(Written::NotRemoved))], Health::Trouble, "log of the database"),
            (
                vec![usual(unwritten())],
                Health::Trouble,
                r#"(add-type-for-prefix "http://x/work-logs/" "http://www.w3.org/2002/12/cal/ical#Vevent")"#,
            ),
            (
                vec![trial("http://old/", true, unwritten()), usual(Ok(Written::Well))],
                Health::Trouble,
                r#"(add-type-for-prefix "http://old/" "#,
            ),
            (
                vec![
                    trial("http://old/", true, Ok(Written::Well)),
                    trial("http://x/work-logs/", false, unwritten()),
                ],
                Health::Warning,
                r#"(add-type-for-prefix "http://x/work-logs/" "#,
            ),
            (
                vec![trial("http://x/work-logs/", false, unwritten())],
                Health::Trouble,
                "If it is there already, grant",
            ),
            (
                vec![usual(Err(TriplestoreFault::Refused("it answered 400".into())))],
                Health::Trouble,
                "write access",
            ),
            (vec![usual(transient("it answered 500"))], Health::Unknown, "Fix the check"),
            (vec![usual(transient("connection refused"))], Health::Unknown, "Fix the check"),
        ];
        for (trials, verdict, help) in table {
            let check = of_writing(&trials, None);
            assert_eq!(check.verdict, verdict, "{trials:?}");
            assert!(check.help.unwrap_or_default().contains(help), "{trials:?}");
        }
    }
}
