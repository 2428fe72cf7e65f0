//! The work logs of a triplestore, as a [`WorkLogs`].
//!
//! Work logs are read without the resources that they refer to, and joined here: a store compiles such a statement
//! once, and an invalid value is noticed instead of silently not matching.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::civil::Date;

use super::pages::{PAGE_ROWS, ROUNDS, counted, each_by_subject};
use super::rows::{note, note_activity, note_person, note_task, subject, text};
use super::statement::{BATCH, Iri, Literal, none_of};
use super::vocabulary::PREFIXES;
use super::{Row, Triplestore, TriplestoreFault, period, referring};
use crate::domain::day_windows::{Days, Window};
use crate::domain::ids::IdSyntax;
use crate::domain::property_values::Values;
use crate::domain::work_log::{Directory, Facts, IMPORTED, VEVENT, is_imported};
use crate::domain::{EntryId, WorkLogUri};
use crate::work_logs::{Link, SourceFault, WorkLogs};

/// A complete activity; incomplete ones are read separately.
const ACTIVITY: &str =
    "?s a ext:KimaiActivity ; dct:identifier ?id ; rdfs:label ?label ; skos:broader ?project .
     ?project a doap:Project ; dct:identifier ?projectId";

/// Queries the triplestore for work logs. Cheap to clone.
#[derive(Clone)]
pub struct SparqlWorkLogs {
    store: Arc<dyn Triplestore>,
    /// The service homepage that marks an account as a Kimai account.
    account_homepage: Iri,
    /// Whether the notes of work logs are read.
    notes: bool,
    /// How the tracker writes its ids.
    syntax: IdSyntax,
}

impl SparqlWorkLogs {
    /// Queries `store`; accounts are Kimai accounts if their service homepage is `account_homepage`.
    pub fn new(store: Arc<dyn Triplestore>, account_homepage: Iri) -> Self {
        Self { store, account_homepage, notes: false, syntax: IdSyntax::default() }
    }

    /// The same, reading the notes of work logs too if `notes` is set.
    #[must_use]
    pub fn reading_notes(self, notes: bool) -> Self {
        Self { notes, ..self }
    }

    /// The same, reading ids that are written in `syntax`.
    #[must_use]
    pub fn reading_ids(self, syntax: IdSyntax) -> Self {
        Self { syntax, ..self }
    }

    /// Empty facts.
    fn no_facts(&self) -> Facts {
        Facts { notes: self.notes.then(Values::default), ..Facts::none(self.syntax) }
    }

    fn facts_in(&self, rows: &[Row]) -> Facts {
        let mut facts = self.no_facts();
        for row in rows {
            note(&mut facts, row);
        }
        facts
    }

    /// Adds to `directory` the activities among these tasks, and the data of these persons, in one statement.
    async fn look_up(
        &self,
        tasks: &[Iri],
        persons: &[Iri],
        directory: &mut Directory,
    ) -> Result<(), TriplestoreFault> {
        // In each branch: otherwise Virtuoso may scan everything with an identifier first.
        let mut branches = Vec::new();
        if !tasks.is_empty() {
            branches.push(format!("{{ VALUES ?s {{ {} }} {ACTIVITY} }}", list(tasks)));
        }
        if !persons.is_empty() {
            let (persons, homepage) = (list(persons), &self.account_homepage);
            branches.push(format!(
                "{{ VALUES ?person {{ {persons} }} ?person foaf:name ?name }}
                 UNION {{ VALUES ?person {{ {persons} }} ?person foaf:account ?account .
                   ?account a foaf:OnlineAccount ; foaf:accountServiceHomepage {homepage} ;
                   dct:identifier ?accountId }}"
            ));
        }
        let branches = branches.join("\n UNION ");
        let rows = self.select(format!(
            "SELECT DISTINCT ?s ?id ?label ?projectId ?person ?name ?accountId WHERE {{ {branches} }}"
        ));
        for row in rows.await? {
            note_activity(directory, &row);
            note_person(directory, &row);
        }
        Ok(())
    }

