//! The sample company: who works there, for whom, on what, and what they did in the last two months.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::trackers::kimai::sandbox::{Role, Sandbox};
use crate::triplestore::statement::{Iri, Literal, StatementFault, Triples};
use crate::triplestore::vocabulary::{cal, dct, foaf, mu, prov, rdf};

/// The token of the Kimai user that syncs.
pub(super) const TOKEN: &str = "demo-token";
/// The base of the IRIs of the demo's data.
const BASE: &str = "http://timekeeper.redpencil.io";
/// How far back work was registered.
const DAYS: i64 = 61;

/// Login in Kimai and name in the triplestore.
const PEOPLE: [(&str, &str); 6] = [
    ("anna", "Anna Peeters"),
    ("bart", "Bart Maes"),
    ("chloe", "Chloé Dubois"),
    ("dimi", "Dimitri Claes"),
    ("eva", "Eva Wouters"),
    ("filip", "Filip De Smet"),
];

/// Customer, its projects, and the activities of each.
type Projects = &'static [(&'static str, &'static [&'static str])];
const CUSTOMERS: [(&str, Projects); 4] = [
    (
        "ACME Rockets nv",
        &[("Launch pad", &["Analysis", "Development", "Support"]), ("Web shop", &["Design", "Development"])],
    ),
    ("Stad Gent", &[("Open data", &["Development", "Data modelling", "Meetings"])]),
    ("Brouwerij Ter Dolen", &[("Stock app", &["Analysis", "Development"]), ("Training", &["Workshops"])]),
    ("Internal", &[("Holiday", &["Vacation", "Public holiday"]), ("Office", &["Administration", "Hiring"])]),
];

/// Fills an empty Kimai.
pub(super) fn found(kimai: &Sandbox) {
    kimai.add_user("sync", "UTC", Role::SuperAdmin, Some(TOKEN));
    for (login, _) in PEOPLE {
        kimai.add_user(login, "Europe/Brussels", Role::User, None);
    }
    for (customer, projects) in CUSTOMERS {
        let customer = kimai.add_customer(customer);
        for (project, activities) in projects {
            let project = kimai.add_project(project, customer);
            for activity in *activities {
                kimai.add_activity(activity, Some(project));
            }
        }
    }
}

/// The IRI of the nth person.
pub(super) fn person(number: usize) -> Result<Iri, StatementFault> {
    Iri::new(format!("{BASE}/persons/{}", number + 1))
}

/// The name of the nth person.
pub(super) fn name(number: usize) -> &'static str {
    PEOPLE.get(number).map_or("someone", |(_, name)| name)
}

/// How many people there are.
pub(super) const fn head_count() -> usize {
    PEOPLE.len()
}

/// The people in the triplestore, each with the account that the import created for their login.
pub(super) fn people(accounts: &[(String, Iri)]) -> Result<Triples, StatementFault> {
    let mut triples = Triples::new();
    for (number, (login, name)) in PEOPLE.into_iter().enumerate() {
        let person = person(number)?;
        triples.add(&person, rdf::TYPE, Iri::known(foaf::PERSON))?;
        triples.add(&person, foaf::NAME, Literal::string(name))?;
        for (_, account) in accounts.iter().filter(|(known, _)| known == login) {
            triples.add(&person, foaf::ACCOUNT, account.clone())?;
        }
    }
    Ok(triples)
}

/// One work log, as a person fills it in.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) work_log: Iri,
    pub(super) id: String,
    pub(super) person: usize,
    pub(super) task: Iri,
    pub(super) day: Date,
    pub(super) duration: String,
}

impl Entry {
    /// A new work log of a person and day, with one of `tasks`.
    pub(super) fn new(
        rng: &mut impl Rng,
        tasks: &[Iri],
        person: usize,
        day: Date,
    ) -> Result<Self, StatementFault> {
        let id = format!("{:024X}", rng.random::<u128>() >> 32);
        let task = tasks.choose(rng).ok_or_else(|| StatementFault::NotAnIri("no tasks".into()))?.clone();
        let work_log = Iri::new(format!("{BASE}/work-logs/{id}"))?;
        Ok(Self { work_log, id, person, task, day, duration: duration(rng) })
    }

    /// Its triples, as mu-cl-resources writes them.
    pub(super) fn triples(&self, triples: &mut Triples) -> Result<(), StatementFault> {
        triples.add(&self.work_log, rdf::TYPE, Iri::known(cal::VEVENT))?;
        triples.add(&self.work_log, mu::UUID, Literal::string(&self.id))?;
        triples.add(&self.work_log, cal::DURATION, Literal::string(&self.duration))?;
        triples.add(&self.work_log, cal::DTSTART, Literal::date(self.day))?;
        triples.add(&self.work_log, dct::SUBJECT, self.task.clone())?;
        triples.add(&self.work_log, prov::WAS_ASSOCIATED_WITH, person(self.person)?)?;
        Ok(())
    }
}

/// Some hours and quarters.
pub(super) fn duration(rng: &mut impl Rng) -> String {
    let (hours, minutes) = (rng.random_range(1..=8), [0, 15, 30, 45].choose(rng).copied().unwrap_or(0));
    if minutes == 0 { format!("PT{hours}H") } else { format!("PT{hours}H{minutes}M") }
}

/// The work logs of everybody on the working days of the two months up to `today`.
pub(super) fn history(rng: &mut impl Rng, tasks: &[Iri], today: Date) -> Result<Vec<Entry>, StatementFault> {
    let mut entries = Vec::new();
    for back in (0..DAYS).rev() {
        let day = today.checked_sub(back.days()).unwrap_or(today);
        if matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            continue;
        }
        for person in 0..PEOPLE.len() {
            for _ in 0..rng.random_range(1..=2) {
                entries.push(Entry::new(rng, tasks, person, day)?);
            }
        }
    }
    Ok(entries)
}
