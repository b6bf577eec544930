//! The garbage collector: what depends on something goes with it (kubernetes/pkg/controller/garbagecollector).

use serde_json::{Value, json};

use super::Next;
use super::client::{Client, MANAGER, has_finalizer, is_terminating, text};
use super::index::{owners, uid, uid_of_reference};
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Propagation;
use crate::sandbox::storage::{Event, Key};
use crate::sandbox::verbs::DeleteOptions;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

pub(super) fn woken(client: &Client, event: &Event) -> Vec<Key> {
    let Some(after) = &event.after else {
        // What depended on it, and owners that waited for it.
        let Some(before) = &event.before else { return Vec::new() };
        let index = client.index();
        let mut keys = index.dependents(uid(&before.object));
        keys.extend(owners(&before.object).iter().filter_map(|owner| index.key(uid_of_reference(owner))));
        return keys;
    };
    let object = &after.object;
    let waits =
        is_terminating(object) && (has_finalizer(object, FOREGROUND) || has_finalizer(object, ORPHAN));
    let before = event.before.as_ref().map(|before| owners(&before.object)).unwrap_or_default();
    let owned = !owners(object).is_empty() && before != owners(object);
    let mut keys = Vec::new();
    if waits || owned {
        keys.push(event.key.clone());
    }
    // An owner that waits for its dependents may wait for one less.
    if before != owners(object) {
        let index = client.index();
        keys.extend(before.iter().filter_map(|owner| index.key(uid_of_reference(owner))));
    }
    keys
}

pub(super) async fn look(client: &Client, key: &Key) -> Result<Next, ApiError> {
    let Some(object) = client.get(key) else { return Ok(Next::default()) };
    if is_terminating(&object) {
        if has_finalizer(&object, ORPHAN) {
            return orphan(client, key, &object).await;
        }
        if has_finalizer(&object, FOREGROUND) {
            return foreground(client, key, &object).await;
        }
        return Ok(Next::default());
    }
    if owners(&object).is_empty() {
        return Ok(Next::default());
    }
    judge(client, key, &object).await
}

/// How an owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// There, and staying.
    Solid,
    /// Gone, or another one of its name.
    Dangling,
    /// Waiting for its dependents to go.
    Waiting,
    /// Of a kind that is not served: nothing can be said.
    Unknown,
}

fn owner(client: &Client, reference: &Value, namespace: &str) -> Owner {
    let Some(resource) = client.kind(text(reference, "/apiVersion"), text(reference, "/kind")) else {
        return Owner::Unknown;
    };
    if resource.namespaced && namespace.is_empty() {
        return Owner::Unknown;
    }
    let namespace = if resource.namespaced { namespace } else { "" };
    let key = super::client::key(&resource.group, &resource.plural, namespace, text(reference, "/name"));
    match client.get(&key) {
        Some(owner) if uid(&owner) == uid_of_reference(reference) => {
            if is_terminating(&owner) && has_finalizer(&owner, FOREGROUND) {
                Owner::Waiting
            } else {
                Owner::Solid
            }
        }
        _ => Owner::Dangling,
    }
}

/// Decides by the owners of an object: one that stays keeps it.
async fn judge(client: &Client, key: &Key, object: &Value) -> Result<Next, ApiError> {
    let judged: Vec<Owner> =
        owners(object).iter().map(|reference| owner(client, reference, &key.namespace)).collect();
    if judged.contains(&Owner::Unknown) {
        return Ok(Next::default());
    }
    if judged.contains(&Owner::Solid) {
        if judged.iter().any(|owner| *owner != Owner::Solid) {
            let mut kept = object.clone();
            let mut each = judged.iter();
            if let Some(list) = kept["metadata"]["ownerReferences"].as_array_mut() {
                list.retain(|_| each.next() == Some(&Owner::Solid));
            }
            client.put(MANAGER, key, kept).await?;
        }
        return Ok(Next::default());
    }
    let dependents = client.index().dependents(uid(object));
    let propagation = if judged.contains(&Owner::Waiting) && !dependents.is_empty() {
        Propagation::Foreground
    } else if has_finalizer(object, ORPHAN) {
        Propagation::Orphan
    } else if has_finalizer(object, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    let options = DeleteOptions {
        uid: Some(uid(object).to_owned()),
        resource_version: Some(text(object, "/metadata/resourceVersion").to_owned()),
        propagation: Some(propagation),
        ..DeleteOptions::default()
    };
    client.delete(MANAGER, key, &options).await?;
    Ok(Next::default())
}

/// An owner that goes after its dependents: those that block it are told to go; without any it is let go.
async fn foreground(client: &Client, key: &Key, object: &Value) -> Result<Next, ApiError> {
    let dependents = client.index().dependents(uid(object));
    let blocks = |dependent: &Key| {
        let Some(dependent) = client.get(dependent) else { return false };
        let mut own = owners(&dependent).iter().filter(|owner| uid_of_reference(owner) == uid(object));
        own.any(|owner| owner["blockOwnerDeletion"] == true)
    };
    if dependents.iter().any(blocks) {
        return Ok(Next { again: None, also: dependents });
    }
    client.unfinalize(MANAGER, key, object, FOREGROUND).await?;
    Ok(Next { again: None, also: dependents })
}

/// An owner that leaves its dependents behind: they lose their reference to it.
async fn orphan(client: &Client, key: &Key, object: &Value) -> Result<Next, ApiError> {
    let dependents = client.index().dependents(uid(object));
    for dependent in dependents {
        let Some(left) = client.get(&dependent) else { continue };
        let mut left = Value::clone(&left);
        let keeps = owners(&left).iter().filter(|owner| uid_of_reference(owner) != uid(object));
        let keeps: Vec<Value> = keeps.cloned().collect();
        left["metadata"]["ownerReferences"] = json!(keeps);
        if keeps.is_empty()
            && let Some(metadata) = left["metadata"].as_object_mut()
        {
            metadata.remove("ownerReferences");
        }
        client.put(MANAGER, &dependent, left).await?;
    }
    client.unfinalize(MANAGER, key, object, ORPHAN).await?;
    Ok(Next::default())
}
