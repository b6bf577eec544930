//! Sets written when a structure was another one: what is owned as a whole by now is owned so
//! (`structured-merge-diff`, `typed/reconcile_schema.go`).

use super::set::{Branch, Set};
use super::typed::{Atom, Elements, atom};
use crate::path::Segment;
use crate::sandbox::schema::{Schema, Shape};

/// `set` by the structure of today.
pub(super) fn reconcile(schema: &Schema, set: &mut Set) {
    let mut whole = Set::default();
    find(schema, set, &mut Vec::new(), &mut whole);
    if !whole.is_empty() {
        set.remove_below(&whole);
        set.add(whole);
    }
}

fn find(schema: &Schema, set: &Set, path: &mut Vec<Segment>, whole: &mut Set) {
    for (step, branch) in set.branches() {
        let inner = match step {
            Segment::Key(name) => schema.field(name),
            Segment::Select(_) | Segment::Item(_) | Segment::Index(_) => schema.item(),
        };
        let Some(inner) = inner else { continue };
        path.push(step.clone());
        if is_atomic(&inner) {
            if is_granular(branch) {
                whole.insert(path);
            }
        } else {
            find(&inner, &branch.below, path, whole);
        }
        path.pop();
    }
}

fn is_granular(branch: &Branch) -> bool {
    !branch.below.is_empty()
}

/// Maps and lists that are owned as a whole; free-form values are not looked into.
fn is_atomic(schema: &Schema) -> bool {
    let shape = schema.shape();
    shape != Shape::Any
        && matches!(atom(&shape, None), Atom::Map { atomic: true } | Atom::List(Elements::Atomic))
}
