//! What a custom kind does with its objects (`apiextensions-apiserver` `registry/customresource`).

use std::sync::Arc;

use serde_json::Value;

use super::node::Node;
use super::{check, decode, lists, rules};
use crate::fields::FieldSet;
use crate::path::FieldPath;
use crate::sandbox::error::{ApiError, Cause};
use crate::sandbox::fault;
use crate::sandbox::meta;
use crate::sandbox::resource::{Draw, Endpoint, FieldValidation, Resource, Scale, Strategy};

/// A custom kind in one version.
#[derive(Debug)]
pub(super) struct Custom {
    /// Its schema.
    pub(super) node: Arc<Node>,
    /// Its kind.
    pub(super) kind: String,
    /// `group/version`.
    pub(super) api_version: String,
    /// Whether `status` is a subresource.
    pub(super) status: bool,
    /// Whether `scale` is one.
    pub(super) scale: Option<Scale>,
    /// Whether its objects lie in namespaces.
    pub(super) namespaced: bool,
}

impl Strategy for Custom {
    fn decode(
        &self,
        resource: &Resource,
        object: &mut Value,
        duplicates: &[String],
        validation: FieldValidation,
    ) -> Result<Vec<String>, ApiError> {
        let refused = |why: &str| {
            ApiError::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {}: {why}",
                resource.kind, resource.version, resource.kind
            ))
        };
        let unknown = if object["kind"] == resource.kind.as_str() {
            decode::decode(object, &self.node)
        } else {
            Ok(Vec::new())
        };
        let unknown = unknown.map_err(|why| refused(&why))?;
        let duplicates = duplicates.iter().map(|path| format!("duplicate field \"{path}\""));
        let told: Vec<String> =
            duplicates.chain(unknown.iter().map(|path| format!("unknown field \"{path}\""))).collect();
        match validation {
            FieldValidation::Strict if !told.is_empty() => {
                Err(refused(&format!("strict decoding error: {}", told.join(", "))))
            }
            FieldValidation::Ignore => Ok(Vec::new()),
            FieldValidation::Strict | FieldValidation::Warn => Ok(told),
        }
    }

    fn default(&self, object: &mut Value) {
        decode::default(object, &self.node);
    }

    fn prepare_create(&self, object: &mut Value, _: &dyn Draw) {
        if let (true, Some(map)) = (self.status, object.as_object_mut()) {
            map.remove("status");
        }
        object["metadata"]["generation"] = 1.into();
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, endpoint: Endpoint, _: &dyn Draw) {
        let status = match endpoint {
            Endpoint::Main | Endpoint::Scale if self.status => old.get("status").cloned(),
            Endpoint::Main | Endpoint::Scale => return,
            Endpoint::Status => {
                let sent = object.get("status").cloned();
                let managed = object["metadata"].get("managedFields").cloned();
                let version = object["metadata"].get("resourceVersion").cloned();
                object.clone_from(old);
                for (key, value) in [("managedFields", managed), ("resourceVersion", version)] {
                    put(&mut object["metadata"], key, value);
                }
                sent
            }
        };
        put(object, "status", status);
    }

    fn validate_create(&self, object: &Value) -> Vec<Cause> {
        let wrong_type = self.check_type(object);
        if !wrong_type.is_empty() {
            return wrong_type;
        }
        let mut causes = self.check_metadata(object, None);
        causes.extend(check::check(&self.node, object, None, ""));
        causes.extend(self.check_scale_spec(object));
        causes.extend(self.check_scale_status(object));
        causes.extend(lists::embedded(&self.node, object, ""));
        causes.extend(lists::duplicates(&self.node, object));
        self.with_rules(causes, object, None)
    }

    fn validate_update(&self, object: &Value, old: &Value, endpoint: Endpoint) -> Vec<Cause> {
        let wrong_type = self.check_type(object);
        if !wrong_type.is_empty() {
            return wrong_type;
        }
        let mut causes = self.check_metadata(object, Some(old));
        if endpoint == Endpoint::Status {
            if let (Some(status), Some(node)) = (object.get("status"), self.node.properties.get("status")) {
                causes.extend(check::check(node, status, old.get("status"), "status"));
            }
        } else {
            causes.extend(check::check(&self.node, object, Some(old), ""));
            causes.extend(self.check_scale_spec(object));
        }
        causes.extend(self.check_scale_status(object));
        if endpoint != Endpoint::Status {
            causes.extend(lists::embedded(&self.node, object, ""));
        }
        if lists::duplicates(&self.node, old).is_empty() {
            causes.extend(lists::duplicates(&self.node, object));
        }
        self.with_rules(causes, object, Some(old))
    }

    fn reset_fields(&self, endpoint: Endpoint) -> FieldSet {
        let paths: &[&str] = match endpoint {
            Endpoint::Main if self.status => &["status"],
            Endpoint::Status => &["metadata", "spec"],
            Endpoint::Main | Endpoint::Scale => &[],
        };
        paths.iter().map(|path| FieldPath::keys([*path])).collect()
    }

    fn is_new_generation(&self, object: &Value, old: &Value) -> bool {
        let rest = |object: &Value| -> Vec<(String, Value)> {
            let fields = object.as_object().into_iter().flatten();
            fields
                .filter(|(key, _)| key.as_str() != "metadata" && !(self.status && key.as_str() == "status"))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        rest(object) != rest(old)
    }

    fn warnings(&self, object: &Value, old: Option<&Value>, _: Endpoint) -> Vec<String> {
        let names = |object: &Value| -> Vec<String> {
            let finalizers = object["metadata"]["finalizers"].as_array().into_iter().flatten();
            finalizers.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let had = old.map(names).unwrap_or_default();
        let mut names = names(object);
        names.retain(|name| !had.contains(name));
        names.sort_unstable();
        names.iter().filter_map(|name| finalizer_warning(name)).collect()
    }
}

impl Custom {
    fn check_type(&self, object: &Value) -> Vec<Cause> {
        let mut causes = Vec::new();
        for (key, wanted) in [("kind", &self.kind), ("apiVersion", &self.api_version)] {
            if object[key] != wanted.as_str() {
                causes.push(fault::invalid(key, &object[key], &format!("must be {wanted}")));
            }
        }
        causes
    }

    fn check_metadata(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = meta::Causes::default();
        let metadata = &object["metadata"];
        match old {
            None => {
                let at = meta::At::new("metadata");
                meta::check(&mut causes, metadata, &at, self.namespaced, meta::dns_subdomain);
            }
            Some(old) => meta::check_update(&mut causes, metadata, &old["metadata"], self.namespaced),
        }
        causes.into_vec()
    }

    /// Rules are asked only of objects whose types are right.
    fn with_rules(&self, mut causes: Vec<Cause>, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        const BLOCKING: &[&str] = &[
            "FieldValueNotSupported",
            "FieldValueRequired",
            "FieldValueTooLong",
            "FieldValueTooMany",
            "FieldValueTypeInvalid",
        ];
        if !self.node.has_rules() {
            return causes;
        }
        if causes.iter().any(|cause| BLOCKING.contains(&cause.reason)) {
            let told = "some validation rules were not checked because the object was invalid; correct the \
                        existing errors to complete validation";
            causes.push(fault::invalid("<nil>", &Value::Null, told));
        } else {
            causes.extend(rules::check(&self.node, object, old));
        }
        causes
    }

    fn check_scale_spec(&self, object: &Value) -> Vec<Cause> {
        let path = self.scale.as_ref().map(|scale| scale.spec_path.as_str());
        path.into_iter().filter_map(|path| check_replicas(object, path)).collect()
    }

    fn check_scale_status(&self, object: &Value) -> Vec<Cause> {
        let Some(scale) = &self.scale else {
            return Vec::new();
        };
        let mut causes: Vec<Cause> = check_replicas(object, &scale.status_path).into_iter().collect();
        if let Some(path) = &scale.selector_path {
            match at(object, path) {
                Ok(None | Some(Value::String(_))) => {}
                Ok(Some(other)) => {
                    let told = accessor_error(path, other, "string");
                    causes.push(fault::invalid_text(path.as_str(), "", &told));
                }
                Err(told) => causes.push(fault::invalid_text(path.as_str(), "", &told)),
            }
        }
        causes
    }
}

fn check_replicas(object: &Value, path: &str) -> Option<Cause> {
    let invalid = |value: i64, told: &str| Some(fault::invalid(path, &value.into(), told));
    match at(object, path) {
        Err(told) => invalid(0, &told),
        Ok(None) => None,
        Ok(Some(value)) => match value.as_i64() {
            None => invalid(0, &accessor_error(path, value, "int64")),
            Some(replicas @ ..0) => invalid(replicas, "should be a non-negative integer"),
            Some(replicas) if replicas > i64::from(i32::MAX) => {
                invalid(replicas, &format!("should be less than or equal to {}", i32::MAX))
            }
            Some(_) => None,
        },
    }
}

/// The value at a simple path, `.spec.replicas`.
///
/// # Errors
/// What is above it is no map.
fn at<'v>(object: &'v Value, path: &str) -> Result<Option<&'v Value>, String> {
    let mut value = object;
    for key in path.trim_start_matches('.').split('.') {
        match value {
            Value::Object(map) => match map.get(key) {
                Some(below) => value = below,
                None => return Ok(None),
            },
            other => return Err(accessor_error(path, other, "map[string]interface{}")),
        }
    }
    Ok(Some(value))
}

