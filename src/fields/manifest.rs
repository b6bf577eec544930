//! What server-side apply records for a manifest, and whether it would change a value.
//!
//! The rules are those of `structured-merge-diff` (`typed/tofieldset.go`), over the structure table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::set::FieldSet;
use crate::object::Object;
use crate::path::{FieldPath, Segment};
use crate::schema::{self, ListKey, Node, Quantity, Type};

/// Fields of `metadata` that `managedFields` never has (`managedfields/internal/stripmeta.go`).
const UNTRACKED_METADATA: &[&str] = &[
    "clusterName",
    "creationTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// What the server records as owned when `manifest` is applied; `root` is the kind's structure, or
/// [`Node::generic`] for a kind that the table does not have. `status` is left out: every kind that has one as a
/// subresource drops it from an apply.
///
/// For a generic kind the result is what a schema-less custom resource would get; a real schema may key lists and
/// leave out maps that only hold other fields. Its *leaves* differ from the server's only where the schema
/// keys a list, or has a default for a key.
#[must_use]
pub fn of_manifest(root: Node, manifest: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    collect(root, manifest, &mut FieldPath::default(), &mut set);
    set.retain(|path| match path.0.as_slice() {
        [Segment::Key(top)] => !matches!(top.as_str(), "apiVersion" | "kind" | "metadata"),
        [Segment::Key(top), Segment::Key(field)] if top == "metadata" => {
            !UNTRACKED_METADATA.contains(&field.as_str())
        }
        _ => true,
    });
    let status = FieldPath::keys(["status"]);
    set.retain(|path| !path.starts_with(&status));
    set
}

fn collect(node: Node, value: &Value, path: &mut FieldPath, set: &mut FieldSet) {
    match (value, node.node_type()) {
        (_, _) if node.is_atomic() => set.insert(path.clone()),
        (Value::Object(map), Type::Object | Type::Map | Type::Any) => {
            for (key, value) in map {
                path.0.push(Segment::Key(key.clone()));
                // A field that the kind declares is owned through its content; a key of the user's choice, and
                // what has no content, is owned itself.
                let declared =
                    node.node_type() == Type::Object && node.fields().any(|field| field.name == key);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if empty || !declared {
                    set.insert(path.clone());
                }
                if let Some(field) = node.field(key) {
                    collect(field, value, path, set);
                }
                path.0.pop();
            }
        }
        (Value::Array(items), Type::ListMap(_) | Type::Set) => {
            let item_node = node.item().unwrap_or_else(Node::any);
            let segments: Vec<Segment> =
                items.iter().enumerate().map(|(at, item)| element(node.node_type(), at, item)).collect();
            let mut seen = BTreeMap::new();
            for segment in &segments {
                *seen.entry(segment).or_insert(0_usize) += 1;
            }
            for (item, segment) in items.iter().zip(&segments) {
                path.0.push(segment.clone());
                set.insert(path.clone());
                if seen.get(segment) == Some(&1) {
                    collect(item_node, item, path, set);
                }
                path.0.pop();
            }
        }
        // A null or a value of a wrong type in place of a container: its parent recorded it.
        (_, Type::Object | Type::Map | Type::ListMap(_) | Type::Set) => {}
        _ => set.insert(path.clone()),
    }
}

/// How an element of a list map or set is named; by position where it cannot be.
fn element(list: Type, at: usize, item: &Value) -> Segment {
    let named = match list {
        Type::ListMap(keys) => element_key(keys, item).map(Segment::Select),
        Type::Set => scalar_text(item).map(Segment::Item),
        _ => None,
    };
    named.unwrap_or(Segment::Index(at))
}

/// The keys of a list map's element, with the defaults of those it lacks; `None` if none of them is there.
pub(crate) fn element_key(keys: &[ListKey], item: &Value) -> Option<BTreeMap<String, String>> {
    let item = item.as_object()?;
    let found: BTreeMap<String, String> = keys
        .iter()
        .filter_map(|key| {
            let text = match item.get(key.name) {
                Some(value) => value.to_string(),
                None => key.default?.to_owned(),
            };
            Some((key.name.to_owned(), text))
        })
        .collect();
    (!found.is_empty()).then_some(found)
}

/// The JSON text of a scalar.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value.to_string()),
        _ => None,
    }
}

/// `path` with the elements of list maps and sets named by their keys, as the server names them, instead of by
/// position. Positions are looked up in `manifest`; what is not there stays as it is.
#[must_use]
pub fn canonical_path(root: Node, manifest: &Value, path: &FieldPath) -> FieldPath {
    let mut result = FieldPath::default();
    let (mut node, mut value) = (Some(root), Some(manifest));
    for segment in &path.0 {
        value = value.and_then(|value| step(node, value, segment));
        let list = node.map_or(Type::Any, Node::node_type);
        result.0.push(match (segment, value) {
            (Segment::Index(at), Some(item)) => element(list, *at, item),
            _ => segment.clone(),
        });
        node = node.and_then(|n| n.step(segment));
    }
    result
}

/// Those of the paths that the live object has a value at. Elements of atomic lists have no names: a path into one counts as
/// long as the list is there.
#[must_use]
pub fn present<'p>(live: &Object, paths: impl IntoIterator<Item = &'p FieldPath>) -> BTreeSet<FieldPath> {
    let root = schema::root_of(live.api_version(), live.kind());
    let is_there = |path: &&FieldPath| {
        let named = path.0.iter().take_while(|segment| !matches!(segment, Segment::Index(_)));
        value_at(root, &live.0, &FieldPath(named.cloned().collect())).is_some()
    };
    paths.into_iter().filter(is_there).cloned().collect()
}

/// The value at `path`, where an element of a list map that lacks a key has that key's default: so the paths of
/// [`of_manifest`] find their values in the manifest, which [`FieldPath::get`] does not promise.
#[must_use]
pub fn value_at<'v>(root: Node, manifest: &'v Value, path: &FieldPath) -> Option<&'v Value> {
    let mut node = Some(root);
    let mut value = manifest;
    for segment in &path.0 {
        value = step(node, value, segment)?;
        node = node.and_then(|n| n.step(segment));
    }
    Some(value)
}

fn step<'v>(node: Option<Node>, value: &'v Value, segment: &Segment) -> Option<&'v Value> {
    match (segment, node.map(Node::node_type)) {
        (Segment::Select(wanted), Some(Type::ListMap(keys))) => {
            value.as_array()?.iter().find(|item| element_key(keys, item).as_ref() == Some(wanted))
        }
        (Segment::Key(key), _) => value.get(key),
        (Segment::Index(index), _) => value.get(index),
        (Segment::Select(_) | Segment::Item(_), _) => FieldPath(vec![segment.clone()]).get(value),
    }
}

/// Whether sending `desired` over `live` at a place of this structure leaves what is stored as it is: equal
/// byte for byte, quantities by the text that the server keeps. Never true by mistake; false may be unclear.
#[must_use]
pub fn same_value(node: Node, desired: &Value, live: &Value) -> bool {
    if desired == live {
        return true;
    }
    match (desired, live) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().all(|key| match (a.get(key), b.get(key), node.field(key)) {
                (Some(a), Some(b), Some(field)) => same_value(field, a, b),
                _ => false,
            })
        }
        (Value::Array(a), Value::Array(b)) => {
            let item = node.item().unwrap_or_else(Node::any);
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(item, a, b))
        }
        _ => node.node_type() == Type::Quantity && Quantity::same_stored(desired, live),
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
