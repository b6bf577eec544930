//! The subresource `scale`: an object of its own kind that stands for the replicas of another.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::metadata::text;
use super::write::{check_name, place, store};
use super::{Answer, Patch, Request, api_version};
use crate::path::FieldPath;
use crate::sandbox::error::{ApiError, Cause, Details};
use crate::sandbox::fault;
use crate::sandbox::http::Decoded;
use crate::sandbox::ownership;
use crate::sandbox::patch as patches;
use crate::sandbox::resource::{Resource, Scale};
use crate::sandbox::server::Server;

/// What stands in a `Scale` whose object has no replicas; nothing else can be so many.
const UNSET: i64 = i32::MIN as i64;

/// The `Scale` of an object.
///
/// # Errors
/// 500 for a custom object that says no number of replicas.
pub(super) fn of(resource: &Resource, object: &Value) -> Result<Value, ApiError> {
    let paths = paths(resource)?;
    if resource.custom.is_some() && at(object, &paths.spec_path).is_none() {
        let why = format!("the spec replicas field \"{}\" does not exist", paths.spec_path);
        let cause = Cause { reason: "", message: why.clone(), field: String::new() };
        let details = Details { causes: vec![cause], ..Details::default() };
        let message = format!("Internal error occurred: {why}");
        return Err(ApiError::new(500, "InternalError", message).with(details));
    }
    Ok(view(paths, object, 0))
}

fn view(paths: &Scale, object: &Value, missing: i64) -> Value {
    let mut metadata = Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if !text(object, field).is_empty() {
            metadata.insert(field.into(), text(object, field).into());
        }
    }
    let replicas = at(object, &paths.spec_path).and_then(Value::as_i64).unwrap_or(missing);
    let spec = if replicas == 0 { json!({}) } else { json!({ "replicas": replicas }) };
    let observed = at(object, &paths.status_path).and_then(Value::as_i64).unwrap_or_default();
    let mut status = json!({ "replicas": observed });
    let selector = paths.selector_path.as_deref().and_then(|path| at(object, path));
    let selector = selector.map(selector_text).filter(|text| !text.is_empty());
    if let Some(selector) = selector {
        status["selector"] = selector.into();
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status,
    })
}

/// PUT of a `Scale`.
///
/// # Errors
/// As the API server refuses.
pub(super) async fn update(
    server: &Server,
    resource: &Resource,
    request: &Request,
    body: Decoded,
) -> Result<Answer, ApiError> {
    let mut scale = body.value;
    check(&scale)?;
    let mut object = json!({ "metadata": scale["metadata"].take() });
    place(resource, request, &mut object)?;
    check_name(request, &object)?;
    scale["metadata"] = object["metadata"].take();
    change(server, resource, request, |live| {
        let mut new = scale.clone();
        // Nothing but its replicas is the client's to say.
        new["status"] = live["status"].clone();
        Ok(owned(server, resource, request, live, new))
    })
    .await
}

/// PATCH of a `Scale`.
///
/// # Errors
/// As the API server refuses.
pub(super) async fn patch(
    server: &Server,
    resource: &Resource,
    request: &Request,
    patch: Patch,
) -> Result<Answer, ApiError> {
    change(server, resource, request, |live| {
        let mut new = live.clone();
        match &patch {
            Patch::Merge(body) => patches::merge(&mut new, &body.value)?,
            Patch::Json(body) => patches::json(&mut new, &body.value)?,
            Patch::Apply { object, force } => {
                return applied(server, resource, request, live, &object.value, *force);
            }
        }
        check(&new).map_err(|error| {
            let why = error.message.split_once("as a Scale: ").map_or(error.message.as_str(), |(_, why)| why);
            ApiError::invalid("", "", "", vec![fault::invalid_text("patch", &new.to_string(), why)])
        })?;
        Ok(owned(server, resource, request, live, new))
    })
    .await
}

fn owned(server: &Server, resource: &Resource, request: &Request, live: &Value, mut new: Value) -> Value {
    // No replicas are left out of a `Scale`, so who sets none owns nothing.
    if let Some(spec) = new["spec"].as_object_mut().filter(|spec| spec.get("replicas") == Some(&0.into())) {
        spec.remove("replicas");
    }
    request.as_writer(server, resource, false, |writer| {
        let writer = ownership::Writer { api_version: "autoscaling/v1", ..*writer };
        ownership::update(&ownership::scale_schema(), Some(live), new, &writer)
    })
}

fn applied(
    server: &Server,
    resource: &Resource,
    request: &Request,
    live: &Value,
    applied: &Value,
    force: bool,
) -> Result<Value, ApiError> {
    let told = |field: &str| applied[field].as_str().unwrap_or_default();
    if told("kind") != "Scale" || told("apiVersion") != "autoscaling/v1" {
        let version = match told("apiVersion") {
            version if version.contains('/') => version.to_owned(),
            version => format!("/{version}"),
        };
        let why = format!("invalid object type: {version}, Kind={}", told("kind"));
        return Err(ApiError::bad_request(why));
    }
    if resource.custom.is_some() && live["metadata"]["managedFields"].is_null() {
        // The API server cannot tell who owned the replicas of a custom object before.
        let why = "failed to create manager for existing fields: failed to convert live object (/; autoscaling/v1, \
                   Kind=Scale) to proper version: request to convert CR to an invalid group/version: autoscaling/v1";
        return Err(ApiError::new(500, "", why));
    }
    request.as_writer(server, resource, force, |writer| {
        let writer = ownership::Writer { api_version: "autoscaling/v1", ..*writer };
        ownership::apply(&ownership::scale_schema(), Some(live), applied, &writer)
    })
}

