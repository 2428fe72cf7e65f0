//! Limits how deeply a statement nests, before it is parsed.
//!
//! The parser, optimizer and evaluator are recursive: 1.4 kB of `{` would overflow their stack and end the process. So
//! a statement is first scanned byte by byte, with at most [`MOST_DEPTH`] frames.
//!
//! # Guarantees
//! The scan sees every bracket and every operator that the parser sees. It tokenizes strings, comments, IRIs and names
//! as the parser does, also where that deviates from the standard (it reads `FILTERSTR(…)` as two words), and refuses
//! what it cannot tokenize.

mod text;

use text::{contains, ends, is_name, name, starts, string};

/// The maximum nesting of brackets. People and resource services need fewer than 20.
const MOST_DEPTH: usize = 64;
/// The maximum height of a statement's syntax tree: each pattern of a group, each operator of an expression and each
/// bracket is one level.
const MOST_HEIGHT: usize = 256;
/// The limit for repeated reading, in bytes. The parser reads the arguments of [`TWICE`] and what follows a `!` twice,
/// and the optimizer the content of an OPTIONAL. Nesting doubles that.
const MOST_REPEATED: usize = 1024 * 1024;
const TWICE: [&[u8]; 5] = [b"REGEX", b"SUBSTR", b"REPLACE", b"GROUP_CONCAT", b"OPTIONAL"];
/// Keywords before a group that is not a pattern.
const TEMPLATES: [&[u8]; 4] = [b"DATA", b"INSERT", b"DELETE", b"CONSTRUCT"];

/// Why a statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unbounded {
    #[error("it nests brackets more than {} deep", MOST_DEPTH)]
    Depth,
    #[error(
        "it has more than {} patterns in one group, or operators in one expression; split it, or list terms with \
         VALUES or IN",
        MOST_HEIGHT
    )]
    Height,
    #[error("it nests OPTIONAL, REGEX, SUBSTR, REPLACE, GROUP_CONCAT or ! too deeply")]
    Repeated,
    #[error("syntax error at byte {0}: a string or an IRI does not end, or brackets do not match")]
    Syntax(usize),
    #[error("syntax error at byte {0}: quoted triples (<< >>) are not supported")]
    Quoted(usize),
    #[error("syntax error at byte {0}: put a space after FILTER or BIND")]
    Glued(usize),
}

/// The content of a bracket, which decides how it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Outside of all brackets, or a subselect: its `(` contain expressions.
    Query,
    /// Patterns.
    Group,
    /// Quads to insert or delete, or the rows of VALUES: flat, however many.
    Data,
    /// A collection, a path or variables.
    Terms,
    /// `[ … ]`.
    Blank,
    /// An expression. Only here `<` is an operator.
    Expression,
}

#[derive(Debug)]
struct Frame {
    kind: Kind,
    /// The closing bracket.
    end: u8,
    /// The levels that its own content adds.
    links: usize,
    /// The height of the highest bracket within.
    inner: usize,
    /// The height of the highest of the previous arguments.
    before: usize,
    /// How often its content is read, as a power of two.
    doublings: u32,
}

impl Frame {
    fn new(kind: Kind, end: u8, doublings: u32) -> Self {
        Self { kind, end, links: 0, inner: 0, before: 0, doublings }
    }

    fn height(&self) -> usize {
        self.before.max(self.links + self.inner)
    }
}

/// Checks `statement`, a query or an update.
pub(super) fn check(statement: &str) -> Result<(), Unbounded> {
    let mut scan = Scan {
        text: statement.as_bytes(),
        at: 0,
        outer: Vec::new(),
        frame: Frame::new(Kind::Query, 0, 0),
        operand: false,
        word: b"",
        after: After::Nothing,
        marks: 0,
        repeated: 0,
    };
    while let Some(byte) = scan.text.get(scan.at) {
        scan.step(*byte)?;
    }
    if scan.outer.is_empty() { Ok(()) } else { Err(Unbounded::Syntax(scan.at)) }
}

