//! A request's body as JSON, with the keys that stand in it twice.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON document and what its tree cannot show.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::sandbox) struct Decoded {
    /// The document; of a key given twice, the last value.
    pub(in crate::sandbox) value: Value,
    /// Paths of keys given twice: `metadata.labels.a`, `spec.ports[0].name`.
    pub(in crate::sandbox) duplicates: Vec<String>,
}

impl From<Value> for Decoded {
    fn from(value: Value) -> Self {
        Self { value, duplicates: Vec::new() }
    }
}

impl Decoded {
    /// Reads JSON text; of a key given twice the last value counts.
    ///
    /// # Errors
    /// It is none.
    pub(in crate::sandbox) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        Self::read(bytes, false)
    }

    /// The same, but objects under a key given twice become one, as where Go decodes into a struct.
    ///
    /// # Errors
    /// It is no JSON.
    pub(in crate::sandbox) fn parse_merged(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        Self::read(bytes, true)
    }

    fn read(bytes: &[u8], merge: bool) -> Result<Self, serde_json::Error> {
        let mut duplicates = BTreeSet::new();
        let mut order = Vec::new();
        let mut found = |path: String| {
            if duplicates.insert(path.clone()) {
                order.push(path);
            }
        };
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let mut path = String::new();
        let value = Tree { path: &mut path, found: &mut found, merge }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(Self { value, duplicates: order })
    }
}

struct Tree<'a> {
    path: &'a mut String,
    found: &'a mut dyn FnMut(String),
    merge: bool,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// Go writes a fraction without its fraction as an integer is written: from then on it is one.
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        let whole = value.fract() == 0.0 && !(value == 0.0 && value.is_sign_negative());
        let integer = if whole { value.to_string().parse::<i64>().ok() } else { None };
        Ok(integer.map_or_else(|| value.into(), Value::from))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let length = self.path.len();
        loop {
            write!(self.path, "[{}]", list.len()).expect("a String takes all text");
            let element =
                elements.next_element_seed(Tree { path: self.path, found: self.found, merge: self.merge })?;
            self.path.truncate(length);
            match element {
                Some(element) => list.push(element),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let length = self.path.len();
        while let Some(key) = entries.next_key::<String>()? {
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            if map.contains_key(&key) {
                (self.found)(self.path.clone());
            }
            let value =
                entries.next_value_seed(Tree { path: self.path, found: self.found, merge: self.merge })?;
            self.path.truncate(length);
            match (map.get_mut(&key), value) {
                (Some(Value::Object(first)), Value::Object(second)) if self.merge => merge(first, second),
                (_, value) => drop(map.insert(key, value)),
            }
        }
        Ok(Value::Object(map))
    }
}

/// A JSON mistake in the words of Go's decoder, as far as the parser here tells which it is.
pub(in crate::sandbox) fn as_go_tells(error: &serde_json::Error, body: &[u8]) -> String {
    if error.is_eof() || body.is_empty() {
        return "unexpected end of JSON input".to_owned();
    }
    let line = body.split(|&byte| byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let at = line.get(error.column().saturating_sub(1)).copied().unwrap_or_default();
    let text = error.to_string();
    let place = if text.starts_with("trailing characters") {
        "after top-level value"
    } else if text.starts_with("key must be a string") {
        "looking for beginning of object key string"
    } else if text.starts_with("expected `,` or `}`") {
        "after object key:value pair"
    } else if text.starts_with("expected `,` or `]`") {
        "after array element"
    } else if text.starts_with("expected `:`") {
        "after object key"
    } else {
        "looking for beginning of value"
    };
    format!("invalid character '{}' {place}", char::from(at))
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(first)), Value::Object(second)) => merge(first, second),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
