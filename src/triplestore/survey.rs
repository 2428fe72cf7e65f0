//! Questions about the triplestore itself: what its scope shows, and whether it can be written.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::period::within;
use super::statement::{Iri, Literal};
use super::vocabulary::PREFIXES;
use super::{Row, Term, Triplestore, TriplestoreFault};
use crate::domain::work_log::Facts;

/// The property of the triple that is written for a moment. No delta rule of the service names it, no service
/// reads it.
const PROBE: &str = "http://mu.semte.ch/vocabularies/ext/kimaiSyncDoctor";
/// After that nobody removes its own any more.
const STALE: SignedDuration = SignedDuration::from_hours(1);
/// Persons and tasks looked at; a store cuts answers off at ten times that.
const MOST: usize = 1_000;

/// What the scope shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one kind of thing whether any is to be seen")]
pub struct View {
    /// Anything at all.
    pub anything: bool,
    /// A work log.
    pub work_logs: bool,
    /// An activity of Kimai: they are imported.
    pub activities: bool,
    /// A person.
    pub persons: bool,
    /// A Kimai account: they are imported.
    pub accounts: bool,
}

/// How writing went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It was there, and gone afterwards.
    Well,
    /// It was acknowledged and not stored.
    NotStored,
    /// Its removal was acknowledged, and it is still there.
    NotRemoved,
}

/// A triplestore, asked about itself.
#[derive(Clone)]
pub struct Survey {
    store: Arc<dyn Triplestore>,
    homepage: Iri,
    /// The subject of the triple that is written: named like a work log, since those may be written.
    subject: Iri,
}

impl Survey {
    /// Whether it is the triplestore of a stack, see [`Triplestore::is_of_a_stack`].
    pub fn is_of_a_stack(&self) -> bool {
        self.store.is_of_a_stack()
    }

    /// Asks `store`. Accounts of Kimai have this service homepage; work logs begin with `base_uri`.
    pub fn new(store: Arc<dyn Triplestore>, homepage: Iri, base_uri: &str) -> Result<Self, TriplestoreFault> {
        let subject = Iri::new(format!("{base_uri}/work-logs/kimai-sync-doctor"))
            .map_err(|fault| TriplestoreFault::Refused(fault.to_string()))?;
        Ok(Self { store, homepage, subject })
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

    /// The tasks and persons of the work logs from `first` to `last`, as the facts of one; and whether there
    /// are more than were looked at.
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

    /// Writes one triple of no meaning, looks for it, removes it, and looks again. What an earlier one that was
    /// killed on the way left behind goes too.
    pub async fn write(&self, now: Timestamp) -> Result<Written, TriplestoreFault> {
        // Of its own each time: two may be at work at once.
        let mark = format!("{now:.0} {}", uuid::Uuid::new_v4());
        let stale = now.checked_sub(STALE).unwrap_or(Timestamp::MIN);
        let (subject, text) = (&self.subject, Literal::string(mark.as_str()));
        let stale = Literal::string(format!("{stale:.0}"));
        self.store.update(&format!("INSERT DATA {{ {subject} <{PROBE}> {text} }}")).await?;
        if !self.holds(&mark).await? {
            return Ok(Written::NotStored);
        }
        self.store
            .update(&format!(
                "DELETE {{ {subject} <{PROBE}> ?mark }} WHERE {{ {subject} <{PROBE}> ?mark . FILTER (STR(?mark) = {text} || STR(?mark) < {stale}) }}"
            ))
            .await?;
        Ok(if self.holds(&mark).await? { Written::NotRemoved } else { Written::Well })
    }

    async fn holds(&self, mark: &str) -> Result<bool, TriplestoreFault> {
        let subject = &self.subject;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triplestore::embedded::Embedded;

    #[tokio::test]
    async fn what_a_killed_one_left_goes_and_what_another_is_about_to_remove_stays() {
        let store = Arc::new(Embedded::in_memory().unwrap());
        let homepage = Iri::new("http://kimai").unwrap();
        let survey = Survey::new(store.clone(), homepage, "http://x").unwrap();
        let (subject, now) = (&survey.subject, "2024-09-02T12:00:00Z".parse().unwrap());
        for mark in ["2024-09-02T10:59:59Z left", "2024-09-02T11:59:59Z under way"] {
            store.update(&format!("INSERT DATA {{ {subject} <{PROBE}> \"{mark}\" }}")).await.unwrap();
        }
        assert_eq!(survey.write(now).await, Ok(Written::Well));
        assert!(!survey.holds("2024-09-02T10:59:59Z left").await.unwrap());
        assert!(survey.holds("2024-09-02T11:59:59Z under way").await.unwrap());
        let all = store.select("SELECT ?s WHERE { ?s ?p ?o }").await.unwrap();
        assert_eq!(all.len(), 1);
    }
}
