//! The life of a `CustomResourceDefinition`: what it defines is served once it is established, and goes with it.
//! What the API server does in controllers of its own is done here as part of the request that calls for it.

use std::sync::Arc;

use serde_json::Value;

use super::delete::{DeleteOptions, check_preconditions_of_kind, remove};
use super::metadata::{self, text};
use super::{Answer, Request, not_found, not_written, rules, update};
use crate::sandbox::custom;
use crate::sandbox::error::ApiError;
use crate::sandbox::local_api;
use crate::sandbox::resource::{Draw as _, Resource};
use crate::sandbox::server::Server;
use crate::sandbox::storage::{CommitError, Key, Stored};

/// Keeps a definition until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

const GROUP: &str = "apiextensions.k8s.io";
const PLURAL: &str = "customresourcedefinitions";

/// Serves what the stored definitions define.
pub(in crate::sandbox) fn serve_definitions(server: &Server) {
    let (definitions, _) = server.storage.list(GROUP, PLURAL, None);
    for (key, stored) in definitions {
        serve(server, &key.name, Some(&stored.object));
    }
}

/// Serves what a definition defines now; `None`: it is gone.
fn serve(server: &Server, name: &str, definition: Option<&Value>) {
    let resources = definition.map(custom::resources).unwrap_or_default();
    server.registry.change(|served| {
        let is_of = |custom: &Value| text(custom, "name") == name;
        served.retain(|_, resource| !resource.custom.as_deref().is_some_and(is_of));
        for resource in resources {
            let key = (resource.group.clone(), resource.version.clone(), resource.plural.clone());
            served.insert(key, Arc::new(resource));
        }
    });
}

/// Follows a change that was committed.
pub(super) async fn after(
    server: &Server,
    resource: &Resource,
    before: Option<&Stored>,
    after: Option<&Stored>,
) -> Result<(), ApiError> {
    if rules::is_definition(resource) {
        let Some(stored) = after.or(before) else { return Ok(()) };
        let name = text(&stored.object, "name");
        serve(server, name, after.map(|after| &*after.object));
        local_api::publish(server).await.map_err(|error| not_written(&error))?;
        if let Some(after) = after {
            establish(server, resource, &after.object).await?;
        }
    } else if let (Some(definition), None) = (&resource.custom, after) {
        finish(server, text(definition, "name")).await?;
    }
    Ok(())
}

/// Writes what the API server's controllers find about a definition.
async fn establish(server: &Server, resource: &Resource, definition: &Value) -> Result<(), ApiError> {
    if metadata::is_deleting(definition) {
        return Ok(());
    }
    let (all, _) = server.storage.list(GROUP, PLURAL, None);
    let others: Vec<Arc<Value>> = all
        .into_iter()
        .map(|(_, stored)| stored.object)
        .filter(|other| text(other, "name") != text(definition, "name"))
        .collect();
    let status = custom::status(definition, &others, &server.now());
    if status == definition["status"] {
        return Ok(());
    }
    let mut object = definition.clone();
    object["status"] = status;
    let request = Request::on("", text(definition, "name"), "kube-apiserver").status();
    // A future that contains itself needs a place of its own.
    match Box::pin(update(server, resource, &request, object.into())).await {
        // Who was faster has seen to it.
        Err(error) if matches!(error.code, 404 | 409) => Ok(()),
        done => done.map(drop),
    }
}

/// Marks a definition as terminating and deletes its objects; a DELETE of one that is marked is left to the
/// caller by `None`.
///
/// # Errors
/// 404, 409.
pub(super) async fn delete(
    server: &Server,
    resource: &Resource,
    request: &Request,
    options: &DeleteOptions,
) -> Result<Option<Answer>, ApiError> {
    let key = request.key(resource);
    loop {
        let live = server.storage.get(&key).ok_or_else(|| not_found(resource, &request.name))?;
        check_preconditions_of_kind(resource, request, options, &live.object, "precondition failed")?;
        if metadata::is_deleting(&live.object) {
            return Ok(None);
        }
        let mut object = (*live.object).clone();
        let now = server.now();
        metadata::set(&mut object, "deletionTimestamp", now.clone().into());
        let mut finalizers = metadata::finalizers(&object);
        if !finalizers.iter().any(|finalizer| finalizer == CLEANUP) {
            finalizers.push(CLEANUP.into());
        }
        metadata::set_finalizers(&mut object, &finalizers);
        custom::terminating(&mut object, custom::PENDING, &now);
        if request.dry_run {
            return Ok(Some(Answer { code: 200, object }));
        }
        match server.storage.commit(&key, Some(live.revision), Some(object)).await {
            Ok(stored) => {
                serve(server, &request.name, Some(&stored.object));
                clean_up(server, &stored.object).await?;
                return Ok(Some(Answer { code: 200, object: (*stored.object).clone() }));
            }
            Err(CommitError::Stale) => {}
            Err(error) => return Err(not_written(&error)),
        }
    }
}

/// Deletes all objects of a definition, then the definition if none of them is held.
async fn clean_up(server: &Server, definition: &Value) -> Result<(), ApiError> {
    let of_definition = |custom: &Value| text(custom, "uid") == text(definition, "uid");
    let served = server.registry.served();
    let resource = served.values().find(|resource| resource.custom.as_deref().is_some_and(of_definition));
    if let Some(resource) = resource {
        let (objects, _) = server.storage.list(&resource.group, &resource.plural, None);
        for (key, _) in objects {
            let request = Request::on(&key.namespace, &key.name, "kube-apiserver");
            match Box::pin(remove(server, resource, &request, &DeleteOptions::default())).await {
                Err(error) if error.code != 404 => return Err(error),
                _ => {}
            }
        }
    }
    finish(server, text(definition, "name")).await
}

/// Lets a terminating definition go once it has no objects.
async fn finish(server: &Server, name: &str) -> Result<(), ApiError> {
    let key =
        Key { group: GROUP.into(), plural: PLURAL.into(), namespace: String::new(), name: name.to_owned() };
    loop {
        let Some(live) = server.storage.get(&key) else { return Ok(()) };
        let spec = &live.object["spec"];
        let (group, plural) = (&spec["group"], &spec["names"]["plural"]);
        let (group, plural) = (group.as_str().unwrap_or_default(), plural.as_str().unwrap_or_default());
        let is_empty = server.storage.list(group, plural, None).0.is_empty();
        let mut finalizers = metadata::finalizers(&live.object);
        let held = finalizers.len();
        finalizers.retain(|finalizer| finalizer != CLEANUP);
        if !metadata::is_deleting(&live.object) || !is_empty || finalizers.len() == held {
            return Ok(());
        }
        let rest = (!finalizers.is_empty()).then(|| {
            let mut object = (*live.object).clone();
            metadata::set_finalizers(&mut object, &finalizers);
            custom::terminating(&mut object, custom::COMPLETED, &server.now());
            object
        });
        let is_gone = rest.is_none();
        match server.storage.commit(&key, Some(live.revision), rest).await {
            Ok(_) => {
                if is_gone {
                    serve(server, name, None);
                }
                return Ok(());
            }
            Err(CommitError::Stale) => {}
            Err(error) => return Err(not_written(&error)),
        }
    }
}
