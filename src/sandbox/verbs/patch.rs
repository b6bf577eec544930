//! PATCH.

use serde_json::Value;

use super::decode::{applied_twice, check_applied};
use super::metadata::{When, drop_duplicate_owners, text};
use super::write::{check_name, place, store};
use super::{Answer, Request, rules, scale};
use crate::sandbox::error::ApiError;
use crate::sandbox::fault;
use crate::sandbox::http::Decoded;
use crate::sandbox::ownership;
use crate::sandbox::patch as patches;
use crate::sandbox::resource::{Endpoint, FieldValidation, Resource};
use crate::sandbox::server::Server;

/// How an object is to change.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) enum Patch {
    /// Server-side apply; `force` takes fields from other managers.
    Apply {
        /// What the manager wants.
        object: Decoded,
        /// See [`Patch::Apply`].
        force: bool,
    },
    /// RFC 7386.
    Merge(Decoded),
    /// RFC 6902.
    Json(Decoded),
}

/// Changes an object, or a subresource of it; an apply also makes an object that is not there.
///
/// # Errors
/// As the API server refuses.
pub(in crate::sandbox) async fn patch(
    server: &Server,
    resource: &Resource,
    request: &Request,
    patch: Patch,
) -> Result<Answer, ApiError> {
    if request.endpoint == Endpoint::Scale {
        return scale::patch(server, resource, request, patch).await;
    }
    let through_main = request.endpoint == Endpoint::Main;
    let may_create =
        matches!(patch, Patch::Apply { .. }) && (through_main || rules::creates_on_update(resource));
    let make = |live: Option<&Value>| {
        let mut object = match (&patch, live) {
            (Patch::Apply { object: applied, force }, live) => {
                check_applied(resource, &applied.value)?;
                let mut object = request.as_writer(server, resource, *force, |writer| {
                    ownership::apply(&resource.schema, live, &applied.value, writer)
                })?;
                settle(resource, &applied.value, &mut object)?;
                applied_twice(request, &applied.duplicates)?;
                object
            }
            // `store` has refused this: only an apply makes an object.
            (_, None) => return Err(super::not_found(resource, &request.name)),
            (patch, Some(live)) => {
                let object = patched(resource, request, patch, live)?;
                request.as_writer(server, resource, false, |writer| {
                    ownership::update(&resource.schema, Some(live), object, writer)
                })
            }
        };
        if live.is_none() && !text(&object, "uid").is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was found",
                text(&object, "uid")
            );
            return Err(ApiError::conflict(&resource.group, &resource.plural, &request.name, &why));
        }
        place(resource, request, &mut object)?;
        check_name(request, &object)?;
        request.warn(drop_duplicate_owners(&mut object, When::Patched));
        Ok(object)
    };
    store(server, resource, request, None, may_create, make).await
}

/// Brings what an apply made into the form in which objects of the kind are: canonical values, defaults. Of a
/// custom object only the metadata is: what is `null` in the rest stays, and is told to be invalid.
fn settle(resource: &Resource, applied: &Value, object: &mut Value) -> Result<(), ApiError> {
    let strategy = &resource.strategy;
    if resource.custom.is_some() {
        let mut decoded = object.clone();
        strategy.decode(resource, &mut decoded, &[], FieldValidation::Ignore)?;
        object["metadata"] = decoded["metadata"].take();
    } else {
        strategy.decode(resource, object, &[], FieldValidation::Ignore).map_err(|error| {
            let kind = format!("{}/{}, Kind={}", resource.group, resource.version, resource.kind);
            let (namespace, name) = (text(applied, "namespace"), text(applied, "name"));
            let message = format!(
                "failed to convert new object ({namespace}/{name}; {kind}) to proper version: unable to convert \
                 unstructured object to {kind}: {}",
                cause_of(&error.message),
            );
            ApiError::new(500, "", message)
        })?;
    }
    strategy.default(object);
    Ok(())
}

/// The live object after a merge or JSON patch, decoded.
fn patched(resource: &Resource, request: &Request, patch: &Patch, live: &Value) -> Result<Value, ApiError> {
    let mut object = live.clone();
    let (duplicates, prefix, mut strict) = match patch {
        Patch::Json(operations) => {
            patches::json(&mut object, &operations.value)?;
            (&operations.duplicates, "json patch ", patches::unknown_fields(&operations.value))
        }
        Patch::Merge(patch) | Patch::Apply { object: patch, .. } => {
            patches::merge(&mut object, &patch.value)?;
            (&patch.duplicates, "", Vec::new())
        }
    };
    let text = object.to_string();
    let refuse = |why: &str| {
        // The object's text, as Go quotes it, stands in the message.
        let cause = fault::invalid_text("patch", &text, why);
        ApiError::invalid("", "", "", vec![cause])
    };
    strict.extend(duplicates.iter().map(|path| format!("{prefix}duplicate field {}", fault::quote(path))));
    match request.validation {
        FieldValidation::Warn => request.warn(strict),
        FieldValidation::Strict if !strict.is_empty() => {
            return Err(refuse(&format!("strict decoding error: {}", strict.join(", "))));
        }
        FieldValidation::Strict | FieldValidation::Ignore => {}
    }
    for field in ["kind", "apiVersion"] {
        if object[field] != live[field] && (resource.custom.is_none() || field == "apiVersion") {
            return Err(refuse(&format!("{field} cannot be patched")));
        }
    }
    let decoded = resource.strategy.decode(resource, &mut object, &[], request.validation);
    request.warn(decoded.map_err(|error| refuse(cause_of(&error.message)))?);
    resource.strategy.default(&mut object);
    Ok(object)
}

/// What a decode error says without the words that a POST puts before it.
fn cause_of(message: &str) -> &str {
    let words = " cannot be handled as a ";
    let rest = message.find(words).map(|at| &message[at + words.len()..]);
    rest.and_then(|rest| rest.split_once(": ")).map_or(message, |(_, why)| why)
}
