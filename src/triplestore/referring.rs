//! Finds the work logs that refer to something: a task, its project, a person or an account.

use super::statement::{Iri, Literal};
use super::vocabulary::PREFIXES;
use super::{Term, Triplestore, TriplestoreFault};
use crate::domain::WorkLogUri;

/// The page size.
const PAGE: usize = 5_000;

/// See [`WorkLogs::referring`](crate::work_logs::WorkLogs::referring).
pub(super) async fn page(
    store: &dyn Triplestore,
    iris: &[String],
    after: Option<&WorkLogUri>,
) -> Result<Vec<WorkLogUri>, TriplestoreFault> {
    let iris: Vec<String> =
        iris.iter().filter_map(|iri| Iri::new(iri).ok()).map(|iri| iri.to_string()).collect();
    if iris.is_empty() {
        return Ok(Vec::new());
    }
    let iris = iris.join(" ");
    let behind = after
        .map_or_else(String::new, |after| format!("FILTER (STR(?s) > {})", Literal::string(after.as_str())));
    // In each branch: otherwise Virtuoso may scan all work logs first.
    let branches = [
        ("task", "?s dct:subject ?task"),
        ("project", "?task skos:broader ?project . ?s dct:subject ?task"),
        ("person", "?s prov:wasAssociatedWith ?person"),
        ("account", "?person foaf:account ?account . ?s prov:wasAssociatedWith ?person"),
    ]
    .map(|(variable, pattern)| {
        format!("{{ VALUES ?{variable} {{ {iris} }} {pattern} . ?s a cal:Vevent . {behind} }}")
    })
    .join("\n UNION ");
    let query = format!("{PREFIXES}SELECT DISTINCT ?s WHERE {{ {branches} }} ORDER BY ?s LIMIT {PAGE}");
    let rows = store.select(&query).await?;
    let subjects = rows.iter().filter_map(|row| row.get("s")).map(Term::value);
    let mut page: Vec<WorkLogUri> = subjects.filter_map(|iri| WorkLogUri::parse(iri).ok()).collect();
    page.sort_unstable();
    page.dedup();
    Ok(page)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::triplestore::testing::Watched;

    async fn all(store: &Watched, iris: &[&str]) -> Vec<String> {
        let iris: Vec<String> = iris.iter().map(|iri| (*iri).to_owned()).collect();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = page(store, &iris, after.as_ref()).await.unwrap();
            let Some(last) = page.last() else { return found };
            after = Some(last.clone());
            found.extend(page.iter().map(|work_log| work_log.as_str().replace("http://x/work-logs/", "")));
        }
    }

    #[tokio::test]
    async fn work_logs_are_found_by_all_that_leads_from_them_to_kimai() {
        let store = Watched::holding(
            "<http://x/a> skos:broader <http://x/p> . <http://x/b> skos:broader <http://x/p> .
             <http://x/jane> foaf:account <http://x/j> .
             <http://x/work-logs/1> a cal:Vevent ; dct:subject <http://x/a> ; prov:wasAssociatedWith <http://x/jane> .
             <http://x/work-logs/2> a cal:Vevent ; dct:subject <http://x/b> ; prov:wasAssociatedWith <http://x/jo> .
             <http://x/work-logs/3> a cal:Vevent ; dct:subject <http://x/c> ; prov:wasAssociatedWith <http://x/jane> .
             <http://x/timesheet> a skos:Collection ; prov:wasAssociatedWith <http://x/jane> .",
        )
        .await;
        for (iris, wanted) in [
            (&["http://x/a"][..], &["1"][..]),
            (&["http://x/p"], &["1", "2"]),
            (&["http://x/jane"], &["1", "3"]),
            (&["http://x/j"], &["1", "3"]),
            (&["http://x/b", "http://x/c", "not an IRI", "http://x/none"], &["2", "3"]),
            (&["not an IRI"], &[]),
            (&[], &[]),
        ] {
            assert_eq!(all(&store, iris).await, wanted, "{iris:?}");
        }
    }

    #[tokio::test]
    async fn more_than_a_page_holds_come_page_by_page() {
        let store = Watched::new();
        let count = PAGE * 2 + 1;
        let mut turtle = String::new();
        for number in 0..count {
            let _ = writeln!(
                turtle,
                "<http://x/work-logs/{number:05}> a cal:Vevent ; dct:subject <http://x/a> ."
            );
        }
        store.add(&turtle).await;
        let found = all(&store, &["http://x/a"]).await;
        assert_eq!(found, (0..count).map(|number| format!("{number:05}")).collect::<Vec<_>>());
    }
}
