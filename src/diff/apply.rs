//! Differences put into effect: the inverse of comparing.

use serde_json::{Map, Value};

use super::compare::{FieldDiff, named};
use crate::fields::{element_key, scalar_text};
use crate::path::{FieldPath, Segment};
use crate::schema::{Node, Type};

/// Makes of `object` what it was compared with. Differences of another object leave what they do not find.
pub fn apply(root: Node, object: &mut Value, diffs: &[FieldDiff]) {
    // From the last to the first, so that positions in lists stay what they were.
    for diff in diffs.iter().rev().filter(|diff| diff.after.is_none()) {
        remove(root, object, &diff.path.0);
    }
    for diff in diffs.iter().filter(|diff| !diff.order) {
        if let Some(after) = &diff.after {
            set(root, object, &diff.path.0, after);
        }
    }
    for diff in diffs.iter().filter(|diff| diff.order) {
        if let Some(Value::Array(keys)) = &diff.after {
            reorder(root, object, &diff.path, keys);
        }
    }
}

/// Takes the value out, and the containers that are empty without it. Returns whether `value` is such a one. An
/// element that became empty stays: its place in the list is still its own.
fn remove(node: Node, value: &mut Value, path: &[Segment]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return true;
    };
    let below = node.step(first).unwrap_or_else(Node::any);
    match value {
        Value::Object(map) => {
            if let Segment::Key(key) = first
                && let Some(child) = map.get_mut(key)
                && remove(below, child, rest)
            {
                map.remove(key);
                return map.is_empty();
            }
        }
        Value::Array(items) => {
            if let Some(at) = position(node, items, first) {
                if remove(below, &mut items[at], rest) && rest.is_empty() {
                    items.remove(at);
                }
                return items.is_empty();
            }
        }
        _ => {}
    }
    false
}

fn set(node: Node, value: &mut Value, path: &[Segment], after: &Value) {
    let Some((first, rest)) = path.split_first() else {
        value.clone_from(after);
        return;
    };
    let below = node.step(first).unwrap_or_else(Node::any);
    if let Segment::Key(key) = first {
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
        if let Value::Object(map) = value {
            set(below, map.entry(key.clone()).or_insert(Value::Null), rest, after);
        }
        return;
    }
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    if let Value::Array(items) = value {
        let at = position(node, items, first).unwrap_or_else(|| {
            items.push(Value::Null);
            items.len() - 1
        });
        set(below, &mut items[at], rest, after);
    }
}

fn position(list: Node, items: &[Value], segment: &Segment) -> Option<usize> {
    match (segment, list.node_type()) {
        (Segment::Index(at), _) => (*at < items.len()).then_some(*at),
        (Segment::Select(wanted), Type::ListMap(keys)) => {
            items.iter().position(|item| element_key(keys, item).as_ref() == Some(wanted))
        }
        (Segment::Item(text), _) => items.iter().position(|item| scalar_text(item).as_ref() == Some(text)),
        _ => None,
    }
}

fn reorder(root: Node, object: &mut Value, path: &FieldPath, keys: &[Value]) {
    let node = path.0.iter().try_fold(root, Node::step).unwrap_or_else(Node::any);
    let Some(Value::Array(items)) = find(root, object, &path.0) else {
        return;
    };
    let Some(elements) = named(node.node_type(), items) else {
        return;
    };
    let place = |segment: &Segment| {
        let key = super::compare::keys_of(node.node_type(), &[segment]);
        keys.iter().position(|wanted| Some(wanted) == key.get(0))
    };
    let mut placed: Vec<_> =
        elements.into_iter().map(|(segment, item)| (place(&segment), item.clone())).collect();
    placed.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    *items = placed.into_iter().map(|(_, item)| item).collect();
}

fn find<'v>(root: Node, object: &'v mut Value, path: &[Segment]) -> Option<&'v mut Value> {
    let mut node = root;
    let mut value = object;
    for segment in path {
        value = match (value, segment) {
            (Value::Object(map), Segment::Key(key)) => map.get_mut(key)?,
            (Value::Array(items), segment) => {
                let at = position(node, items, segment)?;
                items.get_mut(at)?
            }
            _ => return None,
        };
        node = node.step(segment).unwrap_or_else(Node::any);
    }
    Some(value)
}