    /// Adds to `directory` the data of these tasks, which are not complete activities.
    async fn look_closer(&self, tasks: &[Iri], directory: &mut Directory) -> Result<(), TriplestoreFault> {
        // No VALUES of predicates: Oxigraph would scan everything that has one of them.
        let rows = self.select(format!(
            "SELECT DISTINCT ?task ?p ?o ?projectId WHERE {{ VALUES ?task {{ {} }} ?task ?p ?o .
               FILTER (?p IN (rdf:type, rdfs:label, dct:identifier, skos:broader))
               OPTIONAL {{ ?o a doap:Project ; dct:identifier ?projectId }} }}",
            list(tasks)
        ));
        for row in rows.await? {
            note_task(directory, &row);
        }
        Ok(())
    }

    /// The subjects that carry one of `ids` and meet `condition`. The id may have any datatype and be written in any
    /// way that is read as one of them: what is found by its text is read like all ids.
    async fn subjects(
        &self,
        ids: &[EntryId],
        condition: &str,
    ) -> Result<BTreeSet<(EntryId, WorkLogUri)>, TriplestoreFault> {
        let mut subjects = BTreeSet::new();
        for ids in ids.chunks(BATCH) {
            let texts = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
            let looks_like_one = match self.syntax {
                // Zeros, a sign or white space may precede the number, and no digit may follow.
                IdSyntax::Numbers => format!("REGEX (STR(?id), \"^[^1-9]*({texts})[^0-9]*$\")"),
                IdSyntax::ObjectIds => {
                    format!("REGEX (STR(?id), \"^[^0-9a-f]*({texts})[^0-9a-f]*$\", \"i\")")
                }
            };
            let rows = self.select(format!(
                "SELECT DISTINCT ?s ?id WHERE {{ ?s dct:identifier ?id . {condition} FILTER ({looks_like_one}) }}"
            ));
            for row in rows.await? {
                let id = text(&row, "id").and_then(|id| EntryId::parse(id, self.syntax).ok());
                subjects.extend(id.filter(|id| ids.contains(id)).zip(subject(&row)));
            }
        }
        Ok(subjects)
    }

    async fn select(&self, query: String) -> Result<Vec<Row>, TriplestoreFault> {
        self.store.select(&format!("{PREFIXES}{query}")).await
    }

    async fn update(&self, update: String) -> Result<(), TriplestoreFault> {
        self.store.update(&format!("{PREFIXES}{update}")).await
    }
}

#[async_trait]
impl WorkLogs for SparqlWorkLogs {
    async fn facts(&self, subject: &WorkLogUri) -> Result<Facts, SourceFault> {
        let rows = self.select(format!("SELECT DISTINCT ?p ?o WHERE {{ <{subject}> ?p ?o }}")).await?;
        Ok(self.facts_in(&rows))
    }

