//! From the JSON of a request to what Go's typed decoder keeps of it: types checked, unknown fields and nulls
//! dropped, quantities, times and bytes in their one form, empty values left out where Go leaves them out.

use serde_json::{Map, Number, Value};

use super::text::{base64_canonical, time_canonical};
use super::types::{Shape, StructId, Type, Types};
use crate::schema::{Quantity, QuantityError};

/// What was found while decoding.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Paths of fields that the kind does not have.
    pub(super) unknown: Vec<String>,
    /// The first value of a wrong type, in Go's words.
    pub(super) error: Option<String>,
}

/// Decodes `value` as the struct.
pub(super) fn decode(id: StructId, value: &mut Value) -> Found {
    let mut decoder = Decoder { found: Found::default(), path: String::new(), stack: Vec::new(), owner: "" };
    decoder.structure(id, value);
    decoder.found
}

struct Decoder {
    found: Found,
    /// Where it is: `spec.ports[0].port`.
    path: String,
    /// Names of the fields above, without elements: `spec`, `ports`, `port`.
    stack: Vec<&'static str>,
    /// The struct whose field is read.
    owner: &'static str,
}

impl Decoder {
    fn fail(&mut self, message: String) {
        self.found.error.get_or_insert(message);
    }

    fn mismatch(&mut self, found: &str, of: &str) {
        let message = if self.owner.is_empty() {
            format!("json: cannot unmarshal {found} into Go value of type {of}")
        } else {
            let (owner, fields) = (self.owner, self.stack.join("."));
            format!("json: cannot unmarshal {found} into Go struct field {owner}.{fields} of type {of}")
        };
        self.fail(message);
    }

    fn structure(&mut self, id: StructId, value: &mut Value) {
        let known = Types::get().of(id);
        let Value::Object(map) = value else {
            self.mismatch(word_of(value), known.go);
            *value = Value::Object(Map::new());
            return;
        };
        let names: Vec<String> = map.keys().cloned().collect();
        for name in names {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&name);
            if let Some(field) = known.field(&name) {
                let above = std::mem::replace(&mut self.owner, known.bare_name());
                self.stack.push(field.name);
                let keep = match map.get_mut(&name) {
                    Some(inner) if !inner.is_null() => {
                        self.value(&field.of, inner)
                            // No entries are a client's word to field ownership, not the same as no word.
                            && (self.path == "metadata.managedFields"
                                || !(field.omit_empty && is_empty(&field.of, inner)))
                            && !(field.omit_zero && is_zero(&field.of, inner))
                    }
                    _ => false,
                };
                if !keep {
                    map.remove(&name);
                }
                self.stack.pop();
                self.owner = above;
            } else {
                self.found.unknown.push(self.path.clone());
                map.remove(&name);
            }
            self.path.truncate(length);
        }
    }

    /// Brings one value that is not null into form; whether there is anything left of it.
    fn value(&mut self, of: &Type, value: &mut Value) -> bool {
        match &of.shape {
            Shape::Any => true,
            Shape::Struct(id) => {
                let is_object = value.is_object();
                self.structure(*id, value);
                is_object || !of.pointer
            }
            Shape::List(item) => self.list(of, item, value),
            Shape::Map(item) => self.map(of, item, value),
            _ => self.scalar(of, value),
        }
    }

    fn list(&mut self, of: &Type, item: &Type, value: &mut Value) -> bool {
        let Value::Array(items) = value else {
            self.mismatch(word_of(value), &of.go_name());
            return false;
        };
        for (index, inner) in items.iter_mut().enumerate() {
            let length = self.path.len();
            self.path.push_str(&["[", &index.to_string(), "]"].concat());
            if inner.is_null() || !self.value(item, inner) {
                *inner = zero(item);
            }
            self.path.truncate(length);
        }
        true
    }

    fn map(&mut self, of: &Type, item: &Type, value: &mut Value) -> bool {
        let Value::Object(map) = value else {
            self.mismatch(word_of(value), &of.go_name());
            return false;
        };
        for (key, inner) in map.iter_mut() {
            let length = self.path.len();
            self.path.push('.');
            self.path.push_str(key);
            if inner.is_null() || !self.value(item, inner) {
                *inner = zero(item);
            }
            self.path.truncate(length);
        }
        true
    }

    fn scalar(&mut self, of: &Type, value: &mut Value) -> bool {
        let result = match (&of.shape, &*value) {
            (Shape::String | Shape::IntOrString, Value::String(_)) | (Shape::Bool, Value::Bool(_)) => {
                return true;
            }
            (Shape::Int32 | Shape::IntOrString, Value::Number(number)) => fits_int32(number),
            (Shape::Int64, Value::Number(number)) => number.as_i64().is_some().then_some(()).ok_or(None),
            (Shape::Quantity, found) => quantity(found).map(|text| *value = text).map_err(Some),
            (Shape::Bytes, Value::String(text)) => {
                base64_canonical(text).map(|text| *value = text.into()).map_err(Some)
            }
            (Shape::Time | Shape::MicroTime, Value::String(text)) => {
                let is_micro = matches!(of.shape, Shape::MicroTime);
                time_canonical(text, is_micro).map(|text| *value = text.into()).map_err(Some)
            }
            _ => Err(None),
        };
        match result {
            Ok(()) => true,
            Err(Some(message)) => {
                self.fail(message);
                false
            }
            Err(None) => {
                let is_number = matches!(of.shape, Shape::Int32 | Shape::Int64 | Shape::IntOrString);
                let found = match &*value {
                    Value::Number(number) if is_number => format!("number {number}"),
                    other => word_of(other).to_owned(),
                };
                self.mismatch(&found, &of.go_name());
                false
            }
        }
    }
}

