//! Options of requests, from the query and, of a DELETE, from the body; checked as the API server checks them.

use serde_json::Value;

use super::body::Decoded;
use super::query::Query;
use crate::sandbox::error::{ApiError, Cause};
use crate::sandbox::fault;
use crate::sandbox::resource::{FieldValidation, Propagation};
use crate::sandbox::verbs::DeleteOptions;

/// The longest name of a field manager.
const LONGEST_MANAGER: usize = 128;

/// Options of a POST, PUT or PATCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WriteOptions {
    /// Whether nothing may stay.
    pub(super) dry_run: bool,
    /// See [`FieldValidation`].
    pub(super) validation: FieldValidation,
    /// `fieldManager`; empty if not given.
    pub(super) manager: String,
    /// Whether an apply takes fields from other managers.
    pub(super) force: bool,
}

/// Which options these are, as errors name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Of a POST.
    Create,
    /// Of a PUT.
    Update,
    /// Of a JSON or merge patch.
    Patch,
    /// Of an apply.
    Apply,
}

impl WriteOptions {
    /// Reads them.
    ///
    /// # Errors
    /// 422.
    pub(super) fn parse(query: &Query, of: Of) -> Result<Self, ApiError> {
        let manager = query.get("fieldManager").unwrap_or_default();
        let mut causes = Vec::new();
        match of {
            Of::Apply if manager.is_empty() => {
                causes.push(fault::required("fieldManager", "is required for apply patch"));
            }
            Of::Patch if query.get("force").is_some() => {
                causes.push(fault::forbidden("force", "may not be specified for non-apply patch"));
            }
            _ => {}
        }
        check_manager(manager, &mut causes);
        let dry_run: Vec<&str> = query.all("dryRun").collect();
        check_dry_run(&dry_run, &mut causes);
        let validation = match query.get("fieldValidation").unwrap_or_default() {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let known = ["", "Ignore", "Strict", "Warn"];
                causes.push(fault::not_supported("fieldValidation", &other.into(), &known));
                FieldValidation::Warn
            }
        };
        if !causes.is_empty() {
            let kind = match of {
                Of::Create => "CreateOptions",
                Of::Update => "UpdateOptions",
                Of::Patch | Of::Apply => "PatchOptions",
            };
            return Err(ApiError::invalid("meta.k8s.io", kind, "", causes));
        }
        let manager = manager.to_owned();
        Ok(Self { dry_run: !dry_run.is_empty(), validation, manager, force: query.flag("force") })
    }
}

fn check_manager(manager: &str, causes: &mut Vec<Cause>) {
    if manager.len() > LONGEST_MANAGER {
        causes.push(fault::too_long("fieldManager", 128));
    }
    for (at, letter) in manager.char_indices().filter(|(_, letter)| letter.is_control()) {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(letter));
        causes.push(fault::invalid_text("fieldManager", manager, &why));
    }
}

fn check_dry_run(values: &[&str], causes: &mut Vec<Cause>) {
    if values.iter().any(|value| *value != "All") {
        causes.push(fault::not_supported("dryRun", &Value::from(values.to_vec()), &["All"]));
    }
}

/// Reads the options of a DELETE: of its body, or of the query if that is empty. Also whether nothing may be
/// deleted.
///
/// # Errors
/// 400, 422.
pub(super) fn delete(query: &Query, body: &[u8]) -> Result<(DeleteOptions, bool), ApiError> {
    let value = if body.is_empty() { of_query(query)? } else { of_body(body)? };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let orphan = value["orphanDependents"].as_bool();
    let policy = text(&value["propagationPolicy"]);
    let mut causes = Vec::new();
    if let (Some(_), Some(policy)) = (orphan, &policy) {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        causes.push(fault::invalid_text("propagationPolicy", policy, why));
    }
    let propagation = match policy.as_deref() {
        None => None,
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Background") => Some(Propagation::Background),
        Some("Orphan") => Some(Propagation::Orphan),
        Some(other) => {
            let known = ["Foreground", "Background", "Orphan", "nil"];
            causes.push(fault::not_supported("propagationPolicy", &other.into(), &known));
            None
        }
    };
    let dry_run: Vec<&str> =
        value["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    check_dry_run(&dry_run, &mut causes);
    if !causes.is_empty() {
        return Err(ApiError::invalid("meta.k8s.io", "DeleteOptions", "", causes));
    }
    let options = DeleteOptions {
        uid: text(&value["preconditions"]["uid"]),
        resource_version: text(&value["preconditions"]["resourceVersion"]),
        propagation,
        orphan,
        grace_period_seconds: value["gracePeriodSeconds"].as_i64(),
    };
    Ok((options, !dry_run.is_empty()))
}

fn of_query(query: &Query) -> Result<Value, ApiError> {
    let mut value = serde_json::json!({ "preconditions": {} });
    if let Some(seconds) = query.get("gracePeriodSeconds") {
        let number: i64 = seconds.parse().map_err(|_| {
            let quoted = fault::quote(seconds);
            ApiError::bad_request(format!("strconv.ParseInt: parsing {quoted}: invalid syntax"))
        })?;
        value["gracePeriodSeconds"] = number.into();
    }
    if query.get("orphanDependents").is_some() {
        value["orphanDependents"] = query.flag("orphanDependents").into();
    }
    if let Some(policy) = query.get("propagationPolicy") {
        value["propagationPolicy"] = policy.into();
    }
    if let Some(uid) = query.get("uid") {
        value["preconditions"]["uid"] = uid.into();
    }
    value["dryRun"] = query.all("dryRun").collect();
    Ok(value)
}

fn of_body(body: &[u8]) -> Result<Value, ApiError> {
    let value = Decoded::parse(body).map_err(|error| {
        let why = super::body::as_go_tells(&error, body);
        ApiError::bad_request(format!("couldn't get version/kind; json parse error: {why}"))
    })?;
    let value = value.value;
    let kind = value["kind"].as_str().unwrap_or("DeleteOptions");
    if kind != "DeleteOptions" {
        let version = value["apiVersion"].as_str().unwrap_or("meta.k8s.io/v1");
        return Err(ApiError::bad_request(format!(
            "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\""
        )));
    }
    let is_wrong =
        |field: &str, is_right: fn(&Value) -> bool| !value[field].is_null() && !is_right(&value[field]);
    let wrong = [
        ("gracePeriodSeconds", is_wrong("gracePeriodSeconds", Value::is_i64), "int64"),
        ("orphanDependents", is_wrong("orphanDependents", Value::is_boolean), "bool"),
        ("propagationPolicy", is_wrong("propagationPolicy", Value::is_string), "v1.DeletionPropagation"),
        ("preconditions", is_wrong("preconditions", Value::is_object), "v1.Preconditions"),
        ("dryRun", is_wrong("dryRun", Value::is_array), "[]string"),
    ];
    match wrong.into_iter().find(|(_, is_wrong, _)| *is_wrong) {
        None => Ok(value),
        Some((field, _, wanted)) => {
            let found = match &value[field] {
                Value::String(_) => "string",
                Value::Number(_) => "number",
                Value::Bool(_) => "bool",
                Value::Array(_) => "array",
                _ => "object",
            };
            Err(ApiError::bad_request(format!(
                "json: cannot unmarshal {found} into Go struct field DeleteOptions.{field} of type {wanted}"
            )))
        }
    }
}