/// How a keyword affects what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    /// FILTER or BIND: the next `(` contains an expression.
    Filter,
    /// VALUES: the next `{` contains data.
    Values,
    /// DESCRIBE: each term is a level.
    Describe,
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    /// The brackets around the innermost one.
    outer: Vec<Frame>,
    frame: Frame,
    /// Whether the last token was a term: in an expression an operator follows.
    operand: bool,
    /// The last bare word.
    word: &'a [u8],
    after: After,
    /// How many `!` precede the next token.
    marks: u32,
    repeated: usize,
}

impl Scan<'_> {
    fn step(&mut self, byte: u8) -> Result<(), Unbounded> {
        let from = self.at;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
            b'#' => self.at += self.run(|byte| !matches!(byte, b'\r' | b'\n')),
            b'"' | b'\'' => {
                self.at = string(self.text, self.at).ok_or(Unbounded::Syntax(from))?;
                self.term()?;
            }
            b'<' => self.less()?,
            b'(' | b'{' | b'[' => self.open(byte)?,
            b')' | b'}' | b']' => self.close(byte)?,
            b'?' | b'$' if self.text.get(from + 1).copied().is_some_and(is_name) => {
                let after = self.after;
                self.at += 1;
                self.at += self.run(is_name);
                self.term()?;
                self.after = after;
            }
            b'0'..=b'9' => {
                self.at += self.run(|byte| byte.is_ascii_digit());
                self.term()?;
            }
            b':' => self.word()?,
            _ if is_name(byte) => self.word()?,
            _ => self.sign(byte)?,
        }
        if self.frame.doublings > 0 {
            let times = 1_usize << self.frame.doublings.min(40);
            self.repeated = self.repeated.saturating_add((self.at - from).saturating_mul(times));
        }
        if self.repeated > MOST_REPEATED { Err(Unbounded::Repeated) } else { Ok(()) }
    }

    fn run(&self, fits: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len())
    }

    /// Adds this many levels to the innermost bracket.
    fn links(&mut self, count: usize) -> Result<(), Unbounded> {
        if self.frame.kind != Kind::Data {
            self.frame.links += count;
        }
        if self.frame.height() > MOST_HEIGHT { Err(Unbounded::Height) } else { Ok(()) }
    }

    /// The last token does not belong to VALUES.
    fn no_values(&mut self) {
        if self.after == After::Values {
            self.after = After::Nothing;
        }
    }

    /// A term has ended. Each member of a collection counts as two patterns, each term of DESCRIBE as an expression.
    fn term(&mut self) -> Result<(), Unbounded> {
        (self.operand, self.word) = (true, b"");
        self.no_values();
        let described = self.frame.kind == Kind::Query && self.after == After::Describe;
        let counts = self.frame.kind == Kind::Terms || described;
        self.links(usize::from(counts))
    }

    /// A keyword, a prefixed name, or one directly after the other: the parser needs no space between them.
    fn word(&mut self) -> Result<(), Unbounded> {
        let from = self.at;
        let found = name(self.text, from);
        self.at = found.end;
        let text = self.text;
        let bare = text.get(from..found.bare).unwrap_or_default();
        let filter = contains(bare, b"FILTER") || contains(bare, b"BIND");
        if contains(bare, b"DESCRIBE") {
            self.after = After::Describe;
        }
        if found.prefixed {
            // If the prefix is not declared, the parser finds the keyword in it.
            let next = text.get(self.at..).unwrap_or_default();
            if filter && next.trim_ascii_start().starts_with(b"(") {
                return Err(Unbounded::Glued(from));
            }
            self.links(found.signs)?;
            return self.term();
        }
        self.no_values();
        if filter {
            self.after = After::Filter;
        } else if contains(bare, b"VALUES") {
            self.after = After::Values;
        }
        self.word = bare;
        self.operand = ends(bare, b"TRUE") || ends(bare, b"FALSE");
        let first = self.frame.links == 0 && self.frame.inner == 0;
        if self.frame.kind == Kind::Group && first && starts(bare, b"SELECT") {
            self.frame.kind = Kind::Query;
        }
        let counts = match self.frame.kind {
            Kind::Group => bare != b"a",
            Kind::Terms | Kind::Blank => true,
            Kind::Query | Kind::Data | Kind::Expression => false,
        };
        self.links(usize::from(counts))
    }

    /// `<`: an operator, or the beginning of an IRI.
    fn less(&mut self) -> Result<(), Unbounded> {
        if self.frame.kind == Kind::Expression && self.operand {
            return self.sign(b'<');
        }
        if self.text.get(self.at + 1) == Some(&b'<') {
            return Err(Unbounded::Quoted(self.at));
        }
        let length = self.run(|byte| byte != b'>');
        if self.at + length >= self.text.len() {
            return Err(Unbounded::Syntax(self.at));
        }
        self.at += length + 1;
        self.term()
    }

    /// An operator or a separator.
    fn sign(&mut self, byte: u8) -> Result<(), Unbounded> {
        self.at += 1;
        if byte == b'@' {
            self.at += self.run(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            return Ok(());
        }
        (self.operand, self.word) = (false, b"");
        self.no_values();
        let counts = match self.frame.kind {
            Kind::Expression => {
                self.marks = if byte == b'!' { self.marks + 1 } else { 0 };
                // The rest of `<=`, `!=`, `||` and similar operators.
                let next = self.text.get(self.at).copied().unwrap_or_default();
                self.at += usize::from(next == b'=' || (next == byte && matches!(byte, b'|' | b'&')));
                if byte == b',' {
                    self.frame.before = self.frame.height();
                    (self.frame.links, self.frame.inner) = (0, 0);
                }
                b"+-*/|&=!<>".contains(&byte)
            }
            Kind::Group | Kind::Terms | Kind::Blank => true,
            Kind::Query | Kind::Data => false,
        };
        self.links(usize::from(counts))
    }

    fn open(&mut self, byte: u8) -> Result<(), Unbounded> {
        let is = |words: &[&[u8]]| words.iter().any(|word| ends(self.word, word));
        let outer = self.frame.kind;
        let (kind, end) = match (byte, outer) {
            (b'(', Kind::Query | Kind::Expression) => (Kind::Expression, b')'),
            (b'(', _) if self.after == After::Filter => (Kind::Expression, b')'),
            (b'(', Kind::Data) => (Kind::Data, b')'),
            (b'(', _) => (Kind::Terms, b')'),
            (b'{', _) if self.after == After::Values || outer == Kind::Data => (Kind::Data, b'}'),
            (b'{', Kind::Query) if is(&TEMPLATES) => (Kind::Data, b'}'),
            (b'{', _) => (Kind::Group, b'}'),
            (_, Kind::Data) => (Kind::Data, b']'),
            _ => (Kind::Blank, b']'),
        };
        let doublings = self.frame.doublings + self.marks + u32::from(is(&TWICE));
        // The variables of VALUES come before its rows.
        if byte == b'{' || self.after == After::Filter {
            self.after = After::Nothing;
        }
        (self.operand, self.word, self.marks) = (false, b"", 0);
        self.at += 1;
        // The operations of an update do not nest.
        self.links(usize::from(outer != Kind::Query || byte == b'('))?;
        if self.outer.len() >= MOST_DEPTH {
            return Err(Unbounded::Depth);
        }
        self.outer.push(std::mem::replace(&mut self.frame, Frame::new(kind, end, doublings)));
        Ok(())
    }

    fn close(&mut self, byte: u8) -> Result<(), Unbounded> {
        let (Some(outer), true) = (self.outer.pop(), self.frame.end == byte) else {
            return Err(Unbounded::Syntax(self.at));
        };
        let inner = std::mem::replace(&mut self.frame, outer).height() + 1;
        self.frame.inner = self.frame.inner.max(inner);
        (self.operand, self.word, self.marks) = (true, b"", 0);
        if byte != b')' || self.after == After::Filter {
            self.after = After::Nothing;
        }
        self.at += 1;
        self.links(0)
    }
}

#[cfg(test)]
mod tests;
