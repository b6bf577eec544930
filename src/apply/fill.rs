//! Filling in what was not known when the plan was made: fields of objects that were just applied, and
//! secrets that are drawn at apply.
//!
//! *Invariant:* only paths that the plan named as unknown are written; a value that is still missing is
//! said by name, never left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::manifest::{self, Lookup, SecretValue};
use crate::object::Object;
use crate::path::{FieldPath, Segment};
use crate::secrets::SecretValues;
use crate::stack::{FieldRef, Late, Part, Target, Val};

/// What a manifest's unknown paths need.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Fields of live objects.
    pub(super) fields: BTreeSet<FieldRef>,
    /// Secret variables.
    pub(super) secrets: BTreeSet<String>,
}

/// Why a body cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfilled {
    /// The plan names a path as unknown that the stack does not.
    #[error("{0} is not a value that is known only after apply")]
    NotLate(FieldPath),
    /// The field of another object is not there.
    #[error("{} has no value at {}", target_text(.0), .0.path)]
    NoField(FieldRef),
    /// A secret variable without a value.
    #[error("variable {0} has no value")]
    NoSecret(String),
    /// The path does not fit the body.
    #[error("{0} does not fit the manifest")]
    NoPlace(FieldPath),
}

/// The name of what a reference points at, as the stack writes it.
pub(super) fn target_text(field: &FieldRef) -> String {
    match &field.target {
        Target::Resource(address) => address.to_string(),
        Target::Existing(address) => format!("existing.{address}"),
    }
}

/// Values to fill in from.
pub(super) struct Sources<'a> {
    /// Live objects.
    pub(super) objects: &'a BTreeMap<Target, Arc<Object>>,
    /// Values of secret variables.
    pub(super) secrets: &'a SecretValues,
}

/// What has to be known to fill these paths of a manifest.
///
/// # Errors
/// A path that is no late value of the manifest.
pub(super) fn needs(manifest: &Val, unknown: &BTreeSet<FieldPath>) -> Result<Needs, Unfilled> {
    let mut needs = Needs::default();
    for path in unknown {
        let late = late_at(manifest, path).ok_or_else(|| Unfilled::NotLate(path.clone()))?;
        for part in &late.parts {
            match part {
                Part::Text(_) => {}
                Part::Secret(name) => {
                    needs.secrets.insert(name.clone());
                }
                Part::Field(field) => {
                    needs.fields.insert(field.clone());
                }
            }
        }
    }
    Ok(needs)
}

/// Puts the values of these paths into the body.
///
/// # Errors
/// A value that is still missing, or a path that does not fit.
pub(super) fn fill(
    body: &mut Value,
    manifest: &Val,
    unknown: &BTreeSet<FieldPath>,
    sources: &Sources<'_>,
) -> Result<(), Unfilled> {
    for path in unknown {
        let late = late_at(manifest, path).ok_or_else(|| Unfilled::NotLate(path.clone()))?;
        let value = evaluate(late, sources)?;
        insert(body, &path.0, value).ok_or_else(|| Unfilled::NoPlace(path.clone()))?;
    }
    Ok(())
}

impl Lookup for Sources<'_> {
    fn field(&self, field: &FieldRef) -> Option<Value> {
        field.path.get(&self.objects.get(&field.target)?.0).cloned()
    }

    fn secret(&self, name: &str) -> SecretValue {
        self.secrets.get(name).map_or(SecretValue::NotRead, |value| SecretValue::Known(value.to_owned()))
    }
}

/// The late value at a path of the manifest. Unknown paths name elements of lists by position, as the manifest
/// has them.
fn late_at<'v>(manifest: &'v Val, path: &FieldPath) -> Option<&'v Late> {
    let found = path.0.iter().try_fold(manifest, |value, segment| match (segment, value) {
        (Segment::Key(key), Val::Map(map)) => map.get(key),
        (Segment::Index(index), Val::List(list)) => list.get(*index),
        _ => None,
    })?;
    match found {
        Val::Late(late) => Some(late),
        _ => None,
    }
}