    async fn facts_of(&self, subjects: &[WorkLogUri]) -> Result<BTreeMap<WorkLogUri, Facts>, SourceFault> {
        let mut all = BTreeMap::new();
        let mut parts: Vec<&[WorkLogUri]> = subjects.chunks(BATCH).collect();
        while let Some(part) = parts.pop() {
            if let [subject] = part {
                all.insert(subject.clone(), self.facts(subject).await?);
                continue;
            }
            let named = part.iter().map(|subject| format!("<{subject}>")).collect::<Vec<_>>().join(" ");
            let rows =
                self.select(format!("SELECT DISTINCT ?s ?p ?o WHERE {{ VALUES ?s {{ {named} }} ?s ?p ?o }}"));
            let rows = match rows.await {
                Ok(rows) if rows.len() < PAGE_ROWS => rows,
                // Virtuoso has truncated it, or may have done so silently.
                Ok(_) | Err(TriplestoreFault::Incomplete(_)) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([first, second]);
                    continue;
                }
                Err(fault) => return Err(fault.into()),
            };
            for row in &rows {
                if let Some(subject) = subject(row) {
                    note(all.entry(subject).or_insert_with(|| self.no_facts()), row);
                }
            }
        }
        Ok(all)
    }

    async fn directory(&self, facts: &[&Facts]) -> Result<Directory, SourceFault> {
        let (mut tasks, mut persons) = (BTreeSet::new(), BTreeSet::new());
        for facts in facts {
            tasks.extend(facts.tasks.iter());
            persons.extend(facts.persons.iter());
        }
        let iris = |named: BTreeSet<&String>| -> Vec<Iri> {
            named.into_iter().filter_map(|iri| Iri::new(iri).ok()).collect()
        };
        let (mut tasks, persons) = (iris(tasks), iris(persons));
        let mut directory = Directory { syntax: self.syntax, ..Directory::default() };
        let mut few = tasks.as_slice();
        if few.len() > BATCH {
            // A period uses most of them: reading all is cheaper than naming each.
            let note = |row: Row| note_activity(&mut directory, &row);
            each_by_subject(self.store.as_ref(), "?id ?label ?projectId", ACTIVITY, note).await?;
            few = &[];
        }
        let (first, rest) = persons.split_at(persons.len().min(BATCH));
        if !few.is_empty() || !first.is_empty() {
            self.look_up(few, first, &mut directory).await?;
        }
        for persons in rest.chunks(BATCH) {
            self.look_up(&[], persons, &mut directory).await?;
        }
        tasks.retain(|task| !directory.tasks.contains_key(task.as_str()));
        for tasks in tasks.chunks(BATCH) {
            self.look_closer(tasks, &mut directory).await?;
        }
        Ok(directory)
    }

    async fn days(&self, first: Date, last: Date) -> Result<Days, SourceFault> {
        Ok(period::days(self.store.as_ref(), first, last).await?)
    }

    async fn count(&self, first: Date, last: Date) -> Result<usize, SourceFault> {
        Ok(period::count(self.store.as_ref(), first, last).await?)
    }

    async fn certain(&self, subject: &WorkLogUri) -> Result<Facts, SourceFault> {
        let triples = format!("SELECT DISTINCT ?p ?o WHERE {{ <{subject}> ?p ?o }}");
        for _ in 0..ROUNDS {
            let rows = self.select(triples.clone()).await?;
            let count =
                self.select(format!("SELECT (COUNT(*) AS ?count) WHERE {{ {{ {triples} }} }}")).await?;
            // Somebody may write between the two queries.
            if counted(&count)? == rows.len() {
                return Ok(self.facts_in(&rows));
            }
        }
        Err(SourceFault::Incomplete(format!("it returned fewer properties of <{subject}> than it counted")))
    }

    async fn knows_none(&self, subjects: &[WorkLogUri]) -> Result<bool, SourceFault> {
        for part in subjects.chunks(BATCH) {
            let named = part.iter().map(|subject| format!("<{subject}>")).collect::<Vec<_>>().join(" ");
            let rows = self
                .select(format!("SELECT (COUNT(*) AS ?count) WHERE {{ VALUES ?s {{ {named} }} ?s ?p ?o }}"));
            if counted(&rows.await?)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn of_window(&self, window: &Window) -> Result<BTreeMap<WorkLogUri, Facts>, SourceFault> {
        Ok(period::of_window(self.store.as_ref(), window, self.notes).await?)
    }

    async fn has_any(&self) -> Result<bool, SourceFault> {
        let rows = self.select("SELECT ?s WHERE { ?s ?p ?o } LIMIT 1".to_owned()).await?;
        Ok(!rows.is_empty())
    }

    async fn by_uuid(&self, id: &str) -> Result<Option<WorkLogUri>, SourceFault> {
        let id = Literal::string(id);
        let rows = self.select(format!(
            "SELECT DISTINCT ?s WHERE {{ ?s a cal:Vevent ; mu:uuid ?id . FILTER (STR(?id) = {id}) }} ORDER BY ?s LIMIT 1"
        ));
        Ok(rows.await?.first().and_then(subject))
    }

    async fn linked(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, Vec<WorkLogUri>>, SourceFault> {
        let mut linked: BTreeMap<EntryId, Vec<WorkLogUri>> = BTreeMap::new();
        for (id, subject) in self.subjects(ids, "?s a cal:Vevent .").await? {
            linked.entry(id).or_default().push(subject);
        }
        Ok(linked)
    }

    async fn tombstones(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, Vec<WorkLogUri>>, SourceFault> {
        let mut tombstones: BTreeMap<EntryId, Vec<WorkLogUri>> = BTreeMap::new();
        for (id, subject) in self.subjects(ids, &none_of(IMPORTED.into_iter().chain([VEVENT]))).await? {
            if !is_imported(&subject) {
                tombstones.entry(id).or_default().push(subject);
            }
        }
        Ok(tombstones)
    }

    async fn dangling(&self) -> Result<BTreeMap<WorkLogUri, Vec<EntryId>>, SourceFault> {
        let pattern = format!("?s dct:identifier ?id . {}", none_of(IMPORTED.into_iter().chain([VEVENT])));
        let mut found: BTreeMap<WorkLogUri, Facts> = BTreeMap::new();
        let note = |row: Row| {
            if let (Some(subject), Some(id)) = (subject(&row), text(&row, "id")) {
                found.entry(subject).or_default().identifiers.insert(id.to_owned());
            }
        };
        each_by_subject(self.store.as_ref(), "?id", &pattern, note).await?;
        found.retain(|subject, _| !is_imported(subject));
        Ok(found.into_iter().map(|(subject, facts)| (subject, facts.entry_ids())).collect())
    }

    async fn referring(
        &self,
        iris: &[String],
        after: Option<&WorkLogUri>,
    ) -> Result<Vec<WorkLogUri>, SourceFault> {
        Ok(referring::page(self.store.as_ref(), iris, after).await?)
    }

    async fn link(&self, links: &[Link]) -> Result<(), SourceFault> {
        for links in links.chunks(BATCH) {
            let goes = |link: &&Link| link.had_link || link.to.is_none();
            let gone: Vec<&WorkLogUri> = links.iter().filter(goes).map(|link| &link.work_log).collect();
            let triple = |Link { work_log, to, .. }: &Link| {
                to.map(|id| format!("<{work_log}> dct:identifier {}", Literal::string(id.to_string())))
            };
            let new: Vec<String> = links.iter().filter_map(triple).collect();
            let mut steps = Vec::new();
            if !gone.is_empty() {
                steps.push(remove_links(&gone));
            }
            if !new.is_empty() {
                steps.push(format!("INSERT DATA {{ {} }}", new.join(" .\n")));
            }
            if !steps.is_empty() {
                self.update(steps.join(" ;\n")).await?;
            }
        }
        Ok(())
    }
}

/// With a variable: a constant would not match the same text stored with another datatype.
fn remove_links(work_logs: &[&WorkLogUri]) -> String {
    if let [work_log] = work_logs {
        return format!(
            "DELETE {{ <{work_log}> dct:identifier ?id }} WHERE {{ <{work_log}> dct:identifier ?id }}"
        );
    }
    let named = work_logs.iter().map(|work_log| format!("<{work_log}>")).collect::<Vec<_>>().join(" ");
    format!("DELETE {{ ?s dct:identifier ?id }} WHERE {{ VALUES ?s {{ {named} }} ?s dct:identifier ?id }}")
}

fn list(iris: &[Iri]) -> String {
    iris.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
