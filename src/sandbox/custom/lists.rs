//! Elements of sets and list maps are distinct (`apiextensions-apiserver` `listtype`); embedded objects say
//! what they are.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::decode::child;
use super::node::{Additional, List, Node};
use crate::sandbox::error::Cause;
use crate::sandbox::fault;

/// Elements that stand twice.
pub(super) fn duplicates(node: &Node, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    walk(node, object, "", &mut |node, value, path| {
        if let Value::Array(list) = value {
            match &node.list {
                List::Atomic => {}
                List::Set => {
                    let twice = repeated(list.iter().cloned());
                    causes.extend(
                        twice.into_iter().map(|at| fault::duplicate(format!("{path}[{at}]"), &list[at])),
                    );
                }
                List::Map(keys) => causes.extend(in_list_map(keys, list, path)),
            }
        }
    });
    causes
}

/// Embedded objects without `apiVersion`, `kind`, or with wrong ones. `path` is where `value` stands.
pub(super) fn embedded(node: &Node, value: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    walk(node, value, path, &mut |node, value, path| {
        if let (true, Value::Object(map)) = (node.embedded, value) {
            causes.extend(embedded_object(map, path));
        }
    });
    causes
}

/// Visits every value that the schema knows, from the top down.
fn walk(node: &Node, value: &Value, path: &str, visit: &mut dyn FnMut(&Node, &Value, &str)) {
    visit(node, value, path);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match (node.properties.get(key), &node.additional) {
                    (Some(below), _) => walk(below, value, &child(path, key), visit),
                    (None, Additional::Schema(below)) => walk(below, value, &format!("{path}[{key}]"), visit),
                    (None, _) => {}
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                for (index, element) in list.iter().enumerate() {
                    walk(items, element, &format!("{path}[{index}]"), visit);
                }
            }
        }
        _ => {}
    }
}

/// Where a value stands for the second time; a third time is not told.
fn repeated(values: impl Iterator<Item = Value>) -> Vec<usize> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut places = Vec::new();
    for (index, value) in values.enumerate() {
        let seen = times.entry(value.to_string()).or_default();
        *seen += 1;
        if *seen == 2 {
            places.push(index);
        }
    }
    places
}

fn in_list_map(keys: &[String], list: &[Value], path: &str) -> Vec<Cause> {
    if let Some(index) = list.iter().position(|element| !element.is_object() && !element.is_null()) {
        let detail = "must be an object for an array of list-type map";
        return vec![fault::invalid(format!("{path}[{index}]"), &list[index], detail)];
    }
    let of = |element: &Value| -> Value {
        let known = keys.iter().filter_map(|key| Some((key.clone(), element.get(key)?.clone())));
        Value::Object(known.collect())
    };
    repeated(list.iter().map(of))
        .into_iter()
        .map(|index| fault::duplicate(format!("{path}[{index}]"), &of(&list[index])))
        .collect()
}

fn embedded_object(map: &Map<String, Value>, path: &str) -> Vec<Cause> {
    let mut causes: Vec<Cause> = ["apiVersion", "kind"]
        .into_iter()
        .filter(|key| !map.contains_key(*key))
        .map(|key| fault::required(child(path, key), ""))
        .collect();
    for key in ["apiVersion", "kind"] {
        let place = child(path, key);
        match map.get(key) {
            None => {}
            Some(Value::String(text)) if text.is_empty() => {
                causes.push(fault::invalid_text(place, text, "must not be empty"));
            }
            Some(Value::String(text)) if key == "apiVersion" && text.matches('/').count() > 1 => {
                let detail = format!("unexpected GroupVersion string: {text}");
                causes.push(fault::invalid_text(place, text, &detail));
            }
            Some(Value::String(text)) => {
                if let Some(why) = super::names::dns_1035_label(&text.to_lowercase()) {
                    let detail = format!("may have mixed case, but should otherwise match: {why}");
                    causes.push(fault::invalid_text(place, text, &detail));
                }
            }
            Some(other) => causes.push(fault::invalid(place, other, "must be a string")),
        }
    }
    causes
}
