//! Columns of custom kinds: `additionalPrinterColumns`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, path};
use crate::sandbox::fault;
use crate::sandbox::resource::Resource;

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some \
                    resources may allow a client to request the generation of an appropriate name automatically. \
                    Name is primarily intended for creation idempotence and configuration definition. Cannot be \
                    updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It \
                       is not guaranteed to be set in happens-before order across separate operations. Clients may \
                       not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the \
                       system. Read-only. Null for lists. More info: \
                       https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

fn column(name: &str, kind: &str, format: &str, description: &str, priority: i64) -> Value {
    json!({ "name": name, "type": kind, "format": format, "description": description, "priority": priority })
}

/// Columns of kinds without any of their own.
pub(super) fn plain_columns() -> Value {
    json!([column("Name", "string", "name", NAME, 0), column("Created At", "date", "", CREATED, 0)])
}

/// What a definition says of its version's columns; a kind that says nothing shows its age.
fn additional(resource: &Resource) -> Vec<Value> {
    let versions = resource.custom.as_ref().and_then(|definition| definition["spec"]["versions"].as_array());
    let version = versions.into_iter().flatten().find(|version| version["name"] == resource.version.as_str());
    match version.and_then(|version| version["additionalPrinterColumns"].as_array()) {
        Some(columns) if !columns.is_empty() => columns.clone(),
        _ => vec![json!({
            "name": "Age", "type": "date", "description": CREATED, "jsonPath": ".metadata.creationTimestamp",
        })],
    }
}

/// The columns.
pub(super) fn columns(resource: &Resource) -> Value {
    let text = |column: &Value, key: &str| column[key].as_str().unwrap_or_default().to_owned();
    let told = additional(resource)
        .iter()
        .map(|one| {
            let description = match text(one, "description") {
                none if none.is_empty() => format!(
                    "Custom resource definition column (in JSONPath format): {}",
                    text(one, "jsonPath")
                ),
                description => description,
            };
            let priority = one["priority"].as_i64().unwrap_or_default();
            column(&text(one, "name"), &text(one, "type"), &text(one, "format"), &description, priority)
        })
        .collect::<Vec<_>>();
    std::iter::once(column("Name", "string", "name", NAME, 0)).chain(told).collect()
}

/// The cells of an object.
pub(super) fn cells(resource: &Resource, object: &Value, now: Timestamp) -> Vec<Value> {
    let cell = |column: &Value| {
        let found = path::find(object, column["jsonPath"].as_str().unwrap_or_default());
        found.first().map_or(Value::Null, |value| shown(value, column["type"].as_str().unwrap_or(""), now))
    };
    std::iter::once(object["metadata"]["name"].clone()).chain(additional(resource).iter().map(cell)).collect()
}

fn shown(value: &Value, kind: &str, now: Timestamp) -> Value {
    match (kind, value) {
        ("string", Value::String(text)) => text.as_str().into(),
        ("string", Value::Number(number)) => fault::go_number(number).into(),
        ("string", Value::Null) => "<nil>".into(),
        ("string", other) => fault::go_json(other).into(),
        ("integer", Value::Number(number)) => {
            #[expect(clippy::cast_possible_truncation, reason = "as the API server converts")]
            let whole = |float: f64| float as i64;
            number.as_i64().or_else(|| number.as_f64().map(whole)).into()
        }
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("date", Value::String(text)) => match text.parse::<Timestamp>() {
            Ok(_) => age::since(value, now).into(),
            Err(_) => "<invalid>".into(),
        },
        _ => Value::Null,
    }
}
