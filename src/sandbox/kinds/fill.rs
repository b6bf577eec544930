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
    if of.is_resource_list() {
        value.as_object_mut().into_iter().flat_map(|map| map.values_mut()).for_each(round_up);
        return;
    }
    match (&of.shape, value) {
        (Shape::Struct(id), value) => fill(*id, value),
        (Shape::List(item), Value::Array(items)) => items.iter_mut().for_each(|value| inner(item, value)),
        (Shape::Map(item), Value::Object(map)) => map.values_mut().for_each(|value| inner(item, value)),
        _ => {}
    }
}

/// Amounts of resources are counted in thousandths at most.
fn round_up(amount: &mut Value) {
    let Some(text) = amount.as_str() else { return };
    let (digits, divisor) = match (text.strip_suffix('n'), text.strip_suffix('u')) {
        (Some(digits), _) => (digits, 1_000_000_i128),
        (_, Some(digits)) => (digits, 1000),
        _ => return,
    };
    let Ok(number) = digits.parse::<i128>() else { return };
    let thousandths = number.div_euclid(divisor) + i128::from(number.rem_euclid(divisor) > 0);
    *amount = if thousandths % 1000 == 0 {
        (thousandths / 1000).to_string().into()
    } else {
        format!("{thousandths}m").into()
    };
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
            for value in items {
                stored_inner(item, value);
            }
        }
        (Shape::Map(item), Value::Object(map)) => {
            for value in map.values_mut() {
                stored_inner(item, value);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_up_to_thousandths() {
        for (amount, expected) in [
            ("500u", "1m"),
            ("1n", "1m"),
            ("1500u", "2m"),
            ("999999999n", "1"),
            ("5m", "5m"),
            ("1Gi", "1Gi"),
            ("-1500u", "-1m"),
        ] {
            let mut amount = Value::from(amount);
            round_up(&mut amount);
            assert_eq!(amount, expected);
        }
    }

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
