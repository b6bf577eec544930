//! DELETE of one object and of collections.

use serde_json::{Value, json};

use super::metadata::{self, text};
use super::{Answer, ListParams, Request, definition, list, namespace, not_found, not_written, rules};
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::{Draw as _, Propagation, Resource};
use crate::sandbox::server::Server;
use crate::sandbox::storage::{CommitError, Stored};

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct DeleteOptions {
    /// Only the object with this uid.
    pub(in crate::sandbox) uid: Option<String>,
    /// Only at this resource version.
    pub(in crate::sandbox) resource_version: Option<String>,
    /// What becomes of dependents; `None` leaves it to the kind.
    pub(in crate::sandbox) propagation: Option<Propagation>,
    /// The older form of it: whether they are left alone.
    pub(in crate::sandbox) orphan: Option<bool>,
    /// Seconds the object may take to end; `None` leaves it to the kind. A negative number means one second.
    pub(in crate::sandbox) grace_period_seconds: Option<i64>,
}

/// Deletes one object, or marks it if finalizers or a grace period keep it.
///
/// # Errors
/// As the API server refuses.
pub(in crate::sandbox) async fn delete(
    server: &Server,
    resource: &Resource,
    request: &Request,
    options: &DeleteOptions,
) -> Result<Answer, ApiError> {
    let early = if rules::is_namespace(resource) {
        namespace::delete(server, resource, request, options).await?
    } else if rules::is_definition(resource) {
        definition::delete(server, resource, request, options).await?
    } else {
        None
    };
    match early {
        Some(answer) => Ok(answer),
        None => remove(server, resource, request, options).await,
    }
}

/// The generic store's part of a DELETE.
pub(super) async fn remove(
    server: &Server,
    resource: &Resource,
    request: &Request,
    options: &DeleteOptions,
) -> Result<Answer, ApiError> {
    let key = request.key(resource);
    // A precondition is about what the client knows, not about what this request itself writes.
    let mut expects_version = options.resource_version.is_some();
    // What this request marked may be gone a moment later by somebody else's hand: done all the same.
    let mut marked = None;
    loop {
        let live = match (server.storage.get(&key), marked.take()) {
            (Some(live), _) => live,
            (None, Some(object)) => return Ok(finished(resource, object)),
            (None, None) => return Err(not_found(resource, &request.name)),
        };
        let checked = DeleteOptions {
            resource_version: options.resource_version.clone().filter(|_| expects_version),
            ..options.clone()
        };
        check_preconditions(resource, &checked, &live.object)?;
        let mut object = (*live.object).clone();
        let grace = end_gracefully(server, resource, &mut object, options);
        if grace == Grace::Pending {
            return Ok(finished(resource, object));
        }
        let collected = collect(resource, &mut object, options);
        let held = !metadata::finalizers(&object).is_empty();
        match grace {
            Grace::None if held => mark(server, &mut object),
            Grace::None => {
                let Some(answer) = take(server, resource, request, &live).await? else { continue };
                return Ok(answer);
            }
            Grace::Pending | Grace::Given(_) => {}
        }
        let stays = held || matches!(grace, Grace::Given(1..));
        let code = if stays && options.orphan == Some(false) { 202 } else { 200 };
        if request.dry_run || (!collected && object == *live.object && stays) {
            return Ok(Answer { code, object });
        }
        let stored = match server.storage.commit(&key, Some(live.revision), Some(object)).await {
            Ok(stored) => stored,
            Err(CommitError::Stale) => continue,
            Err(error) => return Err(not_written(&error)),
        };
        definition::after(server, resource, Some(&live), Some(&stored)).await?;
        if stays {
            return Ok(Answer { code, object: (*stored.object).clone() });
        }
        expects_version = false;
        if let Some(answer) = take(server, resource, request, &stored).await? {
            return Ok(answer);
        }
        marked = Some((*stored.object).clone());
    }
}

