//! Probes the triplestore itself: what its scope shows, and whether it can be written.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::period::within;
use super::refusal::prefix_of;
use super::statement::{Iri, Literal};
use super::vocabulary::PREFIXES;
use super::{Row, Term, Triplestore, TriplestoreFault};
use crate::domain::work_log::Facts;

/// The property of the test triple. No delta rule of the service matches it, and no service reads it.
const PROBE: &str = "http://mu.semte.ch/vocabularies/ext/kimaiSyncDoctor";
/// After this long, a test triple counts as left over.
const STALE: SignedDuration = SignedDuration::from_hours(1);
/// The most persons and tasks checked; stores truncate answers at ten times that.
const MOST: usize = 1_000;

/// The most prefixes of work logs that are tested.
pub const MOST_PREFIXES: usize = 10;

/// What the scope shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one kind of thing whether any is to be seen")]
pub struct View {
    /// Anything at all.
    pub anything: bool,
    /// A work log.
    pub work_logs: bool,
    /// A Kimai activity: they are imported.
    pub activities: bool,
    /// A person.
    pub persons: bool,
    /// A Kimai account: they are imported.
    pub accounts: bool,
}

/// The result of a test write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It was stored, and removed afterwards.
    Well,
    /// It was acknowledged and not stored.
    NotStored,
    /// Its removal was acknowledged, but it still exists.
    NotRemoved,
}

/// Probes a triplestore.
#[derive(Clone)]
pub struct Probe {
    store: Arc<dyn Triplestore>,
    homepage: Iri,
    /// The usual prefix of work logs.
    usual: String,
}

/// A test write under one prefix of work logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The prefix.
    pub prefix: String,
    /// Whether any work log has it.
    pub in_use: bool,
    /// The result.
    pub result: Result<Written, TriplestoreFault>,
}

impl Probe {
    /// Whether it is the triplestore of a stack, see [`Triplestore::is_of_a_stack`].
    pub fn is_of_a_stack(&self) -> bool {
        self.store.is_of_a_stack()
    }

    /// Probes `store`. Kimai accounts have this service homepage; work logs begin with `base_uri`.
    pub fn new(store: Arc<dyn Triplestore>, homepage: Iri, base_uri: &str) -> Result<Self, TriplestoreFault> {
        let usual = format!("{}/work-logs/", base_uri.trim_end_matches('/'));
        subject(&usual)?;
        Ok(Self { store, homepage, usual })
    }

    /// The prefixes of the existing work logs, at most [`MOST_PREFIXES`]. Searches for a work log with none of the
    /// known prefixes until there is none: that scans all work logs, but returns no rows.
    pub async fn prefixes(&self) -> Result<BTreeSet<String>, TriplestoreFault> {
        let mut known = BTreeSet::new();
        while known.len() < MOST_PREFIXES {
            let others: Vec<String> = known
                .iter()
                .map(|prefix| format!("!STRSTARTS(STR(?s), {})", Literal::string(prefix)))
                .collect();
            let filter =
                if others.is_empty() { String::new() } else { format!("FILTER ({})", others.join(" && ")) };
            let rows = self.select(format!("SELECT ?s WHERE {{ ?s a cal:Vevent {filter} }} LIMIT 1")).await?;
            let Some(prefix) = rows.first().and_then(|row| row.get("s")?.as_iri()).map(prefix_of) else {
                break;
            };
            if !known.insert(prefix.to_owned()) {
                break;
            }
        }
        Ok(known)
    }

    /// Writes under each prefix of work logs, and under the usual one: what is left of a deleted work log has no class,
    /// so only its prefix tells sparql-parser that its link may be removed.
    pub async fn trials(&self, now: Timestamp) -> Result<Vec<Trial>, TriplestoreFault> {
        let in_use = self.prefixes().await?;
        let mut all = in_use.clone();
        all.insert(self.usual.clone());
        let mut trials = Vec::new();
        for prefix in all {
            let result = match subject(&prefix) {
                Ok(subject) => self.write(&subject, now).await,
                Err(fault) => Err(fault),
            };
            trials.push(Trial { in_use: in_use.contains(&prefix), prefix, result });
        }
        Ok(trials)
    }

    /// What the scope shows.
    pub async fn view(&self) -> Result<View, TriplestoreFault> {
        let homepage = &self.homepage;
        Ok(View {
            anything: self.any("?s ?p ?o").await?,
            work_logs: self.any("?s a cal:Vevent").await?,
            activities: self.any("?s a ext:KimaiActivity").await?,
            persons: self.any("?s a foaf:Person").await? || self.any("?s foaf:account ?account").await?,
            accounts: self.any(&format!("?s foaf:accountServiceHomepage {homepage}")).await?,
        })
    }

    /// The tasks and persons of the work logs from `first` to `last`, as the facts of a single work log, and whether
    /// there are more than were read.
    pub async fn in_use(&self, first: Date, last: Date) -> Result<(Facts, bool), TriplestoreFault> {
        let mut facts = Facts::default();
        let sets = [("dct:subject", &mut facts.tasks), ("prov:wasAssociatedWith", &mut facts.persons)];
        let mut more = false;
        for (property, set) in sets {
            let rows = self.select(format!(
                "SELECT DISTINCT ?o WHERE {{ ?s a cal:Vevent ; cal:dtstart ?day ; {property} ?o . {} }} ORDER BY ?o LIMIT {MOST}",
                within(first, last)
            ));
            set.extend(rows.await?.iter().filter_map(|row| row.get("o")).map(|term| term.value().to_owned()));
            more |= set.len() >= MOST;
        }
        Ok((facts, more))
    }

