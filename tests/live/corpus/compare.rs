//! Whether what a plan told of one object is what happened to it: the told fields are put into the object as it was, and
//! the result is compared with the object as it is. Own code throughout, the paths' too.

use std::fmt;

use serde_json::{Map, Value};

/// What only the server writes.
const SERVER: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// What controllers write into objects of a kind, whenever they come to it: nobody can predict when.
const CONTROLLERS: &[(&str, &str)] = &[
    ("ClusterRole", "/rules"),
    ("PersistentVolume", "/spec/claimRef"),
    ("PersistentVolumeClaim", "/spec/volumeName"),
    ("Pod", "/spec/nodeName"),
];
const CONTROLLER_ANNOTATIONS: &[&str] = &[
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
];
/// What the server draws anew at each write: the only fields that may be told as known after apply.
const DRAWN: &[(&str, &str)] = &[
    ("Service", "clusterIP"),
    ("Service", "clusterIPs"),
    ("Service", "nodePort"),
    ("Service", "healthCheckNodePort"),
];

const LINEAGE: &str = "metadata.annotations[\"arrplan.dev/lineage\"]";

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
    Element(Vec<(String, Value)>),
    Item(Value),
}

/// What happened otherwise than it was told, one line each.
pub(super) fn differences(change: &Value, before: Option<&Value>, after: &Value) -> Vec<String> {
    match before {
        Some(before) => changed(change, before, after),
        None => made(change, after),
    }
}

/// An object that was made: each told field has the told value.
fn made(change: &Value, after: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let fields = change["fields"].as_array().unwrap();
    if fields.is_empty() {
        wrong.push("nothing was told of a new object".to_owned());
    }
    for field in fields {
        let path = field["path"].as_str().unwrap();
        let actual = get(after, &parse(path));
        match (field["after"]["is"].as_str().unwrap(), actual) {
            // The first apply of a stack draws its lineage.
            _ if path == LINEAGE => {}
            ("plain", Some(actual)) if *actual == field["after"]["value"] => {}
            // Only the server knows its defaults.
            ("plain", Some(actual))
                if change["fidelity"] == "schema" && within(&field["after"]["value"], actual) => {}
            ("masked", Some(_)) if is_secret(after, path) => {}
            ("known-after-apply", _) if is_drawn(after, path) => {}
            (_, actual) => wrong.push(format!("{path} was told as {}, is {}", field["after"], Shown(actual))),
        }
    }
    wrong
}

fn within(told: &Value, actual: &Value) -> bool {
    match (told, actual) {
        (Value::Object(told), Value::Object(actual)) => {
            let mut fields = told.iter();
            fields.all(|(key, told)| actual.get(key).is_some_and(|actual| within(told, actual)))
        }
        (Value::Array(told), Value::Array(actual)) => {
            told.len() == actual.len() && told.iter().zip(actual).all(|(told, actual)| within(told, actual))
        }
        _ => told == actual,
    }
}

/// An object that was deleted and made anew.
pub(super) fn replaced(change: &Value, after: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for field in change["fields"].as_array().unwrap() {
        let path = field["path"].as_str().unwrap();
        let actual = get(after, &parse(path));
        match (field["after"]["is"].as_str().unwrap(), actual) {
            ("plain", Some(actual)) if *actual == field["after"]["value"] => {}
            ("absent", None) | ("masked", Some(_)) => {}
            ("known-after-apply", _) if is_drawn(after, path) => {}
            (_, actual) => wrong.push(format!("{path} was told as {}, is {}", field["after"], Shown(actual))),
        }
    }
    wrong
}

