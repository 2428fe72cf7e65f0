//! Inserts calls into patterns, where rows are stored, and where they are multiplied without reading triples.
//!
//! A call is in a BIND of an unused variable, which it leaves unbound.

use std::collections::HashSet;

use oxigraph::model::{BlankNode, Variable};
use spargebra::algebra::{Expression, GraphPattern, OrderExpression};
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};

use super::expression::{aggregate, inner, keep, step};

/// The most rows by which VALUES may multiply one triple between two checks of the time.
const MOST_VALUES: usize = 10_000;
/// The most triple patterns for the optimizer to order, which takes cubic time.
const MOST_ORDERED: usize = 48;

/// The same pattern with calls.
pub(in crate::triplestore::embedded) fn pattern(pattern: GraphPattern) -> GraphPattern {
    let mut variables = HashSet::new();
    names(&pattern, &mut variables);
    Rewrite { cells: variables.len() + 1 }.pattern(pattern)
}

/// The most values of a row.
pub(super) struct Rewrite {
    cells: usize,
}

/// A part of a join.
struct Part {
    pattern: GraphPattern,
    variables: HashSet<String>,
    /// How many rows it makes from one without reading a triple, if known.
    makes: usize,
}

impl Rewrite {
    fn kept(&self, pattern: GraphPattern) -> GraphPattern {
        extend(pattern, keep(self.cells))
    }

    /// The same pattern with calls.
    pub(super) fn pattern(&self, pattern: GraphPattern) -> GraphPattern {
        let of = |part: Box<GraphPattern>| Box::new(self.pattern(*part));
        let kept = |part: Box<GraphPattern>| Box::new(self.kept(self.pattern(*part)));
        match pattern {
            plain @ (GraphPattern::Bgp { .. } | GraphPattern::Path { .. } | GraphPattern::Values { .. }) => {
                self.join(plain)
            }
            join @ GraphPattern::Join { .. } => self.join(join),
            GraphPattern::LeftJoin { left, right, expression } => {
                let expression = expression.map(|expression| inner(expression, self));
                stepped(GraphPattern::LeftJoin { left: of(left), right: kept(right), expression })
            }
            GraphPattern::Lateral { left, right } => {
                stepped(GraphPattern::Lateral { left: of(left), right: of(right) })
            }
            GraphPattern::Minus { left, right } => GraphPattern::Minus { left: of(left), right: kept(right) },
            GraphPattern::Filter { expr, inner: part } => {
                GraphPattern::Filter { expr: inner(expr, self), inner: of(part) }
            }
            GraphPattern::Union { left, right } => GraphPattern::Union { left: of(left), right: of(right) },
            GraphPattern::Graph { name, inner } => GraphPattern::Graph { name, inner: of(inner) },
            GraphPattern::Extend { inner, variable, expression } => GraphPattern::Extend {
                inner: of(inner),
                variable,
                expression: super::expression::kept(expression, self),
            },
            GraphPattern::OrderBy { inner, expression } => {
                let expression = expression.into_iter().map(|order| self.order(order)).collect();
                GraphPattern::OrderBy { inner: kept(inner), expression }
            }
            GraphPattern::Project { inner, variables } => {
                GraphPattern::Project { inner: of(inner), variables }
            }
            // Below the projection: what is projected is part of the answer.
            GraphPattern::Distinct { inner: part } => GraphPattern::Distinct {
                inner: match *part {
                    GraphPattern::Project { inner, variables } => {
                        Box::new(GraphPattern::Project { inner: kept(inner), variables })
                    }
                    other => of(Box::new(other)),
                },
            },
            GraphPattern::Reduced { inner } => GraphPattern::Reduced { inner: of(inner) },
            GraphPattern::Slice { inner, start, length } => {
                GraphPattern::Slice { inner: of(inner), start, length }
            }
            GraphPattern::Group { inner, variables, aggregates } => {
                let aggregates =
                    aggregates.into_iter().map(|(name, what)| (name, aggregate(what, self))).collect();
                GraphPattern::Group { inner: kept(inner), variables, aggregates }
            }
            // Not supported.
            service @ GraphPattern::Service { .. } => service,
        }
    }

    /// A sort makes many comparisons and reads nothing.
    fn order(&self, order: OrderExpression) -> OrderExpression {
        let timed = |expression| Expression::Coalesce(vec![step(), inner(expression, self)]);
        match order {
            OrderExpression::Asc(expression) => OrderExpression::Asc(timed(expression)),
            OrderExpression::Desc(expression) => OrderExpression::Desc(timed(expression)),
        }
    }

    /// A join, unchanged if each row requires reading a triple. Otherwise as much of it as possible, to which the rest
    /// is joined one by one: with triples in loops, which store nothing, or else with both sides counted.
    fn join(&self, join: GraphPattern) -> GraphPattern {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = vec![join];
        while let Some(next) = rest.pop() {
            match next {
                GraphPattern::Join { left, right } => rest.extend([*right, *left]),
                GraphPattern::Bgp { patterns } => parts.extend(patterns.into_iter().map(triple)),
                other => parts.push(self.part(other)),
            }
        }
        let mut joined: Option<GraphPattern> = None;
        while !parts.is_empty() {
            let (next, reads) = connected(&mut parts);
            joined = Some(match joined {
                None => next,
                Some(before) if reads => in_loop(before, next),
                Some(before) => stepped(both(self.kept(before), self.kept(next))),
            });
        }
        joined.unwrap_or_default()
    }

