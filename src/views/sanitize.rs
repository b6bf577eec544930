//! Makes text from stacks and clusters safe to print: what could move the cursor, colour the screen or
//! reorder a line is shown as its escape instead.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every control character (C0, DEL, C1) and every bidirectional or invisible format
/// character written as `\u{…}`. Line breaks count as control characters: callers split lines first.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if is_unsafe(c) => {
                write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a String cannot fail");
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A JSON text with every such character of its strings as `\u…`, which is the same document. Line breaks
/// between its parts stay.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| is_unsafe(c) && c != '\n';
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hidden(c) {
            // All of them lie in the first plane: no surrogates.
            write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail");
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether text may stand on a terminal as it is, line breaks aside.
pub(super) fn is_clean(text: &str) -> bool {
    !text.contains(|c: char| is_unsafe(c) && c != '\n')
}

/// Trojan Source (CVE-2021-42574) names the bidirectional ones.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{clean, json};

    #[test]
    fn escapes_what_moves_or_hides() {
        assert_eq!(clean("plain ü 日"), "plain ü 日");
        assert_eq!(clean("a\u{1b}[31mb\r\n"), "a\\u{1b}[31mb\\r\\n");
        assert_eq!(clean("\u{9b}2J\u{7f}"), "\\u{9b}2J\\u{7f}");
        assert_eq!(clean("x\u{202e}y\u{2066}"), "x\\u{202e}y\\u{2066}");
    }

    #[test]
    fn json_says_the_same_in_other_letters() {
        let value = serde_json::json!({"k\u{9b}": ["\u{202e}a\u{7f}", "ü\n\u{1b}", "\u{feff}"]});
        let text = format!("{value:#}");
        let shown = json(&text);
        assert!(
            shown.contains("\\u009b") && shown.contains("\\u202ea\\u007f") && shown.contains('ü'),
            "{shown}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
