//! What server-side apply makes of a value of a structure: map, list or scalar, and how elements of a list are
//! told apart. The rules are those of `structured-merge-diff` (`typed/helpers.go`).

use serde_json::{Number, Value};

use crate::path::Segment;
use crate::sandbox::fault::quote;
use crate::sandbox::schema::{Scalar, Shape};

/// What a value is walked as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Atom {
    /// A map, owned as a whole or entry by entry.
    Map { atomic: bool },
    /// A list.
    List(Elements),
    /// One value.
    Scalar(Scalar),
}

/// How elements of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Elements {
    /// Not at all.
    Atomic,
    /// By their value.
    Values,
    /// By these fields (name, JSON text of the default).
    Keys(Vec<(String, Option<String>)>),
}

/// What `value` is walked as; `None` is no value.
pub(super) fn atom(shape: &Shape, value: Option<&Value>) -> Atom {
    match shape {
        Shape::Object { atomic, .. } | Shape::Map { atomic } => Atom::Map { atomic: *atomic },
        Shape::AtomicList => Atom::List(Elements::Atomic),
        Shape::Set => Atom::List(Elements::Values),
        Shape::ListMap(keys) => Atom::List(Elements::Keys(keys.clone())),
        Shape::Scalar(scalar) => Atom::Scalar(*scalar),
        Shape::Any => match value {
            Some(Value::Array(_)) => Atom::List(Elements::Atomic),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => Atom::Scalar(Scalar::Untyped),
            Some(Value::Object(_) | Value::Null) | None => Atom::Map { atomic: false },
        },
    }
}

/// What a pair of values is walked as, one after the other: where the two are of different types (possible in
/// free-form values alone), as the one and as the other.
pub(super) fn atoms(shape: &Shape, left: Option<&Value>, right: Option<&Value>) -> (Option<Atom>, Atom) {
    match (left, right) {
        (Some(a), Some(b)) if *shape == Shape::Any && form(a) != form(b) => {
            (Some(atom(shape, left)), atom(shape, right))
        }
        (_, Some(_)) => (None, atom(shape, right)),
        _ => (None, atom(shape, left)),
    }
}

fn form(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
        Value::Array(_) => 2,
        Value::Object(_) => 3,
    }
}

impl Elements {
    /// The step to this element.
    ///
    /// # Errors
    /// What about the element is illegal, as the API server words it.
    pub(super) fn step(&self, item: &Value) -> Result<Segment, String> {
        match self {
            Self::Atomic => Err("invalid indexing of non-associative list".into()),
            Self::Values => match item {
                Value::Object(_) => {
                    Err("associative list without keys has an element that's a map type".into())
                }
                Value::Array(_) => Err("not supported: associative list with lists as elements".into()),
                Value::Null => {
                    Err("associative list without keys has an element that's an explicit null".into())
                }
                scalar => Ok(Segment::Item(text(scalar))),
            },
            Self::Keys(keys) => keyed(keys, item),
        }
    }

    /// The steps to the elements of a list that was checked before.
    pub(super) fn steps<'v>(&self, items: &'v [Value]) -> Vec<(Segment, &'v Value)> {
        items.iter().filter_map(|item| Some((self.step(item).ok()?, item))).collect()
    }
}

fn keyed(keys: &[(String, Option<String>)], item: &Value) -> Result<Segment, String> {
    let map = match item {
        Value::Object(map) => map,
        Value::Null => return Err("associative list with keys may not have a null element".into()),
        _ => return Err("associative list with keys may not have non-map elements".into()),
    };
    let given = |(key, default): &(String, Option<String>)| {
        let text = map.get(key).map(text).or_else(|| default.clone())?;
        Some((key.clone(), text))
    };
    let select: std::collections::BTreeMap<_, _> = keys.iter().filter_map(given).collect();
    if select.is_empty() && !keys.is_empty() {
        let names: Vec<String> = keys.iter().map(|(name, _)| quote(name)).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default \
             values for any key fields)",
            names.join(" "),
        ));
    }
    Ok(Segment::Select(select))
}

/// The JSON text of a value in a path: a number that is whole is written so.
fn text(value: &Value) -> String {
    match value {
        Value::Number(number) => whole(number).unwrap_or_else(|| number.to_string()),
        other => other.to_string(),
    }
}

fn whole(number: &Number) -> Option<String> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    (float.fract() == 0.0 && float.abs() < 1e15).then(|| format!("{float:.0}"))
}

/// The elements of a list; anything else has none.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Whether two values are the same to server-side apply: `1` is `1.0`.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
