//! The order of the crate's top-level modules: each uses only what stands below it, so that there is no circle.

mod scan;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use scan::{Found, scan};

/// From the ground up. A module may use those of lower rows; not its neighbours in the row.
const ORDER: &[&[&str]] = &[
    // Tools that know nothing of work logs.
    &["clock", "failpoint", "json", "limits", "escape", "http_client", "unreadable", "text"],
    &["domain"],
    &["queue"],
    &["store"],
    // What everybody may be handed.
    &["contact", "progress", "settings"],
    &["telemetry"],
    // The ports and the neighbours behind them.
    &["work_logs"],
    &["trackers", "triplestore"],
    // The engine and what else is done at both sides.
    &["reconcile"],
    &["delta"],
    &["jobs"],
    &["schedule", "status"],
    &["explain"],
    &["doctor"],
    // The ways in.
    &["http"],
    &["ui"],
    &["engine"],
    &["app"],
    &["demo"],
    &["cli"],
];

/// Uses against the order that are known of: the file, and the module it should not use. One that is gone has to leave
/// the list.
const DEBT: &[(&str, &str)] = &[];

/// A use against the order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Breach {
    file: String,
    line: usize,
    from: String,
    to: String,
}

/// Everything wrong with the uses of the `files` of a crate, each read by its path in `src/`, and the debt that is none
/// any more.
fn complaints(
    order: &[&[&str]],
    debt: &[(&str, &str)],
    read: &dyn Fn(&Path) -> Option<String>,
) -> Vec<String> {
    let rank = |module: &str| order.iter().position(|row| row.contains(&module));
    let mut complaints = BTreeSet::new();
    let mut breaches = Vec::new();
    for (file, module, found) in modules(read) {
        let Some(top) = module.first() else { continue };
        let Some(own) = rank(top) else {
            complaints.insert(format!("src/{file}: {top} stands in no row of the order"));
            continue;
        };
        for used in found.uses.iter().filter(|used| used.module != *top) {
            let Some(other) = rank(&used.module) else {
                let to = &used.module;
                complaints
                    .insert(format!("src/{file}:{}: crate::{to} stands in no row of the order", used.line));
                continue;
            };
            if other >= own {
                let (file, to) = (file.clone(), used.module.clone());
                breaches.push(Breach { file, line: used.line, from: top.clone(), to });
            }
        }
    }
    let is_known = |breach: &Breach| debt.contains(&(breach.file.as_str(), breach.to.as_str()));
    for Breach { file, line, from, to } in breaches.iter().filter(|breach| !is_known(breach)) {
        complaints.insert(format!("src/{file}:{line}: {from} may not use {to}"));
    }
    for (file, to) in debt {
        if !breaches.iter().any(|breach| breach.file == *file && breach.to == *to) {
            complaints
                .insert(format!("src/{file}: does not use {to} any more; take it off the list of debt"));
        }
    }
    complaints.into_iter().collect()
}

/// Every file of the crate but those of tests: its path in `src/`, its module, and what it says.
fn modules(read: &dyn Fn(&Path) -> Option<String>) -> Vec<(String, Vec<String>, Found)> {
    let mut waiting = vec![Vec::new()];
    let mut modules = Vec::new();
    while let Some(module) = waiting.pop() {
        let (file, source) = places(&module)
            .into_iter()
            .find_map(|place| read(&place).map(|source| (place, source)))
            .unwrap_or_else(|| panic!("there is no file of the module {module:?}"));
        let found = scan(&source, &module);
        waiting.extend(found.modules.iter().cloned());
        modules.push((file.display().to_string(), module, found));
    }
    modules
}

/// Where the file of a module may be.
fn places(module: &[String]) -> [PathBuf; 2] {
    if module.is_empty() {
        return [PathBuf::from("lib.rs"), PathBuf::from("main.rs")];
    }
    let path: PathBuf = module.iter().collect();
    [path.with_extension("rs"), path.join("mod.rs")]
}

#[test]
fn top_level_modules_use_only_what_is_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let complaints = complaints(ORDER, DEBT, &|place| fs::read_to_string(src.join(place)).ok());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The complaints about a crate with the modules `low` and `high`, of these files.
fn of_crate(debt: &[(&str, &str)], files: &[(&str, &str)]) -> Vec<String> {
    let mut all = BTreeMap::from([("lib.rs", "mod low; mod high;"), ("low.rs", ""), ("high.rs", "")]);
    all.extend(files.iter().copied());
    let read = |place: &Path| all.get(place.to_str()?).map(|source| (*source).to_owned());
    complaints(&[&["low"], &["high"]], debt, &read)
}

