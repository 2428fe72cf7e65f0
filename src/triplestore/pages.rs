//! Reads results of any size page by page.
//!
//! Virtuoso silently truncates results at 10 000 rows, and refuses an OFFSET beyond that. So each page begins after the
//! last subject of the previous page.

use super::statement::Literal;
use super::vocabulary::PREFIXES;
use super::{Row, Term, Triplestore, TriplestoreFault};

/// The page size in rows. An answer with this many may be incomplete.
pub(super) const PAGE_ROWS: usize = 9_000;
/// How often to compare the rows with their count: people write between the two queries.
pub const ROUNDS: usize = 3;

/// All rows of `SELECT DISTINCT ?s {variables} WHERE { {pattern} }`, in any order. `pattern` binds `?s` to IRIs. All
/// rows of a subject are from one state of the store; with several pages, different subjects may be from different
/// states.
pub async fn select_by_subject(
    store: &dyn Triplestore,
    variables: &str,
    pattern: &str,
) -> Result<Vec<Row>, TriplestoreFault> {
    let mut all = Vec::new();
    each_by_subject(store, variables, pattern, |row| all.push(row)).await?;
    Ok(all)
}

/// The same, row by row as pages arrive, so that at most one page is in memory.
pub async fn each_by_subject(
    store: &dyn Triplestore,
    variables: &str,
    pattern: &str,
    mut take: impl FnMut(Row) + Send,
) -> Result<(), TriplestoreFault> {
    let page = async |rest: &str, order: &str| {
        let statement = format!(
            "{PREFIXES}SELECT DISTINCT ?s {variables} WHERE {{ {pattern} {rest} }} {order} LIMIT {PAGE_ROWS}"
        );
        store.select(&statement).await
    };
    // Most results fit in one page, which needs no order: sorting costs as much as reading.
    let all = page("", "").await?;
    if all.len() < PAGE_ROWS {
        all.into_iter().for_each(take);
        return Ok(());
    }
    let mut after = String::new();
    loop {
        // The first page has no filter: that would cost a comparison for each row.
        let rest = match after.as_str() {
            "" => String::new(),
            after => format!("FILTER (STR(?s) > {})", Literal::string(after)),
        };
        let mut rows = page(&rest, "ORDER BY ?s").await?;
        let last_page = rows.len() < PAGE_ROWS;
        if !last_page {
            // The end of the page may have split its last subject, so that one is read again.
            let cut = rows.last().and_then(subject).map(str::to_owned);
            rows.retain(|row| subject(row) != cut.as_deref());
        }
        match rows.last().and_then(subject) {
            Some(last) if last != after => last.clone_into(&mut after),
            _ if last_page => {}
            _ => return Err(TriplestoreFault::Unreadable(format!("it makes no progress after <{after}>"))),
        }
        rows.into_iter().for_each(&mut take);
        if last_page {
            return Ok(());
        }
    }
}

/// How many IRIs match `pattern`, which binds `?s`: one number in one row, which is never truncated.
pub async fn count(store: &dyn Triplestore, pattern: &str) -> Result<usize, TriplestoreFault> {
    let statement =
        format!("{PREFIXES}SELECT (COUNT(DISTINCT ?s) AS ?count) WHERE {{ {pattern} FILTER (isIRI(?s)) }}");
    counted(&store.select(&statement).await?)
}

/// The `?count` of an answer that has only that.
pub(super) fn counted(rows: &[Row]) -> Result<usize, TriplestoreFault> {
    let count = match rows {
        [row] => row.get("count").and_then(|count| count.value().parse().ok()),
        _ => None,
    };
    count.ok_or_else(|| {
        TriplestoreFault::Incomplete(format!("a count returned {} rows, or not a number", rows.len()))
    })
}

/// The error for two answers that disagree.
pub fn disagree(what: &str, found: usize, counted: usize) -> TriplestoreFault {
    TriplestoreFault::Incomplete(format!(
        "it returned {found} {what} but counted {counted}; is ResultSetMaxRows of Virtuoso below {PAGE_ROWS}, \
         or does a proxy in front of it drop rows?"
    ))
}

fn subject(row: &Row) -> Option<&str> {
    row.get("s").map(Term::value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triplestore::testing::Watched;

    #[tokio::test]
    async fn a_subject_that_a_page_cuts_in_two_comes_whole_and_once() {
        let store = Watched::new();
        // Seven rows each, so that a page never has a whole number of them.
        for part in 0..5 {
            let values: Vec<String> = (0..7).map(|value| format!("\"{value}\"")).collect();
            let subject = |n| format!("<http://x/{part}-{n}> rdfs:label {} .\n", values.join(", "));
            store.add(&(0..500).map(subject).collect::<String>()).await;
        }
        let rows = select_by_subject(&store, "?o", "?s rdfs:label ?o").await.unwrap();
        // The first one showed that one page is not enough.
        assert_eq!((rows.len(), store.selects()), (17_500, 3));
        let distinct: std::collections::BTreeSet<&Row> = rows.iter().collect();
        assert_eq!(distinct.len(), rows.len());
        assert!(select_by_subject(&store, "?o", "?s rdfs:comment ?o").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_page_that_gets_nowhere_is_a_fault_and_no_endless_loop() {
        let store = Watched::new();
        for part in 0..10 {
            let labels: Vec<String> = (0..1000).map(|n| format!("\"{part}-{n}\"")).collect();
            store.add(&format!("<http://x/1> rdfs:label {}", labels.join(", "))).await;
        }
        let fault = select_by_subject(&store, "?o", "?s rdfs:label ?o").await.unwrap_err();
        assert!(matches!(fault, TriplestoreFault::Unreadable(_)), "{fault}");
    }
}
