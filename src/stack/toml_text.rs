//! What damaged TOML was probably meant to say: keys and values as they should be written, brackets that were
//! never closed.

use super::names::is_local;

/// Where the line begins that holds the byte.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    before.rfind('\n').map_or(0, |at| at + 1)
}

/// Where the line ends that holds the byte.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |len| at + len)
}

pub(super) fn is_yaml(line: &str) -> bool {
    let line = line.trim();
    let body = line.strip_prefix("- ").unwrap_or(line);
    let key = body
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')))
        .unwrap_or(body.len());
    let after = &body[key..];
    line.starts_with("- ") && !body.contains('=')
        || key > 0 && (after == ":" || after.starts_with(": ")) && !body[..key].contains('=')
}

/// Where the `=` of a line stands, outside of quotes.
pub(super) fn find_equals(line: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '=') => return Some(at),
            _ => {}
        }
    }
    None
}

/// The key with what is no bare word in quotes. Dots stay separators unless a part then is no bare word:
/// `cozystack.io/tenant` is one key.
pub(super) fn mended_key(key: &str) -> String {
    let quoted = |part: &str| {
        let part = part.trim();
        part.len() > 1
            && (part.starts_with('"') && part.ends_with('"')
                || part.starts_with('\'') && part.ends_with('\''))
    };
    let parts: Vec<&str> = key.split('.').collect();
    if parts.iter().all(|part| is_local(part.trim()) || quoted(part)) || quoted(key) {
        return key.to_owned();
    }
    // A known parent of maps stays in front; what follows it is the key that was meant.
    let parents = ["labels", "annotations", "data", "stringData", "matchLabels", "nodeSelector"];
    let head = parts.iter().rposition(|part| parents.contains(&part.trim())).map_or(0, |at| at + 1);
    let tail = parts[head..].join(".").replace(['"', '\''], "");
    let mut all: Vec<String> = parts[..head].iter().map(|p| (*p).to_owned()).collect();
    all.push(format!("\"{}\"", tail.trim()));
    all.join(".")
}

/// The header with every part in quotes that is no bare word.
pub(super) fn mended_header(header: &str) -> String {
    let parts = header.split('.').map(str::trim).map(|part| {
        let quoted = part.len() > 1 && part.starts_with(['"', '\'']) && part.ends_with(['"', '\'']);
        if is_local(part) || quoted || part.contains(['"', '\'']) {
            part.to_owned()
        } else {
            format!("\"{part}\"")
        }
    });
    parts.collect::<Vec<_>>().join(".")
}

/// The value that was meant, where that is plain.
pub(super) fn mended_value(value: &str) -> Option<String> {
    let value = value.split(" #").next().unwrap_or(value).split(" //").next().unwrap_or(value).trim();
    let lower = value.to_lowercase();
    match lower.as_str() {
        "true" | "yes" | "on" => return Some("true".to_owned()),
        "false" | "no" | "off" => return Some("false".to_owned()),
        _ => {}
    }
    let smart = value.trim_matches(['“', '”', '„', '‘', '’']);
    if smart.len() < value.len() {
        return Some(format!("\"{smart}\""));
    }
    if value.starts_with("${") && value.ends_with('}') || value.starts_with("file(") && value.ends_with(')') {
        let inner = value.trim_start_matches("${").trim_end_matches('}').replace('"', "'");
        return Some(format!("\"${{{inner}}}\""));
    }
    if value.starts_with(['"', '\'', '[', '{', '=']) || value.contains(['"', '=', '\\']) {
        return None;
    }
    Some(format!("\"{value}\""))
}

/// The second of two assignments on one line.
pub(super) fn two_assignments(value: &str) -> Option<&str> {
    let at = find_equals(value)?;
    let head = value[..at].trim_end();
    let key = head.rfind(char::is_whitespace)? + 1;
    head[key..].split('.').all(is_local).then(|| value[key..].trim())
}

/// The bracket of a value that is still open where the next key or header begins, and that place.
pub(super) fn unclosed(text: &str) -> Option<(usize, Option<usize>)> {
    let bytes = text.as_bytes();
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    let mut line_begins = true;
    let mut in_value = false;
    let mut comma = false;
    while at < bytes.len() {
        if line_begins {
            line_begins = false;
            let rest = &text[at..line_end(text, at)];
            let indent = rest.len() - rest.trim_start().len();
            match open.last() {
                Some(&bracket) if begins_elsewhere(rest.trim(), bytes[bracket] == b'{', comma) => {
                    return Some((bracket, Some(at + indent)));
                }
                None => {
                    in_value = false;
                    if rest.trim_start().starts_with('[') {
                        at += rest.len();
                        continue;
                    }
                }
                Some(_) => {}
            }
        }
        match bytes[at] {
            b'\n' => line_begins = true,
            b'#' => {
                at = line_end(text, at);
                continue;
            }
            quote @ (b'"' | b'\'') => {
                at = skip_text(text, at, quote);
                comma = false;
                continue;
            }
            b'=' => in_value = true,
            b'[' | b'{' if in_value => open.push(at),
            b']' | b'}' if in_value => {
                open.pop();
            }
            _ => {}
        }
        if !bytes[at].is_ascii_whitespace() {
            comma = matches!(bytes[at], b',' | b'{' | b'[');
        }
        at += 1;
    }
    open.last().map(|bracket| (*bracket, None))
}

/// Whether a line cannot be part of the bracket that is open.
fn begins_elsewhere(line: &str, table: bool, comma: bool) -> bool {
    let header = line.starts_with('[')
        && line.ends_with(']')
        && line.trim_start_matches('[').starts_with(|c: char| c.is_ascii_alphabetic());
    let key = find_equals(line).is_some_and(|at| {
        let key = line[..at].trim();
        !key.is_empty() && key.split('.').all(|part| is_local(part.trim().trim_matches('"')))
    });
    header || key && (!table || !comma)
}

/// The position behind the text that starts at `at`.
fn skip_text(text: &str, at: usize, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let mut at = at + if triple { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !triple => return at,
            b if b == quote && !triple => return at + 1,
            b if b == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_quoted_where_they_must_be() {
        for (key, right) in [
            ("cozystack.io/tenant", "\"cozystack.io/tenant\""),
            ("labels.team.io/x", "labels.\"team.io/x\""),
            ("spec.a", "spec.a"),
            ("helm_release.my app", "\"helm_release.my app\""),
            ("data.\"a b\"", "data.\"a b\""),
        ] {
            assert_eq!(mended_key(key), right);
        }
    }

    #[test]
    fn open_brackets_are_found() {
        for (text, found) in [
            ("a = [1, 2\nb = 3\n", Some((4, Some(10)))),
            ("a = [1, 2]\nb = 3\n", None),
            ("a = { b = 1\nc = 2\n", Some((4, Some(12)))),
            ("a = { b = 1,\nc = 2 }\n", None),
            ("a = [\n  \"x]\", # ]\n  { b = 1 },\n]\n[b]\n", None),
            ("a = [1,\n[b.c]\n", Some((4, Some(8)))),
            ("a = '''\n[ {\n'''\nb = [", Some((20, None))),
        ] {
            assert_eq!(unclosed(text), found, "{text}");
        }
    }
}
