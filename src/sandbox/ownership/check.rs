//! Whether a value is of its structure, as server-side apply checks it (`structured-merge-diff`,
//! `typed/validate.go`), with the API server's texts.

use std::collections::BTreeSet;

use serde_json::Value;

use super::go;
use super::typed::{Atom, Elements, atom};
use crate::path::Segment;
use crate::sandbox::schema::{Scalar, Schema};

/// Where values are of another type than their structure says.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<(String, String)>);

impl Mistakes {
    fn one(message: String) -> Self {
        Self(vec![(String::new(), message)])
    }

    fn below(mut self, step: &Segment) -> Self {
        if !self.0.is_empty() {
            let prefix = go::step(step);
            for (path, _) in &mut self.0 {
                path.insert_str(0, &prefix);
            }
        }
        self
    }

    fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The message about all of them; `None` if there are none.
    pub(super) fn message(&self) -> Option<String> {
        let line = |(path, message): &(String, String)| match path.as_str() {
            "" => message.clone(),
            path => format!("{path}: {message}"),
        };
        match self.0.as_slice() {
            [] => None,
            [one] => Some(line(one)),
            many => {
                let lines = many.iter().map(|mistake| format!("  {}", line(mistake)));
                Some(std::iter::once("errors:".to_owned()).chain(lines).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

/// Checks `value`. `duplicates`: whether a list may name an element twice (stored objects may, an applied one
/// may not).
pub(super) fn check(schema: &Schema, value: &Value, duplicates: bool) -> Mistakes {
    match (atom(&schema.shape(), Some(value)), value) {
        (Atom::Scalar(scalar), value) => check_scalar(scalar, value),
        (_, Value::Null) => Mistakes::default(),
        (Atom::Map { .. }, Value::Object(map)) => {
            let mut mistakes = Mistakes::default();
            for (key, value) in map {
                let step = || Segment::Key(key.clone());
                let Some(field) = schema.field(key) else {
                    mistakes.add(Mistakes::one("field not declared in schema".into()).below(&step()));
                    break;
                };
                let found = check(&field, value, duplicates);
                if !found.0.is_empty() {
                    mistakes.add(found.below(&step()));
                }
            }
            mistakes
        }
        (Atom::Map { .. }, other) => Mistakes::one(format!("expected map, got &{{{}}}", go::plain(other))),
        (Atom::List(elements), Value::Array(items)) => check_items(schema, &elements, items, duplicates),
        (Atom::List(_), other) => Mistakes::one(format!("expected list, got &{{{}}}", go::plain(other))),
    }
}

fn check_items(schema: &Schema, elements: &Elements, items: &[Value], duplicates: bool) -> Mistakes {
    let mut mistakes = Mistakes::default();
    let Some(item_schema) = schema.item() else { return mistakes };
    let mut seen = BTreeSet::new();
    for (at, item) in items.iter().enumerate() {
        let step = match elements {
            Elements::Atomic => Segment::Index(at),
            _ => match elements.step(item) {
                Ok(step) => step,
                Err(problem) => {
                    mistakes.add(Mistakes::one(format!("element {at}: {problem}")));
                    return mistakes;
                }
            },
        };
        if *elements != Elements::Atomic && !duplicates && seen.contains(&step) {
            mistakes.add(Mistakes::one(format!("duplicate entries for key {}", go::step(&step))));
        }
        let found = check(&item_schema, item, duplicates);
        mistakes.add(found.below(&step));
        if !duplicates {
            seen.insert(step);
        }
    }
    mistakes
}

fn check_scalar(scalar: Scalar, value: &Value) -> Mistakes {
    let message = match (scalar, value) {
        (_, Value::Null)
        | (Scalar::Number, Value::Number(_))
        | (Scalar::String, Value::String(_))
        | (Scalar::Bool, Value::Bool(_))
        | (Scalar::Untyped, Value::Number(_) | Value::String(_) | Value::Bool(_)) => {
            return Mistakes::default();
        }
        (Scalar::Number, other) => format!("expected numeric (int or float), got {}", go::type_name(other)),
        (Scalar::String, other) => {
            format!("expected string, got &value.valueUnstructured{{Value:{}}}", go::syntax(other))
        }
        (Scalar::Bool, other) => format!("expected boolean, got &{{{}}}", go::plain(other)),
        (Scalar::Untyped, other) => format!("expected any scalar, got &{{{}}}", go::plain(other)),
    };
    Mistakes::one(message)
}
