//! Words of a label selector: `k8s.io/apimachinery/pkg/labels`.

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The end.
    End,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `!`
    Not,
    /// `==`
    DoubleEquals,
    /// `=`
    Equals,
    /// `>`
    Greater,
    /// A key or a value.
    Identifier,
    /// `in`
    In,
    /// `<`
    Less,
    /// `!=`
    NotEquals,
    /// `notin`
    NotIn,
    /// `(`
    Open,
}

/// A word and its text.
pub(super) type Word = (Kind, String);

/// All words; the last is the end.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    // Go's lexer takes a NUL for the end.
    let mut rest = text.split('\0').next().unwrap_or_default();
    loop {
        rest = rest.trim_start_matches(is_space);
        let Some(first) = rest.chars().next() else {
            words.push((Kind::End, String::new()));
            return words;
        };
        let (word, length) = if is_special(first) { special(first, rest) } else { plain(rest) };
        words.push(word);
        rest = &rest[length..];
    }
}

fn plain(rest: &str) -> (Word, usize) {
    let length = rest.find(|letter| is_space(letter) || is_special(letter)).unwrap_or(rest.len());
    let text = &rest[..length];
    let kind = match text {
        "in" => Kind::In,
        "notin" => Kind::NotIn,
        _ => Kind::Identifier,
    };
    ((kind, text.to_owned()), length)
}

/// The longest operator that the text begins with.
fn special(first: char, rest: &str) -> (Word, usize) {
    let (kind, length) = match (first, rest.as_bytes().get(1)) {
        ('=', Some(b'=')) => (Kind::DoubleEquals, 2),
        ('!', Some(b'=')) => (Kind::NotEquals, 2),
        ('=', _) => (Kind::Equals, 1),
        ('!', _) => (Kind::Not, 1),
        ('(', _) => (Kind::Open, 1),
        (')', _) => (Kind::Close, 1),
        ('<', _) => (Kind::Less, 1),
        ('>', _) => (Kind::Greater, 1),
        _ => (Kind::Comma, 1),
    };
    ((kind, rest[..length].to_owned()), length)
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n')
}

fn is_special(letter: char) -> bool {
    matches!(letter, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}