/// An object that was there: the object as it was, with what was told, is the object as it is.
fn changed(change: &Value, before: &Value, after: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut told = before.clone();
    let fields = change["fields"].as_array().unwrap();
    for field in fields {
        let path = field["path"].as_str().unwrap();
        let steps = parse(path);
        let (was, told_was) = (get(before, &steps), &field["before"]);
        let fits = match (told_was["is"].as_str().unwrap(), was) {
            ("absent", None) => true,
            ("plain", Some(was)) => *was == told_was["value"] || is_only_order(field),
            ("masked", Some(_)) => is_secret(before, path),
            _ => false,
        };
        if !fits {
            wrong.push(format!("{path} was told to have been {told_was}, was {}", Shown(was)));
        }
        if !matches!(field["cause"]["is"].as_str(), Some("owned" | "stays"))
            && field["before"] == field["after"]
        {
            let silent = field["after"]["is"] == "masked" || get(after, &steps) == was;
            if !silent {
                wrong.push(format!("{path} was told not to change"));
            }
        }
    }
    // Positions in lists are those of the object before, so elements go from the last to the first.
    for field in fields.iter().rev().filter(|field| field["after"]["is"] == "absent") {
        remove(&mut told, &parse(field["path"].as_str().unwrap()));
    }
    let (orders, values): (Vec<_>, Vec<_>) = fields
        .iter()
        .filter(|field| field["after"]["is"] != "absent")
        .partition(|field| field["before"]["is"] == "plain" && is_only_order(field));
    for field in values.into_iter().chain(orders) {
        let path = field["path"].as_str().unwrap();
        let steps = parse(path);
        let value = match field["after"]["is"].as_str().unwrap() {
            "plain" => Some(field["after"]["value"].clone()),
            "masked" if is_secret(after, path) => {
                if field["before"]["is"] == "masked" && get(before, &steps) == get(after, &steps) {
                    wrong.push(format!("{path} was told as changed, and did not"));
                }
                get(after, &steps).cloned()
            }
            "known-after-apply" if is_drawn(after, path) => get(after, &steps).cloned(),
            other => {
                wrong.push(format!("{path} was told as {other}"));
                None
            }
        };
        let Some(value) = value else { continue };
        match get(&told, &steps) {
            Some(now) if is_order(now, &value) => reorder(&mut told, &steps, &value),
            _ => set(&mut told, &steps, value),
        }
    }
    let (mut told, mut actual) = (told, after.clone());
    for list in lists_with_several_new(fields) {
        for object in [&mut told, &mut actual] {
            if let Some(Value::Array(items)) = get_mut(object, &list) {
                items.sort_by_key(Value::to_string);
            }
        }
    }
    strip(&mut told);
    strip(&mut actual);
    compare("", &told, &actual, &mut wrong);
    wrong
}

/// Keyed lists that get more than one new element and no order: which of the new ones comes first is not told.
fn lists_with_several_new(fields: &[Value]) -> Vec<Vec<Step>> {
    let new = fields.iter().filter(|field| field["before"]["is"] == "absent");
    let mut lists: Vec<Vec<Step>> = new
        .filter_map(|field| {
            let mut steps = parse(field["path"].as_str().unwrap());
            matches!(steps.pop(), Some(Step::Element(_) | Step::Item(_))).then_some(steps)
        })
        .collect();
    lists.sort_by_key(|list| format!("{list:?}"));
    let several: Vec<Vec<Step>> = lists.windows(2).filter(|w| w[0] == w[1]).map(|w| w[0].clone()).collect();
    several
}

fn compare(path: &str, told: &Value, actual: &Value, wrong: &mut Vec<String>) {
    match (told, actual) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let path = format!("{path}/{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => compare(&path, a, b, wrong),
                    (a, b) => wrong.push(format!("{path} should be {}, is {}", Shown(a), Shown(b))),
                }
            }
        }
        _ if told == actual => {}
        _ => wrong.push(format!("{path} should be {told}, is {actual}")),
    }
}

struct Shown<'v>(Option<&'v Value>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("absent"),
        }
    }
}

fn is_secret(object: &Value, path: &str) -> bool {
    object["kind"] == "Secret" && (path == "data" || path.starts_with("data.") || path.starts_with("data["))
}

