//! Converts Oxigraph's results to rows, or to the bytes of an HTTP response.

use std::fmt::Write as _;

use oxigraph::sparql::results::{QueryResultsFormat, QueryResultsSerializer};
use oxigraph::sparql::{CancellationToken, QueryResults};

use super::terms;
use crate::triplestore::{Row, TriplestoreFault};

/// The maximum size of one answer in bytes: a runaway cross join fills memory before it reaches the time limit.
const ANSWER_LIMIT: usize = 256 * 1024 * 1024;

/// The answer to a query, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// SELECT and ASK: SPARQL JSON results.
    Results(Vec<u8>),
    /// CONSTRUCT and DESCRIBE: N-Triples.
    Triples(String),
}

/// The approximate memory overhead of a value, besides its text.
const CELL: usize = 128;

pub(super) fn rows(
    results: QueryResults<'_>,
    token: &CancellationToken,
) -> Result<Vec<Row>, TriplestoreFault> {
    let QueryResults::Solutions(solutions) = results else {
        return Err(TriplestoreFault::Refused("a SELECT was expected".into()));
    };
    let mut rows = Vec::new();
    let mut size = 0;
    for solution in solutions {
        let solution = solution.map_err(|error| terms::failed(&error))?;
        let row: Row =
            solution.iter().map(|(name, term)| (name.as_str().to_owned(), terms::term(term))).collect();
        size += row.values().map(|term| term.value().len() + CELL).sum::<usize>();
        if size > 2 * ANSWER_LIMIT {
            return Err(too_large());
        }
        alive(token)?;
        rows.push(row);
    }
    Ok(rows)
}

/// The engine itself checks this only when it reads triples, not while it joins them.
pub(super) fn alive(token: &CancellationToken) -> Result<(), TriplestoreFault> {
    if token.is_cancelled() { Err(TriplestoreFault::Transient("stopped".to_owned())) } else { Ok(()) }
}

pub(super) fn write(
    results: QueryResults<'_>,
    token: &CancellationToken,
) -> Result<Answer, TriplestoreFault> {
    let json = QueryResultsSerializer::from_format(QueryResultsFormat::Json);
    match results {
        QueryResults::Boolean(holds) => json
            .serialize_boolean_to_writer(Vec::new(), holds)
            .map(Answer::Results)
            .map_err(|error| io(&error)),
        QueryResults::Solutions(solutions) => {
            let variables = solutions.variables().to_vec();
            let mut body = Counted::default();
            let mut writer =
                json.serialize_solutions_to_writer(&mut body, variables).map_err(|error| io(&error))?;
            for solution in solutions {
                let solution = solution.map_err(|error| terms::failed(&error))?;
                alive(token)?;
                writer.serialize(&solution).map_err(|error| io(&error))?;
            }
            writer.finish().map_err(|error| io(&error))?;
            Ok(Answer::Results(body.0))
        }
        QueryResults::Graph(triples) => {
            let mut body = String::new();
            for triple in triples {
                let triple = triple.map_err(|error| terms::failed(&error))?;
                alive(token)?;
                let _ = writeln!(body, "{triple} .");
                if body.len() > ANSWER_LIMIT {
                    return Err(too_large());
                }
            }
            Ok(Answer::Triples(body))
        }
    }
}

/// A buffer that fails at the limit.
#[derive(Default)]
struct Counted(Vec<u8>);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > ANSWER_LIMIT {
            return Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn io(error: &std::io::Error) -> TriplestoreFault {
    match error.kind() {
        std::io::ErrorKind::FileTooLarge => too_large(),
        _ => TriplestoreFault::Transient(error.to_string()),
    }
}

fn too_large() -> TriplestoreFault {
    let limit = ANSWER_LIMIT / 1024 / 1024;
    TriplestoreFault::Refused(format!("the answer is larger than {limit} MiB; reduce it with LIMIT").into())
}
