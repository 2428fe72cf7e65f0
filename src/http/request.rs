//! The request types: query strings and small bodies.

use serde::Deserialize;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::response::labels::{EntryState, FindingKind, RunKind};

/// The one of `all` that `word` names; `what` names their type in the error.
pub(super) fn one_of<T: Copy>(
    word: &str,
    what: &str,
    all: &[T],
    named: fn(T) -> &'static str,
) -> Result<T, Problem> {
    all.iter().copied().find(|one| named(*one) == word).ok_or_else(|| {
        let words = all.iter().map(|one| named(*one)).collect::<Vec<_>>().join(", ");
        Problem::bad_request(format!("'{word}' is not a {what}; expected one of: {words}."))
    })
}

/// `GET /queue`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct QueueQuery {
    /// Only entries in this state.
    #[serde(rename = "filter[state]")]
    #[param(inline, value_type = Option<EntryState>, nullable = false)]
    pub(super) state: Option<String>,
    /// Only entries whose last attempt failed with this code.
    #[serde(rename = "filter[code]")]
    #[param(nullable = false, example = "timesheet-exported")]
    pub(super) code: Option<String>,
    /// The page size.
    #[serde(rename = "page[size]")]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 50, nullable = false)]
    pub(super) size: Option<String>,
    /// The IRI after which the page begins, as in `links.next`.
    #[serde(rename = "page[after]")]
    #[param(format = Uri, nullable = false)]
    pub(super) after: Option<String>,
}

/// `GET /runs`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RunsQuery {
    /// Only runs of this kind.
    #[serde(rename = "filter[kind]")]
    #[param(inline, value_type = Option<RunKind>, nullable = false)]
    pub(super) kind: Option<String>,
}

/// `GET /runs/{id}/findings`.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FindingsQuery {
    /// Only findings of this kind.
    #[serde(rename = "filter[kind]")]
    #[param(inline, value_type = Option<FindingKind>, nullable = false)]
    pub(super) kind: Option<String>,
    /// Only findings that are held back.
    #[serde(rename = "filter[held]")]
    #[param(value_type = Option<bool>, default = false, nullable = false)]
    pub(super) held: Option<String>,
    /// The page size.
    #[serde(rename = "page[size]")]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 50, nullable = false)]
    pub(super) size: Option<String>,
    /// The number of the finding after which the page begins, as in `links.next`.
    #[serde(rename = "page[after]")]
    #[param(value_type = Option<u32>, minimum = 0, maximum = 4_294_967_295_u32, nullable = false)]
    pub(super) after: Option<String>,
}

/// `POST /sync-to-kimai/work-logs`. Other parameters are ignored, since old scripts may send more.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SweepQuery {
    /// Show what would be done, and change nothing.
    #[serde(rename = "dry-run")]
    #[param(value_type = Option<bool>, default = false, nullable = false)]
    pub(super) dry_run: Option<String>,
    /// The confirm key of a plan, if it is not in the body.
    #[param(nullable = false)]
    pub(super) confirm: Option<String>,
}

/// `Prefer`, of RFC 7240.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the headers are read one by one; this says so in the documentation")]
pub(super) struct Prefer {
    /// `respond-async`: answer 202 immediately, with the run.
    #[serde(rename = "Prefer")]
    #[param(nullable = false, example = "respond-async")]
    prefer: Option<String>,
}

/// A period: days, or date-times, of which the day in the service's time zone is used.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "members are read one by one, to name the faulty one; this says what they are")]
pub(super) struct PeriodBody {
    /// The first day.
    #[schema(format = Date, example = "2024-09-01")]
    start: String,
    /// The last day, inclusive.
    #[schema(format = Date, example = "2024-09-30")]
    end: String,
    /// The confirm key of a plan, which allows the deletions that it held back.
    confirm: Option<String>,
}

/// A month.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "members are read one by one, to name the faulty one; this says what they are")]
pub(super) struct MonthBody {
    /// From 1 to 12, as number or text.
    #[schema(schema_with = month)]
    month: String,
    /// Four digits, as number or text.
    #[schema(schema_with = year)]
    year: String,
}

fn month() -> Schema {
    number_or_text(1, 12, "^(0?[1-9]|1[0-2])$", 9)
}

fn year() -> Schema {
    number_or_text(1000, 9999, "^[1-9][0-9]{3}$", 2024)
}

fn number_or_text(least: u16, most: u16, pattern: &str, example: u16) -> Schema {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most));
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    OneOfBuilder::new().item(number).item(text).examples([example]).build().into()
}

/// A delta, in one of the formats of the delta-notifier. Invalid parts are skipped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a delta is read as a stream; this says what it is")]
pub(super) enum Delta {
    /// `v0.0.1`
    ChangeSets(Vec<ChangeSet>),
    /// `v0.0.0-genesis`
    Genesis(Genesis),
}

/// A delta in the format `v0.0.0-genesis`.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "see Delta")]
pub(super) struct Genesis {
    delta: GenesisChangeSet,
}

/// Inserted and deleted triples.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "see Delta")]
pub(super) struct ChangeSet {
    #[serde(default)]
    inserts: Vec<Quad>,
    #[serde(default)]
    deletes: Vec<Quad>,
}

/// A triple, and the graph it is in.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "see Delta")]
pub(super) struct Quad {
    subject: Term,
    predicate: Term,
    object: Term,
    #[schema(nullable = false)]
    graph: Option<Term>,
}

/// An RDF term.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "see Delta")]
pub(super) struct Term {
    /// `uri` or `literal`.
    #[schema(example = "uri")]
    r#type: String,
    #[schema(example = "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001")]
    value: String,
    /// The datatype of a literal.
    #[schema(nullable = false, example = "http://www.w3.org/2001/XMLSchema#date")]
    datatype: Option<String>,
}

/// Inserted and deleted triples, in the format `v0.0.0-genesis`.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "see Delta")]
pub(super) struct GenesisChangeSet {
    #[serde(default)]
    inserts: Vec<GenesisTriple>,
    #[serde(default)]
    deletes: Vec<GenesisTriple>,
}

/// A triple in the format `v0.0.0-genesis`.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "see Delta")]
pub(super) struct GenesisTriple {
    #[schema(example = "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001")]
    s: String,
    #[schema(example = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type")]
    p: String,
    #[schema(example = "http://www.w3.org/2002/12/cal/ical#Vevent")]
    o: String,
}

/// A SPARQL 1.1 query or update as a form; exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "the form is read pair by pair; this says what it is")]
pub(super) struct SparqlForm {
    #[schema(nullable = false, example = "SELECT * WHERE { ?work ?is ?what } LIMIT 5")]
    query: Option<String>,
    #[schema(nullable = false)]
    update: Option<String>,
}