    /// Writes a test triple, looks for it, removes it, and looks again. Also removes triples left over by a test that
    /// was killed.
    async fn write(&self, subject: &Iri, now: Timestamp) -> Result<Written, TriplestoreFault> {
        // Unique, since two tests may run concurrently.
        let mark = format!("{now:.0} {}", uuid::Uuid::new_v4());
        let stale = now.checked_sub(STALE).unwrap_or(Timestamp::MIN);
        let text = Literal::string(mark.as_str());
        let stale = Literal::string(format!("{stale:.0}"));
        self.store.update(&format!("INSERT DATA {{ {subject} <{PROBE}> {text} }}")).await?;
        if !self.holds(subject, &mark).await? {
            return Ok(Written::NotStored);
        }
        self.store
            .update(&format!(
                "DELETE {{ {subject} <{PROBE}> ?mark }} WHERE {{ {subject} <{PROBE}> ?mark . FILTER (STR(?mark) = {text} || STR(?mark) < {stale}) }}"
            ))
            .await?;
        Ok(if self.holds(subject, &mark).await? { Written::NotRemoved } else { Written::Well })
    }

    async fn holds(&self, subject: &Iri, mark: &str) -> Result<bool, TriplestoreFault> {
        let rows = self.select(format!("SELECT ?mark WHERE {{ {subject} <{PROBE}> ?mark }}")).await?;
        Ok(rows.iter().filter_map(|row| row.get("mark")).map(Term::value).any(|found| found == mark))
    }

    async fn any(&self, pattern: &str) -> Result<bool, TriplestoreFault> {
        Ok(!self.select(format!("SELECT ?s WHERE {{ {pattern} }} LIMIT 1")).await?.is_empty())
    }

    async fn select(&self, query: String) -> Result<Vec<Row>, TriplestoreFault> {
        self.store.select(&format!("{PREFIXES}{query}")).await
    }
}

/// The subject of the test triple: named like a work log, since those may be written.
fn subject(prefix: &str) -> Result<Iri, TriplestoreFault> {
    Iri::new(format!("{prefix}kimai-sync-doctor"))
        .map_err(|fault| TriplestoreFault::Refused(fault.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triplestore::embedded::Embedded;

    fn probe(store: &Arc<Embedded>) -> Probe {
        Probe::new(store.clone(), Iri::new("http://kimai").unwrap(), "http://x/").unwrap()
    }

    #[tokio::test]
    async fn what_a_killed_one_left_goes_and_what_another_is_about_to_remove_stays() {
        let store = Arc::new(Embedded::in_memory().unwrap());
        let (probe, now) = (probe(&store), "2024-09-02T12:00:00Z".parse().unwrap());
        let subject = subject(&probe.usual).unwrap();
        for mark in ["2024-09-02T10:59:59Z left", "2024-09-02T11:59:59Z under way"] {
            store.update(&format!("INSERT DATA {{ {subject} <{PROBE}> \"{mark}\" }}")).await.unwrap();
        }
        assert_eq!(probe.write(&subject, now).await, Ok(Written::Well));
        assert!(!probe.holds(&subject, "2024-09-02T10:59:59Z left").await.unwrap());
        assert!(probe.holds(&subject, "2024-09-02T11:59:59Z under way").await.unwrap());
        let all = store.select("SELECT ?s WHERE { ?s ?p ?o }").await.unwrap();
        assert_eq!(all.len(), 1);
    }

    #[tokio::test]
    async fn every_prefix_that_work_logs_have_is_found_and_written_under() {
        let store = Arc::new(Embedded::in_memory().unwrap());
        let probe = probe(&store);
        assert_eq!(probe.prefixes().await.unwrap().len(), 0);
        for log in [
            "http://x/work-logs/1",
            "http://x/work-logs/2",
            "http://old/logs#1",
            "http://old/a/b/c",
            "urn:log:7",
        ] {
            let class = crate::domain::work_log::VEVENT;
            store
                .update(&format!("INSERT DATA {{ <{log}> a <{class}> . <{log}> <http://x/p> 1 }}"))
                .await
                .unwrap();
        }
        let trials = probe.trials("2024-09-02T12:00:00Z".parse().unwrap()).await.unwrap();
        let found: Vec<&str> = trials.iter().map(|trial| trial.prefix.as_str()).collect();
        assert_eq!(found, ["http://old/a/b/", "http://old/logs#", "http://x/work-logs/", "urn:log:"]);
        assert!(trials.iter().all(|trial| trial.in_use && trial.result == Ok(Written::Well)), "{trials:?}");
        assert_eq!(store.len().unwrap(), 10, "nothing is left behind");
        for n in 0..MOST_PREFIXES {
            let class = crate::domain::work_log::VEVENT;
            store.update(&format!("INSERT DATA {{ <http://y/{n}/log> a <{class}> }}")).await.unwrap();
        }
        assert_eq!(probe.prefixes().await.unwrap().len(), MOST_PREFIXES);
    }
}
