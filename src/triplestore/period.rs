//! The work logs of a period: first the number for each day, then their data a few days at a time.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::pages::{self, PAGE_ROWS, ROUNDS, disagree, each_by_subject};
use super::statement::{Iri, Literal};
use super::vocabulary::{PREFIXES, cal, xsd};
use super::{Row, Term, Triplestore, TriplestoreFault};
use crate::domain::WorkLogUri;
use crate::domain::day_windows::{Days, Window, Written};
use crate::domain::work_log::Facts;

/// The most spellings of days in one statement.
const MOST_WAYS: usize = 100;

/// See [`WorkLogs::days`](crate::work_logs::WorkLogs::days).
pub(super) async fn days(store: &dyn Triplestore, first: Date, last: Date) -> Result<Days, TriplestoreFault> {
    let (mut found, mut counted) = (0, 0);
    for _ in 0..ROUNDS {
        let (days, all) = by_day(store, first, last).await?;
        found = all;
        counted = count(store, first, last).await?;
        // A work log with several days is found on each of them.
        if found >= counted {
            return Ok(days);
        }
    }
    Err(disagree("work logs by their days", found, counted))
}

/// The number of work logs per day, and in total.
async fn by_day(store: &dyn Triplestore, first: Date, last: Date) -> Result<(Days, usize), TriplestoreFault> {
    const DAY: &str = "?s a cal:Vevent ; cal:dtstart ?day .";
    let rows = store
        .select(&format!(
            "{PREFIXES}SELECT ?day (COUNT(DISTINCT ?s) AS ?count) WHERE {{ {DAY} }} GROUP BY ?day
             HAVING {}",
            between(first, last)
        ))
        .await;
    let exact = !matches!(&rows, Ok(rows) if rows.len() >= PAGE_ROWS)
        && !matches!(&rows, Err(TriplestoreFault::Incomplete(_)));
    let rows = if exact {
        rows?
    } else {
        // Instants, for instance: each is different, and Virtuoso has or may have truncated them.
        let grouped = format!("{DAY} BIND (SUBSTR(STR(?day), 1, 10) AS ?beginning) {}", within(first, last));
        let grouped = format!(
            "{PREFIXES}SELECT (?beginning AS ?day) (COUNT(DISTINCT ?s) AS ?count) WHERE {{ {grouped} }}
             GROUP BY ?beginning"
        );
        store.select(&grouped).await?
    };
    let (mut days, mut all) = (Days { exact, ..Days::default() }, 0_usize);
    for mut row in rows {
        let count: Option<usize> = row.get("count").and_then(|count| count.value().parse().ok());
        all = all.saturating_add(count.unwrap_or_default());
        match (row.remove("day"), count) {
            (Some(Term::Literal { value: text, datatype, language: None }), Some(count)) => {
                days.counts.insert(Written { text, datatype }, count);
            }
            // A day with another type of term cannot be named.
            _ => days.exact = false,
        }
    }
    Ok((days, all))
}

/// See [`WorkLogs::of_window`](crate::work_logs::WorkLogs::of_window).
pub(super) async fn of_window(
    store: &dyn Triplestore,
    window: &Window,
    notes: bool,
) -> Result<BTreeMap<WorkLogUri, Facts>, TriplestoreFault> {
    if let Some(written) = named(window) {
        let all = read(store, &format!("VALUES ?day {{ {written} }}"), notes).await?;
        if all.len() >= window.count {
            return Ok(all);
        }
        // Fewer than were counted: the store may output a day in another form than it stores it.
    }
    let mut found = 0;
    for _ in 0..ROUNDS {
        let all = read(store, &within(window.first, window.last), notes).await?;
        // A work log with several days was counted for each, so fewer may be correct.
        if all.len() >= window.count || all.len() >= count(store, window.first, window.last).await? {
            return Ok(all);
        }
        found = all.len();
    }
    Err(disagree("work logs of a period", found, window.count))
}

/// See [`WorkLogs::count`](crate::work_logs::WorkLogs::count).
pub(super) async fn count(
    store: &dyn Triplestore,
    first: Date,
    last: Date,
) -> Result<usize, TriplestoreFault> {
    pages::count(store, &format!("?s a cal:Vevent ; cal:dtstart ?day . {}", within(first, last))).await
}

/// The days of `window` as the store outputs them. With these it finds the work logs in an index; otherwise it scans
/// all work logs.
fn named(window: &Window) -> Option<String> {
    if window.written.is_empty() || window.written.len() > MOST_WAYS {
        return None;
    }
    let literal = |Written { text, datatype }: &Written| match datatype.as_deref() {
        None | Some(xsd::STRING) => Some(Literal::string(text)),
        Some(datatype) => Some(Literal::typed(text, Iri::new(datatype).ok()?)),
    };
    let literals: Option<Vec<String>> =
        window.written.keys().map(|day| Some(literal(day)?.to_string())).collect();
    Some(literals?.join(" "))
}

