//! Strings, names and words, delimited as by the parser.

/// Whether `byte` may occur in a name. Bytes of non-ASCII characters may: invalid ones are a syntax error in the
/// parser.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// A word in a statement.
pub(super) struct Name {
    /// The end of the part without operators.
    pub(super) bare: usize,
    /// The end of the whole word.
    pub(super) end: usize,
    /// Whether it is a prefixed name.
    pub(super) prefixed: bool,
    /// How many characters in it the parser reads as operators if the prefix is not declared.
    pub(super) signs: usize,
}

/// The name that begins at `from`.
pub(super) fn name(text: &[u8], from: usize) -> Name {
    let get = |at: usize| text.get(at).copied().unwrap_or_default();
    let mut bare = from;
    while is_name(get(bare)) {
        bare += 1;
    }
    let (mut end, mut signs) = (bare, 0);
    while is_name(get(end)) || matches!(get(end), b'-' | b'.') {
        signs += usize::from(!is_name(get(end)));
        end += 1;
    }
    if get(end) != b':' {
        return Name { bare, end: bare.max(from + 1), prefixed: false, signs: 0 };
    }
    end += 1;
    // The first operator of the local part is not part of it, and only one row of points is.
    let mut points = 0;
    let mut first = true;
    loop {
        match get(end) {
            byte if is_name(byte) || matches!(byte, b':' | b'%') => end += 1,
            b'\\' if end + 1 < text.len() => end += 2,
            b'-' if !first => end += 1,
            b'.' if !first && points == 0 => {
                let mut behind = end;
                while get(behind) == b'.' {
                    behind += 1;
                }
                if !is_name(get(behind)) && !matches!(get(behind), b':' | b'-' | b'%' | b'\\') {
                    break;
                }
                (points, signs, end) = (1, signs + 1, behind);
            }
            _ => break,
        }
        first = false;
    }
    Name { bare, end, prefixed: true, signs }
}

/// Where the string that begins at `from` ends. The parser reads a long string without an end as an empty string
/// followed by another string.
pub(super) fn string(text: &[u8], from: usize) -> Option<usize> {
    let quote = *text.get(from)?;
    let long = [quote; 3];
    let rest = text.get(from..)?;
    if rest.starts_with(&long) {
        let end = inside(text, from + 3, |rest| rest.starts_with(&long), |_| false);
        return Some(end.map_or(from + 2, |end| end + 3));
    }
    let end =
        inside(text, from + 1, |rest| rest.first() == Some(&quote), |byte| matches!(byte, b'\n' | b'\r'));
    end.map(|end| end + 1)
}

fn inside(
    text: &[u8],
    from: usize,
    ends: impl Fn(&[u8]) -> bool,
    forbidden: impl Fn(u8) -> bool,
) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        if ends(rest) {
            return Some(at);
        }
        at += match *rest.first()? {
            b'\\' => escape(rest)?,
            byte if forbidden(byte) => return None,
            _ => 1,
        };
    }
}

/// The length of the escape at the beginning of `rest`, if there is one.
fn escape(rest: &[u8]) -> Option<usize> {
    let digits = match rest.get(1)? {
        b't' | b'b' | b'n' | b'r' | b'f' | b'"' | b'\'' | b'\\' => return Some(2),
        b'u' => 4,
        b'U' => 8,
        _ => return None,
    };
    let digits = std::str::from_utf8(rest.get(2..2 + digits)?).ok()?;
    let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)?)?;
    Some(2 + digits.len())
}

/// Whether `word` begins with `with`, ignoring case.
pub(super) fn starts(word: &[u8], with: &[u8]) -> bool {
    word.get(..with.len()).is_some_and(|part| part.eq_ignore_ascii_case(with))
}

/// Whether `word` ends with `with`, ignoring case.
pub(super) fn ends(word: &[u8], with: &[u8]) -> bool {
    let from = word.len().checked_sub(with.len());
    from.and_then(|from| word.get(from..)).is_some_and(|part| part.eq_ignore_ascii_case(with))
}

/// Whether `word` contains `part`, ignoring case.
pub(super) fn contains(word: &[u8], part: &[u8]) -> bool {
    word.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
