//! The fields that a value mentions (`structured-merge-diff`, `typed/tofieldset.go`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::{Branch, Set};
use super::typed::{Atom, Elements, atom};
use crate::path::Segment;
use crate::sandbox::schema::Schema;

/// The fields of `value`, which was checked against `schema`: every scalar and atomic value, every element of a
/// set or list map, every key of a map, and what is declared but empty.
pub(super) fn fields_of(schema: &Schema, value: &Value) -> Set {
    collect(schema, value).below
}

fn collect(schema: &Schema, value: &Value) -> Branch {
    let mut branch = Branch::default();
    match (atom(&schema.shape(), Some(value)), value) {
        (Atom::Scalar(_) | Atom::Map { atomic: true } | Atom::List(Elements::Atomic), _) => {
            branch.member = true;
        }
        (Atom::Map { atomic: false }, Value::Object(map)) => {
            for (key, value) in map {
                let mut below = schema.field(key).map(|field| collect(&field, value)).unwrap_or_default();
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                below.member |= empty || !schema.declares(key);
                branch.below.attach(Segment::Key(key.clone()), below);
            }
        }
        (Atom::List(elements), Value::Array(items)) => {
            collect_items(schema, &elements, items, &mut branch.below);
        }
        _ => {}
    }
    branch
}

/// An element that the list names twice is owned as a whole.
fn collect_items(schema: &Schema, elements: &Elements, items: &[Value], below: &mut Set) {
    let steps = elements.steps(items);
    let mut times: BTreeMap<&Segment, usize> = BTreeMap::new();
    for (step, _) in &steps {
        *times.entry(step).or_default() += 1;
    }
    for (step, item) in &steps {
        let mut branch = Branch::leaf();
        if times.get(step) == Some(&1)
            && let Some(item_schema) = schema.item()
        {
            branch.below = collect(&item_schema, item).below;
        }
        below.attach(step.clone(), branch);
    }
}
