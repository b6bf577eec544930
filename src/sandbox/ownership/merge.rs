//! An applied configuration laid over an object (`structured-merge-diff`, `typed/merge.go`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::typed::{Atom, Elements, atoms, items};
use crate::path::Segment;
use crate::sandbox::schema::Schema;

/// `live` with what `applied` says in place of its own; nothing is taken away. Both were checked against `schema`.
pub(super) fn merge(schema: &Schema, live: &Value, applied: &Value) -> Value {
    walk(schema, live, applied)
}

fn walk(schema: &Schema, live: &Value, applied: &Value) -> Value {
    let (_, atom) = atoms(&schema.shape(), Some(live), Some(applied));
    match atom {
        Atom::Map { atomic: false } => {
            let empty = Map::new();
            let (live, applied) = (live.as_object().unwrap_or(&empty), applied.as_object().unwrap_or(&empty));
            if !live.is_empty() || !applied.is_empty() {
                return merge_maps(schema, live, applied);
            }
        }
        Atom::List(elements) if elements != Elements::Atomic => {
            let (live, applied) = (items(live), items(applied));
            if !live.is_empty() || !applied.is_empty() {
                return merge_lists(schema, &elements, live, applied);
            }
        }
        _ => {}
    }
    applied.clone()
}

fn merge_maps(schema: &Schema, live: &Map<String, Value>, applied: &Map<String, Value>) -> Value {
    let of_live = live.iter().map(|(key, live)| {
        let value = match applied.get(key).map(|applied| (applied, schema.field(key))) {
            Some((applied, Some(field))) => walk(&field, live, applied),
            Some((applied, None)) => applied.clone(),
            None => live.clone(),
        };
        (key.clone(), value)
    });
    let new = applied.iter().filter(|(key, _)| !live.contains_key(*key));
    Value::Object(of_live.chain(new.map(|(key, value)| (key.clone(), value.clone()))).collect())
}

/// The elements of both lists: in the order of the applied one, each of the others where it stood among its
/// neighbours.
fn merge_lists(schema: &Schema, elements: &Elements, live: &[Value], applied: &[Value]) -> Value {
    let (live, applied) = (elements.steps(live), elements.steps(applied));
    // An element that the live list names twice is not merged with the applied one, it gives way to it.
    let mut live_once: BTreeMap<&Segment, Option<&Value>> = BTreeMap::new();
    for (step, value) in &live {
        live_once.entry(step).and_modify(|once| *once = None).or_insert(Some(value));
    }
    let is_applied: BTreeSet<&Segment> = applied.iter().map(|(step, _)| step).collect();
    let mut shared = applied.iter().map(|(step, _)| step).filter(|step| live_once.contains_key(step));
    let mut next_shared = shared.next();
    let mut done: BTreeSet<&Segment> = BTreeSet::new();
    let mut merged = Vec::with_capacity(live.len().max(applied.len()));
    let item = schema.item();
    let both = |step: &Segment, applied: &Value| match (&item, live_once.get(step)) {
        (Some(item), Some(Some(live))) => walk(item, live, applied),
        _ => applied.clone(),
    };
    let (mut at_live, mut at_applied) = (0, 0);
    while at_live < live.len() || at_applied < applied.len() {
        if let (Some((step, _)), Some((other, value))) = (live.get(at_live), applied.get(at_applied)) {
            if step == other {
                done.insert(other);
                merged.push(both(step, value));
                at_live += 1;
                at_applied += 1;
                next_shared = shared.next();
                continue;
            }
            if is_applied.contains(step) && next_shared.is_some_and(|next| next != step) {
                // It comes later, in the order of the applied list.
                at_live += 1;
                continue;
            }
        }
        if let Some((step, value)) = live.get(at_live) {
            if !is_applied.contains(step) {
                merged.push(Value::clone(value));
                at_live += 1;
                continue;
            }
            if done.contains(step) {
                at_live += 1;
            }
        }
        if let Some((step, value)) = applied.get(at_applied) {
            done.insert(step);
            merged.push(both(step, value));
            at_applied += 1;
            if next_shared == Some(step) {
                next_shared = shared.next();
            }
        }
    }
    Value::Array(merged)
}
