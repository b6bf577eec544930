//! What of a sent object a custom kind has: unknown fields go, nulls that mean nothing go, metadata is read.
//!
//! The order, and which paths are told of, are the API server's (`apiextensions-apiserver` `pruning`,
//! `defaulting`, `objectmeta`).

use serde_json::{Map, Value};

use super::meta;
use super::node::{Additional, Node};

/// Drops what the kind does not have. Returns the paths of what was dropped, as the API server lists them.
///
/// # Errors
/// What of its metadata, or of an embedded object's, cannot be read.
pub(super) fn decode(object: &mut Value, node: &Node) -> Result<Vec<String>, String> {
    let mut unknown = Vec::new();
    if let Some(metadata) = object.get_mut("metadata") {
        meta::read(metadata, "metadata", &mut unknown)?;
    }
    unknown.extend(shape(object, node)?);
    Ok(unknown)
}

/// The same below the metadata, for an object that is stored already.
pub(super) fn shape(object: &mut Value, node: &Node) -> Result<Vec<String>, String> {
    normalise_numbers(object);
    let mut unknown = Vec::new();
    let mut path = Vec::new();
    if node.preserve {
        prune_known(object, node, true, &mut path, &mut unknown);
    } else {
        prune_object(object, node, true, &mut path, &mut unknown);
    }
    unknown.sort();
    drop_nulls(object, Some(node));
    let mut embedded = Vec::new();
    read_embedded(object, node, "", &mut embedded)?;
    embedded.sort();
    unknown.extend(embedded);
    Ok(unknown)
}

/// The same for a default value of a schema.
///
/// # Errors
/// What of an embedded object cannot be read.
pub(super) fn shape_of_default(value: &mut Value, node: &Node) -> Result<(), String> {
    let mut unknown = Vec::new();
    prune(value, Some(node), &mut Vec::new(), &mut unknown);
    read_embedded(value, node, "", &mut unknown)
}

/// The API server keeps a whole number as such, however it was written: `1.0` is stored as `1`.
fn normalise_numbers(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(normalise_numbers),
        Value::Object(map) => map.values_mut().for_each(normalise_numbers),
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            if float.fract() == 0.0 && float.abs() < 1e15 {
                #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
                let whole = float as i64;
                *value = whole.into();
            }
        }
        _ => {}
    }
}

fn is_type_or_metadata(key: &str) -> bool {
    matches!(key, "apiVersion" | "kind" | "metadata")
}

fn prune(value: &mut Value, node: Option<&Node>, path: &mut Vec<String>, unknown: &mut Vec<String>) {
    match (node, value) {
        (Some(node), value) if node.preserve => prune_known(value, node, node.embedded, path, unknown),
        (Some(node), value @ Value::Object(_)) => prune_object(value, node, node.embedded, path, unknown),
        (None, Value::Object(map)) => {
            for key in map.keys() {
                unknown.push(joined(path, key));
            }
            map.clear();
        }
        (node, Value::Array(list)) => {
            let items = node.and_then(|node| node.items.as_deref());
            for (index, element) in list.iter_mut().enumerate() {
                path.push(format!("[{index}]"));
                prune(element, items, path, unknown);
                path.pop();
            }
        }
        _ => {}
    }
}

fn prune_object(
    value: &mut Value,
    node: &Node,
    embedded: bool,
    path: &mut Vec<String>,
    unknown: &mut Vec<String>,
) {
    let Value::Object(map) = value else {
        return;
    };
    map.retain(|key, field| {
        if embedded && is_type_or_metadata(key) {
            return true;
        }
        let below = match (node.properties.get(key), &node.additional) {
            (Some(below), _) | (None, Additional::Schema(below)) => Some(below),
            (None, Additional::Any) => None,
            (None, Additional::None) => {
                if !is_type_or_metadata(key) || !path.is_empty() {
                    unknown.push(joined(path, key));
                }
                return false;
            }
        };
        path.push(key.clone());
        prune(field, below.map(AsRef::as_ref), path, unknown);
        path.pop();
        true
    });
}

