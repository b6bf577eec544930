//! Values and paths as the messages of the API server show them: what Go's `fmt` makes of them.

use std::fmt::Write as _;

use serde_json::{Number, Value};

use crate::path::Segment;

/// A path as conflicts name it: `.spec.ports[port=80,protocol="TCP"]`.
pub(super) fn path(segments: &[Segment]) -> String {
    segments.iter().map(step).collect()
}

/// One step of a path.
pub(super) fn step(segment: &Segment) -> String {
    match segment {
        Segment::Key(name) => format!(".{name}"),
        Segment::Select(keys) => {
            let pairs: Vec<String> = keys.iter().map(|(key, text)| format!("{key}={}", json(text))).collect();
            format!("[{}]", pairs.join(","))
        }
        Segment::Item(text) => format!("[={}]", json(text)),
        Segment::Index(at) => format!("[{at}]"),
    }
}

fn json(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(Value::String(text)) => quoted(&text),
        Ok(value) => plain(&value),
        Err(_) => text.to_owned(),
    }
}

/// `%v` of what a document was read into: its numbers are floats.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => float(number),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

/// `%#v` of the same.
pub(super) fn syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => float(number),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{}:{}", quoted(key), syntax(value))).collect();
            format!("map[string]interface {{}}{{{}}}", pairs.join(", "))
        }
    }
}

/// `%T` of the same.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// `%q`.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => hex(&mut out, 'x', 2, c),
            c if !is_print(c) && u32::from(c) < 0x1_0000 => hex(&mut out, 'u', 4, c),
            c if !is_print(c) => hex(&mut out, 'U', 8, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn hex(out: &mut String, letter: char, width: usize, c: char) {
    write!(out, "\\{letter}{:0width$x}", u32::from(c)).expect("a String takes any text");
}

/// Whether Go shows the character as it is. Rust's own rule is the same for all but space characters.
fn is_print(c: char) -> bool {
    c == ' ' || (!c.is_whitespace() && c.escape_debug().len() == 1) || c.is_alphanumeric()
}

/// `%v` of a float64: the shortest text, with an exponent from 1e+06 on and below 1e-4.
fn float(number: &Number) -> String {
    let value = number.as_f64().unwrap_or_default();
    let magnitude = value.abs();
    if value == 0.0 || (1e-4..1e6).contains(&magnitude) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_values_as_go_does() {
        let value = json!({"b": [1, "x", null], "a": true, "big": 1_000_000, "huge": 1e22, "tiny": 1e-7, "half": 0.5});
        assert_eq!(plain(&value), "map[a:true b:[1 x <nil>] big:1e+06 half:0.5 huge:1e+22 tiny:1e-07]");
        let expected = r#"map[string]interface {}{"a":true, "b":[]interface {}{1, "x", interface {}(nil)}}"#;
        assert_eq!(syntax(&json!({"b": [1, "x", null], "a": true})), expected);
        assert_eq!(quoted("a\"\\\n\u{1}é\u{a0}\u{200b}"), r#""a\"\\\n\x01é\u00a0\u200b""#);
    }

    #[test]
    fn shows_paths_as_go_does() {
        let steps = [
            Segment::Key("spec".into()),
            Segment::Select([("port".into(), "80".into()), ("protocol".into(), "\"TCP\"".into())].into()),
            Segment::Item("\"a\"".into()),
            Segment::Index(3),
        ];
        assert_eq!(path(&steps), ".spec[port=80,protocol=\"TCP\"][=\"a\"][3]");
    }
}
