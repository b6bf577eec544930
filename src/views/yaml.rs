//! A small YAML writer for JSON values: block style, every string quoted that YAML 1.1 or 1.2 could read as
//! something else. Only writes; nothing in the product reads YAML through it.

use serde_json::Value;

use super::sanitize::{is_clean, json};

/// The document, keys sorted, every line ended.
#[must_use]
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    node(value, 0, &mut out);
    out
}

fn node(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                pad(indent, out);
                out.push_str(&string(key));
                out.push(':');
                member(value, indent, out);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                pad(indent, out);
                out.push('-');
                item(value, indent, out);
            }
        }
        scalar => {
            pad(indent, out);
            out.push_str(&flat(scalar));
            out.push('\n');
        }
    }
}

/// What follows `key:`.
fn member(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            node(value, indent + 2, out);
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('\n');
            node(value, indent, out);
        }
        Value::String(text) if is_block(text) => block(text, indent + 2, out),
        scalar => {
            out.push(' ');
            out.push_str(&flat(scalar));
            out.push('\n');
        }
    }
}

/// What follows the `-` of a list; a map's first key stands on the same line.
fn item(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let start = out.len();
            node(value, indent + 2, out);
            // The first line's indent makes room for the dash that already stands there.
            out.replace_range(start..=start + indent, "");
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('\n');
            node(value, indent + 2, out);
        }
        Value::String(text) if is_block(text) => block(text, indent + 2, out),
        scalar => {
            out.push(' ');
            out.push_str(&flat(scalar));
            out.push('\n');
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Whether a literal block (`|`) holds the text unchanged.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.ends_with("\n\n")
        && is_clean(text)
        && !text.lines().any(|line| !line.is_empty() && line.trim().is_empty())
}

fn block(text: &str, indent: usize, out: &mut String) {
    out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
    for line in text.lines() {
        if !line.is_empty() {
            pad(indent, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        // Empty lists and maps, numbers, booleans and null are the same in YAML.
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    let plain = (text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_' | '.'))
        || is_quantity(text))
        && text.chars().all(|c| {
            c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ' | ':' | '@' | '+' | '=')
        })
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && text.parse::<f64>().is_err()
        && !is_word_of_yaml(text);
    if plain {
        text.to_owned()
    } else {
        // JSON strings are double-quoted YAML scalars.
        json(&Value::String(text.to_owned()).to_string()).into_owned()
    }
}

/// `500Gi`, `10m30s`: a number with a unit that no YAML number can end in.
fn is_quantity(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < text.len()
        && unit.starts_with(['K', 'M', 'G', 'T', 'm', 's', 'h'])
        && unit.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_word_of_yaml(text: &str) -> bool {
    const WORDS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "."];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
        || text.eq_ignore_ascii_case(".inf")
        || text.eq_ignore_ascii_case(".nan")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_what_kubectl_reads() {
        let value = json!({
            "apiVersion": "v1", "kind": "X", "port": "80", "on": "yes", "n": 5, "none": null, "empty": {}, "no": [],
            "list": ["a", {"name": "b", "args": ["-c", "x: y"], "deep": {"k": 1}}, ["n"], "two\nlines\n"],
            "text": "#!/bin/sh\necho ${x}\n\nend", "odd": " leading\nspace", "cozystack.io/tenant": "true",
            "duration": "5m0s", "url": "https://example.org:8080/x", "version": "1.10", "star": "*", "tail": "x:",
        });
        insta::assert_snapshot!(to_string(&value));
    }
}