    fn part(&self, pattern: GraphPattern) -> Part {
        let mut variables = HashSet::new();
        names(&pattern, &mut variables);
        let makes = match &pattern {
            GraphPattern::Path { .. } => 1,
            GraphPattern::Values { bindings, .. } => bindings.len(),
            _ => usize::MAX,
        };
        let pattern = match pattern {
            plain @ (GraphPattern::Path { .. } | GraphPattern::Values { .. }) => plain,
            other => self.kept(self.pattern(other)),
        };
        Part { pattern, variables, makes }
    }
}

fn triple(triple: TriplePattern) -> Part {
    let pattern = GraphPattern::Bgp { patterns: vec![triple] };
    let mut variables = HashSet::new();
    names(&pattern, &mut variables);
    Part { pattern, variables, makes: 1 }
}

/// Extracts parts that share variables and make few rows without reading triples: at most one part of unknown size.
/// Also returns whether each of their rows requires reading a triple.
fn connected(parts: &mut Vec<Part>) -> (GraphPattern, bool) {
    let first = parts.remove(0);
    let (mut variables, mut reads) = (first.variables, first.makes == 1);
    let mut unknown = first.makes == usize::MAX;
    let mut made = if unknown { 1 } else { first.makes };
    let mut all = vec![first.pattern];
    while let Some(at) = parts.iter().position(|part| {
        let fits =
            if part.makes == usize::MAX { !unknown } else { made.saturating_mul(part.makes) <= MOST_VALUES };
        fits && (part.variables.is_empty() || variables.is_empty() || !variables.is_disjoint(&part.variables))
    }) {
        let part = parts.remove(at);
        variables.extend(part.variables);
        reads &= part.makes == 1;
        if part.makes == usize::MAX {
            unknown = true;
        } else {
            made = made.saturating_mul(part.makes);
        }
        all.push(part.pattern);
    }
    // As in the parser: triples in one pattern.
    let (mut triples, mut others) = (Vec::new(), Vec::new());
    for pattern in all {
        match pattern {
            GraphPattern::Bgp { patterns } => triples.extend(patterns),
            other => others.push(other),
        }
    }
    let triples = triples.chunks(MOST_ORDERED).map(|part| GraphPattern::Bgp { patterns: part.to_vec() });
    let triples = triples.reduce(in_loop);
    (others.into_iter().chain(triples).reduce(both).unwrap_or_default(), reads)
}

/// For each row of `left` the result of `right`: equivalent to a join if both read triples, but nothing is stored.
fn in_loop(left: GraphPattern, right: GraphPattern) -> GraphPattern {
    GraphPattern::Lateral { left: Box::new(left), right: Box::new(right) }
}

fn both(left: GraphPattern, right: GraphPattern) -> GraphPattern {
    GraphPattern::Join { left: Box::new(left), right: Box::new(right) }
}

fn stepped(pattern: GraphPattern) -> GraphPattern {
    extend(pattern, step())
}

fn extend(pattern: GraphPattern, expression: Expression) -> GraphPattern {
    let name = BlankNode::default();
    let variable = Variable::new_unchecked(format!("kimai_sync_{}", name.as_str()));
    GraphPattern::Extend { inner: Box::new(pattern), variable, expression }
}

/// The variables and blank nodes that `pattern` binds or uses, by name.
fn names(pattern: &GraphPattern, found: &mut HashSet<String>) {
    match pattern {
        GraphPattern::Bgp { patterns } => {
            for TriplePattern { subject, predicate, object } in patterns {
                term(subject, found);
                node(predicate, found);
                term(object, found);
            }
        }
        GraphPattern::Path { subject, object, .. } => {
            term(subject, found);
            term(object, found);
        }
        GraphPattern::Join { left, right }
        | GraphPattern::LeftJoin { left, right, .. }
        | GraphPattern::Lateral { left, right }
        | GraphPattern::Minus { left, right }
        | GraphPattern::Union { left, right } => {
            names(left, found);
            names(right, found);
        }
        GraphPattern::Graph { name, inner } | GraphPattern::Service { name, inner, .. } => {
            node(name, found);
            names(inner, found);
        }
        GraphPattern::Extend { inner, variable, .. } => {
            found.insert(variable.as_str().to_owned());
            names(inner, found);
        }
        GraphPattern::Values { variables, .. } => {
            found.extend(variables.iter().map(|variable| variable.as_str().to_owned()));
        }
        GraphPattern::Project { inner, variables } => {
            found.extend(variables.iter().map(|variable| variable.as_str().to_owned()));
            names(inner, found);
        }
        GraphPattern::Group { inner, variables, aggregates } => {
            found.extend(variables.iter().map(|variable| variable.as_str().to_owned()));
            found.extend(aggregates.iter().map(|(variable, _)| variable.as_str().to_owned()));
            names(inner, found);
        }
        GraphPattern::Filter { inner, .. }
        | GraphPattern::OrderBy { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Reduced { inner }
        | GraphPattern::Slice { inner, .. } => names(inner, found),
    }
}

fn term(term: &TermPattern, found: &mut HashSet<String>) {
    match term {
        TermPattern::Variable(variable) => {
            found.insert(variable.as_str().to_owned());
        }
        TermPattern::BlankNode(node) => {
            found.insert(format!("_:{}", node.as_str()));
        }
        TermPattern::NamedNode(_) | TermPattern::Literal(_) => {}
    }
}

fn node(node: &NamedNodePattern, found: &mut HashSet<String>) {
    if let NamedNodePattern::Variable(variable) = node {
        found.insert(variable.as_str().to_owned());
    }
}
