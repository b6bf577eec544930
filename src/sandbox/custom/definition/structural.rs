//! Whether a schema is structural (`k8s.io/apiextensions-apiserver` `schema.ValidateStructural`).

use serde_json::Value;

use crate::sandbox::custom::node::expression;
use crate::sandbox::error::Cause;
use crate::sandbox::fault;

/// Where a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What is wrong, sorted as the API server sorts it.
pub(super) fn check(schema: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    invariants(schema, Level::Root, path, &mut causes);
    completeness(schema, Some(schema), path, path, &mut causes);
    causes.sort_by_key(|cause| format!("{}: {}", cause.field, cause.message));
    causes
}

pub(super) fn flag(schema: &Value, key: &str) -> bool {
    schema[key].as_bool().unwrap_or_default()
}

pub(super) fn text<'v>(schema: &'v Value, key: &str) -> &'v str {
    schema[key].as_str().unwrap_or_default()
}

pub(super) fn fields<'v>(schema: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    schema[key].as_object().into_iter().flatten()
}

pub(super) fn elements<'v>(schema: &'v Value, key: &str) -> impl Iterator<Item = (usize, &'v Value)> {
    schema[key].as_array().into_iter().flatten().enumerate()
}

fn invariants(schema: &Value, level: Level, path: &str, causes: &mut Vec<Cause>) {
    let kind = text(schema, "type");
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    let preserve = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let int_or_string = flag(schema, "x-kubernetes-int-or-string");
    let additional = schema.get("additionalProperties");
    let at = |key: &str| format!("{path}.{key}");
    if kind == "array" && schema.get("items").is_none() {
        causes.push(fault::required(at("items"), "must be specified"));
    }
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        invariants(items, Level::Item, &at("items"), causes);
    }
    for (name, field) in fields(schema, "properties") {
        invariants(field, Level::Field, &at(&format!("properties[{name}]")), causes);
    }
    if let Some(additional) = additional {
        if level == Level::Root {
            causes.push(fault::forbidden(at("additionalProperties"), "must not be used at the root"));
        }
        if additional.is_object() {
            invariants(additional, Level::Field, &at("additionalProperties"), causes);
        }
    }
    if int_or_string && preserve {
        let told = "must be false if x-kubernetes-int-or-string is true";
        causes.push(fault::invalid(at("x-kubernetes-preserve-unknown-fields"), &true.into(), told));
    }
    if int_or_string && embedded {
        let told = "must be false if x-kubernetes-int-or-string is true";
        causes.push(fault::invalid(at("x-kubernetes-embedded-resource"), &true.into(), told));
    }
    let skip = Skip {
        any_of: is_int_or_string(&schema["anyOf"]),
        first_all_of: is_int_or_string(&schema["allOf"][0]["anyOf"]),
    };
    values(schema, skip, path, causes);
    if embedded && kind != "object" {
        let told = "must be object if x-kubernetes-embedded-resource is true";
        causes.push(match kind {
            "" => fault::required(at("type"), told),
            kind => fault::invalid_text(at("type"), kind, told),
        });
    } else if kind.is_empty() && !int_or_string && !preserve {
        let told = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        causes.push(fault::required(at("type"), told));
    }
    if embedded && additional.is_some() {
        let told = "must not be used if x-kubernetes-embedded-resource is set";
        causes.push(fault::forbidden(at("additionalProperties"), told));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        causes.push(fault::invalid_text(at("type"), kind, "must be object at the root"));
    }
    let is_object = level == Level::Root || embedded;
    let properties = &schema["properties"];
    for name in ["kind", "apiVersion"] {
        let wrong = properties.get(name).filter(|field| text(field, "type") != "string");
        if let Some(field) = wrong.filter(|_| is_object) {
            let place = at(&format!("properties[{name}].type"));
            causes.push(fault::invalid_text(place, text(field, "type"), "must be string"));
        }
    }
    if let Some(metadata) = properties.get("metadata") {
        metadata_invariants(metadata, is_object, level, &at("properties[metadata]"), causes);
    }
    if embedded && !preserve && properties.as_object().is_none_or(serde_json::Map::is_empty) {
        let told = "must not be empty if x-kubernetes-embedded-resource is true without \
                    x-kubernetes-preserve-unknown-fields";
        causes.push(fault::required(at("properties"), told));
    }
}

fn metadata_invariants(metadata: &Value, is_object: bool, level: Level, path: &str, causes: &mut Vec<Cause>) {
    if is_object && text(metadata, "type") != "object" {
        let place = format!("{path}.type");
        causes.push(fault::invalid_text(place, text(metadata, "type"), "must be object"));
    }
    if level != Level::Root {
        return;
    }
    let only_names = fields(metadata, "properties").all(|(name, _)| name == "name" || name == "generateName");
    let rest = metadata.as_object().into_iter().flatten();
    let says_more = rest.into_iter().any(|(key, value)| match key.as_str() {
        "type" | "default" => false,
        "properties" => !only_names,
        _ => !value.is_null(),
    });
    if says_more {
        let told = "must not specify anything other than name and generateName, but metadata is implicitly \
                    specified";
        causes.push(fault::forbidden(path, told));
    }
}

/// `anyOf: [{type: integer}, {type: string}]`, which may stand beside int-or-string.
fn is_int_or_string(any_of: &Value) -> bool {
    *any_of == serde_json::json!([{ "type": "integer" }, { "type": "string" }])
}

/// What of the well-known form of int-or-string is not looked at.
#[derive(Clone, Copy, Default)]
struct Skip {
    any_of: bool,
    first_all_of: bool,
}

