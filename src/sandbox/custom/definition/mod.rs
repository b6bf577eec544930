//! `CustomResourceDefinition`: the kind that defines kinds.

mod approval;
mod check;
mod schema;
mod schema_lists;
mod status;
mod structural;
#[cfg(test)]
mod tests;
mod types;
mod versions;

use std::sync::Arc;

use serde_json::{Value, json};

pub(in crate::sandbox) use status::{COMPLETED, PENDING, status, terminating};

use super::typed;
use crate::fields::FieldSet;
use crate::path::FieldPath;
use crate::sandbox::error::{ApiError, Cause};
use crate::sandbox::fault;
use crate::sandbox::resource::{Draw, Endpoint, FieldValidation, Resource, Strategy};
use crate::sandbox::schema::Schema;
use structural::{elements, text};

/// The kind.
pub(in crate::sandbox) fn definition() -> Resource {
    let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    Resource {
        group: "apiextensions.k8s.io".into(),
        version: "v1".into(),
        kind: "CustomResourceDefinition".into(),
        list_kind: "CustomResourceDefinitionList".into(),
        plural: "customresourcedefinitions".into(),
        singular: "customresourcedefinition".into(),
        short_names: vec!["crd".into(), "crds".into()],
        categories: vec!["api-extensions".into()],
        namespaced: false,
        verbs: verbs.map(str::to_owned).to_vec(),
        status: true,
        scale: None,
        selectable: Vec::new(),
        schema: Schema::BuiltIn(crate::schema::root_of(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
        )),
        strategy: Arc::new(Definition),
        custom: None,
    }
}

/// What the API server does with definitions (`k8s.io/apiextensions-apiserver`
/// `pkg/registry/customresourcedefinition`).
#[derive(Debug)]
struct Definition;

impl Strategy for Definition {
    fn decode(
        &self,
        resource: &Resource,
        object: &mut Value,
        duplicates: &[String],
        validation: FieldValidation,
    ) -> Result<Vec<String>, ApiError> {
        let refused = |why: &str| {
            let (kind, version) = (&resource.kind, &resource.version);
            ApiError::bad_request(format!(
                "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
            ))
        };
        let mut unknown = Vec::new();
        typed::read(object, &types::DEFINITION, "", &mut unknown).map_err(|why| refused(&why))?;
        let unknown = unknown.iter().map(|path| format!("unknown field \"{path}\""));
        let duplicates = duplicates.iter().map(|path| format!("duplicate field \"{path}\""));
        let told: Vec<String> = unknown.chain(duplicates).collect();
        match validation {
            FieldValidation::Strict if !told.is_empty() => {
                Err(refused(&format!("strict decoding error: {}", told.join(", "))))
            }
            FieldValidation::Ignore => Ok(Vec::new()),
            FieldValidation::Strict | FieldValidation::Warn => Ok(told),
        }
    }

    fn default(&self, object: &mut Value) {
        complete(object);
        let names = &mut object["spec"]["names"];
        let kind = text(names, "kind").to_owned();
        if text(names, "singular").is_empty() && !kind.is_empty() {
            names["singular"] = kind.to_lowercase().into();
        }
        if text(names, "listKind").is_empty() && !kind.is_empty() {
            names["listKind"] = format!("{kind}List").into();
        }
        let spec = &mut object["spec"];
        if spec["conversion"].is_null() {
            spec["conversion"] = json!({ "strategy": "None" });
        }
        let service = &mut spec["conversion"]["webhook"]["clientConfig"]["service"];
        if service.is_object() && service["port"].is_null() {
            service["port"] = 443.into();
        }
        forget_nulls(&mut spec["conversion"]);
        if elements(&object["status"], "storedVersions").next().is_none() {
            store_version(object);
        }
    }

    fn prepare_create(&self, object: &mut Value, _: &dyn Draw) {
        object["status"] = Value::Null;
        complete(object);
        store_version(object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, endpoint: Endpoint, _: &dyn Draw) {
        match endpoint {
            Endpoint::Main | Endpoint::Scale => {
                object["status"] = old["status"].clone();
                store_version(object);
            }
            Endpoint::Status => object["spec"] = old["spec"].clone(),
        }
        complete(object);
    }

    fn validate_create(&self, object: &Value) -> Vec<Cause> {
        check::check(object, None)
    }

    fn validate_update(&self, object: &Value, old: &Value, endpoint: Endpoint) -> Vec<Cause> {
        match endpoint {
            Endpoint::Main | Endpoint::Scale => check::check(object, Some(old)),
            Endpoint::Status => check::check_status(object, old),
        }
    }

    fn reset_fields(&self, endpoint: Endpoint) -> FieldSet {
        let field = match endpoint {
            Endpoint::Main | Endpoint::Scale => "status",
            Endpoint::Status => "spec",
        };
        [FieldPath::keys([field])].into_iter().collect()
    }

    fn is_new_generation(&self, object: &Value, old: &Value) -> bool {
        object["spec"] != old["spec"]
    }

    fn warnings(&self, object: &Value, old: Option<&Value>, endpoint: Endpoint) -> Vec<String> {
        if endpoint == Endpoint::Status {
            return Vec::new();
        }
        let had = old.map(unknown_formats).unwrap_or_default();
        let mut told = unknown_formats(object);
        told.retain(|format| !had.contains(format));
        told
    }
}

/// Formats that mean nothing to the API server, as it warns of them.
fn unknown_formats(definition: &Value) -> Vec<String> {
    let mut told = Vec::new();
    for (_, version) in elements(&definition["spec"], "versions") {
        formats(&version["schema"]["openAPIV3Schema"], &mut told);
    }
    // What all versions say alike is one schema to the API server.
    let versions = elements(&definition["spec"], "versions").count();
    if versions > 1 && versions::View::of(definition).schema.is_some() {
        told.truncate(told.len() / versions);
    }
    told
}

/// Writes what Go always writes.
fn complete(object: &mut Value) {
    let mut unknown = Vec::new();
    // What was read once fits.
    let read = typed::read(object, &types::DEFINITION, "", &mut unknown);
    debug_assert!(read.is_ok(), "{read:?}");
}

/// `value["a"]["b"]` on a map leaves nulls behind.
fn forget_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.values_mut().for_each(forget_nulls);
        map.retain(|_, value| !value.is_null() && !value.as_object().is_some_and(serde_json::Map::is_empty));
    }
}

/// Notes the version objects are stored in.
fn store_version(object: &mut Value) {
    let versions = elements(&object["spec"], "versions").map(|(_, version)| version);
    let stored = versions.into_iter().find(|version| version["storage"] == true);
    let Some(name) = stored.map(|version| version["name"].clone()) else {
        return;
    };
    let list = &mut object["status"]["storedVersions"];
    match list {
        Value::Array(list) if list.contains(&name) => {}
        Value::Array(list) => list.push(name),
        _ => *list = Value::Array(vec![name]),
    }
}

/// Those of one schema.
fn formats(schema: &Value, told: &mut Vec<String>) {
    let Value::Object(map) = schema else {
        return;
    };
    let format = text(schema, "format");
    if !format.is_empty() && !super::formats::is_known(text(schema, "type"), format) {
        told.push(format!("unrecognized format {}", fault::quote(format)));
    }
    for key in ["items", "allOf", "anyOf", "oneOf", "not", "properties", "additionalProperties"] {
        match map.get(key) {
            Some(Value::Array(list)) => list.iter().for_each(|one| formats(one, told)),
            Some(Value::Object(fields)) if key == "properties" => {
                fields.values().for_each(|field| formats(field, told));
            }
            Some(below) => formats(below, told),
            None => {}
        }
    }
}
