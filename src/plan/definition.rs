//! Checking an object against the schema of its definition, where no dry-run can: a CRD that the plan itself
//! brings, or a Cozystack application, whose API ignores `dryRun`.
//!
//! Covers what the schema says of types, required and unknown fields, and enums. Formats, patterns, bounds
//! and CEL rules are left to the server at apply: the plan never claims more than `schema` for these.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cluster::{Api, Discovery, Error, Reader};
use crate::diag::Diagnostic;
use crate::manifest::Desired;
use crate::path::{FieldPath, Segment};
use crate::plan::assess::{Assessor, Subject};
use crate::plan::live::is_fatal;
use crate::plan::{Fidelity, refuse};
use crate::schema;
use crate::stack::{Resource, Stack, Val};

/// A schema, and how strictly the server holds to it.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) schema: Value,
    /// Fields that the schema does not name are an error (strict field validation of custom resources).
    pub(super) strict: bool,
    /// Where the schema comes from, for people.
    pub(super) from: String,
}

/// What does not fit, one line each.
pub(super) fn check(definition: &Definition, desired: &Desired) -> Vec<String> {
    let unknown: BTreeSet<&FieldPath> = desired.unknown.keys().collect();
    let mut check = Check { strict: definition.strict, unknown, found: Vec::new() };
    let Value::Object(body) = &desired.body else {
        return Vec::new();
    };
    for (key, value) in
        body.iter().filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata"))
    {
        let path = FieldPath::keys([key.as_str()]);
        match definition.schema.get("properties").and_then(|p| p.get(key)) {
            Some(schema) => check.value(schema, value, &path),
            None => check.unknown_field(&definition.schema, &path),
        }
    }
    check.required(&definition.schema, &desired.body, &FieldPath::default());
    check.found
}

/// The schema of a kind that a CRD of the stack defines.
pub(super) fn of_stack(stack: &Stack, resource: &Resource) -> Option<Definition> {
    let (group, version) = crate::address::split_api_version(&resource.api_version);
    stack.resources.values().filter(|r| r.kind == "CustomResourceDefinition").find_map(|crd| {
        let manifest = plain(&crd.manifest);
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
        if text("/spec/group") != Some(group) || text("/spec/names/kind") != Some(&resource.kind) {
            return None;
        }
        let versions = manifest.pointer("/spec/versions")?.as_array()?;
        let found = versions.iter().find(|v| v.get("name").and_then(Value::as_str) == Some(version))?;
        let schema = found.pointer("/schema/openAPIV3Schema")?.clone();
        Some(Definition { schema, strict: true, from: crd.address.to_string() })
    })
}

/// The schema of a Cozystack application, from the `ApplicationDefinition` that serves it.
///
/// # Errors
/// When the cluster does not answer.
pub(super) async fn of_application(
    reader: &Reader,
    discovery: &Discovery,
    api: &Api,
) -> Result<Option<Definition>, Error> {
    if api.group != "apps.cozystack.io" {
        return Ok(None);
    }
    let Some(definitions) = discovery.preferred("cozystack.io", "ApplicationDefinition") else {
        return Ok(None);
    };
    let definitions = match reader.list(definitions, None, None).await {
        Ok(definitions) => definitions,
        Err(error) if is_fatal(&error) => return Err(error),
        // Without the right to read definitions nothing is claimed.
        Err(_) => return Ok(None),
    };
    let text =
        |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let of_kind =
        |d: &&crate::object::Object| text(&d.0, "/spec/application/kind").as_deref() == Some(&api.kind);
    Ok(definitions.iter().find(of_kind).and_then(|definition| {
        let spec: Value =
            serde_json::from_str(&text(&definition.0, "/spec/application/openAPISchema")?).ok()?;
        let schema = serde_json::json!({"type": "object", "properties": {"spec": spec}});
        // Charts take values that their schema does not name, unless it forbids them itself.
        Some(Definition {
            schema,
            strict: false,
            from: format!("ApplicationDefinition {}", definition.name()),
        })
    }))
}

impl Assessor<'_> {
    /// How far the object was checked without a dry-run, and what does not fit: by the structure table when the
    /// stack was read, by the definition in the plan, or by the application's definition.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub(super) async fn by_schema(
        &self,
        subject: &Subject<'_>,
        api: Option<&Api>,
    ) -> Result<(Fidelity, Vec<Diagnostic>), Error> {
        let resource = subject.resource;
        let definition = match api {
            Some(api) => of_application(self.input.reader, self.discovery, api).await?,
            None => None,
        };
        let Some(definition) = definition.or_else(|| of_stack(self.stack, resource)) else {
            let known = schema::lookup(&resource.api_version, &resource.kind).is_some();
            return Ok((if known { Fidelity::Schema } else { Fidelity::Offline }, Vec::new()));
        };
        let found = check(&definition, &subject.desired);
        let problem = |line: &String| refuse::unfit(resource, &self.clean(line), &definition.from);
        Ok((Fidelity::Schema, found.iter().map(problem).collect()))
    }
}

