//! What an update changes (`structured-merge-diff`, `typed/compare.go`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::{Branch, Set};
use super::typed::{Atom, Elements, atoms, items, same};
use crate::path::Segment;
use crate::sandbox::schema::Schema;

/// The fields in which two values differ. No field is in two of the sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// In the old value alone.
    pub(super) removed: Set,
    /// In both.
    pub(super) modified: Set,
    /// In the new value alone.
    pub(super) added: Set,
}

impl Comparison {
    /// Leaves `fields` out, with all below them.
    pub(super) fn without(mut self, fields: &Set) -> Self {
        for set in [&mut self.removed, &mut self.modified, &mut self.added] {
            set.remove_below(fields);
        }
        self
    }

    /// What the new value sets: what is added and what is modified.
    pub(super) fn set(&self) -> Set {
        self.modified.union(&self.added)
    }
}

/// Compares two values that were checked against `schema`.
pub(super) fn compare(schema: &Schema, old: &Value, new: &Value) -> Comparison {
    let change = walk(schema, Some(old), Some(new));
    Comparison { removed: change.removed.below, modified: change.modified.below, added: change.added.below }
}

#[derive(Debug, Default)]
struct Change {
    removed: Branch,
    modified: Branch,
    added: Branch,
}

impl Change {
    fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    fn mark(&mut self, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (None, _) => self.added.member = true,
            (_, None) => self.removed.member = true,
            (Some(old), Some(new)) => self.modified.member |= !same(old, new),
        }
    }

    fn attach(&mut self, step: &Segment, below: Self) {
        let sides = [
            (&mut self.removed, below.removed),
            (&mut self.modified, below.modified),
            (&mut self.added, below.added),
        ];
        for (mine, theirs) in sides {
            if !theirs.is_empty() {
                mine.below.attach(step.clone(), theirs);
            }
        }
    }
}

fn walk(schema: &Schema, old: Option<&Value>, new: Option<&Value>) -> Change {
    let mut change = Change::default();
    let (first, last) = atoms(&schema.shape(), old, new);
    if let Some(first) = first {
        walk_as(&first, schema, old, new, &mut change);
    }
    let leaf = walk_as(&last, schema, old, new, &mut change);
    if !leaf && (old.is_none() || new.is_none()) {
        change.mark(old, new);
    }
    change
}

/// Returns whether the value was compared as a whole.
fn walk_as(
    atom: &Atom,
    schema: &Schema,
    old: Option<&Value>,
    new: Option<&Value>,
    change: &mut Change,
) -> bool {
    match atom {
        Atom::Map { atomic: false } => {
            let (old, new) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
            if old.is_some_and(|map| !map.is_empty()) || new.is_some_and(|map| !map.is_empty()) {
                let empty = Map::new();
                walk_maps(schema, old.unwrap_or(&empty), new.unwrap_or(&empty), change);
                return false;
            }
        }
        Atom::List(elements) if *elements != Elements::Atomic => {
            let (old, new) = (old.map(items).unwrap_or_default(), new.map(items).unwrap_or_default());
            if !old.is_empty() || !new.is_empty() {
                walk_lists(schema, elements, old, new, change);
                return false;
            }
        }
        _ => {}
    }
    change.mark(old, new);
    true
}

fn walk_maps(schema: &Schema, old: &Map<String, Value>, new: &Map<String, Value>, change: &mut Change) {
    let mut step = |key: &String, old: Option<&Value>, new: Option<&Value>| {
        if let Some(field) = schema.field(key) {
            let below = walk(&field, old, new);
            if !below.is_empty() {
                change.attach(&Segment::Key(key.clone()), below);
            }
        }
    };
    for (key, value) in old {
        step(key, Some(value), new.get(key));
    }
    for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        step(key, None, Some(value));
    }
}

fn walk_lists(schema: &Schema, elements: &Elements, old: &[Value], new: &[Value], change: &mut Change) {
    let Some(item) = schema.item() else { return };
    let mut steps: BTreeMap<Segment, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
    for (step, value) in elements.steps(old) {
        steps.entry(step).or_default().0.push(value);
    }
    for (step, value) in elements.steps(new) {
        steps.entry(step).or_default().1.push(value);
    }
    for (step, (old, new)) in &steps {
        let mut below = Change::default();
        match (old.as_slice(), new.as_slice()) {
            // An element that a list names twice is one value; becoming it or ceasing to be it replaces the element.
            ([_, _, ..], [_, _, ..]) => {
                below.modified.member =
                    old.len() != new.len() || old.iter().zip(new).any(|(a, b)| !same(a, b));
            }
            ([_, _, ..], rest) => {
                if let Some(new) = rest.first() {
                    below = walk(&item, None, Some(new));
                }
                below.removed.member = true;
            }
            (rest, [_, _, ..]) => {
                if let Some(old) = rest.first() {
                    below = walk(&item, Some(old), None);
                }
                below.added.member = true;
            }
            (old, new) => below = walk(&item, old.first().copied(), new.first().copied()),
        }
        change.attach(step, below);
    }
}
