//! `ObjectMeta` as the API server reads it for custom kinds: through its own type and back.

use serde_json::{Map, Value};

/// A type of a field of `ObjectMeta`.
#[derive(Debug, Clone, Copy)]
enum Type {
    Text,
    Integer,
    Bool,
    Time,
    Texts,
    TextMap,
    List(&'static str, &'static [Field]),
    Any,
}

/// A field, its type, and whether an empty value is left out.
type Field = (&'static str, Type, bool);

const META: &[Field] = &[
    ("annotations", Type::TextMap, true),
    ("creationTimestamp", Type::Time, true),
    ("deletionGracePeriodSeconds", Type::Integer, false),
    ("deletionTimestamp", Type::Time, true),
    ("finalizers", Type::Texts, true),
    ("generateName", Type::Text, true),
    ("generation", Type::Integer, true),
    ("labels", Type::TextMap, true),
    ("managedFields", Type::List("ManagedFieldsEntry", MANAGED), true),
    ("name", Type::Text, true),
    ("namespace", Type::Text, true),
    ("ownerReferences", Type::List("OwnerReference", OWNER), true),
    ("resourceVersion", Type::Text, true),
    ("selfLink", Type::Text, true),
    ("uid", Type::Text, true),
];

const OWNER: &[Field] = &[
    ("apiVersion", Type::Text, false),
    ("blockOwnerDeletion", Type::Bool, false),
    ("controller", Type::Bool, false),
    ("kind", Type::Text, false),
    ("name", Type::Text, false),
    ("uid", Type::Text, false),
];

const MANAGED: &[Field] = &[
    ("apiVersion", Type::Text, true),
    ("fieldsType", Type::Text, true),
    ("fieldsV1", Type::Any, true),
    ("manager", Type::Text, true),
    ("operation", Type::Text, true),
    ("subresource", Type::Text, true),
    ("time", Type::Time, true),
];

/// Fields of an owner reference that are written even when they were not given.
const ALWAYS: &[&str] = &["apiVersion", "kind", "name", "uid"];

/// Brings metadata into the form it is stored in, and adds the paths of unknown fields to `unknown`.
///
/// # Errors
/// As Go's decoder words it.
pub(super) fn read(metadata: &mut Value, path: &str, unknown: &mut Vec<String>) -> Result<(), String> {
    match metadata {
        Value::Null => {
            *metadata = Value::Object(Map::new());
            Ok(())
        }
        Value::Object(map) => fields(map, META, "ObjectMeta", "", path, unknown),
        other => {
            Err(format!("json: cannot unmarshal {} into Go value of type v1.ObjectMeta", name_of(other)))
        }
    }
}

fn fields(
    map: &mut Map<String, Value>,
    known: &[Field],
    owner: &str,
    prefix: &str,
    path: &str,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    let mut wrong = None;
    map.retain(|key, value| {
        let Ok(at) = known.binary_search_by(|(name, ..)| (*name).cmp(key)) else {
            unknown.push(format!("{path}.{key}"));
            return false;
        };
        let (name, kind, omits_empty) = known[at];
        let place = format!("{path}.{name}");
        if let Err(why) = field(value, kind, owner, &format!("{prefix}{name}"), &place, unknown) {
            wrong.get_or_insert(why);
        }
        !(value.is_null() || (omits_empty && is_empty(value)))
    });
    wrong.map_or(Ok(()), Err)
}

fn field(
    value: &mut Value,
    kind: Type,
    owner: &str,
    name: &str,
    path: &str,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    let mismatch = |value: &Value, wanted: &str| {
        let got = name_of(value);
        Err(format!("json: cannot unmarshal {got} into Go struct field {owner}.{name} of type {wanted}"))
    };
    match (kind, &mut *value) {
        (_, Value::Null) | (Type::Any, _) | (Type::Text, Value::String(_)) | (Type::Bool, Value::Bool(_)) => {
            Ok(())
        }
        (Type::Integer, Value::Number(number)) if number.is_i64() => Ok(()),
        (Type::Integer, Value::Number(number)) => Err(format!(
            "json: cannot unmarshal number {number} into Go struct field {owner}.{name} of type int64"
        )),
        (Type::Time, Value::String(text)) => text
            .parse::<jiff::Timestamp>()
            .map(|_| ())
            .map_err(|_| format!("parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse")),
        (Type::Time, other) => {
            Err(format!("json: cannot unmarshal {} into Go value of type string", name_of(other)))
        }
        (Type::Texts, Value::Array(list)) => {
            for element in list {
                match element {
                    Value::Null => *element = "".into(),
                    Value::String(_) => {}
                    other => return mismatch(other, "string"),
                }
            }
            Ok(())
        }
        (Type::TextMap, Value::Object(map)) => {
            for value in map.values_mut() {
                match value {
                    Value::Null => *value = "".into(),
                    Value::String(_) => {}
                    other => return mismatch(other, "string"),
                }
            }
            Ok(())
        }
        (Type::List(element, known), Value::Array(list)) => {
            for (index, entry) in list.iter_mut().enumerate() {
                let place = format!("{path}[{index}]");
                match entry {
                    Value::Object(map) => {
                        fields(map, known, element, &format!("{name}."), &place, unknown)?;
                        if element == "OwnerReference" {
                            for key in ALWAYS {
                                map.entry(*key).or_insert_with(|| "".into());
                            }
                        }
                    }
                    Value::Null => *entry = Value::Object(Map::new()),
                    other => return mismatch(other, &format!("v1.{element}")),
                }
            }
            Ok(())
        }
        (Type::Text, other) => mismatch(other, "string"),
        (Type::Bool, other) => mismatch(other, "bool"),
        (Type::Integer, other) => mismatch(other, "int64"),
        (Type::Texts, other) => mismatch(other, "[]string"),
        (Type::TextMap, other) => mismatch(other, "map[string]string"),
        (Type::List(element, _), other) => mismatch(other, &format!("[]v1.{element}")),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        _ => false,
    }
}

/// A type as Go's decoder names it.
fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
