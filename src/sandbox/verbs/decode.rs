//! From a request's body to an object of the kind.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Request;
use crate::sandbox::error::ApiError;
use crate::sandbox::fault;
use crate::sandbox::http::Decoded;
use crate::sandbox::resource::{FieldValidation, Resource};
use crate::schema;

/// Decodes the body of a POST or PUT: its kind and version are the resource's, its fields those of the kind,
/// defaults are filled in.
///
/// # Errors
/// 400.
pub(super) fn decode(resource: &Resource, request: &Request, body: Decoded) -> Result<Value, ApiError> {
    let Decoded { value: mut object, duplicates } = body;
    check_kind(resource, &mut object)?;
    request.warn(resource.strategy.decode(resource, &mut object, &duplicates, request.validation)?);
    resource.strategy.default(&mut object);
    Ok(object)
}

/// Checks `apiVersion` and `kind`, and fills in what is missing of them.
fn check_kind(resource: &Resource, object: &mut Value) -> Result<(), ApiError> {
    if object.is_null() && resource.custom.is_none() {
        *object = json!({});
    }
    let expected = api_version(&resource.group, &resource.version);
    let kind = text_of(resource, object, "kind")?;
    let version = text_of(resource, object, "apiVersion")?;
    if resource.custom.is_some() {
        if kind.is_empty() {
            let text = object.to_string();
            let why = format!(
                "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in '{text}' ({})",
                resource.kind,
                summary(text.as_bytes())
            );
            return Err(ApiError::bad_request(why));
        }
        if version != expected {
            return Err(mismatch(&version, &expected));
        }
        // Another kind is found when the object is validated.
        return Ok(());
    }
    let kind = if kind.is_empty() { resource.kind.clone() } else { kind };
    let version = if version.is_empty() { expected.clone() } else { version };
    if (kind.as_str(), version.as_str()) != (resource.kind.as_str(), expected.as_str()) {
        return Err(of_another_kind(resource, &kind, &version, &expected));
    }
    let Value::Object(map) = object else { return Ok(()) };
    map.insert("kind".into(), kind.into());
    map.insert("apiVersion".into(), version.into());
    Ok(())
}

fn of_another_kind(resource: &Resource, kind: &str, version: &str, expected: &str) -> ApiError {
    let short = version.rsplit_once('/').map_or(version, |(_, short)| short);
    let cannot = |why: &str| {
        let own = &resource.kind;
        ApiError::bad_request(format!("{kind} in version \"{short}\" cannot be handled as a {own}: {why}"))
    };
    if schema::lookup(version, kind).is_none() && !is_old(version, kind) {
        return cannot(&format!(
            "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\""
        ));
    }
    if kind == resource.kind && version.split_once('/').map_or("", |(group, _)| group) == resource.group {
        return mismatch(version, expected);
    }
    let package = match resource.group.split('.').next() {
        Some("") | None => "core",
        Some(package) => package,
    };
    cannot(&format!("converting ({short}.{kind}) to ({package}.{}): unknown conversion", resource.kind))
}

/// Whether a kind is known in a version that is not served any more.
fn is_old(version: &str, kind: &str) -> bool {
    match version {
        "apps/v1beta1" => matches!(kind, "Deployment" | "StatefulSet"),
        "apps/v1beta2" => matches!(kind, "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet"),
        "autoscaling/v1" => kind == "HorizontalPodAutoscaler",
        "batch/v1beta1" => kind == "CronJob",
        "coordination.k8s.io/v1beta1" => kind == "Lease",
        "discovery.k8s.io/v1beta1" => kind == "EndpointSlice",
        "events.k8s.io/v1beta1" => kind == "Event",
        "networking.k8s.io/v1beta1" => matches!(kind, "Ingress" | "IngressClass"),
        "policy/v1beta1" => kind == "PodDisruptionBudget",
        "rbac.authorization.k8s.io/v1alpha1" | "rbac.authorization.k8s.io/v1beta1" => {
            matches!(kind, "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding")
        }
        "scheduling.k8s.io/v1beta1" => kind == "PriorityClass",
        "storage.k8s.io/v1beta1" => matches!(kind, "StorageClass" | "VolumeAttributesClass"),
        _ => false,
    }
}

fn mismatch(version: &str, expected: &str) -> ApiError {
    ApiError::bad_request(format!(
        "the API version in the data ({version}) does not match the expected API version ({expected})"
    ))
}

fn text_of(resource: &Resource, object: &Value, field: &str) -> Result<String, ApiError> {
    let Value::Object(map) = object else {
        let name = match object {
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
            // `null` is an empty object to Go.
            _ => return Ok(String::new()),
        };
        let why = format!(
            "json: cannot unmarshal {name} into Go value of type struct {{ APIVersion string \
             \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
        );
        return Err(unrecognized(&resource.kind, &why, object.to_string().as_bytes()));
    };
    match map.get(field) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => {
            let name = match other {
                Value::Array(_) => "array",
                Value::Object(_) => "object",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            let why = format!("json: cannot unmarshal {name} into Go struct field .{field} of type string");
            Err(unrecognized(&resource.kind, &why, object.to_string().as_bytes()))
        }
    }
}

/// The error of a body that is no JSON, or no object.
pub(in crate::sandbox) fn unrecognized(kind: &str, why: &str, body: &[u8]) -> ApiError {
    ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: \
         {why} ({})",
        summary(body)
    ))
}

/// The beginning of a body as the API server shows it: text of an object, else bytes.
fn summary(body: &[u8]) -> String {
    const LONGEST: usize = 30;
    let cut = &body[..body.len().min(LONGEST)];
    let more = if body.len() > LONGEST { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(cut)),
        Some(_) => {
            let mut text = String::new();
            for byte in cut {
                write!(text, "{byte:02x}").expect("a String takes all text");
            }
            format!("{text}{more}")
        }
    }
}

/// `apiVersion` of a group and version.
pub(in crate::sandbox) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// Checks what an apply says it is.
///
/// # Errors
/// 400, as server-side apply words it.
pub(super) fn check_applied(resource: &Resource, applied: &Value) -> Result<(), ApiError> {
    let Value::Object(map) = applied else {
        let name = match applied {
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            _ => "number",
        };
        return Err(ApiError::bad_request(format!(
            "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {name} into \
             Go value of type map[string]interface {{}}"
        )));
    };
    let text = |field| map.get(field).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if kind != resource.kind || version != api_version(&resource.group, &resource.version) {
        let version = if version.contains('/') { version.to_owned() } else { format!("/{version}") };
        return Err(ApiError::bad_request(format!("invalid object type: {version}, Kind={kind}")));
    }
    Ok(())
}

/// Warns of keys given twice in an apply, or refuses them.
///
/// # Errors
/// 400 if the client wants it strict.
pub(super) fn applied_twice(request: &Request, duplicates: &[String]) -> Result<(), ApiError> {
    if duplicates.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = duplicates
        .iter()
        .map(|path| {
            let key = path.rsplit('.').next().unwrap_or(path);
            format!("line 1: key {} already set in map", fault::quote(key))
        })
        .collect();
    match request.validation {
        FieldValidation::Ignore => {}
        FieldValidation::Warn => request.warn(told),
        FieldValidation::Strict => {
            return Err(ApiError::bad_request(format!(
                "error strict decoding patch: error converting YAML to JSON: yaml: unmarshal errors:\n  {}",
                told.join("\n  ")
            )));
        }
    }
    Ok(())
}
