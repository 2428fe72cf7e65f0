//! Converts between Oxigraph's terms and ours.

use oxigraph::model::{GraphName, NamedOrBlankNode, Quad as OxQuad, Term as OxTerm};
use oxigraph::sparql::QueryEvaluationError;

use crate::triplestore::changeset::Quad;
use crate::triplestore::vocabulary::xsd;
use crate::triplestore::{Term, TriplestoreFault};

pub(super) fn term(term: &OxTerm) -> Term {
    match term {
        OxTerm::NamedNode(node) => Term::Iri(node.as_str().to_owned()),
        OxTerm::BlankNode(node) => Term::Blank(node.as_str().to_owned()),
        OxTerm::Literal(literal) => {
            let language = literal.language().map(str::to_owned);
            // As in SPARQL JSON results: neither plain nor tagged strings have a datatype.
            let datatype = Some(literal.datatype().as_str())
                .filter(|datatype| language.is_none() && *datatype != xsd::STRING)
                .map(str::to_owned);
            Term::Literal { value: literal.value().to_owned(), datatype, language }
        }
    }
}

pub(super) fn quad(quad: &OxQuad) -> Quad {
    let subject = match &quad.subject {
        NamedOrBlankNode::NamedNode(node) => Term::Iri(node.as_str().to_owned()),
        NamedOrBlankNode::BlankNode(node) => Term::Blank(node.as_str().to_owned()),
    };
    let graph = match &quad.graph_name {
        GraphName::NamedNode(node) => node.as_str().to_owned(),
        GraphName::BlankNode(node) => format!("_:{}", node.as_str()),
        GraphName::DefaultGraph => String::new(),
    };
    Quad { subject, predicate: quad.predicate.as_str().to_owned(), object: term(&quad.object), graph }
}

/// The error for a query or WHERE that could not be evaluated.
pub(super) fn failed(error: &QueryEvaluationError) -> TriplestoreFault {
    match error {
        QueryEvaluationError::Cancelled => TriplestoreFault::Transient("stopped".to_owned()),
        QueryEvaluationError::Dataset(_) | QueryEvaluationError::UnexpectedDefaultGraph => {
            TriplestoreFault::Transient(error.to_string())
        }
        other => TriplestoreFault::Refused(other.to_string().into()),
    }
}