fn is_drawn(object: &Value, path: &str) -> bool {
    DRAWN.iter().any(|(kind, field)| object["kind"] == *kind && path.contains(field))
}

fn strip(object: &mut Value) {
    let kind = object["kind"].as_str().unwrap().to_owned();
    let aggregated = object.get("aggregationRule").is_some();
    for (of, pointer) in CONTROLLERS {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        if *of == kind
            && (kind != "ClusterRole" || aggregated)
            && let Some(Value::Object(map)) = object.pointer_mut(parent)
        {
            map.remove(key);
        }
    }
    let map = object.as_object_mut().unwrap();
    map.remove("status");
    let metadata = map["metadata"].as_object_mut().unwrap();
    metadata.retain(|key, _| !SERVER.contains(&key.as_str()) && key != "finalizers");
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.retain(|key, _| !CONTROLLER_ANNOTATIONS.iter().any(|start| key.starts_with(start)));
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

/// Reads `spec.ports[port=80,protocol=TCP].name`, `metadata.labels["a/b"]`, `args[0]`, `metadata.finalizers[="x"]`.
fn parse(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let end = end_of_brackets(inside);
            steps.push(brackets(&inside[..end]));
            rest = &inside[end + 1..];
        } else {
            let bare = rest.strip_prefix('.').unwrap_or(rest);
            let end = bare.find(['.', '[']).unwrap_or(bare.len());
            steps.push(Step::Key(bare[..end].to_owned()));
            rest = &bare[end..];
        }
    }
    steps
}

fn end_of_brackets(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return at,
            _ => {}
        }
    }
    panic!("no end: {text}")
}

fn brackets(text: &str) -> Step {
    if let Ok(index) = text.parse() {
        return Step::Index(index);
    }
    if text.starts_with('"') {
        return Step::Key(serde_json::from_str(text).unwrap());
    }
    if let Some(item) = text.strip_prefix('=') {
        return Step::Item(word(item));
    }
    let mut keys = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').unwrap();
        let end = if value.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(value).into_iter::<String>();
            values.next();
            values.byte_offset()
        } else {
            value.find(',').unwrap_or(value.len())
        };
        keys.push((key.to_owned(), word(&value[..end])));
        rest = value[end..].strip_prefix(',').unwrap_or_default();
    }
    Step::Element(keys)
}

fn word(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn place(items: &[Value], step: &Step) -> Option<usize> {
    match step {
        Step::Index(index) => (*index < items.len()).then_some(*index),
        Step::Element(keys) => {
            items.iter().position(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value)))
        }
        Step::Item(value) => items.iter().position(|item| item == value),
        Step::Key(_) => None,
    }
}

fn get<'v>(object: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(object, |value, step| match (value, step) {
        (Value::Object(map), Step::Key(key)) => map.get(key),
        (Value::Array(items), step) => items.get(place(items, step)?),
        _ => None,
    })
}

fn set(value: &mut Value, steps: &[Step], new: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *value = new;
        return;
    };
    if let Step::Key(key) = step {
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
        let map = value.as_object_mut().unwrap();
        set(map.entry(key.clone()).or_insert(Value::Null), rest, new);
        return;
    }
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    let items = value.as_array_mut().unwrap();
    let at = place(items, step).unwrap_or_else(|| {
        items.push(Value::Null);
        items.len() - 1
    });
    set(&mut items[at], rest, new);
}

/// Removes a value, and the maps and lists that hold nothing any more.
fn remove(value: &mut Value, steps: &[Step]) {
    let Some((last, above)) = steps.split_last() else {
        return;
    };
    let empty = match (get_mut(value, above), last) {
        (Some(Value::Object(map)), Step::Key(key)) => {
            map.remove(key);
            map.is_empty()
        }
        (Some(Value::Array(items)), step) => {
            if let Some(at) = place(items, step) {
                items.remove(at);
            }
            items.is_empty()
        }
        _ => false,
    };
    if empty && !matches!(above.last(), Some(Step::Element(_) | Step::Index(_)) | None) {
        remove(value, above);
    }
}

