//! Values through a Go type and back: what of them survives, and how Go's decoder words what does not fit.

use serde_json::{Map, Number, Value};

/// A struct.
#[derive(Debug)]
pub(super) struct Struct {
    /// Its name without the package.
    pub(super) name: &'static str,
    /// Its fields, sorted by name.
    pub(super) fields: &'static [Field],
}

/// A field: its name, its type, what becomes of it when it is empty.
pub(super) type Field = (&'static str, Type, Empty);

/// What becomes of an empty value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// It is left out.
    Omitted,
    /// It is written if it was given: a pointer.
    Kept,
    /// It is written in any case.
    Written,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    Text,
    /// A text with a type name of its own.
    Named(&'static str),
    Int32,
    Int64,
    Float,
    Bool,
    Bytes,
    Time,
    Texts,
    TextMap,
    Struct(&'static Struct),
    List(&'static Struct),
    Map(&'static Struct),
    /// Anything.
    Json,
    /// A list of anything.
    Jsons,
    /// A struct, or `true` or `false`.
    OrBool(&'static Struct),
    /// A struct, or a list of them.
    OrList(&'static Struct),
    /// By name: a struct, or a list of texts.
    OrTexts(&'static Struct),
}

/// Brings `value` into the form it is stored in, and adds the paths of unknown fields to `unknown`.
///
/// # Errors
/// As Go's decoder words it: the first that does not fit.
pub(super) fn read(
    value: &mut Value,
    of: &'static Struct,
    path: &str,
    unknown: &mut Vec<String>,
) -> Result<(), String> {
    match value {
        Value::Null => {
            *value = Value::Object(Map::new());
        }
        Value::Object(_) => {}
        other => {
            return Err(format!("json: cannot unmarshal {} into Go value of type v1.{}", go(other), of.name));
        }
    }
    Reader { unknown: Some(unknown) }.fields(value, of, "", path)
}

struct Reader<'u> {
    /// `None` where a type reads itself, and tells nobody what it did not know.
    unknown: Option<&'u mut Vec<String>>,
}

/// Where a value stands: the struct and the fields that lead to it, for errors, and its path, for unknown fields.
struct At<'a> {
    owner: &'static str,
    fields: &'a str,
    path: &'a str,
}

impl At<'_> {
    fn mismatch(&self, value: &Value, wanted: &str) -> Result<(), String> {
        let (got, owner, fields) = (go(value), self.owner, self.fields);
        Err(format!("json: cannot unmarshal {got} into Go struct field {owner}.{fields} of type {wanted}"))
    }
}

impl Reader<'_> {
    fn fields(
        &mut self,
        value: &mut Value,
        of: &'static Struct,
        fields: &str,
        path: &str,
    ) -> Result<(), String> {
        let Value::Object(map) = value else {
            return Ok(());
        };
        let mut first = Ok(());
        map.retain(|key, value| {
            let Ok(at) = of.fields.binary_search_by(|(name, ..)| (*name).cmp(key)) else {
                if let Some(unknown) = &mut self.unknown {
                    unknown.push(join(path, key));
                }
                return false;
            };
            let (name, kind, empty) = of.fields[at];
            let (names, path) = (join(fields, name), join(path, name));
            let at = At { owner: of.name, fields: &names, path: &path };
            let read = self.field(value, kind, &at);
            if first.is_ok() {
                first = read;
            }
            match empty {
                Empty::Written => true,
                Empty::Kept => !value.is_null(),
                Empty::Omitted => !is_empty(value),
            }
        });
        for (name, kind, _) in of.fields.iter().filter(|(.., empty)| *empty == Empty::Written) {
            let value = map.entry(*name).or_insert(Value::Null);
            if value.is_null() {
                *value = zero(*kind);
            }
        }
        first
    }

    fn field(&mut self, value: &mut Value, kind: Type, at: &At<'_>) -> Result<(), String> {
        match (kind, &mut *value) {
            (_, Value::Null)
            | (Type::Json, _)
            | (Type::Text | Type::Named(_) | Type::Bytes, Value::String(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::Jsons, Value::Array(_)) => Ok(()),
            (Type::Int32, Value::Number(number)) => {
                let fits = number.as_i64().is_some_and(|whole| i32::try_from(whole).is_ok());
                whole(fits, number, "int32", at)
            }
            (Type::Int64, Value::Number(number)) => whole(number.is_i64(), number, "int64", at),
            (Type::Float, Value::Number(number)) => {
                if let Some(float) = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e15) {
                    #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
                    let whole = float as i64;
                    *value = whole.into();
                }
                Ok(())
            }
            (Type::Time, Value::String(text)) => text.parse::<jiff::Timestamp>().map(|_| ()).map_err(|_| {
                format!(
                    "parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\""
                )
            }),
            (Type::Texts, Value::Array(list)) => texts(list.iter_mut(), at),
            (Type::TextMap, Value::Object(map)) => texts(map.values_mut(), at),
            (Type::Struct(of), value @ Value::Object(_)) => self.fields(value, of, at.fields, at.path),
            (Type::List(of), Value::Array(list)) => {
                for (index, element) in list.iter_mut().enumerate() {
                    self.element(element, of, at, &format!("{}[{index}]", at.path))?;
                }
                Ok(())
            }
            (Type::Map(of), Value::Object(map)) => {
                for (key, element) in map {
                    self.element(element, of, at, &join(at.path, key))?;
                }
                Ok(())
            }
            (Type::OrBool(of), value) => match value {
                Value::Object(_) => alone(value, of),
                Value::Bool(_) => Ok(()),
                _ => Err("boolean or JSON schema expected".to_owned()),
            },
            (Type::OrList(of), value) => match value {
                Value::Object(_) => alone(value, of),
                Value::Array(list) => list.iter_mut().try_for_each(|element| alone(element, of)),
                other => {
                    *other = Value::Null;
                    Ok(())
                }
            },
            (Type::OrTexts(of), Value::Object(map)) => map.values_mut().try_for_each(|value| match value {
                Value::Object(_) => alone(value, of),
                _ => Ok(()),
            }),
            (kind, other) => at.mismatch(other, &kind.name()),
        }
    }

    fn element(
        &mut self,
        element: &mut Value,
        of: &'static Struct,
        at: &At<'_>,
        path: &str,
    ) -> Result<(), String> {
        match element {
            Value::Null => *element = Value::Object(Map::new()),
            Value::Object(_) => {}
            other => return at.mismatch(other, &format!("v1.{}", of.name)),
        }
        self.fields(element, of, at.fields, path)
    }
}

/// A struct inside a type that reads itself: errors begin anew, unknown fields are not told.
fn alone(value: &mut Value, of: &'static Struct) -> Result<(), String> {
    Reader { unknown: None }.fields(value, of, "", "")
}

fn whole(fits: bool, number: &Number, wanted: &str, at: &At<'_>) -> Result<(), String> {
    if fits {
        return Ok(());
    }
    let (owner, fields) = (at.owner, at.fields);
    Err(format!(
        "json: cannot unmarshal number {number} into Go struct field {owner}.{fields} of type {wanted}"
    ))
}

fn texts<'v>(values: impl Iterator<Item = &'v mut Value>, at: &At<'_>) -> Result<(), String> {
    for value in values {
        match value {
            Value::Null => *value = "".into(),
            Value::String(_) => {}
            other => return at.mismatch(other, "string"),
        }
    }
    Ok(())
}

impl Type {
    /// As Go prints it.
    fn name(self) -> String {
        match self {
            Self::Text | Self::Time => "string".into(),
            Self::Named(name) => name.into(),
            Self::Int32 => "int32".into(),
            Self::Int64 => "int64".into(),
            Self::Float => "float64".into(),
            Self::Bool => "bool".into(),
            Self::Bytes => "[]uint8".into(),
            Self::Texts => "[]string".into(),
            Self::TextMap => "map[string]string".into(),
            Self::Struct(of) => format!("v1.{}", of.name),
            Self::List(of) => format!("[]v1.{}", of.name),
            Self::Map(of) => format!("map[string]v1.{}", of.name),
            Self::Json => "v1.JSON".into(),
            Self::Jsons => "[]v1.JSON".into(),
            Self::OrBool(_) => "v1.JSONSchemaPropsOrBool".into(),
            Self::OrList(_) => "v1.JSONSchemaPropsOrArray".into(),
            Self::OrTexts(_) => "v1.JSONSchemaDependencies".into(),
        }
    }
}

/// The value of a field that is written though it was not given.
fn zero(kind: Type) -> Value {
    match kind {
        Type::Text | Type::Named(_) => "".into(),
        Type::Int32 | Type::Int64 | Type::Float => 0.into(),
        Type::Bool => false.into(),
        Type::Struct(of) => {
            let mut value = Value::Object(Map::new());
            let written = of.fields.iter().filter(|(.., empty)| *empty == Empty::Written);
            for (name, kind, _) in written {
                value[*name] = zero(*kind);
            }
            value
        }
        _ => Value::Null,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A type as Go's decoder names it.
fn go(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
