//! Reading decoded objects: a field that is not there reads as Go's zero value.

use serde_json::{Map, Value};

/// Typed access to fields of an object.
pub(in crate::sandbox) trait Look {
    /// A text; empty if there is none.
    fn text(&self, field: &str) -> &str;
    /// A number.
    fn int(&self, field: &str) -> Option<i64>;
    /// A flag; `false` if there is none.
    fn flag(&self, field: &str) -> bool;
    /// Elements of a list; none if there is no list.
    fn items(&self, field: &str) -> &[Value];
    /// Entries of a map, sorted by key; none if there is no map.
    fn entries(&self, field: &str) -> impl Iterator<Item = (&str, &Value)>;
    /// A value that is there.
    fn some(&self, field: &str) -> Option<&Value>;
}

impl Look for Value {
    fn text(&self, field: &str) -> &str {
        self.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn int(&self, field: &str) -> Option<i64> {
        self.get(field).and_then(Value::as_i64)
    }

    fn flag(&self, field: &str) -> bool {
        self.get(field).and_then(Value::as_bool).unwrap_or_default()
    }

    fn items(&self, field: &str) -> &[Value] {
        self.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn entries(&self, field: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.get(field)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), value))
    }

    fn some(&self, field: &str) -> Option<&Value> {
        self.get(field).filter(|value| !value.is_null())
    }
}

/// The map at a field, made if there is none.
pub(super) fn map_mut<'v>(value: &'v mut Value, field: &str) -> &'v mut Map<String, Value> {
    if !value[field].is_object() {
        value[field] = Value::Object(Map::new());
    }
    value[field].as_object_mut().expect("it was made an object")
}