/// Where unknown fields stay, known ones are still read.
fn prune_known(
    value: &mut Value,
    node: &Node,
    embedded: bool,
    path: &mut Vec<String>,
    unknown: &mut Vec<String>,
) {
    match value {
        Value::Object(map) => {
            for (key, field) in map.iter_mut() {
                if embedded && is_type_or_metadata(key) {
                    continue;
                }
                if let Some(below) = node.at(key) {
                    path.push(key.clone());
                    prune(field, Some(below), path, unknown);
                    path.pop();
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = &node.items else {
                return;
            };
            for (index, element) in list.iter_mut().enumerate() {
                path.push(format!("[{index}]"));
                prune_known(element, items, items.embedded, path, unknown);
                path.pop();
            }
        }
        _ => {}
    }
}

fn joined(path: &[String], key: &str) -> String {
    let mut text = String::new();
    for part in path.iter().map(String::as_str).chain([key]) {
        if !text.is_empty() && !part.starts_with('[') {
            text.push('.');
        }
        text.push_str(part);
    }
    text
}

/// A null where no null is allowed and no default stands in for it is the same as nothing.
fn drop_nulls(value: &mut Value, node: Option<&Node>) {
    match value {
        Value::Object(map) => map.retain(|key, field| {
            let below = node.and_then(|node| node.at(key));
            let means_nothing =
                field.is_null() && below.is_some_and(|below| !below.nullable && below.default.is_none());
            if !means_nothing {
                drop_nulls(field, below);
            }
            !means_nothing
        }),
        Value::Array(list) => {
            let items = node.and_then(|node| node.items.as_deref());
            for element in list {
                drop_nulls(element, items);
            }
        }
        _ => {}
    }
}

/// Reads the metadata of embedded objects.
fn read_embedded(
    value: &mut Value,
    node: &Node,
    path: &str,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    match value {
        Value::Object(map) => {
            if node.embedded {
                read_embedded_object(map, path, unknown)?;
            }
            for (key, field) in map.iter_mut() {
                if let Some(below) = node.at(key) {
                    let is_named = node.properties.contains_key(key);
                    let path = if is_named { child(path, key) } else { format!("{path}[{key}]") };
                    read_embedded(field, below, &path, unknown)?;
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                for (index, element) in list.iter_mut().enumerate() {
                    read_embedded(element, items, &format!("{path}[{index}]"), unknown)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn read_embedded_object(
    map: &mut Map<String, Value>,
    path: &str,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    for key in ["apiVersion", "kind"] {
        if let Some(other) = map.get(key).filter(|value| !value.is_string()) {
            let cause = crate::sandbox::fault::invalid(child(path, key), other, "must be a string");
            return Err(format!("{}: {}", cause.field, cause.message));
        }
    }
    if let Some(metadata) = map.get_mut("metadata") {
        let place = child(path, "metadata");
        let before = metadata.clone();
        meta::read(metadata, &place, unknown).map_err(|why| {
            let cause = crate::sandbox::fault::invalid(place.as_str(), &before, &why);
            format!("{}: {}", cause.field, cause.message)
        })?;
    }
    Ok(())
}

/// `path.key`.
pub(super) fn child(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Fills in defaults.
pub(super) fn default(value: &mut Value, node: &Node) {
    let stands_in = |value: &Value, node: &Node| value.is_null() && !node.nullable;
    match value {
        Value::Object(map) => {
            for (name, field) in &node.properties {
                let Some(default) = &field.default else {
                    continue;
                };
                if map.get(name).is_none_or(|value| stands_in(value, field)) {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (key, value) in map.iter_mut() {
                let Some(below) = node.at(key) else {
                    continue;
                };
                if !node.properties.contains_key(key) && stands_in(value, below) {
                    *value = below.default.clone().unwrap_or_default();
                }
                self::default(value, below);
            }
        }
        Value::Array(list) => {
            let Some(items) = &node.items else {
                return;
            };
            for element in list {
                if stands_in(element, items) {
                    *element = items.default.clone().unwrap_or_default();
                }
                self::default(element, items);
            }
        }
        _ => {}
    }
}
