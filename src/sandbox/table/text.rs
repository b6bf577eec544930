//! Parts of cells.

use std::collections::BTreeSet;

use serde_json::Value;

/// A text; empty if there is none.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// A whole number; 0 if there is none.
pub(super) fn number(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_default()
}

/// Elements of a list; none if there is no list.
pub(super) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text, or what stands for none.
pub(super) fn or(value: &Value, key: &str, none: &str) -> String {
    match text(value, key) {
        "" => none.to_owned(),
        text => text.to_owned(),
    }
}

/// A number or a text as it stands; what stands for none otherwise.
pub(super) fn amount(value: &Value, none: &str) -> String {
    match value {
        Value::Null => none.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A condition is true.
pub(super) fn has_condition(object: &Value, name: &str) -> bool {
    list(&object["status"], "conditions")
        .iter()
        .any(|condition| condition["type"] == name && condition["status"] == "True")
}

/// Names and images of containers.
pub(super) fn containers(spec: &Value) -> [Value; 2] {
    let joined = |key: &str| -> Value {
        let parts: Vec<&str> = list(spec, "containers").iter().map(|one| text(one, key)).collect();
        parts.join(",").into()
    };
    [joined("name"), joined("image")]
}

/// Labels, `a=b,c=d`.
pub(super) fn labels(labels: &Value) -> String {
    let parts: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if parts.is_empty() { "<none>".to_owned() } else { parts.join(",") }
}

/// A label selector: `a=b,c in (d,e)`.
pub(super) fn selector(selector: &Value) -> String {
    if selector.is_null() {
        return String::new();
    }
    let mut terms: Vec<(String, String)> = selector["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), format!("{key}={}", value.as_str().unwrap_or_default())))
        .collect();
    for expression in list(selector, "matchExpressions") {
        let key = text(expression, "key");
        let values: BTreeSet<&str> = list(expression, "values").iter().filter_map(Value::as_str).collect();
        let values = values.into_iter().collect::<Vec<_>>().join(",");
        let term = match text(expression, "operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        terms.push((key.to_owned(), term));
    }
    terms.sort();
    terms.into_iter().map(|(_, term)| term).collect::<Vec<_>>().join(",")
}

/// The same, where nothing is `<none>`.
pub(super) fn selector_or_none(value: &Value) -> String {
    match selector(value) {
        none if none.is_empty() => "<none>".to_owned(),
        text => text,
    }
}

/// The first of a list, and how many more.
pub(super) fn with_more(list: &[String], most: usize) -> String {
    match list.len() {
        0 => "<unset>".to_owned(),
        count if count > most => format!("{} + {} more...", list[..most].join(","), count - most),
        _ => list.join(","),
    }
}

/// Access modes of a volume: `RWO,RWX`.
pub(super) fn access_modes(modes: &[Value]) -> String {
    let short = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let there = short.iter().filter(|(mode, _)| modes.iter().any(|given| given == mode));
    there.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}
