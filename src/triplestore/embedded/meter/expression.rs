//! Inserts calls into expressions, so that strings do not grow beyond what was counted.

use oxigraph::model::{Literal, NamedNode};
use spargebra::algebra::{AggregateExpression, AggregateFunction, Expression, Function};

use super::rewrite::Rewrite;
use super::{KEEP, SHORT, STEP, WEIGH};

/// The maximum total input of one CONCAT or similar function, in bytes: its output is two or three times that.
const MOST_TEXT: usize = 16 * 1024 * 1024;
/// The maximum input of a REPLACE, and of its replacement: the output is their product.
const MOST_REPLACED: usize = 64 * 1024;
const MOST_REPLACEMENT: usize = 512;

pub(super) fn keep(cells: usize) -> Expression {
    call(KEEP, vec![count(cells)])
}

pub(super) fn step() -> Expression {
    call(STEP, Vec::new())
}

fn weigh(value: Expression, more: usize) -> Expression {
    call(WEIGH, vec![value, count(more)])
}

fn short(value: Expression, most: usize) -> Expression {
    match value {
        Expression::Literal(literal) if literal.value().len() <= most => Expression::Literal(literal),
        other => call(SHORT, vec![other, count(most)]),
    }
}

fn call(name: &str, arguments: Vec<Expression>) -> Expression {
    Expression::FunctionCall(Function::Custom(NamedNode::new_unchecked(name)), arguments)
}

fn count(number: usize) -> Expression {
    Expression::Literal(Literal::from(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// What BIND and similar clauses store for each row.
pub(super) fn kept(expression: Expression, rewrite: &Rewrite) -> Expression {
    let plain =
        matches!(expression, Expression::Variable(_) | Expression::Literal(_) | Expression::NamedNode(_));
    let expression = inner(expression, rewrite);
    if plain { expression } else { weigh(expression, 0) }
}

/// What an aggregate stores for each row.
pub(super) fn aggregate(aggregate: AggregateExpression, rewrite: &Rewrite) -> AggregateExpression {
    match aggregate {
        AggregateExpression::FunctionCall { name, expr, distinct } => {
            let more = match &name {
                AggregateFunction::GroupConcat { separator } => separator.as_ref().map_or(1, String::len),
                _ => 0,
            };
            let joins = matches!(name, AggregateFunction::GroupConcat { .. });
            let expr = if joins { weigh(inner(expr, rewrite), more) } else { kept(expr, rewrite) };
            AggregateExpression::FunctionCall { name, expr, distinct }
        }
        all @ AggregateExpression::CountSolutions { .. } => all,
    }
}

/// The same expression with calls around functions that make long strings, and in the patterns of EXISTS.
pub(super) fn inner(expression: Expression, rewrite: &Rewrite) -> Expression {
    let one = |part: Box<Expression>| Box::new(inner(*part, rewrite));
    let all = |parts: Vec<Expression>| parts.into_iter().map(|part| inner(part, rewrite)).collect::<Vec<_>>();
    match expression {
        Expression::Or(a, b) => Expression::Or(one(a), one(b)),
        Expression::And(a, b) => Expression::And(one(a), one(b)),
        Expression::Equal(a, b) => Expression::Equal(one(a), one(b)),
        Expression::SameTerm(a, b) => Expression::SameTerm(one(a), one(b)),
        Expression::Greater(a, b) => Expression::Greater(one(a), one(b)),
        Expression::GreaterOrEqual(a, b) => Expression::GreaterOrEqual(one(a), one(b)),
        Expression::Less(a, b) => Expression::Less(one(a), one(b)),
        Expression::LessOrEqual(a, b) => Expression::LessOrEqual(one(a), one(b)),
        Expression::In(a, list) => Expression::In(one(a), all(list)),
        Expression::Add(a, b) => Expression::Add(one(a), one(b)),
        Expression::Subtract(a, b) => Expression::Subtract(one(a), one(b)),
        Expression::Multiply(a, b) => Expression::Multiply(one(a), one(b)),
        Expression::Divide(a, b) => Expression::Divide(one(a), one(b)),
        Expression::UnaryPlus(a) => Expression::UnaryPlus(one(a)),
        Expression::UnaryMinus(a) => Expression::UnaryMinus(one(a)),
        Expression::Not(a) => Expression::Not(one(a)),
        Expression::Exists(pattern) => Expression::Exists(Box::new(rewrite.pattern(*pattern))),
        Expression::If(a, b, c) => Expression::If(one(a), one(b), one(c)),
        Expression::Coalesce(parts) => Expression::Coalesce(all(parts)),
        Expression::FunctionCall(name, arguments) => {
            let arguments = bounded(&name, all(arguments));
            Expression::FunctionCall(name, arguments)
        }
        plain @ (Expression::NamedNode(_)
        | Expression::Literal(_)
        | Expression::Variable(_)
        | Expression::Bound(_)) => plain,
    }
}

fn bounded(name: &Function, arguments: Vec<Expression>) -> Vec<Expression> {
    let most = MOST_TEXT / arguments.len().max(1);
    let of = |at: usize| match (name, at) {
        (Function::Concat | Function::EncodeForUri | Function::UCase | Function::LCase, _) => Some(most),
        (Function::Replace, 0) => Some(MOST_REPLACED),
        (Function::Replace, 2) => Some(MOST_REPLACEMENT),
        _ => None,
    };
    let bounded = |(at, argument): (usize, Expression)| match of(at) {
        Some(most) => short(argument, most),
        None => argument,
    };
    arguments.into_iter().enumerate().map(bounded).collect()
}