#[test]
fn a_use_from_below_is_found_however_it_is_written() {
    let forbidden = [
        "use crate::high::X;",
        "use crate::high;",
        "pub(crate) use crate::high as other;",
        "use crate::{low, high};",
        "use crate::{low::{a, b}, high::{self, c}};",
        "use {std::fmt, crate::high::X};",
        "use super::high;",
        "use super::{high::X};",
        "use self::super::high::X;",
        "use crate :: /* why */ high;",
        "fn f() { crate::high::g(); }",
        "fn f() -> Vec<super::high::X> { vec![] }",
        "macro_rules! m { () => { $crate::high::g() } }",
        "mod inner { use super::super::high::X; }",
        "mod inner { use super::{super::{high}}; }",
        "mod inner { mod deep { fn f() { super::super::super::high::g() } } }",
        "#[cfg(not(test))] use crate::high;",
        "#[cfg(test)] mod tests { use crate::high; } use crate::high::X;",
        "#[cfg(test)] use crate::low::A; use crate::high::X;",
        "struct S { #[cfg(test)] a: u8, b: crate::high::X }",
        "const A: &str = \"\\\"\"; use crate::high;",
        "const A: char = '\"'; use crate::high;",
        "fn f<'a>(a: &'a str) -> crate::high::X { g(a, 'x', '\\'') }",
        "const A: &str = r#\"a \" b\"#; use crate::high;",
        "use crate::r#high;",
    ];
    for source in forbidden {
        assert_eq!(of_crate(&[], &[("low.rs", source)]), ["src/low.rs:1: low may not use high"], "{source}");
    }
}

#[test]
fn what_only_looks_like_a_use_is_none() {
    let harmless = [
        "// use crate::high;",
        "/// See [`crate::high`].\n//! And [`crate::high::X`].",
        "/* use crate::high; /* crate::high */ crate::high */",
        "const A: &str = \"crate::high\";",
        "const A: &str = \"a \\\" crate::high::X\";",
        "const A: &str = r##\"\" crate::high \"# \"##;",
        "const A: &[u8] = br\"crate::high\";",
        "use other::{high, crate_high};",
        "use std::high::X; use high::X;",
        "fn f() { other::crate_::high(); high::g(); self.high(); }",
        "mod inner { use super::high; use self::high::X; pub(super) mod high {} }",
        "#[cfg(test)] mod tests { use crate::high::X; }",
        "#[cfg(test)] use crate::{high::X, low::Y};",
        "#[cfg(test)] #[path = \"low_tests.rs\"] mod tests;",
        "#[cfg(all(test, unix))] fn f<A, B>() -> crate::high::X { g() }",
        "struct S { #[cfg(test)] a: crate::high::X, b: u8 }",
        "fn f() { #[cfg(test)] let x = crate::high::X { a: 1 }; g(); }",
        "#![cfg(test)]\nuse crate::high::X;",
        "pub(in crate::low) struct X; pub(crate) struct Y;",
    ];
    for source in harmless {
        assert_eq!(of_crate(&[], &[("low.rs", source)]), [""; 0], "{source}");
    }
    assert_eq!(of_crate(&[], &[("high.rs", "use crate::low::X; use crate::high::Y;")]), [""; 0]);
}

#[test]
fn files_of_modules_within_are_looked_at_and_lines_are_counted() {
    let files = [
        ("low.rs", "mod a;\n#[cfg(test)]\nmod tests;\n"),
        (
            "low/a/mod.rs",
            "//! Text.\nmod b;\nconst X: &str = \"\n\n\";\nuse crate::{\n    low,\n    high,\n};\n",
        ),
        ("low/a/b.rs", "use super::super::super::high;\nuse crate::*;\nuse crate::elsewhere::X;"),
    ];
    let told = [
        "src/low/a/b.rs:1: low may not use high",
        "src/low/a/b.rs:2: crate::* stands in no row of the order",
        "src/low/a/b.rs:3: crate::elsewhere stands in no row of the order",
        "src/low/a/mod.rs:8: low may not use high",
    ];
    assert_eq!(of_crate(&[], &files), told);
}

#[test]
fn debt_is_let_pass_and_has_to_be_true() {
    let files = [("low.rs", "use crate::high;")];
    assert_eq!(of_crate(&[("low.rs", "high")], &files), [""; 0]);
    let gone = "src/low.rs: does not use high any more; take it off the list of debt";
    assert_eq!(of_crate(&[("low.rs", "high")], &[]), [gone]);
    let lib = [("lib.rs", "mod low; mod high; mod new;"), ("new.rs", "")];
    assert_eq!(of_crate(&[], &lib), ["src/new.rs: new stands in no row of the order"]);
}
