//! Answers of any size, read page by page.
//!
//! Virtuoso cuts an answer at 10 000 rows without a word, and refuses an OFFSET beyond that. So each
//! page begins after the last subject of the page before it.

use super::statement::Literal;
use super::vocabulary::PREFIXES;
use super::{Row, Term, Triplestore, TriplestoreFault};

/// Rows asked for at a time.
const PAGE_ROWS: usize = 9_000;

/// All rows of `SELECT DISTINCT ?s {variables} WHERE { {pattern} }`, by subject. `pattern` binds `?s` to
/// IRIs. Each subject's rows come together, from one state of the store; two subjects' may not.
pub async fn select_by_subject(
    store: &dyn Triplestore,
    variables: &str,
    pattern: &str,
) -> Result<Vec<Row>, TriplestoreFault> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let from = Literal::string(&after);
        let mut rows = store
            .select(&format!(
                "{PREFIXES}SELECT DISTINCT ?s {variables} WHERE {{ {pattern} FILTER (STR(?s) > {from}) }}
                 ORDER BY ?s LIMIT {PAGE_ROWS}"
            ))
            .await?;
        let last_page = rows.len() < PAGE_ROWS;
        if !last_page {
            // The page's end may have cut its last subject in two: that one is read again.
            let cut = rows.last().and_then(subject).map(str::to_owned);
            rows.retain(|row| subject(row) != cut.as_deref());
        }
        match rows.last().and_then(subject) {
            Some(last) if last != after => after = last.to_owned(),
            _ if last_page => {}
            _ => return Err(TriplestoreFault::Unreadable(format!("it stops getting on after <{after}>"))),
        }
        all.append(&mut rows);
        if last_page {
            return Ok(all);
        }
    }
}

fn subject(row: &Row) -> Option<&str> {
    row.get("s").map(Term::value)
}