fn accessor_error(path: &str, value: &Value, wanted: &str) -> String {
    let (shown, kind) = match value {
        Value::Null => ("<nil>".to_owned(), "<nil>"),
        Value::Bool(value) => (value.to_string(), "bool"),
        Value::Number(number) if number.is_i64() => (number.to_string(), "int64"),
        Value::Number(number) => (fault::go_number(number), "float64"),
        Value::String(text) => (text.clone(), "string"),
        Value::Array(list) if list.is_empty() => ("[]".to_owned(), "[]interface {}"),
        Value::Array(_) => (go_value(value), "[]interface {}"),
        Value::Object(_) => (go_value(value), "map[string]interface {}"),
    };
    let path = path.trim_start_matches('.');
    format!(".{path} accessor error: {shown} is of the type {kind}, expected {wanted}")
}

/// A value as Go's `%v` prints it.
fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Number(number) => fault::go_number(number),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().map(go_value).collect();
            format!("[{}]", parts.join(" "))
        }
        Value::Object(map) => {
            let parts: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}:{}", go_value(value))).collect();
            format!("map[{}]", parts.join(" "))
        }
        Value::Bool(value) => value.to_string(),
    }
}

fn put(map: &mut Value, key: &str, value: Option<Value>) {
    let Some(map) = map.as_object_mut() else {
        return;
    };
    match value {
        Some(value) => map.insert(key.to_owned(), value),
        None => map.remove(key),
    };
}

/// What is said of a finalizer whose name may collide.
fn finalizer_warning(name: &str) -> Option<String> {
    if name.contains('/') || matches!(name, "orphan" | "foregroundDeletion" | "kubernetes") {
        return None;
    }
    let path = if name.contains('.') { " including a path (/)" } else { "" };
    Some(format!(
        "metadata.finalizers: {}: prefer a domain-qualified finalizer name{path} to avoid accidental conflicts \
         with other finalizer writers",
        fault::quote(name)
    ))
}
