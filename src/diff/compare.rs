//! Two values of one structure, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use crate::fields::{element_key, scalar_text};
use crate::path::{FieldPath, Segment};
use crate::schema::{Node, Type};

/// One difference. Its debug form names the place only: a value may be a secret.
#[derive(Clone, PartialEq)]
pub struct FieldDiff {
    /// Where.
    pub path: FieldPath,
    /// The live value; `None` where there is none.
    pub before: Option<Value>,
    /// The planned value; `None` where there is none.
    pub after: Option<Value>,
    /// Only the order of a keyed list's elements differs; both values are the whole lists' keys, in order.
    pub order: bool,
}

impl fmt::Debug for FieldDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (&self.before, &self.after) {
            _ if self.order => "order of",
            (None, _) => "+",
            (_, None) => "-",
            _ => "~",
        };
        write!(f, "FieldDiff({what} {})", self.path)
    }
}

/// Everything in which `after` differs from `before`: fields by name, elements of lists in their order, the new
/// ones last. `root` is the structure of both.
///
/// Maps are compared key by key down to their leaves, also where server-side apply owns them as a whole. Elements
/// of list maps and sets are told apart by their keys; one that is only on one side is one difference, with its
/// whole value. Other lists of maps are compared by position, every other list is one value.
#[must_use]
pub fn compare(root: Node, before: &Value, after: &Value) -> Vec<FieldDiff> {
    let mut found = Vec::new();
    both(root, before, after, &mut FieldPath::default(), &mut found);
    found
}

fn report(path: &FieldPath, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<FieldDiff>) {
    found.push(FieldDiff {
        path: path.clone(),
        before: before.cloned(),
        after: after.cloned(),
        order: false,
    });
}

fn both(node: Node, before: &Value, after: &Value, path: &mut FieldPath, found: &mut Vec<FieldDiff>) {
    if before == after {
        return;
    }
    match (before, after) {
        // What becomes empty is one difference: its keys leaving would read as if it left too.
        (Value::Object(a), Value::Object(b)) if !b.is_empty() => maps(node, a, b, path, found),
        (Value::Array(a), Value::Array(b)) if !b.is_empty() => lists(node, a, b, path, found),
        _ => report(path, Some(before), Some(after), found),
    }
}

fn maps(
    node: Node,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    path: &mut FieldPath,
    found: &mut Vec<FieldDiff>,
) {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let field = node.field(key).unwrap_or_else(Node::any);
        path.0.push(Segment::Key(key.clone()));
        match (before.get(key), after.get(key)) {
            (Some(before), Some(after)) => both(field, before, after, path, found),
            (before, after) => one(field, before, after, path, found),
        }
        path.0.pop();
    }
}

/// A value that is only on one side: by its leaves, and by the elements of keyed lists.
fn one(
    node: Node,
    before: Option<&Value>,
    after: Option<&Value>,
    path: &mut FieldPath,
    found: &mut Vec<FieldDiff>,
) {
    let side = before.or(after);
    match side {
        Some(Value::Object(map)) if !map.is_empty() => {
            for (key, value) in map {
                let field = node.field(key).unwrap_or_else(Node::any);
                path.0.push(Segment::Key(key.clone()));
                one(field, before.and(Some(value)), after.and(Some(value)), path, found);
                path.0.pop();
            }
        }
        Some(Value::Array(items)) if !items.is_empty() => match named(node.node_type(), items) {
            Some(named) => {
                for (segment, item) in named {
                    path.0.push(segment);
                    report(path, before.and(Some(item)), after.and(Some(item)), found);
                    path.0.pop();
                }
            }
            None => report(path, before, after, found),
        },
        _ => report(path, before, after, found),
    }
}

fn lists(node: Node, before: &[Value], after: &[Value], path: &mut FieldPath, found: &mut Vec<FieldDiff>) {
    let item_node = node.item().unwrap_or_else(Node::any);
    let list = node.node_type();
    if let (Some(a), Some(b)) = (named(list, before), named(list, after)) {
        return keyed(node, &a, &b, path, found);
    }
    let maps = |list: &[Value]| !list.is_empty() && list.iter().all(Value::is_object);
    if !maps(before) || !maps(after) {
        let whole = |list: &[Value]| Value::Array(list.to_vec());
        return report(path, Some(&whole(before)), Some(&whole(after)), found);
    }
    for at in 0..before.len().max(after.len()) {
        path.0.push(Segment::Index(at));
        match (before.get(at), after.get(at)) {
            (Some(before), Some(after)) => both(item_node, before, after, path, found),
            (before, after) => report(path, before, after, found),
        }
        path.0.pop();
    }
}

fn keyed(
    list: Node,
    before: &[(Segment, &Value)],
    after: &[(Segment, &Value)],
    path: &mut FieldPath,
    found: &mut Vec<FieldDiff>,
) {
    let item_node = list.item().unwrap_or_else(Node::any);
    let old: BTreeMap<&Segment, &Value> = before.iter().map(|(s, v)| (s, *v)).collect();
    let new: BTreeMap<&Segment, &Value> = after.iter().map(|(s, v)| (s, *v)).collect();
    for (segment, before) in before {
        path.0.push(segment.clone());
        match new.get(segment) {
            Some(after) => both(item_node, before, after, path, found),
            None => report(path, Some(before), None, found),
        }
        path.0.pop();
    }
    let come = || after.iter().filter(|(segment, _)| !old.contains_key(segment));
    for (segment, after) in come() {
        path.0.push(segment.clone());
        report(path, None, Some(after), found);
        path.0.pop();
    }
    // Elements that stay keep their places and new ones come last: every other order is said.
    let stay = before.iter().filter(|(segment, _)| new.contains_key(segment));
    let expected: Vec<&Segment> = stay.chain(come()).map(|(segment, _)| segment).collect();
    let actual: Vec<&Segment> = after.iter().map(|(s, _)| s).collect();
    if expected != actual {
        found.push(FieldDiff {
            path: path.clone(),
            before: Some(keys_of(list.node_type(), &expected)),
            after: Some(keys_of(list.node_type(), &actual)),
            order: true,
        });
    }
}

/// The elements of a keyed list under their names; `None` if the list is not keyed, or if an element has no name
/// of its own.
pub(super) fn named(list: Type, items: &[Value]) -> Option<Vec<(Segment, &Value)>> {
    let name = |item: &Value| match list {
        Type::ListMap(keys) => element_key(keys, item).map(Segment::Select),
        Type::Set => scalar_text(item).map(Segment::Item),
        _ => None,
    };
    let named: Vec<(Segment, &Value)> =
        items.iter().map(|item| Some((name(item)?, item))).collect::<Option<_>>()?;
    let distinct: BTreeSet<&Segment> = named.iter().map(|(segment, _)| segment).collect();
    (distinct.len() == named.len()).then_some(named)
}

/// The keys of elements, as values to show: where the list has a single key, that key's value.
pub(super) fn keys_of(list: Type, segments: &[&Segment]) -> Value {
    let single = matches!(list, Type::ListMap([_]));
    let text = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
    let key = |segment: &&Segment| match segment {
        Segment::Item(item) => text(item),
        Segment::Select(keys) if single => keys.values().next().map_or(Value::Null, text),
        Segment::Select(keys) => keys.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        Segment::Key(key) => Value::from(key.as_str()),
        Segment::Index(index) => Value::from(*index),
    };
    Value::Array(segments.iter().map(key).collect())
}