struct Check<'a> {
    strict: bool,
    unknown: BTreeSet<&'a FieldPath>,
    found: Vec<String>,
}

impl Check<'_> {
    fn value(&mut self, schema: &Value, value: &Value, path: &FieldPath) {
        if self.unknown.contains(path) {
            return;
        }
        let flag = |name: &str| schema.get(name) == Some(&Value::Bool(true));
        if value.is_null() && flag("nullable") {
            return;
        }
        if flag("x-kubernetes-int-or-string") {
            if !(value.is_i64() || value.is_u64() || value.is_string()) {
                self.found.push(format!("{path}: an integer or a text is needed, not {}", kind_of(value)));
            }
            return;
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
            self.found.push(format!("{path}: must be one of {}", allowed.join(", ")));
            return;
        }
        match (schema.get("type").and_then(Value::as_str), value) {
            (Some("object"), Value::Object(map)) => {
                for (key, item) in map {
                    let below = path.key(key);
                    match schema.get("properties").and_then(|p| p.get(key)) {
                        Some(schema) => self.value(schema, item, &below),
                        None => match schema.get("additionalProperties") {
                            Some(items @ Value::Object(_)) => self.value(items, item, &below),
                            Some(Value::Bool(true)) => {}
                            _ => self.unknown_field(schema, &below),
                        },
                    }
                }
                self.required(schema, value, path);
            }
            (Some("array"), Value::Array(items)) => {
                let schema = schema.get("items").unwrap_or(&Value::Null);
                for (at, item) in items.iter().enumerate() {
                    self.value(schema, item, &path.join(Segment::Index(at)));
                }
            }
            (Some("string"), Value::String(_))
            | (Some("boolean"), Value::Bool(_))
            | (Some("number"), Value::Number(_)) => {}
            (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => {}
            (Some(expected @ ("object" | "array" | "string" | "boolean" | "number" | "integer")), _) => {
                self.found.push(format!("{path}: {expected} is needed, not {}", kind_of(value)));
            }
            _ => {}
        }
    }

    fn unknown_field(&mut self, schema: &Value, path: &FieldPath) {
        let keeps = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
        let forbidden = schema.get("additionalProperties") == Some(&Value::Bool(false));
        if !keeps && (self.strict || forbidden) && !self.unknown.contains(path) {
            self.found.push(format!("{path}: there is no such field"));
        }
    }

    fn required(&mut self, schema: &Value, value: &Value, path: &FieldPath) {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            let below = path.key(name);
            let late = self.unknown.iter().any(|unknown| unknown.starts_with(&below));
            if value.get(name).is_none() && !late {
                self.found.push(format!("{below}: is required"));
            }
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The part of a value that is known from files; a definition that is not is not checked against.
fn plain(val: &Val) -> Value {
    match val {
        Val::Null | Val::Late(_) => Value::Null,
        Val::Bool(value) => Value::Bool(*value),
        Val::Number(number) => Value::Number(number.clone()),
        Val::String(text) => Value::String(text.clone()),
        Val::List(items) => items.iter().map(plain).collect(),
        Val::Map(map) => Value::Object(map.iter().map(|(key, item)| (key.clone(), plain(item))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Address, ObjectKey};
    use serde_json::json;
    use std::collections::BTreeMap;

    fn found(strict: bool, schema: &Value, spec: &Value) -> Vec<String> {
        let schema = json!({"type": "object", "properties": {"spec": schema}});
        let definition = Definition { schema, strict, from: String::new() };
        check(
            &definition,
            &Desired {
                address: Address::new("manifest", "w"),
                key: ObjectKey::new("example.org", "Widget", None, "w"),
                api_version: "example.org/v1".into(),
                body: json!({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}),
                secret: BTreeSet::new(),
                unknown: BTreeMap::new(),
                awaits: BTreeSet::new(),
            },
        )
    }

    #[test]
    fn types_required_unknown_fields_and_enums() {
        let schema = json!({"type": "object", "required": ["size"], "properties": {
            "size": {"type": "integer"},
            "port": {"x-kubernetes-int-or-string": true},
            "mode": {"type": "string", "enum": ["a", "b"]},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "list": {"type": "array", "items": {"type": "boolean"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }});
        let good = json!({"size": 3, "port": "http", "mode": "a", "labels": {"x": "y"}, "list": [true], "free": {"a": 1}});
        assert_eq!(found(true, &schema, &good), [""; 0]);
        let bad = json!({"siez": 3, "port": 1.5, "mode": "c", "labels": {"x": 1}, "list": [1], "free": 2});
        assert_eq!(
            found(true, &schema, &bad),
            [
                "spec.free: object is needed, not number",
                "spec.labels.x: string is needed, not number",
                "spec.list[0]: boolean is needed, not number",
                "spec.mode: must be one of \"a\", \"b\"",
                "spec.port: an integer or a text is needed, not number",
                "spec.siez: there is no such field",
                "spec.size: is required",
            ]
        );
        assert_eq!(found(false, &schema, &json!({"size": 1, "more": true})), [""; 0]);
    }
}
