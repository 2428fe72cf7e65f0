//! Which top-level modules a source file names, and which files it declares; what is for tests only is left out.

use crate::support::rust_source::{Kind, Token, program};

/// A top-level module that a line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    /// The line of the source file, counted from 1.
    pub(super) line: usize,
    /// The module. `*` where the whole crate is named, so that anything may follow.
    pub(super) module: String,
}

/// What a source file says of modules.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Every path into the crate, outside tests.
    pub(super) uses: Vec<Use>,
    /// The files it declares (`mod name;`), outside tests, each with the inline modules around it.
    pub(super) modules: Vec<Vec<String>>,
}

/// Reads the source of the module at `at` (`["queue", "book"]`; nothing for the root of the crate).
pub(super) fn scan(source: &str, at: &[String]) -> Found {
    let mut reader = Reader { tokens: program(source), next: 0, at: at.to_vec(), found: Found::default() };
    reader.items(false);
    reader.found
}

struct Reader {
    tokens: Vec<Token>,
    next: usize,
    /// The module that the next token stands in.
    at: Vec<String>,
    found: Found,
}

impl Reader {
    fn kind(&self, ahead: usize) -> Option<&Kind> {
        self.tokens.get(self.next + ahead).map(|token| &token.kind)
    }

    fn word(&self, ahead: usize) -> Option<&str> {
        if let Some(Kind::Word(word)) = self.kind(ahead) { Some(word) } else { None }
    }

    fn is_mark(&self, ahead: usize, mark: char) -> bool {
        self.kind(ahead) == Some(&Kind::Mark(mark))
    }

    fn is_path(&self, ahead: usize) -> bool {
        self.kind(ahead) == Some(&Kind::Path)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.next).map_or(0, |token| token.line)
    }

    /// Everything up to the end of the file, or of the inline module that it stands in.
    fn items(&mut self, inline: bool) {
        let mut depth = 0_usize;
        while self.next < self.tokens.len() {
            if self.is_mark(0, '#') && self.is_mark(1, '[') {
                self.next += 1;
                self.skip_group();
            } else if self.is_mark(0, '#') && self.is_mark(1, '!') && self.is_mark(2, '[') {
                self.next += 2;
                self.skip_group();
            } else if self.is_mark(0, '{') {
                depth += 1;
                self.next += 1;
            } else if self.is_mark(0, '}') {
                self.next += 1;
                if depth == 0 && inline {
                    return;
                }
                depth = depth.saturating_sub(1);
            } else if self.word(0) == Some("mod") && self.word(1).is_some() {
                self.module();
            } else if self.word(0) == Some("use") {
                self.next += 1;
                let from = self.at.clone();
                self.tree(Some(&from), false);
            } else {
                self.path();
            }
        }
    }

    /// `mod name;` or `mod name { … }`.
    fn module(&mut self) {
        let name = self.word(1).unwrap_or_default().to_owned();
        let mut at = self.at.clone();
        at.push(name);
        if self.is_mark(2, ';') {
            self.found.modules.push(at);
            self.next += 3;
        } else if self.is_mark(2, '{') {
            self.next += 3;
            let outer = std::mem::replace(&mut self.at, at);
            self.items(true);
            self.at = outer;
        } else {
            self.next += 2;
        }
    }

    /// Goes behind the group that begins here: `[…]`, `(…)` or `{…}`.
    fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while let Some(kind) = self.kind(0) {
            match kind {
                Kind::Mark('{' | '(' | '[') => depth += 1,
                Kind::Mark('}' | ')' | ']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.next += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// A path outside `use`, or anything else: goes behind it.
    fn path(&mut self) {
        let follows = self.next > 0 && self.tokens[self.next - 1].kind == Kind::Path;
        let is_root = |word| matches!(word, "crate" | "super" | "self");
        if !follows && self.word(0).is_some_and(is_root) && self.is_path(1) {
            let from = self.at.clone();
            self.tree(Some(&from), true);
        } else {
            self.next += 1;
        }
    }

    /// A path or a tree of paths from the module `from` on; nothing where it has left the crate. `alone` is a path
    /// outside `use`, of which no group can follow.
    fn tree(&mut self, from: Option<&[String]>, alone: bool) {
        let mut from = from.map(<[String]>::to_vec);
        let mut first = true;
        loop {
            let line = self.line();
            match self.kind(0).cloned() {
                Some(Kind::Word(word)) => {
                    self.next += 1;
                    match word.as_str() {
                        "crate" => from = Some(Vec::new()),
                        "self" => {}
                        "super" => {
                            if let Some(from) = &mut from {
                                from.pop();
                            }
                        }
                        // A name that no `crate`, `super` or `self` goes before is another crate's, or stands in this file.
                        _ if first && !self.in_tree() => from = None,
                        _ => {
                            self.names(from.as_deref(), line, &word);
                            from = from.filter(|from| !from.is_empty()).map(|mut from| {
                                from.push(word);
                                from
                            });
                        }
                    }
                    first = false;
                    if self.is_path(0) {
                        self.next += 1;
                        continue;
                    }
                    let is_root = matches!(self.tokens[self.next - 1].kind.clone(),
                        Kind::Word(word) if matches!(word.as_str(), "crate" | "super" | "self"));
                    if is_root {
                        self.names(from.as_deref(), line, "*");
                    }
                }
                Some(Kind::Mark('{')) if !alone => {
                    self.next += 1;
                    while self.kind(0).is_some() && !self.is_mark(0, '}') {
                        self.tree(from.as_deref(), false);
                        if self.is_mark(0, ',') {
                            self.next += 1;
                        }
                    }
                    self.next += 1;
                }
                Some(Kind::Mark('*')) if !alone => {
                    self.names(from.as_deref(), line, "*");
                    self.next += 1;
                }
                Some(Kind::Path) => {
                    // `::std`: another crate.
                    from = None;
                    self.next += 1;
                    continue;
                }
                _ => {
                    // Whatever it is, it is not looked at twice.
                    if !self.is_mark(0, '}') && !alone {
                        self.next += 1;
                    }
                }
            }
            break;
        }
        if !alone {
            while self.kind(0).is_some() && !matches!(self.kind(0), Some(Kind::Mark(',' | '}' | ';'))) {
                self.next += 1;
            }
        }
    }

    /// Whether the word just read stands within the braces of a `use`, behind a path.
    fn in_tree(&self) -> bool {
        let before = self.next.checked_sub(2).and_then(|before| self.tokens.get(before));
        before.is_some_and(|token| matches!(token.kind, Kind::Mark('{' | ',') | Kind::Path))
    }

    /// Notes the name that stands directly in the root of the crate.
    fn names(&mut self, from: Option<&[String]>, line: usize, name: &str) {
        if from.is_some_and(<[String]>::is_empty) {
            self.found.uses.push(Use { line, module: name.to_owned() });
        }
    }
}
