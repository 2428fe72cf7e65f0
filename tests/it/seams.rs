//! What one folder hides from all others. This test reads the source, that of tests too, and lists who else names it.

use std::fs;
use std::path::PathBuf;

use proc_macro2::{TokenStream, TokenTree};

use crate::support::rust_source::files;

/// A crate, and where it may be named: in this folder, and in the file of its name.
const HIDDEN: [(&str, &str); 1] = [("rusqlite", "src/store/sqlite")];

/// The lines of `source` that name `what`, but for comments and texts.
fn lines(source: &str, what: &str) -> Vec<usize> {
    let mut streams: Vec<TokenStream> = vec![source.parse().unwrap()];
    let mut lines = Vec::new();
    while let Some(stream) = streams.pop() {
        for tree in stream {
            match tree {
                TokenTree::Ident(name) if name == what => lines.push(name.span().start().line),
                TokenTree::Group(group) => streams.push(group.stream()),
                _ => {}
            }
        }
    }
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[test]
fn what_a_folder_hides_is_named_nowhere_else() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for (hidden, folder) in HIDDEN {
        let all = ["src", "tests", "benches"].into_iter().flat_map(|part| files(&root.join(part), |_| false));
        let (own, others): (Vec<_>, Vec<_>) = all
            .map(|file| file.strip_prefix(&root).unwrap().display().to_string())
            .partition(|file| file.starts_with(&format!("{folder}/")) || *file == format!("{folder}.rs"));
        let named = |file: &String| lines(&fs::read_to_string(root.join(file)).unwrap(), hidden);
        assert!(own.iter().any(|file| !named(file).is_empty()), "{folder} does not use {hidden} any more");
        let told: Vec<String> = others
            .iter()
            .flat_map(|file| {
                named(file).into_iter().map(move |line| format!("{file}:{line}: names {hidden}"))
            })
            .collect();
        assert!(told.is_empty(), "only {folder} may use {hidden}:\n{}\n", told.join("\n"));
    }
}

#[test]
fn a_name_is_found_where_it_is_one() {
    let source = "// rusqlite\n/// [`rusqlite`]\nconst A: &str = \"rusqlite\";\nfn f() -> rusqlite::Result<()> { g(|_: &rusqlite::Row| {\n    rusqlite::h() }) }\nuse other_rusqlite as x;\n";
    assert_eq!(lines(source, "rusqlite"), [4, 5]);
}
