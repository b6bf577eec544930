//! The life cycle of namespaces: what may be made in them, and their own end.

use serde_json::{Value, json};

use super::delete::{DeleteOptions, check_preconditions_of_kind};
use super::metadata::{self, text};
use super::write::precondition;
use super::{Answer, Request, not_found, not_written};
use crate::sandbox::error::{ApiError, Cause};
use crate::sandbox::resource::{Draw as _, Propagation, Resource};
use crate::sandbox::server::Server;
use crate::sandbox::storage::{CommitError, Key};

/// Namespaces that stay.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// Refuses what is to be made in a namespace that is not there or is going.
pub(super) fn admit_create(
    server: &Server,
    resource: &Resource,
    request: &Request,
    object: &Value,
) -> Result<(), ApiError> {
    if !resource.namespaced {
        return Ok(());
    }
    let name = &request.namespace;
    let Some(namespace) = server.storage.get(&key(name)) else {
        return Err(ApiError::not_found("", "namespaces", name));
    };
    if namespace.object["status"]["phase"] != "Terminating" {
        return Ok(());
    }
    let object_name = [request.name.as_str(), text(object, "name"), text(object, "generateName"), "Unknown"];
    let object_name = object_name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let why = format!("unable to create new content in namespace {name} because it is being terminated");
    let mut error = ApiError::forbidden(&resource.group, &resource.plural, object_name, &why);
    let cause = Cause {
        reason: "NamespaceTerminating",
        message: format!("namespace {name} is being terminated"),
        field: "metadata.namespace".into(),
    };
    error.details.get_or_insert_default().causes.push(cause);
    Err(error)
}

/// Deletes a namespace as far as its finalizers let it: first it is marked as terminating, and its controller
/// empties it; a DELETE of one that is marked and finalized removes it, which `None` leaves to the caller.
///
/// # Errors
/// 403 for those that stay; 404, 409.
pub(super) async fn delete(
    server: &Server,
    resource: &Resource,
    request: &Request,
    options: &DeleteOptions,
) -> Result<Option<Answer>, ApiError> {
    loop {
        let key = request.key(resource);
        let live = server.storage.get(&key).ok_or_else(|| not_found(resource, &request.name))?;
        check_preconditions_of_kind(resource, request, options, &live.object, "Precondition failed")?;
        if metadata::is_deleting(&live.object) {
            let held = live.object["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
            let answer = Answer { code: 200, object: (*live.object).clone() };
            return Ok(held.then_some(answer));
        }
        if IMMORTAL.contains(&request.name.as_str()) {
            return Err(ApiError::forbidden(
                "",
                "namespaces",
                &request.name,
                "this namespace may not be deleted",
            ));
        }
        let mut object = (*live.object).clone();
        metadata::set(&mut object, "deletionTimestamp", server.now().into());
        object["status"]["phase"] = "Terminating".into();
        mark_for_collection(&mut object, options);
        if request.dry_run {
            return Ok(Some(Answer { code: 200, object }));
        }
        match server.storage.commit(&key, Some(live.revision), Some(object)).await {
            Ok(stored) => return Ok(Some(Answer { code: 200, object: (*stored.object).clone() })),
            Err(CommitError::Stale) if options.resource_version.is_some() => {
                return Err(precondition(resource, request, "Precondition failed"));
            }
            Err(CommitError::Stale) => {}
            Err(error) => return Err(not_written(&error)),
        }
    }
}

fn mark_for_collection(object: &mut Value, options: &DeleteOptions) {
    let (orphan, foreground) = match (options.orphan, options.propagation) {
        (Some(orphan), _) => (orphan, !orphan),
        (None, Some(policy)) => (policy == Propagation::Orphan, policy == Propagation::Foreground),
        (None, None) => return,
    };
    let mut finalizers = metadata::finalizers(object);
    for (name, wanted) in [("orphan", orphan), ("foregroundDeletion", foreground)] {
        match finalizers.iter().position(|finalizer| finalizer == name) {
            Some(at) if !wanted => drop(finalizers.remove(at)),
            None if wanted => finalizers.push(name.to_owned()),
            _ => {}
        }
    }
    metadata::set_finalizers(object, &finalizers);
}

/// Sets `spec.finalizers`, which only the subresource `finalize` may; null or empty removes it.
pub(super) fn set_spec_finalizers(object: &mut Value, finalizers: Value) {
    let Value::Object(map) = object else { return };
    let Value::Object(spec) = map.entry("spec").or_insert_with(|| json!({})) else { return };
    if finalizers.as_array().is_none_or(Vec::is_empty) {
        spec.remove("finalizers");
    } else {
        spec.insert("finalizers".into(), finalizers);
    }
}

fn key(name: &str) -> Key {
    Key { group: String::new(), plural: "namespaces".into(), namespace: String::new(), name: name.to_owned() }
}
