//! Defaults, and the fields that Go writes although nobody set them (`status: {}`, `divisor: "0"`).
//!
//! `defaults.txt` has the defaults that depend on nothing else, by the struct they belong to, wherever it stands;
//! what depends on other fields is in `conditional`. Both follow `pkg/apis/*/v1/defaults.go` and the
//! `+default` markers of the types.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::conditional;
use super::decode::{is_zero, zero};
use super::types::{Shape, Struct, StructId, Type, Types};

type Defaults = HashMap<&'static str, Vec<(&'static str, Value)>>;

fn defaults() -> &'static Defaults {
    static DEFAULTS: OnceLock<Defaults> = OnceLock::new();
    DEFAULTS.get_or_init(|| {
        let mut defaults = Defaults::new();
        for line in include_str!("defaults.txt").lines() {
            let (path, value) = line.split_once(' ').expect("a path and a value");
            let (owner, field) = path.rsplit_once('.').expect("a struct and a field");
            let value = serde_json::from_str(value).expect("the value is JSON");
            defaults.entry(owner).or_default().push((field, value));
        }
        defaults
    })
}

/// Fills in a decoded object. Twice does the same as once.
pub(super) fn fill(id: StructId, value: &mut Value) {
    if let Value::Object(map) = value {
        structure(Types::get().of(id), map);
    }
}

fn structure(known: &Struct, map: &mut Map<String, Value>) {
    for (field, value) in defaults().get(known.name).map(Vec::as_slice).unwrap_or_default() {
        if map.get(*field).is_none_or(Value::is_null) {
            map.insert((*field).to_owned(), value.clone());
        }
    }
    conditional::fill(known.name, map);
    for field in &known.fields {
        let is_bare = !field.of.pointer
            && !field.omit_zero
            && matches!(
                field.of.shape,
                Shape::Struct(_) | Shape::Time | Shape::MicroTime | Shape::Quantity | Shape::IntOrString
            );
        if (!field.omit_empty || is_bare) && !map.contains_key(field.name) {
            map.insert(field.name.to_owned(), zero(&field.of));
        }
        if let Some(value) = map.get_mut(field.name) {
            inner(&field.of, value);
            if field.omit_zero && is_zero(&field.of, value) {
                map.remove(field.name);
            }
        }
    }
}

fn inner(of: &Type, value: &mut Value) {
    match (&of.shape, value) {
        (Shape::Struct(id), value) => fill(*id, value),
        (Shape::List(item), Value::Array(items)) => items.iter_mut().for_each(|value| inner(item, value)),
        (Shape::Map(item), Value::Object(map)) => map.values_mut().for_each(|value| inner(item, value)),
        _ => {}
    }
}

/// Brings a whole object into the form that comes back from storage: an empty list or map that is always written
/// is `null` there, since the storage's own encoding does not tell it from none.
pub(super) fn as_stored(id: StructId, value: &mut Value) {
    let Value::Object(map) = value else { return };
    for field in &Types::get().of(id).fields {
        let Some(value) = map.get_mut(field.name) else { continue };
        let is_empty = match &*value {
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty() && matches!(field.of.shape, Shape::Map(_)),
            _ => false,
        };
        if is_empty && field.omit_empty {
            map.remove(field.name);
        } else if is_empty {
            *value = Value::Null;
        } else {
            stored_inner(&field.of, value);
        }
    }
}

fn stored_inner(of: &Type, value: &mut Value) {
    match (&of.shape, value) {
        (Shape::Struct(id), value) => as_stored(*id, value),
        (Shape::List(item), Value::Array(items)) => {
            items.iter_mut().for_each(|value| stored_inner(item, value));
        }
        (Shape::Map(item), Value::Object(map)) => {
            map.values_mut().for_each(|value| stored_inner(item, value))
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_has_a_field() {
        for (owner, fields) in defaults() {
            let known = Types::get().of(Types::get().named(owner).unwrap_or_else(|| panic!("{owner}")));
            for (field, _) in fields {
                assert!(known.field(field).is_some(), "{owner}.{field}");
            }
        }
    }
}
