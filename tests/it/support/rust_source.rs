//! Rust source in tokens, without comments and without what is only built for tests.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// The Rust files in `folder` and below, in order. `passes_over` says which files and folders to leave out.
pub(crate) fn files(folder: &Path, passes_over: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| !passes_over(path)) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A token of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or keyword.
    Word(String),
    /// `::`
    Path,
    /// A literal, as it is written.
    Literal(String),
    /// Any other character.
    Mark(char),
}

/// One of them, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Its line, counted from 1.
    pub(crate) line: usize,
}

/// The tokens of `source` that are built outside tests.
pub(crate) fn program(source: &str) -> Vec<Token> {
    let stream: TokenStream = source.parse().unwrap_or_else(|error| panic!("{error}:\n{source}"));
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    tokens
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        match &trees[at..] {
            [mark, TokenTree::Group(attribute), ..] if is_mark(mark, '#') && is_for_tests(attribute) => {
                at = behind_item(&trees, at + 2);
                continue;
            }
            [mark, inner, TokenTree::Group(attribute), ..]
                if is_mark(mark, '#') && is_mark(inner, '!') && is_for_tests(attribute) =>
            {
                // All that follows here is for tests.
                return;
            }
            _ => {}
        }
        let line = tree.span().start().line;
        let mut push = |kind| tokens.push(Token { kind, line });
        match tree {
            TokenTree::Ident(name) => {
                let name = name.to_string();
                push(Kind::Word(name.strip_prefix("r#").unwrap_or(&name).to_owned()));
            }
            TokenTree::Literal(literal) => push(Kind::Literal(literal.to_string())),
            TokenTree::Punct(mark) => {
                let next = trees.get(at + 1).is_some_and(|next| is_mark(next, ':'));
                if mark.as_char() == ':' && mark.spacing() == Spacing::Joint && next {
                    push(Kind::Path);
                    at += 1;
                } else {
                    push(Kind::Mark(mark.as_char()));
                }
            }
            TokenTree::Group(group) => {
                let marks = match group.delimiter() {
                    Delimiter::Parenthesis => ('(', ')'),
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::None => panic!("a source file has no such group"),
                };
                push(Kind::Mark(marks.0));
                flatten(group.stream(), tokens);
                tokens.push(Token { kind: Kind::Mark(marks.1), line: group.span_close().start().line });
            }
        }
        at += 1;
    }
}

fn is_mark(tree: &TokenTree, mark: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_word(tree: &TokenTree, word: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident == word)
}

/// Whether this attribute is `cfg(test)` or `cfg(all(test, …))`.
fn is_for_tests(attribute: &Group) -> bool {
    let mut tokens = Vec::new();
    flatten(attribute.stream(), &mut tokens);
    let words = tokens.iter().filter_map(|token| match &token.kind {
        Kind::Word(word) => Some(word.as_str()),
        _ => None,
    });
    let words: Vec<&str> = words.collect();
    words == ["cfg", "test"] || words.starts_with(&["cfg", "all", "test"])
}

/// Behind the item, field, arm or statement that begins at `at`, with its other attributes.
fn behind_item(trees: &[TokenTree], mut at: usize) -> usize {
    const ITEMS: [&str; 14] = [
        "fn",
        "mod",
        "use",
        "struct",
        "enum",
        "impl",
        "const",
        "static",
        "type",
        "trait",
        "async",
        "unsafe",
        "let",
        "macro_rules",
    ];
    while trees.get(at).is_some_and(|tree| is_mark(tree, '#')) {
        at += 2;
    }
    if trees.get(at).is_some_and(|tree| is_word(tree, "pub")) {
        at += 1;
        if matches!(trees.get(at), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
        {
            at += 1;
        }
    }
    let first = trees.get(at);
    let is_item = first.is_some_and(|tree| ITEMS.iter().any(|item| is_word(tree, item)));
    // The braces of a `use` end nothing; nor does a comma between the generic parameters of an item.
    let is_use = first.is_some_and(|tree| is_word(tree, "use"));
    let ends = |tree: &TokenTree| is_mark(tree, ';') || (!is_item && is_mark(tree, ','));
    while let Some(tree) = trees.get(at) {
        at += 1;
        let is_block = matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        if is_block && !is_use {
            return at + usize::from(trees.get(at).is_some_and(ends));
        }
        if ends(tree) {
            return at;
        }
    }
    at
}
