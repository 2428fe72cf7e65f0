//! Builds SPARQL: checked IRIs, escaped literals, and updates from sophia graphs. Text is inserted into statements only
//! through the types of this module.
//!
//! Literals are in double quotes, with `\\`, `\"`, `\n` and `\r` as the only escapes: Oxigraph, Virtuoso and
//! sparql-parser (which does not support `\u`) all read these in the same way. Everything else is unescaped UTF-8.

use std::borrow::Cow;
use std::fmt;

use jiff::civil::Date;
use sophia::api::prelude::{Graph, MutableGraph, Triple};
use sophia::api::term::{IriRef, LanguageTag, SimpleTerm};
use sophia::inmem::graph::LightGraph;

use super::vocabulary::xsd;
use crate::domain::ids::{WorkLogUri, is_iri};

/// The most triples in one update, and the most subjects or IDs in a query: sparql-parser aborts what takes too many
/// steps to parse, and Virtuoso refuses about 2 000 triples or more.
pub const BATCH: usize = 100;

/// Why something cannot be expressed in SPARQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementFault {
    /// It would break out of `<…>`, or is relative.
    #[error("{0:?} is not an absolute IRI")]
    NotAnIri(String),
    /// An invalid language tag.
    #[error("{0:?} is not a language tag")]
    NotALanguage(String),
    /// Blank nodes and other terms that sparql-parser refuses.
    #[error("{0} cannot be written to the triplestore")]
    Unwritable(String),
}

/// An absolute IRI that is safe between `<` and `>`. Displays with both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Iri(Cow<'static, str>);

impl Iri {
    /// Checks `iri` by sophia's grammar: backslashes, quotes, spaces, `<>{}|^`, control characters and relative
    /// references are refused.
    pub fn new(iri: impl Into<String>) -> Result<Self, StatementFault> {
        let iri = iri.into();
        if is_iri(&iri) {
            Ok(Self(Cow::Owned(iri)))
        } else {
            Err(StatementFault::NotAnIri(iri.chars().take(120).collect()))
        }
    }

    /// A term of [`vocabulary`](super::vocabulary), checked by its tests instead of here.
    pub const fn known(term: &'static str) -> Self {
        Self(Cow::Borrowed(term))
    }

    /// The IRI without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&WorkLogUri> for Iri {
    fn from(uri: &WorkLogUri) -> Self {
        // Checked by the same grammar when it was parsed.
        Self(Cow::Owned(uri.as_str().to_owned()))
    }
}

impl fmt::Display for Iri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// A literal. Displays quoted and escaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Literal {
    value: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    /// Without a datatype. Virtuoso distinguishes `"1"` from `"1"^^xsd:string`, and the stack writes the first.
    Plain,
    Typed(Iri),
    Tagged(String),
}

impl Literal {
    /// A plain string.
    pub fn string(value: impl Into<String>) -> Self {
        Self { value: value.into(), kind: Kind::Plain }
    }

    /// An `xsd:date` without a time zone.
    pub fn date(day: Date) -> Self {
        Self { value: day.to_string(), kind: Kind::Typed(Iri::known(xsd::DATE)) }
    }

    /// A literal of any datatype, `xsd:string` included.
    pub fn typed(value: impl Into<String>, datatype: Iri) -> Self {
        Self { value: value.into(), kind: Kind::Typed(datatype) }
    }

