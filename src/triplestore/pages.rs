//! Reads results of any size page by page.
//!
//! Virtuoso silently truncates results at 10 000 rows, and refuses an OFFSET beyond that. So each page begins after the
//! last subject of the previous page.

use super::statement::Literal;
use super::vocabulary::PREFIXES;
use super::{Row, Term, Triplestore, TriplestoreFault};

/// Rows asked for at a time. An answer with as many may not be all of it.
pub(super) const PAGE_ROWS: usize = 9_000;
/// How often what was read and what is counted are compared: people write between the two.
pub const ROUNDS: usize = 3;

/// All rows of `SELECT DISTINCT ?s {variables} WHERE { {pattern} }`, in any order. `pattern` binds `?s` to IRIs.
/// Each subject's rows are from one state of the store; where there are several pages, two subjects' may not be.
pub async fn select_by_subject(
    store: &dyn Triplestore,
    variables: &str,
    pattern: &str,
) -> Result<Vec<Row>, TriplestoreFault> {
    let mut all = Vec::new();
    each_by_subject(store, variables, pattern, |row| all.push(row)).await?;
    Ok(all)
}

/// The same, row by row as the pages come in: no more than a page is held.
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
    // Most fit in one page, which needs no order: to sort costs as much as to read.
    let all = page("", "").await?;
    if all.len() < PAGE_ROWS {
        all.into_iter().for_each(take);
        return Ok(());
    }
    let mut after = String::new();
    loop {
        // Nothing is left out of the first page: that costs a comparison for each row.
        let rest = match after.as_str() {
            "" => String::new(),
            after => format!("FILTER (STR(?s) > {})", Literal::string(after)),
        };
        let mut rows = page(&rest, "ORDER BY ?s").await?;
        let last_page = rows.len() < PAGE_ROWS;
        if !last_page {
            // The page's end may have cut its last subject in two: that one is read again.
            let cut = rows.last().and_then(subject).map(str::to_owned);
            rows.retain(|row| subject(row) != cut.as_deref());
        }
        match rows.last().and_then(subject) {
            Some(last) if last != after => last.clone_into(&mut after),
            _ if last_page => {}
            _ => return Err(TriplestoreFault::Unreadable(format!("it stops getting on after <{after}>"))),
        }
        rows.into_iter().for_each(&mut take);
        if last_page {
            return Ok(());
        }
    }
}

/// How many IRIs meet `pattern`, which binds `?s`: one number in one row, which nothing cuts.
pub async fn count(store: &dyn Triplestore, pattern: &str) -> Result<usize, TriplestoreFault> {
    let statement =
        format!("{PREFIXES}SELECT (COUNT(DISTINCT ?s) AS ?count) WHERE {{ {pattern} FILTER (isIRI(?s)) }}");
    counted(&store.select(&statement).await?)
}

/// The `?count` of an answer that has just that.
pub(super) fn counted(rows: &[Row]) -> Result<usize, TriplestoreFault> {
    let count = match rows {
        [row] => row.get("count").and_then(|count| count.value().parse().ok()),
        _ => None,
    };
    count.ok_or_else(|| {
        TriplestoreFault::Incomplete(format!("a count came as {} rows or as no number", rows.len()))
    })
}

/// Two answers of the same moment that disagree.
pub fn disagree(what: &str, found: usize, counted: usize) -> TriplestoreFault {
    TriplestoreFault::Incomplete(format!(
        "it gave {found} {what} and counted {counted}; is ResultSetMaxRows of Virtuoso below {PAGE_ROWS}, or does \
         something before it leave out rows?"
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
        // Seven rows each, which no page of ours holds a whole number of.
        for part in 0..5 {
            let values: Vec<String> = (0..7).map(|value| format!("\"{value}\"")).collect();
            let subject = |n| format!("<http://x/{part}-{n}> rdfs:label {} .\n", values.join(", "));
            store.add(&(0..500).map(subject).collect::<String>()).await;
        }
        let rows = select_by_subject(&store, "?o", "?s rdfs:label ?o").await.unwrap();
        // The first of them told that one page is not enough.
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