fn values(schema: &Value, skip: Skip, path: &str, causes: &mut Vec<Cause>) {
    if !skip.any_of {
        for (index, one) in elements(schema, "anyOf") {
            nested(one, Skip::default(), &format!("{path}.anyOf[{index}]"), causes);
        }
    }
    for (index, one) in elements(schema, "allOf") {
        let skip = Skip { any_of: skip.first_all_of && index == 0, first_all_of: false };
        nested(one, skip, &format!("{path}.allOf[{index}]"), causes);
    }
    for (index, one) in elements(schema, "oneOf") {
        nested(one, Skip::default(), &format!("{path}.oneOf[{index}]"), causes);
    }
    if let Some(not) = schema.get("not") {
        nested(not, Skip::default(), &format!("{path}.not"), causes);
    }
    let pattern = text(schema, "pattern");
    if let Err(error) = expression(pattern) {
        let told = format!("must be a valid regular expression, but isn't: {}", go_error(pattern, &error));
        causes.push(fault::invalid_text(format!("{path}.pattern"), pattern, &told));
    }
}

/// Go's words for the commonest mistakes in an expression.
fn go_error(pattern: &str, error: &regex::Error) -> String {
    let told = error.to_string();
    if told.contains("unclosed group") {
        format!("error parsing regexp: missing closing ): `{pattern}`")
    } else if told.contains("unopened group") {
        format!("error parsing regexp: unexpected ): `{pattern}`")
    } else if told.contains("unclosed character class") {
        let from = pattern.find('[').unwrap_or_default();
        format!("error parsing regexp: missing closing ]: `{}`", &pattern[from..])
    } else {
        let last = told.lines().last().unwrap_or_default();
        format!("error parsing regexp: {}", last.strip_prefix("error: ").unwrap_or(last))
    }
}

fn nested(schema: &Value, skip: Skip, path: &str, causes: &mut Vec<Cause>) {
    let at = |key: &str| format!("{path}.{key}");
    values(schema, skip, path, causes);
    if let Some(items) = schema.get("items") {
        nested(items, Skip::default(), &at("items"), causes);
    }
    for (name, field) in fields(schema, "properties") {
        nested(field, Skip::default(), &at(&format!("properties[{name}]")), causes);
    }
    let forbidden: [(&str, bool, &str); 13] = [
        ("type", !text(schema, "type").is_empty(), "must be empty to be structural"),
        (
            "additionalProperties",
            schema.get("additionalProperties").is_some_and(|value| *value != false),
            "must be undefined to be structural",
        ),
        ("default", schema.get("default").is_some(), "must be undefined to be structural"),
        ("title", !text(schema, "title").is_empty(), "must be empty to be structural"),
        ("description", !text(schema, "description").is_empty(), "must be empty to be structural"),
        ("nullable", flag(schema, "nullable"), "must be false to be structural"),
        (
            "x-kubernetes-preserve-unknown-fields",
            flag(schema, "x-kubernetes-preserve-unknown-fields"),
            "must be false to be structural",
        ),
        (
            "x-kubernetes-embedded-resource",
            flag(schema, "x-kubernetes-embedded-resource"),
            "must be false to be structural",
        ),
        (
            "x-kubernetes-int-or-string",
            flag(schema, "x-kubernetes-int-or-string"),
            "must be false to be structural",
        ),
        (
            "x-kubernetes-list-map-keys",
            elements(schema, "x-kubernetes-list-map-keys").next().is_some(),
            "must be empty to be structural",
        ),
        (
            "x-kubernetes-list-type",
            schema.get("x-kubernetes-list-type").is_some(),
            "must be undefined to be structural",
        ),
        (
            "x-kubernetes-map-type",
            schema.get("x-kubernetes-map-type").is_some(),
            "must be undefined to be structural",
        ),
        (
            "x-kubernetes-validations",
            elements(schema, "x-kubernetes-validations").next().is_some(),
            "must be empty to be structural",
        ),
    ];
    let told = forbidden.into_iter().filter(|(_, is_there, _)| *is_there);
    causes.extend(told.map(|(key, _, told)| fault::forbidden(at(key), told)));
    if schema["properties"].get("metadata").is_some() {
        causes
            .push(fault::forbidden(at("properties[metadata]"), "must not be specified in a nested context"));
    }
}

/// What the alternatives at the root speak of is specified. The API server looks at the root's alone.
fn completeness(
    alternatives: &Value,
    schema: Option<&Value>,
    path: &str,
    from: &str,
    causes: &mut Vec<Cause>,
) {
    let mut one = |value: &Value, from: String| nested_completeness(value, schema, path, &from, causes);
    if let Some(not) = alternatives.get("not") {
        one(not, format!("{from}.not"));
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, value) in elements(alternatives, key) {
            one(value, format!("{from}.{key}[{index}]"));
        }
    }
}

fn nested_completeness(
    value: &Value,
    schema: Option<&Value>,
    path: &str,
    from: &str,
    causes: &mut Vec<Cause>,
) {
    let Some(schema) = schema else {
        causes.push(fault::required(path, &format!("because it is defined in {from}")));
        return;
    };
    completeness(value, Some(schema), path, from, causes);
    if let Some(items) = value.get("items") {
        let (path, from) = (format!("{path}.items"), format!("{from}.items"));
        nested_completeness(items, schema.get("items"), &path, &from, causes);
    }
    for (name, field) in fields(value, "properties") {
        let (path, from) = (format!("{path}.properties[{name}]"), format!("{from}.properties[{name}]"));
        nested_completeness(field, schema["properties"].get(name), &path, &from, causes);
    }
}
