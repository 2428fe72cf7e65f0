//! Rust source in tokens, as far as paths need it: comments and literals are left out.

/// A part of a source file that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or keyword.
    Word(String),
    /// `::`
    Path,
    /// Any other character.
    Mark(char),
}

/// One of them, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: usize,
}

/// The tokens of `source`, without comments and literals.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let text: Vec<char> = source.chars().collect();
    let at = |index: usize| text.get(index).copied().unwrap_or('\0');
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let (mut tokens, mut index, mut line) = (Vec::new(), 0, 1);
    while index < text.len() {
        let start = index;
        let kind = match at(index) {
            '/' if at(index + 1) == '/' => {
                while index < text.len() && at(index) != '\n' {
                    index += 1;
                }
                None
            }
            '/' if at(index + 1) == '*' => {
                index = behind_comment(&text, index);
                None
            }
            '"' => {
                index = behind_string(&text, index);
                None
            }
            '\'' if at(index + 1) == '\\' || at(index + 2) == '\'' => {
                index += if at(index + 1) == '\\' { 3 } else { 2 };
                while index < text.len() && at(index) != '\'' {
                    index += 1;
                }
                index += 1;
                None
            }
            ':' if at(index + 1) == ':' => {
                index += 2;
                Some(Kind::Path)
            }
            character if is_name(character) => {
                while is_name(at(index)) {
                    index += 1;
                }
                let word: String = text[start..index].iter().collect();
                let is_raw = matches!(word.as_str(), "r" | "br" | "cr") && matches!(at(index), '"' | '#');
                if is_raw && let Some(end) = behind_raw(&text, index) {
                    index = end;
                    None
                } else if word == "r" && at(index) == '#' {
                    // `r#name` is `name`.
                    index += 1;
                    None
                } else {
                    Some(Kind::Word(word))
                }
            }
            character if character.is_whitespace() => {
                index += 1;
                None
            }
            character => {
                index += 1;
                Some(Kind::Mark(character))
            }
        };
        tokens.extend(kind.map(|kind| Token { kind, line }));
        line += text[start..index.min(text.len())].iter().filter(|character| **character == '\n').count();
    }
    tokens
}

/// Behind a block comment, which may hold others.
fn behind_comment(text: &[char], mut index: usize) -> usize {
    let mut depth = 0_usize;
    while index < text.len() {
        match text[index..] {
            ['/', '*', ..] => (depth, index) = (depth + 1, index + 2),
            ['*', '/', ..] => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            break;
        }
    }
    index
}

/// Behind a string that begins at `index`.
fn behind_string(text: &[char], mut index: usize) -> usize {
    index += 1;
    while index < text.len() && text[index] != '"' {
        index += if text[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

/// Behind a raw string whose `#`s or `"` begin at `index`, if it is one.
fn behind_raw(text: &[char], index: usize) -> Option<usize> {
    let marks = text[index..].iter().take_while(|character| **character == '#').count();
    (text.get(index + marks) == Some(&'"')).then_some(())?;
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', marks)).collect();
    let body = index + marks + 1;
    let length = text[body..].windows(end.len()).position(|window| window == end)?;
    Some(body + length + end.len())
}