/// Removes what is stored; `None` if it is not that any more.
async fn take(
    server: &Server,
    resource: &Resource,
    request: &Request,
    live: &Stored,
) -> Result<Option<Answer>, ApiError> {
    if request.dry_run {
        return Ok(Some(finished(resource, (*live.object).clone())));
    }
    match server.storage.commit(&request.key(resource), Some(live.revision), None).await {
        Ok(removed) => {
            definition::after(server, resource, Some(live), None).await?;
            Ok(Some(finished(resource, (*removed.object).clone())))
        }
        Err(CommitError::Stale) => Ok(None),
        Err(error) => Err(not_written(&error)),
    }
}

/// The answer once nothing is left to do.
fn finished(resource: &Resource, object: Value) -> Answer {
    if rules::returns_deleted(resource) {
        return Answer { code: 200, object };
    }
    let mut details =
        json!({ "name": text(&object, "name"), "kind": resource.plural, "uid": text(&object, "uid") });
    if !resource.group.is_empty() {
        details["group"] = resource.group.as_str().into();
    }
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    });
    Answer { code: 200, object: status }
}

fn check_preconditions(resource: &Resource, options: &DeleteOptions, object: &Value) -> Result<(), ApiError> {
    let conflict = |why: &str| ApiError::conflict(&resource.group, &resource.kind, text(object, "name"), why);
    let uid = text(object, "uid");
    if let Some(expected) = options.uid.as_deref().filter(|expected| *expected != uid) {
        return Err(conflict(&format!(
            "the UID in the precondition ({expected}) does not match the UID in record ({uid}). The object might have \
             been deleted and then recreated"
        )));
    }
    let version = text(object, "resourceVersion");
    if let Some(expected) = options.resource_version.as_deref().filter(|expected| *expected != version) {
        return Err(conflict(&format!(
            "the ResourceVersion in the precondition ({expected}) does not match the ResourceVersion in record \
             ({version}). The object might have been modified"
        )));
    }
    Ok(())
}

/// The same, as the stores of namespaces and of definitions word it; `failed` is their word for it.
pub(super) fn check_preconditions_of_kind(
    resource: &Resource,
    request: &Request,
    options: &DeleteOptions,
    object: &Value,
    failed: &str,
) -> Result<(), ApiError> {
    let pairs =
        [("UID", &options.uid, "uid"), ("ResourceVersion", &options.resource_version, "resourceVersion")];
    for (name, expected, field) in pairs {
        let actual = text(object, field);
        if let Some(expected) = expected.as_deref().filter(|expected| *expected != actual) {
            let why =
                format!("{failed}: {name} in precondition: {expected}, {name} in object meta: {actual}");
            return Err(ApiError::conflict(&resource.group, &resource.plural, &request.name, &why));
        }
    }
    Ok(())
}

/// What a kind's grace period makes of a DELETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grace {
    /// The kind has none.
    None,
    /// The object was marked with so many seconds.
    Given(i64),
    /// It was marked before, and this DELETE does not make it shorter.
    Pending,
}

