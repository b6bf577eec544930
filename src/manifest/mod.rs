//! From a compiled resource to the object that is wanted: references and secrets filled in as far as they
//! are known, our mark added.
//!
//! *Invariants:* pure; no clock, no environment, no cluster. What cannot be known yet is absent from the
//! body and listed, so nothing invented is ever compared with a live object.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::address::{Address, ObjectKey};
use crate::object::{LINEAGE_ANNOTATION, Mark, PROTECT_ANNOTATION, STACK_LABEL};
use crate::path::{FieldPath, Segment};
use crate::stack::{FieldRef, Late, Part, Resource, Target, Val};

/// What is known of a secret variable's value.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretValue {
    /// The value.
    Known(String),
    /// Drawn at apply, with this many characters.
    Drawn(usize),
    /// `--skip-secrets`: there is one, and it was not read.
    NotRead,
}

/// Values are never shown.
impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Known(_) => "Known(…)",
            Self::Drawn(_) => "Drawn",
            Self::NotRead => "NotRead",
        })
    }
}

/// Where late values come from.
pub trait Lookup {
    /// The value of a field of another object, if it is known now.
    fn field(&self, field: &FieldRef) -> Option<Value>;
    /// The value of a secret variable.
    fn secret(&self, name: &str) -> SecretValue;
}

/// Why a path of the manifest has no value yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// It is taken from other objects, or from a secret drawn at apply. `placeholder` is a text of a
    /// plausible form for a dry-run; `None` where the field takes the type of what it refers to.
    AfterApply {
        /// Text for a dry-run.
        placeholder: Option<String>,
    },
    /// A secret that was not read.
    NotRead,
}

/// The object that is wanted.
#[derive(Clone)]
pub struct Desired {
    /// Where it is declared.
    pub address: Address,
    /// Which object.
    pub key: ObjectKey,
    /// `apiVersion`.
    pub api_version: String,
    /// The manifest with our mark and the real values of secrets; unknown paths are absent.
    pub body: Value,
    /// Paths whose value involves a secret.
    pub secret: BTreeSet<FieldPath>,
    /// Paths without a value yet.
    pub unknown: BTreeMap<FieldPath, Unknown>,
    /// The objects that the unknown paths are taken from.
    pub awaits: BTreeSet<Target>,
}

/// Bodies hold secrets.
impl std::fmt::Debug for Desired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desired")
            .field("address", &self.address)
            .field("unknown", &self.unknown)
            .finish_non_exhaustive()
    }
}

/// Compiles `resource` with what is known now. `protect` is the effective protection.
#[must_use]
pub fn desired(resource: &Resource, mark: &Mark, protect: bool, lookup: &dyn Lookup) -> Desired {
    let mut fill =
        Fill { lookup, secret: BTreeSet::new(), unknown: BTreeMap::new(), awaits: BTreeSet::new() };
    let mut body =
        fill.value(&resource.manifest, &FieldPath::default()).unwrap_or_else(|| Value::Object(Map::new()));
    stamp(&mut body, mark, protect);
    Desired {
        address: resource.address.clone(),
        key: resource.key(),
        api_version: resource.api_version.clone(),
        body,
        secret: fill.secret,
        unknown: fill.unknown,
        awaits: fill.awaits,
    }
}

/// The value of an output or another free-standing value; `None` where it is not known yet.
#[must_use]
pub fn value(val: &Val, lookup: &dyn Lookup) -> Option<Value> {
    let mut fill =
        Fill { lookup, secret: BTreeSet::new(), unknown: BTreeMap::new(), awaits: BTreeSet::new() };
    let value = fill.value(val, &FieldPath::default());
    if fill.unknown.is_empty() { value } else { None }
}

fn stamp(body: &mut Value, mark: &Mark, protect: bool) {
    let mut set = |map: &str, key: &str, value: &str| {
        let metadata = child(body, "metadata");
        child(metadata, map)[key] = Value::String(value.to_owned());
    };
    set("labels", STACK_LABEL, &mark.stack);
    set("annotations", LINEAGE_ANNOTATION, &mark.lineage);
    if protect {
        set("annotations", PROTECT_ANNOTATION, "true");
    }
}

fn child<'v>(value: &'v mut Value, key: &str) -> &'v mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let entry = &mut value[key];
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    entry
}

struct Fill<'l> {
    lookup: &'l dyn Lookup,
    secret: BTreeSet<FieldPath>,
    unknown: BTreeMap<FieldPath, Unknown>,
    awaits: BTreeSet<Target>,
}

