//! What the work logs should be, and whether both sides agree with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use kimai_sync::trackers::kimai::sandbox::StoredTimesheet;
use kimai_sync::triplestore::Row;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use serde_json::{Value, json};

const CAL: &str = "http://www.w3.org/2002/12/cal/ical#";
const TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";
const PREFIXES: &str =
    "PREFIX cal: <http://www.w3.org/2002/12/cal/ical#> PREFIX dct: <http://purl.org/dc/terms/>
    PREFIX prov: <http://www.w3.org/ns/prov#> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
    PREFIX mu: <http://mu.semte.ch/vocabularies/core/> ";

/// One in so many work logs is of today, where a sweep looks.
const TODAY: f64 = 0.15;

/// What is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Booking {
    day: Date,
    minutes: i64,
    /// The id in Kimai.
    activity: u64,
    /// The id in Kimai.
    user: u64,
}

/// What may happen to work logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Create,
    /// Two that are equal in all they hold, at once.
    CreateTwins,
    Update,
    Delete,
    /// One that was deleted is there again.
    Revive,
}

/// The work logs as their users left them.
pub(super) struct World {
    today: Date,
    /// Every work log that ever was; nothing for one that is deleted.
    pub(super) work_logs: BTreeMap<String, Option<Booking>>,
    /// Those of which the last change was not acknowledged yet.
    pub(super) unacknowledged: BTreeSet<String>,
}

impl World {
    pub(super) fn new(today: Date) -> Self {
        Self { today, work_logs: BTreeMap::new(), unacknowledged: BTreeSet::new() }
    }

    pub(super) fn today(&self) -> Date {
        self.today
    }

    pub(super) fn live(&self) -> usize {
        self.work_logs.values().flatten().count()
    }

    fn booking(&self, rng: &mut StdRng) -> Booking {
        let day = if rng.random_bool(TODAY) {
            self.today
        } else {
            jiff::civil::date(2024, 3, 1).checked_add(rng.random_range(0..20).days()).unwrap()
        };
        Booking {
            day,
            minutes: rng.random_range(1..=600),
            activity: rng.random_range(1..=2),
            user: rng.random_range(2..=3),
        }
    }

    /// Changes something, and gives the work logs that changed.
    pub(super) fn change(&mut self, change: Change, rng: &mut StdRng) -> Vec<String> {
        let live = |world: &Self, wanted: bool, rng: &mut StdRng| {
            let found = world.work_logs.iter().filter(|(_, booking)| booking.is_some() == wanted);
            found.map(|(uri, _)| uri.clone()).choose(rng)
        };
        let booking = self.booking(rng);
        let fresh =
            |world: &Self, more: usize| format!("http://x/work-logs/{}", world.work_logs.len() + 1 + more);
        let changed = match change {
            Change::Create => vec![(fresh(self, 0), Some(booking))],
            Change::CreateTwins => vec![(fresh(self, 0), Some(booking)), (fresh(self, 1), Some(booking))],
            Change::Update => {
                let uri = live(self, true, rng).unwrap_or_else(|| fresh(self, 0));
                let before = self.work_logs.get(&uri).copied().flatten();
                // Most changes are of the duration only.
                let minutes = booking.minutes;
                let some =
                    before.filter(|_| rng.random_bool(0.7)).map(|before| Booking { minutes, ..before });
                vec![(uri, some.or(Some(booking)))]
            }
            Change::Delete => match live(self, true, rng) {
                Some(uri) => vec![(uri, None)],
                None => vec![(fresh(self, 0), Some(booking))],
            },
            Change::Revive => match live(self, false, rng) {
                Some(uri) => vec![(uri, Some(booking))],
                None => vec![(fresh(self, 0), Some(booking))],
            },
        };
        let uris: Vec<String> = changed.iter().map(|(uri, _)| uri.clone()).collect();
        self.unacknowledged.extend(uris.iter().cloned());
        self.work_logs.extend(changed);
        uris
    }

    /// The update that makes these as they should be, however often it is made. What is deleted keeps its
    /// Kimai id, as mu-cl-resources does not know of that.
    pub(super) fn statement(&self, uris: &[String]) -> String {
        let mut all = PREFIXES.to_owned();
        for uri in uris {
            let _ = writeln!(
                all,
                "DELETE {{ <{uri}> ?p ?o }} WHERE {{ <{uri}> ?p ?o . FILTER (?p != dct:identifier) }} ;"
            );
            if let Some(Booking { day, minutes, activity, user }) = self.work_logs.get(uri).copied().flatten()
            {
                let _ = write!(
                    all,
                    "INSERT DATA {{ <{uri}> a cal:Vevent ; mu:uuid \"{uri}\" ; cal:duration \"PT{minutes}M\" ;
                       cal:dtstart \"{day}\"^^xsd:date ; dct:subject <http://x/tasks/{activity}> ;
                       prov:wasAssociatedWith <http://x/persons/{user}> }} ;\n"
                );
            }
        }
        all
    }