fn evaluate(late: &Late, sources: &Sources<'_>) -> Result<Value, Unfilled> {
    for part in &late.parts {
        match part {
            Part::Secret(name) if sources.secrets.get(name).is_none() => {
                return Err(Unfilled::NoSecret(name.clone()));
            }
            Part::Field(field) if sources.field(field).is_none() => {
                return Err(Unfilled::NoField(field.clone()));
            }
            _ => {}
        }
    }
    // With every part at hand there is a value.
    Ok(manifest::value(&Val::Late(late.clone()), sources).unwrap_or(Value::Null))
}

/// Sets the value at a path, making the maps on the way.
fn insert(body: &mut Value, path: &[Segment], value: Value) -> Option<()> {
    let Some((segment, rest)) = path.split_first() else {
        *body = value;
        return Some(());
    };
    match segment {
        Segment::Key(key) => {
            let empty = || Value::Object(serde_json::Map::new());
            let next = body.as_object_mut()?.entry(key.clone()).or_insert_with(empty);
            insert(next, rest, value)
        }
        // The compiled list holds a null where an element is not known, so that positions stay.
        Segment::Index(index) => insert(body.as_array_mut()?.get_mut(*index)?, rest, value),
        Segment::Select(_) | Segment::Item(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use serde_json::json;

    fn map<const N: usize>(entries: [(&str, Val); N]) -> Val {
        Val::Map(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
    }

    fn late(parts: Vec<Part>) -> Val {
        Val::Late(Late { parts, base64: false })
    }

    fn field(path: &str) -> Part {
        Part::Field(FieldRef {
            target: Target::Resource(Address::new("config_map", "a")),
            path: path.parse().unwrap(),
        })
    }

    fn paths(texts: &[&str]) -> BTreeSet<FieldPath> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn values_go_back_to_their_places() {
        let text = |t: &str| Val::String(t.to_owned());
        let manifest = map([
            (
                "spec",
                map([
                    ("uid", late(vec![field("metadata.uid")])),
                    ("number", late(vec![field("status.n")])),
                    (
                        "args",
                        Val::List(vec![
                            late(vec![field("metadata.uid")]),
                            text("b"),
                            late(vec![field("status.n")]),
                        ]),
                    ),
                    (
                        "env",
                        Val::List(vec![
                            map([("name", text("x")), ("value", text("1"))]),
                            map([
                                ("name", text("y")),
                                ("value", late(vec![Part::Text("u-".into()), field("metadata.uid")])),
                            ]),
                        ]),
                    ),
                ]),
            ),
            ("data", map([("key", Val::Late(Late { parts: vec![Part::Secret("s".into())], base64: true }))])),
        ]);
        let unknown = paths(&[
            "spec.uid",
            "spec.number",
            "spec.args[0]",
            "spec.args[2]",
            "spec.env[1].value",
            "data.key",
        ]);
        let needed = needs(&manifest, &unknown).unwrap();
        assert_eq!(needed.fields.len(), 2);
        assert_eq!(needed.secrets, BTreeSet::from(["s".to_owned()]));
        let mut body =
            json!({"spec": {"args": [null, "b", null], "env": [{"name": "x", "value": "1"}, {"name": "y"}]}});
        let target = Target::Resource(Address::new("config_map", "a"));
        let live = Arc::new(Object(json!({"metadata": {"uid": "U"}, "status": {"n": 3}})));
        let objects = BTreeMap::from([(target, live)]);
        let mut secrets = SecretValues::default();
        secrets.insert("s", "p");
        let sources = Sources { objects: &objects, secrets: &secrets };
        fill(&mut body, &manifest, &unknown, &sources).unwrap();
        assert_eq!(
            body,
            json!({
                "spec": {
                    "uid": "U", "number": 3, "args": ["U", "b", 3],
                    "env": [{"name": "x", "value": "1"}, {"name": "y", "value": "u-U"}],
                },
                "data": {"key": "cA=="},
            })
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let manifest =
            map([("a", late(vec![field("status.x")])), ("b", late(vec![Part::Secret("s".into())]))]);
        let (objects, secrets) = (BTreeMap::new(), SecretValues::default());
        let sources = Sources { objects: &objects, secrets: &secrets };
        let error = |path: &str| {
            let mut body = json!({});
            fill(&mut body, &manifest, &paths(&[path]), &sources).unwrap_err().to_string()
        };
        assert_eq!(error("a"), "config_map.a has no value at status.x");
        assert_eq!(error("b"), "variable s has no value");
        assert_eq!(error("c"), "c is not a value that is known only after apply");
    }
}