impl Fill<'_> {
    /// The value of `val`, which stands at `path`; `None` where it is not known yet.
    fn value(&mut self, val: &Val, path: &FieldPath) -> Option<Value> {
        Some(match val {
            Val::Null => Value::Null,
            Val::Bool(value) => Value::Bool(*value),
            Val::Number(number) => Value::Number(number.clone()),
            Val::String(text) => Value::String(text.clone()),
            Val::List(items) => {
                // A missing element would shift the ones behind it: it stays in place as null, is listed as
                // unknown, and is filled in or taken out before anything is sent.
                let fill =
                    |(at, item)| self.value(item, &path.join(Segment::Index(at))).unwrap_or(Value::Null);
                Value::Array(items.iter().enumerate().map(fill).collect())
            }
            Val::Map(entries) => {
                let fill =
                    |(key, item): (&String, &Val)| Some((key.clone(), self.value(item, &path.key(key))?));
                Value::Object(entries.iter().filter_map(fill).collect())
            }
            Val::Late(late) => return self.late(late, path),
        })
    }

    fn late(&mut self, late: &Late, path: &FieldPath) -> Option<Value> {
        if late.parts.iter().any(|part| matches!(part, Part::Secret(_))) {
            self.secret.insert(path.clone());
        }
        let encode = |text: String| Value::String(if late.base64 { STANDARD.encode(text) } else { text });
        if let [Part::Field(field)] = &late.parts[..]
            && !late.base64
        {
            let value = self.lookup.field(field);
            if value.is_none() {
                self.awaits.insert(field.target.clone());
                self.unknown.insert(path.clone(), Unknown::AfterApply { placeholder: None });
            }
            return value;
        }
        let (mut text, mut missing, mut not_read) = (String::new(), false, false);
        for part in &late.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Secret(name) => match self.lookup.secret(name) {
                    SecretValue::Known(value) => text.push_str(&value),
                    SecretValue::Drawn(length) => {
                        missing = true;
                        text.extend(std::iter::repeat_n('0', length));
                    }
                    SecretValue::NotRead => not_read = true,
                },
                Part::Field(field) => match self.lookup.field(field) {
                    Some(Value::String(value)) => text.push_str(&value),
                    Some(value) => text.push_str(&value.to_string()),
                    None => {
                        self.awaits.insert(field.target.clone());
                        missing = true;
                        text.push_str("known-after-apply");
                    }
                },
            }
        }
        let unknown = match (not_read, missing) {
            (true, _) => Unknown::NotRead,
            (false, true) => {
                let Value::String(placeholder) = encode(text) else {
                    return None;
                };
                Unknown::AfterApply { placeholder: Some(placeholder) }
            }
            (false, false) => return Some(encode(text)),
        };
        self.unknown.insert(path.clone(), unknown);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Known;

    impl Lookup for Known {
        fn field(&self, field: &FieldRef) -> Option<Value> {
            (field.path.to_string() == "status.n").then(|| json!(3))
        }

        fn secret(&self, name: &str) -> SecretValue {
            match name {
                "drawn" => SecretValue::Drawn(4),
                "unread" => SecretValue::NotRead,
                _ => SecretValue::Known("s3cret".into()),
            }
        }
    }

    fn late(parts: Vec<Part>, base64: bool) -> Val {
        Val::Late(Late { parts, base64 })
    }

    fn field(path: &str) -> Part {
        let target = Target::Resource(Address::new("config_map", "other"));
        Part::Field(FieldRef { target, path: path.parse().unwrap() })
    }

    fn filled(val: Val) -> (Option<Value>, Vec<String>, BTreeMap<FieldPath, Unknown>) {
        let mut fill = Fill {
            lookup: &Known,
            secret: BTreeSet::new(),
            unknown: BTreeMap::new(),
            awaits: BTreeSet::new(),
        };
        let value = fill.value(&Val::Map([("a".to_owned(), val)].into()), &FieldPath::default());
        (value, fill.secret.iter().map(ToString::to_string).collect(), fill.unknown)
    }

    #[test]
    fn one_reference_keeps_its_type_and_text_around_it_makes_text() {
        assert_eq!(filled(late(vec![field("status.n")], false)).0, Some(json!({"a": 3})));
        let text = late(vec![Part::Text("n=".into()), field("status.n")], false);
        assert_eq!(filled(text).0, Some(json!({"a": "n=3"})));
    }

    #[test]
    fn secrets_are_listed_and_encoded() {
        let (value, secret, unknown) = filled(late(vec![Part::Secret("key".into())], true));
        assert_eq!((value, secret), (Some(json!({"a": "czNjcmV0"})), vec!["a".to_owned()]));
        assert!(unknown.is_empty());
    }

    #[test]
    fn what_is_not_known_is_absent_with_a_placeholder_of_its_length() {
        let (value, secret, unknown) = filled(late(vec![Part::Secret("drawn".into())], true));
        assert_eq!((value, secret), (Some(json!({})), vec!["a".to_owned()]));
        let placeholder = Some(STANDARD.encode("0000"));
        assert_eq!(unknown, [("a".parse().unwrap(), Unknown::AfterApply { placeholder })].into());
        assert_eq!(
            filled(late(vec![Part::Secret("unread".into())], false)).2.into_values().next(),
            Some(Unknown::NotRead)
        );
        let (_, _, unknown) = filled(late(vec![field("status.other")], false));
        assert_eq!(unknown.into_values().next(), Some(Unknown::AfterApply { placeholder: None }));
    }

    #[test]
    fn the_mark_is_added_beside_what_the_user_wrote() {
        let mut body = json!({"metadata": {"labels": {"a": "b"}}});
        stamp(&mut body, &Mark { stack: "arr".into(), lineage: "l".into() }, true);
        let expected = json!({"metadata": {
            "labels": {"a": "b", "arrplan.dev/stack": "arr"},
            "annotations": {"arrplan.dev/lineage": "l", "arrplan.dev/protect": "true"},
        }});
        assert_eq!(body, expected);
    }
}