fn get_mut<'v>(object: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    steps.iter().try_fold(object, |value, step| match (value, step) {
        (Value::Object(map), Step::Key(key)) => map.get_mut(key),
        (Value::Array(items), step) => {
            let at = place(items, step)?;
            items.get_mut(at)
        }
        _ => None,
    })
}

/// Whether a field tells a new order of a list's elements, and nothing else of it.
fn is_only_order(field: &Value) -> bool {
    let sorted = |side: &str| {
        let mut texts: Vec<String> = field[side]["value"].as_array()?.iter().map(Value::to_string).collect();
        texts.sort();
        Some(texts)
    };
    matches!((sorted("before"), sorted("after")), (Some(a), Some(b)) if a == b)
}

/// A new order of a keyed list is told by its elements' keys.
fn is_order(list: &Value, told: &Value) -> bool {
    let (Value::Array(items), Value::Array(keys)) = (list, told) else {
        return false;
    };
    items.iter().all(Value::is_object)
        && items.len() == keys.len()
        && list != told
        && keys.iter().all(|key| items.iter().any(|item| has_key(item, key)))
}

fn has_key(item: &Value, key: &Value) -> bool {
    match key {
        Value::Object(keys) => keys.iter().all(|(name, value)| item.get(name) == Some(value)),
        scalar => item.as_object().unwrap().values().any(|value| value == scalar),
    }
}

fn reorder(object: &mut Value, steps: &[Step], keys: &Value) {
    let Some(Value::Array(items)) = get_mut(object, steps) else {
        return;
    };
    let place = |item: &Value| {
        let keys = keys.as_array().unwrap();
        keys.iter().position(|key| has_key(item, key))
    };
    items.sort_by_key(place);
}

#[test]
fn a_wrong_prediction_is_found() {
    use serde_json::json;
    let before = json!({ "kind": "Service", "metadata": { "name": "a", "labels": { "x": "1" } }, "spec": {
        "ports": [{ "name": "b", "port": 1 }, { "name": "a", "port": 2 }], "args": ["x"] } });
    let after = json!({ "kind": "Service", "metadata": { "name": "a", "uid": "u" }, "spec": {
        "ports": [{ "name": "a", "port": 2 }, { "name": "b", "port": 3 }], "args": ["x", "y"] } });
    let field = |path: &str, before: Value, after: Value| json!({ "path": path, "before": before, "after": after, "cause": { "is": "stack" } });
    let plain = |value: Value| json!({ "is": "plain", "value": value });
    let absent = || json!({ "is": "absent" });
    let right = vec![
        field("metadata.labels.x", plain(json!("1")), absent()),
        field("spec.args", plain(json!(["x"])), plain(json!(["x", "y"]))),
        field("spec.ports[name=b].port", plain(json!(1)), plain(json!(3))),
        field("spec.ports", plain(json!(["b", "a"])), plain(json!(["a", "b"]))),
    ];
    let told = |fields: &[Value]| changed(&json!({ "fields": fields }), &before, &after);
    assert_eq!(told(&right), Vec::<String>::new());
    for missing in 0..right.len() {
        let mut fields = right.clone();
        fields.remove(missing);
        assert_ne!(told(&fields), Vec::<String>::new(), "without {}", right[missing]);
    }
    let mut wrong = right.clone();
    wrong[2] = field("spec.ports[name=b].port", plain(json!(2)), plain(json!(3)));
    assert_eq!(told(&wrong).len(), 1);
    wrong[2] = field("spec.ports[name=b].port", plain(json!(1)), json!({ "is": "known-after-apply" }));
    assert_ne!(told(&wrong), Vec::<String>::new());
}