/// All work logs with a `?day` that `days` accepts. One row per work log instead of one per triple: stores serialise
/// rows more slowly than they find them. Several values produce a row for each combination, which the sets merge again.
async fn read(
    store: &dyn Triplestore,
    days: &str,
    notes: bool,
) -> Result<BTreeMap<WorkLogUri, Facts>, TriplestoreFault> {
    let (note, and_note) = if notes { ("OPTIONAL { ?s cal:comment ?note }", " ?note") } else { ("", "") };
    let pattern = format!(
        "{days} ?s cal:dtstart ?day ; a cal:Vevent ; cal:dtstart ?written .
         OPTIONAL {{ ?s cal:duration ?duration }} OPTIONAL {{ ?s dct:subject ?task }}
         OPTIONAL {{ ?s prov:wasAssociatedWith ?person }} OPTIONAL {{ ?s dct:identifier ?id }} {note}"
    );
    let mut all: BTreeMap<WorkLogUri, Facts> = BTreeMap::new();
    let take = |row: Row| {
        let subject = row.get("s").and_then(|subject| WorkLogUri::parse(subject.value()).ok());
        let Some(subject) = subject else { return };
        let facts = all.entry(subject).or_default();
        if notes {
            facts.notes.get_or_insert_default();
        }
        for (variable, value) in row {
            let set = match variable.as_str() {
                "written" => &mut facts.days,
                "duration" => &mut facts.durations,
                "task" => &mut facts.tasks,
                "person" => &mut facts.persons,
                "id" => &mut facts.identifiers,
                "note" => facts.notes.get_or_insert_default(),
                _ => continue,
            };
            set.insert(value.into_value());
        }
    };
    let variables = format!("?written ?duration ?task ?person ?id{and_note}");
    each_by_subject(store, &variables, &pattern, take).await?;
    for facts in all.values_mut() {
        facts.types.insert(cal::VEVENT.to_owned());
    }
    Ok(all)
}

/// Restricts `?day` to these days, inclusive, by its text.
pub(super) fn within(first: Date, last: Date) -> String {
    format!("FILTER {}", between(first, last))
}

fn between(first: Date, last: Date) -> String {
    let beyond = last.tomorrow().unwrap_or(last);
    let (first, beyond) = (Literal::string(first.to_string()), Literal::string(beyond.to_string()));
    format!("(STR(?day) >= {first} && STR(?day) < {beyond})")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::triplestore::testing::Watched;

    const FIRST: Date = date(2024, 9, 1);
    const LAST: Date = date(2024, 9, 30);

    fn window(written: &[(&str, usize)]) -> Window {
        let named = |(text, count): &(&str, usize)| {
            (Written { text: (*text).to_owned(), datatype: Some(xsd::DATE.to_owned()) }, *count)
        };
        let count = written.iter().map(|(_, count)| count).sum();
        Window { first: FIRST, last: LAST, written: written.iter().map(named).collect(), count }
    }

    #[tokio::test]
    async fn more_ways_to_write_a_day_than_an_answer_holds_are_counted_by_their_beginning() {
        let store = Watched::new();
        let at =
            |n: usize| format!("2024-09-{:02}T{:02}:{:02}:{:02}Z", 2 + n % 2, n / 3600, n / 60 % 60, n % 60);
        let work_log = |n| {
            format!("<http://x/work-logs/{n}> a cal:Vevent ; cal:dtstart \"{}\"^^xsd:dateTime .\n", at(n))
        };
        store.add(&(0..PAGE_ROWS + 100).map(work_log).collect::<String>()).await;
        let days = days(&store, FIRST, LAST).await.unwrap();
        let counts: Vec<(&str, usize)> =
            days.counts.iter().map(|(written, count)| (written.text.as_str(), *count)).collect();
        assert_eq!(counts, [("2024-09-02", PAGE_ROWS / 2 + 50), ("2024-09-03", PAGE_ROWS / 2 + 50)]);
        assert!(!days.exact);
        assert_eq!(of_window(&store, &window(&[]), false).await.unwrap().len(), PAGE_ROWS + 100);
    }

    #[tokio::test]
    async fn a_store_that_holds_days_in_another_way_than_it_writes_them_is_read_all_the_same() {
        let store = Watched::new();
        for (name, day) in
            [("a", "\"2024-09-02\"^^xsd:date"), ("b", "\"2024-09-02\""), ("c", "\"2024-10-02\"")]
        {
            store.add(&format!("<http://x/work-logs/{name}> a cal:Vevent ; cal:dtstart {day} .")).await;
        }
        for (written, wanted, selects) in [
            (vec![("2024-09-02", 1)], 1, 1),
            (vec![("2024-09-02", 2)], 2, 2),
            (vec![("2024-09-03", 1)], 2, 2),
            // One of the three was deleted since, or has two days.
            (vec![("2024-09-02", 3)], 2, 3),
        ] {
            let before = store.selects();
            let found = of_window(&store, &window(&written), false).await.unwrap();
            assert_eq!((found.len(), store.selects() - before), (wanted, selects), "{written:?}");
        }
    }

    #[tokio::test]
    async fn fewer_work_logs_than_are_counted_are_a_fault_and_no_fact() {
        let store = Watched::new();
        for n in 0..8 {
            store
                .add(&format!(
                    "<http://x/work-logs/{n}> a cal:Vevent ; cal:dtstart \"2024-09-02\"^^xsd:date ."
                ))
                .await;
        }
        let window = window(&[("2024-09-02", 8)]);
        assert_eq!(of_window(&store, &window, false).await.unwrap().len(), 8);
        store.cut_at(5);
        let fault = of_window(&store, &window, false).await.unwrap_err();
        assert!(
            matches!(&fault, TriplestoreFault::Incomplete(why) if why.contains("returned 5 ") && why.contains("counted 8")),
            "{fault}"
        );
    }
}
