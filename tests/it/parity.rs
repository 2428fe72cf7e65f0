//! Parity with the JavaScript service this one replaces: the same requests to Kimai, the same triples.

mod graphs;
mod requests;

use crate::support::stack::Stack;

/// What was asked of Kimai so far, a line each.
fn requests(stack: &Stack) -> Vec<String> {
    let requests = stack.kimai.requests().0.into_iter();
    requests
        .map(|request| {
            let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
            format!("{} {}{query} {}", request.method, request.path, request.body).trim_end().to_owned()
        })
        .collect()
}