/// Marks a pod as ending (`rest.BeforeDelete` with the strategy of pods). Other kinds have no grace period.
fn end_gracefully(
    server: &Server,
    resource: &Resource,
    object: &mut Value,
    options: &DeleteOptions,
) -> Grace {
    if !rules::is_pod(resource) {
        return Grace::None;
    }
    let asked = options.grace_period_seconds.map(|seconds| if seconds < 0 { 1 } else { seconds });
    if metadata::is_deleting(object) {
        let current = object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or_default();
        if current == 0 {
            return Grace::None;
        }
        let Some(period) = asked.filter(|asked| *asked < current) else { return Grace::Pending };
        let moved = seconds_from(text(object, "deletionTimestamp"), period - current);
        let is_over = moved < server.now();
        let (until, period) = if is_over { (server.now(), period.min(1)) } else { (moved, period) };
        metadata::set(object, "deletionTimestamp", until.into());
        metadata::set(object, "deletionGracePeriodSeconds", period.into());
        return Grace::Given(period);
    }
    let own = i64::try_from(resource.strategy.grace_period(object)).unwrap_or(i64::MAX);
    let is_placed = object["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let has_ended = matches!(object["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
    let period = if is_placed && !has_ended { asked.unwrap_or(own) } else { 0 };
    let until = seconds_from(&server.now(), period);
    metadata::set(object, "deletionTimestamp", until.into());
    metadata::set(object, "deletionGracePeriodSeconds", period.into());
    let generation = metadata::generation(object);
    if generation > 0 {
        metadata::set(object, "generation", (generation + 1).into());
    }
    Grace::Given(period)
}

/// The time so many seconds after `time`, in the form of [`Draw::now`]; `time` itself if it is none.
///
/// [`Draw::now`]: crate::sandbox::resource::Draw::now
fn seconds_from(time: &str, seconds: i64) -> String {
    let moved = time
        .parse::<jiff::Timestamp>()
        .ok()
        .and_then(|time| jiff::Timestamp::from_second(time.as_second().saturating_add(seconds)).ok());
    moved.map_or_else(|| time.to_owned(), |moved| moved.to_string())
}

/// Marks an object that its finalizers keep.
fn mark(server: &Server, object: &mut Value) {
    let now = server.now();
    let generation = metadata::generation(object);
    let is_marked = metadata::is_deleting(object);
    if !is_marked && generation > 0 {
        metadata::set(object, "generation", (generation + 1).into());
    }
    if !is_marked || text(object, "deletionTimestamp") > now.as_str() {
        metadata::set(object, "deletionTimestamp", now.into());
    }
    metadata::set(object, "deletionGracePeriodSeconds", 0.into());
}

/// Sets the finalizers that the garbage collector acts on. Returns whether they changed.
fn collect(resource: &Resource, object: &mut Value, options: &DeleteOptions) -> bool {
    const ORPHAN: &str = "orphan";
    const FOREGROUND: &str = "foregroundDeletion";
    let before = metadata::finalizers(object);
    let policy = if rules::is_uncollected(resource) {
        Propagation::Background
    } else if let Some(orphan) = options.orphan {
        if orphan { Propagation::Orphan } else { Propagation::Background }
    } else if let Some(policy) = options.propagation {
        policy
    } else {
        // What an earlier request asked for holds before what the kind does by itself.
        let earlier = before.iter().find_map(|finalizer| match finalizer.as_str() {
            ORPHAN => Some(Propagation::Orphan),
            FOREGROUND => Some(Propagation::Foreground),
            _ => None,
        });
        earlier.unwrap_or_else(|| resource.strategy.default_propagation())
    };
    let mut after: Vec<String> = before
        .iter()
        .filter(|finalizer| ![ORPHAN, FOREGROUND].contains(&finalizer.as_str()))
        .cloned()
        .collect();
    match policy {
        Propagation::Orphan => after.push(ORPHAN.into()),
        Propagation::Foreground => after.push(FOREGROUND.into()),
        Propagation::Background => {}
    }
    let set = |list: &[String]| list.iter().cloned().collect::<std::collections::BTreeSet<_>>();
    let changed = set(&before) != set(&after);
    if changed {
        metadata::set_finalizers(object, &after);
    }
    changed
}

/// Deletes what a list of the collection has. The answer is that list.
///
/// # Errors
/// As the API server refuses; what was deleted before that stays so.
pub(in crate::sandbox) async fn delete_collection(
    server: &Server,
    resource: &Resource,
    request: &Request,
    params: &ListParams,
    options: &DeleteOptions,
) -> Result<Answer, ApiError> {
    let listed = list(server, resource, Some(&request.namespace), params).await?;
    for item in &listed.items {
        let one = Request { name: text(item, "name").to_owned(), ..request.clone() };
        match delete(server, resource, &one, options).await {
            Err(error) if error.code != 404 => return Err(error),
            _ => {}
        }
    }
    Ok(Answer { code: 200, object: listed.to_value() })
}