    /// What the delta-notifier would say of these.
    pub(super) fn delta(&self, uris: &[String]) -> Value {
        let iri = |value: &str| json!({ "type": "uri", "value": value });
        let (mut inserts, mut deletes) = (Vec::new(), Vec::new());
        for uri in uris {
            let class = json!({ "subject": iri(uri), "predicate": iri(TYPE), "object": iri(&format!("{CAL}Vevent")),
                "graph": iri("http://mu.semte.ch/graphs/redpencil") });
            match self.work_logs.get(uri).copied().flatten() {
                None => deletes.push(class),
                Some(booking) => {
                    inserts.push(json!({ "subject": iri(uri), "predicate": iri(&format!("{CAL}duration")),
                    "object": { "type": "literal", "value": format!("PT{}M", booking.minutes) },
                    "graph": iri("http://mu.semte.ch/graphs/redpencil") }));
                }
            }
        }
        json!([{ "inserts": inserts, "deletes": deletes }])
    }
}

/// Asks for all that the triplestore says of work logs.
pub(super) fn question() -> String {
    format!(
        "{PREFIXES} SELECT ?s ?day ?duration ?task ?person ?id WHERE {{
           {{ ?s a cal:Vevent ; cal:dtstart ?day ; cal:duration ?duration ; dct:subject ?task ; prov:wasAssociatedWith ?person
              OPTIONAL {{ ?s dct:identifier ?id }} }}
           UNION {{ ?s dct:identifier ?id FILTER (STRSTARTS(STR(?s), \"http://x/work-logs/\"))
              FILTER NOT EXISTS {{ ?s a cal:Vevent }} }} }}"
    )
}

impl World {
    /// What is wrong between what the users left, the rows of the triplestore and Kimai; nothing when all
    /// is well.
    pub(super) fn faults(&self, rows: &[Row], timesheets: &[StoredTimesheet]) -> Vec<String> {
        let mut faults = Vec::new();
        let mut unclaimed: BTreeMap<String, &StoredTimesheet> =
            timesheets.iter().map(|timesheet| (timesheet.id.to_string(), timesheet)).collect();
        let mut seen = BTreeSet::new();
        for row in rows {
            let text = |name: &str| row.get(name).map_or("", |term| term.value());
            let (uri, id) = (text("s"), text("id"));
            let Some(booking) = self.work_logs.get(uri).copied().flatten() else {
                faults.push(format!("{uri} was deleted, and still has {row:?}"));
                continue;
            };
            if !seen.insert(uri.to_owned()) {
                faults.push(format!("doubled: {uri} has several rows, one with Kimai id {id:?}"));
            }
            let stored = [text("day"), text("duration"), text("task"), text("person")];
            if stored != booking.stored() {
                faults.push(format!(
                    "{uri} is {stored:?} in the triplestore, and was left as {:?}",
                    booking.stored()
                ));
            }
            match unclaimed.remove(id) {
                None if id.is_empty() => faults.push(format!("lost: {uri} has no Kimai id")),
                None => {
                    faults.push(format!("lost: {uri} has Kimai id {id}, which is not there or another's"));
                }
                Some(timesheet) if booking.is(timesheet) => {}
                Some(timesheet) => {
                    faults.push(format!("lost: {uri} should be {booking:?}, and is {timesheet:?}"));
                }
            }
        }
        let lost = self.work_logs.iter().filter(|(uri, booking)| booking.is_some() && !seen.contains(*uri));
        faults.extend(lost.map(|(uri, _)| format!("lost: {uri} is not in the triplestore")));
        faults.extend(unclaimed.values().map(|timesheet| format!("doubled: no work log has {timesheet:?}")));
        faults
    }
}

impl Booking {
    /// As the triplestore has it.
    fn stored(&self) -> [String; 4] {
        let Self { day, minutes, activity, user } = self;
        let task = format!("http://x/tasks/{activity}");
        [day.to_string(), format!("PT{minutes}M"), task, format!("http://x/persons/{user}")]
    }

    /// Whether `timesheet` says the same.
    fn is(&self, timesheet: &StoredTimesheet) -> bool {
        let begin: Timestamp = self.day.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        timesheet.begin == begin
            && timesheet.end == Some(begin + self.minutes.minutes())
            && timesheet.project == 1
            && timesheet.activity == self.activity
            && timesheet.user == self.user
    }
}
