//! What a manager does not apply any more goes, unless somebody else claims it (`structured-merge-diff`,
//! `merge/update.go`: `prune`; `typed/remove.go`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::collect::fields_of;
use super::set::{Branch, Set};
use super::typed::{Atom, Elements, atom};
use crate::path::Segment;
use crate::sandbox::schema::{Schema, Shape};

/// Takes from `merged` what is in `last`, the set its manager applied before, and not in `claimed`, the sets that
/// all managers have now, by the structure of the version each was written in.
///
/// `schema` is the structure of the version that `last` was written in.
pub(super) fn prune(schema: &Schema, merged: &Value, last: &Set, claimed: &[(Schema, Set)]) -> Value {
    let last = with_named(schema, last);
    let mut pruned = remove(schema, merged, &last);
    for (schema, claimed) in claimed {
        let mut gone = with_named(schema, &fields_of(schema, merged));
        gone.remove_all(&with_named(schema, &fields_of(schema, &pruned)));
        gone.remove_all(&with_named(schema, claimed));
        pruned = remove(schema, merged, &gone);
    }
    let mut gone = with_named(schema, &fields_of(schema, merged));
    gone.remove_all(&with_named(schema, &fields_of(schema, &pruned)));
    remove(schema, merged, &gone.intersection(&last))
}

/// Whether nothing of `last` goes, because all of it is claimed: then [`prune`] would change nothing. Holds for sets
/// in which what a member lies in is a member too, as those of an apply are; of others this is not said.
pub(super) fn is_kept(schema: &Schema, last: &Set, claimed: &Set) -> bool {
    last.is_within(claimed) && is_closed(Some(schema), last)
}

/// Whether [`with_named`] makes every place of the set a member.
fn is_closed(schema: Option<&Schema>, set: &Set) -> bool {
    set.branches().all(|(step, branch)| {
        let is_named = |name: &str| schema.is_some_and(|schema| schema.declares(name));
        let is_member = branch.member || matches!(step, Segment::Key(name) if is_named(name));
        is_member && (branch.below.is_empty() || is_closed(below(schema, step).as_ref(), &branch.below))
    })
}

/// The structure that names are declared in below a step.
fn below(schema: Option<&Schema>, step: &Segment) -> Option<Schema> {
    match step {
        Segment::Key(name) => schema.and_then(|schema| schema.field(name)),
        Segment::Select(_) => schema.filter(|schema| is_list(&schema.shape())).and_then(Schema::item),
        Segment::Item(_) | Segment::Index(_) => None,
    }
}

/// The set with every declared field that has a member below it as a member too: a set names `spec.replicas`,
/// and means that `spec` is there.
fn with_named(schema: &Schema, set: &Set) -> Set {
    named(Some(schema), set)
}

fn named(schema: Option<&Schema>, set: &Set) -> Set {
    let mut with = Set::default();
    for (step, branch) in set.branches() {
        let is_named = |name: &str| schema.is_some_and(|schema| schema.declares(name));
        let has_below = !branch.below.is_empty();
        let member = branch.member || (has_below && matches!(step, Segment::Key(name) if is_named(name)));
        let inner = below(schema, step);
        with.attach(step.clone(), Branch { member, below: named(inner.as_ref(), &branch.below) });
    }
    with
}

fn is_list(shape: &Shape) -> bool {
    matches!(shape, Shape::AtomicList | Shape::Set | Shape::ListMap(_) | Shape::Any)
}

/// `value` without the members of `gone`. What is left empty is `null`; an atomic value goes as soon as anything
/// in it is to go.
fn remove(schema: &Schema, value: &Value, gone: &Set) -> Value {
    match (atom(&schema.shape(), Some(value)), value) {
        (Atom::Scalar(_), value) => value.clone(),
        (Atom::Map { atomic: false }, Value::Object(map)) => {
            let mut rest = Map::new();
            for (key, value) in map {
                let step = Segment::Key(key.clone());
                let value = match gone.get(&step) {
                    None => value.clone(),
                    Some(branch) if branch.member => continue,
                    Some(branch) => match schema.field(key) {
                        Some(field) => remove(&field, value, &branch.below),
                        None => value.clone(),
                    },
                };
                rest.insert(key.clone(), value);
            }
            if rest.is_empty() { Value::Null } else { Value::Object(rest) }
        }
        (Atom::List(elements), Value::Array(items)) if elements != Elements::Atomic => {
            let rest = remove_items(schema, &elements, items, gone);
            if rest.is_empty() { Value::Null } else { Value::Array(rest) }
        }
        _ => Value::Null,
    }
}

fn remove_items(schema: &Schema, elements: &Elements, items: &[Value], gone: &Set) -> Vec<Value> {
    let mut rest = Vec::with_capacity(items.len());
    for (step, item) in elements.steps(items) {
        match (gone.get(&step), schema.item()) {
            (Some(branch), _) if branch.member => {}
            (Some(branch), Some(item_schema)) => rest.push(remove(&item_schema, item, &branch.below)),
            _ => rest.push(item.clone()),
        }
    }
    rest
}

/// Joins the sets of one version.
pub(super) fn by_version<'s>(sets: impl Iterator<Item = (&'s str, &'s Set)>) -> BTreeMap<String, Set> {
    let mut joined: BTreeMap<String, Set> = BTreeMap::new();
    for (version, set) in sets {
        joined.entry(version.to_owned()).or_default().add(set.clone());
    }
    joined
}
