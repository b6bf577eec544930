//! Collecting what is wrong with an object, in the API server's words and order.

use std::fmt;

use serde_json::Value;

use crate::sandbox::error::Cause;
use crate::sandbox::fault;

/// A place in an object, in Kubernetes' notation: `spec.ports[0].port`, `data[key]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct At(String);

impl At {
    /// The place of these fields.
    pub(in crate::sandbox) fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// A field of it; `field` may be several with dots.
    pub(in crate::sandbox) fn child(&self, field: &str) -> Self {
        if self.0.is_empty() { Self::new(field) } else { Self(format!("{}.{field}", self.0)) }
    }

    /// An element of it.
    pub(in crate::sandbox) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// An entry of it.
    pub(in crate::sandbox) fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong so far.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Causes {
    /// In the order of the API server's hand-written checks.
    found: Vec<Cause>,
    /// Of its declared checks, which come after those.
    declared: Vec<Cause>,
    /// Whether what is found now is of a declared check.
    is_declared: bool,
}

impl Causes {
    /// All of it. What was found twice is told once, as the API server does.
    pub(in crate::sandbox) fn into_vec(self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = Vec::with_capacity(self.found.len() + self.declared.len());
        for cause in self.found.into_iter().chain(self.declared) {
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        causes
    }

    /// How much was found so far.
    pub(in crate::sandbox) fn len(&self) -> usize {
        self.found.len() + self.declared.len()
    }

    /// Runs a check that the API server declares in its types (`+k8s:…`) instead of writing it by hand: it says
    /// less of what is wrong, and says it last.
    pub(in crate::sandbox) fn declared(&mut self, check: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.is_declared, true);
        check(self);
        self.is_declared = before;
    }

    /// What a declared check says of a value that has changed.
    pub(in crate::sandbox) fn declared_immutable(&mut self, at: &At, new: &Value, old: &Value) {
        if !same(new, old) {
            self.declared(|causes| causes.invalid(at, Value::Null, "field is immutable"));
        }
    }

    fn push(&mut self, cause: Cause) {
        if self.is_declared { self.declared.push(cause) } else { self.found.push(cause) }
    }

    /// A value that must be there.
    pub(in crate::sandbox) fn required(&mut self, at: &At, detail: &str) {
        self.push(fault::required(at.to_string(), detail));
    }

    /// A value that is not right.
    pub(in crate::sandbox) fn invalid(&mut self, at: &At, value: impl Into<Value>, detail: &str) {
        let value = value.into();
        if value.is_object() || value.is_array() {
            self.invalid_text(at, &in_go_order(&value), detail);
        } else {
            self.push(fault::invalid(at.to_string(), &value, detail));
        }
    }

    /// As [`Causes::invalid`], once per detail.
    pub(in crate::sandbox) fn each_invalid(&mut self, at: &At, value: &str, details: &[String]) {
        for detail in details {
            self.invalid(at, value, detail);
        }
    }

    /// A value that may not be there.
    pub(in crate::sandbox) fn forbidden(&mut self, at: &At, detail: &str) {
        self.push(fault::forbidden(at.to_string(), detail));
    }

    /// A value that stands there twice.
    pub(in crate::sandbox) fn duplicate(&mut self, at: &At, value: impl Into<Value>) {
        self.push(fault::duplicate(at.to_string(), &value.into()));
    }

    /// The same, of a value that the server prints in a form of its own.
    pub(in crate::sandbox) fn duplicate_text(&mut self, at: &At, shown: &str) {
        let message = format!("Duplicate value: {shown}");
        self.push(Cause { reason: "FieldValueDuplicate", message, field: at.to_string() });
    }

    /// As [`Causes::not_supported`], of a value that the server prints in a form of its own.
    pub(in crate::sandbox) fn not_supported_text(&mut self, at: &At, shown: &str, supported: &[&str]) {
        let list: Vec<String> = supported.iter().map(|value| fault::quote(value)).collect();
        let message = format!("Unsupported value: {shown}: supported values: {}", list.join(", "));
        self.push(Cause { reason: "FieldValueNotSupported", message, field: at.to_string() });
    }

    /// As [`Causes::invalid`], of a value that the server prints in a form of its own.
    pub(in crate::sandbox) fn invalid_text(&mut self, at: &At, shown: &str, detail: &str) {
        let message = format!("Invalid value: {shown}: {detail}");
        self.push(Cause { reason: "FieldValueInvalid", message, field: at.to_string() });
    }