    /// A string in a language, such as `nl` or `en-GB`.
    pub fn tagged(value: impl Into<String>, language: &str) -> Result<Self, StatementFault> {
        match LanguageTag::new(language) {
            Ok(_) => Ok(Self { value: value.into(), kind: Kind::Tagged(language.to_owned()) }),
            Err(_) => Err(StatementFault::NotALanguage(language.chars().take(120).collect())),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for c in self.value.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')?;
        match &self.kind {
            Kind::Plain => Ok(()),
            Kind::Typed(datatype) => write!(f, "^^{datatype}"),
            Kind::Tagged(language) => write!(f, "@{language}"),
        }
    }
}

/// An IRI or a literal: the object of a triple.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// An IRI.
    Iri(Iri),
    /// A literal.
    Literal(Literal),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iri(iri) => iri.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

impl From<Iri> for Object {
    fn from(iri: Iri) -> Self {
        Self::Iri(iri)
    }
}

impl From<&Iri> for Object {
    fn from(iri: &Iri) -> Self {
        Self::Iri(iri.clone())
    }
}

impl From<Literal> for Object {
    fn from(literal: Literal) -> Self {
        Self::Literal(literal)
    }
}

/// Triples to be written, in a sophia graph, without duplicates.
#[derive(Debug, Default)]
pub struct Triples(LightGraph);

impl Triples {
    /// No triples.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a triple. `predicate` is a term of [`vocabulary`](super::vocabulary).
    pub fn add(
        &mut self,
        subject: &Iri,
        predicate: &'static str,
        object: impl Into<Object>,
    ) -> Result<&mut Self, StatementFault> {
        let object = match object.into() {
            Object::Iri(iri) => simple_iri(iri.0),
            Object::Literal(literal) => simple_literal(literal),
        };
        let subject = simple_iri(subject.0.clone());
        self.0
            .insert(subject, simple_iri(Cow::Borrowed(predicate)), object)
            .map_err(|full| StatementFault::Unwritable(format!("this many triples at once ({full})")))?;
        Ok(self)
    }

    /// The updates that write them; see [`insert_data`].
    pub fn insert_data(&self) -> Result<Vec<String>, StatementFault> {
        insert_data(&self.0)
    }
}

fn simple_iri(iri: Cow<'static, str>) -> SimpleTerm<'static> {
    SimpleTerm::Iri(IriRef::new_unchecked(iri.into()))
}

fn simple_literal(literal: Literal) -> SimpleTerm<'static> {
    let value = literal.value.into();
    match literal.kind {
        Kind::Plain => SimpleTerm::LiteralDatatype(value, IriRef::new_unchecked(xsd::STRING.into())),
        Kind::Typed(datatype) => SimpleTerm::LiteralDatatype(value, IriRef::new_unchecked(datatype.0.into())),
        Kind::Tagged(language) => {
            SimpleTerm::LiteralLanguage(value, LanguageTag::new_unchecked(language.into()), None)
        }
    }
}

/// Updates that insert all of `graph`, without GRAPH, in batches of at most [`BATCH`] triples. IRIs are checked again,
/// since a sophia graph accepts any. Strings of type `xsd:string` are written without their datatype.
pub fn insert_data(graph: &LightGraph) -> Result<Vec<String>, StatementFault> {
    let mut lines = Vec::with_capacity(graph.triples().size_hint().0);
    for triple in graph.triples() {
        let Ok(triple) = triple;
        let [subject, predicate, object] = triple.to_spo();
        lines.push(format!("{} {} {} .\n", spell(&subject)?, spell(&predicate)?, spell(&object)?));
    }
    // Sorted, so that the same graph always gives the same updates.
    lines.sort_unstable();
    Ok(lines.chunks(BATCH).map(|batch| format!("INSERT DATA {{\n{}}}", batch.concat())).collect())
}

fn spell(term: &impl sophia::api::term::Term) -> Result<Object, StatementFault> {
    if let Some(iri) = term.iri() {
        return Iri::new(iri.as_str()).map(Object::Iri);
    }
    let (Some(value), Some(datatype)) = (term.lexical_form(), term.datatype()) else {
        return Err(StatementFault::Unwritable(format!("a term of kind {:?}", term.kind())));
    };
    let literal = match term.language_tag() {
        Some(language) => Literal::tagged(value.as_ref(), language.as_str())?,
        None if datatype.as_str() == xsd::STRING => Literal::string(value.as_ref()),
        None => Literal::typed(value.as_ref(), Iri::new(datatype.as_str())?),
    };
    Ok(literal.into())
}

/// A filter that `?s` has none of these classes.
pub(super) fn none_of(classes: impl IntoIterator<Item = &'static str>) -> String {
    let classes: Vec<String> = classes.into_iter().map(|class| Iri::known(class).to_string()).collect();
    format!("FILTER NOT EXISTS {{ ?s a ?class . FILTER (?class IN ({})) }}", classes.join(", "))
}

#[cfg(test)]
mod tests;
