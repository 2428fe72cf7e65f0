//! Questions about the triplestore itself: what its scope shows, and whether it can be written.

use std::sync::Arc;

use jiff::civil::Date;

use super::statement::{Iri, Literal};
use super::vocabulary::PREFIXES;
use super::work_logs::within;
use super::{Row, Term, Triplestore, TriplestoreFault};
use crate::domain::work_log::Facts;

/// The property of the triple that is written for a moment. No delta rule of the service names it, no service
/// reads it.
const PROBE: &str = "http://mu.semte.ch/vocabularies/ext/kimaiSyncDoctor";
/// Persons and tasks looked at; a store cuts answers off at ten times that.
const MOST: usize = 1_000;

/// What the scope shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// Writes one triple of no meaning with the text `mark`, looks for it, removes it, and looks again.
    pub async fn write(&self, mark: &str) -> Result<Written, TriplestoreFault> {
        let (subject, text) = (&self.subject, Literal::string(mark));
        self.store.update(&format!("INSERT DATA {{ {subject} <{PROBE}> {text} }}")).await?;
        if !self.holds(mark).await? {
            return Ok(Written::NotStored);
        }
        self.store
            .update(&format!(
                "DELETE {{ {subject} <{PROBE}> ?mark }} WHERE {{ {subject} <{PROBE}> ?mark . FILTER (STR(?mark) = {text}) }}"
            ))
            .await?;
        Ok(if self.holds(mark).await? { Written::NotRemoved } else { Written::Well })
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