    /// As [`Causes::invalid`], of a value that the server does not print.
    pub(in crate::sandbox) fn invalid_unshown(&mut self, at: &At, detail: &str) {
        let message = format!("Invalid value: {detail}");
        self.push(Cause { reason: "FieldValueInvalid", message, field: at.to_string() });
    }

    /// A reference to nothing.
    pub(in crate::sandbox) fn not_found(&mut self, at: &At, value: &str) {
        let message = format!("Not found: {}", fault::quote(value));
        self.push(Cause { reason: "FieldValueNotFound", message, field: at.to_string() });
    }

    /// A value that is none of these.
    pub(in crate::sandbox) fn not_supported(&mut self, at: &At, value: impl Into<Value>, supported: &[&str]) {
        self.push(fault::not_supported(at.to_string(), &value.into(), supported));
    }

    /// A text that is too long.
    pub(in crate::sandbox) fn too_long(&mut self, at: &At, bytes: u32) {
        self.push(fault::too_long(at.to_string(), bytes.into()));
    }

    /// A list that is too long.
    pub(in crate::sandbox) fn too_many(&mut self, at: &At, found: usize, most: usize) {
        self.push(fault::too_many(at.to_string(), found, most));
    }

    /// A number below 0.
    pub(in crate::sandbox) fn non_negative(&mut self, at: &At, value: Option<i64>) {
        if let Some(value) = value.filter(|value| *value < 0) {
            self.invalid(at, value, "must be greater than or equal to 0");
        }
    }

    /// A value that may not change.
    pub(in crate::sandbox) fn immutable(&mut self, at: &At, new: &Value, old: &Value) {
        if !same(new, old) {
            self.invalid(at, new.clone(), "field is immutable");
        }
    }
}

/// JSON with the fields of the types of all kinds in the order in which Go prints them; everything else is a map,
/// which Go sorts.
fn in_go_order(value: &Value) -> String {
    const OWNER: [&str; 6] = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    const SELECTOR: [&str; 2] = ["matchLabels", "matchExpressions"];
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(in_go_order).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(map) => {
            let mut fields: Vec<&String> = map.keys().collect();
            for known in [&OWNER[..], &SELECTOR[..]] {
                if fields.iter().all(|field| known.contains(&field.as_str())) {
                    fields.sort_by_key(|field| known.iter().position(|known| known == field));
                }
            }
            let field = |field: &&String| {
                format!("{}:{}", fault::go_json(&Value::from(field.as_str())), in_go_order(&map[*field]))
            };
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{{}}}", fields.join(","))
        }
        other => fault::go_json(other),
    }
}

/// Whether two values are the same to the API server, which does not tell an empty list or map from none.
pub(in crate::sandbox) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let null = Value::Null;
            a.iter().all(|(key, value)| same(value, b.get(key).unwrap_or(&null)))
                && b.iter().all(|(key, value)| a.contains_key(key) || same(&null, value))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Null, Value::Array(list)) | (Value::Array(list), Value::Null) => list.is_empty(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_causes_as_the_server_does() {
        let mut causes = Causes::default();
        let at = At::new("spec").child("ports").index(1);
        causes.required(&at.child("name"), "");
        causes.invalid(&at.child("port"), 0, "must be between 1 and 65535, inclusive");
        causes.invalid(&at, json!({ "a": "<b>" }), "field is immutable");
        causes.duplicate(&At::new("data").key("x"), "a\"b");
        causes.not_supported(&at, "x", &["A", "B"]);
        causes.too_long(&At::new("metadata"), 3);
        causes.too_many(&at, 2, 1);
        causes.required(&at.child("name"), "");
        let found: Vec<String> =
            causes.into_vec().iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        assert_eq!(
            found,
            [
                "spec.ports[1].name: Required value",
                "spec.ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[1]: Invalid value: {\"a\":\"\\u003cb\\u003e\"}: field is immutable",
                "data[x]: Duplicate value: \"a\\\"b\"",
                "spec.ports[1]: Unsupported value: \"x\": supported values: \"A\", \"B\"",
                "metadata: Too long: may not be more than 3 bytes",
                "spec.ports[1]: Too many: 2: must have at most 1 item",
            ]
        );
    }
}