/// Stores an object whose `Scale`, which `make` is given, becomes what `make` answers.
async fn change(
    server: &Server,
    resource: &Resource,
    request: &Request,
    make: impl Fn(&Value) -> Result<Value, ApiError> + Send + Sync,
) -> Result<Answer, ApiError> {
    let paths = paths(resource)?;
    let versions = versions(server, resource);
    let answer = store(server, resource, request, None, false, |live| {
        // `store` has refused what is not there.
        let Some(live) = live else { return Err(super::not_found(resource, &request.name)) };
        let missing = if resource.custom.is_some() { UNSET } else { 0 };
        let mut old = view(paths, live, missing);
        old["metadata"]["managedFields"] = ownership::to_scale(live, &versions)?;
        let new = make(&old)?;
        let replicas = new["spec"]["replicas"].as_i64().unwrap_or_default();
        if replicas == UNSET {
            let why = format!("the spec replicas field \"{}\" cannot be empty", paths.spec_path);
            return Err(ApiError::bad_request(why));
        }
        check_replicas(request, replicas)?;
        check_uid(resource, request, &new, live)?;
        let mut object = live.clone();
        put(&mut object, &paths.spec_path, replicas.into());
        let version = api_version(&resource.group, &resource.version);
        if !text(&new, "resourceVersion").is_empty() {
            super::metadata::copy(&mut object, "resourceVersion", &new);
        }
        let entries = ownership::from_scale(live, &new, &version, &versions)?;
        super::metadata::set(&mut object, "managedFields", entries);
        Ok(object)
    });
    let mut answer = answer.await?;
    answer.object = view(paths, &answer.object, 0);
    Ok(answer)
}

fn check_replicas(request: &Request, replicas: i64) -> Result<(), ApiError> {
    if replicas >= 0 {
        return Ok(());
    }
    let cause = fault::invalid("spec.replicas", &replicas.into(), "must be greater than or equal to 0");
    Err(ApiError::invalid("autoscaling", "Scale", &request.name, vec![cause]))
}

fn check_uid(resource: &Resource, request: &Request, scale: &Value, object: &Value) -> Result<(), ApiError> {
    let (asked, actual) = (text(scale, "uid"), text(object, "uid"));
    if asked.is_empty() || asked == actual {
        return Ok(());
    }
    let why = format!("Precondition failed: UID in precondition: {asked}, UID in object meta: {actual}");
    let plural = format!("{}/scale", resource.plural);
    Err(ApiError::conflict(&resource.group, &plural, &request.name, &why))
}

/// Checks the types of what counts in a `Scale`.
fn check(scale: &Value) -> Result<(), ApiError> {
    let kind = scale["kind"].as_str().unwrap_or("Scale");
    let version = scale["apiVersion"].as_str().unwrap_or("autoscaling/v1");
    let cannot = |why: &str| {
        let short = version.rsplit('/').next().unwrap_or_default();
        ApiError::bad_request(format!("{kind} in version \"{short}\" cannot be handled as a Scale: {why}"))
    };
    if (kind, version) != ("Scale", "autoscaling/v1") {
        let why = format!(
            "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\""
        );
        return Err(cannot(&why));
    }
    let replicas = &scale["spec"]["replicas"];
    let is_number = replicas.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
    if replicas.is_null() || is_number {
        return Ok(());
    }
    let what = match replicas {
        Value::String(_) => "string".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
        number => format!("number {number}"),
    };
    Err(cannot(&format!(
        "json: cannot unmarshal {what} into Go struct field ScaleSpec.spec.replicas of type int32"
    )))
}

fn paths(resource: &Resource) -> Result<&Scale, ApiError> {
    resource
        .scale
        .as_ref()
        .ok_or_else(|| ApiError::new(404, "NotFound", "the server could not find the requested resource"))
}

/// Where the replicas stand in each version that is served.
fn versions(server: &Server, resource: &Resource) -> BTreeMap<String, Option<FieldPath>> {
    let served = server.registry.served();
    let of_kind =
        served.values().filter(|other| other.group == resource.group && other.plural == resource.plural);
    of_kind
        .map(|other| {
            let path = other.scale.as_ref().map(|scale| FieldPath::keys(keys(&scale.spec_path)));
            (api_version(&other.group, &other.version), path)
        })
        .collect()
}

fn keys(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('.').split('.')
}

fn at<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    keys(path).try_fold(object, |value, key| value.get(key)).filter(|value| !value.is_null())
}

fn put(object: &mut Value, path: &str, replicas: Value) {
    let mut place = object;
    for key in keys(path) {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[key];
    }
    *place = replicas;
}

/// A selector as text: custom objects have it as one, built-in ones as an object.
fn selector_text(selector: &Value) -> String {
    if let Some(text) = selector.as_str() {
        return text.to_owned();
    }
    let mut terms: Vec<(String, String)> = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        terms.push((key.clone(), format!("{key}={}", value.as_str().unwrap_or_default())));
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = expression["key"].as_str().unwrap_or_default();
        let mut values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let term = match expression["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        };
        terms.push((key.to_owned(), term));
    }
    terms.sort();
    terms.into_iter().map(|(_, term)| term).collect::<Vec<_>>().join(",")
}
