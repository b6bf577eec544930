//! Values and paths as the messages of the API server show them: what Go's `fmt` makes of them.

use serde_json::{Number, Value};

use crate::path::Segment;
use crate::sandbox::fault::{go_float, go_number, quote};

/// A path as conflicts name it: `.spec.ports[port=80,protocol="TCP"]`. It is one of `managedFields`, whose numbers
/// are read as floats.
pub(super) fn path(segments: &[Segment]) -> String {
    let number = |number: &Number| go_float(number.as_f64().unwrap_or_default());
    segments.iter().map(|segment| shown(segment, &number)).collect()
}

/// One step of a path in an object.
pub(super) fn step(segment: &Segment) -> String {
    shown(segment, &go_number)
}

fn shown(segment: &Segment, number: &dyn Fn(&Number) -> String) -> String {
    let value = |text: &str| match serde_json::from_str(text) {
        Ok(Value::String(text)) => quote(&text),
        Ok(Value::Number(value)) => number(&value),
        Ok(value) => plain(&value),
        Err(_) => text.to_owned(),
    };
    match segment {
        Segment::Key(name) => format!(".{name}"),
        Segment::Select(keys) => {
            let pairs: Vec<String> =
                keys.iter().map(|(key, text)| format!("{key}={}", value(text))).collect();
            format!("[{}]", pairs.join(","))
        }
        Segment::Item(text) => format!("[={}]", value(text)),
        Segment::Index(at) => format!("[{at}]"),
    }
}

/// `%v`.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => go_number(number),
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

/// `%#v`.
pub(super) fn syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => go_number(number),
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{}:{}", quote(key), syntax(value))).collect();
            format!("map[string]interface {{}}{{{}}}", pairs.join(", "))
        }
    }
}

/// `%T`.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_values_as_go_does() {
        let value = json!({"b": [1, "x", null], "a": true, "big": 1_000_000, "huge": 1e22, "tiny": 1e-7, "half": 0.5});
        assert_eq!(plain(&value), "map[a:true b:[1 x <nil>] big:1000000 half:0.5 huge:1e+22 tiny:1e-07]");
        let expected = r#"map[string]interface {}{"a":true, "b":[]interface {}{1, "x", interface {}(nil)}}"#;
        assert_eq!(syntax(&json!({"b": [1, "x", null], "a": true})), expected);
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
        let large = Segment::Item("1000000".into());
        assert_eq!(
            (path(std::slice::from_ref(&large)), step(&large)),
            ("[=1e+06]".into(), "[=1000000]".into())
        );
    }
}