fn fits_int32(number: &Number) -> Result<(), Option<String>> {
    let number = number.as_i64().ok_or(None)?;
    i32::try_from(number).map(|_| ()).map_err(|_| None)
}

fn quantity(value: &Value) -> Result<Value, String> {
    let text = |quantity: Quantity| {
        // The server garbles what it has no suffix for; it is kept here as it was given.
        quantity.stored().map_or_else(|| value.clone(), Into::into)
    };
    Quantity::of(value).map(text).map_err(|error| {
        let suffix = value.as_str().unwrap_or_default().trim_start_matches(['+', '-']);
        let suffix = suffix.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        // Go's words for a suffix are of letters that suffixes are made of.
        let rest =
            suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c)).trim_start_matches(['+', '-']);
        if error == QuantityError::Suffix && rest.bytes().all(|byte| byte.is_ascii_digit()) {
            "unable to parse quantity's suffix".to_owned()
        } else {
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
                .to_owned()
        }
    })
}

fn word_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether `omitempty` leaves the value out.
pub(super) fn is_empty(of: &Type, value: &Value) -> bool {
    if of.pointer {
        return value.is_null();
    }
    match &of.shape {
        Shape::String | Shape::Bytes => value.as_str() == Some(""),
        Shape::Bool => value == false,
        Shape::Int32 | Shape::Int64 => value.as_i64() == Some(0),
        Shape::List(_) => value.as_array().is_some_and(Vec::is_empty) || value.is_null(),
        Shape::Map(_) => value.as_object().is_some_and(Map::is_empty) || value.is_null(),
        _ => false,
    }
}

/// Whether `omitzero` leaves the value out.
pub(super) fn is_zero(of: &Type, value: &Value) -> bool {
    is_empty(of, value)
        || value.is_null()
        || (!of.pointer
            && match &of.shape {
                Shape::Struct(id) => {
                    let known = Types::get().of(*id);
                    value.as_object().is_some_and(|map| {
                        let is_zero = |(name, inner): (&String, &Value)| {
                            known.field(name).is_some_and(|field| is_zero(&field.of, inner))
                        };
                        map.iter().all(is_zero)
                    })
                }
                _ => false,
            })
}

/// What Go writes for a value never set.
pub(super) fn zero(of: &Type) -> Value {
    if of.pointer {
        return Value::Null;
    }
    match &of.shape {
        Shape::String => "".into(),
        Shape::Bool => false.into(),
        Shape::Int32 | Shape::Int64 | Shape::IntOrString => 0.into(),
        Shape::Quantity => "0".into(),
        Shape::Struct(_) => Value::Object(Map::new()),
        Shape::Bytes | Shape::Time | Shape::MicroTime | Shape::Any | Shape::List(_) | Shape::Map(_) => {
            Value::Null
        }
    }
}
